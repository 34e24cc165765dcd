// SPDX-License-Identifier: MPL-2.0

//! The `flute` crate sends, this crate receives: every FEC scheme that both have, with packets lost.

use std::time::{Duration, SystemTime};

use flute::core::lct::Cenc;
use flute::core::{Oti, UDPEndpoint};
use flute::sender::{Config, FDTPublishMode, ObjectDesc, PriorityQueue, Sender, TransferConfig};
use flute_proto::Time;
use flute_proto::receiver::{Content, Endpoints, Event, Receiver, ReceiverConfig};

const START: u64 = 1_800_000_000;

fn content(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = std::iter::from_fn(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some((state >> 24) as u8)
    });
    next.take(length).collect()
}

/// All packets of a session with the objects `file:///0`, `file:///1` …
fn packets(oti: &Oti, config: Config, encoding: Cenc, objects: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(START);
    let endpoint = UDPEndpoint::new(None, "239.1.1.1".to_owned(), 3400);
    let mut sender = Sender::new(endpoint, 7, oti, &config);
    for (index, object) in objects.iter().enumerate() {
        let location = url::Url::parse(&format!("file:///{index}")).unwrap();
        let config = TransferConfig { cenc: encoding, ..TransferConfig::default() };
        let object =
            ObjectDesc::create_from_buffer(object.clone(), "application/octet-stream", &location, true, config);
        sender.add_object(0, object.unwrap()).unwrap();
    }
    sender.publish(start).unwrap();
    let mut packets = Vec::new();
    while let Some(packet) = sender.read(start) {
        packets.push(packet);
    }
    packets.push(sender.read_close_session(start));
    packets
}

/// Locations and contents of what comes out, and how many source symbols were rebuilt.
fn receive(packets: &[Vec<u8>]) -> (Vec<(String, Vec<u8>)>, u64) {
    let now = Time::from_unix(Duration::from_secs(START));
    let mut receiver = Receiver::new(ReceiverConfig::default());
    for packet in packets {
        receiver.push(Endpoints { source: None, destination: None }, packet, now);
    }
    receiver.finish(now);
    let recovered = receiver.stats().totals.recovered;
    let mut objects = Vec::new();
    while let Some(event) = receiver.poll_event() {
        match event {
            Event::Completed { object, content: Content::Memory(bytes) } => {
                objects.push((object.location().to_owned(), bytes.to_vec()));
            }
            Event::Failed { object, reason, missing } => {
                panic!("{}: {reason}, {missing:?}", object.location());
            }
            _ => {}
        }
    }
    objects.sort();
    (objects, recovered)
}

fn expected(objects: &[Vec<u8>]) -> Vec<(String, Vec<u8>)> {
    let named = objects.iter().enumerate().map(|(index, object)| (format!("file:///{index}"), object.clone()));
    named.collect()
}

/// One packet in fifty is lost, but none of FDT Instances, which the peer sends once.
fn lossy(packets: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut index = 0;
    let is_kept = |packet: &Vec<u8>| {
        let packet = flute_proto::alc::Packet::decode(packet, Default::default()).unwrap();
        index += usize::from(packet.fdt.is_none());
        packet.fdt.is_some() || index % 50 != 20
    };
    let mut packets = packets;
    packets.retain(is_kept);
    packets
}

#[test]
fn every_scheme_without_loss() {
    let objects = [content(1_000_000), content(1), content(5000), Vec::new()];
    for oti in [
        Oti::new_no_code(1400, 64),
        Oti::new_raptor(1400, 64, 10, 1, 4).unwrap(),
        Oti::new_reed_solomon_rs2m(1400, 60, 10, 8).unwrap(),
        Oti::new_reed_solomon_rs28(1400, 60, 10).unwrap(),
        Oti::new_raptorq(1400, 64, 10, 1, 4).unwrap(),
        Oti::new_reed_solomon_rs28_under_specified(1400, 60, 10).unwrap(),
    ] {
        // The peer does not send an empty object; and Raptor is not for blocks of fewer than four symbols.
        let objects = if oti.fec_encoding_id as u8 == 1 { &objects[..1] } else { &objects[..3] };
        let packets = packets(&oti, Config::default(), Cenc::Null, objects);
        let (received, _) = receive(&packets);
        assert!(received == expected(objects), "{oti:?}");
    }
}

#[test]
fn two_percent_lost() {
    let objects = [content(1_000_000), content(300_000)];
    for oti in [
        // Raptor fails with h symbols more than it needs with a probability of about 0.85 · 0.567^h.
        Oti::new_raptor(1400, 64, 24, 1, 4).unwrap(),
        Oti::new_reed_solomon_rs2m(1400, 60, 10, 8).unwrap(),
        Oti::new_reed_solomon_rs28(1400, 60, 10).unwrap(),
        Oti::new_raptorq(1400, 64, 10, 1, 4).unwrap(),
        Oti::new_reed_solomon_rs28_under_specified(1400, 60, 10).unwrap(),
    ] {
        for interleave_blocks in [1, 4] {
            let config = Config { interleave_blocks, ..Config::default() };
            let packets = lossy(packets(&oti, config, Cenc::Null, &objects));
            let (received, recovered) = receive(&packets);
            assert!(received == expected(&objects), "{oti:?}");
            assert!(recovered > 5, "{oti:?}: {recovered}");
        }
    }
}

#[test]
fn encodings_and_versions() {
    let text: Vec<u8> = (0..20_000).flat_map(|line| format!("{line}\n").into_bytes()).collect();
    let objects = [text, content(5000)];
    let oti = Oti::new_no_code(1400, 64);
    for encoding in [Cenc::Null, Cenc::Zlib, Cenc::Deflate, Cenc::Gzip] {
        for fdt_inband_sct in [true, false] {
            for fdt_publish_mode in [FDTPublishMode::FullFDT, FDTPublishMode::ObjectsBeingTransferred] {
                let mut config = Config { fdt_cenc: encoding, fdt_inband_sct, fdt_publish_mode, ..Config::default() };
                config.set_priority_queue(0, PriorityQueue::new(3));
                let (received, _) = receive(&packets(&oti, config, encoding, &objects));
                assert!(received == expected(&objects), "{encoding:?}");
            }
        }
    }
}
