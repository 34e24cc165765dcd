// SPDX-License-Identifier: MPL-2.0

//! At what rate packets leave, by their timestamps.

use gst::prelude::*;

use crate::{content, harness, init};

/// Bits on the wire of what a flutesink sends, and from its first packet to its last, by their PTS. `configure` sets what
/// it sends.
fn sent(configure: impl FnOnce(&gst::Element), length: usize) -> (u64, gst::ClockTime) {
    init();
    let element = gst::ElementFactory::make("flutesink").build().unwrap();
    let mut h = harness(&element, "sink_0");
    h.use_systemclock();
    configure(&element);
    h.push(gst::Buffer::from_slice(content(length))).unwrap();
    assert!(h.push_event(gst::event::Eos::new()));
    let (mut bits, mut times) = (0, Vec::new());
    while let Some(buffer) = h.pull_until_eos().unwrap() {
        bits += (buffer.size() as u64 + 28) * 8;
        times.push(buffer.pts().unwrap());
    }
    (bits, *times.iter().max().unwrap() - *times.iter().min().unwrap())
}

/// The shortest time that so many bits take at a rate. The packets of a list have the time of the first, and a millisecond
/// may be caught up.
fn shortest(bits: u64, bitrate: u64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(bits * 1_000_000_000 / bitrate).saturating_sub(gst::ClockTime::from_mseconds(5))
}

#[test]
fn test_flutesink_default_rate() {
    let (bits, time) = sent(|element| assert_eq!(element.property::<u64>("bitrate"), 20_000_000), 500_000);
    assert!(time >= shortest(bits, 20_000_000), "{bits} bits in {time}");
}

/// The rate of a session in force.
fn bitrate(element: &gst::Element) -> u64 {
    element.property::<gst::Structure>("stats").get::<u64>("bitrate").unwrap()
}

#[test]
fn test_flutesink_deadlines_go_beyond_the_default_rate() {
    init();
    let element = gst::ElementFactory::make("flutesink").build().unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = harness(&element, "sink_0");
    let pad = element.static_pad("sink_0").unwrap();
    pad.set_property("location", "film");
    pad.set_property("repeat-count", 0u32);
    // Four million bits in a tenth of a second, and a tenth more for headers.
    pad.set_property("deadline", gst::ClockTime::from_mseconds(100).nseconds() as i64);
    assert_eq!(bitrate(&element), 20_000_000);
    h.push(gst::Buffer::from_slice(content(500_000))).unwrap();
    assert_eq!(bitrate(&element), 64_000_000);
    // A rate that is set is a limit for all, or none.
    for limit in [30_000_000u64, 0] {
        element.set_property("bitrate", limit);
        assert_eq!(bitrate(&element), limit);
    }
    element.set_state(gst::State::Null).unwrap();
    element.set_bus(None);
}

#[test]
fn test_flutesink_rate_without_deadlines_is_the_default_again() {
    init();
    let element = gst::ElementFactory::make("flutesink").build().unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = harness(&element, "sink_0");
    element.static_pad("sink_0").unwrap().set_property("deadline", 100_000_000i64);
    h.push(gst::Buffer::from_slice(content(5_000))).unwrap();
    let is_withdrawn =
        |message: &gst::Message| message.structure().is_some_and(|s| s.name() == "flute-object-withdrawn");
    while !is_withdrawn(&bus.timed_pop(gst::ClockTime::from_seconds(60)).expect("the object is sent")) {}
    assert_eq!(bitrate(&element), 20_000_000);
    element.set_state(gst::State::Null).unwrap();
    element.set_bus(None);
}
