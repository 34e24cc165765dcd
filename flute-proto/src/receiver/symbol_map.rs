// SPDX-License-Identifier: MPL-2.0

//! Which source symbols of an object are there: one bit for each of them, one count for each source block, and how many
//! there are from the start without a gap.
//!
//! Both tables are zeroed allocations of which the system provides only what is touched, so that an object of many blocks
//! costs what has arrived of it.

use std::mem::size_of;
use std::ops::Range;

use flute_fec::{ObjectCodec, Present, SourceBlock};

use super::event::BlockLoss;

/// The source symbols that are there.
#[derive(Debug)]
pub(super) struct SymbolMap {
    symbols: Vec<u64>,
    /// Source symbols of each block that are there.
    received: Vec<u32>,
    /// Blocks of which every source symbol is there.
    complete: u32,
    /// Source symbols that are not there.
    missing: u64,
    /// The first symbol of the object that is not there.
    first_missing: u64,
}

impl SymbolMap {
    /// Bytes of memory that the tables of an object take.
    pub(super) fn memory_use(codec: &ObjectCodec) -> u64 {
        Self::count(codec).div_ceil(64) * size_of::<u64>() as u64
            + u64::from(codec.block_count()) * size_of::<u32>() as u64
    }

    /// Number of source symbols of an object.
    pub(super) fn count(codec: &ObjectCodec) -> u64 {
        let parameters = codec.parameters();
        parameters.transfer_length.div_ceil(parameters.symbol_size.into())
    }

    /// No symbol is there. The caller has charged [`memory_use`](Self::memory_use).
    pub(super) fn new(codec: &ObjectCodec) -> Self {
        Self {
            symbols: vec![0; Self::count(codec).div_ceil(64) as usize],
            received: vec![0; codec.block_count() as usize],
            complete: 0,
            missing: Self::count(codec),
            first_missing: 0,
        }
    }

    /// Whether every block is complete.
    pub(super) fn is_complete(&self) -> bool {
        self.complete as usize == self.received.len()
    }

    /// Source symbols that are not there.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    /// Whether every source symbol of `block` is there.
    pub(super) fn is_block_complete(&self, block: &SourceBlock) -> bool {
        self.received[block.number as usize] == block.symbols
    }

    /// Number of source symbols of `block` that are there.
    pub(super) fn received(&self, block: &SourceBlock) -> u32 {
        self.received[block.number as usize]
    }

    /// The first symbol of the object that is not there: all before it are.
    pub(super) fn first_missing(&self) -> u64 {
        self.first_missing
    }

    /// Marks a source symbol of `block`, the first symbol of which is number `first` in the object; `false` if it was
    /// there.
    pub(super) fn insert(&mut self, block: &SourceBlock, first: u64, esi: u32) -> bool {
        let symbol = first + u64::from(esi);
        let (word, bit) = place(symbol);
        if self.symbols[word] & bit != 0 {
            return false;
        }
        self.symbols[word] |= bit;
        let received = &mut self.received[block.number as usize];
        *received += 1;
        self.missing -= 1;
        if *received == block.symbols {
            self.complete += 1;
        }
        if symbol == self.first_missing {
            self.advance();
        }
        true
    }

    /// Finds the first missing symbol anew.
    fn advance(&mut self) {
        loop {
            let (word, _) = place(self.first_missing);
            let Some(symbols) = self.symbols.get(word) else { return };
            let bit = self.first_missing % 64;
            let run = u64::from((symbols >> bit).trailing_ones()).min(64 - bit);
            self.first_missing += run;
            if bit + run < 64 {
                return;
            }
        }
    }

    /// Unmarks the source symbols `esis` of `block`, of which none is before the first missing one.
    pub(super) fn remove(&mut self, block: &SourceBlock, first: u64, esis: Range<u32>) {
        debug_assert!(first + u64::from(esis.start) >= self.first_missing);
        let was_complete = self.is_block_complete(block);
        for esi in esis {
            let (word, bit) = place(first + u64::from(esi));
            if self.symbols[word] & bit != 0 {
                self.symbols[word] &= !bit;
                self.received[block.number as usize] -= 1;
                self.missing += 1;
            }
        }
        if was_complete && !self.is_block_complete(block) {
            self.complete -= 1;
        }
    }

