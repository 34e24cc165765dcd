// SPDX-License-Identifier: MPL-2.0

//! Symbols that arrived before it was known how to read them: their FDT Instance, or the EXT_FTI of theirs, is still to
//! come. They are kept as they came, within a quarter of the session's memory; when that is full, what belongs to the
//! object that has waited longest goes first.

use std::collections::VecDeque;
use std::hash::RandomState;

use hashlink::LinkedHashMap;

use super::budget::{Budget, OverBudget};
use crate::alc::Payload;
use crate::lct::Toi;
use crate::oti::FecEncodingId;

/// Memory of a group besides the packets in it: its places in tables.
const GROUP_OVERHEAD: u64 = 512;
/// Memory of a chunk of a group besides the packets in it.
const CHUNK_OVERHEAD: usize = 64;
/// FEC Encoding ID and length in front of each packet.
const PACKET_OVERHEAD: usize = 3;
/// By how much the room of a group grows at most, but for a packet that is longer.
const GROWTH: usize = 256 * 1024;

/// What symbols belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// The FDT Instance with this ID.
    Instance(u32),
    /// The object with this TOI.
    Object(Toi),
}

/// The packets of one object, in the order of their arrival.
#[derive(Debug)]
struct Group {
    chunks: VecDeque<Vec<u8>>,
    /// Where the next packet begins in the first of them.
    position: usize,
    charged: u64,
}

impl Group {
    fn new() -> Self {
        Self { chunks: VecDeque::new(), position: 0, charged: GROUP_OVERHEAD }
    }

    /// Whether there is a further packet.
    fn has_next(&self) -> bool {
        let rest = self.chunks.front().map_or(0, |chunk| chunk.len() - self.position);
        rest > 0 || self.chunks.len() > 1
    }

    /// Takes out the next packet: its FEC Encoding ID, and what followed the LCT header. The memory of those before it is
    /// given back.
    fn next(&mut self, budget: &mut Budget) -> Option<(FecEncodingId, Payload<'_>)> {
        while self.chunks.front().is_some_and(|chunk| self.position >= chunk.len())
            && let Some(chunk) = self.chunks.pop_front()
        {
            let bytes = chunk_memory(chunk.capacity());
            budget.release(bytes);
            self.charged -= bytes;
            self.position = 0;
        }
        let (&[encoding_id, high, low], rest) = self.chunks.front()?[self.position..].split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        self.position += PACKET_OVERHEAD + length;
        let encoding_id = FecEncodingId(encoding_id);
        let (id, symbols) = rest.get(..length)?.split_at_checked(encoding_id.payload_id_length())?;
        Some((encoding_id, Payload { id, symbols }))
    }

    /// Gives the memory back.
    fn discard(self, budget: &mut Budget) {
        budget.release(self.charged);
    }

    /// Bytes of packets.
    fn length(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum()
    }

    /// Room for a packet of so many bytes in a new chunk, where the last has none.
    fn growth(&self, needed: usize) -> usize {
        let last = self.chunks.back();
        let has_room = last.is_some_and(|chunk| chunk.capacity() - chunk.len() >= needed);
        if has_room { 0 } else { needed.max(self.length().min(GROWTH)) }
    }
}

/// What a chunk takes.
fn chunk_memory(capacity: usize) -> u64 {
    (capacity + CHUNK_OVERHEAD) as u64
}

/// Symbols of objects and FDT Instances that cannot be read yet.
#[derive(Debug)]
pub(super) struct PendingPackets {
    /// The first has waited longest.
    groups: LinkedHashMap<Key, Group, RandomState>,
    limit: u64,
    max_groups: usize,
    charged: u64,
    /// Groups that can be read by now, and are being taken.
    taking: VecDeque<(Key, Group)>,
}

impl PendingPackets {
    /// Nothing is kept yet, and never more than a quarter of the memory, nor of more than so many objects.
    pub(super) fn new(budget: &Budget, max_groups: usize) -> Self {
        let limit = budget.limit() / 4;
        Self {
            groups: LinkedHashMap::with_hasher(RandomState::new()),
            limit,
            max_groups,
            charged: 0,
            taking: VecDeque::new(),
        }
    }

    /// Keeps a packet, and drops groups that have waited longer where that makes the room for it. Returns how many groups
    /// were dropped.
    pub(super) fn keep(
        &mut self,
        key: Key,
        encoding_id: FecEncodingId,
        payload: Payload<'_>,
        budget: &mut Budget,
    ) -> Result<usize, OverBudget> {
        let length = payload.id.len() + payload.symbols.len();
        let Ok(length_field) = u16::try_from(length) else { return Err(OverBudget) };
        let needed = PACKET_OVERHEAD + length;
        let group = self.groups.get(&key);
        let growth = group.map_or(needed, |group| group.growth(needed));
        let is_new = group.is_none();
        let charge = if growth > 0 { chunk_memory(growth) } else { 0 } + if is_new { GROUP_OVERHEAD } else { 0 };
        let mut dropped = 0;
        while charge > 0
            && (is_new && self.groups.len() >= self.max_groups
                || self.charged + charge > self.limit
                || budget.charge(charge).is_err())
        {
            match self.groups.front() {
                // Its own group is the oldest: what is there is worth as much as what comes.
                Some((oldest, _)) if *oldest == key => return Err(OverBudget),
                Some(_) => dropped += usize::from(self.drop_oldest(budget)),
                None => return Err(OverBudget),
            }
        }
        self.charged += charge;
        let group = self.groups.entry(key).or_insert_with(Group::new);
        if growth > 0 {
            group.chunks.push_back(Vec::with_capacity(growth));
            group.charged += chunk_memory(growth);
        }
        if let Some(chunk) = group.chunks.back_mut() {
            chunk.push(encoding_id.0);
            chunk.extend(length_field.to_be_bytes());
            chunk.extend_from_slice(payload.id);
            chunk.extend_from_slice(payload.symbols);
        }
        Ok(dropped)
    }

