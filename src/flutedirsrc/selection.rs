// SPDX-License-Identifier: MPL-2.0

//! Which files a `location` means.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use flute_proto::content_location;
use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use crate::media_type;

/// Files of a folder. Their paths are relative to it.
#[derive(Debug)]
pub(super) struct Selection {
    folder: PathBuf,
    files: Files,
    recursive: bool,
    ignored: GlobSet,
}

#[derive(Debug)]
enum Files {
    /// All of them.
    All,
    /// This one, whatever it is called.
    One(OsString),
    /// Those whose paths match.
    Matching(GlobMatcher),
}

/// Why a location means nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum LocationError {
    #[error("no location: set it to a folder, a file, or a pattern such as video/*.m4s")]
    Unset,
    #[error("there is no file or folder {0}")]
    NotFound(String),
    #[error("{path}: {error}")]
    Io { path: String, error: io::Error },
    #[error("{path} is neither a file nor a folder")]
    NoFile { path: String },
    #[error("{pattern} is no pattern of file names: {error}")]
    Pattern { pattern: String, error: globset::Error },
    #[error("no file matches {0}")]
    NoMatch(String),
}

impl Selection {
    /// What a folder, a file or a pattern means. `ignored` are patterns of names, separated by commas.
    pub(super) fn new(location: &str, recursive: bool, ignored: &str) -> Result<Self, LocationError> {
        if location.is_empty() {
            return Err(LocationError::Unset);
        }
        let path = Path::new(location);
        let (folder, files) = match path.metadata() {
            Ok(metadata) if metadata.is_dir() => (path.to_owned(), Files::All),
            Ok(metadata) if metadata.is_file() => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let name = path.file_name().unwrap_or_default().to_owned();
                (folder.unwrap_or(Path::new(".")).to_owned(), Files::One(name))
            }
            Ok(_) => return Err(LocationError::NoFile { path: location.to_owned() }),
            Err(_) if is_pattern(location) => {
                let (folder, pattern) = split_pattern(location)?;
                (folder, Files::Matching(pattern))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LocationError::NotFound(location.to_owned()));
            }
            Err(error) => return Err(LocationError::Io { path: location.to_owned(), error }),
        };
        Ok(Self { folder, files, recursive, ignored: names(ignored)? })
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file, if it was named.
    pub(super) fn one_file(&self) -> Option<&Path> {
        match &self.files {
            Files::One(name) => Some(Path::new(name)),
            Files::All | Files::Matching(_) => None,
        }
    }

    /// The pattern, if it is one.
    pub(super) fn pattern(&self) -> Option<PathBuf> {
        match &self.files {
            Files::Matching(pattern) => Some(self.folder.join(pattern.glob().glob())),
            Files::All | Files::One(_) => None,
        }
    }

    /// Whether what is in the folders of the folder belongs to it.
    pub(super) fn is_recursive(&self) -> bool {
        self.recursive && self.one_file().is_none()
    }

    /// Whether what is in this folder may belong to it.
    pub(super) fn takes_folder(&self, path: &Path) -> bool {
        self.is_recursive() && !self.ignores(path)
    }

    /// Whether this file belongs to it. Its folder is one that does.
    pub(super) fn takes_file(&self, path: &Path) -> bool {
        match &self.files {
            Files::All => !self.ignores(path),
            Files::One(name) => path == Path::new(name),
            Files::Matching(pattern) => pattern.is_match(path) && !self.ignores(path),
        }
    }

    fn ignores(&self, path: &Path) -> bool {
        self.ignored.is_match(path.file_name().unwrap_or_default())
    }
}

/// The Content-Location of a file, relative to the folder.
pub(super) fn name(path: &Path) -> String {
    content_location::of_file_path(path)
}

/// Whether a file names others that must be there before it.
pub(super) fn is_manifest(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| media_type::is_manifest(None, name))
}

fn is_pattern(location: &str) -> bool {
    location.contains(['*', '?', '[', '{'])
}

/// The folder in front of the first component with a wildcard, and what its files must match.
fn split_pattern(location: &str) -> Result<(PathBuf, GlobMatcher), LocationError> {
    let start = location.find(['*', '?', '[', '{']).unwrap_or(0);
    let (folder, pattern) = match location[..start].rfind('/') {
        Some(slash) => (&location[..=slash], &location[slash + 1..]),
        None => (".", location),
    };
    let glob = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| LocationError::Pattern { pattern: location.to_owned(), error })?;
    Ok((PathBuf::from(folder), glob.compile_matcher()))
}

fn names(patterns: &str) -> Result<GlobSet, LocationError> {
    let wrong = |error| LocationError::Pattern { pattern: patterns.to_owned(), error };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
        set.add(Glob::new(pattern).map_err(wrong)?);
    }
    set.build().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let location = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let takes = |selection: &Selection, path: &str| selection.takes_file(Path::new(path));
        let all = Selection::new(&location(""), true, ".*, *.tmp").unwrap();
        assert!(takes(&all, "a") && takes(&all, "b/c.tmp.mpd"));
        assert!(!takes(&all, ".a") && !takes(&all, "b/.a") && !takes(&all, "b/live.mpd.tmp"));
        assert!(all.takes_folder(Path::new("b")) && !all.takes_folder(Path::new("b/.cache")));
        let pattern = Selection::new(&location("*/*.m4s"), true, ".*").unwrap();
        assert!(takes(&pattern, "video/1.m4s"));
        assert!(!takes(&pattern, "1.m4s") && !takes(&pattern, "a/b/1.m4s") && !takes(&pattern, "video/.1.m4s"));
        let flat = Selection::new(&location("*.m4s"), false, "").unwrap();
        assert!(takes(&flat, ".1.m4s") && !flat.takes_folder(Path::new("video")));
        std::fs::write(folder.path().join(".one.tmp"), "").unwrap();
        let one = Selection::new(&location(".one.tmp"), true, ".*,*.tmp").unwrap();
        assert!(takes(&one, ".one.tmp") && !takes(&one, "two") && !one.takes_folder(Path::new("b")));
        assert_eq!(one.folder(), folder.path());
    }

    #[test]
    fn patterns_of_names_can_be_wrong() {
        let wrong = Selection::new("/", true, "[").unwrap_err().to_string();
        assert!(wrong.starts_with("[ is no pattern of file names"), "{wrong}");
    }

    #[test]
    fn manifests() {
        for (path, expected) in [("live.mpd", true), ("a/b.m3u8", true), ("seg.m4s", false), ("mpd", false)] {
            assert_eq!(is_manifest(Path::new(path)), expected, "{path}");
        }
    }
}
