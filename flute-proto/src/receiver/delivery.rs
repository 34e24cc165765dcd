// SPDX-License-Identifier: MPL-2.0

//! From a complete transport object to its content: the digest is checked and the content encoding taken off, as a
//! stream, in slices that bound how long one call takes.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::budget::Budget;
use super::decoding::{Decoding, Output, is_out_of_memory};
use super::event::{Content, Failure, Limit, ObjectInfo};
use super::store::Store;
use crate::content::{ContentEncoding, DecodeError, DecodeLimits, DigestAlgorithm, Digester};
use crate::work::Work;

/// Bytes that are read of a transport object at a time.
const SLICE: usize = 16 * 1024;
/// Work of a delivery besides its bytes.
const DELIVERY: u64 = 1000;
/// Work of a byte that is hashed, SHA-256 without the instructions for it being the slowest; and of one that is read from
/// a file.
const HASHED: u64 = 2;
const READ: u64 = 1;

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
    decoding: Option<Decoding>,
}

/// How content is bounded, and where it goes.
#[derive(Clone, Debug)]
pub(super) struct DeliveryLimits {
    /// Bytes of content, 0 for any number.
    pub(super) max_size: u64,
    /// Bytes of content per byte of the object.
    pub(super) max_expansion: u32,
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
        let decoding = is_encoded.then(|| {
            let max_size = if limits.max_size == 0 { u64::MAX } else { limits.max_size };
            let spool = limits.spool_directory.clone().map(|folder| (folder, limits.spool_threshold));
            let digest = announced.as_ref().map(|(algorithm, _)| Digester::new(*algorithm));
            let output = Output::new(info.file.content_length, spool, digest);
            Decoding::new(encoding, output, DecodeLimits { max_size, max_ratio: limits.max_expansion })
        });
        let digest = announced.map(|(algorithm, value)| (Digester::new(algorithm), value));
        let charged = transport.memory_use();
        Self { info, transport, position: 0, charged, digest, decoding }
    }

    /// Goes on until it comes to an end, or the work does. The content or the failure, at the end; its memory is no longer
    /// charged then.
    pub(super) fn proceed(&mut self, budget: &mut Budget, work: &mut Work) -> Option<Result<Content, Failure>> {
        work.spend(DELIVERY);
        if self.digest.is_some() || self.decoding.is_some() {
            while self.position < self.transport.len() {
                if work.is_exhausted() {
                    return None;
                }
                if let Err(failure) = self.slice(budget, work) {
                    self.release(budget);
                    return Some(Err(failure));
                }
            }
        }
        self.release(budget);
        Some(self.finish())
    }

    /// Takes what is kept off the budget.
    pub(super) fn release(&mut self, budget: &mut Budget) {
        let decoding = self.decoding.as_ref().map_or(0, Decoding::charged);
        budget.release(std::mem::take(&mut self.charged) + decoding);
    }

    /// Passes the next bytes on.
    fn slice(&mut self, budget: &mut Budget, work: &mut Work) -> Result<(), Failure> {
        let length = (self.transport.len() - self.position).min(SLICE as u64) as usize;
        let mut buffer = [0; SLICE];
        let mut bytes = match self.transport.slice(self.position, length) {
            Some(bytes) => bytes,
            None => {
                work.spend(READ * length as u64);
                let buffer = &mut buffer[..length];
                self.transport.read(self.position, buffer).map_err(spool_failure)?;
                buffer
            }
        };
        if let Some(decoding) = &mut self.decoding {
            let mut taken = decoding.write(bytes, budget, work).map_err(decode_failure)?;
            while taken < bytes.len() && !work.is_exhausted() {
                taken += decoding.write(&bytes[taken..], budget, work).map_err(decode_failure)?;
            }
            bytes = &bytes[..taken];
        }
        if let Some((digester, _)) = &mut self.digest {
            digester.update(bytes);
            work.spend(HASHED * bytes.len() as u64);
        }
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn finish(&mut self) -> Result<Content, Failure> {
        let expected = self.digest.take().map(|(digester, value)| (digester.finish() == value, value));
        let Some(decoding) = self.decoding.take() else {
            if let Some((false, _)) = expected {
                return Err(Failure::Digest);
            }
            let transport = std::mem::replace(&mut self.transport, Store::empty());
            return Ok(transport.into_content());
        };
        let mut output = decoding.finish().map_err(decode_failure)?;
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
        DecodeError::TooDense(_) => Failure::Limit(Limit::Expansion),
        error if is_out_of_memory(&error) => Failure::Limit(Limit::Memory),
        DecodeError::Sink(error) => spool_failure(error),
        other => Failure::Content(other.to_string()),
    }
}
