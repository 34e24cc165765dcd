// SPDX-License-Identifier: MPL-2.0

//! What becomes of objects: encoded, growing, failing, replaced, removed.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use flute_fec::Protection;
use flute_proto::content::{ContentEncoding, DecodeLimits, decode, md5};
use flute_proto::lct::Toi;
use flute_proto::sender::{
    Carousel, Event, Failure, FdtPolicy, FecScheme, FileSource, FinishPolicy, GrowingSource, Interval, Object,
    ObjectError, OnChange, Pacing, Poll, Removal, SenderConfig,
};

use crate::harness::{Sent, Session, content, no_code, objects, start, tables};

fn config() -> SenderConfig {
    SenderConfig::default()
        .first_toi(Toi::new(1))
        .fec(no_code(1000, 64))
        .fdt(FdtPolicy::default().interval(Duration::from_secs(1000)))
}

fn carousel(transfers: Option<u64>, seconds: u64) -> Carousel {
    Carousel { transfers, interval: Interval::Start(Duration::from_secs(seconds)) }
}

fn bytes(sent: &[Sent], toi: u128) -> Vec<u8> {
    let packets = objects(sent).into_iter().filter(|sent| sent.toi() == Some(toi));
    packets.flat_map(|sent| sent.packet().payload.unwrap().symbols.to_vec()).collect()
}

#[test]
fn encoded_content_and_its_digest() {
    // Long enough for a temporary file, and for many polls.
    let plain: Vec<u8> = content(3_000_000).into_iter().map(|byte| byte % 64).collect();
    for encoding in [ContentEncoding::Gzip, ContentEncoding::Zlib] {
        let mut session = Session::new(config().content_encoding(encoding));
        let mut object = Object::new("a", plain.clone());
        object.md5 = true;
        let toi = session.sender.add(object, session.now).unwrap();
        assert_eq!(session.sender.queued_bytes(), 3_000_000);
        let sent = session.drain().0;
        let file = tables(&sent)[0].1.files[0].clone();
        let transported = bytes(&sent, toi.get());
        assert!(transported.len() > 1 << 20 && transported.len() < plain.len());
        assert_eq!(file.content_length, Some(3_000_000));
        assert_eq!(file.transfer_length, Some(transported.len() as u64));
        assert_eq!(file.content_encoding.as_deref(), encoding.fdt_name());
        assert_eq!(file.content_md5, Some(md5(&transported)));
        assert!(decode(encoding, &transported, DecodeLimits::default()).unwrap() == plain);
        assert_eq!(session.sender.queued_bytes(), 0);
    }
}

#[test]
fn what_is_encoded_already_is_sent_as_it_is() {
    let mut session = Session::new(config());
    let mut object = Object::new("a", b"not really gzip".to_vec());
    object.content_encoding = Some(ContentEncoding::Gzip);
    object.is_encoded = true;
    object.content_length = Some(99);
    session.sender.add(object, session.now).unwrap();
    let sent = session.drain().0;
    let file = &tables(&sent)[0].1.files[0];
    assert_eq!((file.content_length, file.transfer_length), (Some(99), Some(15)));
    assert_eq!(file.content_encoding.as_deref(), Some("gzip"));
    assert_eq!(bytes(&sent, 1), b"not really gzip");
}

#[test]
fn files_are_sent_like_memory() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let plain = content(1_234_567);
    file.write_all(&plain).unwrap();
    for (scheme, spread_repair) in
        [(FecScheme::NoCode, false), (FecScheme::ReedSolomon8, false), (FecScheme::RaptorQ, true)]
    {
        let fec = no_code(1000, 200).scheme(scheme).protection(Protection::Symbols(7));
        let sent = [true, false].map(|from_file| {
            let config = config().fec(fec).spread_repair(spread_repair).interleave(3);
            let mut session = Session::new(config);
            let object = match from_file {
                true => Object::new("a", FileSource::open(file.path()).unwrap()),
                false => Object::new("a", plain.clone()),
            };
            session.sender.add(object, session.now).unwrap();
            let sent = session.drain().0;
            sent.into_iter().map(|sent| sent.bytes).collect::<Vec<_>>()
        });
        assert!(sent[0] == sent[1], "{scheme:?}");
    }
}

