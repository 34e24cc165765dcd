// SPDX-License-Identifier: MPL-2.0

//! The files that a session has delivered, for its last table.

use std::collections::VecDeque;
use std::sync::Arc;

use super::config::FecConfig;
use super::object_table::Entry;
use crate::lct::Toi;

/// More files are not listed: a session that goes on for ever would remember for ever.
const MAX_FILES: usize = 1024;

/// Descriptions of the objects that were delivered and withdrawn. `Complete` stands for all the files of a session, those
/// that were delivered so far included (RFC 6726 §3.4.2).
#[derive(Debug, Default)]
pub(super) struct DeliveredFiles {
    files: VecDeque<Delivered>,
    has_overflowed: bool,
    strongest: Option<(FecConfig, f64)>,
}

#[derive(Debug)]
pub(super) struct Delivered {
    toi: Toi,
    location: Arc<str>,
    pub(super) xml: String,
}

impl DeliveredFiles {
    pub(super) fn push(&mut self, entry: &mut Entry, redundancy: f64) {
        if self.has_overflowed {
            return;
        }
        if self.files.len() == MAX_FILES {
            self.has_overflowed = true;
            self.files = VecDeque::new();
            return;
        }
        // A later version of the same file, or a later object with the same TOI, takes the place of an earlier one.
        self.files.retain(|file| file.location != entry.location && file.toi != entry.toi);
        let xml = std::mem::take(&mut entry.xml);
        self.files.push_back(Delivered { toi: entry.toi, location: Arc::clone(&entry.location), xml });
        if self.strongest.is_none_or(|(_, most)| redundancy > most) {
            self.strongest = Some((entry.fec, redundancy));
        }
    }

    /// All of them; `None` if there were none, or too many to remember.
    pub(super) fn files(&self) -> Option<&VecDeque<Delivered>> {
        (!self.files.is_empty() && !self.has_overflowed).then_some(&self.files)
    }

    /// The best protected of them: its FEC and its repair symbols per source symbol.
    pub(super) fn strongest(&self) -> Option<(FecConfig, f64)> {
        self.strongest
    }
}
