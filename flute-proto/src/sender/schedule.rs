// SPDX-License-Identifier: MPL-2.0

//! Whose turn it is: a heap of times at which something is due, and queues of what is due now.
//!
//! Nothing here is ever scanned. A [`Ticket`] that was overtaken by events stays where it is and is recognised as stale
//! when it comes up; a heap that is mostly stale is swept once, which its growth has paid for.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::object_table::Key;
use crate::Time;

/// A claim of an object to be served, valid as long as the object has the same stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    pub(super) key: Key,
    pub(super) stamp: u32,
}

/// A ticket that becomes due. Of those due at the same time the higher priority comes first, then the older.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    at: Time,
    priority: Reverse<u32>,
    sequence: u64,
    ticket: Ticket,
}

/// Objects of one priority.
#[derive(Debug, Default)]
struct Queue {
    /// Transfers in progress that have something to send, in the order of their turns.
    running: VecDeque<Running>,
    /// Transfers that have not begun.
    waiting: VecDeque<Ticket>,
    /// How many of `waiting` are not stale.
    waiting_count: usize,
    /// How many of `running` count for the number of objects sent side by side.
    side_by_side: u32,
}

#[derive(Debug)]
struct Running {
    key: Key,
    /// Whether it counts for the number of objects sent side by side; one that is spread over time does not.
    counts: bool,
}

/// Whose turn it is.
#[derive(Debug)]
pub(super) enum Turn {
    /// The transfer of this object goes on.
    Continue(Key),
    /// The transfer of this object is to begin, and joins those that are running.
    Begin(Ticket),
}

#[derive(Debug, Default)]
pub(super) struct Schedule {
    timers: BinaryHeap<Reverse<Timer>>,
    queues: BTreeMap<Reverse<u32>, Queue>,
    sequence: u64,
    #[cfg(test)]
    pub(super) operations: u64,
}

impl Schedule {
    /// Has `ticket` come up at `at`.
    pub(super) fn set_timer(&mut self, at: Time, priority: u32, ticket: Ticket) {
        self.count();
        self.sequence += 1;
        self.timers.push(Reverse(Timer { at, priority: Reverse(priority), sequence: self.sequence, ticket }));
    }

    /// Takes out a ticket that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<Ticket> {
        if self.timers.peek()?.0.at > now {
            return None;
        }
        self.count();
        self.timers.pop().map(|Reverse(timer)| timer.ticket)
    }

    /// When the next ticket that `is_current` comes up.
    pub(super) fn next_due(&mut self, is_current: impl Fn(Ticket) -> bool) -> Option<Time> {
        while let Some(Reverse(timer)) = self.timers.peek() {
            if is_current(timer.ticket) {
                return Some(timer.at);
            }
            self.count();
            self.timers.pop();
        }
        None
    }

    /// Drops stale timers if there are many more of them than the `live` objects can have.
    pub(super) fn sweep(&mut self, live: usize, is_current: impl Fn(Ticket) -> bool) {
        if self.timers.len() > 2 * live + 64 {
            self.timers.retain(|Reverse(timer)| is_current(timer.ticket));
        }
    }

    /// Adds an object whose transfer is to begin.
    pub(super) fn wait(&mut self, priority: u32, ticket: Ticket) {
        self.count();
        let queue = self.queues.entry(Reverse(priority)).or_default();
        queue.waiting.push_back(ticket);
        queue.waiting_count += 1;
    }

    /// Takes note that a ticket among those waiting has become stale.
    pub(super) fn forget_waiting(&mut self, priority: u32) {
        if let Some(queue) = self.queues.get_mut(&Reverse(priority)) {
            queue.waiting_count -= 1;
        }
    }

    /// How many objects of this priority wait for their transfers to begin.
    pub(super) fn waiting(&self, priority: u32) -> usize {
        self.queues.get(&Reverse(priority)).map_or(0, |queue| queue.waiting_count)
    }

    /// Puts a transfer behind those that are running; in front of them if it does not count, because it is late already.
    pub(super) fn run(&mut self, priority: u32, key: Key, counts: bool) {
        self.count();
        let queue = self.queues.entry(Reverse(priority)).or_default();
        let running = Running { key, counts };
        if counts {
            queue.running.push_back(running);
        } else {
            queue.running.push_front(running);
        }
        queue.side_by_side += u32::from(counts);
    }

    /// Takes a transfer out of those that are running.
    pub(super) fn stop(&mut self, priority: u32, key: Key) {
        self.count();
        let Entry::Occupied(mut entry) = self.queues.entry(Reverse(priority)) else { return };
        let queue = entry.get_mut();
        if let Some(index) = queue.running.iter().position(|running| running.key == key)
            && let Some(running) = queue.running.remove(index)
        {
            queue.side_by_side -= u32::from(running.counts);
        }
        if queue.running.is_empty() && queue.waiting.is_empty() {
            entry.remove();
        }
    }

    /// Whose turn it is: the highest priority that has anything to send; there a transfer that is to begin, as long as
    /// fewer than `multiplex` of the priority are running.
    pub(super) fn turn(
        &mut self,
        multiplex: impl Fn(u32) -> u32,
        is_current: impl Fn(Ticket) -> bool,
    ) -> Option<(u32, Turn)> {
        while let Some(mut entry) = self.queues.first_entry() {
            let Reverse(priority) = *entry.key();
            let queue = entry.get_mut();
            while queue.side_by_side < multiplex(priority).max(1)
                && let Some(ticket) = queue.waiting.pop_front()
            {
                if is_current(ticket) {
                    queue.waiting_count -= 1;
                    return Some((priority, Turn::Begin(ticket)));
                }
            }
            if let Some(running) = queue.running.front() {
                return Some((priority, Turn::Continue(running.key)));
            }
            entry.remove();
        }
        None
    }

    /// Ends the turn of the object in front.
    pub(super) fn pass_on(&mut self, priority: u32) {
        if let Some(queue) = self.queues.get_mut(&Reverse(priority))
            && queue.running.len() > 1
        {
            queue.running.rotate_left(1);
        }
    }

    /// Whether the object in front may send several packets on end: no other one of its priority takes turns with it.
    pub(super) fn is_alone(&self, priority: u32) -> bool {
        self.queues.get(&Reverse(priority)).is_some_and(|queue| queue.running.len() == 1)
    }

    #[cfg(test)]
    pub(super) fn timers(&self) -> usize {
        self.timers.len()
    }

    #[cfg(test)]
    fn count(&mut self) {
        self.operations += 1;
    }

    #[cfg(not(test))]
    fn count(&mut self) {}
}
