// SPDX-License-Identifier: MPL-2.0

//! The main job as a user runs it: a sending and a receiving `gst-launch-1.0`, two processes, over multicast on the
//! loopback interface.

mod losses;
mod process;
mod readme;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use process::{Process, assert_same_tree, assert_success, plugin_folder, tree};

/// Starts a pipeline in a process of its own.
fn launch(pipeline: &str) -> Process {
    let mut command = Command::new("gst-launch-1.0");
    command.args(pipeline.split_whitespace()).env("G_DEBUG", "fatal-warnings");
    Process::start(command, plugin_folder())
}

/// A folder with files of several lengths, some of them further down.
fn presentation(folder: &Path) {
    let mut state = 1u32;
    for (name, length) in [
        ("manifest.mpd", 1500),
        ("video/init.mp4", 900),
        ("video/1.m4s", 250_000),
        ("video/2.m4s", 1400 * 64),
        ("audio/a name with spaces & signs.m4s", 31_337),
        ("empty.bin", 0),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes = (0..length).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        fs::write(path, bytes.collect::<Vec<_>>()).unwrap();
    }
}

/// Sends a folder to another: each test has a group and a port of its own, since tests run side by side.
fn folder_to_folder(receiver: &str, sender: &str, port: u16) {
    let work = tempfile::tempdir().unwrap();
    let (sent, received) = (work.path().join("sent"), work.path().join("received"));
    presentation(&sent);
    fs::create_dir(&received).unwrap();

    let receiver = launch(&format!("{receiver} ! flutedirsink location={}", received.display()));
    let receiver = receiver.wait_for_port(port);
    let sender = launch(&format!("flutedirsrc location={} ! {sender}", sent.display()));
    assert_success(&sender.finish());
    assert_success(&receiver.finish());
    assert_same_tree(&sent, &received);
}

#[test]
fn folder_over_multicast_by_the_elements_themselves() {
    folder_to_folder(
        "flutesrc address=239.255.1.1 port=34001 multicast-iface=lo eos-on-close=true",
        "flutesink address=239.255.1.1 port=34001 multicast-iface=lo bitrate=40000000",
        34001,
    );
}

#[test]
fn folder_over_multicast_through_udpsink_and_udpsrc() {
    folder_to_folder(
        "udpsrc address=239.255.1.2 port=34002 multicast-iface=lo caps=application/x-flute buffer-size=2000000 \
         ! flutesrc eos-on-close=true",
        "flutesink bitrate=40000000 ! udpsink host=239.255.1.2 port=34002 multicast-iface=lo",
        34002,
    );
}

#[test]
fn folder_with_reed_solomon_and_gzip() {
    folder_to_folder(
        "flutesrc address=239.255.1.3 port=34003 multicast-iface=lo eos-on-close=true",
        "flutesink address=239.255.1.3 port=34003 multicast-iface=lo bitrate=40000000 fec=rs8 repair-percent=20 \
         content-encoding=gzip",
        34003,
    );
}

#[test]
fn a_file_is_one_object_with_the_name_of_the_file() {
    let work = tempfile::tempdir().unwrap();
    let (movie, received) = (work.path().join("movie.mp4"), work.path().join("received"));
    fs::write(&movie, vec![7; 123_456]).unwrap();
    fs::create_dir(&received).unwrap();
    let receiver = launch(&format!(
        "flutesrc address=239.255.1.4 port=34004 multicast-iface=lo eos-on-close=true ! flutedirsink location={}",
        received.display()
    ))
    .wait_for_port(34004);
    let sender = launch(&format!(
        "filesrc location={} ! flutesink bitrate=40000000 ! udpsink host=239.255.1.4 port=34004 multicast-iface=lo",
        movie.display()
    ));
    assert_success(&sender.finish());
    assert_success(&receiver.finish());
    assert_eq!(tree(&received), [(PathBuf::from("movie.mp4"), vec![7; 123_456])]);
}

