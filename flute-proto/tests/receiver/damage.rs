// SPDX-License-Identifier: MPL-2.0

//! One wrong packet does no more harm than one lost packet; and what is lost is told when it is known.

use std::time::Duration;

use flute_proto::oti::{FecEncodingId, PayloadId};
use flute_proto::receiver::{Event, Limits, ReceiverConfig};

use crate::crafted::{Harness, Style, content, file, instance, no_code, oti};

fn id(esi: u32) -> PayloadId {
    PayloadId { source_block: 0, esi, source_block_length: None }
}

/// RFC 5445 §3.2: a packet has whole encoding symbols, of which only the last of the object may lack its padding.
#[test]
fn payloads_that_are_no_whole_number_of_symbols_are_dropped() {
    let (style, object) = (Style::default(), content(1060, 1));
    let oti = no_code(1060, 100, 64);
    let mut harness = Harness::default();
    harness.push_all(&style.fdt(0, &instance("", &[file(1, "a", &oti, "")])));
    for (esi, length) in [(3, 101), (4, 99), (10, 80), (10, 59), (9, 150), (0, 1)] {
        harness.push(&style.symbol_packet(1, &oti, id(esi), &vec![0xAA; length], false));
    }
    assert_eq!(harness.stats().unusable, 6);
    harness.push_all(&style.object(1, &oti, &object));
    assert_eq!(harness.take(), [object]);
}

/// What a capture on the sending machine has with segmentation offload: packets one after the other in one datagram.
#[test]
fn merged_datagrams_are_cut_apart() {
    let (style, object) = (Style::default(), content(10_050, 1));
    let oti = no_code(10_050, 100, 64);
    let mut harness = Harness::default();
    let fdt = style.fdt(0, &instance("", &[file(1, "a", &oti, "")]));
    harness.push_all(&fdt);
    let packets = style.object(1, &oti, &object);
    packets.chunks(7).for_each(|merged| harness.push(&merged.concat()));
    assert!(harness.take() == std::slice::from_ref(&object));
    assert_eq!(harness.receiver.stats().merged, packets.len().div_ceil(7) as u64);
    assert_eq!(harness.stats().unusable, 0);

    // Followed by something else it is none of that.
    let mut harness = Harness::default();
    harness.push_all(&fdt);
    harness.push(&[&packets[0][..], &[0x77; 60]].concat());
    assert_eq!((harness.receiver.stats().merged, harness.stats().unusable), (0, 1));
    harness.push_all(&packets);
    assert_eq!(harness.take(), [object]);
}

/// RFC 6726 §5: EXT_FTI goes before the FDT; but one packet is outvoted by others.
#[test]
fn one_contradicting_packet_blocks_nothing() {
    let style = Style { fti_on_objects: true, ..Style::default() };
    let object = content(5000, 1);
    let (right, wrong) = (no_code(5000, 100, 64), no_code(9000, 90, 64));
    let fdt = style.fdt(0, &instance("", &[file(1, "a", &right, "")]));
    let late = style.symbol_packet(1, &wrong, id(0), &[7; 90], false);
    let packets = style.object(1, &right, &object);
    // The wrong packet before the FDT Instance, after it, and in the midst of the object.
    for (first, second, third) in [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)] {
        let mut harness = Harness::default();
        (0..first).for_each(|_| harness.push(&late));
        harness.push_all(&fdt);
        (0..second).for_each(|_| harness.push(&late));
        packets[..20].iter().for_each(|packet| harness.push(packet));
        (0..third).for_each(|_| harness.push(&late));
        packets[20..].iter().for_each(|packet| harness.push(packet));
        assert!(harness.take() == std::slice::from_ref(&object), "{first} {second} {third}");
        assert!(harness.stats().contradictions > 0);
    }
}

#[test]
fn what_most_packets_say_goes_before_the_fdt() {
    let style = Style { fti_on_objects: true, ..Style::default() };
    let object = content(5000, 1);
    let (right, wrong) = (no_code(5000, 100, 64), no_code(5000, 90, 64));
    let mut harness = Harness::default();
    harness.push_all(&style.fdt(0, &instance("", &[file(1, "a", &wrong, "")])));
    harness.push_all(&style.object(1, &right, &object));
    assert_eq!(harness.take(), [object]);
}

/// RFC 6726 §5: the Codepoint is the FEC Encoding ID.
#[test]
fn packets_of_another_scheme_are_named() {
    let style = Style::default();
    let described = no_code(1000, 100, 64);
    let code = flute_fec::Code::ReedSolomon {
        m: 8,
        points: flute_fec::Points::default(),
        byte_order: flute_fec::ByteOrder::default(),
        max_source_block_length: 20,
        max_encoding_symbols: 25,
    };
    let sent = oti(FecEncodingId::REED_SOLOMON_8, code, 1000, 100);
    let mut harness = Harness::default();
    harness.push_all(&style.fdt(0, &instance("", &[file(1, "a", &described, "")])));
    harness.push_all(&style.object(1, &sent, &content(1000, 1)));
    harness.finish();
    assert_eq!(harness.failures(), [(1, "Codepoint { codepoint: 5, described: 0 }".to_owned())]);
}

/// RFC 5651 §5.1 has two reserved bits where RFC 3451 §4.1 has T and R; and they are to be ignored.
#[test]
fn reserved_bits_are_ignored_in_version_2() {
    let style = Style::default();
    let object = content(500, 1);
    let oti = no_code(500, 100, 64);
    let mut harness = Harness::default();
    let packets = [style.fdt(0, &instance("", &[file(1, "a", &oti, "")])), style.object(1, &oti, &object)].concat();
    for mut packet in packets {
        // T and R of RFC 3451 are bits 4 and 5 of the flags: S O(2) H T R A B.
        packet[1] |= 0b0000_1100;
        harness.push(&packet);
    }
    assert_eq!(harness.take(), [object]);
}

