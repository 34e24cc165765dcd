// SPDX-License-Identifier: MPL-2.0

//! Files that appear below a folder whole or not at all, and never outside of it.
//!
//! Folders are walked one name at a time with `O_NOFOLLOW`, from a descriptor of the target folder, so that neither a
//! symbolic link that is there nor one that is put there meanwhile leads out of it.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use unicode_normalization::UnicodeNormalization;

use super::relative_path::{MAX_NAME, RelativePath};

/// Mode of new folders and files, which the umask of the process narrows.
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o777);
const FILE_MODE: Mode = Mode::from_raw_mode(0o666);

/// Bytes of a name that every file system takes.
const MIN_NAME: usize = 64;

/// Attempts to find a temporary name that is free.
const MAX_ATTEMPTS: u32 = 16;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The target folder cannot be opened or made.
    #[error("the folder {}: {}", folder.display(), reason(error))]
    Target {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Something is in the way that is no folder, or that may lead elsewhere.
    #[error("“{name}” on the way is a symbolic link or a file, and no folder")]
    NotAFolder {
        /// Its name.
        name: String,
    },
    /// A folder has the name of the file.
    #[error("there is a folder of this name")]
    IsAFolder,
    /// A file is there whose name differs in case or Unicode normal form only.
    #[error("the file system does not tell it from “{existing}”, which is there")]
    Collision {
        /// The name that is there.
        existing: String,
    },
    /// The system refuses a step.
    #[error("{what}: {}", reason(error))]
    Io {
        /// The step.
        what: &'static str,
        /// What the system says.
        error: io::Error,
    },
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
pub struct TargetFolder {
    folder: PathBuf,
    /// Sync a file, and the folder it is in, to the disk before it counts as written.
    sync: bool,
    /// The file system takes names that differ in case or Unicode normal form for the same.
    folds_names: bool,
    /// Bytes of a name that the file system takes.
    max_name: usize,
}

impl TargetFolder {
    /// Opens a folder, which is made if it is not there, and tries whether files can be written into it.
    pub fn open(folder: &Path, sync: bool) -> Result<Self, WriteError> {
        let target = |error| WriteError::Target { folder: folder.to_owned(), error };
        std::fs::create_dir_all(folder).map_err(target)?;
        let mut this = Self { folder: folder.to_owned(), sync, folds_names: false, max_name: MAX_NAME };
        let probe = this.open_target()?;
        if let Ok(system) = rustix::fs::fstatvfs(&probe) {
            let longest = usize::try_from(system.f_namemax).unwrap_or(MAX_NAME);
            this.max_name = longest.clamp(MIN_NAME, MAX_NAME);
        }
        let cased = Temporary::create(probe.as_fd(), "flute")?;
        // A file system that does not know the character cannot take its forms for the same.
        let composed = Temporary::create(probe.as_fd(), "\u{e9}");
        this.folds_names = cased.exists_as("flute", "FLUTE")
            || composed.is_ok_and(|composed| composed.exists_as("\u{e9}", "e\u{301}"));
        Ok(this)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes of a name that the file system takes.
    pub fn max_name(&self) -> usize {
        self.max_name
    }

    /// Where a file would be.
    pub fn full_path(&self, path: &RelativePath) -> PathBuf {
        let (folders, name) = path.split();
        let mut full: PathBuf = self.folder.clone();
        full.extend(folders);
        full.push(name);
        full
    }

    /// Writes a file; `fill` puts the bytes in. Until it has, and if it fails, what was there under this name stays.
    pub fn write(&self, path: &RelativePath, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), WriteError> {
        self.place(path, |folder| {
            let mut temporary = Temporary::create(folder, "flute")?;
            fill(&mut temporary.file).map_err(|error| WriteError::Io { what: "writing", error })?;
            Ok(Some(temporary))
        })
        .map(|_| ())
    }

    /// Gives a file that has no name this one, without copying its bytes. `false` if the system cannot, because the file
    /// is on another file system, for example.
    pub fn link(&self, path: &RelativePath, file: &File) -> Result<bool, WriteError> {
        self.place(path, |folder| Temporary::link(folder, file))
    }

    /// Removes a file, and the folders that it leaves empty. One that is not there any more is none to remove.
    pub fn remove(&self, path: &RelativePath) -> Result<(), WriteError> {
        let (names, name) = path.split();
        let mut folders = vec![self.open_target()?];
        for name in names {
            let parent = folders.last().expect("there is the target folder");
            match open_existing_subfolder(parent, name) {
                Ok(folder) => folders.push(folder),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
                Err(errno) => return Err(failed("opening a folder")(errno)),
            }
        }
        let folder = folders.pop().expect("there is the target folder");
        match rustix::fs::unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => (),
            Err(errno) => return Err(failed("deleting")(errno)),
        }
        for (parent, name) in folders.iter().zip(names).rev() {
            if rustix::fs::unlinkat(parent, name.as_str(), AtFlags::REMOVEDIR).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Lets a file that `make` made under a temporary name appear under its own, if it made one.
    fn place(
        &self,
        path: &RelativePath,
        make: impl for<'f> FnOnce(BorrowedFd<'f>) -> Result<Option<Temporary<'f>>, WriteError>,
    ) -> Result<bool, WriteError> {
        let (folders, name) = path.split();
        let mut folder = self.open_target()?;
        for name in folders {
            folder = open_subfolder(&folder, name)?;
        }
        if self.folds_names {
            refuse_collision(folder.as_fd(), name)?;
        }
        let Some(temporary) = make(folder.as_fd())? else { return Ok(false) };
        if self.sync {
            temporary.file.sync_all().map_err(|error| WriteError::Io { what: "syncing the file", error })?;
        }
        temporary.rename(name)?;
        if self.sync {
            rustix::fs::fsync(&folder).map_err(failed("syncing the folder"))?;
        }
        Ok(true)
    }

    /// Opened anew for each file: a folder that was removed is noticed, and one that came back is used.
    fn open_target(&self) -> Result<OwnedFd, WriteError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(&self.folder, flags, Mode::empty())
            .map_err(|errno| WriteError::Target { folder: self.folder.clone(), error: errno.into() })
    }
}

/// Opens a folder within a folder. Symbolic links are not followed.
fn open_existing_subfolder(parent: &OwnedFd, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

/// Opens a folder within a folder, which is made if it is not there. Symbolic links are not followed.
fn open_subfolder(parent: &OwnedFd, name: &str) -> Result<OwnedFd, WriteError> {
    let opened = match open_existing_subfolder(parent, name) {
        Err(Errno::NOENT) => match rustix::fs::mkdirat(parent, name, FOLDER_MODE) {
            Ok(()) | Err(Errno::EXIST) => open_existing_subfolder(parent, name),
            Err(errno) => return Err(failed("making a folder")(errno)),
        },
        opened => opened,
    };
    opened.map_err(|errno| match errno {
        Errno::NOTDIR | Errno::LOOP => WriteError::NotAFolder { name: name.to_owned() },
        errno => failed("opening a folder")(errno),
    })
}

/// Makes something under a temporary name that is free.
fn with_free_name<T>(
    label: &str,
    mut make: impl FnMut(&str) -> rustix::io::Result<T>,
) -> rustix::io::Result<(String, T)> {
    let mut attempt = 0;
    loop {
        let name = format!(".{label}-{:016x}.part", RandomState::new().hash_one(attempt));
        match make(&name) {
            Ok(made) => return Ok((name, made)),
            Err(Errno::EXIST) if attempt < MAX_ATTEMPTS => attempt += 1,
            Err(errno) => return Err(errno),
        }
    }
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

/// A file under a temporary name, which is removed unless the file gets its real one.
struct Temporary<'a> {
    folder: BorrowedFd<'a>,
    name: Option<String>,
    file: File,
}

impl<'a> Temporary<'a> {
    /// A new file.
    fn create(folder: BorrowedFd<'a>, label: &str) -> Result<Self, WriteError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (name, fd) = with_free_name(label, |name| rustix::fs::openat(folder, name, flags, FILE_MODE))
            .map_err(failed("making a file"))?;
        Ok(Self { folder, name: Some(name), file: fd.into() })
    }

    /// A file that was opened without a name (O_TMPFILE). `None` if the system cannot give it one in this folder.
    fn link(folder: BorrowedFd<'a>, file: &File) -> Result<Option<Self>, WriteError> {
        let file = file.try_clone().map_err(|error| WriteError::Io { what: "linking the file", error })?;
        let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
        let linked = with_free_name("flute", |name| {
            rustix::fs::linkat(CWD, descriptor.as_str(), folder, name, AtFlags::SYMLINK_FOLLOW)
        });
        match linked {
            Ok((name, ())) => Ok(Some(Self { folder, name: Some(name), file })),
            Err(Errno::XDEV | Errno::NOENT | Errno::NOTDIR | Errno::PERM | Errno::ACCESS | Errno::INVAL) => Ok(None),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => Ok(None),
            Err(errno) => Err(failed("linking the file")(errno)),
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
            // An error cannot be returned from here, and the file that stays behind is hidden.
            let _ = rustix::fs::unlinkat(self.folder, name, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::super::relative_path::UrlMapping;
    use super::*;

    fn path(location: &str) -> RelativePath {
        RelativePath::of_location(location, UrlMapping::HostPath, MAX_NAME).unwrap()
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
}
