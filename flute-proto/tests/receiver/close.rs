// SPDX-License-Identifier: MPL-2.0

//! How sessions begin and end.

use flute_proto::lct::{HeaderWidths, Toi, Tsi};
use flute_proto::receiver::{Event, Filter, ReceiverConfig};

use crate::crafted::{Harness, Style, content, file, instance, no_code};

const SIZE: usize = 5000;

fn style() -> Style {
    Style { widths: HeaderWidths { tsi: 32, toi: 32 }, ..Style::default() }
}

fn fdt(instance_id: u32, more: &str) -> Vec<Vec<u8>> {
    style().fdt(instance_id, &instance(more, &[file(1, "a", &no_code(SIZE as u64, 1000, 2), "")]))
}

fn packets(content: &[u8]) -> Vec<Vec<u8>> {
    style().object(1, &no_code(SIZE as u64, 1000, 2), content)
}

#[test]
fn complete_session_closes_at_once() {
    let mut harness = Harness::default();
    harness.push_all(&fdt(0, "Complete=\"true\""));
    harness.push_all(&packets(&content(SIZE, 1)));
    assert_eq!(harness.closed(), []);
    harness.push(&style().close());
    assert_eq!(harness.closed(), [(true, true)]);
    // Repetitions of it, and packets that are late, are no new session.
    harness.push(&style().close());
    harness.push_all(&packets(&content(SIZE, 1)));
    harness.push_all(&fdt(0, "Complete=\"true\""));
    harness.pass(1000);
    assert_eq!(harness.closed().len(), 1);
    assert_eq!(harness.events.iter().filter(|event| matches!(event, Event::SessionOpened(_))).count(), 1);
    assert_eq!(harness.receiver.next_deadline(), None);
}

#[test]
fn close_before_the_last_packets() {
    let object = content(SIZE, 1);
    let mut harness = Harness::default();
    harness.push_all(&fdt(0, "Complete=\"true\""));
    harness.push_all(&packets(&object)[..3]);
    harness.push(&style().close());
    harness.push_all(&packets(&object)[3..]);
    assert_eq!(harness.take(), [object]);
    assert_eq!(harness.closed(), [(true, true)]);
}

#[test]
fn losses_are_reported_when_the_session_closes() {
    let mut harness = Harness::default();
    harness.push_all(&fdt(0, "Complete=\"true\""));
    // Blocks of 2, 2 and 1 symbols: the first is complete, one symbol of the second is there.
    harness.push_all(&packets(&content(SIZE, 1))[..3]);
    harness.push(&style().close());
    assert_eq!(harness.failures(), []);
    harness.pass(10);
    let missing = harness.events.iter().find_map(|event| match event {
        Event::Failed { missing, .. } => Some(missing.clone()),
        _ => None,
    });
    let missing: Vec<_> =
        missing.unwrap().iter().map(|loss| (loss.source_block, loss.missing, loss.source_symbols)).collect();
    assert_eq!(missing, [(1, 1, 2), (2, 1, 1)]);
    assert_eq!(harness.failures(), [(1, "SessionEnded".to_owned())]);
    assert_eq!(harness.closed(), [(true, false)]);
    assert!(matches!(harness.events.last(), Some(Event::SessionClosed { .. })));
}

/// The sender said that it ends, and goes on.
#[test]
fn a_session_that_goes_on() {
    let object = content(200_000, 1);
    let oti = no_code(200_000, 1000, 64);
    let mut harness = Harness::default();
    harness.push_all(&style().fdt(0, &instance("", &[file(1, "a", &oti, "")])));
    let packets = style().object(1, &oti, &object);
    harness.push_all(&packets[..50]);
    harness.push(&style().close());
    harness.push_all(&packets[50..150]);
    harness.pass(20);
    assert_eq!(harness.closed(), []);
    harness.push_all(&packets[150..]);
    assert_eq!(harness.take(), [object]);
}

/// A new FDT Instance after the end is a new session, in which all is delivered again.
#[test]
fn a_session_that_begins_again() {
    let object = content(SIZE, 1);
    let mut harness = Harness::default();
    for instance_id in 0..2 {
        harness.push_all(&fdt(instance_id, "Complete=\"true\""));
        harness.push_all(&packets(&object));
        assert_eq!(harness.take(), std::slice::from_ref(&object));
        harness.push(&style().close());
    }
    assert_eq!(harness.closed(), [(true, true), (true, true)]);
}

