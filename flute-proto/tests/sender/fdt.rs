// SPDX-License-Identifier: MPL-2.0

//! FDT Instances: what they say, and when.

use std::time::Duration;

use flute_proto::lct::{Toi, Tsi};
use flute_proto::sender::{Carousel, FdtPolicy, Interval, Object, SenderConfig};

use crate::harness::{Session, content, no_code, objects, start, tables};

fn config() -> SenderConfig {
    SenderConfig {
        tsi: Tsi::new(7).unwrap(),
        first_toi: Toi::new(1),
        fec: no_code(1000, 64),
        fdt: FdtPolicy { interval: Duration::from_secs(2), lifetime: Duration::from_secs(40), ..FdtPolicy::default() },
        ..SenderConfig::default()
    }
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
        let expires = flute_proto::Time::from_ntp_seconds(table.expires, at);
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
    let names = |sent: &[crate::harness::Sent]| -> Vec<Vec<String>> {
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
    let mut session = Session::new(SenderConfig { fec: no_code(1400, 64), ..config() });
    let mut polls = 0;
    let bytes: std::sync::Arc<[u8]> = content(4096).into();
    for number in 0..100_000 {
        let object = Object::new(format!("object-{number}"), std::sync::Arc::clone(&bytes));
        session.sender.add(object, session.now).unwrap();
    }
    let mut batch = flute_proto::sender::Batch::new(64);
    let mut packets = 0;
    while session.sender.poll(session.now, &mut batch) == flute_proto::sender::Poll::Packets {
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