    /// Whether a source symbol is there.
    pub(super) fn contains(&self, first: u64, esi: u32) -> bool {
        let (word, bit) = place(first + u64::from(esi));
        self.symbols[word] & bit != 0
    }

    /// Marks every source symbol of `block`; returns how many were missing.
    pub(super) fn complete_block(&mut self, block: &SourceBlock, first: u64) -> u32 {
        (0..block.symbols).filter(|&esi| self.insert(block, first, esi)).count() as u32
    }

    /// The source symbols of `block` that are there.
    pub(super) fn present(&self, block: &SourceBlock, first: u64) -> Present {
        let mut present = Present::new(block.symbols as usize);
        for esi in (0..block.symbols).filter(|&esi| self.contains(first, esi)) {
            present.insert(esi as usize);
        }
        present
    }

    /// What the first `limit` of the incomplete blocks lack; `repair` knows how many repair symbols a block has.
    pub(super) fn losses(&self, codec: &ObjectCodec, limit: usize, repair: impl Fn(u32) -> usize) -> Vec<BlockLoss> {
        (0..codec.block_count())
            .filter_map(|number| codec.block(number))
            .filter(|block| !self.is_block_complete(block))
            .take(limit)
            .map(|block| BlockLoss {
                source_block: block.number,
                missing: block.symbols - self.received(&block),
                repair: repair(block.number) as u32,
                source_symbols: block.symbols,
            })
            .collect()
    }
}

fn place(symbol: u64) -> (usize, u64) {
    ((symbol / 64) as usize, 1 << (symbol % 64))
}

#[cfg(test)]
mod tests {
    use flute_fec::{Code, Parameters};

    use super::*;

    fn codec(max_source_block_length: u32, transfer_length: u64) -> ObjectCodec {
        let code = Code::NoCode { max_source_block_length };
        Parameters { code, transfer_length, symbol_size: 10 }.codec().unwrap()
    }

    #[test]
    fn blocks_fill_up() {
        // RFC 5052 §9.1: 10 symbols in blocks of at most 4 are blocks of 4, 3 and 3.
        let codec = codec(4, 95);
        let mut map = SymbolMap::new(&codec);
        let block = |number| codec.block(number).unwrap();
        assert!(map.insert(&block(1), 4, 2));
        assert!(!map.insert(&block(1), 4, 2));
        assert_eq!(map.present(&block(1), 4).missing().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(map.complete_block(&block(1), 4), 2);
        assert_eq!(map.first_missing(), 0);
        assert_eq!(map.missing(), 7);
        assert_eq!(map.complete_block(&block(0), 0), 4);
        assert_eq!(map.first_missing(), 7);
        assert!(!map.is_complete());
        let losses = map.losses(&codec, 10, |_| 7);
        assert_eq!(losses, [BlockLoss { source_block: 2, missing: 3, repair: 7, source_symbols: 3 }]);
        assert_eq!(map.complete_block(&block(2), 7), 3);
        assert!(map.is_complete());
        assert_eq!(map.first_missing(), 10);
    }

    #[test]
    fn symbols_are_taken_back() {
        let codec = codec(200, 2000);
        let block = codec.block(0).unwrap();
        let mut map = SymbolMap::new(&codec);
        for esi in (0..200).filter(|esi| *esi != 100) {
            map.insert(&block, 0, esi);
        }
        assert_eq!((map.first_missing(), map.received(&block)), (100, 199));
        map.remove(&block, 0, 128..192);
        assert_eq!((map.received(&block), map.missing()), (135, 65));
        map.insert(&block, 0, 100);
        assert_eq!(map.first_missing(), 128);
        assert_eq!(map.complete_block(&block, 0), 64);
        assert!(map.is_complete());
        assert_eq!(map.first_missing(), 200);
    }
}
