// SPDX-License-Identifier: MPL-2.0

//! From buffers to objects: what belongs together, what it is called, how it is sent.

use std::io::{self, Write};
use std::path::PathBuf;

use flute_media::boxes;
use flute_proto::content::ContentEncoding;
use flute_proto::sender::{FileSource, GrowingWriter, Object, OnChange, Source};

use super::enums::FluteNextObject;
use super::fragment::{Fragmenter, Part};
use super::naming::Pattern;
use super::pad_settings::PadSettings;
use super::settings::{Settings, SettingsError};
use super::source::BufferSpool;
use super::spool::Spool;
use super::timing::{self, Span};
use crate::fd_memory;
use crate::media_type;
use crate::object_meta::ObjectMeta;

/// Puts buffers together, by `next-object`.
#[derive(Debug)]
pub(super) enum Collector {
    /// Every buffer is an object.
    Buffer,
    /// All buffers are one.
    Stream(Box<Stream>),
    /// All buffers are one that is being sent already.
    Growing(GrowingWriter),
    /// Fragmented MP4.
    Fragment(Box<Fragmenter>),
}

/// A stream that becomes one object.
#[derive(Debug)]
pub(super) struct Stream {
    spool: Spool,
    /// Where the next buffer is written: muxers go back, to the header.
    position: u64,
    span: Span,
    meta: Option<Box<ObjectMeta>>,
}

/// The bytes of an object, and what was said of them.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) source: Box<dyn Source>,
    pub(super) kind: Kind,
    /// They are those of a file.
    pub(super) is_file: bool,
    /// The time that they cover, if they are media that say so.
    pub(super) duration: Option<gst::ClockTime>,
    pub(super) meta: Option<Box<ObjectMeta>>,
}

/// Which name an object gets that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of many.
    Part,
    /// All that there is.
    Whole,
    /// The initialisation of many.
    Initialisation,
}

impl Collector {
    /// A collector for `next-object`, which is not `auto` any more; what is long is kept in this folder, or in that of
    /// the system.
    pub(super) fn new(next_object: FluteNextObject, directory: Option<PathBuf>) -> Self {
        match next_object {
            FluteNextObject::Auto | FluteNextObject::Buffer => Self::Buffer,
            FluteNextObject::Stream => Self::Stream(Box::new(Stream {
                spool: Spool::new(directory),
                position: 0,
                span: Span::default(),
                meta: None,
            })),
            FluteNextObject::Fragment => Self::Fragment(Box::new(Fragmenter::new(BufferSpool::new(directory)))),
        }
    }

    /// Takes a buffer, and gives the objects that it completes.
    pub(super) fn push(&mut self, buffer: gst::Buffer) -> io::Result<Vec<Collected>> {
        match self {
            Self::Buffer => one_buffer(buffer).map(|collected| vec![collected]),
            Self::Stream(stream) => {
                stream.span.add(Span::of(&buffer));
                if stream.meta.is_none() {
                    stream.meta = ObjectMeta::of(&buffer).map(Box::new);
                }
                let map = buffer.map_readable().map_err(|_| io::Error::other("the buffer cannot be mapped"))?;
                stream.spool.write_at(&map, stream.position)?;
                stream.position += map.len() as u64;
                Ok(Vec::new())
            }
            Self::Growing(writer) => {
                let map = buffer.map_readable().map_err(|_| io::Error::other("the buffer cannot be mapped"))?;
                if map.len() as u64 > writer.remaining() {
                    return Err(io::Error::other("the stream is longer than was announced"));
                }
                writer.write_all(&map)?;
                Ok(Vec::new())
            }
            Self::Fragment(fragmenter) => fragmenter.push(buffer)?.into_iter().map(Collected::try_from).collect(),
        }
    }

    /// Goes on at another place, as muxers do it that write a header at last.
    pub(super) fn seek(&mut self, position: u64) {
        if let Self::Stream(stream) = self {
            stream.position = position;
        }
    }

