// SPDX-License-Identifier: MPL-2.0

//! Whole sessions in virtual time: sender, a network that loses and reorders, receiver.

use std::collections::BTreeMap;
use std::time::Duration;

use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::alc::Packet;
use flute_proto::content::ContentEncoding;
use flute_proto::lct::Revision;
use flute_proto::profile::Profile;
use flute_proto::receiver::{Content, Endpoints, Event, Receiver, ReceiverConfig};
use flute_proto::sender::{
    Batch, Carousel, FecConfig, FecScheme, FinishPolicy, Interval, Object, Poll, Sender, SenderConfig,
};

fn start() -> Time {
    Time::from_unix(Duration::from_secs(1_800_000_000))
}

/// Numbers that look random and are the same every time (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % bound
    }
}

fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed + 1);
    (0..length).map(|_| random.below(256) as u8).collect()
}

/// Everything that a sender sends of these objects until it is done, or until it has sent `limit` packets.
fn packets(config: SenderConfig, objects: Vec<Object>, finish: bool, limit: usize) -> Vec<(Time, Vec<u8>)> {
    let mut now = start();
    let mut sender = Sender::new(config, now).unwrap();
    for object in objects {
        sender.add(object, now).unwrap();
    }
    if finish {
        sender.finish(FinishPolicy::default(), now);
    }
    let mut batch = Batch::new(64);
    let mut packets = Vec::new();
    while packets.len() < limit {
        match sender.poll(now, &mut batch) {
            Poll::Packets => packets.extend(batch.packets().map(|packet| (now, packet.to_vec()))),
            Poll::Wait(at) => now = now.max(at),
            Poll::Idle | Poll::Done => break,
        }
    }
    packets
}

fn is_fdt(packet: &[u8]) -> bool {
    Packet::decode(packet, Revision::Rfc5651).unwrap().fdt.is_some()
}

/// What came out, by Content-Location, and whether the session was closed with nothing lost.
#[derive(Debug, Default)]
struct Outcome {
    objects: BTreeMap<String, Vec<u8>>,
    complete: bool,
    recovered: u64,
}

fn receive<'a>(packets: impl IntoIterator<Item = &'a (Time, Vec<u8>)>) -> Outcome {
    let mut receiver = Receiver::new(ReceiverConfig::default());
    let mut outcome = Outcome::default();
    let mut now = start();
    for (time, packet) in packets {
        now = now.max(*time);
        if receiver.next_deadline().is_some_and(|deadline| deadline <= now) {
            receiver.handle_timeout(now);
        }
        receiver.push(Endpoints { source: None, destination: None }, packet, now);
    }
    receiver.finish(now);
    outcome.recovered = receiver.stats().totals.recovered;
    while let Some(event) = receiver.poll_event() {
        match event {
            Event::Completed { object, content: Content::Memory(bytes) } => {
                let before = outcome.objects.insert(object.location().to_owned(), bytes.to_vec());
                assert!(before.is_none(), "{} came twice", object.location());
            }
            Event::SessionClosed { complete, .. } => outcome.complete = complete,
            _ => {}
        }
    }
    outcome
}

fn fec(scheme: FecScheme, repair: u32) -> FecConfig {
    FecConfig::default()
        .scheme(scheme)
        .symbol_size(1000)
        .max_source_block_length(Some(50))
        .protection(Protection::Symbols(repair))
}

const SCHEMES: [FecScheme; 7] = [
    FecScheme::NoCode,
    FecScheme::Raptor,
    FecScheme::ReedSolomon2m { m: 8, symbols_per_packet: 1 },
    FecScheme::ReedSolomon2m { m: 16, symbols_per_packet: 2 },
    FecScheme::ReedSolomon8,
    FecScheme::RaptorQ,
    FecScheme::ReedSolomon8SmallBlock,
];

