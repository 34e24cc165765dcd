// SPDX-License-Identifier: MPL-2.0

//! The players that come with GStreamer, each a process of its own.

use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::content::{CODECS, SECONDS, dash};
use crate::sender::Sender;
use crate::{LIMIT, free_port, has_elements};

/// A folder with nothing but the plugin that was built for this test, which lies beside the test's executable.
fn plugin_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let plugin = std::env::current_exe().unwrap().with_file_name("libgstflute.so");
    std::os::unix::fs::symlink(plugin, folder.path().join("libgstflute.so")).unwrap();
    folder
}

/// What a program prints that gets the URI of a presentation in place of `URI`, or that of its session in place of
/// `SESSION`; `None` if there is no such program.
fn run(program: &str, arguments: &[&str], group: &str) -> Option<Output> {
    if !has_elements(&CODECS) || !has_elements(&["dashdemux"]) {
        return None;
    }
    if Command::new(program).arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("skipped: there is no {program}");
        return None;
    }
    let port = free_port();
    let _sender = Sender::carousel(dash(), group, port);
    let uri = format!("flute://{group}:{port}/manifest.mpd?tsi=1&iface=lo");
    let session = format!("flute://{group}:{port}?tsi=1&iface=lo");
    let arguments = arguments.iter().map(|argument| argument.replace("URI", &uri).replace("SESSION", &session));
    let output = output(program, arguments);
    assert!(
        output.status.success(),
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Some(output)
}

fn output(program: &str, arguments: impl Iterator<Item = String>) -> Output {
    let plugin = plugin_folder();
    Command::new("timeout")
        .arg(LIMIT.as_secs().to_string())
        .arg(program)
        .args(arguments)
        .env("GST_PLUGIN_PATH", plugin.path())
        .env("GST_REGISTRY", plugin.path().join("registry.bin"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn test_tools_play() {
    let arguments = ["--videosink=fakevideosink", "--audiosink=fakesink", "--no-interactive", "URI"];
    let Some(output) = run("gst-play-1.0", &arguments, "239.255.72.1") else { return };
    let text = text(&output);
    assert!(text.contains("Reached end of play list") && !text.contains("ERROR"), "{text}");
}

#[test]
fn test_tools_discoverer() {
    let Some(output) = run("gst-discoverer-1.0", &["URI"], "239.255.72.2") else { return };
    let text = text(&output);
    for part in ["H.264", "MPEG-4 AAC", "Seekable: yes", &format!("Duration: 0:00:{SECONDS}.")] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn test_tools_launch_uridecodebin() {
    let pipeline = "uridecodebin uri=URI name=u u. ! queue ! fakesink u. ! queue ! fakesink";
    let arguments: Vec<_> = pipeline.split_whitespace().collect();
    let Some(output) = run("gst-launch-1.0", &arguments, "239.255.72.3") else { return };
    assert!(text(&output).contains("Got EOS"));
}

#[test]
fn test_tools_launch_urisourcebin() {
    if !has_elements(&["dashdemux2"]) {
        return;
    }
    let pipeline = "urisourcebin uri=URI name=u u. ! queue ! fakesink u. ! queue ! fakesink";
    let arguments: Vec<_> = pipeline.split_whitespace().collect();
    let Some(output) = run("gst-launch-1.0", &arguments, "239.255.72.4") else { return };
    assert!(text(&output).contains("Got EOS"));
}

/// Without a path the URI means the first manifest of the session.
#[test]
fn test_tools_play_a_session() {
    let arguments = ["--videosink=fakevideosink", "--audiosink=fakesink", "--no-interactive", "SESSION"];
    let Some(output) = run("gst-play-1.0", &arguments, "239.255.72.5") else { return };
    let text = text(&output);
    assert!(text.contains("Reached end of play list") && !text.contains("ERROR"), "{text}");
}

#[test]
fn test_tools_session_without_a_presentation() {
    let (group, port) = ("239.255.72.6", free_port());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b.bin"), [1; 5000]).unwrap();
    std::fs::write(folder.path().join("a.txt"), "text").unwrap();
    let sending = format!(
        "flutedirsrc location={} ! f.sink_0 flutesink name=f address={group} port={port} multicast-iface=lo \
         bitrate=300000 eos-policy=run-to-end sink_0::repeat-count=1000",
        folder.path().display()
    );
    let _sender = Sender::new(&sending).play();
    let wrong = |options: &str| {
        let pipeline = format!("uridecodebin uri=flute://{group}:{port}?iface=lo&{options} ! fakesink");
        let output = output("gst-launch-1.0", pipeline.split_whitespace().map(str::to_owned));
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let told = wrong("tsi=1&timeout=3");
    assert!(told.contains("no manifest") && told.contains("a.txt, b.bin"), "{told}");
    let told = wrong("tsi=2&timeout=1");
    assert!(told.contains("no FDT Instance came for 1 s"), "{told}");
}
