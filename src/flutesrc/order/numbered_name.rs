// SPDX-License-Identifier: MPL-2.0

//! Names of segments taken apart into text and numbers.

/// Longer runs of digits are text, such as a hash: they count nothing.
const MAX_DIGITS: usize = 19;

/// Bytes of a name that are compared, from its end.
const MAX_COMPARED: usize = 128;

/// A Content-Location, with its numbers taken out. Digits of the ending, such as those of `.mp4`, are text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NumberedName {
    /// The text, with a NUL in place of each number.
    text: String,
    numbers: Vec<Number>,
    /// How many of the numbers are in the folder.
    in_folder: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number {
    value: u64,
    digits: usize,
}

/// Where the ending of a file name begins, if it has one.
fn ending(location: &str) -> usize {
    let path = location.split(['?', '#']).next().unwrap_or_default();
    let file = path.rfind('/').map_or(0, |slash| slash + 1);
    path[file..].rfind('.').map_or(path.len(), |dot| file + dot)
}

impl NumberedName {
    pub(super) fn new(location: &str) -> Self {
        let (stem, ending) = location.split_at(ending(location));
        let folder = stem.rfind('/').map_or(0, |slash| slash + 1);
        let mut name = Self { text: String::with_capacity(location.len()), numbers: Vec::new(), in_folder: 0 };
        let mut rest = stem;
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            let (text, from) = rest.split_at(start);
            let digits = from.bytes().take_while(u8::is_ascii_digit).count();
            name.text.push_str(text);
            match from[..digits].parse() {
                Ok(value) if digits <= MAX_DIGITS => {
                    name.text.push('\0');
                    if stem.len() - from.len() < folder {
                        name.in_folder += 1;
                    }
                    name.numbers.push(Number { value, digits });
                }
                _ => name.text.push_str(&from[..digits]),
            }
            rest = &from[digits..];
        }
        name.text.push_str(rest);
        name.text.push_str(ending);
        name
    }

    /// Whether the names differ in nothing but numbers.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.text == other.text && self.numbers.len() == other.numbers.len()
    }

    /// Which numbers differ from those of a name that is like this one.
    pub(super) fn differences(&self, other: &Self) -> Vec<usize> {
        let pairs = self.numbers.iter().zip(&other.numbers).enumerate();
        pairs.filter(|(_, (mine, other))| mine.value != other.value).map(|(index, _)| index).collect()
    }

    /// The numbers, which put names that are like each other in order.
    pub(super) fn values(&self) -> Vec<u64> {
        self.numbers.iter().map(|number| number.value).collect()
    }

    pub(super) fn value(&self, index: usize) -> Option<u64> {
        self.numbers.get(index).map(|number| number.value)
    }

    /// Which of these numbers counts, by its looks: the one with the most digits, and the last of several.
    pub(super) fn longest(&self, among: impl IntoIterator<Item = usize>) -> Option<usize> {
        among.into_iter().filter(|&index| index < self.numbers.len()).max_by_key(|&index| self.numbers[index].digits)
    }

    /// Which number counts, as far as one name can say: the longest of the file's name, or of the folder's.
    pub(super) fn likely_counter(&self) -> Option<usize> {
        self.longest(self.in_folder..self.numbers.len()).or_else(|| self.longest(0..self.in_folder))
    }
}

/// How much two names look as if they belonged together: the length of the longest text that both contain, without
/// their endings. `video1/init.mp4` is more akin to `video1/00001.m4s` than `video2/init.mp4` is.
pub(super) fn likeness(one: &str, other: &str) -> usize {
    let end = |name: &str| {
        let stem = &name.as_bytes()[..ending(name)];
        stem[stem.len().saturating_sub(MAX_COMPARED)..].to_vec()
    };
    let (one, other) = (end(one), end(other));
    let mut longest = 0;
    // Lengths of the common texts that end at the present byte of `one` and at each of `other`.
    let mut lengths = vec![0; other.len() + 1];
    for byte in one {
        for index in (0..other.len()).rev() {
            lengths[index + 1] = if other[index] == byte { lengths[index] + 1 } else { 0 };
            longest = longest.max(lengths[index + 1]);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_names() {
        let name = NumberedName::new("http://h1/v2/chunk-stream0-00012.m4s");
        assert_eq!(name.values(), [1, 2, 0, 12]);
        assert_eq!(name.in_folder, 2);
        assert_eq!(name.likely_counter(), Some(3));
        assert_eq!(NumberedName::new("init.mp4").values(), [0u64; 0]);
        assert_eq!(NumberedName::new("seg-5-v1-a1.ts").values(), [5, 1, 1]);
        assert_eq!(NumberedName::new("7/audio.mp4").likely_counter(), Some(0));
        assert_eq!(NumberedName::new("seg_0000000000000000000000001.ts").values(), [0u64; 0], "a hash is no number");
        assert_eq!(NumberedName::new("90000/0.m4s?token=5").values(), [90000, 0]);
    }

    #[test]
    fn names_alike() {
        let first = NumberedName::new("seg_00009.m4s");
        assert!(first.is_like(&NumberedName::new("seg_00010.m4s")));
        assert!(first.is_like(&NumberedName::new("seg_10.m4s")));
        assert!(!first.is_like(&NumberedName::new("seg_00010.ts")));
        assert!(!first.is_like(&NumberedName::new("seg_init.m4s")));
        assert_eq!(NumberedName::new("v1/5.ts").differences(&NumberedName::new("v2/5.ts")), [0]);
        assert_eq!(NumberedName::new("v1/5.ts").differences(&NumberedName::new("v2/6.ts")), [0, 1]);
    }

    #[test]
    fn kin() {
        for (init, other_init, media) in [
            ("video1/init.mp4", "video2/init.mp4", "video1/00002.m4s"),
            ("init-stream1.m4s", "init-stream0.m4s", "chunk-stream1-00001.m4s"),
            ("video/seg_init.m4s", "audio/seg_init.m4s", "video/seg_00001.m4s"),
            ("v_init.mp4", "a_init.mp4", "v_1.mp4"),
        ] {
            assert!(likeness(init, media) > likeness(other_init, media), "{media}");
        }
        assert_eq!(likeness("", "a"), 0);
    }
}
