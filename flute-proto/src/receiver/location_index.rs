// SPDX-License-Identifier: MPL-2.0

//! Which TOIs one Content-Location has, and which version of it has been delivered.
//!
//! Locations are kept as keyed hashes: a table of many long names costs no more than one of short ones.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::lct::Toi;

/// Memory of a location of which it is remembered for ever that it was delivered.
pub(super) const DELIVERED_OVERHEAD: u64 = 48;
/// TOIs of one location that are told apart: those described last.
const MAX_VERSIONS: usize = 16;

/// The versions of all Content-Locations of a session.
#[derive(Debug, Default)]
pub(super) struct LocationIndex {
    hasher: RandomState,
    locations: HashMap<u64, Location>,
    delivered: HashSet<u64>,
}

#[derive(Debug, Default)]
struct Location {
    tois: Vec<Toi>,
    /// The newest version that was delivered: place of the first FDT Instance that described it.
    delivered: Option<u64>,
}

impl LocationIndex {
    /// A TOI is described with this location.
    pub(super) fn add(&mut self, location: &str, toi: Toi) {
        let entry = self.locations.entry(self.hasher.hash_one(location)).or_default();
        if !entry.tois.contains(&toi) {
            if entry.tois.len() == MAX_VERSIONS {
                entry.tois.remove(0);
            }
            entry.tois.push(toi);
        }
    }

    /// A TOI is no longer described with this location.
    pub(super) fn remove(&mut self, location: &str, toi: Toi) {
        let key = self.hasher.hash_one(location);
        if let Some(entry) = self.locations.get_mut(&key) {
            entry.tois.retain(|other| *other != toi);
            if entry.tois.is_empty() {
                self.locations.remove(&key);
            }
        }
    }

    /// The other TOIs of this location.
    pub(super) fn others(&self, location: &str, toi: Toi) -> Vec<Toi> {
        let tois = self.locations.get(&self.hasher.hash_one(location)).map_or(&[][..], |entry| &entry.tois);
        tois.iter().copied().filter(|other| *other != toi).collect()
    }

    /// A version was delivered that `first_instance` was the first to describe.
    pub(super) fn set_delivered(&mut self, location: &str, first_instance: u64) {
        let key = self.hasher.hash_one(location);
        if let Some(entry) = self.locations.get_mut(&key) {
            entry.delivered = entry.delivered.max(Some(first_instance));
        }
    }

    /// Remembers for ever that a location was delivered; `false` if that is known. The caller has charged
    /// [`DELIVERED_OVERHEAD`].
    pub(super) fn remember_delivered(&mut self, location: &str) -> bool {
        self.delivered.insert(self.hasher.hash_one(location))
    }

    /// The newest version that was delivered.
    pub(super) fn newest_delivered(&self, location: &str) -> Option<u64> {
        self.locations.get(&self.hasher.hash_one(location))?.delivered
    }

    /// Whether any version was ever delivered.
    pub(super) fn was_delivered(&self, location: &str) -> bool {
        self.delivered.contains(&self.hasher.hash_one(location))
    }
}
