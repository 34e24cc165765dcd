// SPDX-License-Identifier: MPL-2.0

//! The programs that applications can be made of, in C, Python and Rust, in front of a receiver.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

const TIMEOUT: gst::ClockTime = gst::ClockTime::from_seconds(120);

fn init() {
    use std::sync::Once;
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstflute::plugin_register_static().unwrap();
    });
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines").join(name)
}

/// A folder in which GStreamer finds the plugin that was built for this test, and nothing else.
fn plugin_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let plugin = std::env::current_exe().unwrap().parent().unwrap().join("libgstflute.so");
    std::os::unix::fs::symlink(plugin, folder.path().join("libgstflute.so")).unwrap();
    folder
}

/// Runs a program with an address and a port, and looks at what it says and what arrives there.
fn sends_objects(mut command: Command) {
    init();
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let receiver = gst::parse::launch(&format!(
        "flutesrc address=127.0.0.1 port={port} eos-on-close=true ! appsink name=objects sync=false"
    ))
    .unwrap();
    let objects = receiver.downcast_ref::<gst::Bin>().unwrap().by_name("objects").unwrap();
    let objects = objects.downcast::<gst_app::AppSink>().unwrap();
    receiver.set_state(gst::State::Playing).unwrap();

    let folder = plugin_folder();
    let output = command
        .args(["127.0.0.1", &port.to_string()])
        .env("GST_PLUGIN_PATH", folder.path())
        .env("GST_REGISTRY", folder.path().join("registry.bin"))
        .env("G_DEBUG", "fatal-warnings")
        .env("PYTHONUNBUFFERED", "1")
        .output()
        .unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{errors}");

    let mut received = BTreeMap::new();
    while let Some(sample) = objects.try_pull_sample(TIMEOUT) {
        let buffer = sample.buffer().unwrap();
        let meta = ObjectMeta::of(buffer).unwrap();
        let bytes = String::from_utf8(buffer.map_readable().unwrap().to_vec()).unwrap();
        received.insert(meta.content_location.unwrap(), (meta.content_type.unwrap(), bytes));
    }
    assert!(objects.is_eos(), "the session was closed");
    receiver.set_state(gst::State::Null).unwrap();
    let segment =
        |number| (format!("video/seg_{number}.m4s"), ("video/iso.segment".to_owned(), format!("segment {number}")));
    let manifest = ("application/dash+xml".to_owned(), "<MPD>3 segments</MPD>".to_owned());
    let expected = BTreeMap::from([("live.mpd".to_owned(), manifest), segment(1), segment(2), segment(3)]);
    assert_eq!(received, expected);
    for line in ["video/seg_3.m4s was sent", "live.mpd was sent", "live.mpd is sent no more"] {
        assert!(text.lines().any(|said| said == line), "{line} is not in\n{text}");
    }
}

#[test]
fn test_application_in_c() {
    let folder = tempfile::tempdir().unwrap();
    let flags = Command::new("pkg-config").args(["--cflags", "--libs", "gstreamer-app-1.0"]).output().unwrap();
    assert!(flags.status.success(), "{flags:?}");
    let executable = folder.path().join("send-objects");
    let compiler = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"])
        .arg(program("send-objects.c"))
        .arg("-o")
        .arg(&executable)
        .args(String::from_utf8(flags.stdout).unwrap().split_whitespace())
        .output()
        .unwrap();
    assert!(compiler.status.success(), "{}", String::from_utf8_lossy(&compiler.stderr));
    sends_objects(Command::new(executable));
}

#[test]
fn test_application_in_python() {
    // The interpreter that Debian's PyGObject is installed for, if there are others.
    let interpreters = ["/usr/bin/python3", "python3"];
    let has_gi = |python: &&&str| {
        Command::new(python).args(["-c", "import gi"]).output().is_ok_and(|output| output.status.success())
    };
    let python = interpreters.iter().find(has_gi).expect("python3-gi is installed");
    let mut command = Command::new(python);
    command.arg(program("send-objects.py"));
    sends_objects(command);
}

#[test]
fn test_application_in_rust() {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    command.args(["--package", env!("CARGO_PKG_NAME"), "--example", "send-objects"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.arg("--");
    sends_objects(command);
}
