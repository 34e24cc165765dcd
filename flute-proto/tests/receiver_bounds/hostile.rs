// SPDX-License-Identifier: MPL-2.0

//! What somebody may send who means harm. An honest session beside it is complete at the end, and the memory stays
//! within the bounds.

use allocation_counter::measure;
use flute_fec::{ByteOrder, Code, Points};
use flute_proto::content::{ContentEncoding, encode};
use flute_proto::lct::HeaderWidths;
use flute_proto::oti::{FecEncodingId, Oti, PayloadId};
use flute_proto::receiver::{Event, Limit, Limits, ReceiverConfig};

use crate::crafted::{Harness, NTP, START, Style, content, file, instance, no_code, oti};

/// What a session may use in these tests.
const MEMORY: u64 = 32 << 20;
/// What goes on top: the tables of the receiver, and what one call needs for itself.
const MARGIN: u64 = 16 << 20;

fn config() -> ReceiverConfig {
    ReceiverConfig { limits: Limits { max_memory: MEMORY, ..Limits::default() }, ..ReceiverConfig::default() }
}

/// Style of the attacks, which come from one address.
fn wide() -> Style {
    Style { widths: HeaderWidths { tsi: 32, toi: 32 }, ..Style::default() }
}

/// Runs an attack between the packets of an honest session. Returns the harness after it.
fn beside(attack: impl Iterator<Item = Vec<u8>>) -> Harness {
    let mut harness = Harness::new(config());
    let object = content(50_000, 1);
    let oti = no_code(50_000, 1000, 16);
    let honest = Style { tsi: 1, ..wide() };
    let mut packets = honest.fdt(0, &instance("", &[file(1, "honest", &oti, "")]));
    packets.extend(honest.object(1, &oti, &object));
    let mut packets = packets.into_iter();
    let info = measure(|| {
        for (index, packet) in attack.enumerate() {
            harness.push_from("198.51.100.1:9", &packet);
            if harness.events.len() > 10_000 {
                harness.events.retain(|event| matches!(event, Event::LimitReached { .. }));
            }
            if index % 100 == 0 {
                packets.next().iter().for_each(|packet| harness.push(packet));
            }
        }
    });
    let bound = MEMORY + MARGIN;
    assert!(info.bytes_max < bound, "{} bytes at the peak, {bound} are allowed", info.bytes_max);
    packets.for_each(|packet| harness.push(&packet));
    assert!(harness.objects.iter().any(|(info, bytes)| info.location() == "honest" && *bytes == object));
    harness
}

fn reached(harness: &Harness, limit: Limit) -> usize {
    let is_it = |event: &&Event| matches!(event, Event::LimitReached { limit: reached, .. } if *reached == limit);
    harness.events.iter().filter(is_it).count()
}

fn first(packets: Vec<Vec<u8>>) -> Vec<u8> {
    packets.into_iter().next().unwrap()
}

#[test]
fn many_sessions() {
    let oti = no_code(2000, 1000, 16);
    let harness = beside((0..200_000).map(|tsi| {
        let style = Style { tsi: 1000 + tsi, ..wide() };
        style.symbol_packet(1, &oti, PayloadId::default(), &[1; 1000], false)
    }));
    assert_eq!(reached(&harness, Limit::Sessions), 1);
    assert!(harness.receiver.stats().sessions.len() <= 64);
}

#[test]
fn many_objects_without_a_description() {
    for fti_on_objects in [false, true] {
        let style = Style { fti_on_objects, ..wide() };
        let oti = no_code(1_000_000, 1000, 16);
        let harness =
            beside((1..200_000).map(|toi| style.symbol_packet(toi, &oti, PayloadId::default(), &[1; 1000], false)));
        assert_eq!(reached(&harness, Limit::Memory), 1 - usize::from(fti_on_objects), "{fti_on_objects}");
    }
}

#[test]
fn many_fdt_instances() {
    let xml = |id: u32| instance("", &[file(1, &format!("a{id}"), &no_code(2000, 1000, 16), "")]);
    // Whole ones.
    let harness = beside((0..200_000).map(|id| first(wide().fdt(id, &xml(id)))));
    assert_eq!(reached(&harness, Limit::FdtInstances), 1);
    // The first packets of long ones.
    let long = instance("", &vec![file(1, "a", &no_code(2000, 1000, 16), ""); 20]);
    let packets = wide().fdt(0, &long);
    beside((0..200_000u32).map(|id| {
        let mut packet = packets[0].clone();
        // EXT_FDT follows CCI, TSI and TOI.
        packet[17..20].copy_from_slice(&[0x20 | (id >> 16) as u8, (id >> 8) as u8, id as u8]);
        packet
    }));
}

