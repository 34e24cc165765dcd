// SPDX-License-Identifier: MPL-2.0

//! Fragmented MP4 (ISO/IEC 14496-12, CMAF) cut into its initialisation and its fragments.
//!
//! The top-level boxes tell where a fragment begins, and the flags of the muxers when it ends: the last buffer carries
//! MARKER (but mp4mux marks every sample, so only a mark at the end of a box counts). cmafmux marks the end of each chunk
//! (CMAF low latency), begins a fragment with HEADER, and a further chunk of it with HEADER and DELTA_UNIT. So where
//! fragments begin with HEADER the first one is over when the next begins; from then on it is known whether there are
//! chunks.

use std::io;

use super::source::BufferSpool;
use super::timing::Span;
use flute_media::boxes::BoxScanner;

/// What was cut off.
#[derive(Debug)]
pub(super) enum Part {
    /// `ftyp`, `moov` …
    Initialisation(BufferSpool),
    /// `moof`, `mdat`, and what stands in front of them, and the time that they cover.
    Fragment(BufferSpool, Option<gst::ClockTime>),
}

/// Cuts a stream of buffers.
#[derive(Debug, Default)]
pub(super) struct Fragmenter {
    boxes: BoxScanner,
    /// The beginning of a header, whose end is in the next buffer.
    begun: Option<gst::Buffer>,
    spool: BufferSpool,
    content: Content,
    chunks: Chunks,
    span: Span,
}

/// Whether fragments come in several chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Chunks {
    /// The muxer does not say where a fragment begins, so it does not make chunks either.
    #[default]
    NotTold,
    /// The muxer says it, and the first fragment is not over.
    MayCome,
    /// The first fragment had one chunk.
    One,
    /// A fragment had several.
    Several,
}

impl Chunks {
    /// What is known when a buffer with these flags has come, in which a chunk begins or not.
    fn after(self, flags: gst::BufferFlags, begins_fragment: bool) -> Self {
        let is_header = flags.contains(gst::BufferFlags::HEADER);
        match self {
            _ if is_header && flags.contains(gst::BufferFlags::DELTA_UNIT) => Self::Several,
            Self::NotTold if begins_fragment && is_header => Self::MayCome,
            Self::MayCome if begins_fragment => Self::One,
            known => known,
        }
    }
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
    pub(super) fn new(spool: BufferSpool) -> Self {
        Self { spool, ..Self::default() }
    }

