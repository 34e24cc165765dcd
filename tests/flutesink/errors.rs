// SPDX-License-Identifier: MPL-2.0

//! What bad use gets: an error that says what to do.

use std::net::UdpSocket;

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

use crate::received::Session;
use crate::{content, flutesink, harness, messages, packets};

/// Starts an element that cannot start, and gives the text of its error.
fn error_of(properties: &[(&str, &str)], with_src: bool) -> String {
    let element = flutesink(properties);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    if with_src {
        element.request_pad_simple("src").unwrap();
    }
    assert_eq!(element.set_state(gst::State::Playing), Err(gst::StateChangeError));
    element.set_state(gst::State::Null).unwrap();
    element.set_bus(None);
    let errors = messages(&bus).into_iter().filter_map(|message| match message.view() {
        gst::MessageView::Error(error) => Some(error.error().to_string()),
        _ => None,
    });
    errors.collect::<Vec<_>>().join("\n")
}

fn assert_error(properties: &[(&str, &str)], with_src: bool, parts: &[&str]) {
    let error = error_of(properties, with_src);
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn test_flutesink_addresses_that_are_none() {
    assert_error(&[], false, &["no address", "set address"]);
    assert_error(&[("address", "multicast")], false, &["“multicast” is not an IP address"]);
    assert_error(&[("host", "239.1.1.999")], false, &["“239.1.1.999” is not an IP address"]);
    assert_error(&[("address", "239.1.1.1"), ("port", "0")], false, &["port is 0"]);
    assert_error(&[("uri", "flute://somewhere:1")], false, &["flute://somewhere:1 cannot be used", "“somewhere”"]);
    let iface = [("address", "239.1.1.1"), ("multicast-iface", "none0")];
    assert_error(&iface, false, &["no network interface “none0”"]);
    let bind = [("address", "239.1.1.1"), ("bind-address", "here")];
    assert_error(&bind, false, &["bind-address “here” is not an IP address"]);
}

#[test]
fn test_flutesink_a_port_in_use() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let bind = [("address", "127.0.0.1"), ("bind-address", "127.0.0.1"), ("bind-port", port.as_str())];
    assert_error(&bind, false, &["in use", "bind-port"]);
}

#[test]
fn test_flutesink_properties_that_do_not_fit_together() {
    assert_error(&[("mtu", "1000"), ("symbol-size", "1400")], true, &["1400 bytes", "1000 bytes", "1472"]);
    assert_error(&[("repair-percent", "10")], true, &["set fec"]);
    assert_error(&[("toi-bits", "24")], true, &["toi-bits 24"]);
    assert_error(&[("multiplex-by-priority", "high")], true, &["multiplex-by-priority “high”", "10:4,0:1"]);
    assert_error(&[("session-identity-expiry", "1")], true, &["session-identity-expiry “1”"]);
}

#[test]
fn test_flutesink_what_profiles_forbid() {
    assert_error(&[("profile", "mbms"), ("fec", "rs8"), ("mtu", "1400")], true, &["TS 26.346"]);
    assert_error(&[("profile", "mbms"), ("tsi-bits", "48")], true, &["TS 26.346 7.2.7"]);
    assert_error(&[("profile", "mbms"), ("sender-current-time", "true")], true, &["TS 26.346"]);
    assert_error(&[("profile", "mbms"), ("full-fdt", "true")], true, &["TS 26.346"]);
    assert_error(&[("profile", "mbms"), ("fdt-fec", "rs8")], true, &["TS 26.346"]);
    assert_error(&[("profile", "mbms"), ("content-encoding", "zlib")], true, &["TS 26.346"]);
    assert_error(&[("profile", "mbms-2022"), ("fdt-content-encoding", "gzip")], true, &["TS 26.346"]);
    assert_error(&[("profile", "mbms-2022"), ("base-url-1", "http://a.example/")], true, &["TS 26.346"]);
    assert_error(&[("profile", "dvb-mabr"), ("fec", "rs8-small-block")], true, &["TS 103 769"]);
}

