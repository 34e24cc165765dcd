// SPDX-License-Identifier: MPL-2.0

//! Folders that are being written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::sync::mpsc;

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;
use gstflute::object_removal::ObjectRemoval;

use crate::{init, location};

const TIMEOUT: gst::ClockTime = gst::ClockTime::from_seconds(120);

/// A pipeline that is stopped when the test ends, however it does.
struct Running(gst::Pipeline);

impl Running {
    fn start(description: &str) -> Self {
        init();
        let pipeline = gst::parse::launch(description).unwrap().downcast::<gst::Pipeline>().unwrap();
        let running = Self(pipeline);
        running.0.set_state(gst::State::Playing).unwrap();
        running
    }

    fn element(&self, name: &str) -> gst::Element {
        self.0.by_name(name).unwrap()
    }

    /// The next element message of this name.
    fn message(&self, name: &str) -> gst::Structure {
        loop {
            let message = self.0.bus().unwrap().timed_pop(TIMEOUT).unwrap_or_else(|| panic!("there is no {name}"));
            assert!(!matches!(message.view(), gst::MessageView::Error(_)), "{message:?}");
            if let Some(structure) = message.structure().filter(|structure| structure.name() == name) {
                return structure.to_owned();
            }
        }
    }

    fn wait_for_eos(&self) {
        let types = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = self.0.bus().unwrap().timed_pop_filtered(TIMEOUT, &types).expect("it ends");
        assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// A watched folder in front of an appsink.
fn watched(folder: &Path) -> (Running, gst_app::AppSink) {
    let running = Running::start(&format!(
        "flutedirsrc name=source location={} watch=true ! appsink name=objects sync=false",
        folder.display()
    ));
    let objects = running.element("objects").downcast().unwrap();
    (running, objects)
}

fn pull(objects: &gst_app::AppSink) -> (String, Vec<u8>) {
    let sample = objects.try_pull_sample(TIMEOUT).expect("an object");
    let buffer = sample.buffer().unwrap();
    (location(&buffer.to_owned()), buffer.map_readable().unwrap().to_vec())
}

/// The files of a folder, by their paths.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.contains("/.") && !name.starts_with('.') {
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

#[test]
fn test_flutedirsrc_watch_is_live() {
    let folder = tempfile::tempdir().unwrap();
    init();
    let pipeline = gst::parse::launch(&format!(
        "flutedirsrc name=source location={} watch=true ! fakesink",
        folder.path().display()
    ))
    .unwrap();
    for _ in 0..2 {
        assert_eq!(pipeline.set_state(gst::State::Paused), Ok(gst::StateChangeSuccess::NoPreroll));
        pipeline.set_state(gst::State::Playing).unwrap();
        let source = pipeline.downcast_ref::<gst::Bin>().unwrap().by_name("source").unwrap();
        let mut latency = gst::query::Latency::new();
        assert!(source.query(&mut latency));
        assert!(latency.result().0, "it is live");
        assert!(source.query_duration::<gst::format::Bytes>().is_none());
        // It waits for files, and nothing of this waits for it.
        pipeline.set_state(gst::State::Paused).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        pipeline.set_state(gst::State::Null).unwrap();
    }
    pipeline.set_state(gst::State::Playing).unwrap();
    assert!(pipeline.send_event(gst::event::Eos::new()));
    let eos = pipeline.bus().unwrap().timed_pop_filtered(TIMEOUT, &[gst::MessageType::Eos]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(eos.is_some(), "it ends when it is told to");
}

#[test]
fn test_flutedirsrc_watch_after_a_pause() {
    let folder = tempfile::tempdir().unwrap();
    let (running, objects) = watched(folder.path());
    fs::write(folder.path().join("1"), "1").unwrap();
    assert_eq!(pull(&objects), ("1".to_owned(), b"1".to_vec()));
    running.0.set_state(gst::State::Paused).unwrap();
    fs::write(folder.path().join("2"), "2").unwrap();
    running.0.set_state(gst::State::Playing).unwrap();
    assert_eq!(pull(&objects), ("2".to_owned(), b"2".to_vec()));
}

#[test]
fn test_flutedirsrc_watch_tells_of_deleted_files() {
    let folder = tempfile::tempdir().unwrap();
    let (running, objects) = watched(folder.path());
    running.element("source").set_property("prefix", "http://a.example/");
    let (sender, removed) = mpsc::channel();
    let pad = objects.static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        sender.send(info.event().and_then(|event| ObjectRemoval::of(event))).unwrap();
        gst::PadProbeReturn::Ok
    });
    fs::write(folder.path().join("a b"), vec![1; 100_000]).unwrap();
    let sample = objects.try_pull_sample(TIMEOUT).unwrap();
    let meta = ObjectMeta::of(sample.buffer().unwrap()).unwrap();
    assert_eq!(meta.file.as_deref(), folder.path().join("a b").to_str());
    fs::remove_file(folder.path().join("a b")).unwrap();
    let removed = removed.iter().flatten().next().unwrap();
    assert_eq!(
        removed,
        ObjectRemoval { content_location: "http://a.example/a%20b".into(), now: true, ..Default::default() }
    );
}

/// A packager of GStreamer writes, and a receiver that reads a playlist has had all segments that it names.
#[test]
fn test_flutedirsrc_watch_keeps_manifests_behind_segments() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, objects) = watched(folder.path());
    let packager = Running::start(&format!(
        "videotestsrc num-buffers=100 ! video/x-raw,width=64,height=48,framerate=25/1 ! x264enc key-int-max=10 ! h264parse \
         ! hlssink2 location={0}/seg_%05d.ts playlist-location={0}/live.m3u8 target-duration=1 max-files=0 \
         playlist-length=0",
        folder.path().display()
    ));
    packager.wait_for_eos();
    // It closes the last segment then.
    drop(packager);
    let written = tree(folder.path());
    assert!(written.len() > 4, "{:?}", written.keys());
    let mut received = BTreeMap::new();
    while received != written {
        let (name, bytes) = pull(&objects);
        if name.ends_with(".m3u8") {
            let playlist = String::from_utf8(bytes.clone()).unwrap();
            for segment in playlist.lines().filter(|line| line.ends_with(".ts")) {
                assert!(received.contains_key(segment), "{segment} comes after\n{playlist}");
            }
        }
        received.insert(name, bytes);
    }
}

