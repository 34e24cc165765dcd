// SPDX-License-Identifier: MPL-2.0

//! A completed object, shared by all that read it.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use flute_media::boxes;
use flute_proto::Time;
use flute_proto::fdt::CacheControl;
use flute_proto::receiver::{Content, ObjectInfo};

/// What an object counts besides its content: with its description and its place in the tables.
const OVERHEAD: u64 = 1 << 10;

/// What a file counts that holds content: there are not many descriptors in a process.
const FILE_WEIGHT: u64 = 1 << 20;

/// How long an object is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// All the time, as manifests and initialisation segments are.
    Lasting,
    /// Once, as media segments are.
    Media,
}

/// Initialisation segments are not longer than this.
const MAX_INITIALISATION: usize = 1 << 20;

impl Retention {
    /// How long this object is needed: manifests and initialisation segments all the time.
    pub fn of(info: &ObjectInfo, content: &Content) -> Self {
        let is_initialisation = match content {
            Content::Memory(bytes) => bytes.len() <= MAX_INITIALISATION && boxes::is_initialisation(bytes),
            Content::File { .. } | Content::Delivered => false,
        };
        if is_initialisation || flute_media::is_manifest(info.file.content_type.as_deref(), info.location()) {
            Self::Lasting
        } else {
            Self::Media
        }
    }
}

/// A completed object.
#[derive(Debug)]
pub struct StoredObject {
    info: Arc<ObjectInfo>,
    content: Content,
    /// The same in gzip, as its sender sent it.
    gzip: Option<Bytes>,
    retention: Retention,
    received: SystemTime,
}

/// A part of an object that is in memory.
#[derive(Debug)]
pub struct Slice {
    object: Arc<StoredObject>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        match &self.object.content {
            Content::Memory(bytes) => bytes.get(self.range.clone()).unwrap_or_default(),
            Content::File { .. } | Content::Delivered => &[],
        }
    }
}

/// Bytes of an object.
#[derive(Debug)]
pub enum Piece {
    /// They lie in memory already.
    Shared(Slice),
    /// They were read from a file.
    Read(Vec<u8>),
}

impl StoredObject {
    /// An object that was completed at the time `received`.
    pub fn new(info: Arc<ObjectInfo>, content: Content, retention: Retention, received: SystemTime) -> Self {
        Self { info, content, gzip: None, retention, received }
    }

    /// The object came in gzip, and this is how.
    pub(crate) fn with_gzip(self, gzip: Option<Bytes>) -> Self {
        Self { gzip, ..self }
    }

    /// The object in gzip, as its sender sent it, where that is kept.
    pub(crate) fn gzip(&self) -> Option<&Bytes> {
        self.gzip.as_ref()
    }

    /// Its description.
    pub fn info(&self) -> &Arc<ObjectInfo> {
        &self.info
    }

    /// How long it is needed.
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// When it was completed.
    pub fn received(&self) -> SystemTime {
        self.received
    }

    /// Length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "it is a length in bytes, and not a number of items")]
    pub fn len(&self) -> u64 {
        match &self.content {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::File { length, .. } => *length,
            Content::Delivered => 0,
        }
    }

    /// Bytes from `offset` on, `length` of them at most.
    pub fn piece(self: &Arc<Self>, offset: u64, length: usize) -> io::Result<Piece> {
        let start = offset.min(self.len());
        let length = length.min(usize::try_from(self.len() - start).unwrap_or(usize::MAX));
        match &self.content {
            Content::Memory(_) => {
                let start = start as usize;
                Ok(Piece::Shared(Slice { object: self.clone(), range: start..start + length }))
            }
            Content::File { file, .. } => {
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, start)?;
                Ok(Piece::Read(bytes))
            }
            Content::Delivered => Ok(Piece::Read(Vec::new())),
        }
    }

    /// What it counts, about what it takes of the memory.
    pub(crate) fn weight(&self) -> u64 {
        let content = match &self.content {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::File { .. } => FILE_WEIGHT,
            Content::Delivered => 0,
        };
        let gzip = self.gzip.as_ref().map_or(0, |gzip| gzip.len() as u64);
        OVERHEAD + self.info.location().len() as u64 + content + gzip
    }

    /// When it is stale (`Cache-Control`, TS 26.346 7.2.10), by the clock of its sender.
    pub(crate) fn expires(&self, now: Time) -> Option<Time> {
        match self.info.file.cache_control? {
            CacheControl::Expires(seconds) => Some(Time::from_ntp_seconds(seconds, now)),
            CacheControl::NoCache | CacheControl::MaxStale => None,
        }
    }
}
