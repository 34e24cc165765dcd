// SPDX-License-Identifier: MPL-2.0

//! Files that appear below a folder whole or not at all, and never outside of it.
//!
//! Folders are walked one name at a time with `O_NOFOLLOW`, from a descriptor of the target folder, so that neither a
//! symbolic link that is there nor one that is put there meanwhile leads out of it.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use unicode_normalization::UnicodeNormalization;

use super::path::RelativePath;
use crate::fd_memory::FileRange;

/// Mode of new folders and files, which the umask of the process narrows.
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o777);
const FILE_MODE: Mode = Mode::from_raw_mode(0o666);

/// Attempts to find a temporary name that nobody has.
const MAX_ATTEMPTS: u32 = 16;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("the folder {}: {}", folder.display(), reason(error))]
    Target { folder: PathBuf, error: io::Error },
    #[error("“{name}” on the way is a symbolic link or a file, and no folder")]
    NotAFolder { name: String },
    #[error("there is a folder of this name")]
    IsAFolder,
    #[error("the file system does not tell it from “{existing}”, which is there")]
    Collision { existing: String },
    #[error("{what}: {}", reason(error))]
    Io { what: &'static str, error: io::Error },
}

/// What the user can do about an error, where the system's own words are thin.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        io::ErrorKind::PermissionDenied => "no permission to write there".to_owned(),
        io::ErrorKind::NotFound => "it is not there (any more)".to_owned(),
        _ => error.to_string(),
    }
}

fn failed(what: &'static str) -> impl Fn(Errno) -> WriteError {
    move |errno| WriteError::Io { what, error: errno.into() }
}

/// A folder that files are written into.
#[derive(Debug)]
pub(crate) struct TargetFolder {
    folder: PathBuf,
    /// Sync a file, and the folder it is in, to the disk before it counts as written.
    sync: bool,
    /// The file system takes names that differ in case or Unicode normal form for the same.
    folds_names: bool,
}

impl TargetFolder {
    /// Opens a folder, which is made if it is not there, and tries whether files can be written into it.
    pub(crate) fn open(folder: &Path, sync: bool) -> Result<Self, WriteError> {
        let target = |error| WriteError::Target { folder: folder.to_owned(), error };
        std::fs::create_dir_all(folder).map_err(target)?;
        let mut this = Self { folder: folder.to_owned(), sync, folds_names: false };
        let probe = this.open_target()?;
        let cased = Temporary::create(probe.as_fd(), "flute")?;
        // A file system that does not know the character cannot take its forms for the same.
        let composed = Temporary::create(probe.as_fd(), "\u{e9}");
        this.folds_names = cased.exists_as("flute", "FLUTE")
            || composed.is_ok_and(|composed| composed.exists_as("\u{e9}", "e\u{301}"));
        Ok(this)
    }

    /// Where a file would be.
    pub(crate) fn full_path(&self, path: &RelativePath) -> PathBuf {
        let (folders, name) = path.split();
        let mut full: PathBuf = self.folder.clone();
        full.extend(folders);
        full.push(name);
        full
    }

    /// Writes a file; `fill` puts the bytes in. Until it has, and if it fails, what was there under this name stays.
    pub(crate) fn write(
        &self,
        path: &RelativePath,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), WriteError> {
        let (folders, name) = path.split();
        let mut folder = self.open_target()?;
        for name in folders {
            folder = open_subfolder(&folder, name)?;
        }
        if self.folds_names {
            refuse_collision(folder.as_fd(), name)?;
        }
        let mut temporary = Temporary::create(folder.as_fd(), "flute")?;
        let io_error = |what| move |error| WriteError::Io { what, error };
        fill(&mut temporary.file).map_err(io_error("writing"))?;
        if self.sync {
            temporary.file.sync_all().map_err(io_error("syncing the file"))?;
        }
        temporary.rename(name)?;
        if self.sync {
            rustix::fs::fsync(&folder).map_err(failed("syncing the folder"))?;
        }
        Ok(())
    }

    /// Opened anew for each file: a folder that was removed is noticed, and one that came back is used.
    fn open_target(&self) -> Result<OwnedFd, WriteError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(&self.folder, flags, Mode::empty())
            .map_err(|errno| WriteError::Target { folder: self.folder.clone(), error: errno.into() })
    }
}

/// Opens a folder within a folder, which is made if it is not there. Symbolic links are not followed.
fn open_subfolder(parent: &OwnedFd, name: &str) -> Result<OwnedFd, WriteError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(parent, name, flags, Mode::empty());
    let opened = match open() {
        Err(Errno::NOENT) => match rustix::fs::mkdirat(parent, name, FOLDER_MODE) {
            Ok(()) | Err(Errno::EXIST) => open(),
            Err(errno) => return Err(failed("making a folder")(errno)),
        },
        opened => opened,
    };
    opened.map_err(|errno| match errno {
        Errno::NOTDIR | Errno::LOOP => WriteError::NotAFolder { name: name.to_owned() },
        errno => failed("opening a folder")(errno),
    })
}