#[test]
fn test_flutesink_a_cache_control_that_says_nothing() {
    let element = flutesink(&[]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = harness(&element, "sink_0");
    element.static_pad("sink_0").unwrap().set_property("cache-control", "tomorrow");
    assert_eq!(h.push(gst::Buffer::from_slice(b"object")), Err(gst::FlowError::Error));
    let error = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = error.view() else { unreachable!() };
    assert!(error.error().to_string().contains("cache-control “tomorrow”"), "{}", error.error());
    element.set_bus(None);
}

/// What no code can do is said when the element starts, or, of a pad, with its first object.
#[test]
fn test_flutesink_codes_that_do_not_exist() {
    let session = |properties: &[(&str, &str)], parts: &[&str]| assert_error(properties, true, parts);
    session(&[("fec", "rs8"), ("source-block-length", "250")], &["275 encoding symbols", "at most 255"]);
    session(&[("fec", "rs8"), ("repair-symbols", "255")], &["256 encoding symbols", "at most 255"]);
    session(&[("fec", "rs2m"), ("rs-field-bits", "4"), ("source-block-length", "15")], &["at most 15"]);
    session(&[("fec", "rs2m"), ("rs-field-bits", "16"), ("symbol-size", "1")], &["multiple of 2"]);
    session(&[("fec", "raptor"), ("source-block-length", "8193")], &["8193 symbols", "at most 8192"]);
    session(&[("fec", "raptorq"), ("source-block-length", "56404")], &["56404 symbols", "at most 56403"]);
    session(&[("fec", "raptorq"), ("symbol-size", "3")], &["symbol size 3", "alignment 4"]);

    let element = flutesink(&[]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = harness(&element, "sink_0");
    let pad = element.static_pad("sink_0").unwrap();
    pad.set_property_from_str("fec", "rs8");
    pad.set_property("source-block-length", 250u32);
    assert_eq!(h.push(gst::Buffer::from_slice(b"object")), Err(gst::FlowError::Error));
    let error = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = error.view() else { unreachable!() };
    assert!(error.error().to_string().contains("275 encoding symbols"), "{}", error.error());
    element.set_bus(None);
}

#[test]
fn test_flutesink_an_object_that_is_too_long() {
    // 2^16 blocks of one symbol of 8 bytes are all that the FEC Payload ID can number.
    let element = flutesink(&[("symbol-size", "8"), ("source-block-length", "1")]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = harness(&element, "sink_0");
    assert_eq!(h.push(gst::Buffer::from_slice(content((8 << 16) + 1))), Err(gst::FlowError::Error));
    let error = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = error.view() else { unreachable!() };
    assert!(error.error().to_string().contains("the FEC Payload ID numbers 65536"), "{}", error.error());
    element.set_bus(None);
}

#[test]
fn test_flutesink_a_file_that_shrinks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    std::fs::write(&path, content(1_000_000)).unwrap();
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_nonblocking(true).unwrap();
    let port = receiver.local_addr().unwrap().port().to_string();
    let element = flutesink(&[("address", "127.0.0.1"), ("port", &port)]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = crate::another_input(&element, "sink_0");
    // Nothing is sent while the element is paused.
    element.set_state(gst::State::Paused).unwrap();
    let mut buffer = gst::Buffer::new();
    let file = Some(path.to_str().unwrap().to_owned());
    ObjectMeta { file, content_location: Some("film.mp4".into()), ..Default::default() }
        .put_on(buffer.get_mut().unwrap());
    h.push(buffer).unwrap();
    h.push(gst::Buffer::from_slice(b"another object")).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(100_000).unwrap();
    element.set_state(gst::State::Playing).unwrap();
    h.push_event(gst::event::Eos::new());
    let eos = [gst::MessageType::Eos, gst::MessageType::Error];
    let mut warnings = Vec::new();
    loop {
        let message = bus.timed_pop(gst::ClockTime::from_seconds(60)).expect("EOS comes");
        if let gst::MessageView::Warning(warning) = message.view() {
            warnings.push(warning.details().unwrap().to_owned());
        }
        if eos.contains(&message.type_()) {
            assert_eq!(message.type_(), gst::MessageType::Eos);
            break;
        }
    }
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].name(), "flute-object-failed");
    assert_eq!(warnings[0].get::<&str>("content-location"), Ok("film.mp4"));
    let mut packets = Vec::new();
    let mut datagram = [0; 2000];
    while let Ok(length) = receiver.recv(&mut datagram) {
        packets.push(datagram[..length].to_vec());
    }
    assert!(Session::of(&packets).names().contains(&"object-00000"), "the other one arrives");
    element.set_bus(None);
}

#[test]
fn test_flutesink_a_file_that_is_not_there() {
    let element = flutesink(&[]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut h = harness(&element, "sink_0");
    let mut buffer = gst::Buffer::new();
    ObjectMeta { file: Some("/nowhere/film.mp4".into()), ..Default::default() }.put_on(buffer.get_mut().unwrap());
    assert_eq!(h.push(buffer), Err(gst::FlowError::Error));
    let error = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = error.view() else { unreachable!() };
    assert!(error.error().to_string().contains("/nowhere/film.mp4"), "{}", error.error());
    element.set_bus(None);
    packets(&mut h);
}

#[test]
fn test_flutesink_a_src_pad_that_is_not_linked() {
    let element = flutesink(&[]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    element.request_pad_simple("src").unwrap();
    element.set_state(gst::State::Playing).unwrap();
    let meta: Option<gst::Structure> = None;
    assert!(element.emit_by_name::<bool>("add-object", &[&gst::Buffer::from_slice(b"object"), &meta]));
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    assert!(error.error().to_string().contains("not linked"), "{}", error.error());
    element.set_state(gst::State::Null).unwrap();
    element.set_bus(None);
}
