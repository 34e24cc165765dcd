// SPDX-License-Identifier: MPL-2.0

//! Which files have been sent, which are still to be, and which could not be.

use std::collections::{HashMap, HashSet};

use crate::Outcome;

/// What has become of the files of a session, by their Content-Location.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Bytes of files whose first transfer has not ended.
    outstanding: HashMap<String, u64>,
    failed: HashSet<String>,
    /// Files that could not even be opened.
    unreadable: u64,
    sent: u64,
    sent_bytes: u64,
}

impl Tally {
    /// A file, or a new version of it, is to be sent.
    pub(super) fn add(&mut self, location: &str, length: u64) {
        self.failed.remove(location);
        self.outstanding.insert(location.to_owned(), length);
    }

    /// A file was sent, whether for the first time or not.
    pub(super) fn note_sent(&mut self, location: &str) {
        if let Some(length) = self.outstanding.remove(location) {
            self.sent += 1;
            self.sent_bytes += length;
        }
    }

    /// A file could not be sent.
    pub(super) fn note_failed(&mut self, location: &str) {
        self.outstanding.remove(location);
        self.failed.insert(location.to_owned());
    }

    /// A file could not be opened.
    pub(super) fn note_unreadable(&mut self) {
        self.unreadable += 1;
    }

    /// A file was deleted, and need not be sent any more.
    pub(super) fn forget(&mut self, location: &str) {
        self.outstanding.remove(location);
        self.failed.remove(location);
    }

    /// Bytes that have been sent of a file in its first transfer, if `part` of it have, and all files before it.
    pub(super) fn bytes_with(&self, location: &str, part: f64) -> u64 {
        let current = self.outstanding.get(location).copied().unwrap_or_default();
        self.sent_bytes + (current as f64 * part) as u64
    }

    /// Files that were sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Their bytes.
    pub(super) fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Files that were not sent.
    pub(super) fn missing(&self) -> u64 {
        (self.outstanding.len() + self.failed.len()) as u64 + self.unreadable
    }

    pub(super) fn outcome(&self) -> Outcome {
        if self.missing() == 0 { Outcome::Complete } else { Outcome::Incomplete }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_must_be_sent() {
        let mut tally = Tally::default();
        tally.add("a", 10);
        tally.add("b", 20);
        assert_eq!(tally.outcome(), Outcome::Incomplete);
        tally.note_sent("a");
        assert_eq!(tally.bytes_with("b", 0.5), 20);
        tally.note_failed("b");
        assert_eq!((tally.outcome(), tally.missing()), (Outcome::Incomplete, 1));
        tally.add("b", 30);
        tally.note_sent("b");
        tally.note_sent("b");
        assert_eq!((tally.outcome(), tally.sent(), tally.sent_bytes()), (Outcome::Complete, 2, 40));
        tally.add("c", 1);
        tally.forget("c");
        assert_eq!(tally.outcome(), Outcome::Complete);
        tally.note_unreadable();
        assert_eq!(tally.outcome(), Outcome::Incomplete);
    }
}