#[test]
fn growing_objects_wait_for_their_bytes() {
    let fec = no_code(1000, 4).scheme(FecScheme::ReedSolomon8).protection(Protection::Symbols(1));
    let mut session = Session::new(config().fec(fec).interleave(2));
    let plain = content(7500);
    let (source, mut writer) = GrowingSource::new(7500);
    session.sender.add(Object::new("growing", source), session.now).unwrap();
    session.sender.add(Object::new("other", content(1000)), session.now).unwrap();
    let mut sent = session.drain().0;
    // It is announced, and others go on.
    assert_eq!(tables(&sent)[0].1.files.len(), 2);
    assert_eq!((bytes(&sent, 1).len(), bytes(&sent, 2).len() >= 1000), (0, true));
    let mut counts = Vec::new();
    for piece in plain.chunks(2500) {
        writer.write_all(piece).unwrap();
        sent.extend(session.drain().0);
        counts.push(objects(&sent).iter().filter(|sent| sent.toi() == Some(1)).count());
    }
    // 2 symbols of 2500 bytes; 4 of 5000 with the repair symbol of their block, and the first of the next; then all.
    assert_eq!(counts, [2, 6, 10]);
    let source: Vec<u8> = objects(&sent)
        .iter()
        .filter(|sent| sent.toi() == Some(1) && sent.symbol().1 < 4)
        .flat_map(|sent| sent.packet().payload.unwrap().symbols.to_vec())
        .collect();
    assert!(source == plain);
    assert!(session.events.iter().any(|event| matches!(event, Event::TransferEnded { transfers: 1, .. })));
}

#[test]
fn a_digest_waits_for_all_bytes() {
    let mut session = Session::new(config());
    let (source, mut writer) = GrowingSource::new(3000);
    let mut object = Object::new("growing", source);
    object.md5 = true;
    session.sender.add(object, session.now).unwrap();
    writer.write_all(&content(3000)[..2000]).unwrap();
    assert_eq!(session.drain().0.len(), 0);
    writer.write_all(&content(3000)[2000..]).unwrap();
    let sent = session.drain().0;
    assert_eq!(tables(&sent)[0].1.files[0].content_md5, Some(md5(&content(3000))));
    assert!(bytes(&sent, 1) == content(3000));
}

#[test]
fn a_writer_that_leaves_makes_the_object_fail() {
    let mut session = Session::new(config());
    let (source, mut writer) = GrowingSource::new(3000);
    session.sender.add(Object::new("growing", source), session.now).unwrap();
    writer.write_all(&content(1500)).unwrap();
    session.drain();
    drop(writer);
    session.drain();
    let failed = session
        .events
        .iter()
        .any(|event| matches!(event, Event::Failed { reason: Failure::Truncated { announced: 3000 }, .. }));
    assert!(failed, "{:?}", session.events);
    assert_eq!(session.sender.stats().objects, 0);
}

#[test]
fn a_file_that_shrinks_is_withdrawn_and_the_session_goes_on() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&content(1_000_000)).unwrap();
    let mut session = Session::new(config());
    session.sender.add(Object::new("shrinks", FileSource::open(file.path()).unwrap()), session.now).unwrap();
    let mut batch = flute_proto::sender::Batch::new(64);
    for _ in 0..3 {
        assert_eq!(session.sender.poll(session.now, &mut batch), Poll::Packets);
    }
    File::options().write(true).open(file.path()).unwrap().set_len(500_000).unwrap();
    session.sender.add(Object::new("other", content(5000)), session.now).unwrap();
    let sent = session.drain().0;
    let failures: Vec<_> = session
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Failed { location, reason, .. } => Some((location.to_string(), reason.to_string())),
            _ => None,
        })
        .collect();
    let reason = "the source ended before its announced length of 1000000 bytes";
    assert_eq!(failures, [("shrinks".to_owned(), reason.to_owned())]);
    assert!(bytes(&sent, 2) == content(5000));
    // It is not described any more.
    session.sender.finish(FinishPolicy::default(), session.now);
    let last = tables(&session.run_to_end());
    let files: Vec<_> = last[0].1.files.iter().map(|file| file.content_location.as_str()).collect();
    assert_eq!((last[0].1.complete, files), (true, vec!["other"]));
}

#[test]
fn replaced_content_has_a_new_toi() {
    let mut session = Session::new(config());
    let mut object = Object::new("manifest", b"version 1".to_vec());
    object.carousel = carousel(None, 1);
    let first = session.sender.add(object, session.now).unwrap();
    session.run_for(Duration::from_millis(2500));
    let again = Object::new("manifest", b"version 2".to_vec());
    match session.sender.add(again, session.now) {
        Err(ObjectError::LocationInUse { toi, .. }) => assert_eq!(toi, first),
        other => panic!("{other:?}"),
    }
    let mut object = Object::new("manifest", b"version 2".to_vec());
    object.carousel = carousel(None, 1);
    let second = session.sender.replace(object, session.now).unwrap();
    assert_ne!(first, second);
    assert_eq!(session.sender.toi_of("manifest"), Some(second));
    let sent = session.run_for(Duration::from_secs(3));
    assert!(objects(&sent).iter().all(|sent| sent.toi() == Some(second.get())));
    assert_eq!(tables(&sent)[0].1.files[0].toi, second);
    assert!(tables(&sent).iter().all(|table| table.1.files.len() == 1));
}