#[test]
fn many_files() {
    let oti = no_code(1 << 30, 1000, 60_000);
    let files: Vec<_> = (1..=27_000).map(|toi| file(toi, &format!("file number {toi}"), &oti, "")).collect();
    let mut packets = Vec::new();
    for id in 0..4 {
        packets.extend(wide().fdt(id, &instance("", &files)));
    }
    // A packet of each: none fits into the memory.
    packets.extend((1..=27_000).map(|toi| wide().symbol_packet(toi, &oti, PayloadId::default(), &[1; 1000], false)));
    let mut harness = beside(packets.into_iter());
    harness.finish();
}

#[test]
fn fdt_that_inflates() {
    let zeros = vec![b' '; 200 << 20];
    let bomb = encode(ContentEncoding::Gzip, &zeros).unwrap();
    let packets = wide().fdt_bytes(0, Some(3), &bomb);
    let harness = beside(packets.into_iter());
    assert_eq!(reached(&harness, Limit::Expansion), 1);
}

#[test]
fn object_that_inflates() {
    let zeros = vec![0; 200 << 20];
    let bomb = encode(ContentEncoding::Gzip, &zeros).unwrap();
    let oti = no_code(bomb.len() as u64, 1000, 64);
    let mut packets = wide().fdt(0, &instance("", &[file(1, "bomb", &oti, "Content-Encoding=\"gzip\"")]));
    packets.extend(wide().object(1, &oti, &bomb));
    // Some more for the work to go on.
    packets.extend(vec![wide().symbol_packet(1, &oti, PayloadId::default(), &bomb[..1000], false); 100]);
    let harness = beside(packets.into_iter());
    assert_eq!(harness.failures(), [(1, "Limit(Expansion)".to_owned())]);
}

#[test]
fn deep_xml() {
    let depth = 100_000;
    let xml = format!(
        "<FDT-Instance Expires=\"{}\">{}{}</FDT-Instance>",
        START + NTP,
        "<a>".repeat(depth),
        "</a>".repeat(depth)
    );
    beside(wide().fdt(0, &xml).into_iter());
}

#[test]
fn source_blocks_that_do_not_exist() {
    let oti = no_code(5000, 1000, 2);
    let mut packets = wide().fdt(0, &instance("", &[file(1, "a", &oti, "")]));
    packets.extend((3..50_000).map(|source_block| {
        let id = PayloadId { source_block, ..PayloadId::default() };
        wide().symbol_packet(1, &oti, id, &[1; 1000], false)
    }));
    let harness = beside(packets.into_iter());
    let stats = harness.receiver.stats();
    assert!(stats.sessions.iter().any(|(_, stats)| stats.unusable == 49_997));
}

#[test]
fn lengths_that_no_memory_has() {
    let longest = (1 << 48) - 1;
    for (symbol_size, max) in [(1, 1), (1, u32::MAX), (65_535, 1), (65_535, u32::MAX), (1400, 64)] {
        let oti = no_code(longest, symbol_size, max);
        let style = Style { fti_on_objects: true, ..wide() };
        let mut packets = style.fdt(0, &instance("", &[file(1, "a", &oti, ""), file(2, "b", &oti, "")]));
        for toi in 1..4 {
            packets.push(style.symbol_packet(toi, &oti, PayloadId::default(), &vec![1; symbol_size.into()], false));
            packets.push(wide().symbol_packet(toi, &oti, PayloadId::default(), &vec![1; symbol_size.into()], false));
        }
        beside(packets.into_iter());
    }
}

fn reed_solomon(m: u8, k: u32, n: u32) -> Code {
    Code::ReedSolomon {
        m,
        points: Points::Rizzo,
        byte_order: ByteOrder::LittleEndian,
        max_source_block_length: k,
        max_encoding_symbols: n,
    }
}

