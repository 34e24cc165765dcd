// SPDX-License-Identifier: MPL-2.0

//! A transport object that is put together again from its encoding symbols: source symbols go to their place as they
//! arrive, source blocks are decoded as soon as they can be.
//!
//! A source symbol is written once, to the store of the object or straight to the application. Of a block that a code
//! protects a copy stays in memory until the block is complete, unless the store can be read.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use flute_fec::{Code, ObjectCodec, SourceBlock};

use super::block_decoder::{DecodeContext, IncompleteBlock, Solved};
use super::budget::{Budget, OverBudget};
use super::destination::OpenWriter;
use super::event::{BlockLoss, Failure, Limit};
use super::repair_symbols::RepairSymbols;
use super::store::{BlockStore, FileStore, Forgotten, MemoryStore, Store, StoreError};
use super::symbol_map::SymbolMap;
use crate::alc::Payload;
use crate::oti::{Oti, OtiError, PayloadId, PayloadIdFormat};
use crate::work::Work;

/// Blocks of a failed object that are reported, at most: no more than what was kept of it takes.
const REPORTED_LOSSES: usize = 64;
/// The same of an object of which nothing has arrived.
const REPORTED_LOSSES_OF_ALL: usize = 8;
/// What an object costs besides its content and its symbols: itself, and hashes of a few symbols.
const OVERHEAD: u64 = 1024;

/// A transport object that is being received.
#[derive(Debug)]
pub(super) struct Reassembly {
    oti: Oti,
    format: PayloadIdFormat,
    codec: ObjectCodec,
    symbols: SymbolMap,
    store: Store,
    /// Symbols are handed on as they arrive, so that complete blocks are not needed any more.
    hands_on: bool,
    /// What they are handed on to, unless it is nothing.
    writer: Option<OpenWriter>,
    /// Blocks that repair symbols have arrived for, and that are not complete.
    incomplete: HashMap<u32, IncompleteBlock>,
    /// Bytes of source symbols that are there, without padding.
    received: u64,
    /// What has become available and has not been told, if it is to be.
    news: Option<Vec<Range<u64>>>,
    /// Bytes that are charged, besides the buffers of the store and the repair symbols.
    charged: u64,
}

/// Where the source symbols of an object go.
#[derive(Debug)]
pub(super) enum Placement<'a> {
    /// To memory, all of them.
    Memory,
    /// To a file without a name in this folder.
    Spool(&'a Path),
    /// To this file.
    File(File),
    /// To buffers, until they have been handed on in order.
    Blocks,
    /// To a writer, in the order of their arrival.
    Writer(OpenWriter),
    /// The same, and it is read back.
    ReadableWriter(OpenWriter),
    /// Nowhere.
    Nothing,
}

/// One encoding symbol.
#[derive(Clone, Copy, Debug)]
struct Symbol<'a> {
    block: &'a SourceBlock,
    esi: u32,
    bytes: &'a [u8],
}

/// Why an object cannot be received.
#[derive(Debug)]
pub(super) enum Unreceivable {
    /// It does not fit into the memory of the session, even if nothing else were in it.
    TooLong,
    /// There is no memory for it at present.
    OverBudget {
        /// Bytes that it needs.
        needed: u64,
    },
    /// Its FEC Object Transmission Information makes no sense.
    Oti(OtiError),
    /// No spool file, or no memory.
    Store(io::Error),
}

impl From<Unreceivable> for Failure {
    fn from(error: Unreceivable) -> Self {
        match error {
            Unreceivable::TooLong | Unreceivable::OverBudget { .. } => Self::Limit(Limit::Memory),
            Unreceivable::Oti(error) => Self::Description(error.to_string()),
            Unreceivable::Store(error) => Self::Destination(error.into()),
        }
    }
}

