// SPDX-License-Identifier: MPL-2.0

//! Which packet comes after which.

use std::time::Duration;

use flute_fec::Protection;
use flute_proto::lct::{Toi, Tsi};
use flute_proto::sender::{
    Carousel, Event, FdtPolicy, FecConfig, FecScheme, FinishPolicy, Interval, Object, SenderConfig,
};

use crate::harness::{Sent, Session, content, no_code, objects, tables};

fn config() -> SenderConfig {
    SenderConfig::default()
        .tsi(Tsi::new(7).unwrap())
        .first_toi(Toi::new(1))
        .fec(no_code(10, 4))
        .fdt(FdtPolicy::default().fec(Some(no_code(1400, 64))))
        .close_session(false)
}

/// Adds objects of so many symbols of 10 bytes.
fn add(session: &mut Session, name: &str, symbols: usize, set: impl FnOnce(&mut Object)) -> Toi {
    let mut object = Object::new(name, content(symbols * 10));
    set(&mut object);
    session.sender.add(object, session.now).unwrap()
}

fn tois(sent: &[Sent]) -> Vec<u128> {
    objects(sent).iter().map(|sent| sent.toi().unwrap()).collect()
}

fn symbols(sent: &[Sent]) -> Vec<(u32, u32)> {
    objects(sent).iter().map(Sent::symbol).collect()
}

#[test]
fn a_session_from_start_to_end() {
    let mut session = Session::new(config().close_session(true));
    let bytes = content(65);
    session.sender.add(Object::new("a", bytes.clone()), session.now).unwrap();
    session.sender.finish(FinishPolicy::default(), session.now);
    let sent = session.run_to_end();

    // Announced first.
    assert!(sent[0].is_fdt());
    let tables = tables(&sent);
    assert_eq!(tables[0].1.files[0].content_location, "a");
    assert!(!tables[0].1.complete && tables.last().unwrap().1.complete);
    // 7 symbols in blocks of at most 4: 4 and 3, the last symbol of 5 bytes.
    assert_eq!(symbols(&sent), [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2)]);
    let sent_bytes: Vec<u8> =
        objects(&sent).iter().flat_map(|sent| sent.packet().payload.unwrap().symbols.to_vec()).collect();
    assert_eq!(sent_bytes, bytes);
    // B in the last packet and nowhere else.
    let flags: Vec<bool> = objects(&sent).iter().map(|sent| sent.packet().header.close_object).collect();
    assert_eq!(flags, [false, false, false, false, false, false, true]);
    // The session is closed three times, without a TOI.
    let closing = &sent[sent.len() - 3..];
    assert!(closing.iter().all(|sent| sent.toi().is_none() && sent.packet().header.close_session));
    assert!(sent[..sent.len() - 3].iter().all(|sent| !sent.packet().header.close_session));
    assert!(matches!(session.events[1], Event::TransferStarted { .. }));
    assert!(matches!(session.events[2], Event::TransferEnded { transfers: 1, transfer_length: 65, .. }));
    assert!(matches!(session.events[3], Event::Withdrawn { transfers: 1, .. }));
}

#[test]
fn interleaved_blocks() {
    // RFC 5052 §9.1: 11 symbols in blocks of at most 4 are blocks of 4, 4 and 3.
    let mut session = Session::new(config().interleave(3));
    add(&mut session, "a", 11, |_| {});
    let expected = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (2, 2), (0, 3), (1, 3)];
    assert_eq!(symbols(&session.drain().0), expected);

    // The place of block 0 is taken by block 2, as soon as it is through.
    let mut session = Session::new(config().interleave(2));
    add(&mut session, "a", 11, |_| {});
    let expected = [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 0), (2, 1), (2, 2)];
    assert_eq!(symbols(&session.drain().0), expected);
}

#[test]
fn repair_symbols_last_or_spread() {
    let fec = FecConfig::default()
        .scheme(FecScheme::ReedSolomon8)
        .symbol_size(10)
        .max_source_block_length(Some(4))
        .protection(Protection::Symbols(2));
    let mut session = Session::new(config().fec(fec));
    add(&mut session, "a", 4, |_| {});
    let sent = session.drain().0;
    assert_eq!(symbols(&sent), [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]);
    let last: Vec<bool> = objects(&sent).iter().map(|sent| sent.packet().header.close_object).collect();
    assert_eq!(last, [false, false, false, false, false, true]);
    assert_eq!(session.sender.stats().repair_packets, 2);

    let mut session = Session::new(config().fec(fec).spread_repair(true).interleave(2));
    add(&mut session, "a", 7, |_| {});
    let sent = session.drain().0;
    // Block 0: 4 + 2 symbols, block 1: 3 + 2. One repair symbol after each two of the first, 0, 1, r, 2, r of the second.
    let expected = [(0, 0), (1, 0), (0, 1), (1, 1), (0, 4), (1, 3), (0, 2), (1, 2), (0, 3), (1, 4), (0, 5)];
    assert_eq!(symbols(&sent), expected);
    assert!(objects(&sent).last().unwrap().packet().header.close_object);
}

