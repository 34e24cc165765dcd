// SPDX-License-Identifier: MPL-2.0

//! What the kernel tells of folders (inotify(7)).

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::pending::below;

/// Bytes of events that are read at once.
const BUFFER_SIZE: usize = 32 << 10;

/// Something that happened. Paths are relative to the folder at the top.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// A file was closed after writing, or came under this name.
    Complete(PathBuf),
    /// There is a new name, of a file that is about to be written, or of one that has been there before.
    Created(PathBuf),
    /// A file was deleted, or has another name now.
    Gone(PathBuf),
    /// There is a new folder.
    Folder(PathBuf),
    /// A folder was deleted, or is somewhere else now.
    FolderGone(PathBuf),
    /// There was more than the kernel keeps.
    Overflow,
}

/// An event whose folder has not been looked up.
#[derive(Debug)]
pub(super) struct RawNotice {
    watch: i32,
    what: ReadFlags,
    name: Option<OsString>,
}

/// Watches on folders.
#[derive(Debug)]
pub(super) struct Inotify {
    fd: OwnedFd,
    /// The folders of the watches. A folder to which links lead has one watch and several names.
    folders: HashMap<i32, Vec<PathBuf>>,
    watches: BTreeMap<PathBuf, i32>,
    buffer: Box<[MaybeUninit<u8>]>,
}

impl Inotify {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            fd: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            folders: HashMap::new(),
            watches: BTreeMap::new(),
            buffer: vec![MaybeUninit::uninit(); BUFFER_SIZE].into_boxed_slice(),
        })
    }

    /// What becomes readable when something happens.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Watches the folder at `path`, from now on known as `relative`, and follows a link to it only if that is said. The
    /// folder at the top may be a link in any case.
    pub(super) fn watch(&mut self, path: &Path, relative: PathBuf, follow: bool) -> io::Result<()> {
        let mut flags = WatchFlags::ONLYDIR
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::EXCL_UNLINK;
        if relative.as_os_str().is_empty() {
            flags |= WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        } else if !follow {
            flags |= WatchFlags::DONT_FOLLOW;
        }
        let watch = inotify::add_watch(&self.fd, path, flags)?;
        if let Some(before) = self.watches.insert(relative.clone(), watch)
            && before != watch
        {
            self.unname(before, &relative);
        }
        let names = self.folders.entry(watch).or_default();
        if !names.contains(&relative) {
            names.push(relative);
        }
        Ok(())
    }

    /// Watches a folder and what is below it no more.
    pub(super) fn forget(&mut self, relative: &Path) {
        for path in below(&self.watches, relative) {
            if let Some(watch) = self.watches.remove(&path) {
                self.unname(watch, &path);
            }
        }
    }

    /// Whether a folder is watched under this name.
    pub(super) fn is_watched(&self, relative: &Path) -> bool {
        self.watches.contains_key(relative)
    }

    /// Takes a name from a watch, and ends the watch with its last one.
    fn unname(&mut self, watch: i32, relative: &Path) {
        let Some(names) = self.folders.get_mut(&watch) else { return };
        names.retain(|name| name != relative);
        if names.is_empty() {
            self.folders.remove(&watch);
            // One that is not there any more needs no removal.
            let _ = inotify::remove_watch(&self.fd, watch);
        }
    }

    /// The events that are there, or some of them; none if there are none.
    pub(super) fn read(&mut self) -> io::Result<Vec<RawNotice>> {
        let mut events = Vec::new();
        let mut reader = Reader::new(&self.fd, &mut self.buffer);
        loop {
            match reader.next() {
                Ok(event) => events.push(RawNotice {
                    watch: event.wd(),
                    what: event.events(),
                    name: event.file_name().map(|name| OsString::from_vec(name.to_bytes().to_owned())),
                }),
                Err(Errno::AGAIN) => return Ok(events),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if reader.is_buffer_empty() {
                return Ok(events);
            }
        }
    }

    /// What an event means by what is being watched at present, for every name of its folder.
    pub(super) fn look_up(&mut self, event: RawNotice) -> Vec<Notice> {
        let RawNotice { watch, what, name } = event;
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            return vec![Notice::Overflow];
        }
        if what.contains(ReadFlags::IGNORED) {
            for folder in self.folders.remove(&watch).unwrap_or_default() {
                self.watches.remove(&folder);
            }
            return Vec::new();
        }
        let folders = self.folders.get(&watch).map(Vec::as_slice).unwrap_or_default();
        folders.iter().filter_map(|folder| notice(folder, what, name.as_deref())).collect()
    }
}

