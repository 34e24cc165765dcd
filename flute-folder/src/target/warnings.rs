// SPDX-License-Identifier: MPL-2.0

//! Warnings about objects, of which there may be as many as there are objects: the first of each kind are told, then they
//! are counted, and the count is told from time to time and at the end.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

/// Warnings of a kind that are told one by one.
const TOLD: u64 = 3;

/// Time between two counts of a kind.
const SUMMARY_INTERVAL: Duration = Duration::from_secs(60);

/// What is wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Its name is none of a file below the folder.
    Name,
    /// The disk, or the quota of the user, is full.
    DiskFull,
    /// The file system cannot be written.
    ReadOnly,
    /// The user may not write there.
    NoPermission,
    /// The target folder has gone.
    NoFolder,
    /// It replaced the file of another session.
    Replaced,
    /// Its file was not deleted.
    NotDeleted,
    /// Anything else.
    Other,
}

impl Kind {
    /// That of an error of the system.
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::PermissionDenied => Self::NoPermission,
            _ => Self::Other,
        }
    }

    /// What the user can do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Name => "let the sender name it by a path that stays below a folder",
            Self::DiskFull => "make room, or bound the folder by delete-withdrawn, max-files, max-bytes or max-age",
            Self::ReadOnly => "mount the file system for writing, or set another location",
            Self::NoPermission => "let this user write there, or set another location",
            Self::NoFolder => "make the folder again: it is used as soon as it is there",
            Self::Replaced => "set location to a path with %{tsi} or %{source} in it, such as received/%{tsi}",
            Self::NotDeleted => "let this user delete there; the file is left",
            Self::Other => "see the log of the element",
        }
    }

    /// What happened to several objects.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Name => "were not written: their names are refused",
            Self::DiskFull => "were not written: the disk is full",
            Self::ReadOnly => "were not written: the file system is read-only",
            Self::NoPermission => "were not written: there is no permission",
            Self::NoFolder => "were not written: the folder is not there",
            Self::Replaced => "replaced files of other sessions",
            Self::NotDeleted => "have files that were not deleted",
            Self::Other => "were not written",
        }
    }
}

#[derive(Debug)]
struct Tally {
    told: u64,
    /// Those that were not told.
    counted: u64,
    last_told: Instant,
}

/// What is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saying {
    /// The warning itself.
    Warning,
    /// How many more there were.
    Summary(u64),
    /// Nothing now: it is counted.
    Nothing,
}

/// The warnings of a run.
#[derive(Debug, Default)]
pub struct Warnings {
    kinds: BTreeMap<Kind, Tally>,
}

impl Warnings {
    /// Takes note of a warning.
    pub fn note(&mut self, kind: Kind, now: Instant) -> Saying {
        let tally = self.kinds.entry(kind).or_insert(Tally { told: 0, counted: 0, last_told: now });
        if tally.told < TOLD {
            tally.told += 1;
            tally.last_told = now;
            return Saying::Warning;
        }
        tally.counted += 1;
        if now.duration_since(tally.last_told) < SUMMARY_INTERVAL {
            return Saying::Nothing;
        }
        tally.last_told = now;
        Saying::Summary(std::mem::take(&mut tally.counted))
    }

    /// What has not been told yet.
    pub fn take_counts(&mut self) -> Vec<(Kind, u64)> {
        let counts = self.kinds.iter_mut().map(|(&kind, tally)| (kind, std::mem::take(&mut tally.counted)));
        counts.filter(|&(_, count)| count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_of_a_kind_are_counted() {
        let mut warnings = Warnings::default();
        let now = Instant::now();
        for _ in 0..TOLD {
            assert_eq!(warnings.note(Kind::Name, now), Saying::Warning);
        }
        assert_eq!(warnings.note(Kind::Name, now), Saying::Nothing);
        assert_eq!(warnings.note(Kind::DiskFull, now), Saying::Warning);
        assert_eq!(warnings.note(Kind::Name, now + SUMMARY_INTERVAL), Saying::Summary(2));
        assert_eq!(warnings.take_counts(), []);
        assert_eq!(warnings.note(Kind::Name, now + SUMMARY_INTERVAL), Saying::Nothing);
        assert_eq!(warnings.take_counts(), [(Kind::Name, 1)]);
    }
}
