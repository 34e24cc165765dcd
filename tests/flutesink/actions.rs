// SPDX-License-Identifier: MPL-2.0

//! What an application does by signals and by URI.

use gst::prelude::*;
use gstflute::object_meta::{self, ObjectMeta};

use crate::received::Session;
use crate::{content, flutesink, init, messages, named, packets_until_eos};

/// An element without an input.
fn output(element: &gst::Element) -> gst_check::Harness {
    let mut harness = gst_check::Harness::with_element(element, None, Some("src"));
    harness.play();
    harness
}

fn add(element: &gst::Element, bytes: &'static [u8], meta: Option<ObjectMeta>) -> bool {
    let meta = meta.map(|meta| {
        let mut structure = gst::Structure::new_empty(object_meta::NAME);
        meta.write_to(&mut structure);
        structure
    });
    element.emit_by_name("add-object", &[&gst::Buffer::from_slice(bytes), &meta])
}

#[test]
fn test_flutesink_objects_of_an_application() {
    let element = flutesink(&[]);
    assert!(!add(&element, b"too early", None));
    let mut h = output(&element);
    assert!(add(&element, b"first", None));
    let manifest = ObjectMeta { content_location: Some("live.mpd".into()), ..Default::default() };
    assert!(add(&element, b"<MPD/>", Some(manifest)));
    assert!(element.send_event(gst::event::Eos::new()));
    let session = Session::of(&packets_until_eos(&mut h));
    assert_eq!(session.names(), ["added-00000", "live.mpd"]);
    assert_eq!(session.objects[1].bytes, b"<MPD/>");
    assert_eq!(session.objects[1].content_type.as_deref(), Some("application/dash+xml"));
    assert!(!add(&element, b"too late", None));
}

#[test]
fn test_flutesink_objects_are_sent_at_once_and_removed() {
    let element = flutesink(&[("fdt-interval", "3600000000000")]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = output(&element);
    let hourly = ObjectMeta {
        content_location: Some("hourly".into()),
        repeat_count: Some(0),
        repeat_delay: Some(gst::ClockTime::from_seconds(3600)),
        ..Default::default()
    };
    assert!(add(&element, b"object", Some(hourly)));
    let sent = || {
        loop {
            let message = bus.timed_pop(gst::ClockTime::from_seconds(60)).expect("the object is sent");
            if let Some(transfers) = named(&[message], "flute-object-sent").first() {
                return transfers.get::<u64>("transfers").unwrap();
            }
        }
    };
    assert_eq!(sent(), 1);
    assert!(element.emit_by_name::<bool>("send-now", &[&"hourly"]));
    assert_eq!(sent(), 2);
    assert!(!element.emit_by_name::<bool>("send-now", &[&"another"]));
    assert!(element.emit_by_name::<bool>("remove-object", &[&"hourly", &true]));
    assert!(!element.emit_by_name::<bool>("remove-object", &[&"hourly", &true]));
    assert!(element.send_event(gst::event::Eos::new()));
    assert_eq!(Session::of(&packets_until_eos(&mut h)).names(), ["hourly"]);
    assert_eq!(named(&messages(&bus), "flute-object-withdrawn").len(), 1);
    element.set_bus(None);
}

#[test]
fn test_flutesink_progress() {
    let element = flutesink(&[("symbol-size", "8")]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = output(&element);
    let bytes: &'static [u8] = content(16_000).leak();
    assert!(add(&element, bytes, None));
    assert!(element.send_event(gst::event::Eos::new()));
    packets_until_eos(&mut h);
    let progress: Vec<_> = messages(&bus)
        .iter()
        .filter_map(|message| match message.view() {
            gst::MessageView::Progress(progress) => {
                let (kind, _, text) = progress.get();
                Some((kind, text.to_string()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(progress.len(), 100);
    assert_eq!(progress[0], (gst::ProgressType::Start, "added-00000: 1 %".to_owned()));
    assert_eq!(progress[41], (gst::ProgressType::Continue, "added-00000: 42 %".to_owned()));
    assert_eq!(progress[99], (gst::ProgressType::Complete, "added-00000: sent".to_owned()));
    element.set_bus(None);
}

#[test]
fn test_flutesink_uri() {
    init();
    let uri = "flute://239.1.1.1:3401?tsi=5&iface=lo";
    let element = gst::Element::make_from_uri(gst::URIType::Sink, uri, None).unwrap();
    assert_eq!(element.property::<String>("address"), "239.1.1.1");
    assert_eq!(element.property::<i32>("port"), 3401);
    assert_eq!(element.property::<u64>("tsi"), 5);
    assert_eq!(element.property::<String>("uri"), uri);
    assert!(gst::Element::make_from_uri(gst::URIType::Sink, "flute://nowhere:1", None).is_err());
}
