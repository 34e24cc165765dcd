// SPDX-License-Identifier: MPL-2.0

//! The objects of a session, and by which ways they are found: by TOI, by Content-Location, by age.

use std::hash::RandomState;
use std::time::Duration;

use hashlink::LinkedHashSet;

use super::budget::Budget;
use super::description::Description;
use super::location_index::{DELIVERED_OVERHEAD, LocationIndex};
use super::object_state::ObjectState;
use crate::Time;
use crate::collections::{Deadlines, RecentMap};
use crate::lct::Toi;

/// What a TOI costs besides its description and its content: its places in tables, which may have grown to twice what is in
/// them and be copied while they grow.
pub(super) const OBJECT_OVERHEAD: u64 = 1024;
/// How long a completed object is remembered that no FDT Instance describes any more.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The objects of a session.
#[derive(Debug, Default)]
pub(super) struct ObjectTable {
    objects: RecentMap<Toi, ObjectState>,
    /// Objects that have no description yet; the first came first.
    undescribed: LinkedHashSet<Toi, RandomState>,
    /// Objects that are completed; the first was completed first.
    completed: LinkedHashSet<Toi, RandomState>,
    /// Objects that the sender has withdrawn and that are not complete; the first was withdrawn first.
    withdrawn: LinkedHashSet<Toi, RandomState>,
    locations: LocationIndex,
    /// When descriptions end.
    expiries: Deadlines<Toi>,
}

impl ObjectTable {
    /// Number of objects.
    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    pub(super) fn get(&self, toi: Toi) -> Option<&ObjectState> {
        self.objects.get(&toi)
    }

    pub(super) fn get_mut(&mut self, toi: Toi) -> Option<&mut ObjectState> {
        self.objects.get_mut(&toi)
    }

