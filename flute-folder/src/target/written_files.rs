// SPDX-License-Identifier: MPL-2.0

//! The files that were written and are there still, and which of them are to be deleted.
//!
//! Only what the element has written since it was started counts, and only that is deleted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::manifest_names::ManifestNames;
use super::relative_path::RelativePath;

/// Files that are remembered, so that a sender cannot fill the memory with names. The oldest is forgotten first.
const MAX_REMEMBERED: usize = 1 << 18;

/// How many files may stay, and how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Files of a folder.
    pub max_files: Option<u64>,
    /// Bytes of the files of a folder.
    pub max_bytes: Option<u64>,
    /// Time since a file was written.
    pub max_age: Option<Duration>,
    /// Time since the object of a file was withdrawn.
    pub withdrawn_age: Option<Duration>,
}

impl Bounds {
    /// Whether files may have to be deleted when nothing is written.
    pub fn need_time(&self) -> bool {
        self.max_age.is_some() || self.withdrawn_age.is_some()
    }
}

/// Why a file is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its object was withdrawn a while ago.
    Withdrawn,
    /// It is older than files may be.
    TooOld,
    /// Its folder has too many files.
    TooManyFiles,
    /// The files of its folder have too many bytes.
    TooManyBytes,
}

impl Reason {
    /// As messages say it: the property that asks for it.
    pub fn property(self) -> &'static str {
        match self {
            Self::Withdrawn => "delete-withdrawn",
            Self::TooOld => "max-age",
            Self::TooManyFiles => "max-files",
            Self::TooManyBytes => "max-bytes",
        }
    }
}

/// The session that an object came from, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Transport Session Identifier.
    pub tsi: Option<u64>,
    /// Address of the sender.
    pub source: Option<IpAddr>,
}

impl Origin {
    /// Whether they may be the same session: what one of them does not say does not tell them apart.
    fn may_be(self, other: Self) -> bool {
        fn agree<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
            a.is_none() || b.is_none() || a == b
        }
        agree(self.tsi, other.tsi) && agree(self.source, other.source)
    }
}

#[derive(Debug)]
struct WrittenFile {
    path: RelativePath,
    content_location: String,
    origin: Origin,
    size: u64,
    written: Instant,
}

#[derive(Debug, Default)]
struct Folder {
    bytes: u64,
    /// Numbers of its files, from the oldest.
    files: BTreeSet<u64>,
}

/// Files by the order in which they were written.
#[derive(Debug, Default)]
pub(super) struct WrittenFiles {
    bounds: Bounds,
    next_number: u64,
    files: BTreeMap<u64, WrittenFile>,
    numbers: HashMap<RelativePath, u64>,
    folders: HashMap<Vec<String>, Folder>,
    /// Numbers of files by the Content-Location of their object, if withdrawals count.
    numbers_of_objects: HashMap<String, BTreeSet<u64>>,
    /// When the objects of files were withdrawn.
    withdrawn: BTreeMap<u64, Instant>,
    manifests: ManifestNames,
}

impl WrittenFiles {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// What protects files from being deleted.
    pub(super) fn manifests(&mut self) -> &mut ManifestNames {
        &mut self.manifests
    }

    /// Takes note of a file that was written. Returns the session of the file that it replaced, if that was another.
    pub(super) fn insert(
        &mut self,
        path: RelativePath,
        content_location: &str,
        origin: Origin,
        size: u64,
        now: Instant,
    ) -> Option<Origin> {
        let replaced = self.numbers.get(&path).copied().and_then(|number| self.forget(number));
        if self.files.len() >= MAX_REMEMBERED
            && let Some(&oldest) = self.files.keys().next()
        {
            self.forget(oldest);
        }
        let number = self.next_number;
        self.next_number += 1;
        let folder = self.folders.entry(path.split().0.to_vec()).or_default();
        folder.bytes += size;
        folder.files.insert(number);
        self.numbers.insert(path.clone(), number);
        let content_location = content_location.to_owned();
        if self.bounds.withdrawn_age.is_some() {
            self.numbers_of_objects.entry(content_location.clone()).or_default().insert(number);
        }
        self.files.insert(number, WrittenFile { path, content_location, origin, size, written: now });
        replaced.map(|replaced| replaced.origin).filter(|replaced| !replaced.may_be(origin))
    }

