// SPDX-License-Identifier: MPL-2.0

//! Live presentations: what is repeated, and how fast segments go out. The harness says that it is live.

use std::collections::HashMap;

use gst::prelude::*;

use crate::packet::{Seen, of_objects};
use crate::received::Session;
use crate::{another_input, content, flutesink, harness, packets};

const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// Less than what is told apart by the time of a packet.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(5);

fn a_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&(8 + content.len() as u32).to_be_bytes()[..], kind, content].concat()
}

fn initialisation() -> Vec<u8> {
    [a_box(b"ftyp", b"cmf2"), a_box(b"moov", &content(700))].concat()
}

/// A fragment as cmafmux pushes it: a header, and its frames.
fn fragment(number: u64, frames: u64, bytes_of_frame: usize) -> Vec<gst::Buffer> {
    let media = content(frames as usize * bytes_of_frame);
    let header = [a_box(b"moof", &[0; 984]), a_box(b"mdat", &media)[..8].to_vec()].concat();
    let start = gst::ClockTime::from_seconds(3600) + FRAME * frames * number;
    let mut buffers = vec![(header, start, FRAME * frames, gst::BufferFlags::HEADER)];
    for (i, frame) in media.chunks(bytes_of_frame).enumerate() {
        buffers.push((frame.to_vec(), start + FRAME * i as u64, FRAME, gst::BufferFlags::DELTA_UNIT));
    }
    let buffers = buffers.into_iter().map(|(bytes, pts, duration, flags)| {
        let mut buffer = gst::Buffer::from_slice(bytes);
        {
            let buffer = buffer.get_mut().unwrap();
            buffer.set_pts(pts);
            buffer.set_duration(duration);
            buffer.set_flags(flags);
        }
        buffer
    });
    let mut buffers: Vec<_> = buffers.collect();
    buffers.last_mut().unwrap().get_mut().unwrap().set_flags(gst::BufferFlags::MARKER | gst::BufferFlags::DELTA_UNIT);
    buffers
}

/// The times at which the packets of one segment of two seconds leave.
fn times(properties: &[(&str, &str)], pad: &[(&str, &str)]) -> Vec<gst::ClockTime> {
    let usual = [("symbol-size", "1000"), ("toi-start", "1")];
    let element = flutesink(&usual.iter().chain(properties).copied().collect::<Vec<_>>());
    let mut h = harness(&element, "sink_0");
    h.use_systemclock();
    h.set_src_caps_str("video/quicktime, variant=(string)cmaf");
    for (name, value) in pad {
        element.static_pad("sink_0").unwrap().set_property_from_str(name, value);
    }
    h.push(gst::Buffer::from_slice(initialisation())).unwrap();
    for buffer in fragment(0, 20, 1000) {
        h.push(buffer).unwrap();
    }
    assert!(h.push_event(gst::event::Eos::new()));
    let mut times = Vec::new();
    while let Some(buffer) = h.pull_until_eos().unwrap() {
        let seen = Seen::of(&buffer.map_readable().unwrap());
        if seen.is_of_object() && seen.toi() == 2 {
            times.push(buffer.pts().unwrap());
        }
    }
    times
}

#[test]
fn test_flutesink_a_live_segment_is_spread_over_its_duration() {
    let times = times(&[("fec", "rs8"), ("repair-percent", "50")], &[]);
    let packets = times.len() as u64;
    assert!(packets > 30, "21 symbols and their repair: {packets}");
    for (i, time) in (0..).zip(&times) {
        let nominal = gst::ClockTime::from_seconds(2) * i / packets;
        assert!(*time - times[0] + TICK >= nominal, "packet {i} of {packets} after {}", *time - times[0]);
    }
}

#[test]
fn test_flutesink_a_deadline_that_is_set_goes_before_the_duration() {
    let at_once = times(&[], &[("deadline", "0")]);
    assert_eq!(at_once.len(), 21);
    let longer = times(&[], &[("deadline", "2500000000")]);
    assert!(longer[20] - longer[0] + TICK >= gst::ClockTime::from_mseconds(2500 * 20 / 21));
}

#[test]
fn test_flutesink_chunks_make_one_fragment() {
    let element = flutesink(&[]);
    let mut h = harness(&element, "sink_0");
    h.set_src_caps_str("video/quicktime, variant=(string)cmaf");
    let pad = element.static_pad("sink_0").unwrap();
    pad.set_property("location", "%03d.m4s");
    pad.set_property("deadline", 0i64);
    h.push(gst::Buffer::from_slice(initialisation())).unwrap();
    // A fragment of two chunks in one list each, and one of one list in single buffers.
    for chunk in 0..3 {
        let mut buffers = fragment(chunk, 2, 100);
        if chunk == 1 {
            buffers[0].get_mut().unwrap().set_flags(gst::BufferFlags::DELTA_UNIT | gst::BufferFlags::HEADER);
        }
        if chunk < 2 {
            let mut list = gst::BufferList::new();
            list.get_mut().unwrap().extend(buffers);
            let pad = h.element().unwrap().static_pad("sink_0").unwrap();
            pad.chain_list(list).unwrap();
        } else {
            buffers.into_iter().for_each(|buffer| assert!(h.push(buffer).is_ok()));
        }
    }
    let session = Session::of(&packets(&mut h));
    assert_eq!(session.names(), ["init.m4s", "000.m4s", "001.m4s"]);
    let lengths: Vec<_> = session.objects.iter().map(|object| object.bytes.len()).collect();
    assert_eq!(lengths, [720, 2 * 1200, 1200]);
}

#[test]
fn test_flutesink_carousel_of_manifests_and_initialisations() {
    let element = flutesink(&[]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut video = harness(&element, "sink_0");
    let mut manifest = another_input(&element, "sink_1");
    video.set_src_caps_str("video/quicktime, variant=(string)cmaf");
    element.static_pad("sink_0").unwrap().set_property("location", "video/%d.m4s");
    element.static_pad("sink_1").unwrap().set_property("location", "live.mpd");
    video.push(gst::Buffer::from_slice(initialisation())).unwrap();
    for buffer in fragment(0, 1, 100) {
        video.push(buffer).unwrap();
    }
    video.push(fragment(1, 1, 100).swap_remove(0)).unwrap();
    manifest.push(gst::Buffer::from_slice(b"<MPD/>")).unwrap();

    let mut transfers = HashMap::new();
    while transfers.get("live.mpd") < Some(&3) || transfers.get("video/init.m4s") < Some(&3) {
        let message = bus.timed_pop(gst::ClockTime::from_seconds(60)).expect("objects are sent again");
        let Some(sent) = message.structure().filter(|structure| structure.name() == "flute-object-sent") else {
            continue;
        };
        let name = sent.get::<String>("content-location").unwrap();
        transfers.insert(name, sent.get::<u64>("transfers").unwrap());
    }
    assert_eq!(transfers.get("video/0.m4s"), Some(&1), "media go out once");
    assert!(manifest.push_event(gst::event::Eos::new()));
    let packets = packets(&mut video);
    let seen: Vec<_> = packets.iter().map(|packet| Seen::of(packet)).collect();
    assert!(of_objects(&seen).len() > 6, "{} packets", seen.len());
    let session = Session::of(&packets);
    assert!(session.is_complete, "carousels end with the session");
    element.set_bus(None);
}