/// What happened to this name in a folder, or to the folder itself.
fn notice(folder: &Path, what: ReadFlags, name: Option<&OsStr>) -> Option<Notice> {
    let Some(name) = name else {
        let is_gone = what.intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT);
        return is_gone.then(|| Notice::FolderGone(folder.to_owned()));
    };
    let path = folder.join(name);
    let is_there = what.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
    let is_gone = what.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
    match what.contains(ReadFlags::ISDIR) {
        true if is_there => Some(Notice::Folder(path)),
        true if is_gone => Some(Notice::FolderGone(path)),
        true => None,
        false if is_gone => Some(Notice::Gone(path)),
        false if what.contains(ReadFlags::CREATE) => Some(Notice::Created(path)),
        false => Some(Notice::Complete(path)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn notices(inotify: &mut Inotify) -> Vec<Notice> {
        let mut notices = Vec::new();
        loop {
            let events = inotify.read().unwrap();
            if events.is_empty() {
                return notices;
            }
            notices.extend(events.into_iter().flat_map(|event| inotify.look_up(event)));
        }
    }

    #[test]
    fn what_happens_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut inotify = Inotify::new().unwrap();
        inotify.watch(folder.path(), PathBuf::new(), false).unwrap();
        fs::write(at("a.tmp"), "a").unwrap();
        fs::rename(at("a.tmp"), at("a")).unwrap();
        fs::remove_file(at("a")).unwrap();
        fs::create_dir(at("sub")).unwrap();
        let path = PathBuf::from;
        assert_eq!(
            notices(&mut inotify),
            [
                Notice::Created(path("a.tmp")),
                Notice::Complete(path("a.tmp")),
                Notice::Gone(path("a.tmp")),
                Notice::Complete(path("a")),
                Notice::Gone(path("a")),
                Notice::Folder(path("sub")),
            ]
        );
        inotify.watch(&at("sub"), path("sub"), false).unwrap();
        fs::write(at("sub/b"), "").unwrap();
        let unseen = inotify.read().unwrap();
        fs::rename(at("sub"), at("other")).unwrap();
        inotify.forget(Path::new("sub"));
        fs::write(at("other/c"), "").unwrap();
        assert!(unseen.into_iter().all(|event| inotify.look_up(event).is_empty()), "they are of a folder that is gone");
        assert_eq!(notices(&mut inotify), [Notice::FolderGone(path("sub")), Notice::Folder(path("other"))]);
        fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(notices(&mut inotify).last(), Some(&Notice::FolderGone(PathBuf::new())));
    }

    #[test]
    fn links_are_not_watched() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        let mut inotify = Inotify::new().unwrap();
        assert!(inotify.watch(&folder.path().join("link"), PathBuf::from("link"), false).is_err());
        inotify.watch(&folder.path().join("link"), PathBuf::new(), false).unwrap();
    }

    #[test]
    fn a_folder_with_two_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = PathBuf::from;
        fs::create_dir(folder.path().join("a")).unwrap();
        std::os::unix::fs::symlink("a", folder.path().join("b")).unwrap();
        let mut inotify = Inotify::new().unwrap();
        inotify.watch(&folder.path().join("a"), path("a"), false).unwrap();
        inotify.watch(&folder.path().join("b"), path("b"), true).unwrap();
        fs::write(folder.path().join("a/1"), "").unwrap();
        let expected = [
            Notice::Created(path("a/1")),
            Notice::Created(path("b/1")),
            Notice::Complete(path("a/1")),
            Notice::Complete(path("b/1")),
        ];
        assert_eq!(notices(&mut inotify), expected);
        inotify.forget(Path::new("b"));
        fs::remove_file(folder.path().join("a/1")).unwrap();
        assert_eq!(notices(&mut inotify), [Notice::Gone(path("a/1"))]);
    }
}
