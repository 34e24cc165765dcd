// SPDX-License-Identifier: MPL-2.0

//! flutesrc with a path in its URI, driven as adaptive demuxers drive a source: outside of any pipeline, one object after
//! the other.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

use crate::sender::Studio;
use crate::{LIMIT, free_port, init, is_bound, wait_until};

/// What came over the pad.
#[derive(Debug)]
enum Item {
    Event(gst::Event),
    Buffer(gst::Buffer),
}

/// A flutesrc, and a pad that takes what it pushes.
pub(crate) struct Taker {
    pub(crate) element: gst::Element,
    bus: gst::Bus,
    _pad: gst::Pad,
    items: Receiver<Item>,
}

/// What an element delivered between two ends of the stream.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    caps: Option<String>,
    segments: Vec<gst::Segment>,
    buffers: Vec<gst::Buffer>,
}

impl Taken {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.buffers.iter().flat_map(|buffer| buffer.map_readable().unwrap().to_vec()).collect()
    }
}

impl Taker {
    pub(crate) fn new(uri: &str) -> Self {
        init();
        let element = gst::Element::make_from_uri(gst::URIType::Src, uri, None).unwrap();
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let (items, received): (Sender<Item>, _) = channel();
        let events = items.clone();
        // Demuxers take whatever comes.
        let any = gst::Caps::new_any();
        let template = gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &any).unwrap();
        let pad = gst::Pad::builder_from_template(&template)
            .chain_function(move |_, _, buffer| {
                let _ = items.send(Item::Buffer(buffer));
                Ok(gst::FlowSuccess::Ok)
            })
            .event_function(move |_, _, event| {
                let _ = events.send(Item::Event(event));
                true
            })
            .build();
        pad.set_active(true).unwrap();
        element.static_pad("src").unwrap().link(&pad).unwrap();
        Self { element, bus, _pad: pad, items: received }
    }

    pub(crate) fn set_state(&self, state: gst::State) {
        assert_eq!(self.element.set_state(state), Ok(gst::StateChangeSuccess::Success));
    }

    fn set_uri(&self, uri: &str) {
        self.element.dynamic_cast_ref::<gst::URIHandler>().unwrap().set_uri(uri).unwrap();
    }

    fn seek(&self, flags: gst::SeekFlags, range: std::ops::Range<u64>) -> bool {
        let [start, stop] = [range.start, range.end].map(gst::format::Bytes::from_u64);
        let set = gst::SeekType::Set;
        self.element.send_event(gst::event::Seek::new(1.0, flags, set, start, set, stop))
    }

    fn next(&self) -> Item {
        self.items.recv_timeout(LIMIT).expect("something comes")
    }

    /// Everything up to the end.
    pub(crate) fn take(&self) -> Taken {
        let mut taken = Taken::default();
        loop {
            match self.next() {
                Item::Buffer(buffer) => taken.buffers.push(buffer),
                Item::Event(event) => match event.view() {
                    gst::EventView::Caps(caps) => taken.caps = Some(caps.caps().to_string()),
                    gst::EventView::Segment(segment) => taken.segments.push(segment.segment().to_owned()),
                    gst::EventView::FlushStop(_) => taken = Taken::default(),
                    gst::EventView::Eos(_) => return taken,
                    _ => (),
                },
            }
        }
    }

    /// The object of a URI, as an adaptive demuxer gets it.
    pub(crate) fn fetch(&self, uri: &str) -> Taken {
        self.set_uri(uri);
        self.set_state(gst::State::Ready);
        self.set_state(gst::State::Playing);
        let taken = self.take();
        self.set_state(gst::State::Ready);
        taken
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.element.set_state(gst::State::Null).unwrap();
        // Messages on a bus keep the element that keeps the bus.
        self.bus.set_flushing(true);
    }
}

/// Bytes that are not all alike.
pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn test_object_one_after_the_other() {
    let (group, port) = ("239.255.71.1", free_port());
    let taker = Taker::new(&format!("flute://{group}:{port}/live.mpd?iface=lo&tsi=1"));
    taker.set_state(gst::State::Playing);
    let studio = Studio::new(group, port);
    studio.send("http://example.com/a/live.mpd", "text/xml", content(1000));
    studio.send("http://example.com/a/my%20segment.m4s", "video/mp4", content(600_000));
    let manifest = taker.take();
    assert!(manifest.bytes() == content(1000));
    assert_eq!(manifest.caps.as_deref(), Some("application/dash+xml"), "text/xml says little");
    let meta = ObjectMeta::of(&manifest.buffers[0]).unwrap();
    assert_eq!(meta.content_location.as_deref(), Some("http://example.com/a/live.mpd"));
    taker.set_state(gst::State::Ready);
    // What is relative to the URI of the manifest has lost its options.
    let segment = taker.fetch(&format!("flute://{group}:{port}/a/my%20segment.m4s"));
    assert!(segment.bytes() == content(600_000));
    assert!(segment.buffers.len() > 2, "long objects come in pieces");
    assert!(segment.buffers.iter().all(|buffer| ObjectMeta::of(buffer).is_none()), "which are no objects");
    assert_eq!(segment.buffers[1].offset(), segment.buffers[0].size() as u64);
    // A new version, of which the receiver learns sooner or later.
    studio.send("http://example.com/a/live.mpd", "text/xml", content(2000));
    wait_until("the new version comes", || {
        taker.fetch(&format!("flute://{group}:{port}/live.mpd")).bytes() == content(2000)
    });
    // Another element finds the same session.
    let other = Taker::new(&format!("flute://{group}:{port}/live.mpd"));
    other.set_state(gst::State::Playing);
    assert!(other.take().bytes() == content(2000));
}

