// SPDX-License-Identifier: MPL-2.0

//! A folder that is being written: which files are complete, and which are there no more.
//!
//! A file is complete when it is closed after writing, or renamed to its name. Where that was not seen, because the file was
//! there before, or its folder is new, or the kernel had more to tell than it keeps, a file is complete when it has not
//! changed for a while.
//!
//! What is told follows the order of what happened, so that a manifest that was written after a segment comes after it.
//! Some packagers close a segment only after they have written the manifest that names it: the manifest waits for that, as
//! long as files take to settle. Of a file that changes faster than it is told, only the last version is.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::inotify::{Inotify, Notice};
use super::pending::{Change, Pending, Settling, below};
use super::selection::{self, Selection, is_manifest};
use flute_net::{Readiness, Waker};

/// How soon after a change another one may leave the same time of change.
const CLOCK_TICK: Duration = Duration::from_millis(50);

/// Bytes of a manifest that are searched for names.
const MAX_MANIFEST: u64 = 4 << 20;

/// How often a folder is looked for that has gone.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What is next.
#[derive(Debug)]
pub enum Next {
    /// A file is complete.
    File(OpenFile),
    /// The file of this name is there no more, or not to be sent any more.
    Gone(String),
    /// Something is wrong, with one file or the whole folder, and why.
    Complaint(String),
    /// Nothing, before this time is up.
    Wait(Option<Duration>),
}

/// A file that was complete when it was opened.
#[derive(Debug)]
pub struct OpenFile {
    /// Where it is.
    pub path: PathBuf,
    /// Content-Location, relative to the folder.
    pub name: String,
    /// The file, open for reading.
    pub file: File,
    /// Bytes.
    pub length: u64,
    /// Its path, relative to the folder.
    pub relative: PathBuf,
    version: Version,
    /// Opened so soon after its last change that the next one may not be seen by its time.
    is_fresh: bool,
}

/// What differs between versions of a file. Other changes, such as of its permissions, do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self { inode: metadata.ino(), length: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    version: Version,
    is_fresh: bool,
}

/// Watches the files of a selection.
#[derive(Debug)]
pub struct Watcher {
    selection: Selection,
    settle_time: Duration,
    inotify: Inotify,
    /// Of the events of `inotify`.
    readiness: Readiness,
    /// What was told, and is there still.
    sent: BTreeMap<PathBuf, Sent>,
    pending: Pending,
    /// What may still be written.
    settling: Settling<Version>,
    /// Until then there are files that a manifest may name, although they are not known to be complete.
    hold_manifests: Option<Instant>,
    /// Files that were created and not closed yet.
    being_written: BTreeSet<PathBuf>,
    /// Manifests that name such files, and until when they wait for them.
    early_manifests: BTreeMap<PathBuf, Instant>,
    complaints: Vec<String>,
    /// When to look whether the folder is there again.
    look_again: Option<Instant>,
}

impl Watcher {
    /// Begins to watch; the files that are there come first. Those that are not closed meanwhile are complete when they have not
    /// changed for the settle time.
    pub fn new(selection: Selection, settle_time: Duration) -> io::Result<Self> {
        let inotify = Inotify::new()?;
        let readiness = Readiness::new(inotify.fd())?;
        let mut watcher = Self {
            selection,
            settle_time,
            inotify,
            readiness,
            sent: BTreeMap::new(),
            pending: Pending::default(),
            settling: Settling::default(),
            hold_manifests: None,
            being_written: BTreeSet::new(),
            early_manifests: BTreeMap::new(),
            complaints: Vec::new(),
            look_again: None,
        };
        let folder = watcher.selection.folder().to_owned();
        watcher.inotify.watch(&folder, PathBuf::new(), true)?;
        watcher.enter(PathBuf::new());
        Ok(watcher)
    }

