// SPDX-License-Identifier: MPL-2.0

//! From a complete FDT Instance to what it says: its content encoding is taken off and its XML read, in slices that bound
//! how long one call takes.

use std::collections::VecDeque;

use super::Limits;
use super::budget::Budget;
use super::decoding::{Decoding, Output, is_out_of_memory};
use super::event::{Content, Limit};
use super::instances::Incoming;
use super::object::Object;
use crate::content::{ContentEncoding, DecodeError, DecodeLimits};
use crate::fdt::{FdtError, File, InstanceReader, Parsed, ReadLimits};
use crate::work::Work;

/// An FDT Instance that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) id: u32,
    /// The place of another instance, which has not expired, that had its ID.
    pub(super) replaces: Option<u64>,
    /// As it was received; in memory, and charged.
    pub(super) object: Object,
    document: Document,
    reader: InstanceReader,
    files: VecDeque<Vec<File>>,
    /// Bytes of memory that are charged for what is here, besides the object.
    charged: u64,
}

/// The document, where the object is not.
#[derive(Debug)]
enum Document {
    /// The object is the document.
    Object,
    /// It is encoded; so many bytes of it have been decoded.
    Encoded(Box<Decoding>, usize),
    Decoded(Vec<u8>),
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
}

/// Why an instance could not be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// A bound was reached.
    Limit(Limit),
    /// Something is wrong with it.
    Wrong,
}

impl Reading {
    /// Begins to read an instance all symbols of which are there.
    pub(super) fn new(id: u32, incoming: Incoming, limits: &Limits) -> Self {
        let Incoming { object, encoding, replaces } = incoming;
        let document = if encoding == ContentEncoding::Null {
            Document::Object
        } else {
            let limits = DecodeLimits { max_size: limits.max_fdt_size, max_ratio: limits.max_expansion };
            Document::Encoded(Box::new(Decoding::new(encoding, Output::new(None, None, None), limits)), 0)
        };
        let (reader, files) = (InstanceReader::default(), VecDeque::new());
        Self { id, replaces, object, document, reader, files, charged: 0 }
    }

    /// Goes on until the instance is read, or the work is done: `None` then.
    pub(super) fn proceed(
        &mut self,
        limits: &Limits,
        budget: &mut Budget,
        work: &mut Work,
    ) -> Option<Result<Read, Unreadable>> {
        let done = self.decode(budget, work).and_then(|decoded| Ok(decoded && self.parse(limits, budget, work)?));
        match done {
            Ok(false) => None,
            Ok(true) => {
                let files = self.reader.memory() as u64;
                budget.release(std::mem::take(&mut self.charged) - files);
                let parsed = std::mem::take(&mut self.reader).into_parsed();
                self.document = Document::Object;
                Some(Ok(Read { parsed, files: std::mem::take(&mut self.files), charged: files }))
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
        self.document = Document::Object;
    }

    /// Forgets all.
    pub(super) fn discard(mut self, budget: &mut Budget) {
        self.release(budget);
        self.object.discard(budget);
    }

    /// Takes the content encoding off. `true` when that is done.
    fn decode(&mut self, budget: &mut Budget, work: &mut Work) -> Result<bool, Unreadable> {
        let Document::Encoded(decoding, position) = &mut self.document else { return Ok(true) };
        let bytes = self.object.bytes().ok_or(Unreadable::Wrong)?;
        while *position < bytes.len() {
            if work.is_exhausted() {
                return Ok(false);
            }
            *position += decoding.write(&bytes[*position..], budget, work).map_err(unreadable)?;
        }
        let Document::Encoded(decoding, _) = std::mem::replace(&mut self.document, Document::Object) else {
            return Ok(true);
        };
        self.charged += decoding.charged();
        if let Content::Memory(document) = decoding.finish().map_err(unreadable)?.into_content() {
            self.document = Document::Decoded(document);
        }
        Ok(true)
    }

    /// Reads the document. `true` when that is done.
    fn parse(&mut self, limits: &Limits, budget: &mut Budget, work: &mut Work) -> Result<bool, Unreadable> {
        let document = match &self.document {
            Document::Decoded(document) => document,
            _ => self.object.bytes().ok_or(Unreadable::Wrong)?,
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
            Err(_) => Err(Unreadable::Wrong),
        }
    }
}

fn unreadable(error: DecodeError) -> Unreadable {
    match error {
        DecodeError::TooLong(_) => Unreadable::Limit(Limit::FdtSize),
        DecodeError::TooDense(_) => Unreadable::Limit(Limit::Expansion),
        error if is_out_of_memory(&error) => Unreadable::Limit(Limit::Memory),
        _ => Unreadable::Wrong,
    }
}
