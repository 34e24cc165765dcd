// SPDX-License-Identifier: MPL-2.0

//! From a Content-Location to a path below a folder.
//!
//! A Content-Location is a URI reference that the sender wrote, who is not trusted. What comes out here is a list of plain
//! names, each of which is neither empty nor `.` nor `..` and has no separator in it, or a refusal.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

/// Bytes of one name in a folder, where the file system does not say less: NAME_MAX of Linux.
pub(super) const MAX_NAME: usize = 255;

/// Bytes of the ending of a name that is shortened, such as `.m4s`, which stays.
const MAX_ENDING: usize = 16;

/// Bytes of all names together. With the folder before them they stay below PATH_MAX of Linux, 4096.
const MAX_PATH: usize = 3072;

/// Folders within folders that one object may ask for.
const MAX_DEPTH: usize = 64;

/// What becomes of the authority of a URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UrlMapping {
    /// `http://host:8080/a/b.mp4` is `host:8080/a/b.mp4`.
    #[default]
    HostPath,
    /// `http://host:8080/a/b.mp4` is `a/b.mp4`.
    Path,
}

/// Why a Content-Location is no path below a folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It goes above the folder by `..`.
    #[error("it leaves the folder")]
    Escapes,
    /// It is a path of another system.
    #[error("it begins with a drive letter")]
    DriveLetter,
    /// A terminal or a program may do something else with it than show it.
    #[error("it contains a control character")]
    ControlCharacter,
    /// It has no name of a file.
    #[error("it names a folder and not a file")]
    Folder,
    /// It is too long for the system.
    #[error("it is longer than {MAX_PATH} bytes")]
    PathTooLong,
    /// It is too deep to be walked.
    #[error("it is deeper than {MAX_DEPTH} folders")]
    TooDeep,
}

/// A path below a folder: at least one name, the last of which is that of the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RelativePath {
    names: Vec<String>,
}

impl RelativePath {
    /// Where the object with this Content-Location goes.
    ///
    /// Percent-encoded characters are decoded, once, except what would change the structure of the path: an encoded
    /// separator stays encoded. Backslashes are separators, since they are on some systems. A query or fragment is
    /// part of the file's name, since objects may differ in nothing else. Names of more than `max_name` bytes are
    /// shortened.
    pub fn of_location(location: &str, mapping: UrlMapping, max_name: usize) -> Result<Self, Refusal> {
        if location.chars().any(char::is_control) {
            return Err(Refusal::ControlCharacter);
        }
        let (root, path) = split_authority(location, mapping)?;
        let (path, suffix) = split_suffix(path);
        let mut names = Vec::new();
        for segment in path.split(['/', '\\']) {
            let name = decode(segment);
            match name.as_ref() {
                "" | "." => (),
                // RFC 3986 §5.2.4 would stay at the root; a sender that goes above it is not to be trusted further.
                ".." => {
                    names.pop().ok_or(Refusal::Escapes)?;
                }
                name => names.push(name.to_owned()),
            }
        }
        let last = path.rsplit(['/', '\\']).next().map(decode);
        if names.is_empty() || matches!(last.as_deref(), None | Some("" | "." | "..")) {
            return Err(Refusal::Folder);
        }
        if let Some(name) = names.last_mut() {
            name.push_str(&suffix.replace('/', "%2F").replace('\\', "%5C"));
        }
        if let Some(root) = root {
            names.insert(0, root);
        }
        Self::of_names(names.into_iter().map(|name| shortened(name, max_name)).collect())
    }

    /// The path of an object that has no Content-Location.
    pub fn of_unnamed(number: u64) -> Self {
        Self { names: vec![format!("object-{number:05}")] }
    }

    /// The same path below further folders.
    pub fn below(self, mut folders: Vec<String>) -> Result<Self, Refusal> {
        folders.extend(self.names);
        Self::of_names(folders)
    }

    fn of_names(names: Vec<String>) -> Result<Self, Refusal> {
        if names.iter().map(|name| name.len() + 1).sum::<usize>() > MAX_PATH {
            return Err(Refusal::PathTooLong);
        }
        if names.len() > MAX_DEPTH {
            return Err(Refusal::TooDeep);
        }
        Ok(Self { names })
    }

    /// The names of the folders, from the outermost, and that of the file.
    pub fn split(&self) -> (&[String], &str) {
        let (file, folders) = self.names.split_last().expect("there is at least one name");
        (folders, file)
    }
}

/// A name that is too long for the file system, cut to fit. What is cut off is replaced by a hash of the whole name, so
/// that it is the same each time and different from those of other names; the ending stays.
fn shortened(name: String, max_name: usize) -> String {
    if name.len() <= max_name {
        return name;
    }
    let (path, _) = split_suffix(&name);
    let ending =
        path.rfind('.').map(|dot| &path[dot..]).filter(|ending| ending.len() <= MAX_ENDING).unwrap_or_default();
    let hash: String = Sha256::digest(&name)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let tail = format!("~{hash}{ending}");
    let head = &name[..name.floor_char_boundary(max_name.saturating_sub(tail.len()))];
    format!("{head}{tail}")
}

