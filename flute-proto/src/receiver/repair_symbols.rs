// SPDX-License-Identifier: MPL-2.0

//! The repair symbols of one source block, kept until the block is complete.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use flute_fec::{BlockDecoder, DecodeError, DecodeJob, Present, RepairSymbol};

use super::budget::{Budget, OverBudget};

/// Attempts at a block that are made at each further symbol. Raptor (RFC 5053) fails with `h` symbols more than k with
/// a probability of about 0.85 · 0.567^h, so that an honest block is hardly ever past them.
const EAGER_ATTEMPTS: u32 = 12;
/// So many symbols are compared one by one.
const FEW: usize = 16;
/// Memory of a symbol besides its bytes: its encoding symbol ID, in the order of arrival and in a set.
const SYMBOL_OVERHEAD: usize = 48;
/// Memory of a block besides its symbols: its place in a table, and what is known of an attempt.
const BLOCK_OVERHEAD: usize = 1024;
/// Memory of a chunk of symbols besides them.
const CHUNK_OVERHEAD: usize = 64;

/// Repair symbols, and the decoder that they are for.
pub(super) struct RepairSymbols {
    decoder: Arc<dyn BlockDecoder>,
    /// Encoding symbol IDs in the order of arrival.
    esis: Vec<u32>,
    /// All of them, where they are many.
    seen: HashSet<u32>,
    /// The code has only those below, as far as it has said.
    bound: u32,
    /// How many are below.
    known: usize,
    /// The symbols in the order of arrival. They stay where they are put, so that they are never in memory twice.
    first: Vec<u8>,
    further: Vec<Vec<u8>>,
    charged: u64,
    attempts: u32,
    /// Number of symbols of the block, source and repair, below which no attempt is worth its time.
    next_attempt: usize,
}

impl RepairSymbols {
    pub(super) fn new(decoder: Arc<dyn BlockDecoder>) -> Self {
        Self {
            decoder,
            esis: Vec::new(),
            seen: HashSet::new(),
            bound: u32::MAX,
            known: 0,
            first: Vec::new(),
            further: Vec::new(),
            charged: 0,
            attempts: 0,
            next_attempt: 0,
        }
    }

    /// Number of symbols that the code has.
    pub(super) fn len(&self) -> usize {
        self.known
    }

    /// Bytes that are charged for the symbols.
    pub(super) fn memory_use(&self) -> u64 {
        self.charged
    }

    /// Keeps a symbol, whole and of the size of the code; `false` if it is there, or no symbol of the code.
    pub(super) fn insert(&mut self, esi: u32, symbol: &[u8], budget: &mut Budget) -> Result<bool, OverBudget> {
        if esi >= self.bound || self.contains(esi) {
            return Ok(false);
        }
        let chunk = self.further.last().unwrap_or(&self.first);
        if chunk.len() == chunk.capacity() {
            // Half as much again, at least four symbols, hardly more than what the block lacks if nothing else of it
            // arrives.
            let k = self.decoder.source_symbols();
            let most = k.saturating_sub(self.esis.len()).max(k / 16).max(4);
            let more = (self.esis.len() / 2).clamp(4, most);
            let block = if self.esis.is_empty() { BLOCK_OVERHEAD } else { 0 };
            let bytes = (more * (symbol.len() + SYMBOL_OVERHEAD) + CHUNK_OVERHEAD + block) as u64;
            budget.charge(bytes)?;
            self.charged += bytes;
            let chunk = Vec::with_capacity(more * symbol.len());
            if self.esis.is_empty() {
                self.first = chunk;
            } else {
                self.further.push(chunk);
            }
        }
        self.esis.push(esi);
        self.known += 1;
        if self.esis.len() == FEW {
            self.seen.extend(&self.esis);
        } else if self.esis.len() > FEW {
            self.seen.insert(esi);
        }
        self.further.last_mut().unwrap_or(&mut self.first).extend_from_slice(symbol);
        Ok(true)
    }

    fn contains(&self, esi: u32) -> bool {
        if self.esis.len() < FEW { self.esis.contains(&esi) } else { self.seen.contains(&esi) }
    }

    /// Whether a block that lacks `missing` source symbols is worth an attempt.
    pub(super) fn is_solvable(&self, missing: usize) -> bool {
        let repair = self.len();
        let symbols = self.decoder.source_symbols() - missing + repair;
        symbols >= self.next_attempt && self.decoder.is_solvable(missing, repair)
    }

    /// The symbols that there are, in the order of their arrival.
    pub(super) fn symbols(&self) -> Vec<RepairSymbol<'_>> {
        let size = self.decoder.symbol_size();
        let chunks = std::iter::once(&self.first).chain(&self.further);
        let symbols = self.esis.iter().zip(chunks.flat_map(|chunk| chunk.chunks_exact(size)));
        let symbols = symbols.map(|(&esi, data)| RepairSymbol { esi, data });
        let mut all = Vec::with_capacity(self.esis.len());
        all.extend(symbols.filter(|symbol| symbol.esi < self.bound));
        all
    }

    /// Begins to decode the block with the symbols that there are.
    pub(super) fn begin(&mut self, present: &Present) -> Result<Box<dyn DecodeJob>, DecodeError> {
        loop {
            let below: Vec<u32>;
            let esis = if self.known == self.esis.len() {
                &self.esis
            } else {
                below = self.esis.iter().copied().filter(|&esi| esi < self.bound).collect();
                &below
            };
            match self.decoder.clone().begin(present, esis) {
                // The least that the code does not have. Such symbols say nothing; without them the others may do.
                Err(DecodeError::Esi { esi }) if esi < self.bound => {
                    self.bound = esi;
                    self.known = self.esis.iter().filter(|&&known| known < esi).count();
                    if !self.decoder.is_solvable(present.missing_count(), self.known) {
                        return Err(DecodeError::Esi { esi });
                    }
                }
                result => return result,
            }
        }
    }

    /// Notes that the block could not be decoded: it takes further symbols until it [is solvable](Self::is_solvable)
    /// again, and more and more of them the more attempts have failed.
    pub(super) fn note_failure(&mut self, present: &Present) {
        self.attempts += 1;
        let more = 1 << self.attempts.saturating_sub(EAGER_ATTEMPTS).min(20);
        self.next_attempt = present.count() + self.len() + more;
    }

    /// Notes that the block costs too much to decode: only with many more symbols it is tried again.
    pub(super) fn note_price(&mut self, present: &Present) {
        self.attempts += EAGER_ATTEMPTS;
        self.note_failure(present);
        self.next_attempt += self.decoder.source_symbols() / 4;
    }
}

impl fmt::Debug for RepairSymbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepairSymbols").field("esis", &self.esis).field("attempts", &self.attempts).finish()
    }
}
