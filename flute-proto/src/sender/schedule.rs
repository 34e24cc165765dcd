// SPDX-License-Identifier: MPL-2.0

//! Where each object waits, and which one sends next: a set of times at which something is due, and queues of what is due
//! now.
//!
//! [`Schedule::enter`] is the one place where the phase of an object changes. It takes the object out of the container
//! where it waited and puts it into the one where it waits next, so that no container has an entry that no longer counts,
//! and nothing is ever scanned.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use hashlink::{LinkedHashMap, LinkedHashSet};
use slotmap::SecondaryMap;

use crate::Time;

slotmap::new_key_type! {
    /// An object of the session. No other object has the same key, not even a later one.
    pub(super) struct ObjectKey;
}

/// What an object waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its content is read: to be encoded, or for its digest.
    Preparing,
    /// Its next transfer is due at this time.
    Scheduled(Time),
    /// It is due, and no FDT Instance describes it yet.
    Unannounced,
    /// The FDT Instance that announces it is being sent.
    Announced,
    /// Its transfer is due, and waits in its queue for earlier ones to end.
    Waiting,
    /// Its transfer has something to send, and takes turns in its queue.
    Running,
    /// Its transfer is spread over time, and its next packet is due at this time.
    Paced(Time),
    /// Its source does not have the bytes that come next. A source that does not tell of new bytes is asked at this time.
    Starved(Option<Time>),
}

impl Phase {
    /// When a timer ends the phase.
    fn timer(self) -> Option<Time> {
        match self {
            Self::Scheduled(at) | Self::Paced(at) => Some(at),
            Self::Starved(at) => at,
            _ => None,
        }
    }
}

/// An object whose transfer may send.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    /// The transfer of this object goes on.
    Continue(ObjectKey),
    /// The transfer of this object is to begin.
    Begin(ObjectKey),
}

/// The phases of all objects, and the containers in which they wait.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    places: SecondaryMap<ObjectKey, Place>,
    timers: BTreeSet<Timer>,
    preparing: LinkedHashSet<ObjectKey>,
    unannounced: BTreeMap<Reverse<u32>, LinkedHashSet<ObjectKey>>,
    queues: BTreeMap<Reverse<u32>, Queue>,
    /// Number of phases that objects have entered.
    sequence: u64,
    #[cfg(test)]
    operations: u64,
}

/// Where an object is.
#[derive(Clone, Copy, Debug)]
struct Place {
    phase: Phase,
    priority: u32,
    /// Its transfers are spread over time: then they do not count for the number of objects sent side by side.
    is_spread: bool,
    /// The number of this phase.
    sequence: u64,
}

/// An object whose timer runs. Of those due at the same time the higher priority comes first, then the older.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    at: Time,
    priority: Reverse<u32>,
    sequence: u64,
    key: ObjectKey,
}

/// Objects of one priority whose transfers are due.
#[derive(Debug, Default)]
struct Queue {
    /// Transfers in progress that have something to send, in the order of their turns, and whether each counts for the
    /// number of objects sent side by side.
    running: LinkedHashMap<ObjectKey, bool>,
    /// Transfers that have not begun.
    waiting: LinkedHashSet<ObjectKey>,
    /// How many of `running` count.
    side_by_side: u32,
}

impl Schedule {
    /// Adds an object, to be prepared.
    pub(super) fn add(&mut self, key: ObjectKey, priority: u32, is_spread: bool) {
        self.places.insert(key, Place { phase: Phase::Preparing, priority, is_spread, sequence: 0 });
        self.join(key);
    }

    /// Takes an object out.
    pub(super) fn remove(&mut self, key: ObjectKey) {
        self.leave(key);
        self.places.remove(key);
    }

    /// Takes an object over into another phase, or into the same one anew: behind all others.
    pub(super) fn enter(&mut self, key: ObjectKey, phase: Phase) {
        self.leave(key);
        if let Some(place) = self.places.get_mut(key) {
            place.phase = phase;
        }
        self.join(key);
    }

    /// The phase of an object.
    pub(super) fn phase(&self, key: ObjectKey) -> Option<Phase> {
        self.places.get(key).map(|place| place.phase)
    }

    /// Changes the priority of an object, which goes behind the others of that priority.
    pub(super) fn set_priority(&mut self, key: ObjectKey, priority: u32) {
        let Some(place) = self.places.get(key) else { return };
        if place.priority == priority {
            return;
        }
        // Objects are prepared in the order in which they were added, whatever their priority.
        let is_queued = place.phase != Phase::Preparing;
        if is_queued {
            self.leave(key);
        }
        if let Some(place) = self.places.get_mut(key) {
            place.priority = priority;
        }
        if is_queued {
            self.join(key);
        }
    }

