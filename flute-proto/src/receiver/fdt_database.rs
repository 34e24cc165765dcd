// SPDX-License-Identifier: MPL-2.0

//! The FDT Instances of a session (RFC 6726 §3.4): those that are being received, those that are being read, those that
//! have been read, their order, and which of them the sender still repeats.

use std::collections::VecDeque;
use std::hash::RandomState;

use hashlink::{LinkedHashMap, LinkedHashSet};

use super::budget::Budget;
use super::fdt_reader::{FdtReader, IncomingInstance};
use super::reassembly::Reassembly;
use crate::Time;
use crate::alc::Payload;
use crate::collections::Deadlines;
use crate::oti::{Oti, PayloadId};

/// FDT Instances that are received side by side, at most.
const MAX_INCOMING: usize = 64;
/// FDT Instances that are complete and wait to be read, at most.
const MAX_READERS: usize = 16;
/// FDT Instance IDs (RFC 6726 §3.4.1).
const IDS: u64 = 1 << 20;
/// Instances by which one that was published before may come after them.
const LATE: i32 = 4;
/// What an instance that has been read costs besides its bytes: its places in tables.
pub(super) const KNOWN_OVERHEAD: u64 = 512;

/// An FDT Instance that has been read.
#[derive(Debug)]
struct Known {
    /// As it was received, to compare its packets with; dropped when memory is short.
    object: Option<Box<Reassembly>>,
    oti: Oti,
    /// Its place in the order of all, if it could be read.
    order: Option<u64>,
    /// When its first symbol came last.
    last_heard: Time,
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
pub(super) struct FdtDatabase {
    /// The first was begun first.
    incoming: LinkedHashMap<u32, IncomingInstance, RandomState>,
    /// Complete, and to be read, in the order of their arrival.
    readers: VecDeque<FdtReader>,
    /// The first was read first.
    known: LinkedHashMap<u32, Known, RandomState>,
    /// Those of them that have their object; the first was read first.
    known_with_object: LinkedHashSet<u32, RandomState>,
    expiries: Deadlines<u32>,
    newest: Option<Newest>,
    /// When an instance was last heard that was then heard once more.
    heard_before: Time,
    /// When the last two instances came that were new, the later one first.
    new_instances: [Time; 2],
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

impl FdtDatabase {
    /// Whether a packet repeats what has been read.
    pub(super) fn relation(&self, id: u32, oti: Option<&Oti>, payload: Payload<'_>) -> Relation {
        let (known, object) = if let Some(reader) = self.reader(id) {
            (reader.object().oti(), Some(reader.object()))
        } else if let Some(known) = self.known.get(&id) {
            (&known.oti, known.object.as_deref())
        } else {
            return Relation::Unknown;
        };
        let same = oti.is_none_or(|oti| oti == known) && object.is_none_or(|object| !object.differs(payload));
        if same { Relation::Repeated } else { Relation::Other }
    }

    fn reader(&self, id: u32) -> Option<&FdtReader> {
        self.readers.iter().find(|reader| reader.id() == id)
    }

    /// The FEC OTI of an instance, whether it has been read or is being received.
    pub(super) fn oti(&self, id: u32) -> Option<&Oti> {
        let incoming = self.incoming.get(&id).map(|incoming| incoming.object.oti());
        let reader = || self.reader(id).map(|reader| reader.object().oti());
        incoming.or_else(reader).or_else(|| self.known.get(&id).map(|known| &known.oti))
    }

    /// The instance that is being received under this ID.
    pub(super) fn incoming(&mut self, id: u32) -> Option<&mut IncomingInstance> {
        self.incoming.get_mut(&id)
    }

    /// Begins to receive an instance; the oldest one that is incomplete gives way to it if there are too many: `true`
    /// then.
    pub(super) fn begin(&mut self, id: u32, instance: IncomingInstance, budget: &mut Budget) -> bool {
        let gives_way = self.incoming.len() >= MAX_INCOMING && self.drop_incomplete(budget);
        self.incoming.insert(id, instance);
        gives_way
    }

    /// Takes an instance out that is being received.
    pub(super) fn take_incoming(&mut self, id: u32) -> Option<IncomingInstance> {
        self.incoming.remove(&id)
    }

    /// Forgets an instance that is being received.
    pub(super) fn drop_incoming(&mut self, id: u32, budget: &mut Budget) {
        if let Some(incoming) = self.incoming.remove(&id) {
            incoming.object.discard(budget);
        }
    }

    /// Lines an instance up to be read, or forgets it if too many wait: `false` then.
    pub(super) fn begin_reading(&mut self, reader: FdtReader, budget: &mut Budget) -> bool {
        let may_wait = self.readers.len() < MAX_READERS;
        if may_wait {
            self.readers.push_back(reader);
        } else {
            reader.discard(budget);
        }
        may_wait
    }

    /// Whether there are instances to be read.
    pub(super) fn is_reading(&self) -> bool {
        !self.readers.is_empty()
    }

    /// Length in bytes of the instance that is to be read next, as it was received.
    pub(super) fn length_to_read(&self) -> Option<u64> {
        self.readers.front().map(|reader| reader.object().transfer_length())
    }