/// Refuses a name that the file system, which folds names, takes for another one that is there.
fn refuse_collision(folder: BorrowedFd<'_>, name: &str) -> Result<(), WriteError> {
    if rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).is_err() {
        return Ok(());
    }
    let entries = rustix::fs::Dir::read_from(folder).map_err(failed("reading the folder"))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    colliding(names, name).map_or(Ok(()), |existing| Err(WriteError::Collision { existing }))
}

/// The one of these names that differs from `name` in case or Unicode normal form only, unless it is there itself.
fn colliding(names: impl Iterator<Item = String>, name: &str) -> Option<String> {
    let mut collision = None;
    for existing in names {
        if existing == name {
            return None;
        }
        if folded(&existing) == folded(name) {
            collision = Some(existing);
        }
    }
    collision
}

/// A name without its case and Unicode normal form.
fn folded(name: &str) -> String {
    name.nfkd().collect::<String>().to_lowercase()
}

/// A file under a name that nobody asked for, which is gone unless it gets its real one.
struct Temporary<'a> {
    folder: BorrowedFd<'a>,
    name: Option<String>,
    file: File,
}

impl<'a> Temporary<'a> {
    fn create(folder: BorrowedFd<'a>, label: &str) -> Result<Self, WriteError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut attempt = 0;
        loop {
            let name = format!(".{label}-{:016x}.part", RandomState::new().hash_one(attempt));
            match rustix::fs::openat(folder, name.as_str(), flags, FILE_MODE) {
                Ok(fd) => return Ok(Self { folder, name: Some(name), file: fd.into() }),
                Err(Errno::EXIST) if attempt < MAX_ATTEMPTS => attempt += 1,
                Err(errno) => return Err(failed("making a file")(errno)),
            }
        }
    }

    /// Whether the file system knows the file under another name, too.
    fn exists_as(&self, part: &str, replacement: &str) -> bool {
        let other = self.name.as_deref().unwrap_or_default().replace(part, replacement);
        rustix::fs::statat(self.folder, other, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Gives the file its real name, in place of what has it.
    fn rename(mut self, name: &str) -> Result<(), WriteError> {
        let Some(temporary) = self.name.as_deref() else { return Ok(()) };
        rustix::fs::renameat(self.folder, temporary, self.folder, name).map_err(|errno| match errno {
            Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST => WriteError::IsAFolder,
            errno => failed("renaming the file")(errno),
        })?;
        self.name = None;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            // There is nobody to tell, and nothing to do about it.
            let _ = rustix::fs::unlinkat(self.folder, name, AtFlags::empty());
        }
    }
}

/// Copies a part of a file to the end of another: by the kernel, which shares the blocks where the file system can.
pub(crate) fn copy(source: &FileRange, target: &mut File) -> io::Result<()> {
    /// Bytes of one system call, so that none lasts for minutes.
    const STEP: u64 = 1 << 30;
    let end = source.offset + source.length;
    let mut offset = source.offset;
    let mut across_file_systems = false;
    while offset < end {
        let count = (end - offset).min(STEP) as usize;
        let copied = if across_file_systems {
            rustix::fs::sendfile(&*target, &source.file, Some(&mut offset), count)
        } else {
            rustix::fs::copy_file_range(&source.file, Some(&mut offset), &*target, None, count)
        };
        match copied {
            Ok(0) => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("the file that is copied is {} bytes shorter than it was", end - offset),
                ));
            }
            Ok(_) | Err(Errno::INTR) => (),
            Err(Errno::XDEV | Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP) if !across_file_systems => {
                across_file_systems = true;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Seek, Write};
    use std::os::unix::fs::symlink;

    use super::super::path::UrlMapping;
    use super::*;

    fn path(location: &str) -> RelativePath {
        RelativePath::of_location(location, UrlMapping::HostPath).unwrap()
    }

    fn write(target: &TargetFolder, location: &str, bytes: &[u8]) -> Result<(), WriteError> {
        target.write(&path(location), |file| file.write_all(bytes))
    }

