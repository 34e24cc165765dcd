// SPDX-License-Identifier: MPL-2.0

//! States, events, back-pressure and time.

use gst::prelude::*;

use crate::received::Session;
use crate::{content, flutesink, harness, messages, named, packets, packets_until_eos};

#[test]
fn test_flutesink_sticky_events_come_first() {
    let mut h = harness(&flutesink(&[]), "sink_0");
    h.push(gst::Buffer::from_slice(b"object")).unwrap();
    let first = h.pull().unwrap();
    assert!(first.pts().is_some());
    let events: Vec<_> = std::iter::from_fn(|| h.try_pull_event()).map(|event| event.type_()).collect();
    assert_eq!(events[..3], [gst::EventType::StreamStart, gst::EventType::Caps, gst::EventType::Segment]);
    let caps = h.sinkpad().unwrap().current_caps().unwrap();
    assert_eq!(caps.to_string(), "application/x-flute");
    packets(&mut h);
}

#[test]
fn test_flutesink_eos_without_objects() {
    let mut h = harness(&flutesink(&[]), "sink_0");
    let session = Session::of(&packets(&mut h));
    assert!(session.objects.is_empty());
    assert_eq!(h.push(gst::Buffer::from_slice(b"late")), Err(gst::FlowError::Eos));
}

#[test]
fn test_flutesink_flush_drops_what_is_collected() {
    let element = flutesink(&[]);
    let mut h = harness(&element, "sink_0");
    element.static_pad("sink_0").unwrap().set_property_from_str("next-object", "stream");
    h.push(gst::Buffer::from_slice(b"before the seek")).unwrap();
    assert!(h.push_event(gst::event::FlushStart::new()));
    assert!(h.push_event(gst::event::FlushStop::new(true)));
    assert!(h.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::format::Bytes>::new())));
    h.push(gst::Buffer::from_slice(b"after it")).unwrap();
    let session = Session::of(&packets(&mut h));
    assert_eq!(session.objects.len(), 1);
    assert_eq!(session.objects[0].bytes, b"after it");
}

