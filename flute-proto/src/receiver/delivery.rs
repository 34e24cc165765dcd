// SPDX-License-Identifier: MPL-2.0

//! What runs along with an object in the order of its bytes: its digest, its content decoding, and what hands the content
//! on in order. Each is done in slices that bound how long one call takes.

use std::io;
use std::sync::Arc;

use super::budget::Budget;
use super::content_decoding::{ContentDecoding, ContentSink, is_out_of_memory};
use super::event::{Content, Failure, Limit, ObjectInfo};
use super::reassembly::{Complete, Reassembly};
use crate::content::{ContentEncoding, DecodeError, DecodeLimits, DigestAlgorithm, Digester};
use crate::work::Work;

/// Bytes that are passed on at a time.
const SLICE: usize = 16 * 1024;
/// Work of a delivery besides its bytes.
const DELIVERY: u64 = 1000;
/// Work of a byte that is hashed, SHA-256 without the instructions for it being the slowest; and of one that is read from
/// a file.
const HASHED: u64 = 2;
const READ: u64 = 1;

/// A digest and its value as it was announced.
pub(super) type Announced = (DigestAlgorithm, Vec<u8>);

/// A transport object that becomes content.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    /// Bytes of the transport object that have been passed on.
    position: u64,
    /// The digest of the transport object so far, and the value that was announced.
    digest: Option<(Digester, Vec<u8>)>,
    /// Takes the content, if that is not what the object has in its store.
    decoding: Option<ContentDecoding>,
    /// The content is dropped when it is complete.
    drops_content: bool,
}

impl Delivery {
    /// The content is what the object has in its store; its digest may be announced.
    pub(super) fn of_store(announced: Option<Announced>) -> Self {
        let digest = announced.map(|(algorithm, value)| (Digester::new(algorithm), value));
        Self { digest, ..Self::default() }
    }

    /// The content is decoded, or only put in order, and goes to `sink`.
    pub(super) fn to_sink(
        announced: Option<Announced>,
        encoding: ContentEncoding,
        sink: ContentSink,
        limits: DecodeLimits,
    ) -> Self {
        // Content-MD5 is that of the transport object (TS 26.346 7.2.9), and some senders write that of the file.
        let own_digest = announced.as_ref().filter(|_| encoding != ContentEncoding::Null);
        let sink = sink.with_digest(own_digest.map(|(algorithm, _)| Digester::new(*algorithm)));
        Self { decoding: Some(ContentDecoding::new(encoding, sink, limits)), ..Self::of_store(announced) }
    }

    /// The content is dropped when it is complete.
    pub(super) fn dropping_content(mut self) -> Self {
        self.drops_content = true;
        self
    }

    /// Whether there is nothing to do before the object is complete.
    pub(super) fn is_idle(&self) -> bool {
        self.digest.is_none() && self.decoding.is_none()
    }

    /// Whether a slice of the object can be passed on, or the last one.
    pub(super) fn is_due(&self, object: &Reassembly) -> bool {
        !self.is_idle() && object.available() - self.position >= (SLICE as u64).min(self.left(object)).max(1)
    }

    fn left(&self, object: &Reassembly) -> u64 {
        object.transfer_length() - self.position
    }

    /// Bytes of content that are there in order, where they do not lie in the store of the object.
    pub(super) fn written(&self) -> Option<u64> {
        self.decoding.as_ref().map(ContentDecoding::written)
    }

    /// Whether all bytes have been passed on.
    pub(super) fn is_done(&self, object: &Reassembly) -> bool {
        object.is_complete() && (self.is_idle() || self.left(object) == 0)
    }

    /// Passes bytes on until there are no more, or the work is done.
    pub(super) fn proceed(
        &mut self,
        object: &mut Reassembly,
        budget: &mut Budget,
        work: &mut Work,
    ) -> Result<(), Failure> {
        work.spend(DELIVERY);
        while self.is_due(object) && !work.is_exhausted() {
            self.slice(object, budget, work)?;
        }
        Ok(())
    }

    /// Passes the next bytes on.
    fn slice(&mut self, object: &mut Reassembly, budget: &mut Budget, work: &mut Work) -> Result<(), Failure> {
        let mut buffer = [0; SLICE];
        let mut bytes = object.read(self.position, &mut buffer, budget).map_err(destination_failure)?;
        work.spend(READ * bytes.len() as u64);
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
        if self.decoding.is_some() {
            object.handed_on(self.position, budget);
        }
        Ok(())
    }

    /// The content of a complete object all bytes of which have been passed on. Neither is charged any more.
    pub(super) fn finish(mut self, object: Reassembly, budget: &mut Budget) -> Result<Content, Failure> {
        let expected = self.digest.take().map(|(digester, value)| (digester.finish() == value, value));
        let Some(decoding) = self.decoding.take() else {
            if let Some((false, _)) = expected {
                object.discard(budget);
                return Err(Failure::Digest);
            }
            let length = object.transfer_length();
            return match object.into_content(budget).map_err(destination_failure)? {
                _ if self.drops_content => Ok(Content::Delivered),
                Complete::Memory(bytes) => Ok(Content::Memory(bytes)),
                Complete::File(file) => Ok(Content::File { file, length }),
                Complete::HandedOn => Ok(Content::Delivered),
            };
        };
        object.discard(budget);
        budget.release(decoding.charged());
        let mut sink = decoding.finish().map_err(decode_failure)?;
        if let Some((false, value)) = expected
            && sink.take_digest().is_none_or(|digest| digest != value)
        {
            return Err(Failure::Digest);
        }
        sink.into_content().map_err(destination_failure)
    }

    /// Forgets all.
    pub(super) fn discard(mut self, budget: &mut Budget) {
        if let Some(decoding) = self.decoding.take() {
            budget.release(decoding.charged());
        }
    }
}

/// The digest that is announced of an object: `Content-MD5`, or a `Content-Digest` (TS 103 769 F.2.3) that is known.
pub(super) fn announced_digest(info: &Arc<ObjectInfo>) -> Option<Announced> {
    let md5 = info.file.content_md5.map(|md5| (DigestAlgorithm::Md5, md5.to_vec()));
    md5.or_else(|| {
        let digest = info.file.content_digest.as_ref()?;
        Some((DigestAlgorithm::from_name(&digest.algorithm)?, digest.value.clone()))
    })
}

/// What is wrong with the destination.
pub(super) fn destination_failure(error: io::Error) -> Failure {
    Failure::Destination(Arc::new(error))
}

fn decode_failure(error: DecodeError) -> Failure {
    match error {
        DecodeError::TooLong(_) => Failure::Limit(Limit::ObjectSize),
        DecodeError::TooDense(_) => Failure::Limit(Limit::Expansion),
        error if is_out_of_memory(&error) => Failure::Limit(Limit::Memory),
        DecodeError::Sink(error) => destination_failure(error),
        other => Failure::Content(other.to_string()),
    }
}
