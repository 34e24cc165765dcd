// SPDX-License-Identifier: MPL-2.0

//! Packets in steady state.

use allocation_counter::measure;
use flute_fec::{ByteOrder, Code, Points};
use flute_proto::Time;
use flute_proto::oti::FecEncodingId;
use flute_proto::receiver::{Endpoints, Receiver, ReceiverConfig};

use crate::crafted::{Harness, START, Style, content, file, instance, no_code, oti};

/// Pushes packets and drops what the receiver tells.
fn push(receiver: &mut Receiver, packets: &[Vec<u8>]) {
    let now = Time::from_unix(std::time::Duration::from_secs(START));
    for packet in packets {
        receiver.push(Endpoints { source: None, destination: None }, packet, now);
        while receiver.poll_event().is_some() {}
    }
}

#[test]
fn no_allocation_per_packet() {
    let object = content(20_000_000, 1);
    let oti = no_code(object.len() as u64, 1400, 64);
    for fti_on_objects in [false, true] {
        let style = Style { fti_on_objects, ..Style::default() };
        let packets = style.object(1, &oti, &object);
        let mut receiver = Receiver::new(ReceiverConfig::default());
        push(&mut receiver, &style.fdt(0, &instance("", &[file(1, "a", &oti, "")])));
        push(&mut receiver, &packets[..100]);
        let info = measure(|| push(&mut receiver, &packets[100..packets.len() - 1]));
        assert_eq!(info.count_total, 0, "{info:?}");
        // Nor for repetitions of what is complete.
        push(&mut receiver, &packets[packets.len() - 1..]);
        assert_eq!(receiver.stats().sessions[0].1.completed, 1);
        let info = measure(|| push(&mut receiver, &packets));
        assert_eq!(info.count_total, 0, "{info:?}");
    }
}

/// Repair symbols cost a few allocations for each block that needs them.
#[test]
fn few_allocations_per_block() {
    let object = content(6_000_000, 1);
    let code = Code::ReedSolomon {
        m: 8,
        points: Points::Rizzo,
        byte_order: ByteOrder::LittleEndian,
        max_source_block_length: 60,
        max_encoding_symbols: 64,
    };
    let oti = oti(FecEncodingId::REED_SOLOMON_8, code, object.len() as u64, 1000);
    let style = Style { fti_on_objects: true, ..Style::default() };
    let mut packets = style.object(1, &oti, &object);
    packets.extend(style.repair(1, &oti, &object, 3));
    let mut index = 0;
    // Two source symbols of each block are lost.
    packets.retain(|_| {
        index += 1;
        index > 6000 || index % 30 != 7
    });
    let mut receiver = Receiver::new(ReceiverConfig::default());
    push(&mut receiver, &packets[..10]);
    let info = measure(|| push(&mut receiver, &packets[10..]));
    assert_eq!(receiver.stats().sessions[0].1.recovered, 200);
    assert!(info.count_total <= 100 * 16, "{info:?}");
}

/// A session does not cost more the more objects it has had.
#[test]
fn objects_leave_little_behind() {
    let mut harness = Harness::default();
    let style = Style::default();
    let object = content(4096, 1);
    let oti = no_code(4096, 1400, 64);
    for toi in 1..=2000 {
        let xml = instance("", &[file(toi, &format!("segment-{toi}.m4s"), &oti, "")]);
        harness.push_all(&style.fdt(toi as u32, &xml));
        harness.push_all(&style.object(toi, &oti, &object));
    }
    assert_eq!(harness.take().len(), 2000);
    let memory = harness.stats().memory;
    assert!(memory < 2000 * 5000, "{memory}");
}