/// The sender goes on to instances that do not list the object any more: it is lost, and that is told soon, and once.
#[test]
fn a_withdrawn_object_is_told_as_lost() {
    let style = Style::default();
    let oti = no_code(1000, 100, 64);
    let mut harness = Harness::default();
    let fdt = |id: u32, tois: std::ops::Range<u128>| {
        let files: Vec<_> = tois.map(|toi| file(toi, &format!("{toi}"), &oti, "")).collect();
        style.fdt(id, &instance("", &files))
    };
    harness.push_all(&fdt(0, 1..2));
    style.object(1, &oti, &content(1000, 1))[1..].iter().for_each(|packet| harness.push(packet));
    harness.pass(1);
    // It is repeated: nothing is lost yet.
    for _ in 0..5 {
        harness.push_all(&fdt(0, 1..2));
        harness.pass(1);
    }
    assert_eq!(harness.failures(), []);
    for id in 1..5 {
        harness.push_all(&fdt(id, 2..3));
        harness.pass(1);
    }
    assert_eq!(harness.failures(), [(1, "Withdrawn".to_owned())]);
    assert_eq!(harness.stats().failed, 1);
    assert!(harness.events.iter().any(|event| matches!(event, Event::Withdrawn(object) if object.toi().get() == 1)));
    // Its sender comes back to it: what was there is not lost.
    harness.push(&style.object(1, &oti, &content(1000, 1))[0]);
    assert_eq!(harness.take(), [content(1000, 1)]);
}

/// The last symbol of an object comes just before the last instances of the session, which do not list it: when they are
/// read it may still be on its way, and nothing comes after them.
#[test]
fn a_withdrawn_object_is_told_when_nothing_follows() {
    let style = Style::default();
    let oti = no_code(1000, 100, 64);
    let mut harness = Harness::default();
    let fdt = |id: u32, toi: u128| style.fdt(id, &instance("", &[file(toi, &format!("{toi}"), &oti, "")]));
    harness.push_all(&fdt(0, 1));
    harness.pass(1);
    style.object(1, &oti, &content(1000, 1))[1..].iter().for_each(|packet| harness.push(packet));
    harness.push_all(&fdt(1, 2));
    harness.push_all(&style.object(2, &oti, &content(1000, 2)));
    harness.push_all(&fdt(2, 3));
    harness.push_all(&style.object(3, &oti, &content(1000, 3)));
    for _ in 0..5 {
        harness.pass(1);
    }
    assert_eq!(harness.failures(), [(1, "Withdrawn".to_owned())]);
}

/// An object is described when it is added, and its first symbol comes after those of a long one: instances that describe
/// what was added meanwhile do not withdraw it.
#[test]
fn an_object_that_waits_for_its_turn_is_not_withdrawn() {
    let style = Style::default();
    let oti = no_code(1000, 100, 64);
    let mut harness = Harness::default();
    for (id, toi) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
        harness.now = harness.now + Duration::from_millis(1);
        harness.push_all(&style.fdt(id, &instance("", &[file(toi, &format!("{toi}"), &oti, "")])));
    }
    for packet in &style.object(1, &oti, &content(1000, 1))[..9] {
        harness.now = harness.now + Duration::from_millis(100);
        harness.push(packet);
    }
    assert_eq!(harness.failures(), []);
    harness.push_all(&style.object(2, &oti, &content(1000, 2)));
    assert_eq!(harness.take(), [content(1000, 2)]);
}

/// Instances that take turns complement each other (RFC 6726 §3.2): that one does not list an object means nothing.
#[test]
fn alternating_instances_withdraw_nothing() {
    let style = Style::default();
    let oti = no_code(1000, 100, 64);
    let mut harness = Harness::default();
    style.object(1, &oti, &content(1000, 1))[1..].iter().for_each(|packet| harness.push(packet));
    for _ in 0..10 {
        for (id, toi) in [(0, 1), (1, 2)] {
            harness.push_all(&style.fdt(id, &instance("", &[file(toi, &format!("{toi}"), &oti, "")])));
            harness.pass(2);
        }
    }
    assert_eq!(harness.failures(), []);
}

/// A live session without FEC: what can no longer be completed makes way for what can, for ever.
#[test]
fn losses_never_fill_the_memory() {
    let limits = Limits::default().max_memory(1 << 20);
    let mut harness = Harness::new(ReceiverConfig::default().limits(limits));
    let style = Style::default();
    let oti = no_code(100_000, 1000, 64);
    let mut completed = 0;
    for segment in 1..200_u128 {
        let files: Vec<_> =
            (segment.saturating_sub(3).max(1)..=segment).map(|toi| file(toi, &format!("{toi}"), &oti, "")).collect();
        harness.push_all(&style.fdt(segment as u32, &instance("", &files)));
        let packets = style.object(segment, &oti, &content(100_000, segment as u64));
        // Two of three segments lose a packet.
        let lost = if segment % 3 == 0 { usize::MAX } else { segment as usize % 100 };
        packets.iter().enumerate().filter(|(index, _)| *index != lost).for_each(|(_, packet)| harness.push(packet));
        completed += harness.take().len();
        harness.pass(1);
    }
    assert_eq!(completed, 199 / 3);
    harness.pass(10);
    assert!(harness.failures().len() >= 199 - 199 / 3 - 8, "{}", harness.failures().len());
    assert!(harness.stats().memory <= 1 << 20);
}
