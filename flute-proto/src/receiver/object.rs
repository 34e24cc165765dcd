// SPDX-License-Identifier: MPL-2.0

//! One object on its way: symbols go to their final place as they arrive, blocks are solved as soon as they can be.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::path::Path;

use flute_fec::{ObjectCodec, SourceBlock};

use super::blocks::Blocks;
use super::budget::{Budget, OverBudget};
use super::event::BlockLoss;
use super::repair::RepairSymbols;
use super::solving::{Solved, Unsolved};
use super::store::Store;
use crate::alc::Payload;
use crate::oti::{Oti, OtiError, PayloadId, PayloadIdFormat};
use crate::work::Work;

/// Blocks of a failed object that are reported, at most: no more than what was kept of it takes.
const REPORTED_LOSSES: usize = 64;
/// The same of an object of which nothing has arrived.
const REPORTED_LOSSES_OF_ALL: usize = 8;
/// What an object costs besides its content and its symbols: itself, and marks of a few symbols.
const OVERHEAD: u64 = 1024;

/// Where objects are kept, and what may be spent on them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    /// Folder for objects that are longer than `spool_threshold`.
    pub(super) spool_directory: Option<&'a Path>,
    pub(super) spool_threshold: u64,
}

/// An object that is being received.
#[derive(Debug)]
pub(super) struct Object {
    oti: Oti,
    format: PayloadIdFormat,
    codec: ObjectCodec,
    blocks: Blocks,
    /// The object, padded with zeros to whole symbols.
    store: Store,
    /// Blocks that repair symbols have arrived for, and that are not complete.
    unsolved: HashMap<u32, Unsolved>,
    /// Bytes of source symbols that are there, without padding.
    received: u64,
    charged: u64,
}

/// Why an object cannot be received.
#[derive(Debug)]
pub(super) enum Unreceivable {
    /// It does not fit into the memory of the session, even if nothing else were in it.
    TooLong,
    /// There is no room for it at present.
    OverBudget {
        /// Bytes that it needs.
        needed: u64,
    },
    /// Its FEC Object Transmission Information makes no sense.
    Oti(OtiError),
    /// No spool file, or no memory.
    Store(io::Error),
}

/// What one packet did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Symbols that are new.
    pub(super) new: u32,
    /// Symbols that were there.
    pub(super) duplicate: u32,
    /// Symbols that have no place in the object.
    pub(super) unusable: u32,
    /// Symbols that no memory was left for.
    pub(super) dropped: u32,
    /// A source block that can be [solved](Object::solve) now.
    pub(super) solvable: Option<u32>,
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

impl Object {
    /// An object of which nothing is there yet.
    pub(super) fn new(oti: Oti, terms: Terms<'_>, budget: &mut Budget) -> Result<Self, Unreceivable> {
        let format = oti.payload_id_format().map_err(Unreceivable::Oti)?;
        let codec = oti.codec().map_err(Unreceivable::Oti)?;
        let (length, symbol_size) = (oti.parameters.transfer_length, u64::from(oti.parameters.symbol_size));
        let padded = length.div_ceil(symbol_size) * symbol_size;
        let spool = terms.spool_directory.filter(|_| length > terms.spool_threshold);
        let in_memory = if spool.is_some() { 0 } else { padded };
        let needed = in_memory.saturating_add(Blocks::memory_use(&codec)).saturating_add(OVERHEAD);
        if needed > budget.limit() {
            return Err(Unreceivable::TooLong);
        }
        budget.charge(needed).map_err(|OverBudget| Unreceivable::OverBudget { needed })?;
        let store = spool.map_or_else(|| Store::memory(padded), |folder| Store::spool(folder, padded));
        let store = store.map_err(|error| {
            budget.release(needed);
            Unreceivable::Store(error)
        })?;
        let blocks = Blocks::new(&codec);
        Ok(Self { oti, format, codec, blocks, store, unsolved: HashMap::new(), received: 0, charged: needed })
    }

    /// Its FEC Object Transmission Information.
    pub(super) fn oti(&self) -> &Oti {
        &self.oti
    }

    /// How it is cut.
    pub(super) fn codec(&self) -> &ObjectCodec {
        &self.codec
    }

    /// Bytes of the object as it is transferred.
    pub(super) fn transfer_length(&self) -> u64 {
        self.oti.parameters.transfer_length
    }

