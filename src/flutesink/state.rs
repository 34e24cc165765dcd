// SPDX-License-Identifier: MPL-2.0

//! What exists while there is a session, and what is left of the last one.

use std::sync::Arc;

use super::session::SenderSession;

/// The session of an element, or the statistics of the last one.
#[derive(Debug, Default)]
pub(super) struct State {
    session: Option<Arc<SenderSession>>,
    last_stats: Option<gst::Structure>,
}

impl State {
    /// The session that runs.
    pub(super) fn session(&self) -> Option<&Arc<SenderSession>> {
        self.session.as_ref()
    }

    /// The statistics of the last session.
    pub(super) fn last_stats(&self) -> Option<&gst::Structure> {
        self.last_stats.as_ref()
    }

    /// A session begins.
    pub(super) fn begin(&mut self, session: Arc<SenderSession>) {
        self.session = Some(session);
    }

    /// The session has ended, with these statistics.
    pub(super) fn end(&mut self, stats: gst::Structure) {
        (self.session, self.last_stats) = (None, Some(stats));
    }
}