    /// Whether anything is kept.
    pub(super) fn has(&self, key: Key) -> bool {
        self.groups.contains_key(&key)
    }

    fn remove(&mut self, key: Key) -> Option<Group> {
        let group = self.groups.remove(&key)?;
        self.charged -= group.charged;
        Some(group)
    }

    /// The packets of an object can be read now: they are to be [taken](Self::take_next). `false` if there are none.
    pub(super) fn begin(&mut self, key: Key) -> bool {
        let group = self.remove(key);
        let has_any = group.is_some();
        self.taking.extend(group.map(|group| (key, group)));
        has_any
    }

    /// Whether packets are to be taken.
    pub(super) fn is_taking(&self) -> bool {
        !self.taking.is_empty()
    }

    /// The next packet that can be read now, and what it belongs to.
    pub(super) fn take_next(&mut self, budget: &mut Budget) -> Option<(Key, FecEncodingId, Payload<'_>)> {
        while self.taking.front().is_some_and(|(_, group)| !group.has_next())
            && let Some((_, group)) = self.taking.pop_front()
        {
            group.discard(budget);
        }
        let (key, group) = self.taking.front_mut()?;
        let (encoding_id, payload) = group.next(budget)?;
        Some((*key, encoding_id, payload))
    }

    /// Forgets the packets of an object.
    pub(super) fn forget(&mut self, key: Key, budget: &mut Budget) {
        if let Some(group) = self.remove(key) {
            group.discard(budget);
        }
        self.stop_taking(key, budget);
    }

    /// Forgets the packets of an object that are being taken.
    pub(super) fn stop_taking(&mut self, key: Key, budget: &mut Budget) {
        if let Some(index) = self.taking.iter().position(|(taken, _)| *taken == key)
            && let Some((_, group)) = self.taking.remove(index)
        {
            group.discard(budget);
        }
    }

    /// Drops the packets that have waited longest; `false` if there are none.
    pub(super) fn drop_oldest(&mut self, budget: &mut Budget) -> bool {
        let oldest = self.groups.front().map(|(key, _)| *key);
        let oldest = oldest.and_then(|key| self.remove(key));
        oldest.map(|group| group.discard(budget)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_CODE: FecEncodingId = FecEncodingId::NO_CODE;

    fn object(toi: u128) -> Key {
        Key::Object(Toi::new(toi).unwrap())
    }

    #[test]
    fn packets_come_out_as_they_went_in() {
        let mut budget = Budget::new(100_000);
        let mut pending = PendingPackets::new(&budget, 100);
        for byte in 0..10u8 {
            let payload = Payload { id: &[0, 0, 0, byte], symbols: &vec![byte; byte.into()] };
            pending.keep(object(1), NO_CODE, payload, &mut budget).unwrap();
        }
        assert!(!pending.begin(object(2)));
        assert!(pending.begin(object(1)));
        for byte in 0..10 {
            let (key, encoding_id, payload) = pending.take_next(&mut budget).unwrap();
            assert_eq!((key, encoding_id, payload.id), (object(1), NO_CODE, &[0, 0, 0, byte][..]));
            assert_eq!(payload.symbols, vec![byte; byte.into()]);
        }
        assert!(pending.take_next(&mut budget).is_none() && !pending.is_taking());
        assert_eq!((budget.used(), pending.charged), (0, 0));
    }

    #[test]
    fn the_oldest_object_goes_first() {
        let mut budget = Budget::new(40_000);
        let mut pending = PendingPackets::new(&budget, 100);
        let payload = Payload { id: &[0; 4], symbols: &[7; 1000] };
        let dropped: usize = (0..20).map(|toi| pending.keep(object(toi), NO_CODE, payload, &mut budget).unwrap()).sum();
        assert!(budget.used() <= 10_000 && dropped >= 11, "{} {dropped}", budget.used());
        assert!(!pending.has(object(0)) && pending.has(object(19)));
        pending.forget(object(19), &mut budget);
        while pending.drop_oldest(&mut budget) {}
        assert_eq!((budget.used(), pending.charged), (0, 0));
    }

    #[test]
    fn one_object_does_not_push_itself_out() {
        let mut budget = Budget::new(40_000);
        let mut pending = PendingPackets::new(&budget, 100);
        let payload = Payload { id: &[0; 4], symbols: &[7; 1000] };
        let kept = (0..20).filter(|_| pending.keep(object(1), NO_CODE, payload, &mut budget).is_ok()).count();
        assert!((5..10).contains(&kept), "{kept}");
        pending.begin(object(1));
        assert_eq!(std::iter::from_fn(|| pending.take_next(&mut budget).map(drop)).count(), kept);
    }

    #[test]
    fn so_many_objects_and_no_more() {
        let mut budget = Budget::new(1_000_000);
        let mut pending = PendingPackets::new(&budget, 10);
        let payload = Payload { id: &[0; 4], symbols: &[7; 10] };
        let dropped: usize =
            (0..30).map(|toi| pending.keep(object(toi % 15), NO_CODE, payload, &mut budget).unwrap()).sum();
        assert_eq!((dropped, pending.groups.len()), (20, 10));
    }
}
