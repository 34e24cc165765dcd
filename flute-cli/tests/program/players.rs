// SPDX-License-Identifier: MPL-2.0

//! Players of others, over HTTP, behind a network that loses packets.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::gateway::listen;
use crate::process::{Program, free_port};
use crate::relay::Relay;

/// One packet in so many is lost.
const LOSS: u64 = 33;

/// Whether a program is there; it is said if not.
fn has(program: &str, arguments: &[&str]) -> bool {
    let found = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("skipped: there is no {program} {}", arguments.join(" "));
    }
    is_there
}

/// A presentation of six seconds.
fn make_presentation() -> TempDir {
    let presentation = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/make-dash.py");
    let made = Command::new("python3").arg(script).arg(presentation.path()).arg("6").status().unwrap();
    assert!(made.success());
    presentation
}

#[test]
fn players_play_what_is_repaired() {
    let elements = ["x264enc", "avenc_aac", "mp4mux", "avdec_h264", "avdec_aac", "playbin", "souphttpsrc", "dashdemux"];
    if !elements.iter().all(|element| has("gst-inspect-1.0", &["--exists", element])) {
        return;
    }
    let presentation = make_presentation();
    let (listen, to) = (listen(), format!("127.0.0.1:{}", free_port()));
    let mut gateway = Program::start(&["gateway", &to, "--listen", &listen, "--json"]);
    gateway.wait_for("serving");
    let relay = Relay::start(&to, |number, _| number % LOSS == 7);
    let folder = presentation.path().to_str().unwrap();
    let fec = ["--fec", "raptorq", "--repair", "20%", "--carousel"];
    let _sender = Program::start(&[&["send", folder, "--to", relay.address()], &fec[..]].concat());
    let uri = format!("uri=http://{listen}/manifest.mpd");
    for player in ["playbin", "playbin3"] {
        if !has("gst-inspect-1.0", &["--exists", player]) {
            continue;
        }
        let sinks = ["video-sink=fakesink sync=false", "audio-sink=fakesink sync=false"];
        let played =
            Command::new("timeout").args(["100", "gst-launch-1.0", player, &uri]).args(sinks).output().unwrap();
        let said = String::from_utf8_lossy(&played.stderr);
        assert!(played.status.success() && !said.contains("ERROR"), "{player}: {said}");
    }
    if has("ffmpeg", &["-version"]) {
        let url = format!("http://{listen}/manifest.mpd");
        let played =
            Command::new("timeout").args(["100", "ffmpeg", "-v", "error", "-i", &url, "-f", "null", "-"]).output();
        let played = played.unwrap();
        assert!(played.status.success() && played.stderr.is_empty(), "{}", String::from_utf8_lossy(&played.stderr));
    }
}

/// A segment whose bytes take a minute to come, through a player that gives up when nothing comes for ten seconds. It takes
/// longer than other tests, and runs where `FLUTE_LONG_TESTS` is set.
#[test]
fn playbin3_plays_a_segment_that_takes_a_minute() {
    let elements =
        ["x264enc", "avenc_aac", "mp4mux", "avdec_h264", "avdec_aac", "playbin3", "souphttpsrc", "dashdemux2"];
    if std::env::var_os("FLUTE_LONG_TESTS").is_none() {
        eprintln!("skipped: FLUTE_LONG_TESTS is not set");
        return;
    }
    if !elements.iter().all(|element| has("gst-inspect-1.0", &["--exists", element])) {
        return;
    }
    let presentation = make_presentation();
    let (listen, to) = (listen(), format!("127.0.0.1:{}", free_port()));
    let mut gateway = Program::start(&["gateway", &to, "--listen", &listen, "--json"]);
    gateway.wait_for("serving");
    // One segment apart from all others, at a rate at which it takes a minute.
    let slow = tempfile::tempdir().unwrap();
    let segment = Path::new("video/00003.m4s");
    fs::create_dir(slow.path().join("video")).unwrap();
    let length = fs::metadata(presentation.path().join(segment)).unwrap().len();
    fs::rename(presentation.path().join(segment), slow.path().join(segment)).unwrap();
    let bitrate = (length * 8 / 60).to_string();
    let send = |folder: &Path, tsi: &str, more: &[&str]| {
        let all = ["send", folder.to_str().unwrap(), "--to", &to, "--tsi", tsi, "--quiet"];
        Program::start(&[&all[..], more].concat())
    };
    let _others = send(presentation.path(), "1", &["--carousel"]);
    let _slow = send(slow.path(), "2", &["--bitrate", &bitrate]);
    let uri = format!("uri=http://{listen}/manifest.mpd");
    let sinks = ["video-sink=fakesink sync=false", "audio-sink=fakesink sync=false"];
    let played =
        Command::new("timeout").args(["200", "gst-launch-1.0", "playbin3", &uri]).args(sinks).output().unwrap();
    let said = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success() && !said.contains("ERROR"), "{said}");
}