    /// Gives what is left at the end of the stream.
    pub(super) fn finish(self) -> io::Result<Option<Collected>> {
        match self {
            // One that is too short fails, and that is told.
            Self::Buffer | Self::Growing(_) => Ok(None),
            Self::Stream(stream) if stream.spool.len() == 0 => Ok(None),
            Self::Stream(stream) => Ok(Some(Collected {
                source: stream.spool.into_source()?,
                kind: Kind::Whole,
                is_file: true,
                duration: stream.span.duration(),
                meta: stream.meta,
            })),
            Self::Fragment(mut fragmenter) => fragmenter.finish()?.map(Collected::try_from).transpose(),
        }
    }
}

impl TryFrom<Part> for Collected {
    type Error = io::Error;

    fn try_from(part: Part) -> io::Result<Self> {
        let (spool, kind, duration) = match part {
            Part::Initialisation(spool) => (spool, Kind::Initialisation, None),
            Part::Fragment(spool, duration) => (spool, Kind::Part, duration),
        };
        Ok(Self { source: spool.into_source()?, kind, is_file: false, duration, meta: None })
    }
}

/// A buffer, or the file that it stands for.
pub(super) fn one_buffer(buffer: gst::Buffer) -> io::Result<Collected> {
    let meta = ObjectMeta::of(&buffer).map(Box::new);
    let (kind, duration) = (Kind::Part, buffer.duration());
    if let Some(path) = meta.as_ref().and_then(|meta| meta.file.as_ref()) {
        let file = FileSource::open(path);
        match file {
            Ok(file) => return Ok(Collected { source: Box::new(file), kind, is_file: true, duration, meta }),
            // The bytes are all that is left of it, if they are there.
            Err(error) if buffer.size() == 0 => {
                return Err(io::Error::new(error.kind(), format!("opening {path}: {error}")));
            }
            Err(_) => (),
        }
    }
    let mut is_file = meta.as_ref().is_some_and(|meta| meta.from_file);
    let source: Box<dyn Source> = match fd_memory::file_of_buffer(&buffer) {
        Some(range) => {
            is_file = true;
            Box::new(range?)
        }
        None => {
            let mut spool = BufferSpool::default();
            spool.push(buffer)?;
            spool.into_source()?
        }
    };
    Ok(Collected { source, kind, is_file, duration, meta })
}

/// What is known of the stream that an object comes from, beside its meta.
#[derive(Debug, Default)]
pub(super) struct Origin {
    /// The name of what an upstream element reads.
    pub(super) name: Option<String>,
    /// The caps of the stream.
    pub(super) caps: Option<gst::Caps>,
    /// Media come as they happen.
    pub(super) is_live: bool,
}

impl Collected {
    /// The object to send, with its name, its description and its schedule. Counts the index of the pad on if the name
    /// took it.
    pub(super) fn into_object(
        self,
        origin: &Origin,
        pad: &mut PadSettings,
        session: &Settings,
    ) -> Result<Object, SettingsError> {
        let mut meta = self.meta.map(|meta| *meta).unwrap_or_default();
        let location = match meta.content_location.take() {
            Some(location) => location,
            None => name(self.kind, origin, pad, session.location.as_deref()),
        };
        let content_type = meta
            .content_type
            .take()
            .or_else(|| pad.content_type.clone())
            .or_else(|| origin.caps.as_deref().and_then(media_type::content_type_of_caps))
            .or_else(|| flute_media::content_type_of_name(&location).map(str::to_owned));
        let is_manifest = flute_media::is_manifest(content_type.as_deref(), &location);
        let is_vital = || {
            let is_mp4 = || flute_media::is_mp4(content_type.as_deref(), &location);
            let is_initialisation = || is_mp4() && boxes::is_initialisation(&*self.source);
            is_manifest || self.kind == Kind::Initialisation || is_initialisation()
        };
        let carousel = timing::carousel(&meta, pad, is_vital);
        let live = self.duration.filter(|_| origin.is_live && !is_manifest);
        let deadline = timing::deadline(&meta, pad, live);

        let mut object = Object::new(location, Vec::new());
        object.source = self.source;
        object.content_type = content_type;
        object.fec = session.own_fec(pad.own_fec().described(&meta)?)?;
        object.content_encoding =
            meta.content_encoding.as_deref().and_then(encoding_of_name).or(pad.content_encoding.of_objects());
        object.is_encoded = meta.encoded;
        object.content_length = meta.content_length.filter(|_| meta.encoded);
        object.md5 = session.md5 || pad.md5 || meta.md5.is_some() || self.is_file && session.md5_files;
        // A live source, such as a flutedirsrc that watches, sends the new version itself.
        object.on_change = if origin.is_live { OnChange::Withdraw } else { OnChange::SendAgain };
        object.etag = meta.etag;
        object.cache_control = meta.cache_control.or(pad.cache_control()?);
        object.groups = if meta.groups.is_empty() { pad.group.iter().cloned().collect() } else { meta.groups };
        meta.extensions.describe(&mut object);
        object.toi = meta.toi;
        object.priority = meta.priority.unwrap_or(pad.priority);
        object.carousel = carousel;
        object.start = meta.start_time.map(timing::utc);
        object.deadline = deadline;
        Ok(object)
    }
}

