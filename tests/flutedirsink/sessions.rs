// SPDX-License-Identifier: MPL-2.0

//! Objects of several sessions in one folder, and warnings when there are many.

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

use super::{Scenario, init, object, tree};

/// An object of a session.
fn object_of(tsi: u64, source: [u8; 4], location: &str) -> gst::Buffer {
    let mut buffer = object(location, &[tsi as u8]);
    let meta = ObjectMeta {
        content_location: Some(location.to_owned()),
        tsi: Some(tsi),
        source: Some(source.into()),
        ..Default::default()
    };
    meta.put_on(buffer.get_mut().unwrap());
    buffer
}

#[test]
fn test_flutedirsink_folders_of_sessions() {
    init();
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("of %{source}/%{tsi}");
    let mut scenario = Scenario::new(&[("location", location.to_str().unwrap())]);
    scenario.push(object_of(1, [10, 0, 0, 1], "a"));
    scenario.push(object_of(2, [10, 0, 0, 1], "a"));
    scenario.push(object_of(1, [10, 0, 0, 2], "a"));
    scenario.push(object("a", b"x"));
    let expected = ["of 10.0.0.1/1/a", "of 10.0.0.1/2/a", "of 10.0.0.2/1/a", "of unknown/unknown/a"];
    assert_eq!(tree(folder.path()), expected);
    assert_eq!(scenario.warnings(), [""; 0]);
}

#[test]
fn test_flutedirsink_sessions_that_replace_each_others_files() {
    let mut scenario = Scenario::new(&[]);
    for tsi in [1, 1, 2] {
        scenario.push(object_of(tsi, [10, 0, 0, 1], "a"));
    }
    assert_eq!(scenario.read("a"), [2]);
    let path = scenario.target().join("a").display().to_string();
    let warning = format!("{path} of TSI 2 of 10.0.0.1 has replaced that of TSI 1 of 10.0.0.1");
    assert_eq!(scenario.warnings(), [warning]);
}

#[test]
fn test_flutedirsink_wrong_patterns() {
    init();
    let element = gst::ElementFactory::make("flutedirsink").property("location", "a/%{toi}").build().unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Paused).is_err());
    let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    assert!(error.error().message().contains("there are %{tsi} and %{source}"), "{}", error.error());
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn test_flutedirsink_many_warnings_are_counted() {
    let mut scenario = Scenario::new(&[]);
    for number in 0..50 {
        scenario.push(object(&format!("../{number}"), b"evil"));
    }
    assert_eq!(scenario.counter("refused"), 50);
    assert!(scenario.harness.push_event(gst::event::Eos::new()));
    let warnings = scenario.warnings();
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    assert_eq!(warnings[3], "47 more objects were not written: their names are refused");
}
