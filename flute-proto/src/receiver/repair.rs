// SPDX-License-Identifier: MPL-2.0

//! The repair symbols of one source block, kept until the block is complete.

use std::fmt;
use std::mem::size_of;
use std::sync::Arc;

use flute_fec::{BlockDecoder, DecodeError, Present, RepairSymbol};

use super::budget::{Budget, OverBudget};

/// Attempts at a block that are made at each further symbol. Raptor (RFC 5053) fails with `h` symbols more than k with
/// a probability of about 0.85 · 0.567^h, so that an honest block is hardly ever past them.
const EAGER_ATTEMPTS: u32 = 12;

/// Repair symbols, and the decoder that they are for.
pub(super) struct RepairSymbols {
    decoder: Arc<dyn BlockDecoder>,
    /// ESI and index in `data` of each symbol, by ascending ESI.
    index: Vec<(u32, u32)>,
    data: Vec<u8>,
    charged: u64,
    attempts: u32,
    /// Number of symbols of the block, source and repair, below which no attempt is worth its time.
    next_attempt: usize,
}

impl RepairSymbols {
    pub(super) fn new(decoder: Arc<dyn BlockDecoder>) -> Self {
        Self { decoder, index: Vec::new(), data: Vec::new(), charged: 0, attempts: 0, next_attempt: 0 }
    }

    /// Number of symbols.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Bytes that are charged for the symbols.
    pub(super) fn memory_use(&self) -> u64 {
        self.charged
    }

    /// Keeps a symbol, whole and of the size of the code; `false` if it is there.
    pub(super) fn insert(&mut self, esi: u32, symbol: &[u8], budget: &mut Budget) -> Result<bool, OverBudget> {
        let Err(position) = self.index.binary_search_by_key(&esi, |&(esi, _)| esi) else { return Ok(false) };
        let slot = self.data.len() / self.decoder.symbol_size();
        if self.data.len() + symbol.len() > self.data.capacity() {
            // Half as much again, at least four symbols, at most what the block lacks if nothing else of it arrives.
            let most = self.decoder.source_symbols().saturating_sub(slot).max(4);
            let more = (slot / 2).clamp(4, most);
            let bytes = (more * (symbol.len() + size_of::<(u32, u32)>())) as u64;
            budget.charge(bytes)?;
            self.charged += bytes;
            self.data.reserve_exact(more * symbol.len());
            self.index.reserve_exact(more);
        }
        self.index.insert(position, (esi, slot as u32));
        self.data.extend_from_slice(symbol);
        Ok(true)
    }

    /// Whether a block that lacks `missing` source symbols is worth an attempt.
    pub(super) fn is_solvable(&self, missing: usize) -> bool {
        let symbols = self.decoder.source_symbols() - missing + self.len();
        symbols >= self.next_attempt && self.decoder.is_solvable(missing, self.len())
    }

    /// Writes the missing source symbols into `block`.
    ///
    /// After a failure it takes further symbols until [`is_solvable`](Self::is_solvable) again, and more and more of
    /// them the more attempts have failed.
    pub(super) fn decode(&mut self, block: &mut [u8], present: &Present) -> Result<(), DecodeError> {
        loop {
            let size = self.decoder.symbol_size();
            let symbols: Vec<RepairSymbol<'_>> = self
                .index
                .iter()
                .map(|&(esi, index)| RepairSymbol { esi, data: &self.data[index as usize * size..][..size] })
                .collect();
            match self.decoder.decode(block, present, &symbols) {
                // A symbol that the code does not have says nothing; without it the others may do.
                Err(DecodeError::Esi { esi }) if self.forget(esi) => {
                    if !self.decoder.is_solvable(present.missing_count(), self.len()) {
                        return Err(DecodeError::Esi { esi });
                    }
                }
                Err(error) => {
                    self.attempts += 1;
                    let more = 1 << self.attempts.saturating_sub(EAGER_ATTEMPTS).min(20);
                    self.next_attempt = present.count() + self.len() + more;
                    return Err(error);
                }
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Forgets a symbol, the bytes of which stay until the block is complete.
    fn forget(&mut self, esi: u32) -> bool {
        let position = self.index.binary_search_by_key(&esi, |&(esi, _)| esi);
        position.map(|position| self.index.remove(position)).is_ok()
    }
}

impl fmt::Debug for RepairSymbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepairSymbols").field("index", &self.index).field("attempts", &self.attempts).finish()
    }
}