    /// What to tell next. Files that are given out are not told until they are [confirmed](Self::confirm).
    pub fn next_change(&mut self) -> io::Result<Next> {
        self.look()?;
        loop {
            if let Some(complaint) = self.complaints.pop() {
                return Ok(Next::Complaint(complaint));
            }
            let Some((relative, change)) = self.pending.pop() else {
                let due = self.settling.first_due().into_iter().chain(self.look_again).min();
                return Ok(Next::Wait(due.map(|due| due.saturating_duration_since(Instant::now()))));
            };
            let was_sent = self.sent.get(&relative).copied();
            if change == Change::Complete {
                match self.open(&relative) {
                    // Closed again without a change.
                    Ok(file) if was_sent.is_some_and(|sent| sent.version == file.version && !sent.is_fresh) => continue,
                    Ok(file) if self.is_early(&file) => continue,
                    Ok(file) => return Ok(Next::File(file)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                    Err(error) => {
                        let path = self.selection.folder().join(&relative);
                        self.complaints.push(format!("{}: {error}", path.display()));
                    }
                }
            }
            if self.sent.remove(&relative).is_some() {
                return Ok(Next::Gone(selection::name(&relative)));
            }
        }
    }

    /// Whether what was read of a file is what is to be told now. If not it comes again, when its time has come.
    pub fn confirm(&mut self, file: &OpenFile) -> io::Result<bool> {
        let sent = Sent { version: file.version, is_fresh: file.is_fresh };
        let before = self.sent.insert(file.relative.clone(), sent);
        self.look()?;
        let change = self.pending.get(&file.relative);
        if change.is_none() && Version::of(&file.file.metadata()?) == file.version {
            return Ok(true);
        }
        match before {
            Some(before) => self.sent.insert(file.relative.clone(), before),
            None => self.sent.remove(&file.relative),
        };
        match change {
            // It is being written.
            None => self.settling.insert(file.relative.clone(), Instant::now() + self.settle_time, file.version),
            Some(Change::Gone) if before.is_none() => self.pending.remove(&file.relative),
            Some(_) => (),
        }
        Ok(false)
    }

    /// What ends a wait.
    pub fn waker(&self) -> Waker {
        self.readiness.waker()
    }

    /// Waits until there may be something to tell, or the time is up, or the waker is used.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.readiness.wait(timeout)
    }

