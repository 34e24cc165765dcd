// SPDX-License-Identifier: MPL-2.0

//! Content decoding that is paid for: what comes out is charged before it is kept, and what it takes to decode is counted
//! as work.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use bytes::Bytes;

use super::budget::Budget;
use super::destination::OpenWriter;
use super::event::Content;
use crate::content::{ContentEncoding, DecodeError, DecodeLimits, Decoder, Digester};
use crate::work::Work;

/// Memory of a decoder: the window and the tables of DEFLATE, and a buffer for what comes out.
const DECODER_MEMORY: u64 = 96 * 1024;
/// Bytes that are taken in at a time: a thousand times as many may come out.
const STEP: usize = 1024;
/// Work of a byte that comes out, hashed and kept; and of one that goes in: it may be one of many short blocks, each with
/// its own tables.
const BYTE_OUT: u64 = 3;
const BYTE_IN: u64 = 32;
/// Space that content begins with whose length is not announced.
const FIRST_SPACE: u64 = 64 * 1024;

/// A decoder, and where its output goes.
#[derive(Debug)]
pub(super) struct ContentDecoding {
    decoder: Decoder<ContentSink>,
    is_encoded: bool,
    /// Bytes of memory that are charged for the decoder and its output.
    charged: u64,
}

impl ContentDecoding {
    /// Begins to decode.
    pub(super) fn new(encoding: ContentEncoding, sink: ContentSink, limits: DecodeLimits) -> Self {
        let is_encoded = encoding != ContentEncoding::Null;
        Self { decoder: Decoder::new(encoding, sink, limits), is_encoded, charged: 0 }
    }

    /// Takes the first of `bytes`; returns how many.
    pub(super) fn write(&mut self, bytes: &[u8], budget: &mut Budget, work: &mut Work) -> Result<usize, DecodeError> {
        let bytes = if self.is_encoded { &bytes[..bytes.len().min(STEP)] } else { bytes };
        if self.is_encoded && self.charged == 0 {
            budget.charge(DECODER_MEMORY).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            self.charged = DECODER_MEMORY;
        }
        // What comes out may take all that is left; what it does not take is not charged.
        let (written, before) = (self.decoder.written(), self.decoder.sink().charged);
        self.decoder.sink_mut().available = budget.available();
        let decoded = self.decoder.write(bytes);
        let cost = if self.is_encoded { BYTE_IN } else { 0 };
        work.spend(cost * bytes.len() as u64 + BYTE_OUT * (self.decoder.written() - written));
        let after = self.decoder.sink().charged;
        budget.release(before);
        let fits = budget.charge(after);
        debug_assert!(fits.is_ok());
        self.charged = self.charged - before + after;
        decoded?;
        if self.is_encoded {
            self.decoder.sink_mut().take_encoded(bytes)?;
        }
        Ok(bytes.len())
    }

    /// Bytes of memory that are charged.
    pub(super) fn charged(&self) -> u64 {
        self.charged
    }

    /// Bytes of content so far.
    pub(super) fn written(&self) -> u64 {
        self.decoder.written()
    }

    /// Ends the input. What is charged stays so.
    pub(super) fn finish(self) -> Result<ContentSink, DecodeError> {
        self.decoder.finish()
    }
}

/// Whether decoding ended for want of memory.
pub(super) fn is_out_of_memory(error: &DecodeError) -> bool {
    matches!(error, DecodeError::Sink(error) if error.kind() == io::ErrorKind::OutOfMemory)
}

/// Takes content in order.
#[derive(Debug)]
pub(super) struct ContentSink {
    target: Target,
    /// Content longer than this goes to a file in this folder rather than to memory.
    spool: Option<(PathBuf, u64)>,
    /// Length of the content, as it is announced.
    announced: u64,
    /// Bytes of memory that may still be taken.
    available: u64,
    /// Bytes of memory that are taken.
    charged: u64,
    digest: Option<Digester>,
}

