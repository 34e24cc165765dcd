// SPDX-License-Identifier: MPL-2.0

//! What an application does by signals and by URI.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstflute::object_meta::{self, ObjectMeta};
use gstflute::object_removal::ObjectRemoval;

use crate::received::Session;
use crate::{content, flutesink, harness, init, messages, named, packets, packets_until_eos};

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
fn test_flutesink_events_remove_objects() {
    let element = flutesink(&[]);
    let mut h = harness(&element, "sink_0");
    let mut object = gst::Buffer::from_slice(b"object");
    let meta = ObjectMeta {
        content_location: Some("a/b%20c".into()),
        repeat_count: Some(0),
        repeat_delay: Some(gst::ClockTime::from_seconds(3600)),
        ..Default::default()
    };
    meta.put_on(object.get_mut().unwrap());
    let (withdrawn, names) = std::sync::mpsc::channel();
    element.connect("object-withdrawn", false, move |arguments| {
        let details = arguments[1].get::<gst::Structure>().unwrap();
        withdrawn.send(details.get::<String>("content-location").unwrap()).unwrap();
        None
    });
    h.push(object).unwrap();
    for (name, now) in [("another", true), ("a/b%20c", true), ("a/b%20c", false)] {
        let removal = ObjectRemoval { content_location: name.into(), now, ..Default::default() };
        assert!(h.push_event(removal.into_event()));
    }
    assert_eq!(names.recv_timeout(std::time::Duration::from_secs(60)).unwrap(), "a/b%20c");
    packets(&mut h);
    assert!(names.try_recv().is_err(), "it was there once");
}

#[test]
fn test_flutesink_tells_of_objects_by_signals() {
    let element = flutesink(&[("tsi", "5")]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let told = Arc::new(Mutex::new(Vec::new()));
    for signal in ["object-sent", "object-withdrawn", "object-failed"] {
        let told = told.clone();
        element.connect(signal, false, move |arguments| {
            told.lock().unwrap().push(arguments[1].get::<gst::Structure>().unwrap());
            None
        });
    }
    let mut h = output(&element);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, content(1 << 20)).unwrap();
    let named_meta = |name: &str| ObjectMeta { content_location: Some(name.into()), ..Default::default() };
    let carousel = ObjectMeta {
        repeat_count: Some(0),
        repeat_delay: Some(gst::ClockTime::from_seconds(3600)),
        ..named_meta("carousel")
    };
    assert!(add(&element, b"object", Some(carousel)));
    let later = gst::ClockTime::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap()).unwrap();
    let truncated = ObjectMeta {
        file: file.to_str().map(str::to_owned),
        start_time: Some(later + gst::ClockTime::from_mseconds(200)),
        ..named_meta("truncated")
    };
    assert!(add(&element, b"", Some(truncated)));
    std::fs::write(&file, b"short").unwrap();
    // What the messages say, in their order.
    let mut messages = Vec::new();
    let mut wait_for = |name: &str| {
        while messages.last().is_none_or(|last: &gst::Structure| last.name() != name) {
            let message = bus.timed_pop(gst::ClockTime::from_seconds(60)).expect("it is told");
            let is_of_object = |message: &gst::StructureRef| message.name().starts_with("flute-object-");
            if message.type_() == gst::MessageType::Element
                && let Some(structure) = message.structure().filter(|structure| is_of_object(structure))
            {
                messages.push(structure.to_owned());
            }
        }
    };
    wait_for("flute-object-failed");
    assert!(element.emit_by_name::<bool>("remove-object", &[&"carousel", &true]));
    wait_for("flute-object-withdrawn");
    assert_eq!(*told.lock().unwrap(), messages);
    assert_eq!(messages.len(), 3, "{messages:?}");
    // On a busy machine the file may be looked at before the other object has been sent.
    let [sent, failed, withdrawn] = ["sent", "failed", "withdrawn"].map(|end| {
        let named = |message: &&gst::Structure| message.name() == format!("flute-object-{end}").as_str();
        messages.iter().find(named).unwrap_or_else(|| panic!("{messages:?}"))
    });
    assert_eq!(sent.get("transfer-length"), Ok(6u64));
    assert_eq!((sent.get("transfers"), withdrawn.get("transfers")), (Ok(1u64), Ok(1u64)));
    assert_eq!(withdrawn.get("toi"), sent.get::<u64>("toi"));
    assert!(
        failed.get::<String>("reason").unwrap().starts_with("the source was changed while it was sent"),
        "{failed}"
    );
    assert_eq!(failed.get("content-location"), Ok("truncated"));
    assert_eq!(failed.get("tsi"), Ok(5u64));
    assert!(element.send_event(gst::event::Eos::new()));
    packets_until_eos(&mut h);
    element.set_bus(None);
}

