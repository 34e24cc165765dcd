// SPDX-License-Identifier: MPL-2.0

//! The FDT Instances of a session: those that are being received, those that have been read, and their order.

use std::collections::{HashMap, VecDeque};

use super::budget::Budget;
use super::object::Object;
use super::reading::Reading;
use crate::Time;
use crate::alc::Payload;
use crate::content::ContentEncoding;
use crate::oti::Oti;

/// FDT Instances that are received side by side, at most.
const MAX_INCOMING: usize = 64;
/// FDT Instances that are complete and wait to be read, at most.
const MAX_READINGS: usize = 16;
/// FDT Instance IDs (RFC 6726 §3.4.1).
const IDS: u64 = 1 << 20;
/// Instances by which one that was published before may come after them.
const LATE: i32 = 4;
/// What an instance that has been read costs besides its bytes: its places in tables.
pub(super) const KNOWN_OVERHEAD: u64 = 512;

/// An FDT Instance that is being received.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) object: Object,
    pub(super) encoding: ContentEncoding,
    /// The place of another instance, which has not expired, that had its ID.
    pub(super) replaces: Option<u64>,
}

/// An FDT Instance that has been read.
#[derive(Debug)]
struct Known {
    /// As it was received, to compare its packets with; dropped when memory is short.
    object: Option<Box<Object>>,
    oti: Oti,
    /// Its place in the order of all, if it could be read.
    order: Option<u64>,
    expires: Time,
    serial: u64,
}

/// The latest of the instances that have been read.
#[derive(Clone, Copy, Debug)]
struct Newest {
    id: u32,
    order: u64,
    expires: Time,
}

/// All FDT Instances of a session.
#[derive(Debug, Default)]
pub(super) struct Instances {
    incoming: HashMap<u32, Incoming>,
    incoming_by_age: VecDeque<u32>,
    /// Complete, and to be read, in the order of their arrival.
    readings: VecDeque<Reading>,
    known: HashMap<u32, Known>,
    known_by_age: VecDeque<(u64, u32)>,
    /// Serials up to here have no object any more.
    shed_up_to: u64,
    next_serial: u64,
    newest: Option<Newest>,
}

/// What a packet is to an instance that has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// There is no such instance.
    Unknown,
    /// A repetition.
    Repeated,
    /// Part of another instance with the same ID.
    Other,
}

impl Instances {
    /// Whether a packet repeats what has been read.
    pub(super) fn relation(&self, id: u32, oti: Option<&Oti>, payload: Payload<'_>) -> Relation {
        let (known, object) = if let Some(reading) = self.readings.iter().find(|reading| reading.id == id) {
            (reading.object.oti(), Some(&reading.object))
        } else if let Some(known) = self.known.get(&id) {
            (&known.oti, known.object.as_deref())
        } else {
            return Relation::Unknown;
        };
        let same = oti.is_none_or(|oti| oti == known) && object.is_none_or(|object| !object.differs(payload));
        if same { Relation::Repeated } else { Relation::Other }
    }

    /// The FEC OTI of an instance, whether it has been read or is being received.
    pub(super) fn oti(&self, id: u32) -> Option<&Oti> {
        let incoming = self.incoming.get(&id).map(|incoming| incoming.object.oti());
        let reading = || self.readings.iter().find(|reading| reading.id == id).map(|reading| reading.object.oti());
        incoming.or_else(reading).or_else(|| self.known.get(&id).map(|known| &known.oti))
    }

    /// The instance that is being received under this ID.
    pub(super) fn incoming(&mut self, id: u32) -> Option<&mut Incoming> {
        self.incoming.get_mut(&id)
    }

    /// Begins to receive an instance; the oldest one that is incomplete makes room for it if need be: `true` then.
    pub(super) fn begin(
        &mut self,
        id: u32,
        object: Object,
        encoding: ContentEncoding,
        replaces: Option<u64>,
        budget: &mut Budget,
    ) -> bool {
        let full = self.incoming.len() >= MAX_INCOMING && self.shed_incoming(budget);
        self.incoming.insert(id, Incoming { object, encoding, replaces });
        self.incoming_by_age.push_back(id);
        full
    }

    /// Takes an instance out that is being received.
    pub(super) fn take_incoming(&mut self, id: u32) -> Option<Incoming> {
        let incoming = self.incoming.remove(&id)?;
        self.incoming_by_age.retain(|other| *other != id);
        Some(incoming)
    }

    /// Lines an instance up to be read, or forgets it if too many wait: `false` then.
    pub(super) fn begin_reading(&mut self, reading: Reading, budget: &mut Budget) -> bool {
        let has_room = self.readings.len() < MAX_READINGS;
        if has_room {
            self.readings.push_back(reading);
        } else {
            reading.discard(budget);
        }
        has_room
    }

    /// Whether there are instances to be read.
    pub(super) fn is_reading(&self) -> bool {
        !self.readings.is_empty()
    }

    /// Takes out the instance that is to be read next.
    pub(super) fn take_reading(&mut self) -> Option<Reading> {
        self.readings.pop_front()
    }

    /// Puts an instance back that is to be gone on with.
    pub(super) fn put_reading_back(&mut self, reading: Reading) {
        self.readings.push_front(reading);
    }

    /// Forgets the oldest instance that is incomplete; `false` if there is none.
    pub(super) fn shed_incoming(&mut self, budget: &mut Budget) -> bool {
        let oldest = self.incoming_by_age.pop_front().and_then(|id| self.incoming.remove(&id));
        oldest.map(|incoming| incoming.object.discard(budget)).is_some()
    }

