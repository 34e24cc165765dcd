// SPDX-License-Identifier: MPL-2.0

//! What is dropped when memory or a table is full, and in which order.
//!
//! **Memory** (`max_memory`). What a new object or FDT Instance needs is made room for by dropping
//!
//! 1. symbols that cannot be read yet, of the object that has waited longest first (those never take more than a quarter
//!    of the memory anyway);
//! 2. the bytes of FDT Instances that have been read, oldest first: they only serve to recognise repetitions; then FDT
//!    Instances that are incomplete, oldest first;
//! 3. objects that no FDT Instance describes, oldest first;
//! 4. incomplete objects none of whose symbols has arrived for ten seconds, the longest idle first; they begin again with
//!    their next symbol, where there is room then.
//!
//! No more of it is dropped in one call than fits into its work; the next packet goes on.
//!
//! If that does not suffice the new object waits: its packets are dropped until there is room, and it is reported as
//! failed for want of memory if none comes. Objects whose symbols arrive are never dropped for others.
//!
//! **Objects** (`max_objects`). A further one takes the place of the oldest that is not described, or else of what is
//! remembered of the one that was completed first; which is then delivered again if it is repeated. If all are described
//! and incomplete the new one is dropped.

use std::time::Duration;

use super::describe::FORGET;
use super::{Context, Session};
use crate::lct::Toi;
use crate::receiver::event::Limit;
use crate::receiver::tracked::{Reception, Tracked};

/// An object none of whose symbols has arrived for so long may be dropped for another.
const IDLE: Duration = Duration::from_secs(10);
/// Time between two searches for idle objects.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);
/// What a TOI costs besides its description and its content: its places in tables, which may have grown to twice what is in
/// them and be copied while they grow.
pub(super) const TRACKED_OVERHEAD: u64 = 1024;

impl Session {
    /// Frees memory until `needed` bytes are free; `false` if that cannot be. Leaves `keep` alone.
    pub(super) fn make_room(&mut self, needed: u64, keep: Toi, cx: &mut Context<'_>) -> bool {
        if needed > self.budget.limit() {
            return false;
        }
        let mut dropped = 0;
        while self.budget.available() < needed && !cx.work.is_exhausted() {
            cx.work.spend(FORGET);
            if self.early.shed(&mut self.budget) {
                dropped += 1;
            } else if self.instances.shed(&mut self.budget) {
                // Nothing is lost with the bytes of what has been read.
            } else if self.instances.shed_incoming(&mut self.budget) || self.shed_undescribed(keep) {
                dropped += 1;
            } else {
                break;
            }
        }
        if dropped > 0 {
            self.drop_for(Limit::Memory, dropped, cx);
        }
        if self.budget.available() < needed && cx.now >= self.next_idle_search {
            self.next_idle_search = cx.now + SEARCH_INTERVAL;
            self.shed_idle(needed, keep, cx);
        }
        self.budget.available() >= needed
    }

    fn shed_undescribed(&mut self, keep: Toi) -> bool {
        let mut spared = false;
        while let Some(toi) = self.undescribed.pop_front() {
            if toi == keep {
                spared = true;
            } else if self.objects.get(&toi).is_some_and(|tracked| tracked.description.is_none()) {
                self.forget(toi);
                if spared {
                    self.undescribed.push_front(keep);
                }
                return true;
            }
        }
        if spared {
            self.undescribed.push_front(keep);
        }
        false
    }

    fn shed_idle(&mut self, needed: u64, keep: Toi, cx: &mut Context<'_>) {
        let idle_since = |tracked: &Tracked| match &tracked.reception {
            Reception::Receiving(receiving) if cx.now.since(receiving.last_symbol) >= IDLE => {
                Some(receiving.last_symbol)
            }
            _ => None,
        };
        let mut idle: Vec<_> = self
            .objects
            .iter()
            .filter(|(toi, _)| **toi != keep)
            .filter_map(|(toi, tracked)| Some((idle_since(tracked)?, *toi)))
            .collect();
        idle.sort_unstable();
        for (_, toi) in idle {
            if self.budget.available() >= needed {
                break;
            }
            cx.work.spend(FORGET);
            self.begin_again(toi);
            if let Some(tracked) = self.objects.get_mut(&toi) {
                tracked.reception = Reception::Waiting { refused: Some(Limit::Memory) };
            }
            self.drop_for(Limit::Memory, 1, cx);
        }
    }

    /// Puts a TOI into the table that nothing describes yet. `false` if there is no room.
    pub(super) fn insert_undescribed(&mut self, toi: Toi, cx: &mut Context<'_>) -> bool {
        let inserted = self.insert_tracked(toi, TRACKED_OVERHEAD, cx);
        if inserted {
            self.undescribed.push_back(toi);
            if self.undescribed.len() > 2 * self.objects.len() + 16 {
                let objects = &self.objects;
                self.undescribed.retain(|toi| objects.get(toi).is_some_and(|tracked| tracked.description.is_none()));
            }
        }
        inserted
    }

    /// Puts a TOI into the table, charged with `bytes`. `false` if there is no room.
    pub(super) fn insert_tracked(&mut self, toi: Toi, bytes: u64, cx: &mut Context<'_>) -> bool {
        if self.objects.len() >= cx.config.limits.max_objects {
            // What is only remembered of a completed object is no loss.
            let is_object = self.shed_undescribed(toi);
            let has_room = is_object || self.shed_completed();
            self.drop_for(Limit::Objects, u64::from(is_object || !has_room), cx);
            if !has_room {
                return false;
            }
        }
        if self.budget.charge(bytes).is_err() {
            if !self.make_room(bytes, toi, cx) {
                self.drop_for(Limit::Memory, 1, cx);
                return false;
            }
            if self.budget.charge(bytes).is_err() {
                return false;
            }
        }
        let mut tracked = Tracked::new();
        tracked.charged = bytes;
        self.objects.insert(toi, tracked);
        true
    }

    fn shed_completed(&mut self) -> bool {
        while let Some(toi) = self.completed.pop_front() {
            if self.objects.get(&toi).is_some_and(|tracked| matches!(tracked.reception, Reception::Completed(_))) {
                self.forget(toi);
                return true;
            }
        }
        false
    }
}
