// SPDX-License-Identifier: MPL-2.0

//! Nothing is left when nobody uses a session any more: neither threads nor sockets, nor objects, for which GStreamer's
//! tracer `leaks` watches. It has to be asked for before the process begins, so that the test runs itself again.

use std::fs;
use std::mem::ManuallyDrop;
use std::process::Command;
use std::thread;
use std::time::Instant;

use gst::prelude::*;

use crate::object::{Taker, content};
use crate::sender::Studio;
use crate::{LIMIT, free_port, init, is_bound, wait_until};

/// Set in the process that is watched.
const WATCHED: &str = "FLUTE_TEST_WATCHED_BY_LEAKS_TRACER";

/// Types of objects that live as long as the process.
const KEPT: [&str; 5] = ["(GstPlugin)", "(GstElementFactory)", "Allocator)", "(GstSystemClock)", "(GstTaskPool)"];

/// The threads of the plugin in this process.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).filter(|name| name.starts_with("flute-")).collect()
}

fn take_two_objects() {
    let port = free_port();
    let taker = Taker::new(&format!("flute://127.0.0.1:{port}/a"));
    taker.element.set_property("linger", 0u64);
    taker.set_state(gst::State::Playing);
    let studio = Studio::new("127.0.0.1", port);
    studio.send("a", "video/mp2t", content(10));
    studio.send("b", "video/mp4", content(1_000_000));
    assert!(taker.take().bytes() == content(10));
    taker.set_state(gst::State::Ready);
    assert!(taker.fetch(&format!("flute://127.0.0.1:{port}/b")).bytes() == content(1_000_000));
    assert_eq!(threads(), ["flute-receive"]);
    drop(taker);
    drop(studio);
    wait_until("the thread ends", || threads().is_empty());
    assert!(!is_bound(port));
}

/// What is alive, but for what the registry and the library of GStreamer keep.
fn live_objects(tracer: &gst::Tracer) -> Vec<String> {
    // The tracer gives references away that it does not own, so they must not be dropped.
    let alive = ManuallyDrop::new(tracer.emit_by_name::<gst::Structure>("get-live-objects", &[]));
    let objects = ManuallyDrop::new(alive.get::<gst::List>("live-objects-list").unwrap());
    objects
        .iter()
        .filter_map(|object| object.get::<&gst::StructureRef>().ok())
        .map(ToString::to_string)
        .filter(|object| !KEPT.iter().any(|kept| object.contains(kept)))
        .collect()
}

#[test]
fn test_leaks_of_sessions() {
    if std::env::var_os(WATCHED).is_none() {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "leaks::test_leaks_of_sessions", "--nocapture"])
            .env("GST_TRACERS", "leaks")
            .env(WATCHED, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    init();
    let tracers = gst::active_tracers();
    let Some(tracer) = tracers.iter().find(|tracer| tracer.type_().name() == "GstLeaksTracer") else {
        eprintln!("skipped: there is no tracer leaks");
        return;
    };
    take_two_objects();
    let mut alive = Vec::new();
    // Threads of GStreamer let go of their tasks when they come to it.
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        alive = live_objects(tracer);
        if alive.is_empty() {
            return;
        }
        thread::yield_now();
    }
    panic!("{alive:#?}");
}
