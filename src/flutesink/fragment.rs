// SPDX-License-Identifier: MPL-2.0

//! Fragmented MP4 (ISO/IEC 14496-12, CMAF) cut into its initialisation and its fragments.
//!
//! The top-level boxes tell where a fragment begins, and the flags of the muxers when it ends: the last buffer carries
//! MARKER (but mp4mux marks every sample, so only a mark at the end of a box counts), and a later chunk of the same
//! fragment begins with HEADER and DELTA_UNIT.

use std::io;

use super::source::Spool;

/// What was cut off.
#[derive(Debug)]
pub(super) enum Part {
    /// `ftyp`, `moov` …
    Initialisation(Spool),
    /// `moof`, `mdat`, and what stands in front of them.
    Fragment(Spool),
}

/// Cuts a stream of buffers.
#[derive(Debug, Default)]
pub(super) struct Fragmenter {
    boxes: BoxScanner,
    /// The beginning of a header, whose end is in the next buffer.
    begun: Option<gst::Buffer>,
    spool: Spool,
    content: Content,
    is_chunked: bool,
}

/// What has been collected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Content {
    #[default]
    Nothing,
    /// Boxes that can stand in front of both, and no more.
    Front,
    Initialisation,
    /// A fragment without its media data.
    FragmentHead,
    Fragment,
}

impl Content {
    fn followed_by(self, kind: [u8; 4]) -> Self {
        match (&kind, self) {
            (b"moov" | b"ftyp", _) => Self::Initialisation,
            (b"moof", _) | (b"styp" | b"sidx" | b"emsg" | b"prft", Self::Initialisation | Self::Fragment) => {
                Self::FragmentHead
            }
            (b"mdat", Self::FragmentHead) => Self::Fragment,
            (_, Self::Nothing) => Self::Front,
            (_, content) => content,
        }
    }

    fn ends_before(self, next: Self) -> bool {
        match next {
            Self::Initialisation => matches!(self, Self::FragmentHead | Self::Fragment),
            Self::FragmentHead => matches!(self, Self::Initialisation | Self::Fragment),
            _ => false,
        }
    }
}

fn region(buffer: &gst::Buffer, range: std::ops::Range<usize>) -> io::Result<gst::Buffer> {
    buffer.copy_region(gst::BufferCopyFlags::MEMORY, range).map_err(|error| io::Error::other(error.message.to_string()))
}

impl Fragmenter {
    /// A fragmenter that collects in this spool.
    pub(super) fn new(spool: Spool) -> Self {
        Self { spool, ..Self::default() }
    }

    /// Takes a buffer, and gives the parts that it completed.
    pub(super) fn push(&mut self, buffer: gst::Buffer) -> io::Result<Vec<Part>> {
        let flags = buffer.flags();
        let is_chunk = flags.contains(gst::BufferFlags::HEADER | gst::BufferFlags::DELTA_UNIT);
        self.is_chunked |= is_chunk;
        let mut buffer = buffer;
        if let Some(mut begun) = self.begun.take() {
            begun.append(buffer);
            buffer = begun;
        }
        // Where a part begins in this buffer, and what the one before it was.
        let mut cuts = Vec::new();
        let mut content = self.content;
        let understood = {
            let map = buffer.map_readable().map_err(|_| io::Error::other("the buffer cannot be mapped"))?;
            self.boxes.scan(&map, |kind, start| {
                let next = content.followed_by(kind);
                if content.ends_before(next) && !(is_chunk && next == Content::FragmentHead) {
                    cuts.push((start, content));
                }
                content = next;
            })?
        };
        self.content = content;
        let mut parts = Vec::new();
        let mut start = 0;
        for (cut, before) in cuts {
            if cut > start {
                self.spool.push(region(&buffer, start..cut)?)?;
            }
            parts.extend(self.take(before));
            start = cut;
        }
        if understood < buffer.size() {
            self.begun = Some(region(&buffer, understood..buffer.size())?);
        }
        if start < understood {
            self.spool.push(region(&buffer, start..understood)?)?;
        }
        let is_end = content == Content::Fragment && self.boxes.rest == 0 && !self.is_chunked;
        if is_end && flags.contains(gst::BufferFlags::MARKER) {
            parts.extend(self.finish()?);
        }
        Ok(parts)
    }

