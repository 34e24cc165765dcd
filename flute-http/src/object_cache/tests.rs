// SPDX-License-Identifier: MPL-2.0

use std::time::{Duration, SystemTime};

use flute_proto::fdt::CacheControl;
use flute_proto::receiver::{Content, Endpoints, Event, ObjectInfo, Receiver, ReceiverConfig};
use flute_proto::sender::{Batch, Object, Poll, Sender, SenderConfig};

use super::*;

const NOW: Duration = Duration::from_secs(1_800_000_000);

/// An object as a receiver gives it out.
fn stored(location: &str, content_type: &str, length: usize, cache_control: Option<CacheControl>) -> StoredObject {
    let now = Time::from_unix(NOW);
    let mut object = Object::new(location, vec![0; length]);
    object.content_type = Some(content_type.to_owned());
    object.cache_control = cache_control;
    let mut sender = Sender::new(SenderConfig::default(), now).unwrap();
    sender.add(object, now).unwrap();
    let (mut receiver, mut batch) = (Receiver::new(ReceiverConfig::default()), Batch::new(16));
    while let Poll::Packets = sender.poll(now, &mut batch) {
        for packet in batch.packets() {
            receiver.push(Endpoints { source: None, destination: None }, packet, now);
        }
    }
    let completed = std::iter::from_fn(|| receiver.poll_event()).find_map(|event| match event {
        Event::Completed { object, content } => Some(stored_now(object, content)),
        _ => None,
    });
    completed.unwrap()
}

/// Manifests are lasting, as the application would say.
fn stored_now(object: Arc<ObjectInfo>, content: Content) -> StoredObject {
    let is_manifest = object.location().ends_with(".mpd");
    let retention = if is_manifest { Retention::Lasting } else { Retention::Media };
    StoredObject::new(object, content, retention, SystemTime::UNIX_EPOCH + NOW)
}

fn media(location: &str) -> StoredObject {
    stored(location, "video/mp4", 100_000, None)
}

fn put(cache: &mut ObjectCache, object: StoredObject) -> Vec<String> {
    let gone = cache.put(Arc::new(object), Time::from_unix(NOW));
    gone.iter().map(|object| object.info().location().to_owned()).collect()
}

fn locations(cache: &mut ObjectCache, paths: &[&str]) -> Vec<bool> {
    paths.iter().map(|path| cache.has(&LocationPath::of_decoded(path))).collect()
}

#[test]
fn what_goes_first() {
    // Room for four.
    let mut cache = ObjectCache::new(4 * 102_000);
    let past = CacheControl::Expires(Time::from_unix(NOW - Duration::from_secs(1)).ntp_seconds());
    let future = CacheControl::Expires(Time::from_unix(NOW + Duration::from_secs(60)).ntp_seconds());
    assert!(put(&mut cache, stored("live.mpd", "application/dash+xml", 100_000, None)).is_empty());
    assert!(put(&mut cache, stored("fresh.m4s", "video/mp4", 100_000, Some(future))).is_empty());
    assert!(put(&mut cache, media("taken.m4s")).is_empty());
    assert!(put(&mut cache, stored("stale.m4s", "video/mp4", 100_000, Some(past))).is_empty());
    assert!(cache.take(&LocationPath::of_decoded("taken.m4s")).is_some());
    assert_eq!(put(&mut cache, media("1.m4s")), ["stale.m4s"]);
    assert_eq!(put(&mut cache, media("2.m4s")), ["taken.m4s"]);
    assert_eq!(put(&mut cache, media("3.m4s")), ["fresh.m4s"]);
    assert_eq!(put(&mut cache, media("4.m4s")), ["1.m4s"]);
    // One that is heavier than all may be, until another comes.
    let heavy = put(&mut cache, stored("heavy.mp4", "video/mp4", 500_000, None));
    assert_eq!(heavy, ["2.m4s", "3.m4s", "4.m4s", "live.mpd"]);
    assert_eq!(put(&mut cache, media("5.m4s")), ["heavy.mp4"]);
    assert_eq!(cache.weight, cache.slots.values().map(|slot| slot.object.weight()).sum::<u64>() + 5);
    assert_eq!((cache.slots.len(), cache.order.len(), cache.expiries.len()), (1, 1, 0));
}

#[test]
fn names_that_end_alike() {
    let mut cache = ObjectCache::new(u64::MAX);
    for location in ["http://h/a/1.m4s", "http://h/b/1.m4s", "http://h/b/11.m4s", "x1.m4s"] {
        put(&mut cache, media(location));
    }
    let mut taken =
        |path: &str| cache.take(&LocationPath::of_decoded(path)).map(|object| object.info().location().to_owned());
    assert_eq!(taken("1.m4s").as_deref(), Some("http://h/b/1.m4s"), "the newest");
    assert_eq!(taken("a/1.m4s").as_deref(), Some("http://h/a/1.m4s"));
    assert_eq!(taken("c/1.m4s"), None);
    put(&mut cache, media("1.m4s"));
    put(&mut cache, media("http://h/a/1.m4s"));
    let exact = cache.take(&LocationPath::of_decoded("1.m4s")).unwrap();
    assert_eq!(exact.info().location(), "1.m4s", "of just this name");
    assert_eq!(locations(&mut cache, &["1.m4s", "11.m4s", "m4s"]), [true, true, false]);
}

#[test]
fn newer_versions_take_the_place_of_older_ones() {
    let mut cache = ObjectCache::new(u64::MAX);
    put(&mut cache, stored("live.mpd", "application/dash+xml", 10, None));
    let older = cache.take(&LocationPath::of_decoded("live.mpd")).unwrap();
    put(&mut cache, stored("live.mpd", "application/dash+xml", 20, None));
    assert_eq!(cache.take(&LocationPath::of_decoded("live.mpd")).unwrap().len(), 20);
    assert_eq!(older.len(), 10, "it goes on being read");
    assert_eq!(cache.slots.len(), 1);
}

#[test]
fn what_lasts_is_listed_by_its_last_use() {
    let mut cache = ObjectCache::new(u64::MAX);
    for location in ["a.mpd", "b.mpd", "c.mpd"] {
        put(&mut cache, stored(location, "application/dash+xml", 10, None));
    }
    put(&mut cache, media("1.m4s"));
    cache.take(&LocationPath::of_decoded("a.mpd")).unwrap();
    let lasting: Vec<_> = cache.lasting().map(|object| object.info().location()).collect();
    assert_eq!(lasting, ["a.mpd", "c.mpd", "b.mpd"]);
}
