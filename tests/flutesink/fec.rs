// SPDX-License-Identifier: MPL-2.0

//! FEC schemes of the session and of pads, and what flutesrc makes of their packets when some are lost. It is told
//! nothing: all that it needs to know is in the packets.

use std::collections::{BTreeMap, BTreeSet};

use flute_proto::alc::Packet;
use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

use crate::{another_input, content, flutesink, harness, packets};

/// The properties of a scheme beside those of [`FEC`], and its FEC Encoding ID.
struct Scheme {
    properties: &'static [(&'static str, &'static str)],
    encoding_id: u8,
}

/// What a pad and the element have alike.
const FEC: [(&str, &str); 3] = [("repair-percent", "20"), ("source-block-length", "100"), ("symbol-size", "500")];

/// The schemes that have repair symbols.
const SCHEMES: [Scheme; 5] = [
    Scheme { properties: &[("fec", "rs8")], encoding_id: 5 },
    Scheme { properties: &[("fec", "rs8-small-block")], encoding_id: 129 },
    Scheme { properties: &[("fec", "rs2m")], encoding_id: 2 },
    Scheme { properties: &[("fec", "raptor")], encoding_id: 1 },
    Scheme { properties: &[("fec", "raptorq")], encoding_id: 6 },
];

/// What only a session says: fields of other sizes, packets of several symbols.
const SESSIONS: [Scheme; 4] = [
    Scheme { properties: &[("fec", "rs2m"), ("rs-field-bits", "16")], encoding_id: 2 },
    Scheme { properties: &[("fec", "rs2m"), ("rs-field-bits", "12"), ("symbols-per-packet", "2")], encoding_id: 2 },
    // Sub-blocks of less than 256 KiB.
    Scheme { properties: &[("fec", "raptor"), ("profile", "mbms"), ("source-block-length", "800")], encoding_id: 1 },
    Scheme { properties: &[("fec", "raptorq"), ("source-block-length", "800")], encoding_id: 6 },
];

/// Without two of a hundred packets of objects, in no regular order, and with what the others say of their scheme. The
/// FDT is kept: this is about objects.
fn lose(packets: Vec<Vec<u8>>) -> (Vec<Vec<u8>>, BTreeSet<u8>) {
    let mut number = 0u64;
    let (mut lost, mut encoding_ids) = (0, BTreeSet::new());
    let mut packets = packets;
    packets.retain(|packet| {
        let packet = Packet::decode(packet, Default::default()).unwrap();
        if packet.fdt.is_some() || packet.header.close_session {
            return true;
        }
        encoding_ids.insert(packet.header.codepoint);
        number += 1;
        let is_lost = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(50);
        lost += u64::from(is_lost);
        !is_lost
    });
    assert!(lost * 100 >= number, "{lost} of {number} lost");
    (packets, encoding_ids)
}

/// The objects that flutesrc makes of packets, by name, and how many source symbols it had to rebuild.
fn receive(packets: Vec<Vec<u8>>) -> (BTreeMap<String, Vec<u8>>, u64) {
    let mut h = gst_check::Harness::new("flutesrc");
    h.set_src_caps_str("application/x-flute");
    h.play();
    for packet in packets {
        h.push(gst::Buffer::from_slice(packet)).unwrap();
    }
    let stats = h.element().unwrap().property::<gst::Structure>("stats");
    // The sender has closed the session.
    let recovered = stats.get::<gst::Structure>("totals").unwrap().get("recovered").unwrap();
    let objects = std::iter::from_fn(|| h.try_pull()).map(|buffer| {
        let name = ObjectMeta::of(&buffer).unwrap().content_location.unwrap();
        (name, buffer.map_readable().unwrap().to_vec())
    });
    (objects.collect(), recovered)
}

#[test]
fn test_flutesink_every_scheme_of_a_session() {
    for scheme in SCHEMES.iter().chain(&SESSIONS) {
        let element = flutesink(&[&FEC, scheme.properties].concat());
        let mut h = harness(&element, "sink_0");
        h.push(gst::Buffer::from_slice(content(400_000))).unwrap();
        let (packets, encoding_ids) = lose(packets(&mut h));
        assert_eq!(encoding_ids, [scheme.encoding_id].into(), "{:?}", scheme.properties);
        let (objects, recovered) = receive(packets);
        assert!(objects["object-00000"] == content(400_000), "{:?}", scheme.properties);
        assert!(recovered > 5, "{:?}: {recovered}", scheme.properties);
    }
}

#[test]
fn test_flutesink_every_pad_has_its_scheme() {
    let element = flutesink(&[]);
    let mut inputs: Vec<_> = SCHEMES
        .iter()
        .enumerate()
        .map(|(index, scheme)| {
            let name = format!("sink_{index}");
            let input = if index == 0 { harness(&element, &name) } else { another_input(&element, &name) };
            let pad = element.static_pad(&name).unwrap();
            for (property, value) in FEC.iter().chain(scheme.properties) {
                pad.set_property_from_str(property, value);
            }
            pad.set_property("location", &name);
            input
        })
        .collect();
    for (index, input) in inputs.iter_mut().enumerate() {
        input.push(gst::Buffer::from_slice(content(200_000 + index))).unwrap();
    }
    let (first, others) = inputs.split_first_mut().unwrap();
    for input in others {
        assert!(input.push_event(gst::event::Eos::new()));
    }
    let (packets, encoding_ids) = lose(packets(first));
    assert_eq!(encoding_ids, SCHEMES.iter().map(|scheme| scheme.encoding_id).collect());
    let (objects, recovered) = receive(packets);
    assert_eq!(objects.len(), SCHEMES.len());
    for index in 0..SCHEMES.len() {
        assert!(objects[&format!("sink_{index}")] == content(200_000 + index), "{:?}", SCHEMES[index].properties);
    }
    assert!(recovered > 20, "{recovered}");
}
