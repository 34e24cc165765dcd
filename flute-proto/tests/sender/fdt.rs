// SPDX-License-Identifier: MPL-2.0

//! FDT Instances: what they say, and when.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::lct::{Toi, Tsi};
use flute_proto::sender::{
    Batch, Carousel, FdtPolicy, FecConfig, FecScheme, Interval, Object, Pacing, Poll, Removal, SenderConfig,
};

use crate::harness::{Sent, Session, content, no_code, objects, start, tables};

fn config() -> SenderConfig {
    SenderConfig::default()
        .tsi(Tsi::new(7).unwrap())
        .first_toi(Toi::new(1))
        .fec(no_code(1000, 64))
        .fdt(FdtPolicy::default().interval(Duration::from_secs(2)).lifetime(Duration::from_secs(40)))
}

fn for_ever(seconds: u64) -> Carousel {
    Carousel { transfers: None, interval: Interval::Start(Duration::from_secs(seconds)) }
}

#[test]
fn published_repeated_and_renewed() {
    let mut session = Session::new(config());
    let mut object = Object::new("a", content(10));
    object.carousel = for_ever(100);
    session.sender.add(object, session.now).unwrap();
    let sent = session.run_for(Duration::from_secs(60));
    let tables = tables(&sent);
    // The first packet announces it; then the table comes every two seconds.
    assert!(sent[0].is_fdt());
    let seconds: Vec<u64> = tables.iter().map(|table| table.2.since(start()).as_secs()).collect();
    assert_eq!(seconds, (0..=30).map(|turn| 2 * turn).collect::<Vec<_>>());
    // An instance that has lived half its 40 seconds is replaced by a new one.
    let ids: Vec<u32> = tables.iter().map(|table| table.0).collect();
    assert_eq!(ids[..11], [0; 11]);
    assert_eq!(ids[11..22], [1; 11]);
    assert_eq!(ids[22..], [2; 9]);
    for (id, table, at) in tables {
        let expires = Time::from_ntp_seconds(table.expires, at);
        assert!(expires >= at + Duration::from_secs(20), "instance {id} is about to expire");
    }
}

#[test]
fn an_announcement_has_what_is_new() {
    let mut session = Session::new(config());
    for name in ["a", "b"] {
        let mut object = Object::new(name, content(10));
        object.carousel = for_ever(100);
        session.sender.add(object, session.now).unwrap();
    }
    let names = |sent: &[Sent]| -> Vec<Vec<String>> {
        let tables = tables(sent).into_iter();
        tables.map(|table| table.1.files.into_iter().map(|file| file.content_location).collect()).collect()
    };
    assert_eq!(names(&session.drain().0), [["a", "b"]]);
    let mut object = Object::new("c", content(10));
    object.carousel = for_ever(100);
    session.sender.add(object, session.now).unwrap();
    let sent = session.drain().0;
    assert_eq!(names(&sent), [["c"]]);
    // In its turn, the table has all of them.
    assert_eq!(names(&session.run_for(Duration::from_secs(2))), [["a", "b", "c"]]);
}

#[test]
fn a_hundred_thousand_objects_cost_what_one_does() {
    let mut session = Session::new(config().fec(no_code(1400, 64)));
    let mut polls = 0;
    let bytes: Arc<[u8]> = content(4096).into();
    for number in 0..100_000 {
        let object = Object::new(format!("object-{number}"), Arc::clone(&bytes));
        session.sender.add(object, session.now).unwrap();
    }
    let mut batch = Batch::new(64);
    let mut packets = 0;
    while session.sender.poll(session.now, &mut batch) == Poll::Packets {
        polls += 1;
        packets += batch.len();
        while session.sender.poll_event().is_some() {}
    }
    let stats = session.sender.stats();
    assert_eq!((stats.transfers, stats.objects), (100_000, 0));
    // Announced in groups, each instance sent before its objects and once more behind them.
    assert!(stats.fdt_instances < 2_000, "{stats:?}");
    assert_eq!(packets as u64, stats.packets);
    assert_eq!(stats.packets - stats.fdt_packets, 300_000);
    assert!(polls < 150_000, "{polls}");
}

#[test]
fn no_table_without_a_file() {
    let mut session = Session::new(config());
    session.sender.finish(Default::default(), session.now);
    let sent = session.run_to_end();
    assert_eq!(tables(&sent).len(), 0);
    assert!(objects(&sent).is_empty() && sent.len() == 3);
}

#[test]
fn a_long_table_goes_round_in_parts() {
    let mut session = Session::new(config());
    for number in 0..3000 {
        let mut object = Object::new(number.to_string(), content(10));
        object.carousel = for_ever(1_000_000);
        session.sender.add(object, session.now).unwrap();
    }
    let sent = session.run_for(Duration::from_secs(100));
    // 47 parts, 16 of them in two seconds, from two seconds after they were announced on: each object is described every
    // six seconds, or eight at first, by an instance that has not expired.
    let mut described: HashMap<Toi, (Time, Time)> = HashMap::new();
    for (id, table, at) in tables(&sent) {
        assert!(table.files.len() <= 64, "instance {id} has {} files", table.files.len());
        let expires = Time::from_ntp_seconds(table.expires, at);
        for file in table.files {
            let (last, until) = described.insert(file.toi, (at, expires)).unwrap_or((at, expires));
            let longest = if last == start() { 8 } else { 6 };
            assert!(at.since(last) <= Duration::from_secs(longest), "TOI {} was not described for so long", file.toi);
            assert!(until > at);
        }
    }
    assert_eq!(described.len(), 3000);
    assert!(described.values().all(|(last, _)| session.now.since(*last) <= Duration::from_secs(6)));
    // What did not change is not published anew but once in half a lifetime.
    assert!(session.sender.stats().fdt_instances < 400, "{:?}", session.sender.stats());
}

