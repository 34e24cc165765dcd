// SPDX-License-Identifier: MPL-2.0

//! Objects that are written as streams.

use std::sync::mpsc;

use gio::prelude::*;
use gst::prelude::*;
use gstflute::object_meta::{self, ObjectMeta};

use crate::received::Session;
use crate::{content, flutesink, packets_until_eos};

const NO_CANCELLABLE: Option<&gio::Cancellable> = None;

/// An element without an input.
fn output(element: &gst::Element) -> gst_check::Harness {
    let mut harness = gst_check::Harness::with_element(element, None, Some("src"));
    harness.play();
    harness
}

fn open(element: &gst::Element, location: &str, meta: Option<ObjectMeta>) -> Option<gio::OutputStream> {
    let meta = meta.map(|meta| {
        let mut structure = gst::Structure::new_empty(object_meta::NAME);
        meta.write_to(&mut structure);
        structure
    });
    element.emit_by_name("open-object", &[&location, &meta])
}

fn end(element: &gst::Element, mut harness: gst_check::Harness) -> Session {
    assert!(element.send_event(gst::event::Eos::new()));
    Session::of(&packets_until_eos(&mut harness))
}

#[test]
fn test_flutesink_streams_end_with_flush_or_close() {
    let element = flutesink(&[]);
    assert!(open(&element, "too-early.ts", None).is_none());
    let h = output(&element);
    let bytes = content(188 * 500);
    let flushed = open(&element, "flushed.ts", None).unwrap();
    let closed = open(&element, "closed.ts", None).unwrap();
    for packet in bytes.chunks(188) {
        assert_eq!(flushed.write(packet, NO_CANCELLABLE), Ok(188));
        assert_eq!(closed.write(packet, NO_CANCELLABLE), Ok(188));
    }
    closed.close(NO_CANCELLABLE).unwrap();
    flushed.flush(NO_CANCELLABLE).unwrap();
    let late = flushed.write(b"more", NO_CANCELLABLE).unwrap_err();
    assert!(late.matches(gio::IOErrorEnum::Closed), "{late}");
    flushed.close(NO_CANCELLABLE).unwrap();
    let session = end(&element, h);
    assert_eq!(session.names(), ["closed.ts", "flushed.ts"]);
    assert!(session.objects.iter().all(|object| object.bytes == bytes));
    assert!(session.objects.iter().all(|object| object.content_type.as_deref() == Some("video/mp2t")));
}

#[test]
fn test_flutesink_streams_that_become_no_object() {
    let element = flutesink(&[]);
    let h = output(&element);
    let nothing = open(&element, "nothing", None).unwrap();
    nothing.flush(NO_CANCELLABLE).unwrap();
    nothing.close(NO_CANCELLABLE).unwrap();
    let aborted = open(&element, "aborted", None).unwrap();
    aborted.write(b"half of", NO_CANCELLABLE).unwrap();
    let cancelled = gio::Cancellable::new();
    cancelled.cancel();
    assert!(aborted.close(Some(&cancelled)).unwrap_err().matches(gio::IOErrorEnum::Cancelled));
    let dropped = open(&element, "dropped", None).unwrap();
    dropped.write(b"GIO closes what has no reference any more", NO_CANCELLABLE).unwrap();
    drop(dropped);
    assert_eq!(end(&element, h).names(), ["dropped"]);
}

#[test]
fn test_flutesink_streams_have_a_meta() {
    let element = flutesink(&[]);
    let h = output(&element);
    let meta = ObjectMeta {
        content_location: Some("by-meta".into()),
        content_type: Some("text/plain".into()),
        ..Default::default()
    };
    for location in ["", "by-argument"] {
        let stream = open(&element, location, Some(meta.clone())).unwrap();
        stream.write(b"text", NO_CANCELLABLE).unwrap();
        stream.close(NO_CANCELLABLE).unwrap();
    }
    let session = end(&element, h);
    assert_eq!(session.names(), ["by-meta", "by-argument"]);
    assert!(session.objects.iter().all(|object| object.content_type.as_deref() == Some("text/plain")));
}

