// SPDX-License-Identifier: MPL-2.0

//! From a complete transport object to its content: the digest is checked and the content encoding taken off, as a
//! stream, in slices that bound how long one call takes.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use super::budget::Budget;
use super::event::{Content, Failure, Limit, ObjectInfo};
use super::store::Store;
use crate::content::{ContentEncoding, DecodeError, DecodeLimits, Decoder, DigestAlgorithm, Digester};

/// Bytes that are read of a transport object at a time.
const SLICE: usize = 16 * 1024;
/// Room that content begins with whose length is not announced.
const FIRST_ROOM: u64 = 64 * 1024;

/// A transport object that becomes content.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) info: Arc<ObjectInfo>,
    transport: Store,
    position: u64,
    /// Bytes of memory that are charged for what is here.
    charged: u64,
    /// The digest that was announced, while it may be that of the transport object.
    digest: Option<(Digester, Vec<u8>)>,
    decoder: Option<Decoder<Output>>,
}

/// How content is bounded, and where it goes.
#[derive(Clone, Debug)]
pub(super) struct DeliveryLimits {
    /// Bytes of content, 0 for any number.
    pub(super) max_size: u64,
    /// Where content longer than `spool_threshold` goes.
    pub(super) spool_directory: Option<PathBuf>,
    pub(super) spool_threshold: u64,
}

impl Delivery {
    /// Begins with a complete transport object, the memory of which is charged.
    pub(super) fn new(
        info: Arc<ObjectInfo>,
        transport: Store,
        encoding: ContentEncoding,
        limits: &DeliveryLimits,
    ) -> Self {
        let announced = announced_digest(&info);
        // An empty object is empty content, even where its encoding would have a header.
        let is_encoded = encoding != ContentEncoding::Null && transport.len() > 0;
        let decoder = is_encoded.then(|| {
            let max_size = if limits.max_size == 0 { u64::MAX } else { limits.max_size };
            let output = Output {
                place: Place::Memory(Vec::new()),
                spool: limits.spool_directory.clone().map(|folder| (folder, limits.spool_threshold)),
                announced: info.file.content_length.unwrap_or(FIRST_ROOM),
                available: 0,
                charged: 0,
                digest: announced.as_ref().map(|(algorithm, _)| Digester::new(*algorithm)),
            };
            Decoder::new(encoding, output, DecodeLimits { max_size, ..DecodeLimits::default() })
        });
        let digest = announced.map(|(algorithm, value)| (Digester::new(algorithm), value));
        let charged = transport.memory_use();
        Self { info, transport, position: 0, charged, digest, decoder }
    }

    /// Goes on, for about `work` bytes of input and output, which are subtracted. The content or the failure, when it
    /// comes to an end; its memory is no longer charged then.
    pub(super) fn proceed(&mut self, work: &mut u64, budget: &mut Budget) -> Option<Result<Content, Failure>> {
        if self.digest.is_some() || self.decoder.is_some() {
            while self.position < self.transport.len() {
                if *work == 0 {
                    return None;
                }
                match self.slice(budget) {
                    Ok(done) => *work = work.saturating_sub(done),
                    Err(failure) => {
                        self.release(budget);
                        return Some(Err(failure));
                    }
                }
            }
        }
        self.release(budget);
        Some(self.finish())
    }

    /// Takes what is kept off the budget.
    fn release(&mut self, budget: &mut Budget) {
        budget.release(std::mem::take(&mut self.charged));
    }

    /// Passes the next bytes on; returns how much work it was.
    fn slice(&mut self, budget: &mut Budget) -> Result<u64, Failure> {
        let length = (self.transport.len() - self.position).min(SLICE as u64) as usize;
        let mut buffer = [0; SLICE];
        let bytes = match self.transport.slice(self.position, length) {
            Some(bytes) => bytes,
            None => {
                let buffer = &mut buffer[..length];
                self.transport.read(self.position, buffer).map_err(spool_failure)?;
                buffer
            }
        };
        if let Some((digester, _)) = &mut self.digest {
            digester.update(bytes);
        }
        let mut work = length as u64;
        if let Some(decoder) = &mut self.decoder {
            // What a slice becomes may take all that is left; what it does not take is not charged.
            let before = (decoder.written(), decoder.sink().charged);
            decoder.sink_mut().available = budget.available();
            let decoded = decoder.write(bytes);
            work += decoder.written() - before.0;
            let after = decoder.sink().charged;
            self.charged = self.charged - before.1 + after;
            budget.release(before.1);
            let fits = budget.charge(after);
            debug_assert!(fits.is_ok());
            decoded.map_err(decode_failure)?;
        }
        self.position += length as u64;
        Ok(work)
    }

    fn finish(&mut self) -> Result<Content, Failure> {
        let expected = self.digest.take().map(|(digester, value)| (digester.finish() == value, value));
        let Some(decoder) = self.decoder.take() else {
            if let Some((false, _)) = expected {
                return Err(Failure::Digest);
            }
            let transport = std::mem::replace(&mut self.transport, Store::empty());
            return Ok(transport.into_content());
        };
        let mut output = decoder.finish().map_err(decode_failure)?;
        // Content-MD5 is that of the transport object (TS 26.346 7.2.9), and some senders write that of the file.
        if let Some((false, value)) = expected
            && output.digest.take().is_none_or(|digester| digester.finish() != value)
        {
            return Err(Failure::Digest);
        }
        Ok(output.into_content())
    }
}

/// The digest that is announced of an object: `Content-MD5`, or a `Content-Digest` (TS 103 769 F.2.3) that is known.
fn announced_digest(info: &ObjectInfo) -> Option<(DigestAlgorithm, Vec<u8>)> {
    let md5 = info.file.content_md5.map(|md5| (DigestAlgorithm::Md5, md5.to_vec()));
    md5.or_else(|| {
        let digest = info.file.content_digest.as_ref()?;
        Some((DigestAlgorithm::from_name(&digest.algorithm)?, digest.value.clone()))
    })
}

fn spool_failure(error: io::Error) -> Failure {
    Failure::Spool(Arc::new(error))
}

fn decode_failure(error: DecodeError) -> Failure {
    match error {
        DecodeError::TooLong(_) => Failure::Limit(Limit::ObjectSize),
        DecodeError::Sink(error) if error.kind() == io::ErrorKind::OutOfMemory => Failure::Limit(Limit::Memory),
        DecodeError::Sink(error) => spool_failure(error),
        other => Failure::Content(other.to_string()),
    }
}

/// Where decoded content goes: memory, and from a certain length on a spool file.
#[derive(Debug)]
struct Output {
    place: Place,
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
enum Place {
    Memory(Vec<u8>),
    File { file: File, length: u64 },
}

impl Output {
    fn into_content(self) -> Content {
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