/// What one packet did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Symbols that are new.
    pub(super) new: u32,
    /// Source symbols among them, and their bytes.
    pub(super) source: u32,
    pub(super) source_bytes: u32,
    /// Repair symbols, whether new or not.
    pub(super) repair: u32,
    /// Symbols that were there.
    pub(super) duplicate: u32,
    /// Symbols that have no place in the object.
    pub(super) unusable: u32,
    /// Symbols for which there was no memory.
    pub(super) dropped: u32,
    /// A source block that can be [solved](Reassembly::solve) now.
    pub(super) solvable: Option<u32>,
    /// The payload is no whole number of symbols, which have this size.
    pub(super) wrong_cut: Option<u16>,
}

/// Work of a packet, and of each of its symbols.
const PACKET: u64 = 200;
const SYMBOL: u64 = 60;

impl Outcome {
    /// How much work it was.
    pub(super) fn work(&self) -> u64 {
        PACKET + SYMBOL * u64::from(self.new + self.duplicate + self.unusable + self.dropped)
    }
}

impl Reassembly {
    /// An object of which nothing is there yet.
    pub(super) fn new(oti: Oti, placement: Placement<'_>, budget: &mut Budget) -> Result<Self, Unreceivable> {
        let format = oti.payload_id_format().map_err(Unreceivable::Oti)?;
        let codec = oti.codec().map_err(Unreceivable::Oti)?;
        let (length, symbol_size) = (oti.parameters.transfer_length, u64::from(oti.parameters.symbol_size));
        let padded = length.div_ceil(symbol_size) * symbol_size;
        let in_memory = if matches!(placement, Placement::Memory) { padded } else { 0 };
        let needed = in_memory.saturating_add(SymbolMap::memory_use(&codec)).saturating_add(OVERHEAD);
        if needed > budget.limit() {
            return Err(Unreceivable::TooLong);
        }
        budget.charge(needed).map_err(|OverBudget| Unreceivable::OverBudget { needed })?;
        let has_code = !matches!(oti.parameters.code, Code::NoCode { .. });
        let hands_on = matches!(placement, Placement::Writer(_) | Placement::Nothing);
        let mut writer = None;
        let store = match placement {
            Placement::Memory => MemoryStore::new(padded).map(Store::Memory),
            Placement::Spool(folder) => FileStore::unlinked(folder, padded).map(Store::File),
            Placement::File(file) => Ok(Store::File(FileStore::new(file, padded))),
            Placement::ReadableWriter(writer) => Ok(Store::Writer(writer)),
            Placement::Writer(given) => {
                writer = Some(given);
                Ok(Store::Nowhere)
            }
            Placement::Blocks | Placement::Nothing => Ok(Store::Nowhere),
        };
        let keeps_blocks = !hands_on || has_code;
        let store = match store {
            Ok(Store::Nowhere) if keeps_blocks => Ok(Store::Blocks(BlockStore::new(&codec))),
            other => other,
        };
        let store = store.map_err(|error| {
            budget.release(needed);
            Unreceivable::Store(error)
        })?;
        let symbols = SymbolMap::new(&codec);
        let (incomplete, received, news) = (HashMap::new(), 0, None);
        Ok(Self { oti, format, codec, symbols, store, hands_on, writer, incomplete, received, news, charged: needed })
    }

    /// Its FEC Object Transmission Information.
    pub(super) fn oti(&self) -> &Oti {
        &self.oti
    }

    /// How it is cut.
    pub(super) fn codec(&self) -> &ObjectCodec {
        &self.codec
    }

    /// How its FEC Payload IDs are laid out.
    pub(super) fn format(&self) -> PayloadIdFormat {
        self.format
    }

    /// Bytes of the object as it is transferred.
    pub(super) fn transfer_length(&self) -> u64 {
        self.oti.parameters.transfer_length
    }

    /// Bytes of source symbols that are there.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Bytes that are there from the start without a gap.
    pub(super) fn available(&self) -> u64 {
        let first_missing = self.symbols.first_missing();
        if self.codec.is_contiguous() {
            return (first_missing * u64::from(self.oti.parameters.symbol_size)).min(self.transfer_length());
        }
        // A symbol lies in pieces all over its block.
        self.codec.block_of_symbol(first_missing).map_or(self.transfer_length(), |block| block.offset)
    }

    /// Whether every source symbol is there.
    pub(super) fn is_complete(&self) -> bool {
        self.symbols.is_complete()
    }