    /// What is left at the end of the stream, if it is something.
    pub(super) fn finish(&mut self) -> io::Result<Option<Part>> {
        if let Some(begun) = self.begun.take() {
            self.spool.push(begun)?;
        }
        let content = std::mem::take(&mut self.content);
        Ok(self.take(content))
    }

    fn take(&mut self, content: Content) -> Option<Part> {
        let spool = self.spool.take();
        match content {
            Content::Initialisation => Some(Part::Initialisation(spool)),
            Content::Fragment => Some(Part::Fragment(spool)),
            // Such as the index that a muxer writes at its end.
            Content::Nothing | Content::Front | Content::FragmentHead => None,
        }
    }
}

/// Follows top-level boxes (ISO/IEC 14496-12 §4.2) over the borders of buffers.
#[derive(Debug, Default)]
struct BoxScanner {
    /// Bytes of the present box that are still to come.
    rest: u64,
}

impl BoxScanner {
    /// Goes on with these bytes, and tells every box that begins in them and where. What it answers is how many bytes it
    /// understood: the rest is the beginning of a header, and must be there again the next time.
    fn scan(&mut self, bytes: &[u8], mut found: impl FnMut([u8; 4], usize)) -> io::Result<usize> {
        let mut position = 0;
        loop {
            let skip = (bytes.len() - position).min(usize::try_from(self.rest).unwrap_or(usize::MAX));
            self.rest -= skip as u64;
            position += skip;
            match read_header(&bytes[position..])? {
                Some((kind, size)) if self.rest == 0 => {
                    found(kind, position);
                    self.rest = size;
                }
                _ => return Ok(position),
            }
        }
    }
}

