// SPDX-License-Identifier: MPL-2.0

//! What other senders sent comes out as it was, from their packets as captured, and from what a bad network would have
//! left of them.

mod support;

use std::collections::BTreeSet;
use std::fs;

use flute_proto::Time;
use flute_proto::receiver::{Content, Endpoints, Event, Receiver, ReceiverConfig};
use sha2::{Digest, Sha256};
use support::Datagram;

/// Port, TSI, TOI, Content-Location, length and SHA-256.
type Delivered = (u16, u64, u128, String, u64, String);

const CAPTURES: [&str; 7] = [
    "gpac-mabr-dash-flute",
    "mad-nocode",
    "mad-nocode-z1",
    "rt-libflute-nocode",
    "ypo-no-code",
    "ypo-raptorq",
    "ypo-reed-solomon",
];

fn expected(capture: &str) -> BTreeSet<Delivered> {
    let text = fs::read_to_string(support::shared().join("captures/expected.json")).unwrap();
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    let objects = all[capture].as_array().unwrap().iter();
    objects
        .map(|object| {
            (
                object["port"].as_u64().unwrap() as u16,
                object["tsi"].as_u64().unwrap(),
                object["toi"].as_u64().unwrap().into(),
                object["location"].as_str().unwrap().to_owned(),
                object["length"].as_u64().unwrap(),
                object["sha256"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

/// Everything that a receiver makes of the packets. No object may come twice.
fn receive<'a>(datagrams: impl IntoIterator<Item = &'a Datagram>) -> (BTreeSet<Delivered>, Vec<Event>) {
    let mut receiver = Receiver::new(ReceiverConfig::default());
    let mut delivered = BTreeSet::new();
    let mut others = Vec::new();
    let mut now = Time::default();
    let mut drain = |receiver: &mut Receiver| {
        while let Some(event) = receiver.poll_event() {
            match event {
                Event::Completed { object, content: Content::Memory(bytes) } => {
                    let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
                    let new = delivered.insert((
                        object.session.destination.unwrap().port(),
                        object.session.tsi.get(),
                        object.toi().get(),
                        object.location().to_owned(),
                        bytes.len() as u64,
                        sha256,
                    ));
                    assert!(new, "{} came twice", object.location());
                }
                other => others.push(other),
            }
        }
    };
    for datagram in datagrams {
        now = Time::from_unix(datagram.time).max(now);
        while receiver.next_deadline().is_some_and(|deadline| deadline <= now) {
            receiver.handle_timeout(now);
        }
        let endpoints = Endpoints { source: Some(datagram.source), destination: Some(datagram.destination) };
        receiver.push(endpoints, &datagram.payload, now);
        drain(&mut receiver);
    }
    receiver.finish(now);
    drain(&mut receiver);
    assert_eq!(receiver.next_deadline(), None);
    (delivered, others)
}

/// Numbers that look random and are the same every time (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }
}

#[test]
fn as_captured() {
    for capture in CAPTURES {
        let Some(datagrams) = support::datagrams(capture) else { return };
        let (delivered, _) = receive(&datagrams);
        assert_eq!(delivered, expected(capture), "{capture}");
    }
}

/// Whatever the code can repair is repaired: a block that is not has fewer symbols than it has source symbols, or, under
/// RaptorQ, hardly more.
#[test]
fn three_percent_lost_under_fec() {
    for (capture, overhead) in [("ypo-raptorq", 1), ("ypo-reed-solomon", 0)] {
        let Some(datagrams) = support::datagrams(capture) else { return };
        let (expected, mut all) = (expected(capture), 0);
        for seed in 1..=20 {
            let mut random = Random(seed);
            let kept = datagrams.iter().filter(|_| random.below(100) >= 3);
            let (delivered, events) = receive(kept);
            assert!(delivered.is_subset(&expected), "{capture}, seed {seed}");
            let lost: Vec<_> = events
                .iter()
                .filter_map(|event| match event {
                    Event::Failed { missing, .. } => Some(missing),
                    _ => None,
                })
                .collect();
            assert_eq!(delivered.len() + lost.len(), expected.len(), "{capture}, seed {seed}");
            for block in lost.into_iter().flatten() {
                assert!(block.missing + overhead > block.repair, "{capture}, seed {seed}: {block:?}");
            }
            all += usize::from(delivered == expected);
        }
        assert!(all >= 5, "{capture}: {all} of 20 without loss");
    }
}

#[test]
fn duplicated_and_reordered() {
    for capture in CAPTURES {
        let Some(datagrams) = support::datagrams(capture) else { return };
        for seed in 1..=3 {
            let mut random = Random(seed);
            let mut order: Vec<(u64, &Datagram)> = Vec::new();
            for (index, datagram) in datagrams.iter().enumerate() {
                let copies = if random.below(10) == 0 { 2 } else { 1 };
                order.extend((0..copies).map(|_| (index as u64 + random.below(50), datagram)));
            }
            order.sort_by_key(|(place, _)| *place);
            let (delivered, _) = receive(order.into_iter().map(|(_, datagram)| datagram));
            assert_eq!(delivered, expected(capture), "{capture}, seed {seed}");
        }
    }
}

/// What is not complete is reported, and nothing comes out that is not what was sent.
#[test]
fn cut_off_anywhere() {
    for capture in CAPTURES {
        let Some(datagrams) = support::datagrams(capture) else { return };
        let expected = expected(capture);
        let mut random = Random(7);
        for _ in 0..10 {
            let end = random.below(datagrams.len() as u64) as usize;
            let (delivered, events) = receive(&datagrams[..end]);
            assert!(delivered.is_subset(&expected), "{capture}, {end} packets");
            let lost: BTreeSet<_> = events
                .iter()
                .filter_map(|event| match event {
                    Event::Failed { object, missing, .. } if !missing.is_empty() => {
                        Some((object.session.tsi.get(), object.toi().get()))
                    }
                    _ => None,
                })
                .collect();
            let came: BTreeSet<_> = delivered.iter().map(|(_, tsi, toi, ..)| (*tsi, *toi)).collect();
            for event in events {
                if let Event::ObjectStarted(object) = event {
                    let key = (object.session.tsi.get(), object.toi().get());
                    assert!(came.contains(&key) != lost.contains(&key), "{capture}, {end} packets: {object:?}");
                }
            }
        }
    }
}

/// Datagrams that were damaged in length never bring the receiver down, and never give a wrong object, where a digest
/// tells.
#[test]
fn truncated_packets() {
    for capture in CAPTURES {
        let Some(mut datagrams) = support::datagrams(capture) else { return };
        let mut random = Random(11);
        for datagram in &mut datagrams {
            if random.below(10) == 0 {
                let length = random.below(datagram.payload.len() as u64 + 1) as usize;
                datagram.payload.truncate(length);
            }
        }
        let (delivered, _) = receive(&datagrams);
        assert!(delivered.is_subset(&expected(capture)), "{capture}");
    }
}
