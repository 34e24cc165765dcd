// SPDX-License-Identifier: MPL-2.0

//! The files that a session has delivered, for its last table.

use std::collections::HashMap;
use std::sync::Arc;

use hashlink::LinkedHashMap;

use super::announcement::{Announcement, ObjectProtection};
use crate::lct::Toi;

/// More files are not listed: a session without an end would remember without an end.
const MAX_FILES: usize = 1024;

/// Descriptions of the objects that were delivered and withdrawn. `Complete` stands for all the files of a session, those
/// that were delivered so far included (RFC 6726 §3.4.2).
#[derive(Debug, Default)]
pub(super) struct DeliveredFiles {
    /// Content-Location and File element by TOI, the oldest first.
    files: LinkedHashMap<Toi, (Arc<str>, Arc<str>)>,
    by_location: HashMap<Arc<str>, Toi>,
    has_overflowed: bool,
    strongest: Option<ObjectProtection>,
}

impl DeliveredFiles {
    /// Adds the last file. A later version of the same file, or a later object with the same TOI, takes the place of an
    /// earlier one.
    pub(super) fn push(&mut self, announcement: Announcement) {
        if self.has_overflowed {
            return;
        }
        let Announcement { toi, location, xml, protection, .. } = announcement;
        if let Some((earlier, _)) = self.files.remove(&toi) {
            self.by_location.remove(&earlier);
        }
        if let Some(earlier) = self.by_location.insert(Arc::clone(&location), toi) {
            self.files.remove(&earlier);
        }
        self.files.insert(toi, (location, xml));
        self.strongest = ObjectProtection::strongest(self.strongest.into_iter().chain([protection]));
        if self.files.len() > MAX_FILES {
            *self = Self { has_overflowed: true, ..Self::default() };
        }
    }

    /// Takes all File elements out, and how well the best protected of their files was protected; `None` if there were
    /// none, or too many to remember.
    pub(super) fn take(&mut self) -> Option<(Vec<Arc<str>>, Option<ObjectProtection>)> {
        let Self { files, strongest, .. } = std::mem::take(self);
        (!files.is_empty()).then(|| (files.into_iter().map(|(_, (_, xml))| xml).collect(), strongest))
    }
}
