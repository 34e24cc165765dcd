// SPDX-License-Identifier: MPL-2.0

//! The one object that a URI names: the session that has it, and how far it is delivered.

use std::sync::{Arc, Mutex};

use flute_http::StoredObject;
use gst::format::Bytes;

use crate::shared_sessions::User;

/// What is delivered, and how far.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) object: Option<Arc<StoredObject>>,
    /// Its position is that of the next byte.
    pub(super) segment: gst::FormattedSegment<Bytes>,
    /// The segment has to be pushed before the next buffer, which is marked DISCONT.
    pub(super) is_segment_due: bool,
}

impl Default for Run {
    fn default() -> Self {
        Self { object: None, segment: gst::FormattedSegment::new(), is_segment_due: true }
    }
}

/// The one object that a URI names.
#[derive(Debug, Default)]
pub(super) struct OneObject {
    /// Kept from the first start to NULL, so that the session stays while an element takes one object after the other.
    pub(super) user: Mutex<Option<Arc<User>>>,
    /// The path of the presentation, where the URI has none and a player made the element.
    pub(super) presentation: Mutex<Option<String>>,
    /// A seek that was asked for before the start.
    pub(super) pending_seek: Mutex<Option<gst::Event>>,
    pub(super) run: Mutex<Run>,
}

impl OneObject {
    /// Everything begins anew with the next start.
    pub(super) fn rewind(&self) {
        *self.run.lock().unwrap() = Run::default();
        *self.pending_seek.lock().unwrap() = None;
    }

    /// The session is needed no more.
    pub(super) fn leave(&self) {
        *self.presentation.lock().unwrap() = None;
        *self.user.lock().unwrap() = None;
    }
}
