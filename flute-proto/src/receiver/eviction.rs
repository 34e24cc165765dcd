// SPDX-License-Identifier: MPL-2.0

//! What is dropped when memory or a table is full, and in which order.
//!
//! **Memory** (`max_memory`). What a new object, source block or FDT Instance needs is found by dropping
//!
//! 1. packets that cannot be read yet, of the object that has waited longest first (those never take more than a quarter
//!    of the memory anyway);
//! 2. the bytes of FDT Instances that have been read, oldest first: they only serve to recognise repetitions; then FDT
//!    Instances that are incomplete, oldest first;
//! 3. objects that no FDT Instance describes, oldest first;
//! 4. incomplete objects that their sender has withdrawn, the first to be withdrawn first;
//! 5. incomplete objects none of whose symbols has arrived for two seconds, the longest idle first. They begin again with
//!    their next symbol, where there is memory then.
//!
//! No more of it is dropped in one call than fits into its work; the next packet goes on.
//!
//! If that does not suffice the new object waits: its packets are dropped until there is memory, and it is reported as
//! lost for want of memory if none comes. Objects whose symbols arrive are never dropped for others.
//!
//! **Objects** (`max_objects`). A further one takes the place of the oldest that is not described, or else of what is
//! remembered of the one that was completed first; which is then delivered again if it is repeated. If all are described
//! and incomplete the new one is dropped.

use std::collections::VecDeque;
use std::time::Duration;

use super::event::{Event, Limit};
use super::fdt_database::FdtDatabase;
use super::ledger::Ledger;
use super::object_table::ObjectTable;
use super::pending_packets::{Key, PendingPackets};
use crate::Time;
use crate::lct::Toi;
use crate::work::Work;

/// An object none of whose symbols has arrived for so long may be dropped for another.
const IDLE: Duration = Duration::from_secs(2);
/// Time between two searches for idle objects.
const SEARCH_INTERVAL: Duration = Duration::from_millis(200);
/// Work of forgetting something.
const FORGET: u64 = 1000;

/// What may be dropped of a session.
#[derive(Debug)]
pub(super) struct Evictable<'a> {
    pub(super) pending: &'a mut PendingPackets,
    pub(super) fdt: &'a mut FdtDatabase,
    pub(super) objects: &'a mut ObjectTable,
    pub(super) ledger: &'a mut Ledger,
}

/// Drops what there is memory needed for.
#[derive(Debug, Default)]
pub(super) struct Eviction {
    /// When idle objects may be looked for again.
    next_search: Time,
}

impl Eviction {
    /// Frees memory until `needed` bytes are free; `false` if that cannot be. Leaves the object `except` alone.
    pub(super) fn free_memory(
        &mut self,
        needed: u64,
        except: Toi,
        from: &mut Evictable<'_>,
        now: Time,
        work: &mut Work,
        events: &mut VecDeque<Event>,
    ) -> bool {
        if needed > from.ledger.budget.limit() {
            return false;
        }
        let mut dropped = 0;
        while from.ledger.budget.available() < needed && !work.is_exhausted() {
            work.spend(FORGET);
            match from.drop_next(except) {
                Some(is_loss) => dropped += u64::from(is_loss),
                None => break,
            }
        }
        if from.ledger.budget.available() < needed && now >= self.next_search {
            self.next_search = now + SEARCH_INTERVAL;
            for toi in from.objects.idle(IDLE, except, now) {
                if from.ledger.budget.available() >= needed {
                    break;
                }
                work.spend(FORGET);
                from.evict(toi);
                dropped += 1;
            }
        }
        if dropped > 0 {
            from.ledger.drop_for(Limit::Memory, dropped, events);
        }
        from.ledger.budget.available() >= needed
    }
}

impl Evictable<'_> {
    /// Drops what goes next; whether something is lost with it. `None` if nothing is left that goes in any case.
    fn drop_next(&mut self, except: Toi) -> Option<bool> {
        let budget = &mut self.ledger.budget;
        if self.pending.drop_oldest(budget) {
            Some(true)
        } else if self.fdt.drop_object_of_known(budget) {
            Some(false)
        } else if self.fdt.drop_incomplete(budget) {
            Some(true)
        } else if let Some(toi) = self.objects.forget_undescribed(except, budget) {
            self.pending.forget(Key::Object(toi), budget);
            Some(true)
        } else {
            let toi = self.objects.next_withdrawn(except)?;
            self.evict(toi);
            // That it is lost has been told already.
            Some(false)
        }
    }

    fn evict(&mut self, toi: Toi) {
        if let Some(object) = self.objects.get_mut(toi) {
            object.evict(&mut self.ledger.budget);
        }
        self.pending.forget(Key::Object(toi), &mut self.ledger.budget);
    }

    /// Makes a place in the table of objects for `toi`, of at most `max`. `false` if there is none.
    pub(super) fn make_place(&mut self, toi: Toi, max: usize, events: &mut VecDeque<Event>) -> bool {
        if self.objects.len() < max {
            return true;
        }
        let undescribed = self.objects.forget_undescribed(toi, &mut self.ledger.budget);
        if let Some(toi) = undescribed {
            self.pending.forget(Key::Object(toi), &mut self.ledger.budget);
        }
        // What is only remembered of a completed object is no loss.
        let has_place = undescribed.is_some() || self.objects.forget_completed(&mut self.ledger.budget);
        self.ledger.drop_for(Limit::Objects, u64::from(undescribed.is_some() || !has_place), events);
        has_place
    }
}
