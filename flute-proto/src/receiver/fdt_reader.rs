// SPDX-License-Identifier: MPL-2.0

//! From a complete FDT Instance to what it says: its content encoding is taken off and its XML read, in slices that bound
//! how long one call takes.

use std::collections::VecDeque;

use bytes::Bytes;

use super::budget::Budget;
use super::content_decoding::{ContentDecoding, ContentSink, is_out_of_memory};
use super::event::{Content, Limit};
use super::reassembly::Reassembly;
use super::{Limits, ReceiverConfig};
use crate::content::{ContentEncoding, DecodeError, DecodeLimits};
use crate::fdt::{FdtError, File, InstanceReader, Parsed, ReadLimits};
use crate::work::Work;

/// An FDT Instance that is being received.
#[derive(Debug)]
pub(super) struct IncomingInstance {
    pub(super) object: Reassembly,
    pub(super) encoding: ContentEncoding,
    /// The place of another instance, which has not expired, that had its ID.
    pub(super) replaces: Option<u64>,
}

/// An FDT Instance that is being read.
#[derive(Debug)]
pub(super) struct FdtReader {
    id: u32,
    /// The place of another instance, which has not expired, that had its ID.
    replaces: Option<u64>,
    /// As it was received; in memory, and charged.
    object: Reassembly,
    document: Document,
    reader: InstanceReader,
    files: VecDeque<Vec<File>>,
    /// Bytes of memory that are charged for what is here, besides the object.
    charged: u64,
}

/// The document, where the object is not.
#[derive(Debug)]
enum Document {
    /// It is the object as it was received.
    Transported,
    /// It is encoded; so many bytes of it have been decoded.
    Encoded(Box<ContentDecoding>, usize),
    Decoded(Bytes),
}

/// What was read.
#[derive(Debug)]
pub(super) struct Read {
    /// The instance, without its files, and what was lost of it.
    pub(super) parsed: Parsed,
    /// The files.
    pub(super) files: VecDeque<Vec<File>>,
    /// Bytes of memory that are charged for the files.
    pub(super) charged: u64,
    /// The XML, if it was asked for.
    pub(super) document: Option<Bytes>,
}

/// Why an instance could not be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// A bound was reached.
    Limit(Limit),
    /// Something is wrong with it.
    Wrong(String),
}

impl FdtReader {
    /// Begins to read an instance all symbols of which are there.
    pub(super) fn new(id: u32, incoming: IncomingInstance, limits: &Limits) -> Self {
        let IncomingInstance { object, encoding, replaces } = incoming;
        let document = if encoding == ContentEncoding::Null {
            Document::Transported
        } else {
            let limits = DecodeLimits { max_size: limits.max_fdt_size, max_ratio: limits.max_expansion };
            Document::Encoded(Box::new(ContentDecoding::new(encoding, ContentSink::memory(None), limits)), 0)
        };
        let (reader, files) = (InstanceReader::default(), VecDeque::new());
        Self { id, replaces, object, document, reader, files, charged: 0 }
    }

    /// FDT Instance ID.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// The place of another instance, which has not expired, that had its ID.
    pub(super) fn replaces(&self) -> Option<u64> {
        self.replaces
    }

    /// The instance as it was received.
    pub(super) fn object(&self) -> &Reassembly {
        &self.object
    }

    /// The instance as it was received, its memory still charged.
    pub(super) fn into_object(self) -> Reassembly {
        self.object
    }

    /// Goes on until the instance is read, or the work is done: `None` then.
    pub(super) fn proceed(
        &mut self,
        config: &ReceiverConfig,
        budget: &mut Budget,
        work: &mut Work,
    ) -> Option<Result<Read, Unreadable>> {
        let done =
            self.decode(budget, work).and_then(|decoded| Ok(decoded && self.parse(&config.limits, budget, work)?));
        match done {
            Ok(false) => None,
            Ok(true) => {
                let files = self.reader.memory() as u64;
                budget.release(std::mem::take(&mut self.charged) - files);
                let parsed = std::mem::take(&mut self.reader).into_parsed();
                let document = match std::mem::replace(&mut self.document, Document::Transported) {
                    Document::Decoded(document) if config.fdt_documents => Some(document),
                    _ if config.fdt_documents => self.object.bytes().map(Bytes::copy_from_slice),
                    _ => None,
                };
                Some(Ok(Read { parsed, files: std::mem::take(&mut self.files), charged: files, document }))
            }
            Err(error) => {
                self.release(budget);
                Some(Err(error))
            }
        }
    }

    /// Takes what is kept off the budget, the object excepted.
    fn release(&mut self, budget: &mut Budget) {
        let decoding = match &self.document {
            Document::Encoded(decoding, _) => decoding.charged(),
            _ => 0,
        };
        budget.release(std::mem::take(&mut self.charged) + decoding);
        self.document = Document::Transported;
    }

    /// Forgets all.
    pub(super) fn discard(mut self, budget: &mut Budget) {
        self.release(budget);
        self.object.discard(budget);
    }

    /// Takes the content encoding off. `true` when that is done.
    fn decode(&mut self, budget: &mut Budget, work: &mut Work) -> Result<bool, Unreadable> {
        let Document::Encoded(decoding, position) = &mut self.document else { return Ok(true) };
        let bytes = self.object.bytes().ok_or_else(|| Unreadable::Wrong("it is not in memory".to_owned()))?;
        while *position < bytes.len() {
            if work.is_exhausted() {
                return Ok(false);
            }
            *position += decoding.write(&bytes[*position..], budget, work).map_err(unreadable)?;
        }
        let Document::Encoded(decoding, _) = std::mem::replace(&mut self.document, Document::Transported) else {
            return Ok(true);
        };
        self.charged += decoding.charged();
        let content = decoding.finish().and_then(|sink| Ok(sink.into_content()?)).map_err(unreadable)?;
        if let Content::Memory(document) = content {
            self.document = Document::Decoded(document);
        }
        Ok(true)
    }

    /// Reads the document. `true` when that is done.
    fn parse(&mut self, limits: &Limits, budget: &mut Budget, work: &mut Work) -> Result<bool, Unreadable> {
        let document = match &self.document {
            Document::Decoded(document) => document,
            _ => self.object.bytes().ok_or_else(|| Unreadable::Wrong("it is not in memory".to_owned()))?,
        };
        let before = self.reader.memory();
        let max_memory = usize::try_from(budget.available()).unwrap_or(usize::MAX).saturating_add(before);
        let read_limits = ReadLimits { max_files: limits.max_objects, max_memory };
        let result = self.reader.proceed(document, &read_limits, work);
        let more = (self.reader.memory() - before) as u64;
        match result {
            Ok(done) => {
                budget.charge(more).map_err(|_| Unreadable::Limit(Limit::Memory))?;
                self.charged += more;
                self.files.push_back(self.reader.take_files());
                Ok(done)
            }
            Err(FdtError::TooManyFiles(_)) => Err(Unreadable::Limit(Limit::Objects)),
            Err(FdtError::TooLarge(_)) => Err(Unreadable::Limit(Limit::Memory)),
            Err(error) => Err(Unreadable::Wrong(error.to_string())),
        }
    }
}

fn unreadable(error: DecodeError) -> Unreadable {
    match error {
        DecodeError::TooLong(_) => Unreadable::Limit(Limit::FdtSize),
        DecodeError::TooDense(_) => Unreadable::Limit(Limit::Expansion),
        error if is_out_of_memory(&error) => Unreadable::Limit(Limit::Memory),
        other => Unreadable::Wrong(other.to_string()),
    }
}
