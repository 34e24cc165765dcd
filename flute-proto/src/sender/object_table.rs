// SPDX-License-Identifier: MPL-2.0

//! The objects of a session, and what the sender knows of each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use super::config::FecConfig;
use super::object::{Carousel, Deadline};
use super::packetizer::Packetizer;
use super::schedule::Ticket;
use super::source::Source;
use super::transfer::Transfer;
use crate::Time;
use crate::lct::Toi;

/// An object; no other one has the same key, not even later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    index: u32,
    generation: u32,
}

/// What is to happen to an object next, and where it waits for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its digest is computed, or its content encoded.
    Preparing,
    /// A timer runs to its next transfer.
    Scheduled,
    /// It is due, and not described by any FDT Instance yet.
    Unannounced,
    /// The FDT Instance that announces it is being sent.
    Announced,
    /// It waits in its queue for its transfer to begin.
    Waiting,
    /// Its transfer has something to send, and takes turns in its queue.
    Running,
    /// Its transfer is spread over time, and a timer runs to its next packet.
    Paced,
    /// Its transfer waits for bytes of its source.
    Starved,
}

/// An object, and what the sender knows of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) toi: Toi,
    pub(super) location: Arc<str>,
    pub(super) source: Box<dyn Source>,
    pub(super) fec: FecConfig,
    pub(super) priority: u32,
    pub(super) carousel: Carousel,
    pub(super) start: Option<Time>,
    pub(super) deadline: Option<Deadline>,

    pub(super) phase: Phase,
    /// Tickets with another stamp are stale.
    pub(super) stamp: u32,
    /// The File element of FDT Instances, once it is prepared.
    pub(super) xml: String,
    /// How it is cut and protected, once its transfer length is known.
    pub(super) packetizer: Option<Packetizer>,
    pub(super) transfer: Option<Transfer>,
    /// When the transfer that runs began, and when it is to be over.
    pub(super) began: Time,
    pub(super) ends: Option<Time>,
    /// When the transfer that runs was to begin, and when the next is.
    pub(super) nominal_start: Time,
    pub(super) next_start: Option<Time>,
    /// Transfers that have ended.
    pub(super) transfers: u64,
    /// The next transfer begins as soon as it can, whatever the carousel says.
    pub(super) triggered: bool,
    /// This transfer is the last one.
    pub(super) ends_after_transfer: bool,
    /// The FDT Instance that describes it best: the latest.
    pub(super) instance: Option<u32>,
    /// The FDT Instance that announced it, if it is sent a single time, until that was done.
    pub(super) announcement: Option<u32>,
    /// Its part of the table.
    pub(super) part: Option<u32>,
    /// When the last FDT Instance that describes it expires.
    pub(super) described_until: Option<Time>,
    /// Bytes that were not sent yet, not even once.
    pub(super) unsent: u64,
    pub(super) waker: Option<Waker>,
    /// Its source was asked to tell of new bytes, and has not done so yet.
    pub(super) is_watched: bool,
}

impl Entry {
    /// Whether the transfer that runs, or is the next to run, is the last one.
    pub(super) fn is_last_transfer(&self) -> bool {
        self.ends_after_transfer || self.carousel.transfers.is_some_and(|count| self.transfers + 1 >= count)
    }
}

/// The objects of a session.
#[derive(Debug, Default)]
pub(super) struct ObjectTable {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_toi: HashMap<Toi, Key>,
    by_location: HashMap<Arc<str>, Key>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    entry: Option<Box<Entry>>,
}

impl ObjectTable {
    /// Adds the object that `make` makes of its key.
    pub(super) fn insert(&mut self, make: impl FnOnce(Key) -> Entry) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, entry: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        let key = Key { index, generation: slot.generation };
        let entry = make(key);
        self.by_toi.insert(entry.toi, key);
        self.by_location.insert(Arc::clone(&entry.location), key);
        slot.entry = Some(Box::new(entry));
        key
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Box<Entry>> {
        let slot = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation)?;
        let entry = slot.entry.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index);
        self.by_toi.remove(&entry.toi);
        self.by_location.remove(&entry.location);
        Some(entry)
    }

    pub(super) fn get(&self, key: Key) -> Option<&Entry> {
        let slot = self.slots.get(key.index as usize).filter(|slot| slot.generation == key.generation)?;
        slot.entry.as_deref()
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Entry> {
        let slot = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation)?;
        slot.entry.as_deref_mut()
    }

    pub(super) fn by_toi(&self, toi: Toi) -> Option<Key> {
        self.by_toi.get(&toi).copied()
    }

    pub(super) fn by_location(&self, location: &str) -> Option<Key> {
        self.by_location.get(location).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.by_toi.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_toi.is_empty()
    }

    /// All objects, in no order.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.by_toi.values().copied().collect()
    }

    /// Whether a ticket still stands for what its object waits for.
    pub(super) fn is_current(&self, ticket: Ticket) -> bool {
        self.get(ticket.key).is_some_and(|entry| entry.stamp == ticket.stamp)
    }

    /// Takes an object over into another phase: all its tickets are stale then, and the one returned is current.
    pub(super) fn enter(&mut self, key: Key, phase: Phase) -> Option<Ticket> {
        let entry = self.get_mut(key)?;
        entry.phase = phase;
        entry.stamp = entry.stamp.wrapping_add(1);
        Some(Ticket { key, stamp: entry.stamp })
    }
}

/// Which objects that were starved have got bytes. Sources tell it, from whatever thread.
#[derive(Debug, Default)]
pub(super) struct Awakened(Mutex<Vec<Key>>);

impl Awakened {
    /// What a source calls for the object `key`.
    pub(super) fn waker(self: &Arc<Self>, key: Key) -> Waker {
        Arc::new(ObjectWaker { key, awakened: Arc::clone(self) }).into()
    }

    /// One of those that have got bytes.
    pub(super) fn pop(&self) -> Option<Key> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

struct ObjectWaker {
    key: Key,
    awakened: Arc<Awakened>,
}

impl Wake for ObjectWaker {
    fn wake(self: Arc<Self>) {
        self.awakened.0.lock().unwrap_or_else(PoisonError::into_inner).push(self.key);
    }
}
