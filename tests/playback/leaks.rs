// SPDX-License-Identifier: MPL-2.0

//! Nothing is left when no element uses a session any more: neither threads nor sockets, nor objects.

use std::fs;
use std::thread;
use std::time::Instant;

use gst::prelude::*;

use crate::leaks_tracer;
use crate::object::{Taker, content};
use crate::sender::Studio;
use crate::{LIMIT, free_port, is_bound, wait_until};

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

#[test]
fn test_leaks_of_sessions() {
    leaks_tracer::watch("leaks::test_leaks_of_sessions", |tracer| {
        take_two_objects();
        let mut alive = Vec::new();
        // Threads of GStreamer let go of their tasks when they come to it.
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            alive = leaks_tracer::live_objects(tracer);
            if alive.is_empty() {
                return;
            }
            thread::yield_now();
        }
        panic!("{alive:#?}");
    });
}