#[test]
fn every_scheme_under_loss() {
    let contents: BTreeMap<String, Vec<u8>> = [(300_000, "long"), (7, "tiny"), (5000, "short"), (0, "empty")]
        .map(|(length, name)| (format!("http://example.com/{name}"), content(length, length as u64)))
        .into();
    for scheme in SCHEMES {
        for (interleave, spread_repair, fti_on_objects) in [(1, false, false), (4, true, true)] {
            let config = SenderConfig::default()
                .fec(fec(scheme, if scheme == FecScheme::NoCode { 0 } else { 30 }))
                .interleave(interleave)
                .spread_repair(spread_repair)
                .fti_on_objects(fti_on_objects);
            let objects = contents.iter().map(|(name, bytes)| {
                let mut object = Object::new(name.clone(), bytes.clone());
                object.md5 = true;
                object
            });
            let sent = packets(config, objects.collect(), true, usize::MAX);
            let mut random = Random(3);
            let mut arrived: Vec<_> = sent.iter().enumerate().collect();
            if scheme != FecScheme::NoCode {
                arrived.retain(|(_, (_, packet))| is_fdt(packet) || random.below(100) >= 10);
            }
            // Within 20 packets the order is any.
            arrived.sort_by_cached_key(|(index, _)| *index as u64 + random.below(20));
            let outcome = receive(arrived.into_iter().map(|(_, packet)| packet));
            assert!(outcome.objects == contents, "{scheme:?}: {:?}", outcome.objects.keys());
            assert!(outcome.complete, "{scheme:?}");
            assert!(outcome.recovered > 10 || scheme == FecScheme::NoCode, "{scheme:?}: {}", outcome.recovered);
        }
    }
}

#[test]
fn every_encoding() {
    let text: Vec<u8> = (0..20_000).flat_map(|line| format!("{line}\n").into_bytes()).collect();
    for encoding in [ContentEncoding::Null, ContentEncoding::Zlib, ContentEncoding::Gzip] {
        let mut config = SenderConfig::default().content_encoding(encoding);
        config.fdt.content_encoding = encoding;
        config.sender_current_time = true;
        let mut object = Object::new("http://example.com/text", text.clone());
        object.md5 = true;
        let outcome = receive(&packets(config, vec![object], true, usize::MAX));
        assert!(outcome.objects.into_values().eq([text.clone()]), "{encoding:?}");
        assert!(outcome.complete);
    }
}

#[test]
fn every_profile() {
    for profile in [Profile::Rfc6726, Profile::Rfc3926, Profile::Mbms, Profile::Mbms2022, Profile::DvbMabr] {
        let config = SenderConfig::default().profile(profile);
        let bytes = content(100_000, 1);
        let mut object = Object::new("http://example.com/a.m4s", bytes.clone());
        object.content_type = Some("video/mp4".to_owned());
        let outcome = receive(&packets(config, vec![object], true, usize::MAX));
        assert!(outcome.objects.into_values().eq([bytes]), "{profile:?}");
    }
}

/// Who joins a carousel anywhere has all of it after one cycle.
#[test]
fn late_join() {
    let bytes = content(500_000, 1);
    for scheme in [FecScheme::NoCode, FecScheme::ReedSolomon8] {
        let config = SenderConfig::default().fec(fec(scheme, 0));
        let mut object = Object::new("http://example.com/carousel", bytes.clone());
        object.carousel = Carousel { transfers: None, interval: Interval::Delay(Duration::ZERO) };
        let sent = packets(config, vec![object], false, 2200);
        let data: Vec<usize> = (0..sent.len()).filter(|index| !is_fdt(&sent[*index].1)).collect();
        for join in [0, 1, 250, 300, 499] {
            // As many data packets as a cycle has, and whatever FDT Instances are among them.
            let cycle = &sent[data[join]..=data[join + 499]];
            let with_fdt: Vec<_> = sent.iter().filter(|(_, packet)| is_fdt(packet)).take(1).chain(cycle).collect();
            let (last, before) = with_fdt.split_last().unwrap();
            assert!(receive(before.iter().copied()).objects.is_empty(), "{scheme:?}, {join}");
            let outcome = receive(before.iter().copied().chain([*last]));
            assert!(outcome.objects.into_values().eq([bytes.clone()]), "{scheme:?}, {join}");
        }
    }
}
