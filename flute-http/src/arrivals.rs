// SPDX-License-Identifier: MPL-2.0

//! The objects that are arriving, and the memory that they take.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use flute_proto::content_location::LocationPath;

use crate::arriving_object::ArrivingObject;

/// Arriving objects by name, the newest version of each.
#[derive(Debug)]
pub(crate) struct Arrivals {
    objects: BTreeMap<LocationPath, Arc<ArrivingObject>>,
    /// Bytes in memory, of objects that have been replaced too.
    bytes: u64,
    max_bytes: u64,
}

impl Arrivals {
    pub(crate) fn new(max_bytes: u64) -> Self {
        Self { objects: BTreeMap::new(), bytes: 0, max_bytes }
    }

    /// Adds an object, and returns the older version of it that still arrives or waits for repair.
    pub(crate) fn insert(&mut self, object: Arc<ArrivingObject>) -> Option<Arc<ArrivingObject>> {
        self.objects.insert(object.name().clone(), object)
    }

    /// The object of just this name.
    pub(crate) fn get(&self, name: &LocationPath) -> Option<&Arc<ArrivingObject>> {
        self.objects.get(name)
    }

    /// The object that `path` means: the one of just this name, else one whose name ends with it.
    pub(crate) fn find(&self, path: &LocationPath) -> Option<Arc<ArrivingObject>> {
        if let Some(object) = self.objects.get(path) {
            return Some(object.clone());
        }
        let prefix = path.longer();
        let (name, object) = self.objects.range(&prefix..).next()?;
        name.is_longer(&prefix).then(|| object.clone())
    }

    /// An object arrives no more, whatever has become of it: its memory is free, and its name too unless a newer version
    /// has it.
    pub(crate) fn remove(&mut self, object: &Arc<ArrivingObject>) {
        self.bytes -= object.take_charge();
        if self.objects.get(object.name()).is_some_and(|other| Arc::ptr_eq(other, object)) {
            self.objects.remove(object.name());
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<ArrivingObject>> {
        self.objects.values().cloned().collect()
    }

    /// Charges bytes of an object that are about to be in memory.
    pub(crate) fn charge(&mut self, object: &ArrivingObject, bytes: u64) -> io::Result<()> {
        if self.bytes.saturating_add(bytes) > self.max_bytes {
            return Err(io::Error::other("the objects that are arriving do not fit into the memory that is set"));
        }
        self.bytes += bytes;
        object.add_charge(bytes);
        Ok(())
    }
}