    /// What is in a folder, with its temporary files.
    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        let target = TargetFolder::open(&folder.path().join("new/folder"), true).unwrap();
        write(&target, "a/b/c.txt", b"one").unwrap();
        write(&target, "a/b/c.txt", b"two").unwrap();
        let full = folder.path().join("new/folder/a/b/c.txt");
        assert_eq!(target.full_path(&path("a/b/c.txt")), full);
        assert_eq!(fs::read(full).unwrap(), b"two");
        assert_eq!(names(&folder.path().join("new/folder")), ["a"]);
        assert_eq!(names(&folder.path().join("new/folder/a/b")), ["c.txt"]);
    }

    #[test]
    fn an_older_file_survives_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let target = TargetFolder::open(folder.path(), false).unwrap();
        write(&target, "x", b"good").unwrap();
        let error = target
            .write(&path("x"), |file| {
                file.write_all(b"bad")?;
                Err(io::Error::from(io::ErrorKind::StorageFull))
            })
            .unwrap_err();
        assert_eq!(error.to_string(), "writing: the disk is full");
        assert_eq!(fs::read(folder.path().join("x")).unwrap(), b"good");
        assert_eq!(names(folder.path()), ["x"]);
    }

    #[test]
    fn links_are_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("file"), b"untouched").unwrap();
        symlink(outside.path(), folder.path().join("link")).unwrap();
        symlink(outside.path().join("file"), folder.path().join("file")).unwrap();
        let target = TargetFolder::open(folder.path(), false).unwrap();
        assert!(matches!(write(&target, "link/x", b"x"), Err(WriteError::NotAFolder { name }) if name == "link"));
        // A link in the place of the file is replaced.
        write(&target, "file", b"inside").unwrap();
        assert!(folder.path().join("file").symlink_metadata().unwrap().is_file());
        assert_eq!(names(outside.path()), ["file"]);
        assert_eq!(fs::read(outside.path().join("file")).unwrap(), b"untouched");
    }

    #[test]
    fn files_and_folders_in_each_others_place() {
        let folder = tempfile::tempdir().unwrap();
        let target = TargetFolder::open(folder.path(), false).unwrap();
        write(&target, "a/b", b"x").unwrap();
        assert!(matches!(write(&target, "a", b"x"), Err(WriteError::IsAFolder)));
        assert!(matches!(write(&target, "a/b/c", b"x"), Err(WriteError::NotAFolder { name }) if name == "b"));
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_removed_folder_is_noticed_and_one_that_came_back_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().join("target");
        let target = TargetFolder::open(&location, false).unwrap();
        fs::remove_dir(&location).unwrap();
        let error = write(&target, "x", b"x").unwrap_err();
        assert!(matches!(&error, WriteError::Target { .. }), "{error}");
        assert!(!location.exists());
        fs::create_dir(&location).unwrap();
        write(&target, "x", b"x").unwrap();
    }

    #[test]
    fn a_file_is_no_target() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(TargetFolder::open(file.path(), false), Err(WriteError::Target { .. })));
    }

    #[test]
    fn names_that_differ_by_case_or_normal_form() {
        let folder = tempfile::tempdir().unwrap();
        let mut target = TargetFolder::open(folder.path(), false).unwrap();
        if target.folds_names {
            write(&target, "a", b"1").unwrap();
            assert!(matches!(write(&target, "A", b"2"), Err(WriteError::Collision { .. })));
            return;
        }
        for name in ["a", "A", "\u{e9}", "e\u{301}"] {
            write(&target, name, name.as_bytes()).unwrap();
        }
        assert_eq!(names(folder.path()).len(), 4);
        // With the check of file systems that fold, names that are there are still written exactly.
        target.folds_names = true;
        write(&target, "A", b"new").unwrap();
        assert_eq!(fs::read(folder.path().join("A")).unwrap(), b"new");
    }

    #[test]
    fn collisions() {
        let names = || ["b", "Movie.mp4", "e\u{301}"].into_iter().map(str::to_owned);
        assert_eq!(colliding(names(), "movie.MP4").as_deref(), Some("Movie.mp4"));
        assert_eq!(colliding(names(), "\u{c9}").as_deref(), Some("e\u{301}"));
        assert_eq!(colliding(names(), "Movie.mp4"), None);
        assert_eq!(colliding(names(), "movie"), None);
    }

    #[test]
    fn parts_of_files_are_copied() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        for folder in [std::env::temp_dir(), "/dev/shm".into()] {
            let Ok(mut target) = tempfile::tempfile_in(&folder) else {
                eprintln!("skipped: no files in {}", folder.display());
                continue;
            };
            let source = FileRange { file: file.try_clone().unwrap(), offset: 2, length: 5 };
            copy(&source, &mut target).unwrap();
            assert_eq!(target.stream_position().unwrap(), 5);
            let mut copied = String::new();
            target.rewind().unwrap();
            target.read_to_string(&mut copied).unwrap();
            assert_eq!(copied, "23456");
        }
    }

    #[test]
    fn short_sources_are_noticed() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        let mut target = tempfile::tempfile().unwrap();
        let error = copy(&FileRange { file, offset: 1, length: 3 }, &mut target).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