/// The progress messages of an object of two thousand packets at a rate.
fn progress(bitrate: &str) -> Vec<(gst::ProgressType, String)> {
    let element = flutesink(&[("symbol-size", "8"), ("bitrate", bitrate)]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = output(&element);
    let bytes: &'static [u8] = content(16_000).leak();
    assert!(add(&element, bytes, None));
    assert!(element.send_event(gst::event::Eos::new()));
    packets_until_eos(&mut h);
    element.set_bus(None);
    messages(&bus)
        .iter()
        .filter_map(|message| match message.view() {
            gst::MessageView::Progress(progress) => {
                let (kind, _, text) = progress.get();
                Some((kind, text.to_string()))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn test_flutesink_progress_of_what_takes_long() {
    // Two thousand packets of 8 bytes with headers of about 50: five seconds or so.
    let begun = std::time::Instant::now();
    let progress = progress("200000");
    let most = 2 * (begun.elapsed().as_secs() as usize + 1) + 1;
    assert!((3..=most).contains(&progress.len()), "{progress:?}");
    let (kinds, texts): (Vec<_>, Vec<_>) = progress.into_iter().unzip();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), (gst::ProgressType::Start, gst::ProgressType::Complete));
    assert!(kinds[1..kinds.len() - 1].iter().all(|&kind| kind == gst::ProgressType::Continue), "{kinds:?}");
    let percent = |text: &String| text.strip_prefix("added-00000: ")?.strip_suffix(" %")?.parse::<u32>().ok();
    let percents: Vec<_> = texts[..texts.len() - 1].iter().map(percent).collect();
    assert!(percents[0].is_some() && percents.is_sorted(), "{texts:?}");
    assert_eq!(texts.last().map(String::as_str), Some("added-00000: sent"));
}

#[test]
fn test_flutesink_no_progress_of_what_is_over_soon() {
    assert!(progress("0").is_empty());
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

#[test]
fn test_flutesink_set_priority() {
    // So slow that the second object still waits when its priority changes.
    let element = flutesink(&[("bitrate", "500000"), ("fdt-interval", "3600000000000")]);
    let mut h = output(&element);
    for name in ["first", "second", "third"] {
        let meta = ObjectMeta { content_location: Some(name.into()), ..Default::default() };
        assert!(add(&element, content(50_000).leak(), Some(meta)));
    }
    assert!(element.emit_by_name::<bool>("set-priority", &[&"third", &9u32]));
    assert!(!element.emit_by_name::<bool>("set-priority", &[&"none", &9u32]));
    assert!(element.send_event(gst::event::Eos::new()));
    assert_eq!(Session::of(&packets_until_eos(&mut h)).names(), ["third", "first", "second"]);
}

#[test]
fn test_flutesink_fec_of_an_object() {
    let element = flutesink(&[]);
    let mut h = output(&element);
    let meta = ObjectMeta {
        content_location: Some("protected".into()),
        fec: Some("rs8".into()),
        repair_symbols: Some(3),
        symbol_size: Some(100),
        source_block_length: Some(10),
        ..Default::default()
    };
    assert!(add(&element, content(2_000).leak(), Some(meta)));
    let wrong = ObjectMeta { fec: Some("rs9".into()), ..Default::default() };
    assert!(!add(&element, b"unknown scheme", Some(wrong)));
    assert!(element.send_event(gst::event::Eos::new()));
    let session = Session::of(&packets_until_eos(&mut h));
    assert_eq!(session.names(), ["protected"]);
    // Two blocks of ten symbols, and three repair symbols each.
    let stats = element.property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("repair-packets"), Ok(6));
}
