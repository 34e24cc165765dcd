// SPDX-License-Identifier: MPL-2.0

//! Which objects their sender has withdrawn: it has moved on to FDT Instances that do not list them, and no symbol of them
//! has come for a while.
//!
//! FDT Instances complement each other (RFC 6726 §3.2), so that one that does not list an object says nothing by itself.
//! That instances without it are repeated, or follow each other, while those with it are not heard any more, does.

use std::time::Duration;

use super::description::Description;
use super::fdt_database::FdtDatabase;
use super::object_table::ObjectTable;
use crate::Time;
use crate::lct::Toi;
use crate::work::Work;

/// An object is not withdrawn while its symbols or its description arrive, or have until so long ago.
const QUIET: Duration = Duration::from_secs(1);
/// How often withdrawn objects are looked for, while FDT Instances come.
const INTERVAL: Duration = Duration::from_millis(500);
/// Work of looking at an object.
const LOOK: u64 = 50;

/// When withdrawn objects are to be looked for.
#[derive(Debug, Default)]
pub(super) struct Withdrawals {
    next_look: Option<Time>,
}

impl Withdrawals {
    /// A packet of an FDT Instance has come.
    pub(super) fn note_fdt_packet(&mut self, now: Time) {
        self.next_look = self.next_look.or(Some(now + INTERVAL));
    }

    /// When to [look](Self::look).
    pub(super) fn next_look(&self) -> Option<Time> {
        self.next_look
    }

    /// Whether it is time to [look](Self::look).
    pub(super) fn is_due(&self, now: Time) -> bool {
        self.next_look.is_some_and(|time| time <= now)
    }

    /// The objects that have been withdrawn since it was looked for them last, and are not marked as such.
    pub(super) fn look(&mut self, objects: &ObjectTable, fdt: &FdtDatabase, now: Time, work: &mut Work) -> Vec<Toi> {
        self.next_look = None;
        work.spend(LOOK * objects.len() as u64);
        let mut withdrawn = Vec::new();
        for (toi, object) in objects.iter().filter(|(_, object)| !object.is_withdrawn()) {
            let Some(Description { last_instance_id: id, last_instance: order, .. }) = object.description() else {
                continue;
            };
            if !fdt.has_moved_on_from(*id, *order) {
                continue;
            }
            // It is described before its first symbol, which may have to wait for those of other objects.
            let last_news = object.last_symbol().unwrap_or_default().max(fdt.last_heard(*id, *order));
            if now.since(last_news) >= QUIET {
                withdrawn.push(toi);
            } else {
                // It may be the last of the session, after which no FDT Instance comes.
                self.next_look = Some(now + INTERVAL);
            }
        }
        withdrawn.sort_unstable();
        withdrawn
    }
}
