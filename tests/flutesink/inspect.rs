// SPDX-License-Identifier: MPL-2.0

//! What gst-inspect shows, and what is left behind.

use std::path::PathBuf;
use std::process::{Command, Output};

use gst::prelude::*;

use crate::{flutesink, init};

/// A program of GStreamer that finds the plugin that was built for this test, and nothing that an earlier one left.
fn gstreamer(program: &str, arguments: &[&str], debug: &str) -> Output {
    init();
    let tests = std::env::current_exe().unwrap();
    let plugin: PathBuf = tests.parent().unwrap().join("libgstflute.so");
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(plugin, folder.path().join("libgstflute.so")).unwrap();
    Command::new(program)
        .args(arguments)
        .env("GST_PLUGIN_PATH", folder.path())
        .env("GST_REGISTRY", folder.path().join("registry.bin"))
        .env("G_DEBUG", "fatal-warnings")
        .env("GST_TRACERS", "leaks")
        .env("GST_DEBUG", debug)
        .env("GST_DEBUG_NO_COLOR", "1")
        .output()
        .unwrap()
}

#[test]
fn test_flutesink_inspect() {
    let output = gstreamer("gst-inspect-1.0", &["flutesink"], "GST_TRACER:7");
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    assert!(!errors.contains("WARNING") && !errors.contains("CRITICAL"), "{errors}");
    for part in ["sink_%u", "application/x-flute", "GstFluteSinkPad", "rs8-small-block", "dvb-mabr", "finish-transfers"]
    {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn test_flutesink_every_property_is_described() {
    let element = flutesink(&[]);
    let pad = element.request_pad_simple("sink_%u").unwrap();
    let own = |property: &&gst::glib::ParamSpec| property.owner_type().name().starts_with("GstFlute");
    let (properties, pad_properties) = (element.list_properties(), pad.list_properties());
    let own: Vec<_> = properties.iter().chain(pad_properties.iter()).filter(own).collect();
    assert!(own.len() > 50);
    for property in own {
        assert_ne!(property.nick(), property.name(), "{} has a nick", property.name());
        assert!(property.blurb().is_some_and(|blurb| blurb.len() > 10), "{} has a blurb", property.name());
        let mutable = gst::PARAM_FLAG_MUTABLE_READY | gst::PARAM_FLAG_MUTABLE_PAUSED | gst::PARAM_FLAG_MUTABLE_PLAYING;
        let is_read_only = !property.flags().contains(gst::glib::ParamFlags::WRITABLE);
        assert!(is_read_only || property.flags().intersects(mutable), "{} says when it may change", property.name());
    }
}

#[test]
fn test_flutesink_leaves_nothing_behind() {
    let sink = "filesrc location=/bin/ls ! flutesink address=127.0.0.1 port=9 bitrate=500000000";
    let chain = "flutedirsrc location=/bin/ls ! flutesink name=f fec=rs8 content-encoding=gzip ! fakesink \
                 filesrc location=/bin/ls ! f.";
    let loopback = "flutedirsrc location=/bin/ls ! flutesink ! flutesrc eos-on-close=true ! fakesink";
    for pipeline in [sink, chain, loopback] {
        let arguments: Vec<_> = pipeline.split_whitespace().collect();
        let output = gstreamer("gst-launch-1.0", &arguments, "GST_TRACER:7");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let leaks: Vec<_> =
            errors.lines().filter(|line| line.contains("object-alive, type-name=(string)Gst")).collect();
        assert!(leaks.is_empty(), "{leaks:#?}");
    }
}

#[test]
fn test_flutesink_log_tells_the_story_without_the_packets() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), crate::content(3_000_000)).unwrap();
    let pipeline = format!(
        "filesrc location={} ! flutesink name=f fec=rs8 tsi=9 ! flutesrc eos-on-close=true ! fakesink",
        file.path().display()
    );
    let arguments: Vec<_> = pipeline.split_whitespace().collect();
    let output = gstreamer("gst-launch-1.0", &arguments, "flutesink:4,flutesrc:4");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let lines: Vec<_> = log.lines().filter(|line| line.contains("INFO")).collect();
    // More than two thousand packets.
    assert!(lines.len() < 100, "{} lines", lines.len());
    let story =
        ["session opened", "FDT Instance", "received: ", "no more objects", "session closed", "end of the stream"];
    for part in story {
        assert!(lines.iter().any(|line| line.contains(part)), "{part}: {lines:#?}");
    }
}