#[test]
fn removed_now_or_after_the_transfer() {
    let mut batch = flute_proto::sender::Batch::new(4);
    for (when, packets) in [(Removal::Now, 3), (Removal::AfterTransfer, 10)] {
        let mut session = Session::new(config()).with_batches_of(4);
        let mut object = Object::new("a", content(10_000));
        object.carousel = carousel(None, 1);
        let toi = session.sender.add(object, session.now).unwrap();
        let mut sent = 0;
        for _ in 0..2 {
            // One packet of the table, which closes a batch as soon as a longer one follows, and then three of the object.
            session.sender.poll(session.now, &mut batch);
            sent += batch.packets().filter(|packet| packet.len() > 900).count();
        }
        assert!(sent < 10);
        assert!(session.sender.remove(toi, when, session.now));
        let rest = session.run_for(Duration::from_secs(10));
        let total = sent + objects(&rest).len();
        assert!(if when == Removal::Now { total <= 2 * packets } else { total == packets }, "{when:?}: {total}");
        assert!(!session.sender.remove(toi, when, session.now));
        // B is in the last packet, now that it is known to be the last.
        let closed = rest.iter().any(|sent| sent.packet().header.close_object);
        assert_eq!(closed, when == Removal::AfterTransfer);
    }
}

#[test]
fn triggered_transfers() {
    let mut session = Session::new(config());
    let mut object = Object::new("a", content(1000));
    object.carousel = carousel(Some(3), 100);
    let toi = session.sender.add(object, session.now).unwrap();
    session.run_for(Duration::from_secs(5));
    assert!(session.sender.trigger(toi, session.now));
    let sent = session.run_for(Duration::from_secs(5));
    assert_eq!(objects(&sent).len(), 1);
    // The carousel goes on from there.
    let sent = session.run_for(Duration::from_secs(200));
    let at: Vec<u64> = objects(&sent).iter().map(|sent| sent.at.since(start()).as_secs()).collect();
    assert_eq!(at, [105]);
    assert!(!session.sender.trigger(toi, session.now));
}

#[test]
fn ways_to_finish() {
    let count = |policy: FinishPolicy| {
        let mut session = Session::new(config());
        for (name, transfers) in [("once", Some(1)), ("four", Some(4)), ("endless", None)] {
            let mut object = Object::new(name, content(1000));
            object.carousel = carousel(transfers, 10);
            session.sender.add(object, session.now).unwrap();
        }
        let mut late = Object::new("late", content(1000));
        late.start = Some(start() + Duration::from_secs(500));
        session.sender.add(late, session.now).unwrap();
        session.run_for(Duration::from_secs(5));
        session.sender.finish(policy, session.now);
        assert!(matches!(session.sender.add(Object::new("more", content(1)), session.now), Err(ObjectError::Finished)));
        let sent = session.run_to_end();
        let closing = sent.iter().filter(|sent| sent.packet().header.close_session).count();
        assert_eq!(closing, 3);
        assert!(tables(&sent).last().unwrap().1.complete);
        [1, 2, 3, 4].map(|toi| objects(&sent).iter().filter(|sent| sent.toi() == Some(toi)).count())
    };
    // Once was sent and is gone. The others are in the middle of their carousels, and late has not begun.
    assert_eq!(count(FinishPolicy::FinishTransfers), [0, 0, 0, 1]);
    assert_eq!(count(FinishPolicy::OnceMore), [0, 1, 1, 1]);
    assert_eq!(count(FinishPolicy::RunToEnd), [0, 3, 0, 1]);
    assert_eq!(count(FinishPolicy::Stop), [0, 0, 0, 0]);
}

#[test]
fn priorities_change() {
    let mut session = Session::new(config());
    let first = session.sender.add(Object::new("first", content(3000)), session.now).unwrap();
    let second = session.sender.add(Object::new("second", content(3000)), session.now).unwrap();
    assert!(session.sender.set_priority(second, 5, session.now));
    let order: Vec<_> = objects(&session.drain().0).iter().map(|sent| sent.toi().unwrap()).collect();
    assert_eq!(order, [second, second, second, first, first, first].map(Toi::get));
    assert!(!session.sender.set_priority(first, 5, session.now));
}

