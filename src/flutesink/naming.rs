// SPDX-License-Identifier: MPL-2.0

//! The names of objects whose buffers have no meta with a name.

use flute_proto::content_location;
use gst::prelude::*;
use percent_encoding::percent_decode_str;

/// A name with a number in it, or without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    before: String,
    /// How many digits at least, where there is a number.
    digits: Option<usize>,
    after: String,
}

impl Pattern {
    /// Takes the first `%d`, `%u` or `%05d` for the number. What else follows a `%` stays: names are URI references, and
    /// `%20` is a space in them.
    pub(super) fn new(text: &str) -> Self {
        for (start, _) in text.match_indices('%') {
            let rest = &text[start + 1..];
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let width = &rest[..digits];
            let is_padded = width.starts_with('0') && (2..=3).contains(&digits);
            let mut follows = rest[digits..].chars();
            let is_conversion = matches!(follows.next(), Some('d' | 'u'));
            // `%d0` is one byte of a name in another script.
            let is_escape = digits == 0 && follows.next().is_some_and(|next| next.is_ascii_hexdigit());
            if is_conversion && !is_escape && (digits == 0 || is_padded) {
                let after = rest[digits + 1..].to_owned();
                return Self { before: text[..start].to_owned(), digits: Some(width.parse().unwrap_or(0)), after };
            }
        }
        Self { before: text.to_owned(), digits: None, after: String::new() }
    }

    /// Whether there is a number in it.
    pub(super) fn is_counted(&self) -> bool {
        self.digits.is_some()
    }

    /// The name with this number.
    pub(super) fn name(&self, index: u32) -> String {
        match self.digits {
            Some(digits) => format!("{}{index:0digits$}{}", self.before, self.after),
            None => self.before.clone(),
        }
    }

    /// The name of the initialisation: `init` in place of the number, or in front of the last segment.
    pub(super) fn initialisation(&self) -> String {
        if self.is_counted() {
            return format!("{}init{}", self.before, self.after);
        }
        match self.before.rsplit_once('/') {
            Some((folder, name)) => format!("{folder}/init-{name}"),
            None => format!("init-{}", self.before),
        }
    }
}

/// The name of what an upstream element reads, if one of them tells: the last segment of its URI.
pub(super) fn upstream_name(pad: &impl IsA<gst::Pad>) -> Option<String> {
    let mut query = gst::query::Uri::new();
    if !pad.as_ref().peer_query(&mut query) {
        return None;
    }
    let uri = query.uri()?;
    let path = uri.split(['?', '#']).next()?;
    let segment = path.rsplit('/').next().filter(|segment| !segment.is_empty())?;
    // A pattern such as multifilesrc's is escaped in its URI.
    let decoded = percent_decode_str(segment).decode_utf8().ok()?;
    let pattern = Pattern::new(&decoded);
    if !pattern.is_counted() {
        return Some(segment.to_owned());
    }
    let encoded = |text: &str| content_location::of_file_name(text.as_bytes());
    let digits = pattern.digits.filter(|&digits| digits > 0).map_or(String::new(), |digits| format!("0{digits}"));
    Some(format!("{}%{digits}d{}", encoded(&pattern.before), encoded(&pattern.after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let name = |text: &str| Pattern::new(text).name(7);
        assert_eq!(name("seg_%d.m4s"), "seg_7.m4s");
        assert_eq!(name("seg_%05d.m4s"), "seg_00007.m4s");
        assert_eq!(name("a/%02u"), "a/07");
        assert_eq!(name("a%20b/%03d%20c.ts"), "a%20b/007%20c.ts");
        assert_eq!(Pattern::new("%02d").name(1234), "1234");
    }

    #[test]
    fn no_numbers() {
        for text in ["live.mpd", "a%20dog.mp4", "%d0%9f.ts", "100%", "%s.ts", "%5d", ""] {
            assert!(!Pattern::new(text).is_counted(), "{text}");
            assert_eq!(Pattern::new(text).name(1), text);
        }
    }

    #[test]
    fn initialisations() {
        assert_eq!(Pattern::new("video/seg_%05d.m4s").initialisation(), "video/seg_init.m4s");
        assert_eq!(Pattern::new("video/live.mp4").initialisation(), "video/init-live.mp4");
        assert_eq!(Pattern::new("live.mp4").initialisation(), "init-live.mp4");
    }
}
