// SPDX-License-Identifier: MPL-2.0

//! When applications are told of the progress of an object: not of short ones, and not too often.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use flute_proto::lct::Toi;
use flute_proto::receiver::{ObjectInfo, SessionId};

/// Objects that take less than this have no progress messages.
const MIN_DURATION: Duration = Duration::from_secs(2);

/// Between two messages of one object.
const MIN_INTERVAL: Duration = Duration::from_millis(500);

/// What is told next of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    First,
    Further,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    began: Instant,
    told: Option<Instant>,
}

/// The objects that are being received.
#[derive(Debug, Default)]
pub(super) struct Progress(HashMap<(SessionId, Toi), Entry>);

impl Progress {
    /// The first symbol of an object has arrived.
    pub(super) fn begin(&mut self, object: &ObjectInfo, now: Instant) {
        self.0.insert((object.session, object.toi()), Entry { began: now, told: None });
    }

    /// More of it has arrived. Returns what is to be told, if anything is.
    pub(super) fn advance(&mut self, object: &ObjectInfo, now: Instant) -> Option<Step> {
        self.0.get_mut(&(object.session, object.toi()))?.advance(now)
    }

    /// It is complete or lost. Returns whether that is to be told.
    pub(super) fn end(&mut self, object: &ObjectInfo) -> bool {
        self.0.remove(&(object.session, object.toi())).is_some_and(|entry| entry.told.is_some())
    }

    /// No more of a session will come.
    pub(super) fn end_session(&mut self, session: &SessionId) {
        self.0.retain(|(of, _), _| of != session);
    }
}

impl Entry {
    fn advance(&mut self, now: Instant) -> Option<Step> {
        let (since, least, step) = match self.told {
            None => (self.began, MIN_DURATION, Step::First),
            Some(told) => (told, MIN_INTERVAL, Step::Further),
        };
        if now.saturating_duration_since(since) < least {
            return None;
        }
        self.told = Some(now);
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_objects_are_not_told_of_and_long_ones_twice_a_second() {
        let began = Instant::now();
        let mut entry = Entry { began, told: None };
        let steps: Vec<_> = (0..4000).filter_map(|ms| entry.advance(began + Duration::from_millis(ms))).collect();
        assert_eq!(steps, [Step::First, Step::Further, Step::Further, Step::Further]);
    }
}