#[test]
fn silence_closes() {
    let mut harness = Harness::default();
    harness.push_all(&fdt(0, ""));
    harness.push_all(&packets(&content(SIZE, 1))[..3]);
    harness.pass(299);
    assert_eq!(harness.closed(), []);
    harness.pass(2);
    assert_eq!(harness.closed(), [(false, false)]);
    assert_eq!(harness.failures(), [(1, "SessionEnded".to_owned())]);
    assert_eq!(harness.receiver.next_deadline(), None);
    assert!(harness.receiver.stats().sessions.is_empty());
}

#[test]
fn finish_reports_and_closes() {
    let mut harness = Harness::default();
    harness.push_all(&fdt(0, ""));
    harness.push_all(&packets(&content(SIZE, 1))[..4]);
    harness.finish();
    assert_eq!(harness.failures(), [(1, "SessionEnded".to_owned())]);
    assert_eq!(harness.closed(), [(false, false)]);
}

/// Sessions are told apart by source address and TSI (RFC 6726 §3.1); the source port may change.
#[test]
fn sessions_apart() {
    let mut harness = Harness::default();
    let objects = [content(SIZE, 1), content(SIZE, 2), content(SIZE, 3)];
    let other = Style { tsi: 8, ..style() };
    let oti = no_code(SIZE as u64, 1000, 2);
    let other_fdt = other.fdt(0, &instance("", &[file(1, "a", &oti, "")]));
    for (source, packets) in [
        ("192.0.2.1:5000", fdt(0, "")),
        ("192.0.2.2:5000", fdt(0, "")),
        ("192.0.2.1:5001", other_fdt),
        ("192.0.2.1:5002", packets(&objects[0])),
        ("192.0.2.2:5002", packets(&objects[1])),
        ("192.0.2.1:5002", other.object(1, &oti, &objects[2])),
    ] {
        packets.iter().for_each(|packet| harness.push_from(source, packet));
    }
    assert_eq!(harness.take(), objects);
    assert_eq!(harness.receiver.stats().sessions.len(), 3);
}

#[test]
fn filters() {
    let filter = Filter::default().tsis(vec![Tsi::new(7).unwrap()]).source("192.0.2.1".parse().ok());
    let mut harness = Harness::new(ReceiverConfig::default().filter(filter));
    let other = Style { tsi: 8, ..style() };
    fdt(0, "").iter().for_each(|packet| harness.push_from("192.0.2.2:5000", packet));
    harness.push_all(&other.fdt(0, &instance("", &[])));
    assert_eq!(harness.receiver.stats().filtered, 2);
    assert!(harness.events.is_empty());
    harness.push_all(&fdt(0, ""));
    harness.push_all(&packets(&content(SIZE, 1)));
    assert_eq!(harness.take().len(), 1);
}

#[test]
fn what_is_not_alc_is_counted() {
    let mut harness = Harness::default();
    for datagram in [&[][..], &[0x10], &[0x20; 40], &[0x10, 0x10, 0xFF, 0, 0, 0, 0, 0], &[0xFF; 1500]] {
        harness.push(datagram);
    }
    assert_eq!(harness.receiver.stats().malformed, 5);
    assert!(harness.events.is_empty());
}

#[test]
fn what_a_session_may_bring() {
    let mut harness = Harness::default();
    let may_bring = |harness: &Harness, name: &str| harness.receiver.may_bring(|location| location == name);
    assert!(may_bring(&harness, "a"), "anything before the first packet");
    harness.push_all(&fdt(0, ""));
    assert!(may_bring(&harness, "a") && may_bring(&harness, "b"), "more may be described");
    harness.push_all(&fdt(1, "Complete=\"true\""));
    assert!(may_bring(&harness, "a") && !may_bring(&harness, "b"), "nothing more will be described");
    harness.push_all(&packets(&content(SIZE, 1)));
    assert!(!may_bring(&harness, "a"), "it has come");
    harness.push(&style().close());
    assert!(!may_bring(&harness, "b"), "the session is closed");
}

#[test]
fn a_completed_object_is_taken_again_if_it_is_wanted() {
    let object = content(SIZE, 1);
    let mut harness = Harness::default();
    harness.push_all(&fdt(0, ""));
    for wanted in [true, false] {
        harness.push_all(&packets(&object));
        assert_eq!(harness.take(), std::slice::from_ref(&object));
        harness.push_all(&packets(&object));
        assert!(harness.take().is_empty(), "a repetition");
        let session = harness.receiver.stats().sessions[0].0;
        if wanted {
            harness.receiver.receive_again(&session, Toi::new(1).unwrap());
        }
    }
    assert_eq!(harness.receiver.stats().totals.completed, 2);
}
