// SPDX-License-Identifier: MPL-2.0

//! What becomes an object, and what it is called.

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

use crate::packet::{of_objects, seen};
use crate::received::{Received, Session};
use crate::{another_input, content, flutesink, harness, messages, named, packets};

#[test]
fn test_flutesink_every_buffer() {
    let mut h = harness(&flutesink(&[]), "sink_0");
    for length in [0, 1, 1400, 1401, 300_000] {
        h.push(gst::Buffer::from_slice(content(length))).unwrap();
    }
    let session = Session::of(&packets(&mut h));
    assert_eq!(session.names(), ["object-00000", "object-00001", "object-00002", "object-00003", "object-00004"]);
    let lengths: Vec<_> = session.objects.iter().map(|object| object.bytes.len()).collect();
    assert_eq!(lengths, [0, 1, 1400, 1401, 300_000]);
    assert!(session.objects.iter().all(|object| object.bytes == content(object.bytes.len())));
    assert!(session.is_complete);
}

#[test]
fn test_flutesink_stream() {
    let element = flutesink(&[]);
    let mut h = harness(&element, "sink_0");
    let pad = element.static_pad("sink_0").unwrap();
    pad.set_property_from_str("next-object", "stream");
    pad.set_property("location", "a%20film.mp4");
    let bytes = content(100_000);
    for part in bytes.chunks(4096) {
        h.push(gst::Buffer::from_slice(part.to_vec())).unwrap();
    }
    let session = Session::of(&packets(&mut h));
    let film = Received { name: "a%20film.mp4".into(), content_type: Some("application/x-anything".into()), bytes };
    assert_eq!(session.objects, [film]);
    assert!(session.is_complete);
}

#[test]
fn test_flutesink_a_stream_that_is_sent_while_it_arrives() {
    let element = flutesink(&[("symbol-size", "1000")]);
    let mut h = harness(&element, "sink_0");
    let pad = element.static_pad("sink_0").unwrap();
    pad.set_property_from_str("next-object", "stream");
    pad.set_property("progressive", true);
    let bytes = content(10_000);
    let mut received = Vec::new();
    for (i, part) in bytes.chunks(2500).enumerate() {
        let mut buffer = gst::Buffer::from_slice(part.to_vec());
        if i == 0 {
            ObjectMeta { content_length: Some(10_000), content_location: Some("film".into()), ..Default::default() }
                .put_on(buffer.get_mut().unwrap());
        }
        h.push(buffer).unwrap();
        // All symbols that are whole leave before more is there.
        while of_objects(&seen(&received)).len() < (i + 1) * 2500 / 1000 {
            received.push(h.pull().unwrap().map_readable().unwrap().to_vec());
        }
    }
    received.extend(packets(&mut h));
    let session = Session::of(&received);
    assert_eq!(session.names(), ["film"]);
    assert_eq!(session.objects[0].bytes, bytes);
}

#[test]
fn test_flutesink_a_stream_that_is_shorter_or_longer_than_announced() {
    for (announced, flow) in [(4000, Ok(gst::FlowSuccess::Ok)), (2000, Err(gst::FlowError::Error))] {
        let element = flutesink(&[]);
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let mut h = harness(&element, "sink_0");
        let pad = element.static_pad("sink_0").unwrap();
        pad.set_property_from_str("next-object", "stream");
        pad.set_property("progressive", true);
        let mut buffer = gst::Buffer::from_slice(content(3000));
        ObjectMeta { content_length: Some(announced), ..Default::default() }.put_on(buffer.get_mut().unwrap());
        assert_eq!(h.push(buffer), flow);
        if flow.is_ok() {
            assert!(Session::of(&packets(&mut h)).objects.is_empty());
            let failed = messages(&bus).into_iter().any(|message| match message.view() {
                gst::MessageView::Warning(warning) => {
                    warning.details().is_some_and(|details| details.name() == "flute-object-failed")
                }
                _ => false,
            });
            assert!(failed);
        }
        element.set_bus(None);
    }
}

#[test]
fn test_flutesink_streams_one_after_another() {
    let element = flutesink(&[]);
    let mut h = harness(&element, "sink_0");
    element.static_pad("sink_0").unwrap().set_property_from_str("next-object", "stream");
    for stream in ["first", "second"] {
        h.push_event(gst::event::StreamStart::new(stream));
        h.push(gst::Buffer::from_slice(stream)).unwrap();
    }
    let session = Session::of(&packets(&mut h));
    let bytes: Vec<_> = session.objects.iter().map(|object| object.bytes.as_slice()).collect();
    assert_eq!(bytes, [&b"first"[..], b"second"]);
}