#[test]
fn test_flutesink_streams_after_the_end() {
    let element = flutesink(&[]);
    let mut h = output(&element);
    let stream = open(&element, "late", None).unwrap();
    stream.write(b"late", NO_CANCELLABLE).unwrap();
    assert!(element.send_event(gst::event::Eos::new()));
    packets_until_eos(&mut h);
    assert!(stream.flush(NO_CANCELLABLE).is_err());
    let other = open(&element, "later", None).unwrap();
    other.write(b"later", NO_CANCELLABLE).unwrap();
    drop(h);
    element.set_state(gst::State::Null).unwrap();
    assert!(other.close(NO_CANCELLABLE).is_err());
}

/// The segment takes half a second, and the manifests that name it are there at once.
#[test]
fn test_flutesink_no_manifest_before_its_segments() {
    let element = flutesink(&[("multiplex", "10")]);
    let h = output(&element);
    let slow = ObjectMeta { deadline: Some(gst::ClockTime::from_mseconds(500)), ..Default::default() };
    let write = |location: &str, bytes: &[u8], meta| {
        let stream = open(&element, location, meta).unwrap();
        stream.write_all(bytes, NO_CANCELLABLE).unwrap();
        stream.flush(NO_CANCELLABLE).unwrap();
    };
    write("1.ts", &content(50_000), Some(slow.clone()));
    write("live.m3u8", b"1.ts", None);
    write("live.m3u8", b"1.ts again", None);
    write("2.ts", &content(50_000), Some(slow));
    write("live.m3u8", b"1.ts 2.ts", None);
    write("not-a-manifest", b"1.ts", None);
    let session = end(&element, h);
    assert_eq!(session.names()[0], "not-a-manifest", "others do not wait");
    let last = session.objects.last().unwrap();
    assert_eq!((last.name.as_str(), last.bytes.as_slice()), ("live.m3u8", &b"1.ts 2.ts"[..]), "the end waits for it");
    let mut there = Vec::new();
    for object in &session.objects {
        if object.name == "live.m3u8" {
            let text = String::from_utf8(object.bytes.clone()).unwrap();
            let named = text.split(' ').filter(|name| name.ends_with(".ts"));
            assert!(named.clone().all(|name| there.contains(&name)), "{text} before its segments");
        }
        there.push(&object.name);
    }
}

#[test]
fn test_flutesink_a_held_manifest_is_removed() {
    let element = flutesink(&[]);
    let h = output(&element);
    let slow = ObjectMeta { deadline: Some(gst::ClockTime::from_mseconds(300)), ..Default::default() };
    for (location, meta) in [("1.ts", Some(slow)), ("live.m3u8", None)] {
        let stream = open(&element, location, meta).unwrap();
        stream.write_all(&content(20_000), NO_CANCELLABLE).unwrap();
        stream.close(NO_CANCELLABLE).unwrap();
    }
    assert!(element.emit_by_name::<bool>("remove-object", &[&"live.m3u8", &true]));
    assert_eq!(end(&element, h).names(), ["1.ts"]);
}

/// What waits for other objects to be sent waits no more when it is cancelled, or the element stops.
#[test]
fn test_flutesink_streams_wait_for_the_queue() {
    let element = flutesink(&[("address", "127.0.0.1"), ("bitrate", "8000"), ("max-queued-bytes", "10000")]);
    element.set_state(gst::State::Playing).unwrap();
    let (opened, is_open) = mpsc::channel();
    let write = |location: &str, cancellable: Option<&gio::Cancellable>| {
        let stream = open(&element, location, None).unwrap();
        stream.write_all(&content(9000), NO_CANCELLABLE).unwrap();
        opened.send(()).unwrap();
        stream.flush(cancellable)
    };
    write("1", NO_CANCELLABLE).unwrap();
    let cancellable = gio::Cancellable::new();
    std::thread::scope(|scope| {
        is_open.recv().unwrap();
        let waiting = scope.spawn(|| write("2", Some(&cancellable)).is_err());
        is_open.recv().unwrap();
        cancellable.cancel();
        assert!(waiting.join().unwrap());
        let waiting = scope.spawn(|| drop(write("3", NO_CANCELLABLE)));
        is_open.recv().unwrap();
        // PAUSED comes before it, and there a stream does not wait.
        element.set_state(gst::State::Null).unwrap();
        waiting.join().unwrap();
    });
}
