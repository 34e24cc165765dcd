// SPDX-License-Identifier: MPL-2.0

//! Every FEC scheme, with symbols lost, in any order, in memory and in a spool file.

use base64::prelude::{BASE64_STANDARD, Engine};
use flute_fec::{ByteOrder, Code, Points};
use flute_proto::oti::{FecEncodingId, Oti};
use flute_proto::receiver::{Content, Event, Limits, ReceiverConfig};

use crate::crafted::{Harness, Random, Style, content, instance, oti};

fn reed_solomon(m: u8, k: u32, n: u32) -> Code {
    Code::ReedSolomon {
        m,
        points: Points::Rizzo,
        byte_order: ByteOrder::LittleEndian,
        max_source_block_length: k,
        max_encoding_symbols: n,
    }
}

/// Each scheme for an object of `length` bytes.
fn schemes(length: u64) -> Vec<Oti> {
    vec![
        oti(FecEncodingId::RAPTOR, Code::Raptor { source_blocks: 3, sub_blocks: 1, alignment: 4 }, length, 100),
        oti(FecEncodingId::REED_SOLOMON_2M, reed_solomon(8, 60, 80), length, 100),
        oti(FecEncodingId::REED_SOLOMON_2M, reed_solomon(16, 300, 400), length, 100),
        oti(FecEncodingId::REED_SOLOMON_8, reed_solomon(8, 60, 80), length, 100),
        oti(FecEncodingId::RAPTORQ, Code::RaptorQ { source_blocks: 3, sub_blocks: 1, alignment: 4 }, length, 100),
        oti(FecEncodingId::SMALL_BLOCK_SYSTEMATIC, reed_solomon(8, 60, 80), length, 100),
    ]
}

fn describe(oti: &Oti) -> String {
    let attributes = oti.attributes().unwrap();
    let mut xml = format!(
        "<File TOI=\"1\" Content-Location=\"a\" Transfer-Length=\"{}\" FEC-OTI-FEC-Encoding-ID=\"{}\" \
         FEC-OTI-Encoding-Symbol-Length=\"{}\"",
        oti.parameters.transfer_length, oti.encoding_id, oti.parameters.symbol_size
    );
    for (name, value) in [
        ("FEC-OTI-Maximum-Source-Block-Length", attributes.max_source_block_length),
        ("FEC-OTI-Max-Number-of-Encoding-Symbols", attributes.max_encoding_symbols),
    ] {
        xml.extend(value.map(|value| format!(" {name}=\"{value}\"")));
    }
    let info = attributes.scheme_specific_info.map(|info| BASE64_STANDARD.encode(info));
    xml.extend(info.map(|info| format!(" FEC-OTI-Scheme-Specific-Info=\"{info}\"")));
    xml + "/>"
}

#[test]
fn lost_symbols_are_rebuilt() {
    let object = content(56_789, 1);
    let folder = tempfile::tempdir().unwrap();
    let in_memory = ReceiverConfig::default();
    let limits = Limits::default().spool_threshold(1000);
    let spooled = ReceiverConfig::default().limits(limits).spool_directory(Some(folder.path().into()));
    for oti in schemes(object.len() as u64) {
        for (config, fti_on_objects) in [(&in_memory, false), (&in_memory, true), (&spooled, false)] {
            let style = Style { fti_on_objects, ..Style::default() };
            let mut random = Random(5);
            let mut packets: Vec<_> = style.object(1, &oti, &object);
            packets.extend(style.repair(1, &oti, &object, 20));
            packets.retain(|_| random.below(100) >= 6);
            random.shuffle(&mut packets);
            let fdt = style.fdt(0, &instance("", &[describe(&oti)]));
            // The FDT comes in the middle.
            packets.splice(100..100, fdt);
            let mut harness = Harness::new(config.clone());
            harness.push_all(&packets);
            if config.spool_directory.is_some() {
                let completed = harness.events.iter().any(|event| {
                    matches!(event, Event::Completed { content: Content::File { length: 56_789, .. }, .. })
                });
                assert!(completed, "{oti:?} {:?} {:?}", harness.failures(), harness.stats());
            } else {
                assert!(harness.take() == [object.clone()], "{oti:?}");
            }
            assert!(harness.stats().recovered > 10, "{oti:?}");
            assert!(harness.stats().memory < 10_000, "{oti:?}: {:?}", harness.stats());
        }
    }
}

