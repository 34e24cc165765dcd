// SPDX-License-Identifier: MPL-2.0

//! Names of objects, so that the path of a URI finds the Content-Location that ends with it.

use percent_encoding::percent_decode_str;

/// The segments of a path, last first, without percent-encoding: names that end alike begin alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(String);

impl Name {
    /// That of a Content-Location, which is a URI reference (RFC 6726 §3.4.2). Query and fragment are no part of it.
    pub(crate) fn of_location(location: &str) -> Self {
        let end = location.find(['?', '#']).unwrap_or(location.len());
        Self::of_segments(location[..end].split('/').map(|segment| percent_decode_str(segment).decode_utf8_lossy()))
    }

    /// That of the path of a URI, which is without percent-encoding already.
    pub(crate) fn of_path(path: &str) -> Self {
        Self::of_segments(path.split('/'))
    }

    fn of_segments<S: AsRef<str>>(segments: impl Iterator<Item = S>) -> Self {
        let mut kept: Vec<S> = Vec::new();
        for segment in segments {
            match segment.as_ref() {
                "" | "." => (),
                ".." => {
                    kept.pop();
                }
                _ => kept.push(segment),
            }
        }
        let mut reversed = String::new();
        for segment in kept.iter().rev() {
            if !reversed.is_empty() {
                reversed.push('/');
            }
            reversed.push_str(segment.as_ref());
        }
        Self(reversed)
    }

    /// What every name begins with that is longer than this and ends with it.
    pub(super) fn longer(&self) -> Self {
        Self(format!("{}/", self.0))
    }

    /// Whether this begins with what [`longer`](Self::longer) gives.
    pub(super) fn is_longer(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// Whether an object of this name is meant by `path`.
    pub(super) fn is_meant_by(&self, path: &Self) -> bool {
        self.0.strip_prefix(&path.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Bytes of memory.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_meant(location: &str, path: &str) -> bool {
        Name::of_location(location).is_meant_by(&Name::of_path(path))
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
        assert_eq!(Name::of_location("%C3%BC.ts"), Name::of_path("ü.ts"));
    }
}
