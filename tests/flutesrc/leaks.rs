// SPDX-License-Identifier: MPL-2.0

//! Nothing is left when an element is gone.

use std::net::{Ipv4Addr, UdpSocket};

use gst::prelude::*;

use super::leaks_tracer;
use super::sender::{object, packets_and_close};

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
    leaks_tracer::watch("leaks::test_flutesrc_leaves_nothing_behind", |tracer| {
        both_shapes();
        let alive = leaks_tracer::live_objects(tracer);
        assert!(alive.is_empty(), "{alive:#?}");
    });
}