#[test]
fn multifilesrc_makes_an_object_of_each_file() {
    let work = tempfile::tempdir().unwrap();
    let received = work.path().join("received");
    fs::create_dir(&received).unwrap();
    for index in 0..3u8 {
        fs::write(work.path().join(format!("in{index}.bin")), vec![index; 5000]).unwrap();
    }
    let receiver = launch(&format!(
        "flutesrc address=239.255.1.5 port=34005 multicast-iface=lo eos-on-close=true ! flutedirsink location={}",
        received.display()
    ))
    .wait_for_port(34005);
    let sender = launch(&format!(
        "multifilesrc location={}/in%d.bin ! flutesink name=f sink_0::location=out%02d.bin address=239.255.1.5 \
         port=34005 multicast-iface=lo bitrate=40000000",
        work.path().display()
    ));
    assert_success(&sender.finish());
    assert_success(&receiver.finish());
    let expected = (0..3u8).map(|index| (PathBuf::from(format!("out{index:02}.bin")), vec![index; 5000]));
    assert_eq!(tree(&received), expected.collect::<Vec<_>>());
}

#[test]
fn tshark_finds_no_malformed_packet() {
    let work = tempfile::tempdir().unwrap();
    let sent = work.path().join("sent");
    presentation(&sent);
    let capture = work.path().join("sent.pcap");
    // tshark reads the XML of every packet by itself, so that the FDT Instances must fit into one: without digests they do.
    let pipeline = format!("flutedirsrc location={} ! flutesink tsi=7 toi-start=1 md5-files=false", sent.display());
    let packets = capture_packets(&pipeline, &capture);

    let output = Command::new("tshark")
        .args(["-r", capture.to_str().unwrap(), "-d", "udp.port==34006,alc", "-T", "fields"])
        .args(["-e", "rmt-lct.tsi", "-e", "rmt-lct.toi", "-e", "_ws.malformed"])
        .output()
        .expect("tshark starts");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), packets, "{}", String::from_utf8_lossy(&output.stderr));
    for line in &lines {
        assert_eq!((line[0], line[2]), ("7", ""), "{line:?}");
    }
    let tois: std::collections::BTreeSet<&str> = lines.iter().map(|line| line[1]).collect();
    assert!(["0", "1", "2", "3", "4", "5", "6"].iter().all(|toi| tois.contains(toi)), "{tois:?}");
}

/// Runs a pipeline that ends in packets, and writes them to a capture as UDP datagrams to port 34006.
fn capture_packets(pipeline: &str, capture: &Path) -> usize {
    let folder = capture.parent().unwrap().join("packets");
    fs::create_dir(&folder).unwrap();
    let output = launch(&format!("{pipeline} ! identity ! multifilesink location={}/%08d", folder.display())).finish();
    assert_success(&output);

    // The headers of a classic capture file, link type 101: packets begin with their IP header.
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0002_0004, 0, 0, 65535, 101] {
        file.extend(word.to_le_bytes());
    }
    file[4..8].copy_from_slice(&[2, 0, 4, 0]);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in &paths {
        let payload = fs::read(path).unwrap();
        let length = payload.len() as u16;
        for word in [0, 0, u32::from(length) + 28, u32::from(length) + 28] {
            file.extend(word.to_le_bytes());
        }
        file.extend([0x45, 0]);
        file.extend((length + 28).to_be_bytes());
        file.extend([0, 0, 0, 0, 1, 17, 0, 0, 127, 0, 0, 1, 239, 255, 1, 6]);
        file.extend(34006u16.to_be_bytes());
        file.extend(34006u16.to_be_bytes());
        file.extend((length + 8).to_be_bytes());
        file.extend([0, 0]);
        file.extend(payload);
    }
    fs::write(capture, file).unwrap();
    paths.len()
}

/// What a user gets wrong ends with a message that says so, not with a hang.
#[test]
fn bad_use_ends_with_a_clear_error() {
    let taken = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let taken_port = taken.local_addr().unwrap().port();
    for (pipeline, message) in [
        ("fakesrc num-buffers=1 ! flutesink address=nowhere port=34007".to_owned(), "nowhere"),
        ("flutesrc address=999.1.1.1 port=34007 ! fakesink".to_owned(), "999.1.1.1"),
        (format!("flutesrc address=127.0.0.1 port={taken_port} ! fakesink"), "in use"),
        ("flutedirsrc location=/does/not/exist ! flutesink address=127.0.0.1 port=34007".to_owned(), "/does/not/exist"),
        ("fakesrc num-buffers=1 ! flutesink profile=mbms content-encoding=gzip ! fakesink".to_owned(), "26.346"),
    ] {
        let output = launch(&pipeline).finish();
        let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "{pipeline} succeeded:\n{text}");
        assert!(text.contains(message), "{pipeline} does not say {message:?}:\n{text}");
    }
}
