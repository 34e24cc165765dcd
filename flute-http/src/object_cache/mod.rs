// SPDX-License-Identifier: MPL-2.0

//! The completed objects, the newest version of each, within bounds.
//!
//! When they weigh too much, objects go in this order:
//!
//! 1. those that are stale, by the `Cache-Control` of their description;
//! 2. media that has been taken, what was taken longest ago first;
//! 3. media that has not been taken yet, the oldest first;
//! 4. manifests and initialisation segments, what was used longest ago first.
//!
//! One object may be heavier than the bound. What is being read goes on being read, and counts no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flute_proto::Time;

use crate::stored_object::{Retention, StoredObject};
use flute_proto::content_location::LocationPath;

/// Classes of objects, what goes first being first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Stale,
    Taken,
    Untaken,
    Lasting,
}

/// Place in the order in which objects go: within a class, that of the last use.
type Place = (Class, u64);

#[derive(Debug)]
struct Slot {
    object: Arc<StoredObject>,
    place: Place,
    expires: Option<Time>,
    /// Counts objects as they come.
    arrival: u64,
}

/// Completed objects by name.
#[derive(Debug)]
pub(crate) struct ObjectCache {
    slots: BTreeMap<LocationPath, Slot>,
    order: BTreeMap<Place, LocationPath>,
    expiries: BTreeSet<(Time, LocationPath)>,
    weight: u64,
    max_weight: u64,
    /// Counts arrivals and uses.
    clock: u64,
}

impl ObjectCache {
    pub(crate) fn new(max_weight: u64) -> Self {
        Self {
            slots: BTreeMap::new(),
            order: BTreeMap::new(),
            expiries: BTreeSet::new(),
            weight: 0,
            max_weight,
            clock: 0,
        }
    }

    /// Puts an object in the place of its older version, and returns those that go for it.
    pub(crate) fn put(&mut self, object: Arc<StoredObject>, now: Time) -> Vec<Arc<StoredObject>> {
        let name = LocationPath::of_location(object.info().location());
        self.take_out(&name);
        self.clock += 1;
        let place = (
            match object.retention() {
                Retention::Lasting => Class::Lasting,
                Retention::Media => Class::Untaken,
            },
            self.clock,
        );
        let expires = object.expires(now);
        self.weight += object.weight() + name.size() as u64;
        self.order.insert(place, name.clone());
        self.expiries.extend(expires.map(|expires| (expires, name.clone())));
        self.slots.insert(name.clone(), Slot { object, place, expires, arrival: self.clock });
        self.make_room(&name, now)
    }

    /// Whether there is an object that `path` means.
    pub(crate) fn has(&self, path: &LocationPath) -> bool {
        self.find(path).is_some()
    }

    /// The object that `path` means: the one of just this name, else the newest of those whose names end with it.
    pub(crate) fn take(&mut self, path: &LocationPath) -> Option<Arc<StoredObject>> {
        let name = self.find(path)?.clone();
        self.clock += 1;
        let slot = self.slots.get_mut(&name)?;
        self.order.remove(&slot.place);
        slot.place = (if slot.place.0 == Class::Untaken { Class::Taken } else { slot.place.0 }, self.clock);
        self.order.insert(slot.place, name);
        Some(slot.object.clone())
    }

    /// The objects that are needed all the time, what was used last first.
    pub(crate) fn lasting(&self) -> impl Iterator<Item = &Arc<StoredObject>> {
        let names = self.order.range((Class::Lasting, 0)..).rev().map(|(_, name)| name);
        names.filter_map(|name| self.slots.get(name)).map(|slot| &slot.object)
    }

    fn find(&self, path: &LocationPath) -> Option<&LocationPath> {
        if let Some((name, _)) = self.slots.get_key_value(path) {
            return Some(name);
        }
        let prefix = path.longer();
        let longer = self.slots.range(&prefix..).take_while(|(name, _)| name.is_longer(&prefix));
        longer.max_by_key(|(_, slot)| slot.arrival).map(|(name, _)| name)
    }

    fn take_out(&mut self, name: &LocationPath) -> Option<Arc<StoredObject>> {
        let slot = self.slots.remove(name)?;
        self.order.remove(&slot.place);
        if let Some(expires) = slot.expires {
            self.expiries.remove(&(expires, name.clone()));
        }
        self.weight -= slot.object.weight() + name.size() as u64;
        Some(slot.object)
    }

    fn make_room(&mut self, newest: &LocationPath, now: Time) -> Vec<Arc<StoredObject>> {
        let mut gone = Vec::new();
        if self.weight > self.max_weight {
            self.mark_stale(now);
        }
        while self.weight > self.max_weight
            && let Some(name) = self.order.values().find(|name| *name != newest).cloned()
        {
            gone.extend(self.take_out(&name));
        }
        gone
    }

    /// Puts what is stale by now to the front.
    fn mark_stale(&mut self, now: Time) {
        while let Some((expires, name)) = self.expiries.first().cloned()
            && expires <= now
        {
            self.expiries.pop_first();
            let Some(slot) = self.slots.get_mut(&name) else { continue };
            self.order.remove(&slot.place);
            slot.place.0 = Class::Stale;
            slot.expires = None;
            self.order.insert(slot.place, name);
        }
    }
}

#[cfg(test)]
mod tests;
