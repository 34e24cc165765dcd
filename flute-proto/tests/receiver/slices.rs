// SPDX-License-Identifier: MPL-2.0

//! What takes long is done in slices, and holds nothing else up.

use base64::prelude::{BASE64_STANDARD, Engine};
use flute_fec::{ByteOrder, Code, Points};
use flute_proto::content::md5;
use flute_proto::oti::FecEncodingId;
use flute_proto::receiver::{Content, Endpoints, Event, Limits, Receiver, ReceiverConfig};

use crate::crafted::{Harness, Style, content, file, instance, no_code, oti};

/// Pushes a packet, and nothing more.
fn push(harness: &mut Harness, packet: &[u8]) {
    let endpoints = Endpoints { source: "192.0.2.1:5000".parse().ok(), destination: "239.1.1.1:3400".parse().ok() };
    harness.receiver.push(endpoints, packet, harness.now);
}

fn events(receiver: &mut Receiver) -> Vec<Event> {
    std::iter::from_fn(|| receiver.poll_event()).collect()
}

/// What was completed, by location.
fn completed(events: &[Event]) -> Vec<&str> {
    let completed = events.iter().filter_map(|event| match event {
        Event::Completed { object, .. } => Some(object.location()),
        _ => None,
    });
    completed.collect()
}

fn tables(events: &[Event]) -> Vec<(u32, usize)> {
    let tables = events.iter().filter_map(|event| match event {
        Event::Fdt { instance_id, files, .. } => Some((*instance_id, *files)),
        _ => None,
    });
    tables.collect()
}

fn is_due(harness: &Harness) -> bool {
    harness.receiver.next_deadline().is_some_and(|deadline| deadline <= harness.now)
}

/// Does what is due, and says in how many calls.
fn settle(harness: &mut Harness) -> usize {
    let mut calls = 0;
    while is_due(harness) {
        harness.receiver.handle_timeout(harness.now);
        calls += 1;
    }
    calls
}

/// A table of so many files of 4 KiB, the TOIs of which begin at `first`.
fn table(first: u128, files: u128, more: &str) -> String {
    let oti = no_code(4096, 1400, 64);
    let files: Vec<_> = (first..first + files).map(|toi| file(toi, &format!("{toi}"), &oti, "")).collect();
    instance(more, &files)
}

#[test]
fn a_long_table() {
    let mut harness = Harness::default();
    let (style, other) = (Style { tsi: 1, ..Style::default() }, Style { tsi: 2, ..Style::default() });
    let (small, oti) = (content(4096, 1), no_code(4096, 1400, 64));
    let long = style.fdt(5, &table(1, 20_000, ""));
    long.iter().for_each(|packet| push(&mut harness, packet));
    assert!(is_due(&harness));
    assert_eq!(tables(&events(&mut harness.receiver)), []);
    // A repetition, a newer table, and a file of each, which comes before what is said of it.
    push(&mut harness, &long[0]);
    style.fdt(6, &table(30_000, 1, "")).iter().for_each(|packet| push(&mut harness, packet));
    for toi in [20_000, 30_000] {
        style.object(toi, &oti, &small).iter().for_each(|packet| push(&mut harness, packet));
    }
    // Another session does not wait.
    other.fdt(0, &table(1, 1, "")).iter().for_each(|packet| push(&mut harness, packet));
    other.object(1, &oti, &small).iter().for_each(|packet| push(&mut harness, packet));
    let so_far = events(&mut harness.receiver);
    assert_eq!((tables(&so_far), completed(&so_far)), (vec![(0, 1)], vec!["1"]));

    assert!(settle(&mut harness) > 1);
    let then = events(&mut harness.receiver);
    assert_eq!(tables(&then), [(5, 20_000), (6, 1)]);
    assert_eq!(completed(&then), ["20000", "30000"]);
    let stats = harness.receiver.stats();
    assert_eq!((stats.totals.duplicates, stats.totals.failed), (1, 0));
}

/// Two sessions with much to do take turns.
#[test]
fn sessions_take_turns() {
    let mut harness = Harness::default();
    for (tsi, files) in [(1, 40_000), (2, 4000)] {
        let packets = Style { tsi, ..Style::default() }.fdt(0, &table(1, files, ""));
        packets.iter().for_each(|packet| push(&mut harness, packet));
    }
    settle(&mut harness);
    assert_eq!(tables(&events(&mut harness.receiver)), [(0, 4000), (0, 40_000)]);
}