    /// Bytes of source symbols that are there.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// The bytes of the object, without padding, where they are in memory.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        self.store.slice(0, usize::try_from(self.transfer_length()).ok()?)
    }

    /// Whether every source symbol is there.
    pub(super) fn is_complete(&self) -> bool {
        self.blocks.is_complete()
    }

    /// How its FEC Payload IDs are laid out.
    pub(super) fn format(&self) -> PayloadIdFormat {
        self.format
    }

    /// Whether a packet has a source symbol that is in memory, and is not what is there: then it is of another object.
    /// Symbols that cannot be compared do not differ.
    pub(super) fn differs(&self, payload: Payload<'_>) -> bool {
        let Some(PayloadId { source_block, esi, .. }) = self.format.decode(payload.id) else { return false };
        let Some(block) = self.codec.block(source_block) else { return false };
        payload.symbols(self.oti.parameters.symbol_size).zip(esi..block.symbols).any(|(symbol, esi)| {
            self.blocks.contains(self.first_symbol(&block), esi)
                && self.codec.runs(&block, esi).any(|run| {
                    let (start, length) = (usize::from(run.symbol_offset), usize::from(run.length));
                    let there = self.store.slice(run.object_offset, length);
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
        for (index, symbol) in payload.symbols(symbol_size).enumerate() {
            let Some(esi) = u32::try_from(index).ok().and_then(|index| id.esi.checked_add(index)) else {
                outcome.unusable += 1;
                break;
            };
            if self.blocks.is_block_complete(&block) {
                outcome.duplicate += 1;
            } else if esi < block.symbols {
                self.insert_source(&block, esi, symbol, &mut outcome)?;
            } else if symbol.len() == usize::from(symbol_size) {
                self.insert_repair(&block, esi, symbol, budget, &mut outcome);
            } else {
                outcome.unusable += 1;
            }
        }
        if outcome.new > 0 && !self.unsolved.is_empty() && self.is_solvable(&block, budget) {
            outcome.solvable = Some(block.number);
        }
        Ok(outcome)
    }

    fn insert_source(&mut self, block: &SourceBlock, esi: u32, symbol: &[u8], outcome: &mut Outcome) -> io::Result<()> {
        let first = self.first_symbol(block);
        if self.blocks.contains(first, esi) {
            outcome.duplicate += 1;
            return Ok(());
        }
        // What pads the last symbol of the object may be there or not (RFC 5445 §3.2, RFC 5510 §4.2).
        let piece = |run: &flute_fec::Run| symbol.get(run.symbol_offset.into()..)?.get(..run.length.into());
        if self.codec.runs(block, esi).any(|run| run.length > 0 && piece(&run).is_none()) {
            outcome.unusable += 1;
            return Ok(());
        }
        for run in self.codec.runs(block, esi) {
            if let Some(bytes) = piece(&run) {
                self.store.write(run.object_offset, bytes)?;
                self.received += bytes.len() as u64;
            }
        }
        self.blocks.insert(block, first, esi);
        outcome.new += 1;
        Ok(())
    }

    fn insert_repair(
        &mut self,
        block: &SourceBlock,
        esi: u32,
        symbol: &[u8],
        budget: &mut Budget,
        outcome: &mut Outcome,
    ) {
        let unsolved = match self.unsolved.entry(block.number) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => match self.codec.decoder(block) {
                Ok(decoder) => entry.insert(Unsolved::new(RepairSymbols::new(decoder))),
                Err(_) => {
                    outcome.unusable += 1;
                    return;
                }
            },
        };
        match unsolved.repair.insert(esi, symbol, budget) {
            Ok(true) => outcome.new += 1,
            Ok(false) => outcome.duplicate += 1,
            Err(OverBudget) => outcome.dropped += 1,
        }
    }

    /// Whether an attempt at `block` is to be lined up. Frees the repair symbols of a block that is complete.
    fn is_solvable(&mut self, block: &SourceBlock, budget: &mut Budget) -> bool {
        let Entry::Occupied(mut entry) = self.unsolved.entry(block.number) else { return false };
        let missing = block.symbols - self.blocks.received(block);
        if missing == 0 {
            budget.release(entry.remove().memory_use());
            return false;
        }
        let unsolved = entry.get_mut();
        let is_solvable = !unsolved.is_queued && unsolved.repair.is_solvable(missing as usize);
        unsolved.is_queued |= is_solvable;
        is_solvable
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
        let Entry::Occupied(mut entry) = self.unsolved.entry(number) else { return Ok((Solved::Not, 0)) };
        let first = block.offset / u64::from(self.oti.parameters.symbol_size);
        let present = || self.blocks.present(&block, first);
        let unsolved = entry.get_mut();
        let solved = unsolved.proceed((&block, &self.codec), present, max_work, &mut self.store, budget, work)?;
        unsolved.is_queued = solved == Solved::NotYet;
        if solved != Solved::All {
            return Ok((solved, 0));
        }
        budget.release(entry.remove().memory_use());
        let missing = (0..block.symbols).filter(|&esi| !self.blocks.contains(first, esi));
        let missing_bytes = missing.flat_map(|esi| self.codec.runs(&block, esi)).map(|run| u64::from(run.length));
        self.received += missing_bytes.sum::<u64>();
        Ok((solved, self.blocks.complete_block(&block, first)))
    }

    fn first_symbol(&self, block: &SourceBlock) -> u64 {
        block.offset / u64::from(self.oti.parameters.symbol_size)
    }

    /// What the first of the incomplete blocks lack.
    pub(super) fn losses(&self) -> Vec<BlockLoss> {
        let repair = |block| self.unsolved.get(&block).map_or(0, |unsolved| unsolved.repair.len());
        self.blocks.losses(&self.codec, REPORTED_LOSSES, repair)
    }

    /// What an object lacks of which nothing has arrived.
    pub(super) fn losses_of_all(oti: &Oti) -> Vec<BlockLoss> {
        let Ok(codec) = oti.codec() else { return Vec::new() };
        let blocks = (0..codec.block_count()).filter_map(|number| codec.block(number)).take(REPORTED_LOSSES_OF_ALL);
        blocks
            .map(|block| BlockLoss {
                source_block: block.number,
                missing: block.symbols,
                repair: 0,
                source_symbols: block.symbols,
            })
            .collect()
    }

    /// Forgets the object.
    pub(super) fn discard(self, budget: &mut Budget) {
        let repair: u64 = self.unsolved.values().map(Unsolved::memory_use).sum();
        budget.release(self.charged + repair);
    }

    /// The bytes of a complete object, without padding; what they take of the memory stays charged.
    pub(super) fn into_store(mut self, budget: &mut Budget) -> io::Result<Store> {
        let (kept, length) = (self.store.memory_use(), self.transfer_length());
        let truncated = self.store.truncate(length);
        let repair: u64 = self.unsolved.values().map(Unsolved::memory_use).sum();
        let after = if truncated.is_ok() { self.store.memory_use() } else { 0 };
        debug_assert!(after <= kept);
        budget.release(self.charged + repair - after);
        truncated.map(|()| self.store)
    }
}