    /// The object to prepare.
    pub(super) fn to_prepare(&self) -> Option<ObjectKey> {
        self.preparing.front().copied()
    }

    /// An object whose timer has ended at `now`. It has to enter another phase, or it is returned again.
    pub(super) fn due(&self, now: Time) -> Option<(ObjectKey, Phase)> {
        let timer = self.timers.first().filter(|timer| timer.at <= now)?;
        Some((timer.key, self.phase(timer.key)?))
    }

    /// When the next timer ends.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.timers.first().map(|timer| timer.at)
    }

    /// Whether an object waits to be announced.
    pub(super) fn has_unannounced(&self) -> bool {
        !self.unannounced.is_empty()
    }

    /// Takes over into [`Phase::Announced`] at most `count` objects, the highest priority first; none of a priority of
    /// which `max_waiting` objects wait already for their transfers.
    pub(super) fn announce(&mut self, count: usize, max_waiting: usize) -> Vec<ObjectKey> {
        let mut announced = Vec::new();
        for (priority, objects) in &self.unannounced {
            let waiting = self.queues.get(priority).map_or(0, |queue| queue.waiting.len());
            if waiting < max_waiting {
                announced.extend(objects.iter().take(count - announced.len()));
            }
            // Lower priorities have to wait for those that are left.
            if announced.len() == count || waiting >= max_waiting {
                break;
            }
        }
        for &key in &announced {
            self.enter(key, Phase::Announced);
        }
        announced
    }

    /// The next transfer to send: one of the highest priority that has anything to send; there one that is to begin, as
    /// long as fewer than `multiplex` of the priority are running.
    pub(super) fn turn(&self, multiplex: impl Fn(u32) -> u32) -> Option<(u32, Turn)> {
        let (&Reverse(priority), queue) = self.queues.first_key_value()?;
        let begins = queue.side_by_side < multiplex(priority).max(1);
        let waiting = queue.waiting.front().filter(|_| begins).map(|&key| Turn::Begin(key));
        let turn = waiting.or_else(|| queue.running.front().map(|(&key, _)| Turn::Continue(key)))?;
        Some((priority, turn))
    }

    /// Ends the turn of the object in front.
    pub(super) fn pass_on(&mut self, priority: u32) {
        if let Some(queue) = self.queues.get_mut(&Reverse(priority))
            && queue.running.len() > 1
            && let Some((&key, _)) = queue.running.front()
        {
            queue.running.to_back(&key);
        }
    }

    /// Whether the object in front may send several packets on end: no other one of its priority takes turns with it.
    pub(super) fn is_alone(&self, priority: u32) -> bool {
        self.queues.get(&Reverse(priority)).is_some_and(|queue| queue.running.len() == 1)
    }

    /// Puts an object where its phase has it wait.
    fn join(&mut self, key: ObjectKey) {
        self.sequence += 1;
        #[cfg(test)]
        {
            self.operations += 1;
        }
        let Some(place) = self.places.get_mut(key) else { return };
        place.sequence = self.sequence;
        let place = *place;
        let priority = Reverse(place.priority);
        match place.phase {
            Phase::Preparing => drop(self.preparing.insert(key)),
            Phase::Unannounced => drop(self.unannounced.entry(priority).or_default().insert(key)),
            Phase::Waiting => drop(self.queues.entry(priority).or_default().waiting.insert(key)),
            Phase::Running => self.queues.entry(priority).or_default().run(key, !place.is_spread),
            Phase::Announced => {}
            phase => self.timers.extend(phase.timer().map(|at| Timer::new(at, key, &place))),
        }
    }

    /// Takes an object out of where it waits.
    fn leave(&mut self, key: ObjectKey) {
        let Some(&place) = self.places.get(key) else { return };
        let priority = Reverse(place.priority);
        match place.phase {
            Phase::Preparing => drop(self.preparing.remove(&key)),
            Phase::Unannounced => {
                if let Entry::Occupied(mut objects) = self.unannounced.entry(priority) {
                    objects.get_mut().remove(&key);
                    if objects.get().is_empty() {
                        objects.remove();
                    }
                }
            }
            Phase::Waiting | Phase::Running => {
                if let Entry::Occupied(mut queue) = self.queues.entry(priority) {
                    queue.get_mut().remove(key);
                    if queue.get().is_empty() {
                        queue.remove();
                    }
                }
            }
            Phase::Announced => {}
            phase => {
                if let Some(at) = phase.timer() {
                    self.timers.remove(&Timer::new(at, key, &place));
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn timers(&self) -> usize {
        self.timers.len()
    }

    /// Number of times that an object was put into a container.
    #[cfg(test)]
    pub(super) fn operations(&self) -> u64 {
        self.operations
    }
}

impl Timer {
    fn new(at: Time, key: ObjectKey, place: &Place) -> Self {
        Self { at, priority: Reverse(place.priority), sequence: place.sequence, key }
    }
}

impl Queue {
    /// Puts a transfer behind those that are running; in front of them if it does not count, because it is late already.
    fn run(&mut self, key: ObjectKey, counts: bool) {
        self.running.insert(key, counts);
        if !counts {
            self.running.to_front(&key);
        }
        self.side_by_side += u32::from(counts);
    }

    fn remove(&mut self, key: ObjectKey) {
        self.waiting.remove(&key);
        if let Some(counts) = self.running.remove(&key) {
            self.side_by_side -= u32::from(counts);
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use slotmap::SlotMap;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_unix(Duration::from_secs(seconds))
    }

    /// A schedule of objects of these priorities.
    fn schedule<const N: usize>(priorities: [u32; N]) -> (Schedule, [ObjectKey; N]) {
        let mut keys = SlotMap::with_key();
        let mut schedule = Schedule::default();
        let keys = priorities.map(|priority| {
            let key = keys.insert(());
            schedule.add(key, priority, false);
            key
        });
        (schedule, keys)
    }

    #[test]
    fn timers_end_in_the_order_of_time_priority_and_age() {
        let (mut schedule, [a, b, c, d]) = schedule([0, 0, 1, 0]);
        for (key, seconds) in [(a, 5), (b, 5), (c, 5), (d, 4)] {
            schedule.enter(key, Phase::Scheduled(at(seconds)));
        }
        assert_eq!((schedule.due(at(3)), schedule.next_due()), (None, Some(at(4))));
        let mut order = Vec::new();
        while let Some((key, _)) = schedule.due(at(5)) {
            order.push(key);
            schedule.enter(key, Phase::Waiting);
        }
        assert_eq!(order, [d, c, a, b]);
        assert_eq!(schedule.timers(), 0);
    }

    #[test]
    fn no_container_has_what_went_elsewhere() {
        let (mut schedule, [a]) = schedule([3]);
        for phase in [
            Phase::Scheduled(at(1)),
            Phase::Unannounced,
            Phase::Announced,
            Phase::Waiting,
            Phase::Running,
            Phase::Paced(at(2)),
            Phase::Starved(Some(at(3))),
            Phase::Starved(None),
            Phase::Preparing,
        ] {
            schedule.enter(a, phase);
            assert_eq!(schedule.phase(a), Some(phase));
            schedule.set_priority(a, 4);
            schedule.set_priority(a, 3);
            let places = schedule.timers.len()
                + schedule.preparing.len()
                + schedule.unannounced.len()
                + schedule.queues.values().map(|queue| queue.running.len() + queue.waiting.len()).sum::<usize>();
            assert_eq!(places, usize::from(!matches!(phase, Phase::Announced | Phase::Starved(None))), "{phase:?}");
        }
        schedule.remove(a);
        assert!(schedule.to_prepare().is_none() && schedule.phase(a).is_none());
    }

    #[test]
    fn turns_are_taken_by_priority_and_side_by_side() {
        let (mut schedule, [a, b, c]) = schedule([0, 0, 7]);
        for key in [a, b, c] {
            schedule.enter(key, Phase::Waiting);
        }
        let turn = |schedule: &Schedule| schedule.turn(|_| 2).map(|(_, turn)| turn);
        assert!(matches!(turn(&schedule), Some(Turn::Begin(key)) if key == c));
        schedule.enter(c, Phase::Running);
        assert!(matches!(turn(&schedule), Some(Turn::Continue(key)) if key == c) && schedule.is_alone(7));
        schedule.remove(c);
        for key in [a, b] {
            assert!(matches!(turn(&schedule), Some(Turn::Begin(next)) if next == key));
            schedule.enter(key, Phase::Running);
        }
        for key in [a, b, a] {
            assert!(matches!(turn(&schedule), Some(Turn::Continue(next)) if next == key) && !schedule.is_alone(0));
            schedule.pass_on(0);
        }
    }
}
