// SPDX-License-Identifier: MPL-2.0

//! A completed object, as all who want it share it.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use flute_proto::Time;
use flute_proto::fdt::CacheControl;
use flute_proto::receiver::{Content, ObjectInfo};

use crate::{boxes, media_type};

/// What an object counts besides its content: with its description and its place in the tables.
const OVERHEAD: u64 = 1 << 10;

/// What a file counts that holds content: there are not many descriptors in a process.
const FILE_WEIGHT: u64 = 1 << 20;

/// Initialisation segments are not longer than this.
const MAX_INITIALISATION: usize = 1 << 20;

/// A completed object.
#[derive(Debug)]
pub(crate) struct Stored {
    info: Arc<ObjectInfo>,
    content: Content,
}

/// A part of an object that is in memory.
#[derive(Debug)]
pub(crate) struct Slice {
    object: Arc<Stored>,
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
pub(crate) enum Piece {
    /// They lie in memory already.
    Shared(Slice),
    /// They were read from a file.
    Read(Vec<u8>),
}

impl Stored {
    pub(super) fn new(info: Arc<ObjectInfo>, content: Content) -> Self {
        Self { info, content }
    }

    pub(crate) fn info(&self) -> &Arc<ObjectInfo> {
        &self.info
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match &self.content {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::File { length, .. } => *length,
            Content::Delivered => 0,
        }
    }

    /// Bytes from `offset` on, `length` of them at most.
    pub(crate) fn piece(self: &Arc<Self>, offset: u64, length: usize) -> io::Result<Piece> {
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
    pub(super) fn weight(&self) -> u64 {
        let content = match &self.content {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::File { .. } => FILE_WEIGHT,
            Content::Delivered => 0,
        };
        OVERHEAD + self.info.location().len() as u64 + content
    }

    /// When it is stale (`Cache-Control`, TS 26.346 7.2.10), by the clock of its sender.
    pub(super) fn expires(&self, now: Time) -> Option<Time> {
        match self.info.file.cache_control? {
            CacheControl::Expires(seconds) => Some(Time::from_ntp_seconds(seconds, now)),
            CacheControl::NoCache | CacheControl::MaxStale => None,
        }
    }

    /// Whether it is needed all the time, as manifests and initialisation segments are.
    pub(super) fn is_lasting(&self) -> bool {
        let caps = media_type::caps_of_object(self.info.file.content_type.as_deref(), self.info.location());
        let is_manifest = caps.as_ref().and_then(|caps| caps.structure(0)).is_some_and(|structure| {
            ["application/dash+xml", "application/x-hls", "application/vnd.ms-sstr+xml"]
                .contains(&structure.name().as_str())
        });
        let is_initialisation = || match &self.content {
            Content::Memory(bytes) => bytes.len() <= MAX_INITIALISATION && boxes::is_initialisation(bytes),
            Content::File { .. } | Content::Delivered => false,
        };
        is_manifest || is_initialisation()
    }
}
