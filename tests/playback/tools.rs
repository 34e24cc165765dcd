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

/// What a program prints that gets the URI of a presentation as the last argument; `None` if there is no such program.
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
    let plugin = plugin_folder();
    let output = Command::new("timeout")
        .arg(LIMIT.as_secs().to_string())
        .arg(program)
        .args(arguments.iter().map(|argument| argument.replace("URI", &uri)))
        .env("GST_PLUGIN_PATH", plugin.path())
        .env("GST_REGISTRY", plugin.path().join("registry.bin"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Some(output)
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