fn name(kind: Kind, origin: &Origin, pad: &mut PadSettings, location: Option<&str>) -> String {
    let upstream = origin.name.as_deref().map(Pattern::new);
    // The name of one file is not that of many objects.
    let upstream = upstream.filter(|pattern| kind == Kind::Whole || pattern.is_counted());
    let pattern = match (pad.location.as_deref().or(location), upstream) {
        (Some(location), _) => Pattern::new(location),
        (None, Some(upstream)) => upstream,
        (None, None) => Pattern::new("object-%05d"),
    };
    if kind == Kind::Initialisation {
        return pad.init_location.clone().unwrap_or_else(|| pattern.initialisation());
    }
    let name = pattern.name(pad.index);
    if pattern.is_counted() {
        pad.index = pad.index.wrapping_add(1);
    }
    name
}

/// The encoding of a `content-encoding` in the meta.
fn encoding_of_name(name: &str) -> Option<ContentEncoding> {
    match name.to_ascii_lowercase().as_str() {
        "none" | "identity" => Some(ContentEncoding::Null),
        // The deflate of HTTP is ZLIB (RFC 2616 §3.5).
        "zlib" | "deflate" => Some(ContentEncoding::Zlib),
        "gzip" | "x-gzip" => Some(ContentEncoding::Gzip),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flute_proto::Time;
    use flute_proto::sender::Deadline;

    use super::*;

    fn part(kind: Kind, meta: Option<ObjectMeta>) -> Collected {
        Collected { source: Box::new(vec![1u8, 2, 3]), kind, is_file: false, duration: None, meta: meta.map(Box::new) }
    }

    fn origin(name: Option<&str>, caps: Option<&str>) -> Origin {
        gst::init().unwrap();
        Origin { name: name.map(str::to_owned), caps: caps.map(|caps| caps.parse().unwrap()), is_live: false }
    }

    fn location(part: Collected, origin: &Origin, pad: &mut PadSettings) -> String {
        part.into_object(origin, pad, &Settings::default()).unwrap().location
    }

    #[test]
    fn the_first_name_that_is_set() {
        let mut pad = PadSettings::default();
        let upstream = origin(Some("movie.mp4"), None);
        assert_eq!(location(part(Kind::Whole, None), &upstream, &mut pad), "movie.mp4");
        assert_eq!(location(part(Kind::Part, None), &upstream, &mut pad), "object-00000");
        let counted = origin(Some("f%02d.ts"), None);
        assert_eq!(location(part(Kind::Part, None), &counted, &mut pad), "f01.ts");
        pad.location = Some("seg_%05d.m4s".into());
        assert_eq!(location(part(Kind::Whole, None), &upstream, &mut pad), "seg_00002.m4s");
        assert_eq!(location(part(Kind::Initialisation, None), &upstream, &mut pad), "seg_init.m4s");
        pad.init_location = Some("init.mp4".into());
        assert_eq!(location(part(Kind::Initialisation, None), &upstream, &mut pad), "init.mp4");
        let meta = ObjectMeta { content_location: Some("a%20b/c.ts".into()), ..Default::default() };
        assert_eq!(location(part(Kind::Part, Some(meta)), &upstream, &mut pad), "a%20b/c.ts");
        assert_eq!(pad.index, 3, "only a counted name counts");
    }

    #[test]
    fn the_first_content_type_that_is_known() {
        let content_type = |part: Collected, caps: Option<&str>, pad: &mut PadSettings| {
            part.into_object(&origin(Some("movie.webm"), caps), pad, &Settings::default()).unwrap().content_type
        };
        let mut pad = PadSettings::default();
        let whole = || part(Kind::Whole, None);
        assert_eq!(content_type(whole(), None, &mut pad).as_deref(), Some("video/webm"));
        assert_eq!(content_type(whole(), Some("video/mpegts"), &mut pad).as_deref(), Some("video/mp2t"));
        pad.content_type = Some("a/b".into());
        assert_eq!(content_type(whole(), Some("video/mpegts"), &mut pad).as_deref(), Some("a/b"));
        let meta = ObjectMeta { content_type: Some("c/d".into()), ..Default::default() };
        assert_eq!(content_type(part(Kind::Part, Some(meta)), None, &mut pad).as_deref(), Some("c/d"));
    }

    #[test]
    fn the_meta_goes_before_the_pad() {
        let mut pad = PadSettings { priority: 1, ..Default::default() };
        let mut object =
            |meta| part(Kind::Part, meta).into_object(&origin(None, None), &mut pad, &Settings::default()).unwrap();
        assert_eq!(object(None).priority, 1);
        let meta = ObjectMeta {
            priority: Some(9),
            start_time: Some(gst::ClockTime::from_seconds(4_000_000_000)),
            content_encoding: Some("gzip".into()),
            ..Default::default()
        };
        let object = object(Some(meta));
        assert_eq!(object.priority, 9);
        assert_eq!(object.start, Some(Time::from_unix(Duration::from_secs(4_000_000_000))));
        assert_eq!(object.content_encoding, Some(ContentEncoding::Gzip));
    }

    #[test]
    fn what_receivers_need_first_is_repeated_and_media_are_spread() {
        let object = |kind, name: &str, bytes: &[u8], is_live| {
            let collected = Collected {
                source: Box::new(bytes.to_vec()),
                duration: Some(gst::ClockTime::from_seconds(2)),
                ..part(kind, None)
            };
            let mut pad = PadSettings { location: Some(name.into()), init_location: None, ..Default::default() };
            let origin = Origin { is_live, ..origin(None, None) };
            collected.into_object(&origin, &mut pad, &Settings::default()).unwrap()
        };
        let init = b"\0\0\0\x08ftyp\0\0\0\x0amoovxx";
        let media = b"\0\0\0\x08moof\0\0\0\x0amdatxx";
        let is_repeated = |object: &Object| object.carousel.transfers.is_none();
        for (kind, name, bytes) in [
            (Kind::Part, "live.mpd", &b"<MPD/>"[..]),
            (Kind::Whole, "hls/live.m3u8", b"#EXTM3U"),
            (Kind::Part, "video/init.mp4", init),
            (Kind::Initialisation, "anything", init),
        ] {
            assert!(is_repeated(&object(kind, name, bytes, true)), "{name}");
        }
        assert!(!is_repeated(&object(Kind::Part, "file.bin", init, true)), "it is not said to be MP4");
        let within = Some(Deadline::Within(Duration::from_secs(2)));
        let segment = object(Kind::Part, "seg_1.m4s", media, true);
        assert_eq!((is_repeated(&segment), segment.deadline), (false, within));
        assert_eq!(object(Kind::Part, "seg_1.m4s", media, false).deadline, None, "a file has no time of its own");
        assert_eq!(object(Kind::Part, "live.mpd", b"<MPD/>", true).deadline, None);
    }

    #[test]
    fn files_are_not_read_into_memory() {
        gst::init().unwrap();
        crate::object_meta::register();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        std::fs::write(&path, b"from the file").unwrap();
        let with_file = |bytes: &'static [u8], path: &std::path::Path| {
            let mut buffer = gst::Buffer::from_slice(bytes);
            let file = Some(path.to_str().unwrap().to_owned());
            ObjectMeta { file, ..Default::default() }.put_on(buffer.get_mut().unwrap());
            one_buffer(buffer)
        };
        assert_eq!(with_file(b"", &path).unwrap().source.len(), 13);
        let gone = folder.path().join("gone");
        assert_eq!(with_file(b"bytes", &gone).unwrap().source.as_slice(), Some(&b"bytes"[..]));
        let error = with_file(b"", &gone).unwrap_err().to_string();
        assert!(error.contains("gone"), "{error}");
    }
}