    /// Takes note that an object of this name is not announced any more. A manifest protects nothing from then on.
    pub(super) fn withdraw(&mut self, content_location: &str, origin: Origin, now: Instant) {
        let Some(numbers) = self.numbers_of_objects.get(content_location) else { return };
        for &number in numbers {
            if let Some(file) = self.files.get(&number).filter(|file| file.origin.may_be(origin)) {
                self.withdrawn.entry(number).or_insert(now);
                self.manifests.remove(&file.path);
            }
        }
    }

    /// The files to be deleted now, the oldest first. They are forgotten. What a manifest names is not among them, nor the
    /// newest file of a folder where the number or the size of files is too high.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(RelativePath, Reason)> {
        let mut due: BTreeMap<u64, Reason> = BTreeMap::new();
        for folder in self.folders.values() {
            self.note_excess(folder, &mut due);
        }
        if let Some(max_age) = self.bounds.max_age {
            let old = self.files.iter().take_while(|(_, file)| now.duration_since(file.written) >= max_age);
            due.extend(old.map(|(&number, _)| (number, Reason::TooOld)));
        }
        if let Some(age) = self.bounds.withdrawn_age {
            let gone = self.withdrawn.iter().filter(|&(_, &withdrawn)| now.duration_since(withdrawn) >= age);
            due.extend(gone.map(|(&number, _)| (number, Reason::Withdrawn)));
        }
        due.retain(|number, _| self.files.get(number).is_some_and(|file| !self.manifests.protect(&file.path)));
        due.into_iter().filter_map(|(number, reason)| Some((self.forget(number)?.path, reason))).collect()
    }

    /// When files will be due that nothing protects at present.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let is_free = |number: &u64| self.files.get(number).is_some_and(|file| !self.manifests.protect(&file.path));
        let old = self.bounds.max_age.and_then(|max_age| {
            let file = self.files.values().find(|file| !self.manifests.protect(&file.path))?;
            file.written.checked_add(max_age)
        });
        let gone = self.bounds.withdrawn_age.and_then(|age| {
            let free = self.withdrawn.iter().filter(|(number, _)| is_free(number));
            free.map(|(_, &withdrawn)| withdrawn).min()?.checked_add(age)
        });
        old.into_iter().chain(gone).min()
    }

    /// Notes the oldest files of a folder that has too much.
    fn note_excess(&self, folder: &Folder, due: &mut BTreeMap<u64, Reason>) {
        let (mut count, mut bytes) = (folder.files.len() as u64, folder.bytes);
        for number in folder.files.iter().take(folder.files.len().saturating_sub(1)) {
            let reason = if self.bounds.max_files.is_some_and(|max| count > max) {
                Reason::TooManyFiles
            } else if self.bounds.max_bytes.is_some_and(|max| bytes > max) {
                Reason::TooManyBytes
            } else {
                return;
            };
            let Some(file) = self.files.get(number).filter(|file| !self.manifests.protect(&file.path)) else {
                continue;
            };
            due.insert(*number, reason);
            count -= 1;
            bytes = bytes.saturating_sub(file.size);
        }
    }

    fn forget(&mut self, number: u64) -> Option<WrittenFile> {
        let file = self.files.remove(&number)?;
        self.numbers.remove(&file.path);
        self.withdrawn.remove(&number);
        if let Some(numbers) = self.numbers_of_objects.get_mut(&file.content_location) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.numbers_of_objects.remove(&file.content_location);
            }
        }
        let names = file.path.split().0;
        if let Some(folder) = self.folders.get_mut(names) {
            folder.bytes = folder.bytes.saturating_sub(file.size);
            folder.files.remove(&number);
            if folder.files.is_empty() {
                self.folders.remove(names);
            }
        }
        Some(file)
    }
}

#[cfg(test)]
mod tests {
    use super::super::relative_path::{MAX_NAME, UrlMapping};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn path(location: &str) -> RelativePath {
        RelativePath::of_location(location, UrlMapping::HostPath, MAX_NAME).unwrap()
    }

    struct Scenario {
        files: WrittenFiles,
        now: Instant,
    }

    impl Scenario {
        fn new(bounds: Bounds) -> Self {
            Self { files: WrittenFiles::new(bounds), now: Instant::now() }
        }

        fn write(&mut self, name: &str, size: u64) {
            self.files.insert(path(name), name, Origin::default(), size, self.now);
        }

        fn due(&mut self) -> Vec<(String, Reason)> {
            let due = self.files.take_due(self.now).into_iter();
            due.map(|(path, reason)| (path.split().1.to_owned(), reason)).collect()
        }
    }