/// Type and size of a box, header included; `None` if its header is not complete.
fn read_header(bytes: &[u8]) -> io::Result<Option<([u8; 4], u64)>> {
    let number = |bytes: &[u8]| bytes.iter().fold(0u64, |number, &byte| number << 8 | u64::from(byte));
    let [a, b, c, d, kind @ ..] = bytes.first_chunk::<8>().copied().unwrap_or_default();
    if bytes.len() < 8 {
        return Ok(None);
    }
    if !kind.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        return Err(io::Error::other("this is no MP4: set next-object to what it is"));
    }
    let (size, header) = match (number(&[a, b, c, d]), bytes.get(8..16)) {
        // It lasts to the end of the stream.
        (0, _) => (u64::MAX, 8),
        (1, None) => return Ok(None),
        (1, Some(long)) => (number(long), 16),
        (size, _) => (size, 8),
    };
    if size < header {
        return Err(io::Error::other("a box of this MP4 is shorter than its own header"));
    }
    Ok(Some((kind, size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: gst::BufferFlags = gst::BufferFlags::HEADER;
    const DELTA: gst::BufferFlags = gst::BufferFlags::DELTA_UNIT;
    const MARKER: gst::BufferFlags = gst::BufferFlags::MARKER;

    fn a_box(kind: &[u8; 4], content: usize) -> Vec<u8> {
        let mut bytes = (8 + content as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(kind);
        bytes.resize(8 + content, b'x');
        bytes
    }

    fn push(fragmenter: &mut Fragmenter, bytes: Vec<u8>, flags: gst::BufferFlags) -> Vec<String> {
        let mut buffer = gst::Buffer::from_slice(bytes);
        buffer.get_mut().unwrap().set_flags(flags);
        fragmenter.push(buffer).unwrap().into_iter().map(described).collect()
    }

    fn described(part: Part) -> String {
        match part {
            Part::Initialisation(spool) => format!("init {}", spool.len()),
            Part::Fragment(spool) => format!("fragment {}", spool.len()),
        }
    }

    /// What cmafmux pushes: the header, and per fragment a header and its samples, the last one marked.
    #[test]
    fn flags_of_cmafmux() {
        gst::init().unwrap();
        let mut fragmenter = Fragmenter::default();
        let init = [a_box(b"ftyp", 8), a_box(b"moov", 100)].concat();
        assert!(push(&mut fragmenter, init, HEADER | gst::BufferFlags::DISCONT).is_empty());
        for fragment in 0..3 {
            let mut head = [a_box(b"styp", 8), a_box(b"moof", 50)].concat();
            head.extend_from_slice(&a_box(b"mdat", 20)[..8]);
            let done = push(&mut fragmenter, head, HEADER);
            assert_eq!(done, if fragment == 0 { vec!["init 124"] } else { vec![] });
            assert!(push(&mut fragmenter, vec![0; 15], DELTA).is_empty());
            assert_eq!(push(&mut fragmenter, vec![0; 5], DELTA | MARKER), ["fragment 102"]);
        }
        assert!(fragmenter.finish().unwrap().is_none());
    }

    /// Chunks of one fragment belong together, once it has been seen that there are chunks.
    #[test]
    fn chunks_of_cmafmux() {
        gst::init().unwrap();
        let mut fragmenter = Fragmenter { is_chunked: true, ..Default::default() };
        let chunk = || [a_box(b"moof", 50), a_box(b"mdat", 20)].concat();
        assert!(push(&mut fragmenter, chunk(), HEADER | MARKER).is_empty());
        assert!(push(&mut fragmenter, chunk(), HEADER | DELTA | MARKER).is_empty());
        assert_eq!(push(&mut fragmenter, chunk(), HEADER | MARKER), ["fragment 172"]);
        assert_eq!(fragmenter.finish().unwrap().map(described).as_deref(), Some("fragment 86"));
    }

    /// mp4mux flags no header and marks every sample.
    #[test]
    fn flags_of_mp4mux() {
        gst::init().unwrap();
        let mut fragmenter = Fragmenter::default();
        let none = gst::BufferFlags::empty();
        assert!(push(&mut fragmenter, a_box(b"ftyp", 24), none).is_empty());
        assert!(push(&mut fragmenter, a_box(b"moov", 100), none).is_empty());
        assert_eq!(push(&mut fragmenter, a_box(b"moof", 50), none), ["init 140"]);
        assert!(push(&mut fragmenter, a_box(b"mdat", 20)[..8].to_vec(), none).is_empty());
        assert!(push(&mut fragmenter, vec![0; 10], MARKER).is_empty());
        assert_eq!(push(&mut fragmenter, vec![0; 10], MARKER), ["fragment 86"]);
        assert!(push(&mut fragmenter, a_box(b"mfra", 30), none).is_empty());
        assert!(fragmenter.finish().unwrap().is_none(), "an index is no fragment");
    }

    /// Somebody reads a file in blocks of any size.
    #[test]
    fn buffers_that_know_nothing_of_boxes() {
        gst::init().unwrap();
        let fragment = || [a_box(b"styp", 4), a_box(b"moof", 50), a_box(b"mdat", 20)].concat();
        let file = [a_box(b"ftyp", 8), a_box(b"moov", 100), fragment(), fragment(), fragment()].concat();
        for block in [file.len(), 100, 37, 1] {
            let mut fragmenter = Fragmenter::default();
            let none = gst::BufferFlags::empty();
            let mut parts: Vec<_> =
                file.chunks(block).flat_map(|block| push(&mut fragmenter, block.to_vec(), none)).collect();
            parts.extend(fragmenter.finish().unwrap().map(described));
            assert_eq!(parts, ["init 124", "fragment 98", "fragment 98", "fragment 98"], "blocks of {block}");
        }
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
        assert!(scanner.rest > 0, "a box of size 0 lasts to the end");
    }

    #[test]
    fn what_is_no_mp4_is_refused() {
        let mut scanner = BoxScanner::default();
        assert!(scanner.scan(&[0x47, 0x40, 0, 0x10, 0, 0, 0xb0, 0x0d], |_, _| ()).is_err());
        let mut scanner = BoxScanner::default();
        assert!(scanner.scan(b"\0\0\0\x07moov", |_, _| ()).is_err(), "a box is not shorter than its header");
    }
}