/// Takes the scheme and the authority off a URL: what is left is a path, and the folder that stands for the authority.
fn split_authority(location: &str, mapping: UrlMapping) -> Result<(Option<String>, &str), Refusal> {
    let Some((scheme, rest)) = split_scheme(location) else {
        // A network-path reference, `//host/path` (RFC 3986 §4.2).
        return Ok(match location.strip_prefix("//") {
            Some(rest) => host_and_path(rest, mapping),
            None => (None, location),
        });
    };
    if scheme.len() == 1 {
        return Err(Refusal::DriveLetter);
    }
    if let Some(rest) = rest.strip_prefix("//") {
        return Ok(host_and_path(rest, mapping));
    }
    // `file:/path` has an empty authority; `tag:authority,date:a/b` and `urn:…` are names, of which the part before the
    // first slash plays the host.
    Ok(match (mapping, rest.split_once('/')) {
        (_, Some(("", path))) => (None, path),
        (UrlMapping::Path, Some((_, path))) => (None, path),
        (UrlMapping::HostPath, Some((authority, path))) => (folder_name(&format!("{scheme}:{authority}")), path),
        (_, None) => (None, location),
    })
}

fn split_scheme(location: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = location.split_once(':')?;
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    valid.then_some((scheme, rest))
}

/// `user@host:port/path` without its user.
fn host_and_path(rest: &str, mapping: UrlMapping) -> (Option<String>, &str) {
    let (authority, path) = match rest.find(['/', '\\', '?', '#']) {
        Some(end) => rest.split_at(end),
        None => (rest, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let folder = match mapping {
        UrlMapping::HostPath => folder_name(&host.to_ascii_lowercase()),
        UrlMapping::Path => None,
    };
    (folder, path)
}

/// An authority as the name of a folder, or `None` where it is empty or would be another folder.
fn folder_name(authority: &str) -> Option<String> {
    let name = decode(authority);
    (!matches!(name.as_ref(), "" | "." | "..") && !name.contains(['/', '\\'])).then(|| name.into_owned())
}

/// A path, and its query and fragment.
fn split_suffix(path: &str) -> (&str, &str) {
    path.split_at(path.find(['?', '#']).unwrap_or(path.len()))
}

/// Decodes percent-encoded characters, unless what comes out has a separator, a control character or no meaning.
fn decode(segment: &str) -> Cow<'_, str> {
    match percent_decode_str(segment).decode_utf8() {
        Ok(name) if !name.contains(|c: char| c == '/' || c == '\\' || c.is_control()) => name,
        _ => Cow::Borrowed(segment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_path(location: &str) -> Result<String, Refusal> {
        RelativePath::of_location(location, UrlMapping::HostPath, MAX_NAME).map(|path| path.names.join("|"))
    }

    fn path_only(location: &str) -> Result<String, Refusal> {
        RelativePath::of_location(location, UrlMapping::Path, MAX_NAME).map(|path| path.names.join("|"))
    }

    #[test]
    fn plain_paths() {
        assert_eq!(host_path("movie.mp4").unwrap(), "movie.mp4");
        assert_eq!(host_path("a/b/c.m4s").unwrap(), "a|b|c.m4s");
        assert_eq!(host_path("./a//b/./c").unwrap(), "a|b|c");
        assert_eq!(host_path(".hidden").unwrap(), ".hidden");
        assert_eq!(host_path("100%.txt").unwrap(), "100%.txt");
        assert_eq!(host_path("grüße/日本.txt").unwrap(), "grüße|日本.txt");
        assert_eq!(host_path("a:b").unwrap_err(), Refusal::DriveLetter);
    }

    #[test]
    fn urls() {
        assert_eq!(host_path("http://Example.com:80/a/b.mpd").unwrap(), "example.com:80|a|b.mpd");
        assert_eq!(path_only("http://example.com:80/a/b.mpd").unwrap(), "a|b.mpd");
        assert_eq!(host_path("http://user:secret@h/x").unwrap(), "h|x");
        assert_eq!(host_path("//h/x").unwrap(), "h|x");
        assert_eq!(path_only("//h/x").unwrap(), "x");
        assert_eq!(host_path("http://h").unwrap_err(), Refusal::Folder);
        assert_eq!(host_path("http://h/").unwrap_err(), Refusal::Folder);
        assert_eq!(host_path("http://h/dir/").unwrap_err(), Refusal::Folder);
        assert_eq!(host_path("http://../etc/passwd").unwrap(), "etc|passwd");
        assert_eq!(host_path("http://%2e%2e/etc/passwd").unwrap(), "etc|passwd");
        assert_eq!(host_path("http://..%2f..%2f/etc/passwd").unwrap(), "..%2f..%2f|etc|passwd");
        assert_eq!(host_path("file:///etc/passwd").unwrap(), "etc|passwd");
        assert_eq!(host_path("file:/etc/passwd").unwrap(), "etc|passwd");
        assert_eq!(path_only("file://h/etc/passwd").unwrap(), "etc|passwd");
    }

    #[test]
    fn names_without_authority() {
        let tag = "tag:mabr.gpac.io.2025.services.1/a/init.mp4";
        assert_eq!(host_path(tag).unwrap(), "tag:mabr.gpac.io.2025.services.1|a|init.mp4");
        assert_eq!(path_only(tag).unwrap(), "a|init.mp4");
        assert_eq!(host_path("urn:dvb:metadata:cs:2021").unwrap(), "urn:dvb:metadata:cs:2021");
        assert_eq!(path_only("urn:dvb:metadata:cs:2021").unwrap(), "urn:dvb:metadata:cs:2021");
    }

    #[test]
    fn queries_and_fragments_are_part_of_the_name() {
        assert_eq!(host_path("http://h/s.m4s?t=1").unwrap(), "h|s.m4s?t=1");
        assert_eq!(host_path("s.m4s#4096").unwrap(), "s.m4s#4096");
        assert_eq!(host_path("s?u=/../../x\\y").unwrap(), "s?u=%2F..%2F..%2Fx%5Cy");
        assert_eq!(host_path("?x").unwrap_err(), Refusal::Folder);
    }

    #[test]
    fn nothing_leaves_the_folder() {
        assert_eq!(host_path("/etc/passwd").unwrap(), "etc|passwd");
        assert_eq!(host_path("a/../b").unwrap(), "b");
        for location in [
            "..",
            "../x",
            "a/../../x",
            "/../x",
            "..\\x",
            "a\\..\\..\\x",
            "%2e%2e/x",
            "%2E./x",
            "http://h/../x",
            "http://h/a/../../x",
            "file:///../x",
            "tag:a/../x",
        ] {
            assert_eq!(host_path(location).unwrap_err(), Refusal::Escapes, "{location}");
            assert_eq!(path_only(location).unwrap_err(), Refusal::Escapes, "{location}");
        }
        for location in ["a/..", ".", "", "/", "a/", "a/."] {
            assert_eq!(host_path(location).unwrap_err(), Refusal::Folder, "{location}");
        }
        for location in ["C:\\windows\\x", "c:/x", "C:x"] {
            assert_eq!(host_path(location).unwrap_err(), Refusal::DriveLetter, "{location}");
        }
        for location in ["a\0b", "a\nb", "\u{7f}"] {
            assert_eq!(host_path(location).unwrap_err(), Refusal::ControlCharacter, "{location}");
        }
    }

    #[test]
    fn encoded_characters_are_decoded_once() {
        assert_eq!(host_path("my%20file.mp4").unwrap(), "my file.mp4");
        assert_eq!(host_path("%C3%BC").unwrap(), "ü");
        assert_eq!(host_path("a%2Fb").unwrap(), "a%2Fb");
        assert_eq!(host_path("..%2F..%2Fx").unwrap(), "..%2F..%2Fx");
        assert_eq!(host_path("..%5c..%5cx").unwrap(), "..%5c..%5cx");
        assert_eq!(host_path("a%00b").unwrap(), "a%00b");
        assert_eq!(host_path("%252e%252e/x").unwrap(), "%2e%2e|x");
        assert_eq!(host_path("%ff").unwrap(), "%ff");
    }

    #[test]
    fn bounds() {
        assert!(host_path(&"a".repeat(255)).is_ok());
        assert_eq!(host_path(&"a/".repeat(2048)).unwrap_err(), Refusal::Folder);
        assert_eq!(host_path(&format!("{}x", "a/".repeat(2048))).unwrap_err(), Refusal::PathTooLong);
        assert_eq!(host_path(&format!("{}x", "a/".repeat(64))).unwrap_err(), Refusal::TooDeep);
        assert!(host_path(&format!("{}x", "a/".repeat(63))).is_ok());
    }

    #[test]
    fn long_names_are_shortened_in_a_stable_way() {
        let short = |name: &str| host_path(name).unwrap();
        let long = short(&"a".repeat(256));
        assert_eq!(long, format!("{}~02d7160d77e18c64", "a".repeat(238)));
        assert_eq!(long.len(), MAX_NAME);
        assert_ne!(long, short(&"a".repeat(257)));
        // Characters stay whole.
        let umlauts = short(&"ü".repeat(128));
        assert!(umlauts.starts_with(&"ü".repeat(119)) && umlauts.len() == MAX_NAME, "{umlauts}");
        // The ending of a signed URL is before its query.
        let signed = format!("http://cdn/live/seg_1.m4s?Policy={}&Key=x.y", "p".repeat(600));
        let file = short(&signed);
        assert!(file.starts_with("cdn|live|seg_1.m4s?Policy=ppp") && file.ends_with(".m4s"), "{file}");
        assert!(host_path(&format!("{}/x", "f".repeat(300))).is_ok());
        let of_small_system = RelativePath::of_location(&"a".repeat(200), UrlMapping::Path, 143).unwrap();
        assert_eq!(of_small_system.split().1.len(), 143);
    }
}
