// SPDX-License-Identifier: MPL-2.0

//! Many elements in one process, which is one of its own, because its threads and files are counted.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::process::Command;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::{content, init};

/// Set in the process that is counted.
const COUNTED: &str = "FLUTE_TEST_COUNTED";
const PAIRS: usize = 50;
const LENGTH: usize = 100_000;

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// Starts senders and receivers, each pair with a port of its own, and stops them when everything is there.
fn run_pairs() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content(LENGTH)).unwrap();
    let pipeline = gst::Pipeline::new();
    let mut senders = Vec::new();
    for pair in 0..PAIRS {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let receiver = format!("flutesrc name=receiver-{pair} address=127.0.0.1 port={port} ! fakesink async=false");
        let sender = format!(
            "filesrc location={} ! flutesink address=127.0.0.1 port={port} tsi={pair} eos-policy=run-to-end \
             sink_0::repeat-count=600 sink_0::repeat-delay=100000000 bitrate=20000000",
            file.path().display()
        );
        pipeline.add(&gst::parse::bin_from_description(&receiver, false).unwrap()).unwrap();
        senders.push(gst::parse::launch(&sender).unwrap());
    }
    pipeline.set_state(gst::State::Playing).unwrap();
    for sender in &senders {
        sender.set_state(gst::State::Playing).unwrap();
    }
    let bus = pipeline.bus().unwrap();
    let mut received = BTreeMap::new();
    while received.len() < PAIRS {
        let types = [gst::MessageType::Element, gst::MessageType::Error];
        let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("objects come");
        let structure = message.structure().unwrap();
        assert_eq!(message.type_(), gst::MessageType::Element, "{structure}");
        if structure.name() == "flute-object-received" {
            let source = message.src().unwrap().name();
            received.insert(source, structure.get::<u64>("tsi").unwrap());
        }
    }
    for (name, tsi) in received {
        assert_eq!(name, format!("receiver-{tsi}"), "everybody gets what is for them");
    }
    for element in senders.iter().chain([pipeline.upcast_ref()]) {
        element.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn test_flutesink_many_in_one_process() {
    if std::env::var_os(COUNTED).is_none() {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "many::test_flutesink_many_in_one_process", "--nocapture"])
            .env(COUNTED, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    init();
    // What GStreamer keeps for the process is there afterwards.
    run_pairs();
    let before = entries("/proc/self/fd");
    run_pairs();
    assert_eq!(entries("/proc/self/fd"), before, "sockets and files");
    // The threads of GStreamer's pools end when they were idle for a while.
    let begin = Instant::now();
    while entries("/proc/self/task") > 8 {
        assert!(begin.elapsed() < Duration::from_secs(60), "{} threads are left", entries("/proc/self/task"));
        std::thread::sleep(Duration::from_millis(100));
    }
}
