// SPDX-License-Identifier: MPL-2.0

//! Which versions of an object are delivered, and what limits keep out.

use std::time::Duration;

use flute_proto::Time;
use flute_proto::sender::{Batch, FinishPolicy, Object, Poll, Sender, SenderConfig};
use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

use super::{bus_of, element_messages, init};

/// The packets of a sender, up to the end of what it has to send.
fn drain(sender: &mut Sender, now: Time, packets: &mut Vec<Vec<u8>>) {
    let mut batch = Batch::new(16);
    while let Poll::Packets = sender.poll(now, &mut batch) {
        packets.extend(batch.packets().map(<[u8]>::to_vec));
    }
}

/// Three objects one after the other: `a` as "first", `a` as "second" and `b`.
fn versions() -> Vec<Vec<u8>> {
    let now = Time::from_unix(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO));
    let mut sender = Sender::new(SenderConfig::default(), now).unwrap();
    let mut packets = Vec::new();
    for (location, content) in [("a", "first"), ("a", "second"), ("b", "other")] {
        sender.replace(Object::new(location, content.as_bytes().to_vec()), now).unwrap();
        drain(&mut sender, now, &mut packets);
    }
    sender.finish(FinishPolicy::Stop, now);
    drain(&mut sender, now, &mut packets);
    packets
}

/// What a flutesrc with these properties makes of packets: names and content, and the messages.
fn received(properties: &[(&str, &str)], packets: &[Vec<u8>]) -> (Vec<(String, Vec<u8>)>, Vec<gst::Structure>) {
    init();
    let element = gst::ElementFactory::make("flutesrc").build().unwrap();
    for (name, value) in properties {
        element.set_property_from_str(name, value);
        assert_eq!(element.property_value(name).serialize().unwrap(), *value, "{name}");
    }
    let bus = bus_of(&element);
    let mut harness = gst_check::Harness::with_element(&element, Some("sink"), Some("src"));
    harness.set_src_caps_str("application/x-flute");
    harness.play();
    for packet in packets {
        harness.push(gst::Buffer::from_slice(packet.clone())).unwrap();
    }
    assert!(harness.push_event(gst::event::Eos::new()));
    let objects = std::iter::from_fn(|| harness.try_pull()).map(|buffer| {
        let location = ObjectMeta::of(&buffer).unwrap().content_location.unwrap();
        (location, buffer.map_readable().unwrap().to_vec())
    });
    let objects = objects.collect();
    (objects, element_messages(&bus))
}

fn object(location: &str, content: &str) -> (String, Vec<u8>) {
    (location.to_owned(), content.as_bytes().to_vec())
}

#[test]
fn test_flutesrc_modes() {
    let all = [object("a", "first"), object("a", "second"), object("b", "other")];
    let packets = versions();
    assert_eq!(received(&[("mode", "everything")], &packets).0, all);
    assert_eq!(received(&[("mode", "keep-updated")], &packets).0, all);
    assert_eq!(received(&[("mode", "once")], &packets).0, [all[0].clone(), all[2].clone()]);
}

#[test]
fn test_flutesrc_path_of_the_uri_means_a_location_with_percent_encoding() {
    let now = Time::from_unix(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO));
    let mut sender = Sender::new(SenderConfig::default(), now).unwrap();
    for location in ["http://h/x/a%20b.txt", "c.txt", "a%20b.txt/c"] {
        sender.replace(Object::new(location, location.as_bytes().to_vec()), now).unwrap();
    }
    sender.finish(FinishPolicy::FinishTransfers, now);
    let mut packets = Vec::new();
    drain(&mut sender, now, &mut packets);
    for uri in ["flute://239.1.1.1:3400/a%20b.txt", "flute://239.1.1.1:3400/x/./a%20b.txt"] {
        init();
        let element = gst::ElementFactory::make("flutesrc").property("uri", uri).build().unwrap();
        let mut harness = gst_check::Harness::with_element(&element, Some("sink"), Some("src"));
        harness.set_src_caps_str("application/x-flute");
        harness.play();
        for packet in &packets {
            // After the object there is EOS, and the rest is not wanted.
            let _ = harness.push(gst::Buffer::from_slice(packet.clone()));
        }
        let objects: Vec<_> = std::iter::from_fn(|| harness.try_pull())
            .map(|buffer| ObjectMeta::of(&buffer).unwrap().content_location.unwrap())
            .collect();
        assert_eq!(objects, ["http://h/x/a%20b.txt"], "{uri}");
    }
}

#[test]
fn test_flutesrc_what_is_repeated_is_delivered_once() {
    let packets = versions();
    let again = [packets.clone(), packets].concat();
    for mode in ["everything", "keep-updated", "once"] {
        let (objects, _) = received(&[("mode", mode)], &again);
        assert_eq!(objects.iter().filter(|(location, _)| location == "b").count(), 1, "{mode}");
    }
}

#[test]
fn test_flutesrc_limits() {
    let packets = versions();
    // An object of six bytes is too long for five, and an FDT Instance for one.
    let (objects, messages) = received(&[("max-object-size", "5")], &packets);
    assert_eq!(objects, [object("a", "first"), object("b", "other")]);
    let lost: Vec<_> = messages.iter().filter(|message| message.name() == "flute-object-lost").collect();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].get::<&str>("content-location"), Ok("a"));
    assert!(received(&[("max-fdt-size", "1")], &packets).0.is_empty());
    let enough = [("max-fdt-instances", "100"), ("max-decoding-work", "1000"), ("max-objects", "100")];
    assert_eq!(received(&enough, &packets).0.len(), 3);
}
