// SPDX-License-Identifier: MPL-2.0

//! Tests of flutesink as a user meets it: buffers in, packets out, and the packets read by the receiver of the core.

mod actions;
mod description;
mod errors;
mod fec;
mod inspect;
mod live;
mod manners;
mod many;
mod network;
mod objects;
mod order;
mod packet;
mod queries;
mod rate;
mod received;
mod streams;

use gst::prelude::*;

/// GStreamer with the plugin.
fn init() {
    use std::sync::Once;
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstflute::plugin_register_static().unwrap();
    });
}

/// A flutesink with these properties, in the notation of gst-launch, that sends as fast as it can if they set no rate.
fn flutesink(properties: &[(&str, &str)]) -> gst::Element {
    init();
    let element = gst::ElementFactory::make("flutesink").property("bitrate", 0u64).build().unwrap();
    for (name, value) in properties {
        element.set_property_from_str(name, value);
    }
    element
}

/// A harness around both kinds of pads, with the stream started.
fn harness(element: &gst::Element, sink: &str) -> gst_check::Harness {
    let mut harness = gst_check::Harness::with_element(element, Some(sink), Some("src"));
    harness.set_src_caps_str("application/x-anything");
    harness
}

/// A harness around a sink pad alone.
fn another_input(element: &gst::Element, sink: &str) -> gst_check::Harness {
    let mut harness = gst_check::Harness::with_element(element, Some(sink), None);
    harness.set_src_caps_str("application/x-anything");
    harness
}

/// Ends the input, and gives all packets.
fn packets(harness: &mut gst_check::Harness) -> Vec<Vec<u8>> {
    assert!(harness.push_event(gst::event::Eos::new()));
    packets_until_eos(harness)
}

/// All packets up to EOS.
fn packets_until_eos(harness: &mut gst_check::Harness) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while let Some(buffer) = harness.pull_until_eos().expect("packets, or EOS") {
        packets.push(buffer.map_readable().unwrap().to_vec());
    }
    packets
}

/// Bytes that are not all alike.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// The messages that wait on a bus.
fn messages(bus: &gst::Bus) -> Vec<gst::Message> {
    std::iter::from_fn(|| bus.pop()).collect()
}

/// The element messages of this name among them.
fn named(messages: &[gst::Message], name: &str) -> Vec<gst::Structure> {
    messages
        .iter()
        .filter_map(|message| message.structure())
        .filter(|structure| structure.name() == name)
        .map(|structure| structure.to_owned())
        .collect()
}