#[test]
fn fec_of_what_is_added_later() {
    let mut session = Session::new(config());
    session.sender.add(Object::new("a", content(1000)), session.now).unwrap();
    session.sender.set_fec(no_code(1000, 100).scheme(FecScheme::RaptorQ)).unwrap();
    session.sender.add(Object::new("b", content(1000)), session.now).unwrap();
    let ids: Vec<_> = objects(&session.drain().0).iter().map(|sent| sent.packet().encoding_id().0).collect();
    assert_eq!((ids[0], ids[1]), (0, 6));
    assert!(session.sender.set_fec(no_code(0, 64)).is_err());
}

#[test]
fn an_object_that_is_too_long() {
    /// A source that need not be there.
    #[derive(Debug)]
    struct Long;
    impl flute_proto::sender::Source for Long {
        fn len(&self) -> u64 {
            1 << 47
        }
        fn read_at(&self, _: u64, _: &mut [u8]) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut session = Session::new(config());
    // That its digest is wanted, for which it would have to be read, makes no difference.
    for md5 in [false, true] {
        let mut object = Object::new("a", Long);
        object.md5 = md5;
        let error = session.sender.add(object, session.now).unwrap_err();
        assert!(matches!(error, ObjectError::Fec(_) | ObjectError::Oti(_)), "{error}");
        assert_eq!(session.drain().1, Poll::Idle);
    }
}

/// A file is overwritten in place when a part of it has been sent.
fn overwritten(on_change: OnChange, with: &[u8]) -> (Vec<Event>, Vec<Sent>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&content(300_000)).unwrap();
    // It was written a while ago, so that the time of its modification changes with the next write.
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(100);
    file.as_file().set_modified(long_ago).unwrap();
    let mut session = Session::new(config().pacing(Pacing::default().bitrate(10_000_000)));
    let mut object = Object::new("a", FileSource::open(file.path()).unwrap());
    object.on_change = on_change;
    session.sender.add(object, session.now).unwrap();
    session.sender.finish(FinishPolicy::default(), session.now);
    let mut sent = session.run_for(Duration::from_millis(50));
    std::fs::write(file.path(), with).unwrap();
    sent.extend(session.run_to_end());
    (session.events, sent)
}

#[test]
fn a_file_that_is_overwritten_is_reported() {
    for with in [vec![7; 300_000], content(350_000)] {
        let (events, sent) = overwritten(OnChange::Withdraw, &with);
        let reasons: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Failed { reason, .. } => Some(reason.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(reasons, ["the source was changed while it was sent"]);
        assert!(!events.iter().any(|event| matches!(event, Event::TransferEnded { .. })));
        // The last table does not have it.
        assert_eq!(tables(&sent).iter().filter(|table| table.1.complete).count(), 0);
    }
}

#[test]
fn a_file_that_is_overwritten_is_sent_again() {
    for with in [vec![7; 300_000], content(350_000), vec![8; 10]] {
        let (events, sent) = overwritten(OnChange::SendAgain, &with);
        let again = events.iter().find_map(|event| match event {
            Event::Failed { reason: Failure::SourceChanged { sent_again_as }, .. } => *sent_again_as,
            _ => None,
        });
        let again = again.expect("a new version");
        assert!(bytes(&sent, again.get()) == with);
        let (_, table, _) = tables(&sent).pop().unwrap();
        assert!(table.complete);
        let files: Vec<_> = table.files.iter().map(|file| (file.toi, file.content_length)).collect();
        assert_eq!(files, [(again, Some(with.len() as u64))]);
    }
}

#[test]
fn short_blocks_have_a_floor_of_repair_symbols() {
    let packets = |length, percent, floor, scheme| {
        let protection = Protection::Percent(percent);
        let fec = no_code(1000, 20).scheme(scheme).protection(protection).min_repair_symbols(floor);
        let mut session = Session::new(config().fec(fec));
        session.sender.add(Object::new("a", content(length)), session.now).unwrap();
        objects(&session.drain().0).len()
    };
    for scheme in [FecScheme::ReedSolomon8, FecScheme::RaptorQ, FecScheme::ReedSolomon8SmallBlock] {
        // Of one symbol and of three, a floor of two; of 20 symbols 30 % are six anyway.
        assert_eq!(packets(1000, 30.0, 2, scheme), 1 + 2);
        assert_eq!(packets(3000, 30.0, 2, scheme), 3 + 2);
        assert_eq!(packets(3000, 30.0, 0, scheme), 3 + 1);
        assert_eq!(packets(20_000, 30.0, 2, scheme), 20 + 6);
        // The floor is one for long blocks, too, and there is none without protection.
        assert_eq!(packets(40_000, 1.0, 5, scheme), 2 * (20 + 5));
        assert_eq!(packets(3000, 0.0, 2, scheme), 3);
    }
}