    /// Takes notice of all that has happened.
    fn look(&mut self) -> io::Result<()> {
        loop {
            let events = self.inotify.read()?;
            if events.is_empty() {
                break;
            }
            for event in events {
                for notice in self.inotify.look_up(event) {
                    match notice {
                        // Of the watches before, what else was read means nothing any more.
                        Notice::Overflow => self.look_at_all(),
                        notice => self.notice(notice),
                    }
                }
            }
        }
        let now = Instant::now();
        if self.look_again.is_some_and(|time| time <= now) {
            self.look_for_folder();
        }
        while let Some((relative, version)) = self.settling.pop(now) {
            match self.version(&relative) {
                Ok((present, _)) if present != version => {
                    self.settling.insert(relative, now + self.settle_time, present);
                }
                // If it is gone, or cannot be read, that will turn out.
                _ => self.pending.push(relative, Change::Complete),
            }
        }
        Ok(())
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Complete(relative) | Notice::Created(relative) if self.is_link_to_folder(&relative) => {
                // It may have led to another one before.
                self.folder_gone(&relative);
                if self.may_follow(&relative) {
                    self.enter(relative);
                }
            }
            Notice::Complete(relative) if self.selection.takes_file(&relative) => self.complete(relative),
            Notice::Created(relative) if self.selection.takes_file(&relative) => {
                let path = self.selection.folder().join(&relative);
                // Neither links nor further names of a file are written and closed.
                if path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink() || metadata.nlink() > 1) {
                    self.complete(relative);
                } else {
                    self.being_written.insert(relative);
                }
            }
            Notice::Gone(relative) if self.inotify.is_watched(&relative) => self.folder_gone(&relative),
            Notice::Gone(relative) => self.gone(relative),
            Notice::Folder(relative) if self.selection.takes_folder(&relative) => self.enter(relative),
            Notice::FolderGone(relative) => {
                if relative.as_os_str().is_empty() && self.look_again.is_none() {
                    let folder = self.selection.folder().display();
                    self.complaints.push(format!("{folder} is gone; its files are sent when it is there again"));
                    self.look_again = Some(Instant::now() + LOOK_AGAIN);
                }
                self.folder_gone(&relative);
            }
            _ => (),
        }
    }

    fn is_link_to_folder(&self, relative: &Path) -> bool {
        let path = self.selection.folder().join(relative);
        path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) && path.is_dir()
    }

    /// Whether the files of a folder to which this link leads are sent.
    fn may_follow(&mut self, relative: &Path) -> bool {
        if !self.selection.takes_folder(relative) {
            return false;
        }
        let path = self.selection.folder().join(relative);
        // The paths would never end.
        let target = path.canonicalize();
        let is_above = |above: &Path| {
            let above = self.selection.folder().join(above).canonicalize();
            target.as_ref().is_ok_and(|target| above.is_ok_and(|above| above == *target))
        };
        if relative.ancestors().skip(1).any(is_above) {
            self.complaints.push(format!("{}: the link leads to a folder that it is in", path.display()));
            return false;
        }
        match self.selection.check_links(relative) {
            Ok(()) => true,
            Err(error) => {
                self.complaints.push(format!("{}: {error}", path.display()));
                false
            }
        }
    }

    fn complete(&mut self, relative: PathBuf) {
        self.settling.remove(&relative);
        let was_waited_for = self.being_written.remove(&relative);
        if let Some(due) = self.hold_manifests.filter(|&due| is_manifest(&relative) && due > Instant::now())
            && let Ok((version, _)) = self.version(&relative)
        {
            self.settling.insert(relative, due, version);
        } else {
            self.pending.push(relative, Change::Complete);
        }
        if was_waited_for {
            for manifest in self.early_manifests.keys() {
                self.settling.remove(manifest);
                self.pending.push(manifest.clone(), Change::Complete);
            }
        }
    }

    /// Whether a file is a manifest that names others which are not told yet; it comes again after them.
    fn is_early(&mut self, file: &OpenFile) -> bool {
        if !is_manifest(&file.relative) {
            return false;
        }
        let (now, relative) = (Instant::now(), file.relative.clone());
        let named = Named::by(file);
        if named.one_of(self.being_written.iter())
            && self.early_manifests.get(&relative).is_none_or(|&until| until > now)
        {
            let until = *self.early_manifests.entry(relative.clone()).or_insert(now + self.settle_time);
            self.settling.insert(relative, until, file.version);
            return true;
        }
        self.early_manifests.remove(&relative);
        // Manifests may name each other.
        let is_early = named.one_of(self.pending.complete().filter(|path| !is_manifest(path)));
        if is_early {
            self.pending.push(relative, Change::Complete);
        }
        is_early
    }

    fn gone(&mut self, relative: PathBuf) {
        self.settling.remove(&relative);
        self.being_written.remove(&relative);
        self.early_manifests.remove(&relative);
        if self.sent.contains_key(&relative) {
            self.pending.push(relative, Change::Gone);
        } else {
            self.pending.remove(&relative);
        }
    }

    fn folder_gone(&mut self, folder: &Path) {
        self.inotify.forget(folder);
        self.being_written.retain(|relative| !relative.starts_with(folder));
        let known = [below(&self.sent, folder), self.pending.below(folder), self.settling.below(folder)];
        known.into_iter().flatten().for_each(|relative| self.gone(relative));
    }

    /// Watches a folder and those in it, and takes notice of their files.
    fn enter(&mut self, folder: PathBuf) {
        let mut files = Vec::new();
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            let path = self.selection.folder().join(&folder);
            // Before it is read, so that nothing comes in between.
            let follow = self.selection.follows_links();
            let entries = self.inotify.watch(&path, folder.clone(), follow).and_then(|()| fs::read_dir(&path));
            let entries = match entries {
                Ok(entries) => entries,
                // That is told too.
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(error) => {
                    self.complaints.push(complaint(&path, &error));
                    continue;
                }
            };
            for entry in entries.flatten() {
                let relative = folder.join(entry.file_name());
                let kind = entry.file_type();
                if kind.is_ok_and(|kind| kind.is_dir()) {
                    if self.selection.takes_folder(&relative) {
                        folders.push(relative);
                    }
                } else if self.is_link_to_folder(&relative) {
                    if self.may_follow(&relative) {
                        folders.push(relative);
                    }
                } else if self.selection.takes_file(&relative) {
                    files.push(relative);
                }
            }
        }
        files.sort_by(|a, b| (is_manifest(a), a).cmp(&(is_manifest(b), b)));
        files.into_iter().for_each(|file| self.found(file));
    }

    /// A file is there, and the end of its writing was not seen.
    fn found(&mut self, relative: PathBuf) {
        let Ok((version, age)) = self.version(&relative) else {
            // Why, is told when it is opened.
            return self.pending.push(relative, Change::Complete);
        };
        if self.sent.get(&relative).is_some_and(|sent| sent.version == version) {
            self.settling.remove(&relative);
            self.pending.remove(&relative);
        } else if let Some(left) = self.settle_time.checked_sub(age).filter(|left| !left.is_zero()) {
            self.pending.remove(&relative);
            let due = Instant::now() + left;
            self.hold_manifests = self.hold_manifests.max(Some(due));
            self.settling.insert(relative, due, version);
        } else if self.pending.get(&relative) != Some(Change::Complete) {
            self.complete(relative);
        }
    }

    /// Compares everything that is known with what is there, after notices were lost.
    fn look_at_all(&mut self) {
        let folder = self.selection.folder().to_owned();
        // What watches there are may be of folders that have moved since.
        self.inotify.forget(Path::new(""));
        self.being_written.clear();
        let root = Path::new("");
        let mut known = HashSet::new();
        known.extend(below(&self.sent, root));
        known.extend(self.pending.below(root));
        known.extend(self.settling.below(root));
        if self.look_again.is_none() {
            match self.inotify.watch(&folder, PathBuf::new(), true) {
                Ok(()) => self.enter(PathBuf::new()),
                Err(_) => self.notice(Notice::FolderGone(PathBuf::new())),
            }
        }
        for relative in known {
            let path = folder.join(&relative);
            if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                self.gone(relative);
            }
        }
    }

    fn look_for_folder(&mut self) {
        let folder = self.selection.folder().to_owned();
        match self.inotify.watch(&folder, PathBuf::new(), true) {
            Ok(()) => {
                self.look_again = None;
                self.enter(PathBuf::new());
            }
            Err(_) => self.look_again = Some(Instant::now() + LOOK_AGAIN),
        }
    }

    /// The version of a file, and how long ago it was written.
    fn version(&self, relative: &Path) -> io::Result<(Version, Duration)> {
        let metadata = fs::metadata(self.selection.folder().join(relative))?;
        Ok((Version::of(&metadata), age(&metadata)))
    }

    fn open(&self, relative: &Path) -> io::Result<OpenFile> {
        let (file, metadata) = self.selection.open(relative)?;
        Ok(OpenFile {
            path: self.selection.folder().join(relative),
            name: selection::name(relative),
            file,
            length: metadata.len(),
            relative: relative.to_owned(),
            version: Version::of(&metadata),
            is_fresh: age(&metadata) < CLOCK_TICK,
        })
    }
}

