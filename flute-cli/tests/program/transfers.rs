// SPDX-License-Identifier: MPL-2.0

//! `flute send` and `flute receive`.

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::time::SystemTime;

use flute_proto::Time;
use flute_proto::sender::{Batch, FinishPolicy, Object, Poll, Sender, SenderConfig};
use tempfile::TempDir;

use crate::process::{Program, free_port, group, run};
use crate::relay::Relay;

/// Bytes of which no long part comes twice (xorshift64).
fn content(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// A folder with long and short files, an empty one, and names that need escapes.
fn presentation() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, length) in [("live.mpd", 7), ("video/seg 1.m4s", 300_000), ("audio/ü%.m4s", 65_536), ("empty.txt", 0)] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content(length)).unwrap();
    }
    folder
}

/// The files below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_folder_arrives_byte_for_byte() {
    let (sent, received, group) = (presentation(), tempfile::tempdir().unwrap(), group());
    let receiver = Program::receive(&group, text(received.path()), &["--until-closed"]);
    let sender = run(&["send", text(sent.path()), "--to", &group, "--iface", "lo", "--json"]);
    assert_eq!(sender.status, Some(0), "{sender:?}");
    assert_eq!(sender.events("object-sent").len(), 4);
    assert_eq!(sender.events("finished")[0]["complete"], true);
    let receiver = receiver.end();
    assert_eq!(receiver.status, Some(0), "{receiver:?}");
    assert_eq!(receiver.events("object-received").len(), 4);
    assert_eq!(receiver.events("finished")[0]["objects"], 4);
    assert!(files(received.path()) == files(sent.path()));
}

#[test]
fn losses_are_repaired() {
    let (sent, received, to) = (presentation(), tempfile::tempdir().unwrap(), format!("127.0.0.1:{}", free_port()));
    let receiver = Program::receive(&to, text(received.path()), &["--until-closed"]);
    let relay = Relay::start(&to, |number, _| number % 10 == 3);
    let fec = ["--fec", "raptorq", "--repair", "30%"];
    let sender = run(&[&["send", text(sent.path()), "--to", relay.address(), "--json"], &fec[..]].concat());
    assert_eq!(sender.status, Some(0), "{sender:?}");
    let receiver = receiver.end();
    assert_eq!(receiver.status, Some(0), "{receiver:?}");
    assert!(receiver.events("finished")[0]["recovered-symbols"].as_u64() > Some(0));
    assert!(files(received.path()) == files(sent.path()));
}

#[test]
fn what_is_lost_is_told_by_name() {
    let (sent, received, to) = (presentation(), tempfile::tempdir().unwrap(), format!("127.0.0.1:{}", free_port()));
    let receiver = Program::receive(&to, text(received.path()), &["--until-closed"]);
    let symbols = content(300_000)[150_000..150_064].to_vec();
    // One packet out of the middle of one file, whatever way it is cut.
    let relay = Relay::start(&to, move |_, packet| packet.windows(symbols.len()).any(|window| window == symbols));
    let sender = run(&["send", text(sent.path()), "--to", relay.address(), "--json"]);
    assert_eq!(sender.status, Some(0), "{sender:?}");
    let receiver = receiver.end();
    assert_eq!(receiver.status, Some(1), "{receiver:?}");
    let lost = receiver.events("object-lost");
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!((&lost[0]["location"], &lost[0]["missing"][0]["missing"]), (&"video/seg%201.m4s".into(), &1.into()));
    assert!(receiver.stderr.contains("lost: video/seg%201.m4s: "), "{}", receiver.stderr);
    let mut expected = files(sent.path());
    expected.remove("video/seg 1.m4s");
    assert!(files(received.path()) == expected, "nothing of it is there");
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let to = format!("127.0.0.1:{}", free_port());
    let into = folder.path().join("received");
    let receiver = Program::receive(&to, text(&into), &["--until-closed"]);
    let now = || Time::from_unix(SystemTime::UNIX_EPOCH.elapsed().unwrap());
    let mut sender = Sender::new(SenderConfig::default(), now()).unwrap();
    for name in ["../evil.txt", "a/%2e%2e/%2e%2e/evil.txt", "good.txt"] {
        sender.add(Object::new(name, b"content".to_vec()), now()).unwrap();
    }
    sender.finish(FinishPolicy::default(), now());
    let (socket, mut batch) = (UdpSocket::bind("127.0.0.1:0").unwrap(), Batch::new(8));
    loop {
        match sender.poll(now(), &mut batch) {
            Poll::Packets => batch.packets().for_each(|packet| assert!(socket.send_to(packet, &to).is_ok())),
            Poll::Wait(until) => std::thread::sleep(until.since(now())),
            Poll::Idle | Poll::Done => break,
        }
    }
    let receiver = receiver.end();
    assert_eq!(receiver.status, Some(1), "{receiver:?}");
    assert_eq!(receiver.events("object-not-written").len(), 2);
    assert!(receiver.stderr.contains("../evil.txt: its Content-Location is refused: it leaves the folder"));
    assert_eq!(files(folder.path()).into_keys().collect::<Vec<_>>(), ["received/good.txt"]);
}

#[test]
fn carousels_end_in_order_at_an_interrupt() {
    let (sent, received, group) = (presentation(), tempfile::tempdir().unwrap(), group());
    let mut receiver = Program::receive(&group, text(received.path()), &["--until-closed"]);
    let to = ["--to", &group, "--iface", "lo", "--json", "--carousel", "--repeat-delay", "100ms"];
    let mut sender = Program::start(&[&["send", text(sent.path())], &to[..]].concat());
    while sender.wait_for("object-sent")["transfers"] != 2 {}
    for _ in 0..4 {
        receiver.wait_for("object-received");
    }
    sender.interrupt();
    let (sender, receiver) = (sender.end(), receiver.end());
    assert_eq!((sender.status, receiver.status), (Some(0), Some(0)), "{sender:?} {receiver:?}");
    assert_eq!(receiver.events("session-closed")[0]["by-sender"], true);
    assert!(files(received.path()) == files(sent.path()));
}