#[test]
fn test_object_ranges() {
    let port = free_port();
    let uri = format!("flute://127.0.0.1:{port}/movie.mp4");
    let taker = Taker::new(&uri);
    taker.set_state(gst::State::Ready);
    assert!(taker.seek(gst::SeekFlags::FLUSH, 500_000..600_000));
    taker.set_state(gst::State::Playing);
    let studio = Studio::new("127.0.0.1", port);
    studio.send("movie.mp4", "video/mp4", content(1_000_000));
    let range = taker.take();
    assert!(range.bytes() == content(1_000_000)[500_000..600_000]);
    assert_eq!(range.segments.len(), 1);
    assert_eq!(range.segments[0].start(), gst::format::Bytes::from_u64(500_000).into());
    assert_eq!(range.buffers[0].offset(), 500_000);
    // While it plays, after the end.
    assert!(taker.seek(gst::SeekFlags::FLUSH, 999_990..2_000_000));
    assert!(taker.take().bytes() == content(1_000_000)[999_990..]);
    assert!(taker.element.seek_simple(gst::SeekFlags::FLUSH, gst::ClockTime::from_seconds(1)).is_err());
    // The next start is one from the start.
    taker.set_state(gst::State::Ready);
    assert!(taker.fetch(&uri).bytes() == content(1_000_000));
}

#[test]
fn test_object_queries() {
    let port = free_port();
    let taker = Taker::new(&format!("flute://127.0.0.1:{port}/movie.mp4?tsi=1"));
    let pad = taker.element.static_pad("src").unwrap();
    taker.set_state(gst::State::Playing);
    assert_eq!(pad.query_duration::<gst::format::Bytes>(), None, "it has not come");
    let studio = Studio::new("127.0.0.1", port);
    studio.send("movie.mp4", "video/mp4", content(300_000));
    taker.take();
    let length = gst::format::Bytes::from_u64(300_000);
    assert_eq!(pad.query_duration::<gst::format::Bytes>(), Some(length));
    assert_eq!(pad.query_position::<gst::format::Bytes>(), Some(length));
    let mut seeking = gst::query::Seeking::new(gst::Format::Bytes);
    assert!(pad.query(&mut seeking));
    assert_eq!(seeking.result(), (true, gst::format::Bytes::ZERO.into(), Some(length).into()));
    let mut uri = gst::query::Uri::new();
    assert!(pad.query(&mut uri));
    assert_eq!(uri.uri().unwrap(), format!("flute://127.0.0.1:{port}/movie.mp4?tsi=1"));
    let mut latency = gst::query::Latency::new();
    assert!(pad.query(&mut latency));
    assert!(!latency.result().0, "it is not live");
    let mut scheduling = gst::query::Scheduling::new();
    assert!(pad.query(&mut scheduling));
    assert!(scheduling.result().0.contains(gst::SchedulingFlags::SEEKABLE));
}

/// The status code in the details of the next error.
fn status_code(taker: &Taker) -> Option<u32> {
    let limit = gst::ClockTime::try_from(LIMIT).unwrap();
    let message = taker.bus.timed_pop_filtered(limit, &[gst::MessageType::Error]).expect("an error comes");
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    assert!(error.error().matches(gst::ResourceError::NotFound), "{error:?}");
    error.details()?.get("http-status-code").ok()
}

#[test]
fn test_object_that_does_not_come() {
    let port = free_port();
    let taker = Taker::new(&format!("flute://127.0.0.1:{port}/none?timeout=0.05"));
    taker.set_state(gst::State::Playing);
    assert_eq!(status_code(&taker), Some(404));
    assert!(taker.take().buffers.is_empty(), "the stream ends");
}

#[test]
fn test_object_that_will_not_come() {
    let port = free_port();
    let taker = Taker::new(&format!("flute://127.0.0.1:{port}/none?timeout=1000"));
    taker.set_state(gst::State::Playing);
    let studio = Studio::new("127.0.0.1", port);
    studio.send("another", "text/plain", content(10));
    let begin = Instant::now();
    studio.close();
    assert_eq!(status_code(&taker), Some(404));
    assert!(begin.elapsed() < Duration::from_secs(1000));
    assert!(taker.take().buffers.is_empty());
    taker.set_state(gst::State::Ready);
    assert!(taker.fetch(&format!("flute://127.0.0.1:{port}/another")).bytes() == content(10));
}

#[test]
fn test_object_waits_are_interrupted() {
    let port = free_port();
    let taker = Taker::new(&format!("flute://127.0.0.1:{port}/none?timeout=1000"));
    for _ in 0..3 {
        taker.set_state(gst::State::Playing);
        taker.set_state(gst::State::Ready);
    }
    taker.set_state(gst::State::Playing);
    // By a flush, too; and then it waits again.
    assert!(taker.seek(gst::SeekFlags::FLUSH, 0..5));
    let studio = Studio::new("127.0.0.1", port);
    studio.send("none", "text/plain", content(10));
    assert!(taker.take().bytes() == content(5));
}

#[test]
fn test_object_sessions_end_after_their_last_user() {
    let port = free_port();
    let taker = Taker::new(&format!("flute://127.0.0.1:{port}/a"));
    taker.element.set_property("linger", 0u64);
    taker.set_state(gst::State::Playing);
    let studio = Studio::new("127.0.0.1", port);
    studio.send("a", "text/plain", content(10));
    taker.take();
    taker.set_state(gst::State::Ready);
    assert!(is_bound(port), "there may be another object");
    taker.set_state(gst::State::Null);
    wait_until("the socket is closed", || !is_bound(port));
}