    /// Takes out the instance that is to be read next.
    pub(super) fn take_reader(&mut self) -> Option<FdtReader> {
        self.readers.pop_front()
    }

    /// Puts an instance back that is to be gone on with.
    pub(super) fn put_reader_back(&mut self, reader: FdtReader) {
        self.readers.push_front(reader);
    }

    /// Forgets the oldest instance that is incomplete; `false` if there is none.
    pub(super) fn drop_incomplete(&mut self, budget: &mut Budget) -> bool {
        let oldest = self.incoming.pop_front();
        oldest.map(|(_, incoming)| incoming.object.discard(budget)).is_some()
    }

    /// Remembers an instance that has been read, of at most `max`. `true` if another was forgotten for it.
    ///
    /// Its object stays charged; [`KNOWN_OVERHEAD`] has been charged by the caller.
    pub(super) fn remember(
        &mut self,
        id: u32,
        object: Reassembly,
        order: Option<u64>,
        (now, expires): (Time, Time),
        max: usize,
        budget: &mut Budget,
    ) -> bool {
        self.forget(id, budget);
        let oldest = self.known.front().map(|(id, _)| *id).filter(|_| self.known.len() >= max);
        if let Some(oldest) = oldest {
            self.forget(oldest, budget);
        }
        if order.is_some() {
            self.new_instances = [now, self.new_instances[0]];
        }
        let oti = object.oti().clone();
        let known = Known { object: Some(Box::new(object)), oti, order, last_heard: now };
        self.known.insert(id, known);
        self.expiries.set(id, expires);
        self.known_with_object.insert(id);
        oldest.is_some()
    }

    /// Forgets an instance that has been read, or is being read. Returns its place in the order of all.
    pub(super) fn forget(&mut self, id: u32, budget: &mut Budget) -> Option<u64> {
        if let Some(index) = self.readers.iter().position(|reader| reader.id() == id)
            && let Some(reader) = self.readers.remove(index)
        {
            reader.discard(budget);
        }
        let forgotten = self.known.remove(&id)?;
        self.known_with_object.remove(&id);
        self.expiries.remove(id);
        budget.release(KNOWN_OVERHEAD);
        if let Some(object) = forgotten.object {
            object.discard(budget);
        }
        forgotten.order
    }

    /// When the next instance ends.
    pub(super) fn next_expiry(&self) -> Option<Time> {
        self.expiries.next()
    }

    /// Forgets an instance that has expired; `false` if there is none.
    pub(super) fn forget_expired(&mut self, now: Time, budget: &mut Budget) -> bool {
        let expired = self.expiries.pop_due(now);
        expired.map(|id| self.forget(id, budget)).is_some()
    }

    /// Frees memory: the bytes of instances that have been read, oldest first. `false` if there is nothing to free.
    pub(super) fn drop_object_of_known(&mut self, budget: &mut Budget) -> bool {
        let object = self.known_with_object.pop_front().and_then(|id| self.known.get_mut(&id)?.object.take());
        object.map(|object| object.discard(budget)).is_some()
    }

    /// A packet repeats an instance.
    pub(super) fn note_repetition(&mut self, id: u32, payload: Payload<'_>, now: Time) {
        let Some(known) = self.known.get_mut(&id).filter(|known| known.order.is_some()) else { return };
        let symbol = known.oti.payload_id_format().ok().and_then(|format| format.decode(payload.id));
        if symbol.is_some_and(|PayloadId { source_block, esi, .. }| (source_block, esi) == (0, 0)) {
            self.heard_before = self.heard_before.max(known.last_heard);
            known.last_heard = now;
        }
    }

    /// Whether the sender has moved on from the instance with this ID and place: since it was heard last, another one was
    /// heard twice, or two new ones came.
    pub(super) fn has_moved_on_from(&self, id: u32, order: u64) -> bool {
        let last_heard = self.last_heard(id, order);
        self.heard_before > last_heard || self.new_instances[1] > last_heard
    }

    /// When the instance with this ID and place was heard last; the beginning of time where it has been forgotten.
    pub(super) fn last_heard(&self, id: u32, order: u64) -> Time {
        let known = self.known.get(&id).filter(|known| known.order == Some(order));
        known.map_or(Time::default(), |known| known.last_heard)
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
        let mut instances = FdtDatabase::default();
        let last = instances.place((1 << 20) - 1, at(100), None);
        let wrapped = instances.place(0, at(110), None);
        let late = instances.place((1 << 20) - 2, at(90), None);
        assert!(late < last && last < wrapped);
        assert!(instances.is_newest(wrapped) && !instances.is_newest(late));
    }

    #[test]
    fn a_restarted_sender_is_newer_than_its_past() {
        let mut instances = FdtDatabase::default();
        let before = instances.place(40, at(100), None);
        let late = instances.place(39, at(100), None);
        let restarted = instances.place(0, at(200), None);
        assert!(late < before && before < restarted);
        let again = instances.place(0, at(150), Some(restarted));
        assert!(restarted < again);
    }

    #[test]
    fn instances_of_a_restarted_sender_come_late() {
        let mut instances = FdtDatabase::default();
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