/// A pad whose queue is full waits. `unblock` must end that.
fn waits_until(unblock: impl FnOnce(&gst::Element, &gst::Pad), expected: &[gst::FlowError]) {
    // So slow that nothing is ever sent to its end.
    let element = flutesink(&[("bitrate", "1000"), ("max-queued-bytes", "10000")]);
    let h = harness(&element, "sink_0");
    let upstream = h.srcpad().unwrap();
    upstream.push(gst::Buffer::from_slice(content(9_000))).unwrap();
    upstream.push(gst::Buffer::from_slice(content(1_000))).unwrap();
    let pushing = std::thread::spawn({
        let upstream = upstream.clone();
        move || upstream.push(gst::Buffer::from_slice(content(1)))
    });
    unblock(&element, &upstream);
    let error = pushing.join().unwrap().unwrap_err();
    assert!(expected.contains(&error), "{error}");
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn test_flutesink_flush_ends_waiting() {
    waits_until(
        |_, upstream| {
            upstream.push_event(gst::event::FlushStart::new());
        },
        &[gst::FlowError::Flushing],
    );
}

#[test]
fn test_flutesink_stopping_ends_waiting() {
    waits_until(
        |element, _| {
            element.set_state(gst::State::Ready).unwrap();
        },
        &[gst::FlowError::Flushing],
    );
}

#[test]
fn test_flutesink_releasing_the_pad_ends_waiting() {
    waits_until(
        |element, upstream| {
            let pad = element.static_pad("sink_0").unwrap();
            upstream.unlink(&pad).unwrap();
            element.release_request_pad(&pad);
        },
        // Without its peer, if the push comes later than the end of the pad.
        &[gst::FlowError::Flushing, gst::FlowError::NotLinked],
    );
}

#[test]
fn test_flutesink_states_back_and_forth() {
    let element = flutesink(&[]);
    let mut h = harness(&element, "sink_0");
    for _ in 0..3 {
        for state in [gst::State::Null, gst::State::Paused, gst::State::Ready, gst::State::Playing, gst::State::Paused]
        {
            element.set_state(state).unwrap();
        }
        element.set_state(gst::State::Null).unwrap();
    }
    // It works like new.
    element.set_state(gst::State::Playing).unwrap();
    h.play();
    while h.try_pull_event().is_some() {}
    h.push_event(gst::event::StreamStart::new("again"));
    h.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    h.push(gst::Buffer::from_slice(b"object")).unwrap();
    let session = Session::of(&packets(&mut h));
    assert_eq!(session.objects.len(), 1);
}

#[test]
fn test_flutesink_second_run() {
    let element = flutesink(&[]);
    let mut h = harness(&element, "sink_0");
    h.push(gst::Buffer::from_slice(b"first")).unwrap();
    assert_eq!(Session::of(&packets(&mut h)).objects[0].bytes, b"first");
    element.set_state(gst::State::Null).unwrap();
    drop(h);
    let mut h = harness(&element, "sink_0");
    h.push(gst::Buffer::from_slice(b"second")).unwrap();
    assert_eq!(Session::of(&packets(&mut h)).objects[0].bytes, b"second");
}

#[test]
fn test_flutesink_eos_event_from_the_application() {
    let element = flutesink(&[]);
    let mut h = harness(&element, "sink_0");
    h.push(gst::Buffer::from_slice(b"object")).unwrap();
    assert!(element.send_event(gst::event::Eos::new()));
    assert!(Session::of(&packets_until_eos(&mut h)).is_complete);
}

#[test]
fn test_flutesink_paced_packets_are_not_early() {
    // 100 packets of 1428 bytes, with UDP and IPv4, at 8 Mbit/s: each takes 1.428 ms or so.
    let mut h = harness(&flutesink(&[("bitrate", "8000000")]), "sink_0");
    h.use_systemclock();
    h.push(gst::Buffer::from_slice(content(140_000))).unwrap();
    assert!(h.push_event(gst::event::Eos::new()));
    let mut bits = 0;
    let mut first = None;
    while let Some(buffer) = h.pull_until_eos().unwrap() {
        let pts = buffer.pts().unwrap();
        let first = *first.get_or_insert(pts);
        let paced = gst::ClockTime::from_nseconds(bits * 1_000_000_000 / 8_000_000);
        // Packets of a list have the time of the first, and a millisecond may be caught up.
        assert!(pts - first + gst::ClockTime::from_mseconds(5) >= paced, "{bits} bits after {}", pts - first);
        bits += (buffer.size() as u64 + 28) * 8;
    }
    assert!(bits > 8 * 142_800);
}

#[test]
fn test_flutesink_messages_and_stats() {
    let element = flutesink(&[("tsi", "77")]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = harness(&element, "sink_0");
    h.push(gst::Buffer::from_slice(content(3000))).unwrap();
    let packets = packets(&mut h);
    let messages = messages(&bus);
    assert_eq!(named(&messages, "flute-session-opened").len(), 1);
    assert!(!named(&messages, "flute-fdt").is_empty());
    assert_eq!(named(&messages, "flute-object-sent")[0].get::<u64>("transfer-length"), Ok(3000));
    let closed = &named(&messages, "flute-session-closed")[0];
    assert_eq!(closed.get::<u64>("tsi"), Ok(77));
    let stats = element.property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("packets"), Ok(packets.len() as u64));
    assert_eq!(stats.get::<u64>("bytes"), Ok(packets.iter().map(|packet| packet.len() as u64).sum()));
    element.set_state(gst::State::Null).unwrap();
    assert_eq!(element.property::<gst::Structure>("stats").get::<u64>("tsi"), Ok(77), "the last session is remembered");
    element.set_bus(None);
}