/// An object that is hashed and decoded for long lets short ones pass.
#[test]
fn a_long_object() {
    let mut harness = Harness::default();
    let style = Style::default();
    let (long, small) = (content(30_000_000, 1), content(4096, 2));
    let (long_oti, small_oti) = (no_code(30_000_000, 60_000, 64), no_code(4096, 1400, 64));
    let digest = format!("Content-MD5=\"{}\"", BASE64_STANDARD.encode(md5(&long)));
    let files = [file(1, "long", &long_oti, &digest), file(2, "small", &small_oti, "")];
    style.fdt(0, &instance("Complete=\"true\"", &files)).iter().for_each(|packet| push(&mut harness, packet));
    // The digest runs along with what is there from the start: everything waits for the first packet.
    let packets = style.object(1, &long_oti, &long);
    packets[1..].iter().for_each(|packet| push(&mut harness, packet));
    push(&mut harness, &packets[0]);
    assert_eq!(completed(&events(&mut harness.receiver)), [""; 0]);
    style.object(2, &small_oti, &small).iter().for_each(|packet| push(&mut harness, packet));
    // The session is announced to be closed, and is when all is delivered.
    push(&mut harness, &style.close());
    let mut all = events(&mut harness.receiver);
    assert!(all.iter().all(|event| !matches!(event, Event::SessionClosed { .. })));
    assert!(settle(&mut harness) > 1);
    all.extend(events(&mut harness.receiver));
    assert_eq!(completed(&all), ["small", "long"]);
    assert!(
        matches!(all.last(), Some(Event::SessionClosed { by_sender: true, complete: true, .. })),
        "{:?}",
        all.last()
    );
}

/// The end of the input does not wait for slices.
#[test]
fn the_end_does_all_that_is_left() {
    let mut harness = Harness::default();
    let style = Style::default();
    let (small, oti) = (content(4096, 1), no_code(4096, 1400, 64));
    style.object(20_000, &oti, &small).iter().for_each(|packet| push(&mut harness, packet));
    style.fdt(5, &table(1, 20_000, "")).iter().for_each(|packet| push(&mut harness, packet));
    assert!(is_due(&harness));
    harness.receiver.finish(harness.now);
    let all = events(&mut harness.receiver);
    assert_eq!((tables(&all), completed(&all)), (vec![(5, 20_000)], vec!["20000"]));
    let failed = all.iter().filter(|event| matches!(event, Event::Failed { .. })).count();
    assert_eq!(failed, 19_999);
    assert!(!is_due(&harness));
}

/// Many descriptions that end at the same time, and a session of many objects that is closed, are no long calls.
#[test]
fn many_ends_at_once() {
    for close in [false, true] {
        let mut harness = Harness::default();
        let style = Style::default();
        harness.push_all(&style.fdt(0, &table(1, 30_000, "Complete=\"true\"")));
        if close {
            harness.push(&style.close());
            harness.pass(10);
        } else {
            harness.pass(7200);
        }
        assert_eq!(harness.failures().len(), 30_000);
        assert_eq!(harness.closed().len(), 1);
        let most = harness.receiver.stats().most_work;
        assert!(most <= 10_000_000, "{most}");
    }
}

/// A block of Reed-Solomon over GF(2^16) half of which is missing is rebuilt, in memory and in a spool file, while its
/// other symbols still arrive.
#[test]
fn a_large_block() {
    let code = Code::ReedSolomon {
        m: 16,
        points: Points::Rizzo,
        byte_order: ByteOrder::LittleEndian,
        max_source_block_length: 6000,
        max_encoding_symbols: 9000,
    };
    let oti = oti(FecEncodingId::REED_SOLOMON_2M, code, 6000 * 40 - 10, 40);
    let object = content(6000 * 40 - 10, 1);
    let style = Style { fti_on_objects: true, ..Style::default() };
    let file = format!("<File TOI=\"1\" Content-Location=\"a\" Transfer-Length=\"{}\"/>", object.len());
    let (source, repair) = (style.object(1, &oti, &object), style.repair(1, &oti, &object, 3000));
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits::default().spool_threshold(1000);
    for spool_directory in [None, Some(folder.path().into())] {
        let mut harness =
            Harness::new(ReceiverConfig::default().limits(limits.clone()).spool_directory(spool_directory));
        style.fdt(0, &instance("", std::slice::from_ref(&file))).iter().for_each(|packet| push(&mut harness, packet));
        source.iter().step_by(2).for_each(|packet| push(&mut harness, packet));
        repair.iter().for_each(|packet| push(&mut harness, packet));
        assert!(is_due(&harness));
        // It has begun; some of what it rebuilds arrives all the same.
        source.iter().skip(1).step_by(100).for_each(|packet| push(&mut harness, packet));
        assert!(settle(&mut harness) > 1);
        let all = events(&mut harness.receiver);
        let bytes = all.into_iter().find_map(|event| match event {
            Event::Completed { content: Content::Memory(bytes), .. } => Some(bytes),
            Event::Completed { content: Content::File { mut file, .. }, .. } => {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
                Some(bytes.into())
            }
            _ => None,
        });
        assert!(bytes.as_deref() == Some(&object[..]));
        assert_eq!(harness.stats().recovered, 3000 - 60);
        let most = harness.receiver.stats().most_work;
        assert!(most <= 20_000_000, "{most}");
    }
}
