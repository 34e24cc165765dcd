// SPDX-License-Identifier: MPL-2.0

//! Answers with several ranges: `multipart/byteranges` (RFC 9110 §14.6, RFC 2046 §5.1).

use std::io::{self, BufRead};

use super::byte_ranges::ContentRange;

/// Bytes of the lines between two parts.
const MAX_HEADER: usize = 8 << 10;

/// The boundary in a Content-Type of several parts; `None` if it is another Content-Type.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';');
    if !parameters.next()?.trim().eq_ignore_ascii_case("multipart/byteranges") {
        return None;
    }
    parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && (1..=70).contains(&value.len())).then(|| value.to_owned())
    })
}

/// The parts of an answer, one after the other.
#[derive(Debug)]
pub(super) struct Parts<R> {
    body: R,
    delimiter: String,
}

impl<R: BufRead> Parts<R> {
    pub(super) fn new(body: R, boundary: &str) -> Self {
        Self { body, delimiter: format!("--{boundary}") }
    }

    /// Reads up to the bytes of the next part, and says which they are; `None` behind the last one.
    ///
    /// # Errors
    /// The answer breaks off, or is none of parts.
    pub(super) fn next_part(&mut self) -> io::Result<Option<ContentRange>> {
        let mut left = MAX_HEADER;
        // What stands in front of the first delimiter means nothing; the bytes of a part have been read.
        loop {
            let line = self.line(&mut left)?;
            if let Some(rest) = line.strip_prefix(&self.delimiter) {
                match rest.trim_end() {
                    "" => break,
                    "--" => return Ok(None),
                    _ => (),
                }
            }
        }
        let mut range = None;
        loop {
            let line = self.line(&mut left)?;
            if line.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-range")
            {
                range = ContentRange::parse(value);
            }
        }
        range.map(Some).ok_or_else(|| invalid("a part has no Content-Range"))
    }

    /// What the bytes of a part are read from: no more than its range has.
    pub(super) fn body(&mut self) -> &mut R {
        &mut self.body
    }

    fn line(&mut self, left: &mut usize) -> io::Result<String> {
        let mut line = Vec::new();
        let read = io::Read::take(&mut self.body, *left as u64).read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") && !line.starts_with(self.delimiter.as_bytes()) {
            let is_cut = read == *left;
            return Err(if is_cut { invalid("a part has a long header") } else { io::ErrorKind::UnexpectedEof.into() });
        }
        *left -= read;
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// The parts of a body, or the error that ended it.
    fn parts(body: &str) -> io::Result<Vec<(u64, String)>> {
        let mut parts = Parts::new(body.as_bytes(), "b");
        let mut found = Vec::new();
        while let Some(ContentRange { range, .. }) = parts.next_part()? {
            let mut bytes = String::new();
            parts.body().take(range.end - range.start).read_to_string(&mut bytes)?;
            found.push((range.start, bytes));
        }
        Ok(found)
    }

    #[test]
    fn several_parts() {
        let body = "preamble\r\n--b\r\nContent-Type: a/b\r\nContent-Range: bytes 0-3/100\r\n\r\nab\r\n\
                    \r\n--b\r\ncontent-range: bytes 90-92/100\r\n\r\n--b\r\n--b--\r\nepilogue";
        assert_eq!(parts(body).unwrap(), [(0, "ab\r\n".to_owned()), (90, "--b".to_owned())]);
        assert_eq!(parts("--b--").unwrap(), []);
    }

    #[test]
    fn what_is_no_part() {
        let long = format!("--b\r\nX: {}\r\n", "x".repeat(MAX_HEADER));
        for wrong in ["", "--b\r\nContent-Range: bytes 0-3/100\r\n", "--b\r\n\r\nabc", &long] {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn boundaries() {
        assert_eq!(boundary("multipart/byteranges; boundary=abc").as_deref(), Some("abc"));
        assert_eq!(boundary("Multipart/ByteRanges; charset=x; Boundary=\"a c\"").as_deref(), Some("a c"));
        assert_eq!(boundary("video/mp4; boundary=abc"), None);
        assert_eq!(boundary("multipart/byteranges"), None);
    }
}
