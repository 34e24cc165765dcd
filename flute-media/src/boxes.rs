// SPDX-License-Identifier: MPL-2.0

//! Boxes of MP4 (ISO/IEC 14496-12 §4.2): where they begin and end, and whether those at the top are an initialisation.

use std::io;

use flute_proto::sender::Source;

/// Boxes of an initialisation, at most: what has more is something else.
const MAX_BOXES: usize = 16;

/// Follows top-level boxes over the borders of buffers.
#[derive(Debug, Default)]
pub struct BoxScanner {
    /// Bytes of the present box that are still to come.
    rest: u64,
}

impl BoxScanner {
    /// Goes on with these bytes, and tells every box that begins in them and where. What it answers is how many bytes it
    /// understood: the rest is the beginning of a header, and must be there again the next time.
    pub fn scan(&mut self, bytes: &[u8], mut found: impl FnMut([u8; 4], usize)) -> io::Result<usize> {
        let mut position = 0;
        loop {
            let skip = (bytes.len() - position).min(usize::try_from(self.rest).unwrap_or(usize::MAX));
            self.rest -= skip as u64;
            position += skip;
            match read_header(&bytes[position..])? {
                Some(header) if self.rest == 0 => {
                    found(header.kind, position);
                    self.rest = header.size.unwrap_or(u64::MAX);
                }
                _ => return Ok(position),
            }
        }
    }

    /// Whether no box is begun.
    pub fn is_between_boxes(&self) -> bool {
        self.rest == 0
    }
}

/// The boxes that lie one after the other in these bytes, their types and contents, up to the first that is broken.
pub fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let header = read_header(bytes).ok()??;
        let size = header.size.map_or(Some(bytes.len()), |size| usize::try_from(size).ok())?;
        let (whole, rest) = bytes.split_at_checked(size)?;
        bytes = rest;
        Some((header.kind, &whole[header.length..]))
    })
}

/// What a box begins with.
#[derive(Clone, Copy, Debug)]
struct BoxHeader {
    kind: [u8; 4],
    /// Bytes of the header: 8, or 16 with a long size.
    length: usize,
    /// Bytes of the box, the header included, and not less than it has; `None` if it lasts to the end of the file.
    size: Option<u64>,
}

/// The header of a box; `None` if it is not complete.
fn read_header(bytes: &[u8]) -> io::Result<Option<BoxHeader>> {
    let number = |bytes: &[u8]| bytes.iter().fold(0u64, |number, &byte| number << 8 | u64::from(byte));
    let [a, b, c, d, kind @ ..] = bytes.first_chunk::<8>().copied().unwrap_or_default();
    if bytes.len() < 8 {
        return Ok(None);
    }
    if !kind.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        return Err(io::Error::other("this is no MP4: set next-object to what it is"));
    }
    let (size, length) = match (number(&[a, b, c, d]), bytes.get(8..16)) {
        (0, _) => (None, 8),
        (1, None) => return Ok(None),
        (1, Some(long)) => (Some(number(long)), 16),
        (size, _) => (Some(size), 8),
    };
    if size.is_some_and(|size| size < length as u64) {
        return Err(io::Error::other("a box of this MP4 is shorter than its own header"));
    }
    Ok(Some(BoxHeader { kind, length, size }))
}

/// Whether these are the bytes of an initialisation: a `moov`, and no media (ISO/IEC 23009-1 §6.3.3).
pub fn is_initialisation(source: &dyn Source) -> bool {
    let result = holds_only_an_initialisation(source);
    source.rest();
    result.unwrap_or(false)
}