#[test]
fn zeros_where_a_divisor_is_expected() {
    use FecEncodingId as Id;
    let all: Vec<Oti> = vec![
        oti(Id::NO_CODE, Code::NoCode { max_source_block_length: 0 }, 5000, 1000),
        oti(Id::NO_CODE, Code::NoCode { max_source_block_length: 0 }, 0, 0),
        oti(Id::NO_CODE, Code::NoCode { max_source_block_length: 16 }, 5000, 0),
        oti(Id::RAPTOR, Code::Raptor { source_blocks: 0, sub_blocks: 0, alignment: 0 }, 5000, 1000),
        oti(Id::RAPTOR, Code::Raptor { source_blocks: 1, sub_blocks: 0, alignment: 4 }, 5000, 1000),
        oti(Id::RAPTOR, Code::Raptor { source_blocks: 1, sub_blocks: 1, alignment: 0 }, 5000, 1000),
        oti(Id::RAPTORQ, Code::RaptorQ { source_blocks: 0, sub_blocks: 0, alignment: 0 }, 5000, 1000),
        oti(Id::RAPTORQ, Code::RaptorQ { source_blocks: 255, sub_blocks: 65_535, alignment: 255 }, 5000, 1000),
        oti(Id::REED_SOLOMON_8, reed_solomon(8, 0, 0), 5000, 1000),
        oti(Id::REED_SOLOMON_8, reed_solomon(8, 200, 100), 5000, 1000),
        oti(Id::REED_SOLOMON_2M, reed_solomon(1, 60, 80), 5000, 1000),
        oti(Id::REED_SOLOMON_2M, reed_solomon(255, 60, 80), 5000, 1000),
        oti(Id::SMALL_BLOCK_SYSTEMATIC, reed_solomon(8, 65_535, 65_535), 5000, 1000),
    ];
    for (index, oti) in all.iter().enumerate() {
        // A Payload ID is four or eight bytes, and need not make sense.
        let mut packets = Vec::new();
        for payload in [&[0; 12][..], &[0; 1008], &[255; 1008]] {
            let fti = oti.encode_fti().unwrap();
            let mut packet = vec![0x10, 0xA0, 0, oti.encoding_id.0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, index as u8 + 1];
            packet.extend([64, (fti.len() / 4 + 1) as u8]);
            packet.extend(&fti);
            packet[2] = (packet.len() / 4) as u8;
            packet.extend(payload);
            packets.push(packet);
        }
        let xml = format!(
            "<File TOI=\"{}\" Content-Location=\"a\" Transfer-Length=\"{}\"/>",
            index + 1,
            oti.parameters.transfer_length
        );
        packets.extend(wide().fdt(1, &instance("", &[xml])));
        let harness = beside(packets.into_iter());
        // Nothing of it is an object, except that no byte is one.
        assert_eq!(harness.objects.len(), if oti.parameters.transfer_length == 0 { 2 } else { 1 }, "{oti:?}");
    }
}

/// GF(2^16), 32 000 symbols of two bytes in a block, 255 in a packet, all of them repair symbols that mean nothing.
#[test]
fn expensive_decoding() {
    let mut reed_solomon = oti(FecEncodingId::REED_SOLOMON_2M, reed_solomon(16, 32_000, 65_535), 64_000, 2);
    reed_solomon.symbols_per_packet = 255;
    let code = Code::RaptorQ { source_blocks: 1, sub_blocks: 1, alignment: 1 };
    let raptorq = oti(FecEncodingId::RAPTORQ, code, 10_000, 1);
    for (oti, per_packet, packets) in [(reed_solomon, 255, 130), (raptorq, 100, 200)] {
        let style = Style { fti_on_objects: true, ..wide() };
        let symbols = content(per_packet * usize::from(oti.parameters.symbol_size), 5);
        let k = oti.codec().unwrap().block(0).unwrap().symbols;
        let harness = beside((0..packets).map(|index| {
            let esi = k + index * per_packet as u32;
            let id = PayloadId { source_block: 0, esi, source_block_length: None };
            style.symbol_packet(1, &oti, id, &symbols, false)
        }));
        let too_expensive = oti.encoding_id == FecEncodingId::REED_SOLOMON_2M;
        assert_eq!(reached(&harness, Limit::DecodingWork), usize::from(too_expensive));
    }
}

/// A session whose memory is full goes on with what it has begun.
#[test]
fn objects_that_have_begun_are_not_touched() {
    let mut harness = Harness::new(config());
    let object = content(20_000_000, 1);
    let oti = no_code(20_000_000, 1400, 64);
    let style = wide();
    let files: Vec<_> = (1..=10).map(|toi| file(toi, &format!("{toi}"), &oti, "")).collect();
    harness.push_all(&style.fdt(0, &instance("", &files)));
    let packets: Vec<_> = (1..=10).map(|toi| style.object(toi, &oti, &object)).collect();
    for index in 0..packets[0].len() {
        packets.iter().for_each(|packets| harness.push(&packets[index]));
    }
    assert_eq!(harness.objects.len(), 1);
    assert_eq!(reached(&harness, Limit::Memory), 1);
    assert!(harness.take() == [object.clone()]);
    // The second has begun with its last symbol, when there was room; the carousel brings its others.
    harness.push_all(&packets[1]);
    assert!(harness.take() == [object.clone()]);
    harness.push_all(&packets[6][..100]);
    harness.finish();
    let limits = harness.failures().iter().filter(|(_, reason)| reason == "Limit(Memory)").count();
    assert_eq!((limits, harness.failures().len()), (7, 8));
}

/// An object that is not sent any more does not keep the others out for ever.
#[test]
fn idle_objects_give_way() {
    let mut harness = Harness::new(config());
    let object = content(20_000_000, 1);
    let oti = no_code(20_000_000, 1400, 64);
    let style = wide();
    harness.push_all(&style.fdt(0, &instance("", &[file(1, "1", &oti, ""), file(2, "2", &oti, "")])));
    harness.push(&style.object(1, &oti, &object)[0]);
    harness.pass(11);
    harness.push_all(&style.object(2, &oti, &object));
    assert!(harness.take() == [object.clone()]);
    harness.push_all(&style.object(1, &oti, &object));
    assert!(harness.take() == [object]);
}
