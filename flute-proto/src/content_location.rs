// SPDX-License-Identifier: MPL-2.0

//! Content-Locations, which are URI references (RFC 6726 §3.4.2): how the names of files become one, and which of them the
//! path of a URI means.

use std::path::{Component, Path};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

/// The path of a Content-Location, by which an object is found.
///
/// A user who asks for `live.mpd` means the object `http://example.com/a/live.mpd` too: a path means the Content-Locations
/// that end with its segments. Percent-encoding, empty segments and dots make no difference, and query and fragment are no
/// part of it. Paths are ordered by their segments, last first, so that those that end alike are neighbours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocationPath {
    /// The segments, last first, without percent-encoding.
    reversed: String,
}

impl LocationPath {
    /// The path of a Content-Location.
    pub fn of_location(location: &str) -> Self {
        let end = location.find(['?', '#']).unwrap_or(location.len());
        Self::of_segments(location[..end].split('/').map(|segment| percent_decode_str(segment).decode_utf8_lossy()))
    }

    /// A path that is without percent-encoding already.
    pub fn of_decoded(path: &str) -> Self {
        Self::of_segments(path.split('/'))
    }

    fn of_segments<S: AsRef<str>>(segments: impl Iterator<Item = S>) -> Self {
        let mut resolved: Vec<S> = Vec::new();
        for segment in segments {
            match segment.as_ref() {
                "" | "." => (),
                ".." => {
                    resolved.pop();
                }
                _ => resolved.push(segment),
            }
        }
        let mut reversed = String::new();
        for segment in resolved.iter().rev() {
            if !reversed.is_empty() {
                reversed.push('/');
            }
            reversed.push_str(segment.as_ref());
        }
        Self { reversed }
    }

    /// Whether the object at this path is meant by `path`.
    pub fn is_meant_by(&self, path: &Self) -> bool {
        self.reversed.strip_prefix(&path.reversed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The lower bound, in the order of paths, of those that are longer than this one and are meant by it.
    pub fn longer(&self) -> Self {
        Self { reversed: format!("{}/", self.reversed) }
    }

    /// Whether this is a path at or after the bound that [`longer`](Self::longer) gave, and still meant.
    pub fn is_longer(&self, bound: &Self) -> bool {
        self.reversed.starts_with(&bound.reversed)
    }

    /// The path, without percent-encoding.
    ///
    /// ```
    /// use flute_proto::content_location::LocationPath;
    ///
    /// assert_eq!(LocationPath::of_location("a/./b%20c.mpd?x=1").to_path(), "a/b c.mpd");
    /// ```
    pub fn to_path(&self) -> String {
        self.reversed.rsplit('/').collect::<Vec<_>>().join("/")
    }

    /// Bytes of memory.
    pub fn size(&self) -> usize {
        self.reversed.len()
    }
}

/// What a segment of a path cannot contain as it is (RFC 3986 §3.3), and the colon, which would make a scheme of the
/// first one (§4.2).
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b':')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The name of a file or folder as a segment of a Content-Location. Every byte of it comes back when it is decoded.
pub fn of_file_name(name: &[u8]) -> String {
    percent_encode(name, SEGMENT).to_string()
}

/// A relative path of a file as a Content-Location; what is no name in it, such as `..`, is left out.
pub fn of_file_path(path: &Path) -> String {
    let segments = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(of_file_name(name.as_encoded_bytes())),
        _ => None,
    });
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn is_meant(location: &str, path: &str) -> bool {
        LocationPath::of_location(location).is_meant_by(&LocationPath::of_decoded(path))
    }

    #[test]
    fn paths_are_ends_of_locations() {
        for location in ["live.mpd", "a/live.mpd", "/a/live.mpd", "http://h/a/live.mpd", "http://h/a/live.mpd?v=1#x"] {
            assert!(is_meant(location, "live.mpd"), "{location}");
        }
        assert!(is_meant("http://h/a/live.mpd", "a/live.mpd"));
        assert!(is_meant("http://h/a/live.mpd", "h/a/live.mpd"));
        assert!(!is_meant("http://h/alive.mpd", "live.mpd"));
        assert!(!is_meant("live.mpd", "a/live.mpd"));
        assert!(!is_meant("live.mpd/b", "live.mpd"));
    }

    #[test]
    fn encodings_and_dots_make_no_difference() {
        assert!(is_meant("a/my%20movie.mpd", "my movie.mpd"));
        assert!(is_meant("a/my movie.mpd", "my movie.mpd"));
        assert!(is_meant("100%.ts", "100%.ts"));
        assert!(is_meant("./a/../b/./c.ts", "b/c.ts"));
        assert!(is_meant("b//c.ts", "b/c.ts"));
        assert_eq!(LocationPath::of_location("%C3%BC.ts"), LocationPath::of_decoded("ü.ts"));
    }

    #[test]
    fn paths_become_references() {
        assert_eq!(of_file_path(Path::new("video/seg 1.m4s")), "video/seg%201.m4s");
        assert_eq!(of_file_path(Path::new("a:b/ü%d.ts")), "a%3Ab/%C3%BC%25d.ts");
        assert_eq!(of_file_path(Path::new("./a//b/")), "a/b");
        assert_eq!(of_file_path(Path::new("plain_-.~!$&'()*+,;=@.txt")), "plain_-.~!$&'()*+,;=@.txt");
        assert_eq!(of_file_path(Path::new(OsStr::from_bytes(b"not\xffutf8"))), "not%FFutf8");
    }
}
