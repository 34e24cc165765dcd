// SPDX-License-Identifier: MPL-2.0

//! The rate of a session, and the deadlines of objects.

use std::time::Duration;

use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::lct::Toi;
use flute_proto::sender::{
    Carousel, Deadline, FecConfig, FecScheme, Interval, Object, Pacing, PacketOverhead, SenderConfig,
};

use crate::harness::{Sent, Session, content, no_code, objects, start};

fn paced(bitrate: u64, overhead: PacketOverhead) -> SenderConfig {
    SenderConfig::default()
        .first_toi(Toi::new(1))
        .fec(no_code(1400, 64))
        .pacing(Pacing::default().bitrate(bitrate).overhead(overhead))
}

fn for_ever() -> Carousel {
    Carousel { transfers: None, interval: Interval::Delay(Duration::ZERO) }
}

fn add_endless(session: &mut Session, length: usize) {
    let mut object = Object::new("endless", content(length));
    object.carousel = for_ever();
    session.sender.add(object, session.now).unwrap();
}

/// Bits on the wire from `from` to `to`, with so many bytes of other headers per packet.
fn bits(sent: &[Sent], from: Time, to: Time, overhead: usize) -> u64 {
    let packets = sent.iter().filter(|sent| sent.at >= from && sent.at < to);
    packets.map(|sent| 8 * (sent.bytes.len() + overhead) as u64).sum()
}

#[test]
fn the_rate_holds_over_every_second() {
    for (overhead, bytes) in [(PacketOverhead::None, 0), (PacketOverhead::UdpIpv4, 28), (PacketOverhead::UdpIpv6, 48)] {
        for bitrate in [3_000_000, 47_000_000] {
            let mut session = Session::new(paced(bitrate, overhead));
            add_endless(&mut session, 1_000_003);
            let sent = session.run_for(Duration::from_secs(4));
            for millisecond in (0..3000).step_by(250) {
                let from = start() + Duration::from_millis(millisecond);
                let bits = bits(&sent, from, from + Duration::from_secs(1), bytes);
                let error = bits.abs_diff(bitrate);
                assert!(error <= bitrate / 100, "{bits} bits in the second from {millisecond} ms at {bitrate} bit/s");
            }
        }
    }
}

#[test]
fn a_stall_makes_a_short_burst() {
    let bitrate = 100_000_000;
    let mut session = Session::new(paced(bitrate, PacketOverhead::UdpIpv4));
    add_endless(&mut session, 1_000_000);
    session.run_for(Duration::from_millis(100));
    session.now = session.now + Duration::from_secs(3);
    let at_once = session.drain().0;
    // Two milliseconds of the rate, and the packet that goes beyond them.
    let burst = bits(&at_once, start(), Time::MAX, 28);
    assert!(burst <= bitrate / 500 + 8 * 1500, "{burst} bits at once");
    assert!(burst >= bitrate / 1000, "{burst} bits at once");
}

#[test]
fn a_new_rate_takes_effect_at_once() {
    let mut session = Session::new(paced(1_000_000, PacketOverhead::None));
    add_endless(&mut session, 1_000_000);
    session.run_for(Duration::from_secs(1));
    let changed = session.now;
    session.sender.set_pacing(Pacing::default().bitrate(20_000_000).overhead(PacketOverhead::None), changed);
    let sent = session.run_for(Duration::from_secs(1));
    let bits = bits(&sent, changed, changed + Duration::from_secs(1), 0);
    assert!(bits.abs_diff(20_000_000) <= 200_000, "{bits} bits in the second after the change");
}

#[test]
fn a_deadline_counts_repair_symbols() {
    // 100 source symbols and 50 repair symbols, spread over three seconds: one packet every 20 ms.
    let fec = FecConfig::default()
        .scheme(FecScheme::ReedSolomon8)
        .symbol_size(1000)
        .max_source_block_length(Some(50))
        .protection(Protection::Percent(50.0));
    let mut session = Session::new(paced(0, PacketOverhead::None).fec(fec));
    let mut object = Object::new("a", content(100_000));
    object.deadline = Some(Deadline::Within(Duration::from_secs(3)));
    session.sender.add(object, session.now).unwrap();
    let mut other = Object::new("b", content(10_000));
    other.start = Some(start() + Duration::from_secs(1));
    other.deadline = Some(Deadline::At(start() + Duration::from_secs(2)));
    session.sender.add(other, session.now).unwrap();
    let sent = session.run_for(Duration::from_secs(10));

    let times = |toi| -> Vec<Duration> {
        let packets = objects(&sent).into_iter().filter(|sent| sent.toi() == Some(toi));
        packets.map(|sent| sent.at.since(start())).collect()
    };
    let first = times(1);
    assert_eq!(first.len(), 150);
    for (index, at) in first.iter().enumerate() {
        let expected = Duration::from_millis(20) * index as u32;
        assert!(at.abs_diff(expected) <= Duration::from_millis(1), "packet {index} at {at:?}");
    }
    let second = times(2);
    assert_eq!(second.len(), 15);
    assert!(second[0] >= Duration::from_secs(1) && second[14] < Duration::from_secs(2));
    assert!(second[14] >= Duration::from_millis(1900));
}

#[test]
fn due_times_follow_the_rate() {
    // What is polled ahead of its time says when it is due.
    let mut session = Session::new(paced(8_000_000, PacketOverhead::None));
    add_endless(&mut session, 1_000_000);
    let mut batch = flute_proto::sender::Batch::new(64);
    let mut bytes = 0;
    for _ in 0..500 {
        match session.sender.poll(session.now, &mut batch) {
            flute_proto::sender::Poll::Packets => {
                let expected = start() + Duration::from_micros(bytes as u64);
                assert!(batch.due().since(expected).max(expected.since(batch.due())) < Duration::from_micros(2));
                bytes += batch.as_bytes().len();
            }
            flute_proto::sender::Poll::Wait(at) => session.now = at,
            poll => panic!("{poll:?}"),
        }
    }
    assert!(bytes > 100_000);
}
