// SPDX-License-Identifier: MPL-2.0

//! What must be known of an object before it can be described: its content encoded, its digest.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use tempfile::{SpooledData, SpooledTempFile};

use super::block::failure;
use super::config::SenderConfig;
use super::event::Failure;
use super::outline::Outline;
use super::source::{FileSource, Source};
use crate::content::{ContentEncoding, DigestAlgorithm, Digester, Encoder};
use crate::work::Work;

/// Bytes read at a time: encoding them takes a fraction of a millisecond.
const STEP: usize = 32 << 10;
/// Encoded content that is longer goes into a temporary file.
const MAX_IN_MEMORY: usize = 1 << 20;

/// Reads an object once, on a budget.
pub(super) struct Preparation {
    offset: u64,
    encoder: Option<Encoder<Sink>>,
    digester: Option<Digester>,
    buffer: Vec<u8>,
}

/// Encoded content on its way into memory or into a temporary file, past the digest.
struct Sink {
    spool: SpooledTempFile,
    digester: Option<Digester>,
}

/// How far a preparation got.
pub(super) enum Outcome {
    /// Everything has been read.
    Done {
        /// The encoded content, to be sent instead of the source.
        encoded: Option<Box<dyn Source>>,
        /// MD5 of the transport object, or of the content.
        md5: Option<[u8; 16]>,
    },
    /// The source does not have the bytes yet.
    Starved,
    /// The poll has done enough work.
    Busy,
}

impl Preparation {
    /// `None` if there is nothing to do.
    pub(super) fn new(outline: &Outline, config: &SenderConfig) -> Option<Self> {
        let encoding = outline.encoding;
        let digester = outline.md5.then(|| Digester::new(DigestAlgorithm::Md5));
        let (encoder, digester) = match (encoding, digester) {
            (ContentEncoding::Null, None) => return None,
            (ContentEncoding::Null, digester) => (None, digester),
            (encoding, digester) => {
                let spool = match &config.spool_directory {
                    Some(directory) => SpooledTempFile::new_in(MAX_IN_MEMORY, directory),
                    None => SpooledTempFile::new(MAX_IN_MEMORY),
                };
                let (of_content, of_transport) =
                    if config.md5_of_content { (digester, None) } else { (None, digester) };
                (Some(Encoder::new(encoding, Sink { spool, digester: of_transport })), of_content)
            }
        };
        Some(Self { offset: 0, encoder, digester, buffer: Vec::new() })
    }

    /// Goes on as far as there are bytes and `work` lasts.
    pub(super) fn advance(&mut self, source: &dyn Source, work: &mut Work) -> Result<Outcome, Failure> {
        let length = source.len();
        while self.offset < length {
            if work.is_exhausted() {
                return Ok(Outcome::Busy);
            }
            let step = (source.available().min(length) - self.offset).min(STEP as u64) as usize;
            if step == 0 {
                return Ok(Outcome::Starved);
            }
            self.buffer.resize(step, 0);
            source.read_at(self.offset, &mut self.buffer).map_err(|error| failure(error, self.offset, length))?;
            if let Some(digester) = &mut self.digester {
                digester.update(&self.buffer);
            }
            if let Some(encoder) = &mut self.encoder {
                encoder.write_all(&self.buffer).map_err(spooling)?;
            }
            self.offset += step as u64;
            // Digests are slower than making repair symbols, and encoding is much slower.
            work.spend(step as u64 * if self.encoder.is_some() { 16 } else { 4 });
        }
        match source.has_changed() {
            Ok(false) => self.finish().map_err(spooling),
            Ok(true) => Err(Failure::SourceChanged { sent_again_as: None }),
            Err(error) => Err(failure(error, self.offset, length)),
        }
    }

    fn finish(&mut self) -> io::Result<Outcome> {
        let mut digester = self.digester.take();
        let encoded = match self.encoder.take() {
            None => None,
            Some(encoder) => {
                let mut sink = encoder.finish()?;
                digester = digester.or(sink.digester.take());
                Some(sink.into_source()?)
            }
        };
        let md5 = digester.and_then(|digester| digester.finish().try_into().ok());
        Ok(Outcome::Done { encoded, md5 })
    }
}

impl Sink {
    fn into_source(self) -> io::Result<Box<dyn Source>> {
        Ok(match self.spool.into_inner() {
            SpooledData::InMemory(cursor) => Box::new(cursor.into_inner()),
            SpooledData::OnDisk(file) => Box::new(FileSource::new(file)?),
        })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.spool.write(bytes)?;
        if let Some(digester) = &mut self.digester {
            digester.update(&bytes[..written]);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spool.flush()
    }
}

fn spooling(error: io::Error) -> Failure {
    Failure::Spool(Arc::new(error))
}

impl fmt::Debug for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preparation").field("offset", &self.offset).finish_non_exhaustive()
    }
}
