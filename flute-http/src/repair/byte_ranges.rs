// SPDX-License-Identifier: MPL-2.0

//! Ranges of bytes in requests and in answers (RFC 9110 §14).

use std::ops::Range;

/// Ranges of one request. Servers refuse many (RFC 9110 §14.2), and a request is to have 2048 bytes at most (TS 26.346
/// §9.3.6.2).
const MAX_RANGES: usize = 64;

/// Bytes between two ranges for which another range is not worth its header in the answer.
const WORTH_A_RANGE: u64 = 256;

/// The ranges to ask for of those that are missing: the first ones, those that nearly touch as one.
pub(super) fn wanted(missing: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut wanted: Vec<Range<u64>> = Vec::new();
    for range in missing {
        if let Some(last) = wanted.last_mut().filter(|last| range.start - last.end <= WORTH_A_RANGE) {
            last.end = range.end;
        } else if wanted.len() < MAX_RANGES {
            wanted.push(range.clone());
        } else {
            break;
        }
    }
    wanted
}

/// The value of the field Range; a range up to the end of numbers has no end.
pub(super) fn to_field(ranges: &[Range<u64>]) -> String {
    let ranges = ranges.iter().map(|range| match range.end {
        u64::MAX => format!("{}-", range.start),
        end => format!("{}-{}", range.start, end - 1),
    });
    format!("bytes={}", ranges.collect::<Vec<_>>().join(","))
}

/// What the field Content-Range of an answer says: the bytes that follow, and how many the whole has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) range: Range<u64>,
    pub(super) complete: Option<u64>,
}

impl ContentRange {
    /// Reads the value of the field (RFC 9110 §14.4); `None` if it makes no sense.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (unit, rest) = value.trim().split_once(' ')?;
        let (range, complete) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?);
        let end = last.checked_add(1).filter(|end| first < *end)?;
        let complete = match complete.trim() {
            "*" => None,
            number => Some(number.parse::<u64>().ok().filter(|complete| end <= *complete)?),
        };
        unit.eq_ignore_ascii_case("bytes").then_some(Self { range: first..end, complete })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_requests() {
        assert_eq!(to_field(&[0..10, 500..501, 900..u64::MAX]), "bytes=0-9,500-500,900-");
        assert_eq!(wanted(&[0..10, 20..30, 5000..6000]), [0..30, 5000..6000]);
        let many: Vec<Range<u64>> = (0..1000).map(|number| number * 10_000..number * 10_000 + 1000).collect();
        let wanted = wanted(&many);
        assert_eq!(wanted[..], many[..MAX_RANGES]);
        assert!(to_field(&wanted).len() < 2000);
    }

    #[test]
    fn ranges_of_answers() {
        let parse = |text: &str| ContentRange::parse(text).map(|found| (found.range, found.complete));
        assert_eq!(parse("bytes 10-99/100"), Some((10..100, Some(100))));
        assert_eq!(parse("Bytes 0-0/*"), Some((0..1, None)));
        for wrong in ["", "bytes", "bytes */100", "bytes 9-8/100", "bytes 0-100/100", "lines 0-9/10", "bytes 0-9"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(parse(&format!("bytes 0-{}/*", u64::MAX)), None);
    }
}
