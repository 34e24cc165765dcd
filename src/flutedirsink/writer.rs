// SPDX-License-Identifier: MPL-2.0

//! What becomes of one object: its path, its file, and the files that have to go for it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::location_pattern::LocationPattern;
use super::manifest_names::MAX_MANIFEST_SIZE;
use super::object_bytes::ObjectBytes;
use super::relative_path::{Refusal, RelativePath, UrlMapping};
use super::target_folder::{TargetFolder, WriteError};
use super::warnings::{Kind, Warnings};
use super::written_files::{Bounds, Origin, Reason, WrittenFiles};
use crate::media_type;
use crate::object_meta::ObjectMeta;
use crate::object_removal::ObjectRemoval;

/// A file that was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) path: PathBuf,
    /// Bytes.
    pub(super) size: u64,
    /// The file was there already and got its name, and nothing was copied.
    pub(super) is_linked: bool,
    pub(super) origin: Origin,
    /// The other session whose file it replaced.
    pub(super) replaced: Option<Origin>,
}

/// A file that was to be deleted.
#[derive(Debug)]
pub(super) struct Deleted {
    pub(super) path: PathBuf,
    pub(super) reason: Reason,
    /// Why it was not.
    pub(super) error: Option<WriteError>,
}

/// Why an object did not become a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotWritten {
    #[error("its Content-Location is refused: {0}")]
    Location(#[from] Refusal),
    #[error("reading it: {0}")]
    Read(#[source] io::Error),
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl NotWritten {
    /// What kind of warning it is.
    pub(super) fn kind(&self) -> Kind {
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
pub(super) struct Writer {
    target: TargetFolder,
    pattern: LocationPattern,
    url_mapping: UrlMapping,
    /// Objects without a name so far.
    unnamed: u64,
    files: WrittenFiles,
    warnings: Warnings,
}

impl Writer {
    pub(super) fn new(target: TargetFolder, pattern: LocationPattern, url_mapping: UrlMapping, bounds: Bounds) -> Self {
        let (files, warnings) = (WrittenFiles::new(bounds), Warnings::default());
        Self { target, pattern, url_mapping, unnamed: 0, files, warnings }
    }

    /// The folder that is the same for all objects.
    pub(super) fn folder(&self) -> &Path {
        self.target.folder()
    }

    /// The warnings of this run.
    pub(super) fn warnings(&mut self) -> &mut Warnings {
        &mut self.warnings
    }

    /// Makes a file of an object.
    pub(super) fn write(&mut self, buffer: &gst::BufferRef, meta: &ObjectMeta) -> Result<Written, NotWritten> {
        let path = self.path_of(meta)?;
        let bytes = ObjectBytes::of(buffer, meta).map_err(NotWritten::Read)?;
        let is_linked = match bytes.unnamed_file() {
            Some(file) => self.target.link(&path, file)?,
            None => false,
        };
        if !is_linked {
            self.target.write(&path, |file| bytes.write_to(file))?;
        }
        let location = meta.content_location.as_deref().unwrap_or_default();
        let (size, origin) = (bytes.length(), Origin { tsi: meta.tsi, source: meta.source });
        let replaced = self.files.insert(path.clone(), location, origin, size, Instant::now());
        let full_path = self.target.full_path(&path);
        if media_type::is_manifest(meta.content_type.as_deref(), location) {
            self.read_manifest(path, &full_path);
        }
        Ok(Written { path: full_path, size, is_linked, origin, replaced })
    }

    /// Takes note that an object is not announced any more.
    pub(super) fn withdraw(&mut self, removal: &ObjectRemoval) {
        let origin = Origin { tsi: removal.tsi, source: removal.source };
        self.files.withdraw(&removal.content_location, origin, Instant::now());
    }

    /// Deletes what is to be deleted by now.
    pub(super) fn delete_due(&mut self, now: Instant) -> Vec<Deleted> {
        let due = self.files.take_due(now).into_iter();
        due.map(|(path, reason)| Deleted {
            path: self.target.full_path(&path),
            reason,
            error: self.target.remove(&path).err(),
        })
        .collect()
    }

    /// When there will be something to delete, if nothing more is written.
    pub(super) fn next_deletion(&self) -> Option<Instant> {
        self.files.next_due()
    }

    fn path_of(&mut self, meta: &ObjectMeta) -> Result<RelativePath, Refusal> {
        let path = match meta.content_location.as_deref() {
            None | Some("") => {
                let number = self.unnamed;
                self.unnamed += 1;
                RelativePath::of_unnamed(number)
            }
            Some(location) => RelativePath::of_location(location, self.url_mapping, self.target.max_name())?,
        };
        path.below(self.pattern.names_for(meta))
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