/// The names of files that are in a manifest, as URI references have them.
struct Named(HashSet<String>);

impl Named {
    fn by(manifest: &OpenFile) -> Self {
        let mut bytes = vec![0; manifest.length.min(MAX_MANIFEST) as usize];
        // One that is cut short meanwhile comes again.
        if manifest.file.read_exact_at(&mut bytes, 0).is_err() {
            return Self(HashSet::new());
        }
        let text = String::from_utf8_lossy(&bytes);
        let is_between = |c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '/' | '?' | '#');
        Self(text.split(is_between).filter(|word| !word.is_empty()).map(str::to_owned).collect())
    }

    fn one_of<'a>(&self, mut files: impl Iterator<Item = &'a PathBuf>) -> bool {
        files.any(|path| path.file_name().is_some_and(|name| self.0.contains(&selection::name(Path::new(name)))))
    }
}

/// How long ago a file was written; one from the future was not written just now.
fn age(metadata: &Metadata) -> Duration {
    let age = metadata.modified().map(|modified| SystemTime::now().duration_since(modified));
    age.ok().and_then(Result::ok).unwrap_or(Duration::MAX)
}

fn complaint(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::StorageFull => {
            format!("{path} cannot be watched: there are too many watches, raise fs.inotify.max_user_watches")
        }
        _ => format!("{path} cannot be watched: {error}"),
    }
}

#[cfg(test)]
mod tests;
