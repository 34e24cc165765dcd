// SPDX-License-Identifier: MPL-2.0

//! What a sender sends, a receiver receives, however the session is configured and whatever order its packets come in.

use std::collections::HashMap;
use std::time::Duration;

use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::alc::Packet;
use flute_proto::content::ContentEncoding;
use flute_proto::lct::{HeaderWidths, Revision, Tsi};
use flute_proto::oti::PayloadIdFormat;
use flute_proto::profile::{Feature, Profile};
use flute_proto::receiver::{Content, Endpoints, Event, Receiver, ReceiverConfig};
use flute_proto::sender::{
    Batch, Deadline, FdtPolicy, FecConfig, FecScheme, FinishPolicy, GrowingSource, Object, Pacing, PacketOverhead,
    Poll, Sender, SenderConfig,
};
use proptest::prelude::*;

fn start() -> Time {
    Time::from_unix(Duration::from_secs(1_800_000_000))
}

fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|index| (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// Everything that the sender sends until it is done.
fn send(mut sender: Sender) -> Vec<Vec<u8>> {
    let mut now = start();
    let mut batch = Batch::new(16);
    let mut sent = Vec::new();
    loop {
        match sender.poll(now, &mut batch) {
            Poll::Packets => sent.extend(batch.packets().map(<[u8]>::to_vec)),
            Poll::Wait(at) => now = at.max(now),
            Poll::Idle => panic!("the session was finished"),
            Poll::Done => return sent,
        }
    }
}

/// What a receiver makes of these packets.
fn receive(packets: &[Vec<u8>]) -> HashMap<String, Vec<u8>> {
    let mut receiver = Receiver::new(ReceiverConfig::default());
    let endpoints = Endpoints { source: None, destination: None };
    let mut received = HashMap::new();
    let mut drain = |receiver: &mut Receiver| {
        while let Some(event) = receiver.poll_event() {
            match event {
                Event::Completed { object, content: Content::Memory(bytes) } => {
                    received.insert(object.location().to_owned(), bytes.to_vec());
                }
                Event::Failed { object, reason, missing } => {
                    panic!("{}: {reason}, missing {missing:?}", object.location());
                }
                _ => {}
            }
        }
    };
    for packet in packets {
        receiver.push(endpoints, packet, start());
        drain(&mut receiver);
    }
    while let Some(deadline) = receiver.next_deadline().filter(|deadline| *deadline <= start()) {
        receiver.handle_timeout(deadline.max(start()));
        drain(&mut receiver);
    }
    received
}

fn schemes() -> impl Strategy<Value = FecScheme> {
    prop_oneof![
        Just(FecScheme::NoCode),
        Just(FecScheme::Raptor),
        (prop_oneof![Just(4u8), Just(8), Just(16)], 1u8..4)
            .prop_map(|(m, symbols_per_packet)| FecScheme::ReedSolomon2m { m, symbols_per_packet }),
        Just(FecScheme::ReedSolomon8),
        Just(FecScheme::RaptorQ),
        Just(FecScheme::ReedSolomon8SmallBlock),
    ]
}

prop_compose! {
    fn codes()(scheme in schemes(), size in 1u16..40, block in 4u32..60, percent in 0f64..60.0) -> FecConfig {
        let block = if matches!(scheme, FecScheme::ReedSolomon2m { m: 4, .. }) { block.min(9) } else { block };
        FecConfig::default().scheme(scheme).symbol_size(8 * size).max_source_block_length(Some(block)).protection(Protection::Percent(percent))
    }
}

prop_compose! {
    fn configs()(
        fec in codes(),
        profile in prop::sample::select(Profile::ALL.to_vec()),
        encoding in prop::sample::select(vec![ContentEncoding::Null, ContentEncoding::Gzip, ContentEncoding::Zlib]),
        fdt_encoding in prop::sample::select(vec![ContentEncoding::Null, ContentEncoding::Deflate]),
        (interleave, multiplex, spread_repair) in (1u32..6, 1u32..4, any::<bool>()),
        (sender_current_time, fti_on_objects, close_with_payload) in any::<(bool, bool, bool)>(),
        widths in prop::sample::select(vec![(0, 0), (16, 16), (48, 112), (32, 64)]),
        bitrate in prop::sample::select(vec![0, 1_000_000]),
        seed in any::<u64>(),
    ) -> SenderConfig {
        let allowed = |feature| profile.check(feature).is_ok();
        let fec = match profile.check_fec(fec.scheme.encoding_id()) {
            Ok(()) => fec,
            Err(_) => fec.scheme(FecScheme::NoCode),
        };
        let widths = if profile.rules().tsi_width.is_some() { (16, 16) } else { widths };
        SenderConfig::default().tsi(Tsi::new(77).unwrap()).profile(profile).fec(fec).content_encoding(if allowed(Feature::ContentEncoding(encoding)) { encoding } else { ContentEncoding::Null }).fdt(FdtPolicy::default().content_encoding(if allowed(Feature::FdtContentEncoding) { fdt_encoding } else { ContentEncoding::Null })).interleave(interleave).multiplex(multiplex).spread_repair(spread_repair).sender_current_time(sender_current_time && allowed(Feature::SenderCurrentTime)).fti_on_objects(fti_on_objects && allowed(Feature::FtiOnObjects)).close_with_payload(close_with_payload).widths(HeaderWidths { tsi: widths.0, toi: widths.1 }).pacing(Pacing::default().bitrate(bitrate).overhead(PacketOverhead::UdpIpv4)).seed(seed)
    }
}

/// A session with objects of these lengths. Some of them grow, some have a deadline.
fn session(config: SenderConfig, lengths: &[usize]) -> Sender {
    let mut sender = Sender::new(config, start()).unwrap();
    for (number, &length) in lengths.iter().enumerate() {
        let location = format!("http://example.com/{number}");
        let mut object = if number % 3 == 1 {
            let (source, mut writer) = GrowingSource::new(length as u64);
            std::io::Write::write_all(&mut writer, &content(length)).unwrap();
            Object::new(location, source)
        } else {
            Object::new(location, content(length))
        };
        object.content_type = Some("application/octet-stream".to_owned());
        object.md5 = number % 2 == 0;
        object.priority = number as u32 % 3;
        object.deadline = (number % 4 == 3).then_some(Deadline::Within(Duration::from_millis(50)));
        sender.add(object, start()).unwrap();
    }
    sender.finish(FinishPolicy::default(), start());
    sender
}

/// Moves packets back and forth by up to eight places.
fn reorder(packets: &mut [Vec<u8>], seed: u64) {
    let mut state = seed | 1;
    for chunk in packets.chunks_mut(8) {
        for index in (1..chunk.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            chunk.swap(index, (state >> 33) as usize % (index + 1));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn everything_arrives(
        config in configs(),
        lengths in prop::collection::vec(prop_oneof![Just(0usize), 1usize..200, 1usize..9000], 1..6),
        order in any::<u64>(),
    ) {
        let mut packets = send(session(config, &lengths));
        // What closes the session stays at its end.
        let end = packets.len() - 3;
        reorder(&mut packets[..end], order);
        let received = receive(&packets);
        for (number, &length) in lengths.iter().enumerate() {
            let object = received.get(&format!("http://example.com/{number}"));
            prop_assert!(object.is_some(), "object {} of {} bytes did not arrive", number, length);
            prop_assert!(object.unwrap() == &content(length), "object {} differs", number);
        }
    }

    #[test]
    fn lost_symbols_are_made_up_for(
        config in configs(),
        lengths in prop::collection::vec(1usize..9000, 1..4),
        first in 0u32..3,
    ) {
        // With an MDS code, any symbols may be lost, as many per block as there are repair symbols.
        let fec = config.fec.scheme(FecScheme::ReedSolomon8).protection(Protection::Symbols(3));
        prop_assume!(config.profile.check_fec(fec.scheme.encoding_id()).is_ok());
        let config = config.fec(fec);
        let mut packets = send(session(config, &lengths));
        packets.retain(|bytes| {
            let packet = Packet::decode(bytes, Revision::Rfc5651).unwrap();
            let (None, Some(payload)) = (packet.fdt, packet.payload) else { return true };
            let id = PayloadIdFormat::of(packet.encoding_id(), 8).unwrap().decode(payload.id).unwrap();
            !(first..first + 3).contains(&id.esi)
        });
        let received = receive(&packets);
        for (number, &length) in lengths.iter().enumerate() {
            let object = received.get(&format!("http://example.com/{number}"));
            prop_assert!(object == Some(&content(length)), "object {} of {} bytes", number, length);
        }
    }
}

#[test]
fn sub_blocks_of_mbms() {
    // TS 26.346 7.2.12: sub-blocks of less than 256 KB. 715 symbols are two blocks of half a megabyte.
    let fec = FecConfig::default()
        .scheme(FecScheme::Raptor)
        .symbol_size(1400)
        .max_source_block_length(Some(600))
        .protection(Protection::Percent(5.0));
    let config = SenderConfig::default().fec(fec).profile(Profile::Mbms);
    let length = 1_000_000;
    let mut packets = send(session(config, &[length, length]));
    let table = packets.iter().find(|bytes| String::from_utf8_lossy(bytes).contains("FEC-OTI-Scheme-Specific-Info"));
    // Z = 2 blocks, N = 2 sub-blocks of each, Al = 4, in base64.
    assert!(String::from_utf8_lossy(table.unwrap()).contains("\"AAICBA==\""));
    packets.retain(|bytes| {
        let packet = Packet::decode(bytes, Revision::Rfc3451).unwrap();
        let (None, Some(payload)) = (packet.fdt, packet.payload) else { return true };
        payload.id[3] % 32 != 7
    });
    let received = receive(&packets);
    for number in 0..2 {
        assert!(received[&format!("http://example.com/{number}")] == content(length));
    }
}
