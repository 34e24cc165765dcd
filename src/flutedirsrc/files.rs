// SPDX-License-Identifier: MPL-2.0

//! Which files a `location` means, and what they are called.

use std::io;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::WalkDir;

use crate::content_location;
use crate::media_type;

/// A file to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundFile {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Content-Location, relative to the folder.
    pub(super) name: String,
}

/// What a location means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The files, in the order in which they are sent.
    pub(super) files: Vec<FoundFile>,
    /// What could not be looked at, and why.
    pub(super) unreadable: Vec<String>,
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

/// Finds the files: that of one path, those below a folder, or those that match a pattern. They come in the order of
/// their names, on request with manifests after all others, so that no receiver hears of a segment before it can have it.
pub(super) fn find(location: &str, recursive: bool, manifests_last: bool) -> Result<Found, LocationError> {
    if location.is_empty() {
        return Err(LocationError::Unset);
    }
    let path = Path::new(location);
    let mut found = match path.metadata() {
        Ok(metadata) if metadata.is_dir() => walk(path, recursive, None),
        Ok(metadata) if metadata.is_file() => {
            let name = content_location::of_path(Path::new(path.file_name().unwrap_or_default()));
            Found { files: vec![FoundFile { path: path.to_owned(), name }], unreadable: Vec::new() }
        }
        Ok(_) => return Err(LocationError::NoFile { path: location.to_owned() }),
        Err(_) if is_pattern(location) => {
            let (folder, matcher) = split_pattern(location)?;
            let found = walk(&folder, recursive, Some(&matcher));
            if found.files.is_empty() && found.unreadable.is_empty() {
                return Err(LocationError::NoMatch(location.to_owned()));
            }
            found
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(LocationError::NotFound(location.to_owned()));
        }
        Err(error) => return Err(LocationError::Io { path: location.to_owned(), error }),
    };
    if manifests_last {
        // The sort is stable: the names stay in order on both sides.
        found.files.sort_by_key(|file| is_manifest(&file.name));
    }
    Ok(found)
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

fn walk(folder: &Path, recursive: bool, matcher: Option<&GlobMatcher>) -> Found {
    let mut found = Found::default();
    let depth = if recursive { usize::MAX } else { 1 };
    // A link to a folder is followed; walkdir reports one that leads back to where it came from.
    for entry in WalkDir::new(folder).follow_links(true).max_depth(depth).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.unreadable.push(error.to_string());
                continue;
            }
        };
        let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        if entry.file_type().is_dir() || matcher.is_some_and(|matcher| !matcher.is_match(relative)) {
            continue;
        }
        if !entry.file_type().is_file() {
            found.unreadable.push(format!("{} is no regular file", entry.path().display()));
            continue;
        }
        let name = content_location::of_path(relative);
        found.files.push(FoundFile { path: entry.path().to_owned(), name });
    }
    found
}

fn is_manifest(name: &str) -> bool {
    matches!(media_type::content_type_of_name(name), Some("application/dash+xml" | "application/vnd.apple.mpegurl"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn presentation() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in ["live.mpd", "b/seg 2.m4s", "b/seg 1.m4s", "a/1.ts", "a/deep/2.ts", "z.txt"] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    fn names(folder: &Path, pattern: &str, recursive: bool, manifests_last: bool) -> Vec<String> {
        let location = folder.join(pattern);
        let found = find(location.to_str().unwrap(), recursive, manifests_last).unwrap();
        assert!(found.unreadable.is_empty());
        found.files.into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn folders() {
        let folder = presentation();
        let all = ["a/1.ts", "a/deep/2.ts", "b/seg%201.m4s", "b/seg%202.m4s", "live.mpd", "z.txt"];
        assert_eq!(names(folder.path(), "", true, false), all);
        assert_eq!(names(folder.path(), "", true, true), [&all[..4], &["z.txt", "live.mpd"]].concat());
        assert_eq!(names(folder.path(), "", false, false), ["live.mpd", "z.txt"]);
    }

    #[test]
    fn one_file() {
        let folder = presentation();
        assert_eq!(names(folder.path(), "b/seg 1.m4s", true, true), ["seg%201.m4s"]);
    }

    #[test]
    fn patterns() {
        let folder = presentation();
        assert_eq!(names(folder.path(), "a/*.ts", true, true), ["1.ts"]);
        assert_eq!(names(folder.path(), "a/**/*.ts", true, true), ["1.ts", "deep/2.ts"]);
        assert_eq!(names(folder.path(), "{a,b}/*1.*", true, true), ["a/1.ts", "b/seg%201.m4s"]);
        // A name is what it is, even if it looks like a pattern.
        fs::write(folder.path().join("[1].txt"), "").unwrap();
        assert_eq!(names(folder.path(), "[1].txt", true, true), ["[1].txt".replace('[', "%5B").replace(']', "%5D")]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = presentation();
        let wrong = |name: &str| find(folder.path().join(name).to_str().unwrap(), true, true).unwrap_err().to_string();
        assert!(wrong("none").starts_with("there is no file or folder"));
        assert!(wrong("*.none").starts_with("no file matches"));
        assert!(wrong("a/[").contains("is no pattern"));
        assert!(matches!(find("", true, true), Err(LocationError::Unset)));
        assert!(matches!(find("/dev/null", true, true), Err(LocationError::NoFile { .. })));
    }

    #[test]
    fn what_cannot_be_read_does_not_keep_the_others() {
        let folder = presentation();
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
        std::os::unix::fs::symlink("..", folder.path().join("a/loop")).unwrap();
        let found = find(folder.path().to_str().unwrap(), true, true).unwrap();
        assert_eq!(found.files.len(), 6);
        assert_eq!(found.unreadable.len(), 2, "{:?}", found.unreadable);
    }
}
