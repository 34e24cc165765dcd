// SPDX-License-Identifier: MPL-2.0

//! From names of files to Content-Locations, which are URI references (RFC 6726 §3.4.2).

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

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

/// One name as a segment of a path.
pub(crate) fn of_name(name: &[u8]) -> String {
    percent_encode(name, SEGMENT).to_string()
}

/// A relative path as a relative reference.
pub(crate) fn of_path(path: &Path) -> String {
    let segments = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(of_name(name.as_bytes())),
        _ => None,
    });
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(of_path(Path::new("video/seg 1.m4s")), "video/seg%201.m4s");
        assert_eq!(of_path(Path::new("a:b/ü%d.ts")), "a%3Ab/%C3%BC%25d.ts");
        assert_eq!(of_path(Path::new("./a//b/")), "a/b");
        assert_eq!(of_path(Path::new("plain_-.~!$&'()*+,;=@.txt")), "plain_-.~!$&'()*+,;=@.txt");
        assert_eq!(of_path(Path::new(OsStr::from_bytes(b"not\xffutf8"))), "not%FFutf8");
    }
}
