// SPDX-License-Identifier: MPL-2.0

//! The files that are there.

use std::path::PathBuf;

use walkdir::WalkDir;

use super::selection::{self, LocationError, Selection};

/// A file to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Where it is, relative to the folder.
    pub relative: PathBuf,
    /// Content-Location, relative to the folder.
    pub name: String,
}

/// What there is of a selection.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The files, in the order in which they are sent.
    pub files: Vec<FoundFile>,
    /// What could not be looked at, and why.
    pub unreadable: Vec<String>,
}

/// Finds the files of a selection. They come in the order of their names, on request with manifests after all others, so
/// that no receiver hears of a segment before it can have it.
pub fn find(selection: &Selection, manifests_last: bool) -> Result<Found, LocationError> {
    let mut found = match selection.one_file() {
        Some(path) => {
            let file = FoundFile { relative: path.to_owned(), name: selection::name(path) };
            Found { files: vec![file], unreadable: Vec::new() }
        }
        None => walk(selection),
    };
    if let Some(pattern) = selection.pattern()
        && found.files.is_empty()
        && found.unreadable.is_empty()
    {
        return Err(LocationError::NoMatch(pattern.display().to_string()));
    }
    if manifests_last {
        // The sort is stable: the names stay in order on both sides.
        found.files.sort_by_key(|file| selection::is_manifest(&file.relative));
    }
    Ok(found)
}

fn walk(selection: &Selection) -> Found {
    let mut found = Found::default();
    let folder = selection.folder();
    let depth = if selection.is_recursive() { usize::MAX } else { 1 };
    // A link that leads back to a folder above it is reported by walkdir.
    let entries = WalkDir::new(folder).follow_links(selection.follows_links()).min_depth(1).max_depth(depth);
    let mut entries = entries.sort_by_file_name().into_iter();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.unreadable.push(error.to_string());
                continue;
            }
        };
        let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let is_folder = entry.file_type().is_dir();
        let is_taken = if is_folder { selection.takes_folder(relative) } else { selection.takes_file(relative) };
        let checked = if is_taken && entry.path_is_symlink() { selection.check_links(relative) } else { Ok(()) };
        if is_folder {
            if !is_taken || checked.is_err() {
                entries.skip_current_dir();
            }
        } else if is_taken && checked.is_ok() {
            if entry.file_type().is_file() {
                found.files.push(FoundFile { relative: relative.to_owned(), name: selection::name(relative) });
            } else {
                found.unreadable.push(format!("{} is no regular file", entry.path().display()));
            }
        }
        if let Err(error) = checked {
            found.unreadable.push(format!("{}: {error}", entry.path().display()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::selection::Rules;
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
        let rules = Rules { recursive, ..Rules::default() };
        let selection = Selection::new(location.to_str().unwrap(), rules, "").unwrap();
        let found = find(&selection, manifests_last).unwrap();
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
        let found = |location: &str| find(&Selection::new(location, Rules::default(), "")?, true);
        let wrong = |name: &str| found(folder.path().join(name).to_str().unwrap()).unwrap_err().to_string();
        assert!(wrong("none").starts_with("there is no file or folder"));
        assert!(wrong("*.none").starts_with("no file matches"));
        assert!(wrong("a/[").contains("is no pattern"));
        assert!(matches!(found(""), Err(LocationError::Unset)));
        assert!(matches!(found("/dev/null"), Err(LocationError::NoFile { .. })));
    }

    #[test]
    fn what_cannot_be_read_does_not_keep_the_others() {
        let folder = presentation();
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
        std::os::unix::fs::symlink("..", folder.path().join("a/loop")).unwrap();
        let selection = Selection::new(folder.path().to_str().unwrap(), Rules::default(), "").unwrap();
        let found = find(&selection, true).unwrap();
        assert_eq!(found.files.len(), 6);
        assert_eq!(found.unreadable.len(), 2, "{:?}", found.unreadable);
    }

    #[test]
    fn hidden_files_and_links_out_of_the_folder_are_not_sent() {
        use std::os::unix::fs::symlink;

        let (folder, outside) = (presentation(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("secret"), "").unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        for hidden in [".hidden", ".git/config", "a/.swp"] {
            fs::write(folder.path().join(hidden), "").unwrap();
        }
        symlink(outside.path(), folder.path().join("far")).unwrap();
        symlink(outside.path().join("secret"), folder.path().join("out")).unwrap();
        symlink("b", folder.path().join("c")).unwrap();
        let selection = Selection::new(folder.path().to_str().unwrap(), Rules::default(), "").unwrap();
        let found = find(&selection, false).unwrap();
        let names: Vec<_> = found.files.iter().map(|file| file.name.as_str()).collect();
        let b = ["b/seg%201.m4s", "b/seg%202.m4s", "c/seg%201.m4s", "c/seg%202.m4s"];
        assert_eq!(names, [&["a/1.ts", "a/deep/2.ts"], &b[..], &["live.mpd", "z.txt"]].concat());
        assert_eq!(found.unreadable.len(), 2, "{:?}", found.unreadable);
        assert!(found.unreadable.iter().all(|text| text.contains("leads out of the folder")), "{:?}", found.unreadable);
    }
}