#[derive(Debug)]
enum Target {
    Memory(Vec<u8>),
    File { file: File, length: u64 },
    Writer { writer: OpenWriter, length: u64 },
    Nothing,
}

impl ContentSink {
    fn new(target: Target) -> Self {
        Self { target, spool: None, announced: FIRST_SPACE, available: 0, charged: 0, digest: None }
    }

    /// Content in memory, of a length that is announced, or not.
    pub(super) fn memory(announced: Option<u64>) -> Self {
        Self { announced: announced.unwrap_or(FIRST_SPACE), ..Self::new(Target::Memory(Vec::new())) }
    }

    /// Content in memory that goes to a file without a name in `folder` if it becomes longer than `threshold`.
    pub(super) fn spooled(announced: Option<u64>, folder: PathBuf, threshold: u64) -> Self {
        Self { spool: Some((folder, threshold)), ..Self::memory(announced) }
    }

    /// Content in a file, from its start.
    pub(super) fn file(file: File) -> Self {
        Self::new(Target::File { file, length: 0 })
    }

    /// Content that is handed on.
    pub(super) fn writer(writer: OpenWriter) -> Self {
        Self::new(Target::Writer { writer, length: 0 })
    }

    /// Content that is dropped.
    pub(super) fn nothing() -> Self {
        Self::new(Target::Nothing)
    }

    /// Computes a digest of the content.
    pub(super) fn with_digest(mut self, digest: Option<Digester>) -> Self {
        self.digest = digest;
        self
    }

    /// The digest of the content, if it was to be computed.
    pub(super) fn take_digest(&mut self) -> Option<Vec<u8>> {
        self.digest.take().map(Digester::finish)
    }

    /// The complete content, its memory no longer counted.
    pub(super) fn into_content(self) -> io::Result<Content> {
        Ok(match self.target {
            Target::Memory(mut bytes) => {
                bytes.shrink_to_fit();
                Content::Memory(Bytes::from(bytes))
            }
            Target::File { file, length } => {
                file.set_len(length)?;
                Content::File { file, length }
            }
            Target::Writer { writer, length } => {
                writer.complete(length)?;
                Content::Delivered
            }
            Target::Nothing => Content::Delivered,
        })
    }

    /// Hands on what was decoded.
    fn take_encoded(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.target {
            Target::Writer { writer, .. } => writer.take_encoded(bytes),
            Target::Memory(_) | Target::File { .. } | Target::Nothing => Ok(()),
        }
    }

    /// Makes space for `more` bytes in memory. While they are moved the bytes are there twice.
    fn reserve(&mut self, more: usize) -> io::Result<()> {
        let Target::Memory(content) = &mut self.target else { return Ok(()) };
        let needed = (content.len() + more) as u64;
        if needed <= self.charged {
            return Ok(());
        }
        let wanted = if self.charged == 0 { self.announced } else { 2 * self.charged };
        let space = wanted.min(self.available).max(needed);
        if space > self.available {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        content.reserve_exact(space as usize - content.len());
        self.available = self.available + self.charged - space;
        self.charged = space;
        Ok(())
    }

    /// Moves what is in memory to a file, if it is to become longer than what may stay there.
    fn spill(&mut self, more: usize) -> io::Result<()> {
        if let (Target::Memory(content), Some((folder, threshold))) = (&self.target, &self.spool)
            && (content.len() + more) as u64 > *threshold
        {
            let mut file = tempfile::tempfile_in(folder)?;
            file.write_all(content)?;
            self.target = Target::File { file, length: content.len() as u64 };
            self.available += std::mem::take(&mut self.charged);
        }
        Ok(())
    }
}

impl Write for ContentSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        self.spill(bytes.len())?;
        self.reserve(bytes.len())?;
        match &mut self.target {
            Target::Memory(content) => content.extend_from_slice(bytes),
            Target::File { file, length } => {
                file.write_all(bytes)?;
                *length += bytes.len() as u64;
            }
            Target::Writer { writer, length } => {
                writer.write_at(*length, bytes)?;
                *length += bytes.len() as u64;
            }
            Target::Nothing => {}
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