    /// All objects, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Toi, &ObjectState)> {
        self.objects.iter()
    }

    /// Number of objects that are described and being received.
    pub(super) fn active(&self) -> u64 {
        self.objects.values().filter(|object| object.is_active()).count() as u64
    }

    /// Whether an object is described and may still be completed, and has a Content-Location that is `wanted`.
    pub(super) fn has_open(&self, wanted: impl Fn(&str) -> bool) -> bool {
        let location = |object: &ObjectState| object.description().is_some_and(|known| wanted(known.info.location()));
        self.objects.values().any(|object| object.is_open() && location(object))
    }

    /// Puts an object into the table, for which `charged` bytes are charged.
    pub(super) fn insert(&mut self, toi: Toi, charged: u64) {
        self.objects.insert(toi, ObjectState::new(charged));
        self.undescribed.insert(toi);
    }

    /// Describes an object that is in the table and not described, for which `charged` bytes are charged from now on.
    pub(super) fn describe(&mut self, toi: Toi, description: Description, charged: u64) {
        let Some(object) = self.objects.get_mut(&toi) else { return };
        self.undescribed.remove(&toi);
        self.completed.remove(&toi);
        self.locations.add(description.info.location(), toi);
        self.expiries.set(toi, description.expires);
        object.describe(description, charged);
    }

    /// Another FDT Instance says the same of an object.
    pub(super) fn renew(&mut self, toi: Toi, other: &Description) {
        self.withdrawn.remove(&toi);
        if let Some(end) = self.objects.get_mut(&toi).and_then(|object| object.renew(other)) {
            self.expiries.set(toi, end);
        }
    }

    /// The description of every object ends at `end` that no FDT Instance from the place `order` on describes.
    pub(super) fn end_before(&mut self, order: u64, end: Time) {
        for (toi, object) in self.objects.iter_mut() {
            if object.description().is_some_and(|description| description.last_instance < order) && object.shorten(end)
            {
                self.expiries.set(toi, end);
            }
        }
    }

    /// When the next description ends.
    pub(super) fn next_expiry(&self) -> Option<Time> {
        self.expiries.next()
    }

    /// An object whose description has ended by `now`: [forget](Self::forget) it, or [ask again](Self::expire_at).
    pub(super) fn next_expired(&mut self, now: Time) -> Option<Toi> {
        self.expiries.pop_due(now)
    }

    /// The description of an object ends at this time.
    pub(super) fn expire_at(&mut self, toi: Toi, end: Time) {
        self.expiries.set(toi, end);
    }

    /// Forgets an object.
    pub(super) fn forget(&mut self, toi: Toi, budget: &mut Budget) {
        let Some(object) = self.objects.remove(&toi) else { return };
        for queue in [&mut self.undescribed, &mut self.completed, &mut self.withdrawn] {
            queue.remove(&toi);
        }
        self.expiries.remove(toi);
        if let Some(description) = object.discard(budget) {
            self.locations.remove(description.info.location(), toi);
        }
    }

    /// Forgets what has been received of an object.
    pub(super) fn begin_again(&mut self, toi: Toi, budget: &mut Budget) {
        self.completed.remove(&toi);
        if let Some(object) = self.objects.get_mut(&toi) {
            object.begin_again(budget);
        }
    }

    /// An object has been completed. `remember` says that its location is to be remembered for ever.
    pub(super) fn note_completed(&mut self, toi: Toi, remember: bool, budget: &mut Budget) {
        self.withdrawn.remove(&toi);
        self.completed.insert(toi);
        let Some(description) = self.objects.get(&toi).and_then(ObjectState::description) else { return };
        let location = description.info.location();
        self.locations.set_delivered(location, description.first_instance);
        if remember && budget.charge(DELIVERED_OVERHEAD).is_ok() && !self.locations.remember_delivered(location) {
            budget.release(DELIVERED_OVERHEAD);
        }
    }

    /// The sender has withdrawn an object that is not complete: it goes first when memory is wanted.
    pub(super) fn note_withdrawn(&mut self, toi: Toi) {
        self.withdrawn.insert(toi);
    }

    /// Forgets the oldest object that is not described, `except` excepted; `false` if there is none.
    pub(super) fn forget_undescribed(&mut self, except: Toi, budget: &mut Budget) -> Option<Toi> {
        let oldest = self.undescribed.iter().copied().find(|toi| *toi != except)?;
        self.forget(oldest, budget);
        Some(oldest)
    }

    /// Forgets the object that was completed first; `false` if there is none.
    pub(super) fn forget_completed(&mut self, budget: &mut Budget) -> bool {
        let oldest = self.completed.front().copied();
        oldest.map(|toi| self.forget(toi, budget)).is_some()
    }

    /// Forgets an object that was completed long ago and that nothing describes any more; `false` if there is none.
    pub(super) fn forget_old(&mut self, now: Time, budget: &mut Budget) -> bool {
        let is_old = |toi: &Toi| {
            let completed = self.objects.get(toi).and_then(ObjectState::completed_at);
            completed.is_some_and(|at| now.since(at) >= REMEMBERED)
        };
        let described_until = |toi: &Toi| self.objects.get(toi)?.description().map(|known| known.expires);
        let oldest = self.completed.front().copied().filter(is_old);
        let Some(toi) = oldest else { return false };
        if described_until(&toi).is_some_and(|end| end > now) {
            // It is looked at again after the others.
            self.completed.to_back(&toi);
            return false;
        }
        self.forget(toi, budget);
        true
    }

    /// Takes the next object out of those that the sender has withdrawn, `except` excepted, and that have symbols.
    pub(super) fn next_withdrawn(&mut self, except: Toi) -> Option<Toi> {
        let is_spared = self.withdrawn.remove(&except);
        let is_receiving = |toi: &Toi| self.objects.get(toi).is_some_and(ObjectState::is_receiving);
        let next = std::iter::from_fn(|| self.withdrawn.pop_front()).find(is_receiving);
        if is_spared {
            self.withdrawn.insert(except);
        }
        next
    }

    /// The objects that are being received and none of whose symbols has arrived for `idle`, the longest idle first.
    pub(super) fn idle(&self, idle: Duration, except: Toi, now: Time) -> Vec<Toi> {
        let since = |object: &ObjectState| object.last_symbol().filter(|last| now.since(*last) >= idle);
        let idle = self.objects.iter().filter_map(|(toi, object)| Some((since(object)?, toi)));
        let mut idle: Vec<_> = idle.filter(|(_, toi)| *toi != except).collect();
        idle.sort_unstable();
        idle.into_iter().map(|(_, toi)| toi).collect()
    }

    /// The newest version of this Content-Location that was delivered: the place of the first FDT Instance that described
    /// it.
    pub(super) fn newest_delivered(&self, location: &str) -> Option<u64> {
        self.locations.newest_delivered(location)
    }

    /// Whether any version of this Content-Location was ever delivered.
    pub(super) fn was_delivered(&self, location: &str) -> bool {
        self.locations.was_delivered(location)
    }

    /// The objects of the same Content-Location that only FDT Instances describe which are older than all that describe
    /// `toi`, and that may still be completed.
    pub(super) fn older_versions(&self, toi: Toi) -> Vec<Toi> {
        let Some(newer) = self.objects.get(&toi).and_then(ObjectState::description) else { return Vec::new() };
        let is_older = |other: &Toi| {
            self.objects.get(other).is_some_and(|object| {
                let last = object.description().map(|description| description.last_instance);
                last.is_some_and(|last| last < newer.first_instance) && object.is_open()
            })
        };
        self.locations.others(newer.info.location(), toi).into_iter().filter(is_older).collect()
    }

    /// What was received of a session that has been closed: described, or failed.
    pub(super) fn past(&self) -> Vec<Toi> {
        let is_past = |object: &ObjectState| object.description().is_some() || object.is_failed();
        self.objects.iter().filter(|(_, object)| is_past(object)).map(|(toi, _)| toi).collect()
    }
}
