// SPDX-License-Identifier: MPL-2.0

//! Content decoding that is paid for: what comes out is charged before it is kept, and what it takes to decode is counted
//! as work.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use super::budget::Budget;
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
/// Room that content begins with whose length is not announced.
const FIRST_ROOM: u64 = 64 * 1024;

/// A decoder, and where its output goes.
#[derive(Debug)]
pub(super) struct Decoding {
    decoder: Decoder<Output>,
    /// Bytes of memory that are charged for the decoder and its output.
    charged: u64,
}

impl Decoding {
    /// Begins to decode.
    pub(super) fn new(encoding: ContentEncoding, output: Output, limits: DecodeLimits) -> Self {
        Self { decoder: Decoder::new(encoding, output, limits), charged: 0 }
    }

    /// Takes the first of `bytes`; returns how many.
    pub(super) fn write(&mut self, bytes: &[u8], budget: &mut Budget, work: &mut Work) -> Result<usize, DecodeError> {
        let bytes = &bytes[..bytes.len().min(STEP)];
        if self.charged == 0 {
            budget.charge(DECODER_MEMORY).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            self.charged = DECODER_MEMORY;
        }
        // What comes out may take all that is left; what it does not take is not charged.
        let (written, kept) = (self.decoder.written(), self.decoder.sink().charged);
        self.decoder.sink_mut().available = budget.available();
        let decoded = self.decoder.write(bytes);
        work.spend(BYTE_IN * bytes.len() as u64 + BYTE_OUT * (self.decoder.written() - written));
        let after = self.decoder.sink().charged;
        budget.release(kept);
        let fits = budget.charge(after);
        debug_assert!(fits.is_ok());
        self.charged = self.charged - kept + after;
        decoded.map(|()| bytes.len())
    }

    /// Bytes of memory that are charged.
    pub(super) fn charged(&self) -> u64 {
        self.charged
    }

    /// Ends the input. What is charged stays so.
    pub(super) fn finish(self) -> Result<Output, DecodeError> {
        self.decoder.finish()
    }
}

/// Whether decoding ended for want of memory.
pub(super) fn is_out_of_memory(error: &DecodeError) -> bool {
    matches!(error, DecodeError::Sink(error) if error.kind() == io::ErrorKind::OutOfMemory)
}

/// Where decoded content goes: memory, and from a certain length on a spool file.
#[derive(Debug)]
pub(super) struct Output {
    place: Place,
    spool: Option<(PathBuf, u64)>,
    /// Length of the content, as it is announced.
    announced: u64,
    /// Bytes of memory that may still be taken.
    available: u64,
    /// Bytes of memory that are taken.
    charged: u64,
    pub(super) digest: Option<Digester>,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    File { file: File, length: u64 },
}

impl Output {
    /// Content of a length that is announced, or not. It goes to a spool file if it becomes longer than what is said beside
    /// the folder for it.
    pub(super) fn new(announced: Option<u64>, spool: Option<(PathBuf, u64)>, digest: Option<Digester>) -> Self {
        let place = Place::Memory(Vec::new());
        Self { place, spool, announced: announced.unwrap_or(FIRST_ROOM), available: 0, charged: 0, digest }
    }

    /// The content, its memory no longer counted.
    pub(super) fn into_content(self) -> Content {
        match self.place {
            Place::Memory(mut bytes) => {
                bytes.shrink_to_fit();
                Content::Memory(bytes)
            }
            Place::File { file, length } => Content::File { file, length },
        }
    }

    /// Makes room for `more` bytes in memory. While they are moved the bytes are there twice.
    fn reserve(&mut self, more: usize) -> io::Result<()> {
        let Place::Memory(content) = &mut self.place else { return Ok(()) };
        let needed = (content.len() + more) as u64;
        if needed <= self.charged {
            return Ok(());
        }
        let wanted = if self.charged == 0 { self.announced } else { 2 * self.charged };
        let room = wanted.min(self.available).max(needed);
        if room > self.available {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        content.reserve_exact(room as usize - content.len());
        self.available = self.available + self.charged - room;
        self.charged = room;
        Ok(())
    }

    /// Moves what is in memory to a file, if it is to become longer than what may stay there.
    fn spill(&mut self, more: usize) -> io::Result<()> {
        if let (Place::Memory(content), Some((folder, threshold))) = (&self.place, &self.spool)
            && (content.len() + more) as u64 > *threshold
        {
            let mut file = tempfile::tempfile_in(folder)?;
            file.write_all(content)?;
            self.place = Place::File { file, length: content.len() as u64 };
            self.available += std::mem::take(&mut self.charged);
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        self.spill(bytes.len())?;
        self.reserve(bytes.len())?;
        match &mut self.place {
            Place::Memory(content) => content.extend_from_slice(bytes),
            Place::File { file, length } => {
                file.write_all(bytes)?;
                *length += bytes.len() as u64;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
