// SPDX-License-Identifier: MPL-2.0

//! FDT Instance IDs (RFC 6726 §3.4.1, RFC 3926 §3.4.1).

use std::collections::VecDeque;

use crate::Time;

/// IDs have 20 bits.
const COUNT: u32 = 1 << 20;
/// The largest ID.
pub(in super::super) const MAX_INSTANCE_ID: u32 = COUNT - 1;

/// Numbers FDT Instances: from the first, each one more than the one before, and around.
#[derive(Debug)]
pub(super) struct InstanceIds {
    next: u32,
    /// Whether an ID may be given again only when the instance that has it is expired: FLUTE v2. In v1 that is only
    /// discouraged.
    unique: bool,
    /// IDs of instances that may not be expired, oldest first.
    live: VecDeque<Run>,
}

/// IDs on end whose instances expire in the same second.
#[derive(Debug)]
struct Run {
    first: u32,
    count: u32,
    expires: Time,
}

impl InstanceIds {
    /// IDs for a session that begins at `now`, with the time of day if `first` is `None`; `unique` for FLUTE v2.
    pub(super) fn new(first: Option<u32>, unique: bool, now: Time) -> Self {
        let of_time = (now.as_unix().as_secs() % u64::from(COUNT)) as u32;
        Self { next: first.unwrap_or(of_time) % COUNT, unique, live: VecDeque::new() }
    }

    /// When an instance can be published: `now`, unless all IDs belong to instances that have not expired.
    pub(super) fn next_at(&mut self, now: Time) -> Time {
        while self.live.front().is_some_and(|run| run.expires <= now) {
            self.live.pop_front();
        }
        // IDs are given in order and instances live equally long, so the oldest live one is the next after a round.
        match self.live.front() {
            Some(run) if self.unique && self.next.wrapping_sub(run.first) % COUNT < run.count => run.expires,
            _ => now,
        }
    }

    /// Gives the ID of an instance that expires at `expires`, to be called when [`next_at`](Self::next_at) allows it.
    pub(super) fn allocate(&mut self, expires: Time) -> u32 {
        let id = self.next;
        self.next = (id + 1) % COUNT;
        if self.unique {
            match self.live.back_mut() {
                Some(run) if run.expires == expires && run.first + run.count == id => run.count += 1,
                _ => self.live.push_back(Run { first: id, count: 1, expires }),
            }
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_unix(Duration::from_secs(seconds))
    }

    #[test]
    fn version_2_waits_for_an_expired_id() {
        let mut ids = InstanceIds::new(Some(0), true, at(0));
        for id in 0..COUNT {
            assert_eq!(ids.next_at(at(0)), at(0));
            // The first hundred expire earlier than the rest.
            assert_eq!(ids.allocate(at(if id < 100 { 50 } else { 60 })), id);
        }
        assert_eq!(ids.next_at(at(49)), at(50));
        assert_eq!(ids.next_at(at(50)), at(50));
        for id in 0..100 {
            assert_eq!(ids.next_at(at(51)), at(51));
            assert_eq!(ids.allocate(at(110)), id);
        }
        assert_eq!(ids.next_at(at(51)), at(60));
    }

    #[test]
    fn version_1_wraps_to_0() {
        let mut ids = InstanceIds::new(Some(0), false, at(0));
        assert!((0..COUNT).all(|id| ids.allocate(at(50)) == id));
        assert_eq!(ids.next_at(at(1)), at(1));
        assert_eq!(ids.allocate(at(50)), 0);
    }

    #[test]
    fn the_first_is_chosen_or_told_by_the_time() {
        assert_eq!(InstanceIds::new(Some(7), true, at(3)).allocate(at(50)), 7);
        let mut ids = InstanceIds::new(None, true, at((5 << 20) - 1));
        assert_eq!([0; 2].map(|_| ids.allocate(at(50))), [MAX_INSTANCE_ID, 0]);
        // A second later a restarted sender has an ID that it has not used.
        assert_eq!(InstanceIds::new(None, true, at(1_800_000_001)).allocate(at(50)), 1_800_000_001 % COUNT);
    }
}
