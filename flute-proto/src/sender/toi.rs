// SPDX-License-Identifier: MPL-2.0

//! Which TOIs are free.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use crate::Time;
use crate::lct::Toi;

/// How many TOIs are remembered after their objects have gone, where there are so many TOIs that counting up does not
/// come back to one of them while it is still described.
const MAX_RESTING: usize = 1 << 17;

/// Gives out TOIs in ascending order, from the first one asked for up to the largest of the session and then from 1. A
/// TOI is given out again only when every FDT Instance that named it has expired: until then it would mean two objects
/// (RFC 6726 §3.3).
#[derive(Debug)]
pub(super) struct ToiAllocator {
    next: u128,
    max: u128,
    taken: HashSet<u128>,
    /// Objects that have gone, by the time at which the last FDT Instance that describes them expires. Their TOIs are
    /// still in `taken`.
    resting: BinaryHeap<Reverse<(Time, u128)>>,
}

impl ToiAllocator {
    pub(super) fn new(first: Toi, max: Toi) -> Self {
        Self { next: first.get().max(1), max: max.get(), taken: HashSet::new(), resting: BinaryHeap::new() }
    }

    /// The next free TOI, `None` if there is none.
    pub(super) fn allocate(&mut self, now: Time) -> Option<Toi> {
        self.expire(now);
        if self.taken.len() as u128 >= self.max {
            return None;
        }
        // Of max TOIs fewer are taken, so this ends; it goes past each of those taken once per round at most.
        let free = loop {
            let candidate = if self.next > self.max { 1 } else { self.next };
            self.next = candidate + 1;
            if self.taken.insert(candidate) {
                break candidate;
            }
        };
        Toi::new(free)
    }

    /// Takes the TOI that is asked for; `false` if it is in use or still described, or that of the FDT.
    pub(super) fn take(&mut self, toi: Toi, now: Time) -> bool {
        self.expire(now);
        toi != Toi::FDT && self.taken.insert(toi.get())
    }

    /// Gives a TOI back that FDT Instances describe until `described_until`.
    pub(super) fn release(&mut self, toi: Toi, described_until: Option<Time>) {
        let Some(until) = described_until else {
            self.taken.remove(&toi.get());
            return;
        };
        self.resting.push(Reverse((until, toi.get())));
        if self.resting.len() > MAX_RESTING {
            self.free_oldest();
        }
    }

    /// Frees what no FDT Instance describes any more.
    fn expire(&mut self, now: Time) {
        while self.resting.peek().is_some_and(|Reverse((until, _))| *until <= now) {
            self.free_oldest();
        }
    }

    fn free_oldest(&mut self) {
        if let Some(Reverse((_, toi))) = self.resting.pop() {
            self.taken.remove(&toi);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn toi(value: u128) -> Toi {
        Toi::new(value).unwrap()
    }

    #[test]
    fn counts_up_and_around() {
        let mut tois = ToiAllocator::new(toi(3), toi(4));
        let now = Time::default();
        assert_eq!(tois.allocate(now), Some(toi(3)));
        assert_eq!(tois.allocate(now), Some(toi(4)));
        assert_eq!(tois.allocate(now), Some(toi(1)));
        assert!(!tois.take(toi(4), now));
        assert!(!tois.take(toi(0), now));
        assert!(tois.take(toi(2), now));
        assert_eq!(tois.allocate(now), None);
        tois.release(toi(4), None);
        assert_eq!(tois.allocate(now), Some(toi(4)));
    }

    #[test]
    fn sixteen_bits_run_out() {
        let mut tois = ToiAllocator::new(toi(60000), toi(0xffff));
        let now = Time::default();
        assert!((0..0xffff).all(|_| tois.allocate(now).is_some()));
        assert_eq!(tois.allocate(now), None);
        // Still described for ten seconds.
        let expiry = now + Duration::from_secs(10);
        tois.release(toi(77), Some(expiry));
        assert_eq!(tois.allocate(now + Duration::from_secs(9)), None);
        assert!(!tois.take(toi(77), now + Duration::from_secs(9)));
        assert_eq!(tois.allocate(expiry), Some(toi(77)));
    }
}