fn holds_only_an_initialisation(source: &dyn Source) -> io::Result<bool> {
    let length = source.len();
    if source.available() < length {
        return Ok(false);
    }
    let mut offset = 0;
    let mut has_moov = false;
    for _ in 0..MAX_BOXES {
        if offset == length {
            return Ok(has_moov);
        }
        let mut header = [0; 16];
        let header = &mut header[..(length - offset).min(16) as usize];
        source.read_at(offset, header)?;
        match read_header(header)? {
            Some(BoxHeader { kind: [b'm', b'o', b'o', b'f'] | [b'm', b'd', b'a', b't'], .. }) | None => {
                return Ok(false);
            }
            Some(header) => {
                let size = header.size.unwrap_or(length - offset);
                if size > length - offset {
                    return Ok(false);
                }
                has_moov |= header.kind == *b"moov" && size > header.length as u64;
                offset += size;
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_box(kind: &[u8; 4], content: usize) -> Vec<u8> {
        let mut bytes = (8 + content as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(kind);
        bytes.resize(8 + content, b'x');
        bytes
    }

    #[test]
    fn headers_over_the_borders_of_buffers_and_long_sizes() {
        let mut scanner = BoxScanner::default();
        let mut long = vec![0, 0, 0, 1];
        long.extend_from_slice(b"mdat");
        long.extend_from_slice(&20u64.to_be_bytes());
        long.extend_from_slice(&[0; 4]);
        let stream =
            [a_box(b"free", 3), long, a_box(b"moof", 0), vec![0, 0, 0, 0], b"mdat".to_vec(), vec![7; 9]].concat();
        let mut kinds = Vec::new();
        let mut begun = Vec::new();
        for byte in stream {
            begun.push(byte);
            let understood = scanner.scan(&begun, |kind, _| kinds.push(kind)).unwrap();
            begun.drain(..understood);
        }
        assert_eq!(kinds, [b"free", b"mdat", b"moof", b"mdat"].map(|kind| *kind));
        assert!(!scanner.is_between_boxes(), "a box of size 0 lasts to the end");
    }

    #[test]
    fn boxes_and_their_contents() {
        let mut long = vec![0, 0, 0, 1];
        long.extend_from_slice(b"mdat");
        long.extend_from_slice(&20u64.to_be_bytes());
        long.extend_from_slice(b"long");
        let file = [a_box(b"free", 3), long, b"\0\0\0\0mdatto the end".to_vec()].concat();
        let found: Vec<_> = boxes(&file).collect();
        assert_eq!(found, [(*b"free", &b"xxx"[..]), (*b"mdat", b"long"), (*b"mdat", b"to the end")]);
        for broken in [
            &b"\0\0\0\x07moov"[..],
            b"\0\0\0\x0amoovx",
            b"\0\0\0\x01moov\0\0",
            b"\0\0\0\x01moov\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            let file = [a_box(b"free", 0), broken.to_vec(), a_box(b"free", 0)].concat();
            assert!(boxes(&file).count() <= 2, "{broken:?}");
            assert_eq!(boxes(broken).count(), 0, "{broken:?}");
        }
    }

    #[test]
    fn what_is_no_mp4_is_refused() {
        let mut scanner = BoxScanner::default();
        assert!(scanner.scan(&[0x47, 0x40, 0, 0x10, 0, 0, 0xb0, 0x0d], |_, _| ()).is_err());
        let mut scanner = BoxScanner::default();
        assert!(scanner.scan(b"\0\0\0\x07moov", |_, _| ()).is_err(), "a box is not shorter than its header");
    }

    #[test]
    fn initialisations() {
        let init = || [a_box(b"ftyp", 16), a_box(b"moov", 700)].concat();
        assert!(is_initialisation(&init()));
        assert!(is_initialisation(&[init(), a_box(b"free", 0)].concat()));
        let media = [a_box(b"styp", 8), a_box(b"moof", 90), a_box(b"mdat", 5)].concat();
        assert!(!is_initialisation(&media));
        assert!(!is_initialisation(&[init(), media].concat()), "a whole film");
        assert!(!is_initialisation(&[init(), a_box(b"mdat", 5)].concat()), "a whole film");
        assert!(!is_initialisation(&a_box(b"ftyp", 16)));
        assert!(!is_initialisation(&b"\x47\x40\x00\x10\x00\x00\xb0\x0d".to_vec()), "TS");
        assert!(!is_initialisation(&[init(), vec![0; 3]].concat()));
        assert!(!is_initialisation(&Vec::new()));
        assert!(!is_initialisation(&init()[..init().len() - 1].to_vec()), "it is cut off");
        assert!(!is_initialisation(&b"\0\0\0\0moov".to_vec()), "the movie is empty");
        assert!(!is_initialisation(&[a_box(b"moof", 16), a_box(b"mdat", 10)].concat()));
        assert!(!is_initialisation(&a_box(b"free", 0).repeat(100_000)), "it is not read to its end");
    }
}
