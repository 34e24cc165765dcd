// SPDX-License-Identifier: MPL-2.0

//! What becomes of one object: its path, its file, and the files that have to go for it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;

use super::location_pattern::LocationPattern;
use super::manifest_names::MAX_MANIFEST_SIZE;
use super::relative_path::{Refusal, RelativePath, UrlMapping};
use super::target_folder::{TargetFolder, WriteError};
use super::warnings::{Kind, Warnings};
use super::written_files::{Bounds, Origin, Reason, WrittenFiles};
use crate::file_range::FileRange;

/// What is known of an object before it is a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct ObjectDescription<'a> {
    /// Its Content-Location; without one it gets a number for a name.
    pub content_location: Option<&'a str>,
    /// Its Content-Type.
    pub content_type: Option<&'a str>,
    /// The session that it came from.
    pub origin: Origin,
}

/// The bytes of an object.
pub trait ObjectContent {
    /// How many they are.
    fn length(&self) -> u64;

    /// The file that they are in, if they are in one.
    fn file(&self) -> Option<&FileRange>;

    /// Puts them into a file that is empty.
    fn write_to(&self, file: &mut File) -> io::Result<()>;
}

impl ObjectContent for FileRange {
    fn length(&self) -> u64 {
        self.length
    }

    fn file(&self) -> Option<&FileRange> {
        Some(self)
    }

    fn write_to(&self, file: &mut File) -> io::Result<()> {
        self.copy_to(file)
    }
}

impl ObjectContent for Bytes {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn file(&self) -> Option<&FileRange> {
        None
    }

    fn write_to(&self, file: &mut File) -> io::Result<()> {
        file.write_all(self)
    }
}

/// A file that was written.
#[derive(Debug)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// The file was there already and got its name, and nothing was copied.
    pub is_linked: bool,
    /// The session that its object came from.
    pub origin: Origin,
    /// The other session whose file it replaced.
    pub replaced: Option<Origin>,
}

/// A file that was to be deleted.
#[derive(Debug)]
pub struct Deleted {
    /// Where it was.
    pub path: PathBuf,
    /// Why it had to go.
    pub reason: Reason,
    /// Why it was not.
    pub error: Option<WriteError>,
}

/// Why an object did not become a file.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// It has no name below the folder.
    #[error("its Content-Location is refused: {0}")]
    Location(#[from] Refusal),
    /// Its bytes cannot be read.
    #[error("reading it: {0}")]
    Read(#[source] io::Error),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl NotWritten {
    /// What kind of warning it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Location(_) => Kind::Name,
            Self::Read(_) => Kind::Other,
            Self::Write(error) => match error {
                WriteError::NotAFolder { .. } | WriteError::IsAFolder | WriteError::Collision { .. } => Kind::Name,
                WriteError::Target { error, .. } if error.kind() == io::ErrorKind::NotFound => Kind::NoFolder,
                WriteError::Target { error, .. } | WriteError::Io { error, .. } => Kind::of(error),
            },
        }
    }
}

/// Writes objects below a folder, and deletes files there.
#[derive(Debug)]
pub struct FolderWriter {
    target: TargetFolder,
    pattern: LocationPattern,
    url_mapping: UrlMapping,
    /// Objects without a name so far.
    unnamed: u64,
    files: WrittenFiles,
    warnings: Warnings,
}

impl FolderWriter {
    /// Writes into a folder, and into folders of the sessions below it if the pattern asks for them.
    pub fn new(target: TargetFolder, pattern: LocationPattern, url_mapping: UrlMapping, bounds: Bounds) -> Self {
        let (files, warnings) = (WrittenFiles::new(bounds), Warnings::default());
        Self { target, pattern, url_mapping, unnamed: 0, files, warnings }
    }

    /// The folder that is the same for all objects.
    pub fn folder(&self) -> &Path {
        self.target.folder()
    }

    /// The warnings of this run.
    pub fn warnings(&mut self) -> &mut Warnings {
        &mut self.warnings
    }

    /// Makes a file of an object.
    ///
    /// # Errors
    /// Its name is refused, or the file cannot be written; an older file of the name is still there then.
    pub fn write(
        &mut self,
        object: ObjectDescription<'_>,
        content: &impl ObjectContent,
    ) -> Result<Written, NotWritten> {
        let path = self.path_of(object)?;
        let is_linked = match content.file().and_then(FileRange::unnamed_file) {
            Some(file) => self.target.link(&path, file)?,
            None => false,
        };
        if !is_linked {
            self.target.write(&path, |file| content.write_to(file))?;
        }
        let location = object.content_location.unwrap_or_default();
        let (size, origin) = (content.length(), object.origin);
        let replaced = self.files.insert(path.clone(), location, origin, size, Instant::now());
        let full_path = self.target.full_path(&path);
        if flute_media::is_manifest(object.content_type, location) {
            self.read_manifest(path, &full_path);
        }
        Ok(Written { path: full_path, size, is_linked, origin, replaced })
    }

    /// Takes note that an object is not announced any more.
    pub fn withdraw(&mut self, content_location: &str, origin: Origin) {
        self.files.withdraw(content_location, origin, Instant::now());
    }

    /// Deletes what is to be deleted by now.
    pub fn delete_due(&mut self, now: Instant) -> Vec<Deleted> {
        let due = self.files.take_due(now).into_iter();
        due.map(|(path, reason)| Deleted {
            path: self.target.full_path(&path),
            reason,
            error: self.target.remove(&path).err(),
        })
        .collect()
    }

    /// When there will be something to delete, if nothing more is written.
    pub fn next_deletion(&self) -> Option<Instant> {
        self.files.next_due()
    }

    fn path_of(&mut self, object: ObjectDescription<'_>) -> Result<RelativePath, Refusal> {
        let path = match object.content_location {
            None | Some("") => {
                let number = self.unnamed;
                self.unnamed += 1;
                RelativePath::of_unnamed(number)
            }
            Some(location) => RelativePath::of_location(location, self.url_mapping, self.target.max_name())?,
        };
        path.below(self.pattern.names_for(&object.origin))
    }

    /// Takes note of the files that a manifest names. One that cannot be read names none.
    fn read_manifest(&mut self, path: RelativePath, full_path: &Path) {
        let mut text = Vec::new();
        let read = File::open(full_path).and_then(|file| file.take(MAX_MANIFEST_SIZE as u64).read_to_end(&mut text));
        if read.is_err() {
            text.clear();
        }
        let (mapping, max_name) = (self.url_mapping, self.target.max_name());
        self.files.manifests().insert(path, &String::from_utf8_lossy(&text), |reference| {
            let path = RelativePath::of_location(reference, mapping, max_name).ok()?;
            Some(path.split().1.to_owned())
        });
    }
}