    /// What is written to a file is to be found there at once.
    pub(super) fn write_through(&mut self) {
        if let Store::File(file) = &mut self.store {
            file.write_through();
        }
    }

    /// Begins to note what becomes available.
    pub(super) fn note_news(&mut self) {
        self.news = Some(Vec::new());
    }

    /// What has become available since the last call, without what pads the end.
    pub(super) fn take_news(&mut self) -> impl Iterator<Item = Range<u64>> + use<'_> {
        self.news.iter_mut().flat_map(|news| news.drain(..))
    }

    /// The bytes of the object, without padding, where they are in memory.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match &self.store {
            Store::Memory(memory) => memory.slice(0, usize::try_from(self.transfer_length()).ok()?),
            _ => None,
        }
    }

    /// Whether a packet has a source symbol that is in memory, and is not what is there: then it is of another object.
    /// Symbols that cannot be compared do not differ.
    pub(super) fn differs(&self, payload: Payload<'_>) -> bool {
        let Some(PayloadId { source_block, esi, .. }) = self.format.decode(payload.id) else { return false };
        let Some(block) = self.codec.block(source_block) else { return false };
        let Store::Memory(memory) = &self.store else { return false };
        payload.symbols(self.oti.parameters.symbol_size).zip(esi..block.symbols).any(|(symbol, esi)| {
            self.symbols.contains(self.first_symbol(&block), esi)
                && self.codec.runs(&block, esi).any(|run| {
                    let (start, length) = (usize::from(run.symbol_offset), usize::from(run.length));
                    let there = memory.slice(run.object_offset, length);
                    there.zip(symbol.get(start..start + length)).is_some_and(|(there, symbol)| there != symbol)
                })
        })
    }

    /// Takes the symbols of one packet: the first is the one of the FEC Payload ID, the others follow it
    /// (RFC 5510 §4.1).
    pub(super) fn insert(&mut self, payload: Payload<'_>, budget: &mut Budget) -> io::Result<Outcome> {
        let mut outcome = Outcome::default();
        let id = self.format.decode(payload.id);
        let Some((id, block)) = id.and_then(|id| Some((id, self.codec.block(id.source_block)?))) else {
            outcome.unusable = 1;
            return Ok(outcome);
        };
        if payload.symbols.is_empty() {
            outcome.unusable = 1;
        }
        let symbol_size = self.oti.parameters.symbol_size;
        if !self.is_whole(&block, id.esi, payload.symbols.len()) {
            outcome.wrong_cut = Some(symbol_size);
            return Ok(outcome);
        }
        for (index, symbol) in payload.symbols(symbol_size).enumerate() {
            let Some(esi) = u32::try_from(index).ok().and_then(|index| id.esi.checked_add(index)) else {
                outcome.unusable += 1;
                break;
            };
            if self.symbols.is_block_complete(&block) {
                outcome.duplicate += 1;
                outcome.repair += u32::from(esi >= block.symbols);
            } else if esi < block.symbols {
                self.insert_source(Symbol { block: &block, esi, bytes: symbol }, budget, &mut outcome)?;
            } else if symbol.len() == usize::from(symbol_size) {
                outcome.repair += 1;
                self.insert_repair(Symbol { block: &block, esi, bytes: symbol }, budget, &mut outcome);
            } else {
                outcome.unusable += 1;
            }
        }
        if outcome.new > 0 {
            if self.symbols.is_block_complete(&block) {
                self.finish_block(&block, budget);
            } else if let Some(incomplete) = self.incomplete.get_mut(&block.number) {
                let missing = block.symbols - self.symbols.received(&block);
                outcome.solvable = incomplete.line_up(missing as usize).then_some(block.number);
            }
        }
        Ok(outcome)
    }

    /// Whether `length` bytes, the first of which belong to symbol `esi` of `block`, are a whole number of symbols. The last
    /// of the object may lack what pads it (RFC 5445 §3.2, RFC 5510 §4.2), all of it.
    fn is_whole(&self, block: &SourceBlock, esi: u32, length: usize) -> bool {
        let symbol_size = usize::from(self.oti.parameters.symbol_size);
        if length.is_multiple_of(symbol_size) {
            return true;
        }
        if block.offset + block.length < self.transfer_length() {
            return false;
        }
        if !self.codec.is_contiguous() {
            // Several symbols may end with padding, one for each row of the last sub-block.
            return length < symbol_size;
        }
        let last = u64::from(esi) + (length / symbol_size) as u64;
        let padding = u64::from(block.symbols) * symbol_size as u64 - block.length;
        last + 1 == u64::from(block.symbols) && (symbol_size - length % symbol_size) as u64 == padding
    }

    fn insert_source(&mut self, symbol: Symbol<'_>, budget: &mut Budget, outcome: &mut Outcome) -> io::Result<()> {
        let Symbol { block, esi, bytes } = symbol;
        let first = self.first_symbol(block);
        if self.symbols.contains(first, esi) {
            outcome.duplicate += 1;
            return Ok(());
        }
        // What pads the last symbol of the object may be there or not (RFC 5445 §3.2, RFC 5510 §4.2).
        let piece = |run: &flute_fec::Run| bytes.get(run.symbol_offset.into()..)?.get(..run.length.into());
        if self.codec.runs(block, esi).any(|run| run.length > 0 && piece(&run).is_none()) {
            outcome.unusable += 1;
            return Ok(());
        }
        let (mut stored, before) = (Ok(()), self.received);
        for run in self.codec.runs(block, esi) {
            let Some(bytes) = piece(&run).filter(|bytes| !bytes.is_empty()) else { continue };
            stored = self.store.write(block, run.object_offset, bytes, budget);
            if stored.is_err() {
                break;
            }
            if let Some(writer) = &mut self.writer {
                writer.write_at(run.object_offset, bytes)?;
            }
            self.received += bytes.len() as u64;
            note(&mut self.news, run.object_offset, bytes.len() as u64);
        }
        match stored {
            Ok(()) => {}
            // The first run of a block takes the memory for all of it, so that nothing has been written yet.
            Err(StoreError::OverBudget) if self.forget_last_block_behind(block, esi, budget) => {
                return self.insert_source(symbol, budget, outcome);
            }
            Err(StoreError::OverBudget) => {
                outcome.dropped += 1;
                return Ok(());
            }
            Err(StoreError::Io(error)) => return Err(error),
        }
        self.symbols.insert(block, first, esi);
        outcome.new += 1;
        outcome.source += 1;
        outcome.source_bytes += (self.received - before) as u32;
        Ok(())
    }

    /// Forgets what is kept of the last block, if it lies behind symbol `esi` of `block`, which is to come first: its
    /// symbols are received once more. `false` if nothing is forgotten.
    fn forget_last_block_behind(&mut self, block: &SourceBlock, esi: u32, budget: &mut Budget) -> bool {
        let Store::Blocks(blocks) = &mut self.store else { return false };
        // What has been handed on cannot be taken back.
        if self.hands_on {
            return false;
        }
        let symbol_size = u64::from(self.oti.parameters.symbol_size);
        let offset = block.offset + u64::from(esi) * symbol_size;
        let mut forgotten = match blocks.forget_last_behind(offset, block, budget) {
            Some(Forgotten::Block(number)) => self.codec.block(number).map(|block| block_symbols(&block, symbol_size)),
            Some(Forgotten::Bytes(bytes)) => Some(bytes.start / symbol_size..bytes.end / symbol_size),
            None => None,
        };
        let has_forgotten = forgotten.is_some();
        while let Some(symbols) = forgotten.take().filter(|symbols| !symbols.is_empty())
            && let Some(block) = self.codec.block_of_symbol(symbols.start)
        {
            let first = block.offset / symbol_size;
            let end = symbols.end.min(first + u64::from(block.symbols));
            let esis = (symbols.start - first) as u32..(end - first) as u32;
            let there = esis.clone().filter(|&esi| self.symbols.contains(first, esi));
            let bytes = there.flat_map(|esi| self.codec.runs(&block, esi)).map(|run| u64::from(run.length));
            self.received -= bytes.sum::<u64>();
            self.symbols.remove(&block, first, esis);
            forgotten = Some(end..symbols.end);
        }
        has_forgotten
    }

    fn insert_repair(&mut self, symbol: Symbol<'_>, budget: &mut Budget, outcome: &mut Outcome) {
        let Symbol { block, esi, bytes } = symbol;
        let incomplete = match self.incomplete.entry(block.number) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => match self.codec.decoder(block) {
                Ok(decoder) => entry.insert(IncompleteBlock::new(RepairSymbols::new(decoder))),
                Err(_) => {
                    outcome.unusable += 1;
                    return;
                }
            },
        };
        match incomplete.insert(esi, bytes, budget) {
            Ok(true) => outcome.new += 1,
            Ok(false) => outcome.duplicate += 1,
            Err(OverBudget) => outcome.dropped += 1,
        }
    }

    /// Gives back what is kept of a block that is complete and has been handed on.
    fn finish_block(&mut self, block: &SourceBlock, budget: &mut Budget) {
        if !self.incomplete.is_empty()
            && let Some(incomplete) = self.incomplete.remove(&block.number)
        {
            incomplete.discard(budget);
        }
        if self.hands_on
            && let Store::Blocks(blocks) = &mut self.store
        {
            blocks.forget_block(block, budget);
        }
    }

    /// Goes on with rebuilding what a source block lacks, for `max_work` units of decoding at most. Returns what has become
    /// of it, and how many source symbols were rebuilt.
    pub(super) fn solve(
        &mut self,
        number: u32,
        max_work: u64,
        budget: &mut Budget,
        work: &mut Work,
    ) -> io::Result<(Solved, u32)> {
        let Some(block) = self.codec.block(number) else { return Ok((Solved::Not, 0)) };
        let first = self.first_symbol(&block);
        let Some(incomplete) = self.incomplete.get_mut(&number) else { return Ok((Solved::Not, 0)) };
        let present = || self.symbols.present(&block, first);
        let (codec, store) = (&self.codec, &mut self.store);
        let mut cx = DecodeContext { block: &block, codec, store, max_work, budget, work };
        let solved = incomplete.proceed(present, &mut cx)?;
        if solved != Solved::All {
            return Ok((solved, 0));
        }
        let missing = (0..block.symbols).filter(|&esi| !self.symbols.contains(first, esi));
        for run in missing.flat_map(|esi| self.codec.runs(&block, esi)) {
            if let Some(writer) = &mut self.writer {
                let bytes = self.store.slice(&block, run.object_offset, run.length.into()).unwrap_or_default();
                writer.write_at(run.object_offset, bytes)?;
            }
            self.received += u64::from(run.length);
            note(&mut self.news, run.object_offset, run.length.into());
        }
        let rebuilt = self.symbols.complete_block(&block, first);
        self.finish_block(&block, budget);
        Ok((solved, rebuilt))
    }

    /// Bytes of the object from `offset` on, which are there; at least one and at most `buffer.len()`. Those that are in a
    /// file, or with the application, are read into `buffer`.
    pub(super) fn read<'a>(
        &'a mut self,
        offset: u64,
        buffer: &'a mut [u8],
        budget: &mut Budget,
    ) -> io::Result<&'a [u8]> {
        let left = usize::try_from(self.available().saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let symbol_size = u64::from(self.oti.parameters.symbol_size);
        let block = self.codec.block_of_symbol(offset / symbol_size).ok_or(io::ErrorKind::UnexpectedEof)?;
        if self.store.is_read() {
            self.store.read(offset, &mut buffer[..length], budget)?;
            return Ok(&buffer[..length]);
        }
        self.store.slice(&block, offset, length).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The bytes before `offset` have been handed on in order, and are not needed any more.
    pub(super) fn handed_on(&mut self, offset: u64, budget: &mut Budget) {
        let Store::Blocks(blocks) = &mut self.store else { return };
        match self.codec.block_of_symbol(offset / u64::from(self.oti.parameters.symbol_size)) {
            Some(block) => blocks.forget_before(offset, &block, budget),
            None => std::mem::replace(&mut self.store, Store::Nowhere).discard(budget),
        }
    }

    fn first_symbol(&self, block: &SourceBlock) -> u64 {
        block.offset / u64::from(self.oti.parameters.symbol_size)
    }

    /// What the first of the incomplete blocks lack.
    pub(super) fn losses(&self) -> Vec<BlockLoss> {
        let repair = |block| self.incomplete.get(&block).map_or(0, |incomplete| incomplete.repair().len());
        self.symbols.losses(&self.codec, REPORTED_LOSSES, repair)
    }

    /// Source symbols that are not there.
    pub(super) fn missing(&self) -> u64 {
        self.symbols.missing()
    }

    /// What an object lacks of which nothing has arrived: its first blocks, and all source symbols.
    pub(super) fn losses_of_all(oti: &Oti) -> (Vec<BlockLoss>, u64) {
        let Ok(codec) = oti.codec() else { return Default::default() };
        let blocks = (0..codec.block_count()).filter_map(|number| codec.block(number)).take(REPORTED_LOSSES_OF_ALL);
        let losses = blocks.map(|block| BlockLoss {
            source_block: block.number,
            missing: block.symbols,
            repair: 0,
            source_symbols: block.symbols,
        });
        (losses.collect(), SymbolMap::count(&codec))
    }

    /// Repair symbols in a packet of the object, which is complete.
    pub(super) fn repair_symbols(&self, payload: Payload<'_>) -> u32 {
        repair_symbols(&self.codec, self.format, payload)
    }

    /// Forgets the object.
    pub(super) fn discard(mut self, budget: &mut Budget) {
        self.release(budget).discard(budget);
    }

    /// Gives everything back but the store.
    fn release(&mut self, budget: &mut Budget) -> Store {
        for (_, incomplete) in self.incomplete.drain() {
            incomplete.discard(budget);
        }
        budget.release(std::mem::take(&mut self.charged));
        std::mem::replace(&mut self.store, Store::Nowhere)
    }

    /// The complete object, without padding; it is charged no more.
    pub(super) fn into_content(mut self, budget: &mut Budget) -> io::Result<Complete> {
        let length = self.transfer_length();
        match self.release(budget) {
            Store::Memory(memory) => Ok(Complete::Memory(memory.into_bytes(length))),
            Store::File(file) => file.into_file(length, budget).map(Complete::File),
            Store::Writer(writer) => writer.complete(length).map(|()| Complete::HandedOn),
            store @ (Store::Blocks(_) | Store::Nowhere) => {
                store.discard(budget);
                if let Some(writer) = self.writer.take() {
                    writer.complete(length)?;
                }
                Ok(Complete::HandedOn)
            }
        }
    }
}

