// SPDX-License-Identifier: MPL-2.0

//! What is known of files and has not been told yet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::selection::is_manifest;

/// What is to be told of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// There is a complete version of it.
    Complete,
    /// It is there no more.
    Gone,
}

/// Changes in the order in which they are to be told. Of each file only the last one counts, at its own place: what
/// reads the file finds its last version, and must not do so before what happened until then is told.
#[derive(Debug, Default)]
pub(super) struct Pending {
    order: BTreeMap<u64, PathBuf>,
    changes: BTreeMap<PathBuf, (u64, Change)>,
    next: u64,
}

impl Pending {
    pub(super) fn push(&mut self, path: PathBuf, change: Change) {
        let place = self.next;
        self.next += 1;
        if let Some((before, _)) = self.changes.insert(path.clone(), (place, change)) {
            self.order.remove(&before);
        }
        self.order.insert(place, path);
    }

    pub(super) fn pop(&mut self) -> Option<(PathBuf, Change)> {
        let (_, path) = self.order.pop_first()?;
        self.changes.remove(&path).map(|(_, change)| (path, change))
    }

    pub(super) fn get(&self, path: &Path) -> Option<Change> {
        self.changes.get(path).map(|(_, change)| *change)
    }

    pub(super) fn remove(&mut self, path: &Path) {
        if let Some((place, _)) = self.changes.remove(path) {
            self.order.remove(&place);
        }
    }

    /// The files that are complete, in any order.
    pub(super) fn complete(&self) -> impl Iterator<Item = &PathBuf> {
        self.changes.iter().filter(|(_, (_, change))| *change == Change::Complete).map(|(path, _)| path)
    }

    /// The files below a folder.
    pub(super) fn below(&self, folder: &Path) -> Vec<PathBuf> {
        below(&self.changes, folder)
    }
}

/// Files that may still be written, by the time from which they are taken for complete if they have not changed.
#[derive(Debug)]
pub(super) struct Settling<V> {
    order: BTreeSet<(Instant, bool, PathBuf)>,
    files: BTreeMap<PathBuf, (Instant, V)>,
}

impl<V> Default for Settling<V> {
    fn default() -> Self {
        Self { order: BTreeSet::new(), files: BTreeMap::new() }
    }
}

impl<V> Settling<V> {
    /// Adds a file as it is now. At the same time manifests come after the others.
    pub(super) fn insert(&mut self, path: PathBuf, due: Instant, version: V) {
        self.remove(&path);
        self.order.insert((due, is_manifest(&path), path.clone()));
        self.files.insert(path, (due, version));
    }

    pub(super) fn remove(&mut self, path: &Path) {
        if let Some((due, _)) = self.files.remove(path) {
            self.order.remove(&(due, is_manifest(path), path.to_owned()));
        }
    }

    /// Takes the first file whose time has come.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(PathBuf, V)> {
        if self.order.first()?.0 > now {
            return None;
        }
        let (_, _, path) = self.order.pop_first()?;
        self.files.remove(&path).map(|(_, version)| (path, version))
    }

    /// When the first file is due.
    pub(super) fn first_due(&self) -> Option<Instant> {
        self.order.first().map(|(due, _, _)| *due)
    }

    /// The files below a folder.
    pub(super) fn below(&self, folder: &Path) -> Vec<PathBuf> {
        below(&self.files, folder)
    }
}

/// The paths below a folder, or all of them for an empty one. Paths are ordered by their components, so that they lie
/// side by side.
pub(super) fn below<V>(files: &BTreeMap<PathBuf, V>, folder: &Path) -> Vec<PathBuf> {
    files
        .range(folder.to_owned()..)
        .map(|(path, _)| path)
        .take_while(|path| path.starts_with(folder))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn path(text: &str) -> PathBuf {
        PathBuf::from(text)
    }

    #[test]
    fn the_last_change_counts_at_its_place() {
        let mut pending = Pending::default();
        for (name, change) in [
            ("live.mpd", Change::Complete),
            ("1.m4s", Change::Complete),
            ("gone", Change::Complete),
            ("live.mpd", Change::Complete),
            ("gone", Change::Gone),
            ("2.m4s", Change::Complete),
        ] {
            pending.push(path(name), change);
        }
        pending.remove(Path::new("2.m4s"));
        assert_eq!(pending.get(Path::new("gone")), Some(Change::Gone));
        assert_eq!(pending.pop(), Some((path("1.m4s"), Change::Complete)));
        assert_eq!(pending.pop(), Some((path("live.mpd"), Change::Complete)));
        assert_eq!(pending.pop(), Some((path("gone"), Change::Gone)));
        assert_eq!(pending.pop(), None);
    }

    #[test]
    fn what_is_below_a_folder() {
        let mut pending = Pending::default();
        for name in ["a", "a b/1", "a/1", "a/b/1", "a-b/1", "b/1"] {
            pending.push(path(name), Change::Complete);
        }
        assert_eq!(pending.below(Path::new("a")), [path("a"), path("a/1"), path("a/b/1")]);
        assert_eq!(pending.below(Path::new("a/b")), [path("a/b/1")]);
        assert_eq!(pending.below(Path::new("")).len(), 6);
    }

    #[test]
    fn files_settle_in_order() {
        let start = Instant::now();
        let due = |seconds| start + Duration::from_secs(seconds);
        let mut settling = Settling::default();
        settling.insert(path("a.mpd"), due(1), 1);
        settling.insert(path("b.m4s"), due(1), 1);
        settling.insert(path("c.m4s"), due(2), 1);
        settling.insert(path("c.m4s"), due(3), 2);
        settling.insert(path("d.m4s"), due(1), 1);
        settling.remove(Path::new("d.m4s"));
        assert_eq!(settling.first_due(), Some(due(1)));
        assert_eq!(settling.pop(start), None);
        assert_eq!(settling.pop(due(1)), Some((path("b.m4s"), 1)));
        assert_eq!(settling.pop(due(2)), Some((path("a.mpd"), 1)));
        assert_eq!(settling.pop(due(2)), None);
        assert_eq!(settling.pop(due(9)), Some((path("c.m4s"), 2)));
        assert_eq!((settling.pop(due(9)), settling.first_due()), (None, None));
    }
}
