// SPDX-License-Identifier: MPL-2.0

//! The objects of a session, found by key, TOI and Content-Location.

use std::collections::HashMap;
use std::sync::Arc;

use slotmap::SlotMap;

use super::outgoing_object::OutgoingObject;
use super::schedule::ObjectKey;
use crate::lct::Toi;

/// The objects of a session, and how many bytes of them wait to be sent for the first time.
#[derive(Debug, Default)]
pub(super) struct ObjectTable {
    slots: SlotMap<ObjectKey, Slot>,
    by_toi: HashMap<Toi, ObjectKey>,
    by_location: HashMap<Arc<str>, ObjectKey>,
    queued_bytes: u64,
}

#[derive(Debug)]
struct Slot {
    object: Box<OutgoingObject>,
    /// Bytes that were not sent yet, not even once.
    unsent: u64,
}

impl ObjectTable {
    /// Adds an object.
    pub(super) fn insert(&mut self, object: OutgoingObject) -> ObjectKey {
        let (toi, location, unsent) = (object.toi(), Arc::clone(object.location()), object.transfer_length());
        let key = self.slots.insert(Slot { object: Box::new(object), unsent });
        self.by_toi.insert(toi, key);
        self.by_location.insert(location, key);
        self.queued_bytes += unsent;
        key
    }

    /// Takes an object out.
    pub(super) fn remove(&mut self, key: ObjectKey) -> Option<Box<OutgoingObject>> {
        let Slot { object, unsent } = self.slots.remove(key)?;
        self.by_toi.remove(&object.toi());
        self.by_location.remove(object.location());
        self.queued_bytes -= unsent;
        Some(object)
    }

    pub(super) fn get(&self, key: ObjectKey) -> Option<&OutgoingObject> {
        self.slots.get(key).map(|slot| &*slot.object)
    }

    pub(super) fn get_mut(&mut self, key: ObjectKey) -> Option<&mut OutgoingObject> {
        self.slots.get_mut(key).map(|slot| &mut *slot.object)
    }

    pub(super) fn by_toi(&self, toi: Toi) -> Option<ObjectKey> {
        self.by_toi.get(&toi).copied()
    }

    pub(super) fn by_location(&self, location: &str) -> Option<ObjectKey> {
        self.by_location.get(location).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All objects, in no order.
    pub(super) fn keys(&self) -> Vec<ObjectKey> {
        self.slots.keys().collect()
    }

    /// Bytes that wait to be sent for the first time, of all objects.
    pub(super) fn queued_bytes(&self) -> u64 {
        self.queued_bytes
    }

    /// An object was encoded, and has another length than before.
    pub(super) fn measure_again(&mut self, key: ObjectKey) {
        if let Some(slot) = self.slots.get_mut(key) {
            self.queued_bytes -= slot.unsent;
            slot.unsent = slot.object.transfer_length();
            self.queued_bytes += slot.unsent;
        }
    }

    /// Source symbols of so many bytes were sent of an object.
    pub(super) fn count_sent(&mut self, key: ObjectKey, bytes: u64) {
        if let Some(slot) = self.slots.get_mut(key) {
            let sent = bytes.min(slot.unsent);
            slot.unsent -= sent;
            self.queued_bytes -= sent;
        }
    }
}
