// SPDX-License-Identifier: MPL-2.0

//! Manifests that wait until what they may name has been sent: a receiver that reads one must be able to have its segments.

use std::collections::{HashSet, VecDeque};

use flute_proto::lct::Toi;
use flute_proto::sender::Object;
use gst::glib;

/// Manifests that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct HeldManifests(VecDeque<HeldManifest>);

/// A manifest that waits.
#[derive(Debug)]
pub(super) struct HeldManifest {
    pub(super) object: Object,
    /// The queue that it belongs to.
    pub(super) queue: glib::GString,
    /// The objects that have not had their first transfer.
    waits_for: HashSet<Toi>,
}

impl HeldManifests {
    /// Holds a manifest. An older version that waits for the same objects would never be seen, and is dropped; one that
    /// waits for less is not, or a sender that is always a segment behind would send none at all.
    pub(super) fn hold(&mut self, object: Object, queue: glib::GString, waits_for: HashSet<Toi>) {
        let mut same = self.0.iter_mut().filter(|held| held.object.location == object.location);
        match same.next_back() {
            Some(held) if held.waits_for == waits_for => held.object = object,
            _ => self.0.push_back(HeldManifest { object, queue, waits_for }),
        }
    }

    /// Takes note that an object has had its first transfer, or never will. Gives the manifests that need not wait any
    /// more, of one name the newest.
    pub(super) fn settle(&mut self, toi: Toi) -> Vec<HeldManifest> {
        let mut ready: Vec<HeldManifest> = Vec::new();
        for mut held in std::mem::take(&mut self.0) {
            held.waits_for.remove(&toi);
            if held.waits_for.is_empty() {
                ready.retain(|older| older.object.location != held.object.location);
                ready.push(held);
            } else {
                self.0.push_back(held);
            }
        }
        ready
    }

    /// Drops all versions of a manifest. `false` if there are none.
    pub(super) fn forget(&mut self, location: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|held| held.object.location != location);
        self.0.len() < before
    }

    /// Has all versions of a manifest sent once only. `false` if there are none.
    pub(super) fn end_after_transfer(&mut self, location: &str) -> bool {
        self.change(location, |object| object.carousel.transfers = Some(1))
    }

    /// Gives all versions of a manifest another priority. `false` if there are none.
    pub(super) fn set_priority(&mut self, location: &str, priority: u32) -> bool {
        self.change(location, |object| object.priority = priority)
    }

    fn change(&mut self, location: &str, change: impl Fn(&mut Object)) -> bool {
        let mut same = self.0.iter_mut().filter(|held| held.object.location == location).peekable();
        let is_held = same.peek().is_some();
        same.for_each(|held| change(&mut held.object));
        is_held
    }

    /// Drops all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(held: &mut HeldManifests, location: &str, version: &str, waits_for: &[u128]) {
        let object = Object::new(location, version.as_bytes().to_vec());
        held.hold(object, "queue".into(), waits_for.iter().copied().filter_map(Toi::new).collect());
    }

    fn settle(held: &mut HeldManifests, toi: u128) -> Vec<String> {
        let ready = held.settle(Toi::new(toi).unwrap());
        let text = |held: &HeldManifest| String::from_utf8(held.object.source.as_slice().unwrap().to_vec()).unwrap();
        ready.iter().map(text).collect()
    }

    #[test]
    fn each_waits_for_its_own() {
        let mut held = HeldManifests::default();
        hold(&mut held, "live.m3u8", "v1", &[1]);
        hold(&mut held, "live.m3u8", "v2", &[1, 2]);
        hold(&mut held, "audio.m3u8", "a1", &[2, 3]);
        assert!(settle(&mut held, 9).is_empty());
        assert_eq!(settle(&mut held, 1), ["v1"]);
        assert_eq!(settle(&mut held, 2), ["v2"]);
        assert_eq!(settle(&mut held, 3), ["a1"]);
        assert!(held.is_empty());
    }

    #[test]
    fn only_the_newest_goes_out() {
        let mut held = HeldManifests::default();
        hold(&mut held, "live.m3u8", "v1", &[1, 2]);
        hold(&mut held, "live.m3u8", "v2", &[2, 1]);
        hold(&mut held, "live.m3u8", "v3", &[1, 2, 3]);
        assert!(settle(&mut held, 3).is_empty());
        assert!(settle(&mut held, 1).is_empty());
        assert_eq!(settle(&mut held, 2), ["v3"]);
    }

    #[test]
    fn what_is_held_can_change() {
        let mut held = HeldManifests::default();
        hold(&mut held, "live.m3u8", "v1", &[1]);
        hold(&mut held, "other.m3u8", "o1", &[1]);
        held.0.iter_mut().for_each(|held| held.object.carousel.transfers = None);
        assert!(held.end_after_transfer("live.m3u8") && !held.end_after_transfer("none.m3u8"));
        assert!(held.set_priority("other.m3u8", 7));
        let of = |held: &HeldManifest| (held.object.carousel.transfers, held.object.priority);
        assert_eq!(held.settle(Toi::new(1).unwrap()).iter().map(of).collect::<Vec<_>>(), [(Some(1), 0), (None, 7)]);
    }

    #[test]
    fn what_is_removed_does_not_come_back() {
        let mut held = HeldManifests::default();
        hold(&mut held, "live.m3u8", "v1", &[1]);
        hold(&mut held, "live.m3u8", "v2", &[1, 2]);
        assert!(held.forget("live.m3u8") && !held.forget("live.m3u8"));
        assert!(settle(&mut held, 1).is_empty());
    }
}
