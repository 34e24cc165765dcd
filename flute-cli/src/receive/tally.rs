// SPDX-License-Identifier: MPL-2.0

//! What has arrived and what has not, and whether that is everything.

use std::collections::HashSet;

use flute_proto::receiver::SessionId;

use crate::Outcome;

/// Lost objects that are remembered by name, in case they arrive after all. Further ones are only counted.
const MAX_LOST: usize = 1 << 16;

/// What has become of the objects of all sessions.
#[derive(Debug, Default)]
pub(super) struct Tally {
    files: u64,
    bytes: u64,
    /// Objects that were lost and have not arrived since.
    lost: HashSet<(SessionId, String)>,
    /// Losses beyond those.
    further_lost: u64,
    /// Objects that arrived and are no file.
    not_written: u64,
    open: HashSet<SessionId>,
    closed_by_sender: u64,
    /// Sessions that ended by themselves: their sender fell silent.
    abandoned: u64,
}

impl Tally {
    pub(super) fn open(&mut self, session: SessionId) {
        self.open.insert(session);
    }

    pub(super) fn close(&mut self, session: &SessionId, by_sender: bool) {
        self.open.remove(session);
        if by_sender {
            self.closed_by_sender += 1;
        } else {
            self.abandoned += 1;
        }
    }

    /// Whether every session that was heard has been closed by its sender.
    pub(super) fn is_closed(&self) -> bool {
        self.open.is_empty() && self.closed_by_sender > 0
    }

    pub(super) fn note_lost(&mut self, session: SessionId, location: &str) {
        if self.lost.len() < MAX_LOST {
            self.lost.insert((session, location.to_owned()));
        } else {
            self.further_lost += 1;
        }
    }

    pub(super) fn note_written(&mut self, session: SessionId, location: &str, bytes: u64) {
        self.lost.remove(&(session, location.to_owned()));
        self.files += 1;
        self.bytes += bytes;
    }

    pub(super) fn note_not_written(&mut self) {
        self.not_written += 1;
    }

    pub(super) fn files(&self) -> u64 {
        self.files
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.len() as u64 + self.further_lost
    }

    pub(super) fn not_written(&self) -> u64 {
        self.not_written
    }

    /// Whether that is everything. `until_closed`: only a sender that has closed its session has sent everything.
    pub(super) fn outcome(&self, until_closed: bool) -> Outcome {
        let has_come = if until_closed { self.is_closed() && self.abandoned == 0 } else { self.files > 0 };
        let is_complete = has_come && self.lost() == 0 && self.not_written == 0;
        if is_complete { Outcome::Complete } else { Outcome::Incomplete }
    }
}

#[cfg(test)]
mod tests {
    use flute_proto::lct::Tsi;

    use super::*;

    fn session(tsi: u64) -> SessionId {
        SessionId { source: None, destination: None, tsi: Tsi::new(tsi).unwrap() }
    }

    #[test]
    fn losses_may_arrive_after_all() {
        let mut tally = Tally::default();
        assert_eq!(tally.outcome(false), Outcome::Incomplete, "nothing came");
        tally.note_lost(session(1), "a");
        tally.note_written(session(1), "b", 1);
        tally.note_written(session(2), "a", 1);
        assert_eq!((tally.outcome(false), tally.lost()), (Outcome::Incomplete, 1));
        tally.note_written(session(1), "a", 1);
        assert_eq!((tally.outcome(false), tally.files(), tally.bytes()), (Outcome::Complete, 3, 3));
        tally.note_not_written();
        assert_eq!(tally.outcome(false), Outcome::Incomplete);
    }

    #[test]
    fn senders_close_their_sessions() {
        let mut tally = Tally::default();
        tally.open(session(1));
        tally.open(session(2));
        tally.close(&session(1), true);
        assert!(!tally.is_closed());
        tally.close(&session(2), true);
        assert!(tally.is_closed());
        assert_eq!(tally.outcome(true), Outcome::Complete, "a session may have no files");
        tally.open(session(3));
        tally.close(&session(3), false);
        assert_eq!(tally.outcome(true), Outcome::Incomplete);
    }

    #[test]
    fn the_memory_of_losses_is_bounded() {
        let mut tally = Tally::default();
        for number in 0..MAX_LOST + 10 {
            tally.note_lost(session(1), &number.to_string());
        }
        assert_eq!((tally.lost.len(), tally.lost()), (MAX_LOST, MAX_LOST as u64 + 10));
    }
}