    /// Takes a buffer, and gives the parts that it completed.
    pub(super) fn push(&mut self, buffer: gst::Buffer) -> io::Result<Vec<Part>> {
        let flags = buffer.flags();
        let is_chunk = flags.contains(gst::BufferFlags::HEADER | gst::BufferFlags::DELTA_UNIT);
        let span = Span::of(&buffer);
        let mut begins_fragment = false;
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
                begins_fragment |= next == Content::FragmentHead;
                if content.ends_before(next) && !(is_chunk && next == Content::FragmentHead) {
                    cuts.push((start, content));
                }
                content = next;
            })?
        };
        self.content = content;
        self.chunks = self.chunks.after(flags, begins_fragment);
        let mut parts = Vec::new();
        let mut start = 0;
        for (cut, before) in cuts {
            if cut > start {
                self.spool.push(region(&buffer, start..cut)?)?;
            }
            parts.extend(self.take(before));
            start = cut;
        }
        // A buffer belongs to the part that it ends in: muxers begin one with a new buffer.
        self.span.add(span);
        if understood < buffer.size() {
            self.begun = Some(region(&buffer, understood..buffer.size())?);
        }
        if start < understood {
            self.spool.push(region(&buffer, start..understood)?)?;
        }
        let may_go_on = matches!(self.chunks, Chunks::MayCome | Chunks::Several);
        let is_end = content == Content::Fragment && self.boxes.is_between_boxes();
        if is_end && !may_go_on && flags.contains(gst::BufferFlags::MARKER) {
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
        let span = std::mem::take(&mut self.span);
        match content {
            Content::Initialisation => Some(Part::Initialisation(spool)),
            Content::Fragment => Some(Part::Fragment(spool, span.duration())),
            // Such as the index that a muxer writes at its end.
            Content::Nothing | Content::Front | Content::FragmentHead => None,
        }
    }
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
            Part::Initialisation(spool) => format!("init {}", spool.into_source().unwrap().len()),
            Part::Fragment(spool, _) => format!("fragment {}", spool.into_source().unwrap().len()),
        }
    }

    fn init(fragmenter: &mut Fragmenter) {
        gst::init().unwrap();
        let init = [a_box(b"ftyp", 8), a_box(b"moov", 100)].concat();
        assert!(push(fragmenter, init, HEADER | gst::BufferFlags::DISCONT).is_empty());
    }

    /// Pushes a chunk as cmafmux does: the boxes up to the header of the `mdat`, and two samples, the last one marked.
    fn push_chunk(fragmenter: &mut Fragmenter, flags: gst::BufferFlags) -> Vec<String> {
        let head = [a_box(b"moof", 50), a_box(b"mdat", 20)[..8].to_vec()].concat();
        let mut parts = push(fragmenter, head, flags);
        parts.extend(push(fragmenter, vec![0; 15], DELTA));
        parts.extend(push(fragmenter, vec![0; 5], DELTA | MARKER));
        parts
    }

    /// Only the beginning of the second fragment tells that the first one has no more chunks; then nothing waits any more.
    #[test]
    fn fragments_of_cmafmux() {
        let mut fragmenter = Fragmenter::default();
        init(&mut fragmenter);
        assert_eq!(push_chunk(&mut fragmenter, HEADER), ["init 124"]);
        assert_eq!(push_chunk(&mut fragmenter, HEADER), ["fragment 86", "fragment 86"]);
        assert_eq!(push_chunk(&mut fragmenter, HEADER), ["fragment 86"]);
        assert!(fragmenter.finish().unwrap().is_none());
    }

    #[test]
    fn chunks_of_cmafmux() {
        let mut fragmenter = Fragmenter::default();
        init(&mut fragmenter);
        assert_eq!(push_chunk(&mut fragmenter, HEADER), ["init 124"]);
        assert!(push_chunk(&mut fragmenter, HEADER | DELTA).is_empty());
        for _ in 0..2 {
            assert_eq!(push_chunk(&mut fragmenter, HEADER), ["fragment 172"]);
            assert!(push_chunk(&mut fragmenter, HEADER | DELTA).is_empty());
        }
        assert_eq!(fragmenter.finish().unwrap().map(described).as_deref(), Some("fragment 172"));
    }

    #[test]
    fn the_time_that_a_fragment_covers() {
        let mut fragmenter = Fragmenter::default();
        init(&mut fragmenter);
        let mut durations = Vec::new();
        // Frames in the order of decoding, after an hour.
        for (fragment, pts) in (0..3).flat_map(|fragment| [0, 120, 40, 80].map(|pts| (fragment, pts))) {
            let bytes = if pts == 0 { [a_box(b"moof", 50), a_box(b"mdat", 9)].concat() } else { a_box(b"mdat", 9) };
            let mut buffer = gst::Buffer::from_slice(bytes);
            {
                let buffer = buffer.get_mut().unwrap();
                buffer.set_pts(gst::ClockTime::from_mseconds(3_600_000 + fragment * 160 + pts));
                buffer.set_duration(gst::ClockTime::from_mseconds(40));
                buffer.set_flags(if pts == 0 { HEADER } else { DELTA });
            }
            durations.extend(fragmenter.push(buffer).unwrap().into_iter().filter_map(|part| match part {
                Part::Fragment(_, duration) => Some(duration),
                Part::Initialisation(_) => None,
            }));
        }
        assert_eq!(durations, [Some(gst::ClockTime::from_mseconds(160)); 2]);
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

    /// A file that is read in blocks of any size.
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
}
