// SPDX-License-Identifier: MPL-2.0

//! What the element answers, with a src pad and without; and that it takes what is not for it.

use gst::prelude::*;

use crate::received::Session;
use crate::{content, flutesink, harness, packets};

#[test]
fn test_flutesink_queries() {
    let element = flutesink(&[("address", "239.1.1.1"), ("port", "3400"), ("tsi", "7")]);
    let mut h = harness(&element, "sink_0");
    let src = element.static_pad("src").unwrap();
    let mut latency = gst::query::Latency::new();
    assert!(src.query(&mut latency));
    assert_eq!(latency.result().1, gst::ClockTime::ZERO);
    let mut seeking = gst::query::Seeking::new(gst::Format::Bytes);
    assert!(src.query(&mut seeking));
    assert!(!seeking.result().0);
    let mut uri = gst::query::Uri::new();
    assert!(src.query(&mut uri));
    assert_eq!(uri.uri().as_deref(), Some("flute://239.1.1.1:3400?tsi=7"));
    assert!(!src.send_event(gst::event::Seek::new(
        1.0,
        gst::SeekFlags::FLUSH,
        gst::SeekType::Set,
        gst::ClockTime::ZERO,
        gst::SeekType::None,
        gst::ClockTime::NONE,
    )));
    h.push(gst::Buffer::from_slice(content(10_000))).unwrap();
    h.push(gst::Buffer::from_slice(content(20_000))).unwrap();
    let sent = packets(&mut h).iter().map(Vec::len).sum::<usize>() as u64;
    assert_eq!(src.query_position::<gst::format::Bytes>().map(u64::from), Some(sent));
    assert_eq!(src.query_position::<gst::format::Buffers>().map(u64::from), Some(2));
    assert_eq!(src.query_position::<gst::ClockTime>(), None);
    assert_eq!(src.query_duration::<gst::format::Bytes>(), None);
}

#[test]
fn test_flutesink_queries_of_a_pipeline() {
    crate::init();
    let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = receiver.local_addr().unwrap().port();
    let pipeline = format!("filesrc location=/bin/ls ! flutesink address=127.0.0.1 port={port}");
    let pipeline = gst::parse::launch(&pipeline).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let end = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &end).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos);
    let length = std::fs::metadata("/bin/ls").unwrap().len();
    assert!(u64::from(pipeline.query_position::<gst::format::Bytes>().unwrap()) > length);
    assert_eq!(pipeline.query_position::<gst::format::Buffers>().map(u64::from), Some(1));
    let mut seeking = gst::query::Seeking::new(gst::Format::Bytes);
    assert!(pipeline.query(&mut seeking));
    assert!(!seeking.result().0, "what was sent does not come back");
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn test_flutesink_events_that_are_not_for_it() {
    let mut h = harness(&flutesink(&[]), "sink_0");
    h.push(gst::Buffer::from_slice(b"first")).unwrap();
    let mut tags = gst::TagList::new();
    tags.make_mut().add::<gst::tags::Title>(&"a title", gst::TagMergeMode::Append);
    assert!(h.push_event(gst::event::Tag::new(tags)));
    assert!(h.push_event(gst::event::Gap::new(gst::ClockTime::ZERO, gst::ClockTime::SECOND)));
    assert!(h.push_event(gst::event::CustomDownstream::new(gst::Structure::new_empty("of-another-element"))));
    assert!(h.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::format::Bytes>::new())));
    h.push(gst::Buffer::from_slice(b"second")).unwrap();
    let packets = packets(&mut h);
    let session = Session::of(&packets);
    assert_eq!(session.objects.iter().map(|object| &object.bytes[..]).collect::<Vec<_>>(), [&b"first"[..], b"second"]);
}