#[test]
fn test_flutesink_meta() {
    let mut h = harness(&flutesink(&[]), "sink_0");
    let mut buffer = gst::Buffer::from_slice(b"<MPD/>");
    ObjectMeta {
        content_location: Some("http://example.com/live.mpd".into()),
        content_type: Some("application/dash+xml".into()),
        content_encoding: Some("gzip".into()),
        ..Default::default()
    }
    .put_on(buffer.get_mut().unwrap());
    h.push(buffer).unwrap();
    let session = Session::of(&packets(&mut h));
    let manifest = Received {
        name: "http://example.com/live.mpd".into(),
        content_type: Some("application/dash+xml".into()),
        bytes: b"<MPD/>".to_vec(),
    };
    assert_eq!(session.objects, [manifest]);
}

#[test]
fn test_flutesink_fragments() {
    let element = flutesink(&[]);
    let mut h = harness(&element, "sink_0");
    h.set_src_caps_str("video/quicktime, variant=(string)iso-fragmented");
    element.static_pad("sink_0").unwrap().set_property("location", "seg_%03d.m4s");
    let a_box = |kind: &[u8; 4]| [&12u32.to_be_bytes()[..], kind, b"1234"].concat();
    let (init, media) = ([a_box(b"ftyp"), a_box(b"moov")].concat(), [a_box(b"moof"), a_box(b"mdat")].concat());
    for bytes in [&init, &media, &media] {
        h.push(gst::Buffer::from_slice(bytes.clone())).unwrap();
    }
    let session = Session::of(&packets(&mut h));
    assert_eq!(session.names(), ["seg_init.m4s", "seg_000.m4s", "seg_001.m4s"]);
    assert_eq!(session.objects[0].bytes, init);
    assert_eq!(session.objects[2].bytes, media);
    assert_eq!(session.objects[2].content_type.as_deref(), Some("video/mp4"));
}

#[test]
fn test_flutesink_several_pads() {
    let element = flutesink(&[]);
    let mut video = harness(&element, "sink_0");
    let mut audio = another_input(&element, "sink_7");
    for (pad, location) in [("sink_0", "video/%d.m4s"), ("sink_7", "audio/%d.m4s")] {
        element.static_pad(pad).unwrap().set_property("location", location);
    }
    for _ in 0..3 {
        video.push(gst::Buffer::from_slice(content(5000))).unwrap();
        audio.push(gst::Buffer::from_slice(content(500))).unwrap();
    }
    // The session does not end before the last of them.
    assert!(audio.push_event(gst::event::Eos::new()));
    video.push(gst::Buffer::from_slice(content(50))).unwrap();
    let session = Session::of(&packets(&mut video));
    let mut names = session.names();
    names.sort_unstable();
    let all = ["audio/0.m4s", "audio/1.m4s", "audio/2.m4s", "video/0.m4s", "video/1.m4s", "video/2.m4s", "video/3.m4s"];
    assert_eq!(names, all);
    assert!(session.is_complete);
}

#[test]
fn test_flutesink_a_pad_that_goes_away() {
    let element = flutesink(&[]);
    let mut h = harness(&element, "sink_0");
    let other = element.request_pad_simple("sink_%u").unwrap();
    assert_eq!(other.name(), "sink_1");
    h.push(gst::Buffer::from_slice(b"object")).unwrap();
    assert!(h.push_event(gst::event::Eos::new()));
    // It was the only one that could have brought more.
    element.release_request_pad(&other);
    let session = Session::of(&crate::packets_until_eos(&mut h));
    assert_eq!(session.names(), ["object-00000"]);
}

#[test]
fn test_flutesink_repetitions() {
    let element = flutesink(&[("eos-policy", "run-to-end")]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = harness(&element, "sink_0");
    element.static_pad("sink_0").unwrap().set_property("repeat-count", 3u32);
    h.push(gst::Buffer::from_slice(content(2800))).unwrap();
    let session = Session::of(&packets(&mut h));
    assert_eq!(session.objects.len(), 1, "what is repeated arrives once");
    let sent = named(&messages(&bus), "flute-object-sent");
    let transfers: Vec<u64> = sent.iter().map(|message| message.get("transfers").unwrap()).collect();
    assert_eq!(transfers, [1, 2, 3]);
    assert_eq!(sent[0].get::<&str>("content-location"), Ok("object-00000"));
    element.set_bus(None);
}

#[test]
fn test_flutesink_a_new_version_of_a_name() {
    let element = flutesink(&[]);
    let mut h = harness(&element, "sink_0");
    element.static_pad("sink_0").unwrap().set_property("location", "live.mpd");
    h.push(gst::Buffer::from_slice(b"first")).unwrap();
    // Wait until it has gone out: what is replaced before that is never sent.
    while h.buffers_received() < 3 {
        std::thread::yield_now();
    }
    h.push(gst::Buffer::from_slice(b"second")).unwrap();
    let session = Session::of(&packets(&mut h));
    assert_eq!(session.objects.last().map(|object| object.bytes.as_slice()), Some(&b"second"[..]));
    assert_eq!(session.names().last(), Some(&"live.mpd"));
}