/// With a code that is MDS the object is there with the k-th symbol of its last block, whichever they are.
#[test]
fn complete_with_the_first_sufficient_packet() {
    let object = content(6000, 2);
    let oti = oti(FecEncodingId::REED_SOLOMON_8, reed_solomon(8, 60, 80), 6000, 100);
    let style = Style::default();
    let mut packets = style.object(1, &oti, &object);
    packets.extend(style.repair(1, &oti, &object, 20));
    for seed in 1..10 {
        Random(seed).shuffle(&mut packets);
        let mut harness = Harness::default();
        harness.push_all(&style.fdt(0, &instance("", &[describe(&oti)])));
        harness.push_all(&packets[..59]);
        assert!(harness.objects.is_empty());
        harness.push(&packets[59]);
        assert_eq!(harness.take(), std::slice::from_ref(&object));
    }
}

/// What the counters of symbols say, of which loss, repair and its margin are worked out: one block of 60 source symbols
/// and 20 repair symbols, of which 3 source symbols and one repair symbol are lost; then an object of which two symbols
/// arrive and no more.
#[test]
fn symbols_are_counted() {
    let object = content(5950, 2);
    let oti = oti(FecEncodingId::REED_SOLOMON_8, reed_solomon(8, 60, 80), 5950, 100);
    let style = Style::default();
    let mut harness = Harness::default();
    let fdt = style.fdt(0, &instance("", &[describe(&oti)]));
    harness.push_all(&fdt);
    let before = harness.stats();
    let mut packets = style.object(1, &oti, &object);
    packets.extend(style.repair(1, &oti, &object, 20));
    for lost in [70, 40, 8, 2] {
        packets.remove(lost);
    }
    harness.push_all(&packets);
    assert_eq!(harness.take(), [object]);
    let stats = harness.stats();
    assert_eq!(stats.source_symbols - before.source_symbols, 57);
    // The last symbol is half a symbol.
    assert_eq!(stats.source_bytes - before.source_bytes, 56 * 100 + 50);
    // Those that come when the object is complete count, too.
    assert_eq!(stats.repair_symbols, 19);
    assert_eq!((stats.recovered, stats.lost_symbols), (3, 0));

    let unlucky = describe(&oti).replace("TOI=\"1\" Content-Location=\"a\"", "TOI=\"2\" Content-Location=\"b\"");
    harness.push_all(&style.fdt(1, &instance("", &[unlucky])));
    harness.push_all(&style.object(2, &oti, &content(5950, 3))[..2]);
    harness.finish();
    assert_eq!(harness.receiver.stats().totals.lost_symbols, 58);
}

/// Only repair symbols arrive.
#[test]
fn repair_symbols_only() {
    let object = content(6000, 3);
    for oti in schemes(6000) {
        let style = Style::default();
        let count = if oti.encoding_id == FecEncodingId::REED_SOLOMON_2M { 62 } else { 80 };
        let wide = match oti.parameters.code {
            Code::ReedSolomon { m, .. } => Code::ReedSolomon {
                m,
                points: Points::Rizzo,
                byte_order: ByteOrder::LittleEndian,
                max_source_block_length: 60,
                max_encoding_symbols: 200,
            },
            code => code,
        };
        let oti = crate::crafted::oti(oti.encoding_id, wide, 6000, 100);
        let mut harness = Harness::default();
        harness.push_all(&style.fdt(0, &instance("", &[describe(&oti)])));
        harness.push_all(&style.repair(1, &oti, &object, count));
        assert_eq!(harness.take(), std::slice::from_ref(&object), "{oti:?}");
    }
}

/// Raptor and RaptorQ with sub-blocks: a symbol lies in several places of the object.
#[test]
fn sub_blocks() {
    let object = content(56_789, 4);
    for oti in [
        oti(FecEncodingId::RAPTOR, Code::Raptor { source_blocks: 2, sub_blocks: 3, alignment: 4 }, 56_789, 100),
        oti(FecEncodingId::RAPTORQ, Code::RaptorQ { source_blocks: 2, sub_blocks: 3, alignment: 4 }, 56_789, 100),
    ] {
        let style = Style::default();
        let codec = oti.codec().unwrap();
        let mut packets = style.repair(1, &oti, &object, 40);
        for block in (0..codec.block_count()).map(|number| codec.block(number).unwrap()) {
            for esi in 0..block.symbols {
                let mut symbol = [0; 100];
                for run in codec.runs(&block, esi) {
                    let bytes = &object[run.object_offset.min(56_789) as usize..][..run.length.into()];
                    symbol[run.symbol_offset.into()..][..bytes.len()].copy_from_slice(bytes);
                }
                let id = flute_proto::oti::PayloadId { source_block: block.number, esi, source_block_length: None };
                packets.push(style.symbol_packet(1, &oti, id, &symbol, false));
            }
        }
        let mut random = Random(9);
        packets.retain(|_| random.below(100) >= 5);
        random.shuffle(&mut packets);
        let mut harness = Harness::default();
        harness.push_all(&style.fdt(0, &instance("", &[describe(&oti)])));
        harness.push_all(&packets);
        assert!(harness.take() == [object.clone()], "{oti:?}");
    }
}