#[test]
fn a_transfer_is_described_in_front_unless_that_was_just_done() {
    let fdt = FdtPolicy::default().interval(Duration::from_secs(9));
    let mut session = Session::new(config().fdt(fdt));
    let mut object = Object::new("a", content(100_000));
    object.carousel = for_ever(4);
    session.sender.add(object, session.now).unwrap();
    let sent = session.run_for(Duration::from_secs(17));
    // Transfers at 0, 4, 8, 12 and 16 seconds, the table at 9.
    let seconds: Vec<u64> = tables(&sent).iter().map(|table| table.2.since(start()).as_secs()).collect();
    assert_eq!(seconds, [0, 4, 8, 9, 16]);
}

#[test]
fn a_table_is_protected_like_the_objects() {
    let fec = FecConfig::default()
        .scheme(FecScheme::ReedSolomon8)
        .symbol_size(500)
        .max_source_block_length(Some(50))
        .protection(Protection::Percent(20.0));
    let published = |names: usize| {
        let mut session = Session::new(config().fec(fec));
        for name in 0..names {
            session.sender.add(Object::new(name.to_string(), content(5000)), session.now).unwrap();
        }
        let sent = session.drain().0;
        let table: Vec<Sent> = sent.iter().take_while(|sent| sent.is_fdt()).cloned().collect();
        (table[0].packet().oti().unwrap().unwrap(), table)
    };
    // One symbol: there is nothing that a code could do, so it is sent twice.
    let (oti, table) = published(1);
    assert_eq!((oti.encoding_id.0, table.len()), (0, 2));
    assert_eq!(table[0].bytes, table[1].bytes);
    // Several: a fifth more, two at least.
    let (oti, table) = published(10);
    let symbols = oti.parameters.transfer_length.div_ceil(500) as usize;
    assert_eq!(oti.encoding_id.0, 5);
    assert!(symbols > 4 && table.len() == symbols + symbols.div_ceil(5).max(2), "{} of {symbols}", table.len());
}

#[test]
fn a_single_transfer_is_described_before_and_after() {
    let mut session = Session::new(config());
    for name in ["a", "b"] {
        session.sender.add(Object::new(name, content(3000)), session.now).unwrap();
    }
    let sent = session.drain().0;
    let order: Vec<bool> = sent.iter().map(Sent::is_fdt).collect();
    assert_eq!(order, [true, false, false, false, false, false, false, true]);
    assert_eq!(sent[0].bytes, sent[7].bytes);
}

#[test]
fn every_file_of_the_session_is_in_the_last_table() {
    let mut session = Session::new(config());
    for name in ["a", "b", "c"] {
        session.sender.add(Object::new(name, content(3000)), session.now).unwrap();
        session.run_for(Duration::from_secs(1));
    }
    session.sender.replace(Object::new("b", content(4000)), session.now).unwrap();
    let removed = session.sender.add(Object::new("never sent", content(3000)), session.now).unwrap();
    session.sender.remove(removed, Removal::Now, session.now);
    session.sender.finish(Default::default(), session.now);
    let (_, table, _) = tables(&session.run_to_end()).pop().unwrap();
    assert!(table.complete);
    let files: Vec<_> = table.files.iter().map(|file| (file.content_location.as_str(), file.content_length)).collect();
    // Of two versions of b only the later.
    assert_eq!(files, [("a", Some(3000)), ("c", Some(3000)), ("b", Some(4000))]);
}

#[test]
fn an_instance_lists_what_is_in_transfer() {
    let fec = FecConfig::default()
        .scheme(FecScheme::ReedSolomon8)
        .symbol_size(500)
        .max_source_block_length(Some(50))
        .protection(Protection::Percent(40.0));
    let fdt = FdtPolicy::default().interval(Duration::from_millis(20));
    let pacing = Pacing::default().bitrate(10_000_000);
    let mut session = Session::new(config().fec(fec).fdt(fdt).pacing(pacing).multiplex(2));
    let mut sent = Vec::new();
    for number in 0..40 {
        let mut object = Object::new(number.to_string(), content(20_000));
        object.carousel = if number % 3 == 0 { for_ever(1) } else { Carousel::default() };
        session.sender.add(object, session.now).unwrap();
        sent.extend(session.run_for(Duration::from_millis(13)));
    }
    sent.extend(session.run_for(Duration::from_secs(3)));

    // Which packets of an object begin and end its transfers: the last one has the last repair symbol.
    let mut transfers: HashMap<u128, Vec<(usize, usize)>> = HashMap::new();
    for (index, packet) in sent.iter().enumerate().filter(|(_, packet)| !packet.is_fdt()) {
        let transfers = transfers.entry(packet.toi().unwrap()).or_default();
        match packet.symbol() {
            (0, 0) => transfers.push((index, index)),
            _ => transfers.last_mut().unwrap().1 = index,
        }
    }
    let mut in_transfer = 0;
    let mut first = 0;
    for (index, packet) in sent.iter().enumerate() {
        if index > 0 && packet.is_fdt() && !sent[index - 1].is_fdt() {
            first = index;
        }
        let ends = packet.is_fdt() && sent.get(index + 1).is_none_or(|next| !next.is_fdt());
        let instances = if ends { tables(&sent[first..=index]) } else { Vec::new() };
        for (id, table, _) in instances {
            for (toi, transfers) in &transfers {
                if transfers.iter().any(|(begin, end)| *begin < first && index < *end) {
                    let is_listed = table.files.iter().any(|file| file.toi.get() == *toi);
                    assert!(is_listed, "instance {id} does not list TOI {toi}");
                    in_transfer += 1;
                }
            }
        }
    }
    assert!(in_transfer > 50, "{in_transfer}");
}