#[test]
fn a_transfer_that_is_interrupted_is_incomplete() {
    let (folder, received, group) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), group());
    let file = folder.path().join("long.bin");
    fs::write(&file, content(2_000_000)).unwrap();
    let mut receiver = Program::receive(&group, text(received.path()), &["--until-closed"]);
    // Minutes long.
    let sender = Program::start(&["send", text(&file), "--to", &group, "--iface", "lo", "--bitrate", "100k", "--json"]);
    receiver.wait_for("object-started");
    sender.interrupt();
    let (sender, receiver) = (sender.end(), receiver.end());
    assert_eq!((sender.status, receiver.status), (Some(1), Some(1)), "{sender:?} {receiver:?}");
    assert_eq!(sender.events("finished")[0]["not-sent"], 1);
    assert_eq!(receiver.events("object-lost")[0]["location"], "long.bin");
    assert!(files(received.path()).is_empty());
}

#[test]
fn a_folder_is_watched() {
    let (sent, received, group) = (presentation(), tempfile::tempdir().unwrap(), group());
    let mut receiver = Program::receive(&group, text(received.path()), &["--until-closed"]);
    let to = ["--to", &group, "--iface", "lo", "--watch", "--settle-time", "0s", "--json"];
    let mut sender = Program::start(&[&["send", text(sent.path())], &to[..]].concat());
    for _ in 0..4 {
        receiver.wait_for("object-received");
    }
    fs::write(sent.path().join("new.tmp"), content(1000)).unwrap();
    fs::rename(sent.path().join("new.tmp"), sent.path().join("new.m4s")).unwrap();
    assert_eq!(receiver.wait_for("object-received")["location"], "new.m4s");
    fs::write(sent.path().join("live.mpd"), content(20)).unwrap();
    assert_eq!(receiver.wait_for("object-received")["location"], "live.mpd");
    fs::remove_file(sent.path().join("new.m4s")).unwrap();
    assert_eq!(sender.wait_for("object-withdrawn")["location"], "new.m4s");
    sender.interrupt();
    let (sender, receiver) = (sender.end(), receiver.end());
    assert_eq!((sender.status, receiver.status), (Some(0), Some(0)), "{sender:?} {receiver:?}");
    assert!(files(received.path())["live.mpd"] == content(20));
}

#[test]
fn two_files_of_one_name_are_not_sent_as_one() {
    let (first, second) = (presentation(), presentation());
    let to = format!("127.0.0.1:{}", free_port());
    let sender = run(&["send", text(first.path()), text(&second.path().join("live.mpd")), "--to", &to, "--json"]);
    assert_eq!(sender.status, Some(1), "{sender:?}");
    assert_eq!(sender.events("object-sent").len(), 4);
    assert!(sender.stderr.contains("another file has this name already"), "{}", sender.stderr);
}

#[test]
fn nothing_that_comes_is_not_everything() {
    let (folder, group) = (tempfile::tempdir().unwrap(), group());
    let receiver = Program::receive(&group, text(folder.path()), &["--timeout", "200ms"]).end();
    assert_eq!(receiver.status, Some(1), "{receiver:?}");
    assert!(receiver.stderr.contains("no packet of a session came"), "{}", receiver.stderr);
}

#[test]
fn what_is_wrong_is_said() {
    let folder = presentation();
    let sending = |arguments: &[&str]| {
        let ended = run(&[&["send", text(folder.path()), "--to"], arguments].concat());
        assert_eq!(ended.status, Some(2), "{ended:?}");
        ended.stderr
    };
    assert!(sending(&["239.1.1.1"]).contains("write it like 239.1.1.1:3400"));
    assert!(sending(&["239.1.1.1:1", "--repair", "20%"]).contains("add --fec"));
    assert!(sending(&["239.1.1.1:1", "--iface", "no-such-if"]).contains("there is no network interface “no-such-if”"));
    assert!(sending(&["239.1.1.1:1", "--bitrate", "fast"]).contains("write bits per second, such as 20M"));
    assert!(sending(&["239.1.1.1:1", "--symbol-size", "1450"]).contains("choose a smaller --symbol-size"));
    let nothing = run(&["send", "no-such-folder", "--to", "127.0.0.1:9"]);
    assert_eq!((nothing.status, nothing.stderr.trim()), (Some(2), "flute: there is no file or folder no-such-folder"));
    let into = folder.path().join("live.mpd");
    let no_folder = run(&["receive", "127.0.0.1:9", "--into", text(&into)]);
    assert_eq!(no_folder.status, Some(2));
    assert!(no_folder.stderr.starts_with("flute: --into "), "{}", no_folder.stderr);
}

#[test]
fn completions_and_pages_are_made() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(&["man", text(folder.path())]).status, Some(0));
    let pages = files(folder.path());
    assert!(pages.contains_key("flute.1") && pages.contains_key("flute-send.1"), "{:?}", pages.keys());
    for shell in ["bash", "zsh", "fish"] {
        let completions = std::process::Command::new(env!("CARGO_BIN_EXE_flute")).args(["completions", shell]).output();
        let completions = completions.unwrap();
        assert!(completions.status.success());
        assert!(String::from_utf8(completions.stdout).unwrap().contains("until-closed"), "{shell}");
    }
    let version = std::process::Command::new(env!("CARGO_BIN_EXE_flute")).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(version.stdout).unwrap().trim(), concat!("flute ", env!("CARGO_PKG_VERSION")));
}