    /// Remembers an instance that has been read, of at most `max`. `true` if another was forgotten for it.
    ///
    /// Its object stays charged; [`KNOWN_OVERHEAD`] has been charged by the caller.
    pub(super) fn remember(
        &mut self,
        id: u32,
        object: Object,
        order: Option<u64>,
        expires: Time,
        max: usize,
        budget: &mut Budget,
    ) -> bool {
        self.forget(id, budget);
        let full = self.known.len() >= max && self.shed_known(budget);
        let serial = self.serial();
        let oti = object.oti().clone();
        self.known.insert(id, Known { object: Some(Box::new(object)), oti, order, expires, serial });
        self.known_by_age.push_back((serial, id));
        full
    }

    /// Forgets an instance that has been read, or is being read. Returns its place in the order of all.
    pub(super) fn forget(&mut self, id: u32, budget: &mut Budget) -> Option<u64> {
        if let Some(index) = self.readings.iter().position(|reading| reading.id == id)
            && let Some(reading) = self.readings.remove(index)
        {
            reading.discard(budget);
        }
        let forgotten = self.known.remove(&id)?;
        budget.release(KNOWN_OVERHEAD);
        if let Some(object) = forgotten.object {
            object.discard(budget);
        }
        if self.known_by_age.len() > 2 * self.known.len() + 16 {
            let known = &self.known;
            self.known_by_age.retain(|(serial, id)| known.get(id).is_some_and(|known| known.serial == *serial));
        }
        forgotten.order
    }

    /// Forgets the instance if it has expired.
    pub(super) fn expire(&mut self, id: u32, now: Time, budget: &mut Budget) {
        if self.known.get(&id).is_some_and(|known| known.expires <= now) {
            self.forget(id, budget);
        }
    }

    fn shed_known(&mut self, budget: &mut Budget) -> bool {
        while let Some((serial, id)) = self.known_by_age.pop_front() {
            if self.known.get(&id).is_some_and(|known| known.serial == serial) {
                self.forget(id, budget);
                return true;
            }
        }
        false
    }

    /// Frees memory: the bytes of instances that have been read, oldest first. `false` if there is nothing to free.
    pub(super) fn shed(&mut self, budget: &mut Budget) -> bool {
        let begin = self.known_by_age.partition_point(|(serial, _)| *serial <= self.shed_up_to);
        for (serial, id) in self.known_by_age.range(begin..) {
            self.shed_up_to = *serial;
            if let Some(known) = self.known.get_mut(id).filter(|known| known.serial == *serial)
                && let Some(object) = known.object.take()
            {
                object.discard(budget);
                return true;
            }
        }
        false
    }

    /// When the instances end that have been read.
    pub(super) fn expiries(&self) -> impl Iterator<Item = (Time, u32)> {
        self.known.iter().map(|(id, known)| (known.expires, *id))
    }

    /// Number of instances that have been read.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The place of an instance in the order of all: a larger number is newer.
    ///
    /// IDs count up and wrap at 20 bits (RFC 6726 §3.4.1), and instances may come late and out of order. But a sender
    /// that is restarted begins at 0: an ID that went back while the expiry went on is newer than all before; and so is one
    /// that is used again, unless it is but a late one of a sender whose restart has been noticed by another: then it is
    /// hardly behind, and its place is after that of the instance that it `replaces`.
    pub(super) fn place(&mut self, id: u32, expires: Time, replaces: Option<u64>) -> u64 {
        let Some(newest) = self.newest else {
            let order = IDS + u64::from(id);
            self.newest = Some(Newest { id, order, expires });
            return order;
        };
        // The difference of two 20-bit numbers, as a signed one.
        let ahead = (id.wrapping_sub(newest.id) << 12) as i32 >> 12;
        let order = newest.order.saturating_add_signed(ahead.into());
        let is_late = |replaced| ahead >= -LATE && order > replaced;
        let restarted = replaces.is_some_and(|replaced| !is_late(replaced)) || ahead < 0 && expires > newest.expires;
        let order = if restarted { newest.order + IDS } else { order };
        if order >= newest.order {
            self.newest = Some(Newest { id, order, expires });
        }
        order
    }

    /// Whether `order` is that of the newest instance.
    pub(super) fn is_newest(&self, order: u64) -> bool {
        self.newest.is_some_and(|newest| newest.order == order)
    }

    fn serial(&mut self) -> u64 {
        self.next_serial += 1;
        self.next_serial
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
    fn instances_are_ordered_across_the_wrap() {
        let mut instances = Instances::default();
        let last = instances.place((1 << 20) - 1, at(100), None);
        let wrapped = instances.place(0, at(110), None);
        let late = instances.place((1 << 20) - 2, at(90), None);
        assert!(late < last && last < wrapped);
        assert!(instances.is_newest(wrapped) && !instances.is_newest(late));
    }

    #[test]
    fn a_restarted_sender_is_newer_than_its_past() {
        let mut instances = Instances::default();
        let before = instances.place(40, at(100), None);
        let late = instances.place(39, at(100), None);
        let restarted = instances.place(0, at(200), None);
        assert!(late < before && before < restarted);
        let again = instances.place(0, at(150), Some(restarted));
        assert!(restarted < again);
    }

    #[test]
    fn instances_of_a_restarted_sender_come_late() {
        let mut instances = Instances::default();
        let before = [0, 1, 2].map(|id| instances.place(id, at(100), None));
        let two = instances.place(2, at(100), Some(before[2]));
        let zero = instances.place(0, at(100), Some(before[0]));
        let one = instances.place(1, at(100), Some(before[1]));
        assert!(before[2] < zero && zero < one && one < two);
        assert!(instances.is_newest(two));
        for id in 3..8 {
            instances.place(id, at(100), None);
        }
        // What it replaces is not the last of its ID, which was lost; but nothing is that late.
        let again = instances.place(1, at(100), Some(before[1]));
        assert!(instances.is_newest(again));
    }
}