/// From a packager's folder to the same folder at a receiver.
#[test]
fn test_flutedirsrc_watch_to_another_folder() {
    let (sent, received) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let receiver = Running::start(&format!(
        "flutesrc address=127.0.0.1 port={port} ! flutedirsink location={}",
        received.path().display()
    ));
    let sender = Running::start(&format!(
        "flutedirsrc location={} watch=true ! flutesink address=127.0.0.1 port={port} bitrate=50000000 \
         sink_0::repeat-count=0 sink_0::repeat-delay=500000000",
        sent.path().display()
    ));
    let packager = Running::start(&format!(
        "videotestsrc num-buffers=75 ! video/x-raw,width=64,height=48,framerate=25/1 ! x264enc key-int-max=25 ! h264parse \
         ! hlssink2 location={0}/seg_%05d.ts playlist-location={0}/live.m3u8 target-duration=1 max-files=0",
        sent.path().display()
    ));
    // As ffmpeg does it.
    let dash = sent.path().join("dash");
    fs::create_dir(&dash).unwrap();
    for segment in 1..=20 {
        for (name, content) in [
            (format!("chunk-stream0-{segment:05}.m4s"), vec![segment; 20_000]),
            ("live.mpd".to_owned(), format!("<MPD>{segment}</MPD>").into_bytes()),
        ] {
            let temporary = dash.join(format!("{name}.tmp"));
            fs::write(&temporary, content).unwrap();
            fs::rename(temporary, dash.join(name)).unwrap();
        }
    }
    packager.wait_for_eos();
    // It closes the last segment then.
    drop(packager);
    fs::create_dir_all(sent.path().join("long/er")).unwrap();
    fs::write(sent.path().join("long/er/film.mp4"), vec![7; 300_000]).unwrap();
    let written = tree(sent.path());
    assert!(written.len() > 24, "{:?}", written.keys());
    while tree(received.path()) != written {
        receiver.message("flute-file-written");
    }
    drop(sender);
}

#[test]
fn test_flutedirsrc_watch_withdraws_deleted_files() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&format!(
        "flutedirsrc location={} watch=true ! queue ! flutesink fdt-interval=10000000 name=sink sink_0::repeat-count=0 \
         sink_0::repeat-delay=10000000 ! appsink name=packets sync=false max-buffers=1",
        folder.path().display()
    ));
    let packets = running.element("packets").downcast::<gst_app::AppSink>().unwrap();
    let next_table = || loop {
        let sample = packets.try_pull_sample(TIMEOUT).expect("a packet");
        let packet = sample.buffer().unwrap().map_readable().unwrap().to_vec();
        let text = String::from_utf8_lossy(&packet);
        if let Some(table) = text.find("<FDT-Instance") {
            return text[table..].to_owned();
        }
    };
    for name in ["kept.txt", "deleted.txt"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    while !["kept.txt", "deleted.txt"].iter().all(|name| next_table().contains(&format!("\"{name}\""))) {}
    fs::remove_file(folder.path().join("deleted.txt")).unwrap();
    while next_table().contains("deleted.txt") {}
    assert_eq!(running.message("flute-object-withdrawn").get("content-location"), Ok("deleted.txt"));
    for _ in 0..5 {
        let table = next_table();
        assert!(table.contains("kept.txt") && !table.contains("deleted.txt"), "{table}");
    }
}

/// As many files as a packager that starts anew may write in an instant.
#[test]
fn test_flutedirsrc_watch_ten_thousand_files() {
    const FILES: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&format!(
        "flutedirsrc location={} watch=true name=source ! flutesink name=sink max-queued-bytes=10000 ! fakesink",
        folder.path().display()
    ));
    let (sender, sent) = mpsc::channel();
    running.element("sink").connect("object-sent", false, move |arguments| {
        let details = arguments[1].get::<gst::Structure>().unwrap();
        sender.send(details.get::<String>("content-location").unwrap()).unwrap();
        None
    });
    for file in 0..FILES {
        let folder = folder.path().join((file / 1000).to_string());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file.to_string()), format!("file {file}")).unwrap();
    }
    let mut names = BTreeSet::new();
    let mut count = 0;
    while names.len() < FILES {
        names.insert(sent.recv_timeout(TIMEOUT.into()).expect("an object is sent"));
        count += 1;
    }
    assert!(running.0.send_event(gst::event::Eos::new()));
    running.wait_for_eos();
    assert_eq!(count + sent.try_iter().count(), FILES, "each was sent once");
}
