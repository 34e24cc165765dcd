// SPDX-License-Identifier: MPL-2.0

//! Which files a `location` means.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use flute_proto::content_location;
use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use rustix::fs::OFlags;

/// Which symbolic links are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FollowLinks {
    /// None.
    None,
    /// Those to what is in the folder, and not hidden.
    #[default]
    Inside,
    /// All of them, also out of the folder: what they lead to is sent to every receiver.
    All,
}

/// What is sent of a folder, whatever its files are called.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What is in the folders of the folder is sent too.
    pub recursive: bool,
    /// Files and folders whose names begin with a dot are sent too.
    pub hidden: bool,
    /// Which links are followed.
    pub follow_links: FollowLinks,
}

impl Default for Rules {
    fn default() -> Self {
        Self { recursive: true, hidden: false, follow_links: FollowLinks::default() }
    }
}

/// Files of a folder. Their paths are relative to it.
#[derive(Debug)]
pub struct Selection {
    folder: PathBuf,
    files: Files,
    rules: Rules,
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
pub enum LocationError {
    /// None is named.
    #[error("no location: set it to a folder, a file, or a pattern such as video/*.m4s")]
    Unset,
    /// There is nothing of this name.
    #[error("there is no file or folder {0}")]
    NotFound(String),
    /// The system does not tell what it is.
    #[error("{path}: {error}")]
    Io {
        /// The location.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// It is something else, such as a device.
    #[error("{path} is neither a file nor a folder")]
    NoFile {
        /// The location.
        path: String,
    },
    /// A pattern is wrong.
    #[error("{pattern} is no pattern of file names: {error}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        error: globset::Error,
    },
    /// There is no file that the pattern matches.
    #[error("no file matches {0}")]
    NoMatch(String),
}

impl Selection {
    /// What a folder, a file or a pattern means. `ignored` are patterns of names, separated by commas.
    pub fn new(location: &str, rules: Rules, ignored: &str) -> Result<Self, LocationError> {
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
        Ok(Self { folder, files, rules, ignored: names(ignored)? })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file, if it was named.
    pub fn one_file(&self) -> Option<&Path> {
        match &self.files {
            Files::One(name) => Some(Path::new(name)),
            Files::All | Files::Matching(_) => None,
        }
    }

    /// The pattern, if it is one.
    pub fn pattern(&self) -> Option<PathBuf> {
        match &self.files {
            Files::Matching(pattern) => Some(self.folder.join(pattern.glob().glob())),
            Files::All | Files::One(_) => None,
        }
    }

    /// Whether what is in the folders of the folder belongs to it.
    pub fn is_recursive(&self) -> bool {
        self.rules.recursive && self.one_file().is_none()
    }

    /// Whether links are followed at all.
    pub fn follows_links(&self) -> bool {
        self.rules.follow_links != FollowLinks::None
    }

    /// Whether what is in this folder may belong to it.
    pub fn takes_folder(&self, path: &Path) -> bool {
        self.is_recursive() && !self.ignores(path)
    }

    /// Whether this file belongs to it. Its folder is one that does.
    pub fn takes_file(&self, path: &Path) -> bool {
        match &self.files {
            Files::All => !self.ignores(path),
            Files::One(name) => path == Path::new(name),
            Files::Matching(pattern) => pattern.is_match(path) && !self.ignores(path),
        }
    }

    fn ignores(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default();
        self.ignored.is_match(name) || !self.rules.hidden && is_hidden(name)
    }

    /// Opens a file, unless a link on the way to it must not be followed. What was opened is looked at, not what the path
    /// led to before, so that a link that comes in between changes nothing.
    pub fn open(&self, relative: &Path) -> io::Result<(File, Metadata)> {
        let path = self.folder.join(relative);
        // The open of a pipe would wait for a writer.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&path)?;
        if self.one_file().is_none() {
            let opened = Path::new("/proc/self/fd").join(file.as_raw_fd().to_string());
            self.check_target(relative, &opened.read_link().or_else(|_| path.canonicalize())?)?;
        }
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok((file, metadata))
    }

    /// Whether what is at a path may be sent, by the links on the way to it.
    pub fn check_links(&self, relative: &Path) -> io::Result<()> {
        self.check_target(relative, &self.folder.join(relative).canonicalize()?)
    }

    /// Whether a path may lead to this target, which has no links in it.
    fn check_target(&self, relative: &Path, target: &Path) -> io::Result<()> {
        if self.rules.follow_links == FollowLinks::All {
            return Ok(());
        }
        let folder = self.folder.canonicalize()?;
        let Ok(inside) = target.strip_prefix(&folder) else {
            return Err(io::Error::other("the link leads out of the folder: set follow-links=all if that is meant"));
        };
        if inside == relative {
            return Ok(());
        }
        if !self.follows_links() {
            return Err(io::Error::other("it is a link, and follow-links is none"));
        }
        let mut names = inside.components();
        if !self.rules.hidden && names.any(|name| matches!(name, Component::Normal(name) if is_hidden(name))) {
            return Err(io::Error::other("the link leads to a hidden file: set hidden=true if that is meant"));
        }
        Ok(())
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

/// The Content-Location of a file, relative to the folder.
pub(super) fn name(path: &Path) -> String {
    content_location::of_file_path(path)
}

/// What is to be told of a file that receivers cannot give the same name: its Content-Location `name` has every byte of it,
/// but they do not write names with control characters, or that are not text.
pub fn other_name(path: &Path, relative: &Path, name: &str) -> Option<String> {
    let is_plain = relative.to_str().is_some_and(|text| !text.chars().any(char::is_control));
    (!is_plain).then(|| {
        let reason = "its name has control characters or is not UTF-8";
        format!("{} arrives as {name}: {reason}; rename it", path.display())
    })
}

/// Whether a file names others that must be there before it.
pub(super) fn is_manifest(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| flute_media::is_manifest(None, name))
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
        let rules = Rules::default();
        let all = Selection::new(&location(""), rules, "*.tmp").unwrap();
        assert!(takes(&all, "a") && takes(&all, "b/c.tmp.mpd"));
        assert!(!takes(&all, ".a") && !takes(&all, "b/.a") && !takes(&all, "b/live.mpd.tmp"));
        assert!(all.takes_folder(Path::new("b")) && !all.takes_folder(Path::new("b/.cache")));
        let pattern = Selection::new(&location("*/*.m4s"), rules, "").unwrap();
        assert!(takes(&pattern, "video/1.m4s"));
        assert!(!takes(&pattern, "1.m4s") && !takes(&pattern, "a/b/1.m4s") && !takes(&pattern, "video/.1.m4s"));
        let flat = Selection::new(&location("*.m4s"), Rules { recursive: false, hidden: true, ..rules }, "").unwrap();
        assert!(takes(&flat, ".1.m4s") && !flat.takes_folder(Path::new("video")));
        std::fs::write(folder.path().join(".one.tmp"), "").unwrap();
        let one = Selection::new(&location(".one.tmp"), rules, "*.tmp").unwrap();
        assert!(takes(&one, ".one.tmp") && !takes(&one, "two") && !one.takes_folder(Path::new("b")));
        assert_eq!(one.folder(), folder.path());
    }

    #[test]
    fn patterns_of_names_can_be_wrong() {
        let wrong = Selection::new("/", Rules::default(), "[").unwrap_err().to_string();
        assert!(wrong.starts_with("[ is no pattern of file names"), "{wrong}");
    }

    #[test]
    fn links_that_are_followed() {
        use std::os::unix::fs::symlink;

        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        for path in [at("file"), at("sub/file"), at(".hidden"), outside.path().join("secret")] {
            std::fs::write(path, "").unwrap();
        }
        symlink("file", at("inside")).unwrap();
        symlink("sub", at("folder")).unwrap();
        symlink(".hidden", at("to-hidden")).unwrap();
        symlink(outside.path().join("secret"), at("out")).unwrap();
        symlink(outside.path(), at("far")).unwrap();
        let opened = |follow_links, hidden| {
            let rules = Rules { follow_links, hidden, ..Rules::default() };
            let selection = Selection::new(folder.path().to_str().unwrap(), rules, "").unwrap();
            let names = ["file", "sub/file", "inside", "folder/file", "to-hidden", "out", "far/secret"];
            names.into_iter().filter(|name| selection.open(Path::new(name)).is_ok()).collect::<Vec<_>>()
        };
        let inside = ["file", "sub/file", "inside", "folder/file", "to-hidden"];
        assert_eq!(opened(FollowLinks::None, true), inside[..2]);
        assert_eq!(opened(FollowLinks::Inside, false), inside[..4]);
        assert_eq!(opened(FollowLinks::Inside, true), inside);
        assert_eq!(opened(FollowLinks::All, false).len(), 7);
    }

    #[test]
    fn manifests() {
        for (path, expected) in [("live.mpd", true), ("a/b.m3u8", true), ("seg.m4s", false), ("mpd", false)] {
            assert_eq!(is_manifest(Path::new(path)), expected, "{path}");
        }
    }
}