    #[test]
    fn each_folder_has_its_bounds() {
        let mut scenario = Scenario::new(Bounds { max_files: Some(2), max_bytes: Some(10), ..Bounds::default() });
        for name in ["a/1", "a/2", "b/1", "b/2"] {
            scenario.write(name, 1);
        }
        assert_eq!(scenario.due(), []);
        scenario.write("a/3", 1);
        assert_eq!(scenario.due(), [("1".to_owned(), Reason::TooManyFiles)]);
        scenario.write("b/2", 10);
        assert_eq!(scenario.due(), [("1".to_owned(), Reason::TooManyBytes)]);
        // The newest stays even if it is too long by itself.
        scenario.write("b/2", 20);
        assert_eq!(scenario.due(), []);
    }

    #[test]
    fn files_become_too_old() {
        let mut scenario = Scenario::new(Bounds { max_age: Some(10 * SECOND), ..Bounds::default() });
        let start = scenario.now;
        scenario.write("a", 1);
        scenario.now += 4 * SECOND;
        scenario.write("b", 1);
        assert_eq!(scenario.files.next_due(), Some(start + 10 * SECOND));
        scenario.now = start + 10 * SECOND;
        assert_eq!(scenario.due(), [("a".to_owned(), Reason::TooOld)]);
        assert_eq!(scenario.files.next_due(), Some(start + 14 * SECOND));
        // A new version is a new file.
        scenario.write("b", 1);
        assert_eq!(scenario.files.next_due(), Some(start + 20 * SECOND));
    }

    #[test]
    fn withdrawn_objects_go_after_a_while() {
        let mut scenario = Scenario::new(Bounds { withdrawn_age: Some(5 * SECOND), ..Bounds::default() });
        scenario.write("a", 1);
        scenario.write("b", 1);
        assert_eq!(scenario.files.next_due(), None);
        scenario.files.withdraw("a", Origin { tsi: Some(1), source: None }, scenario.now);
        scenario.files.withdraw("c", Origin::default(), scenario.now);
        assert_eq!(scenario.due(), []);
        assert_eq!(scenario.files.next_due(), Some(scenario.now + 5 * SECOND));
        scenario.now += 5 * SECOND;
        assert_eq!(scenario.due(), [("a".to_owned(), Reason::Withdrawn)]);
        // One that is announced and written again stays.
        scenario.files.withdraw("b", Origin::default(), scenario.now);
        scenario.write("b", 1);
        assert_eq!(scenario.files.next_due(), None);
    }

    #[test]
    fn what_a_manifest_names_stays() {
        let mut scenario = Scenario::new(Bounds {
            max_files: Some(1),
            max_age: Some(SECOND),
            withdrawn_age: Some(SECOND),
            ..Bounds::default()
        });
        for name in ["init.mp4", "1", "2", "live.m3u8"] {
            scenario.write(name, 1);
        }
        let name = |reference: &str| Some(reference.to_owned());
        scenario.files.manifests().insert(path("live.m3u8"), "init.mp4\n1\n2\n", name);
        scenario.files.withdraw("init.mp4", Origin::default(), scenario.now);
        scenario.now += 2 * SECOND;
        assert_eq!(scenario.due(), []);
        assert_eq!(scenario.files.next_due(), None);
        scenario.files.manifests().insert(path("live.m3u8"), "init.mp4\n2\n", name);
        assert_eq!(scenario.due(), [("1".to_owned(), Reason::TooOld)]);
        // One that is withdrawn is not current.
        scenario.files.withdraw("live.m3u8", Origin::default(), scenario.now);
        let due: Vec<String> = scenario.due().into_iter().map(|(name, _)| name).collect();
        assert_eq!(due, ["init.mp4", "2", "live.m3u8"]);
    }

    #[test]
    fn replaced_files_of_other_sessions() {
        let mut files = WrittenFiles::new(Bounds::default());
        let now = Instant::now();
        let of = |tsi| Origin { tsi, source: None };
        assert_eq!(files.insert(path("a"), "a", of(Some(1)), 1, now), None);
        assert_eq!(files.insert(path("a"), "a", of(Some(1)), 1, now), None);
        assert_eq!(files.insert(path("a"), "a", of(Some(2)), 1, now), Some(of(Some(1))));
        assert_eq!(files.insert(path("a"), "a", of(None), 1, now), None);
    }
}