#[test]
fn higher_priorities_first() {
    let mut session = Session::new(config()).with_batches_of(2);
    add(&mut session, "low", 5, |_| {});
    add(&mut session, "high", 2, |object| object.priority = 1);
    add(&mut session, "highest", 2, |object| object.priority = 9);
    assert_eq!(tois(&session.drain().0), [3, 3, 2, 2, 1, 1, 1, 1, 1]);

    // A lower one pauses.
    add(&mut session, "low", 6, |_| {});
    let mut batch = flute_proto::sender::Batch::new(2);
    let mut sent = Vec::new();
    for round in 0..12 {
        if round == 2 {
            add(&mut session, "high", 2, |object| object.priority = 1);
        }
        session.sender.poll(session.now, &mut batch);
        sent.extend(batch.packets().map(|packet| Sent { at: session.now, bytes: packet.to_vec() }));
    }
    let order = tois(&sent);
    assert_eq!(order.iter().filter(|&&toi| toi == 4).count(), 6);
    let pause = order.iter().position(|&toi| toi == 5).unwrap();
    assert_eq!(order[pause..pause + 2], [5, 5]);
    assert!(pause > 0 && order[pause + 2..].iter().all(|&toi| toi == 4));
}

#[test]
fn side_by_side() {
    let mut config = config();
    config.multiplex = 2;
    config.multiplex_by_priority.insert(1, 3);
    let mut session = Session::new(config);
    for symbols in [3, 1, 2] {
        add(&mut session, &format!("low{symbols}"), symbols, |_| {});
    }
    for symbols in [2, 2, 2] {
        let name = format!("high{}", session.sender.stats().objects);
        add(&mut session, &name, symbols, |object| object.priority = 1);
    }
    // Priority 1 has three at a time. Of priority 0 objects 1 and 2 take turns, then 3 takes the place of 2.
    let order = tois(&session.drain().0);
    assert_eq!(order[..6], [4, 5, 6, 4, 5, 6]);
    assert_eq!(order[6..], [1, 2, 1, 3, 1, 3]);
}

#[test]
fn carousels() {
    let mut session = Session::new(config());
    add(&mut session, "a", 2, |object| {
        object.carousel = Carousel { transfers: Some(3), interval: Interval::Delay(Duration::from_secs(5)) };
    });
    add(&mut session, "b", 1, |object| {
        object.carousel = Carousel { transfers: None, interval: Interval::Start(Duration::from_secs(4)) };
        object.start = Some(session_start() + Duration::from_secs(2));
    });
    let sent = session.run_for(Duration::from_secs(15));
    let times = |toi: u128| -> Vec<u64> {
        let packets = objects(&sent).into_iter().filter(|sent| sent.toi() == Some(toi) && sent.symbol().1 == 0);
        packets.map(|sent| sent.at.since(session_start()).as_secs()).collect()
    };
    assert_eq!(times(1), [0, 5, 10]);
    assert_eq!(times(2), [2, 6, 10, 14]);
    // B in the last packet of the last transfer: more follow after the others (RFC 5651 §5.1).
    let closed: Vec<u64> = objects(&sent)
        .iter()
        .filter(|sent| sent.packet().header.close_object)
        .map(|sent| sent.at.since(session_start()).as_secs())
        .collect();
    assert_eq!(closed, [10]);
}

fn session_start() -> flute_proto::Time {
    crate::harness::start()
}

#[test]
fn an_empty_object_is_one_packet() {
    let mut session = Session::new(config());
    session.sender.add(Object::new("empty", Vec::new()), session.now).unwrap();
    let sent = objects(&session.drain().0);
    assert_eq!(sent.len(), 1);
    assert!(sent[0].packet().header.close_object);
    assert_eq!(sent[0].packet().payload.unwrap().symbols, b"");
}

#[test]
fn long_transfers_tell_of_their_progress() {
    let mut session = Session::new(config());
    add(&mut session, "long", 1050, |_| {});
    add(&mut session, "short", 999, |_| {});
    session.drain();
    let progress: Vec<_> = session
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Progress { location, sent, packets, .. } => Some((&**location, *sent, *packets)),
            _ => None,
        })
        .collect();
    // A hundredth of 1050 packets is 11, rounded up.
    let expected: Vec<_> = (1..=95).map(|hundredth| ("long", hundredth * 11, 1050)).collect();
    assert_eq!(progress, expected);
}

#[test]
fn several_symbols_per_packet() {
    // RFC 5510 §4.2.3: G = 3. Seven source symbols are 3, 3 and 1, the last of 5 bytes; five repair symbols are 3 and 2.
    let fec = FecConfig::default()
        .scheme(FecScheme::ReedSolomon2m { m: 8, symbols_per_packet: 3 })
        .symbol_size(10)
        .max_source_block_length(Some(7))
        .protection(Protection::Symbols(5));
    let mut session = Session::new(config().fec(fec));
    session.sender.add(Object::new("a", content(65)), session.now).unwrap();
    let sent = session.drain().0;
    assert_eq!(symbols(&sent), [(0, 0), (0, 3), (0, 6), (0, 7), (0, 10)]);
    let lengths: Vec<usize> = objects(&sent).iter().map(|sent| sent.packet().payload.unwrap().symbols.len()).collect();
    assert_eq!(lengths, [30, 30, 5, 30, 20]);
    let oti = tables(&sent)[0].1.files[0].oti.clone();
    assert_eq!(oti.scheme_specific_info, Some(vec![8, 3]));
}
