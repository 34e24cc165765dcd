// SPDX-License-Identifier: MPL-2.0

//! What waits for its first transfer.

use std::collections::{HashMap, HashSet};

use flute_proto::lct::Toi;
use gst::glib;

/// Bytes that wait for their first transfer, for each producer, so that a long film on one pad does not block the short
/// objects of another.
#[derive(Debug, Default)]
pub(super) struct QueueLimits {
    objects: HashMap<Toi, Queued>,
    bytes: HashMap<glib::GString, u64>,
}

/// An object that waits for its first transfer.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) queue: glib::GString,
    pub(super) bytes: u64,
    pub(super) priority: u32,
    /// It starts at a time of its own.
    pub(super) is_scheduled: bool,
}

impl QueueLimits {
    pub(super) fn add(&mut self, toi: Toi, queued: Queued) {
        *self.bytes.entry(queued.queue.clone()).or_default() += queued.bytes;
        self.objects.insert(toi, queued);
    }

    /// Whether there was such an object.
    pub(super) fn remove(&mut self, toi: Toi) -> bool {
        let Some(queued) = self.objects.remove(&toi) else { return false };
        if let Some(bytes) = self.bytes.get_mut(&queued.queue) {
            *bytes -= queued.bytes;
            if *bytes == 0 {
                self.bytes.remove(&queued.queue);
            }
        }
        true
    }

    /// Whether every object has had its first transfer.
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    pub(super) fn bytes_of(&self, queue: &str) -> u64 {
        self.bytes.get(queue).copied().unwrap_or(0)
    }

    /// The objects of a queue that go out before one of this priority, or side by side with it.
    pub(super) fn before(&self, queue: &str, priority: u32) -> HashSet<Toi> {
        let before = |queued: &Queued| queued.queue == queue && queued.priority >= priority && !queued.is_scheduled;
        self.objects.iter().filter(|(_, queued)| before(queued)).map(|(&toi, _)| toi).collect()
    }
}