/// A complete object.
#[derive(Debug)]
pub(super) enum Complete {
    /// In memory.
    Memory(Bytes),
    /// In a file, from its start to its end.
    File(File),
    /// It has been handed on.
    HandedOn,
}

/// Repair symbols in a packet of an object that is complete.
pub(super) fn repair_symbols(codec: &ObjectCodec, format: PayloadIdFormat, payload: Payload<'_>) -> u32 {
    let Some(PayloadId { source_block, esi, .. }) = format.decode(payload.id) else { return 0 };
    let is_repair = codec.block(source_block).is_some_and(|block| esi >= block.symbols);
    let symbols = payload.symbols.len() / usize::from(codec.parameters().symbol_size);
    if is_repair { symbols as u32 } else { 0 }
}

/// The symbols of a block, counted over the whole object.
fn block_symbols(block: &SourceBlock, symbol_size: u64) -> Range<u64> {
    let first = block.offset / symbol_size;
    first..first + u64::from(block.symbols)
}

/// Adds a range of bytes to the news, joined to the last one where they touch.
fn note(news: &mut Option<Vec<Range<u64>>>, offset: u64, length: u64) {
    let Some(news) = news else { return };
    match news.last_mut() {
        _ if length == 0 => {}
        Some(last) if last.end == offset => last.end += length,
        _ => news.push(offset..offset + length),
    }
}
