// SPDX-License-Identifier: MPL-2.0

//! Nothing is left when an element is gone: watched by GStreamer's tracer `leaks`, which has to be asked for before the
//! process begins, so that the test runs itself again.

use std::mem::ManuallyDrop;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;

use gst::prelude::*;

use super::init;
use super::sender::{object, packets_and_close};

/// Set in the process that is watched.
const WATCHED: &str = "FLUTE_TEST_WATCHED_BY_LEAKS_TRACER";

/// Types of objects that live as long as the process.
const KEPT: [&str; 5] = ["(GstPlugin)", "(GstElementFactory)", "Allocator)", "(GstSystemClock)", "(GstTaskPool)"];

fn run(pipeline: gst::Element, packets: impl FnOnce()) {
    pipeline.set_state(gst::State::Playing).unwrap();
    packets();
    let bus = pipeline.bus().unwrap();
    let end = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &end).expect("the pipeline ends");
    assert_eq!(message.type_(), gst::MessageType::Eos);
    pipeline.set_state(gst::State::Null).unwrap();
}

fn both_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let sent = [object("file:///a", "text/plain", 5000), object("file:///b", "text/plain", 500_000)];
    let (packets, close) = packets_and_close(1, &sent);
    let sink = format!("flutedirsink location={}", folder.path().display());
    let network = format!(
        "flutesrc name=f address=127.0.0.1 port={port} eos-on-close=true spool-threshold=10000 spool-directory={} ! queue ! {sink} \
         f.src_0 ! queue ! fakesink",
        folder.path().display()
    );
    run(gst::parse::launch(&network).unwrap(), || {
        for packet in packets.iter().chain([&close]) {
            socket.send_to(packet, (Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    });
    let over_pad = gst::parse::launch(&format!("appsrc name=source ! flutesrc ! {sink}")).unwrap();
    let source = over_pad.downcast_ref::<gst::Bin>().unwrap().by_name("source").unwrap();
    let source = source.downcast::<gst_app::AppSrc>().unwrap();
    // The last object stays incomplete.
    for packet in &packets[..packets.len() - 1] {
        source.push_buffer(gst::Buffer::from_slice(packet.clone())).unwrap();
    }
    source.end_of_stream().unwrap();
    drop(source);
    run(over_pad, || ());
}

#[test]
fn test_flutesrc_leaves_nothing_behind() {
    if std::env::var_os(WATCHED).is_none() {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "leaks::test_flutesrc_leaves_nothing_behind", "--nocapture"])
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
    both_shapes();
    // The tracer gives references away that it does not own, so they must not be dropped.
    let alive = ManuallyDrop::new(tracer.emit_by_name::<gst::Structure>("get-live-objects", &[]));
    let objects = ManuallyDrop::new(alive.get::<gst::List>("live-objects-list").unwrap());
    let alive: Vec<_> = objects
        .iter()
        .filter_map(|object| object.get::<&gst::StructureRef>().ok())
        .map(ToString::to_string)
        // What the registry and the library keep.
        .filter(|object| !KEPT.iter().any(|kept| object.contains(kept)))
        .collect();
    assert!(alive.is_empty(), "{alive:#?}");
}
