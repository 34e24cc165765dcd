// SPDX-License-Identifier: MPL-2.0

//! Which symbols of an object are there: one bit for each source symbol of the object, one count for each source block.
//!
//! Both are zeroed allocations of which the system provides only what is touched, so that an object of many blocks costs
//! what has arrived of it.

use std::mem::size_of;

use flute_fec::{ObjectCodec, Present, SourceBlock};

use super::event::BlockLoss;

/// The source symbols that are there.
#[derive(Debug)]
pub(super) struct Blocks {
    symbols: Vec<u64>,
    /// Source symbols of each block that are there.
    received: Vec<u32>,
    /// Blocks of which every source symbol is there.
    complete: u32,
}

impl Blocks {
    /// Bytes of memory that the bookkeeping of an object takes.
    pub(super) fn memory_use(codec: &ObjectCodec) -> u64 {
        words(codec) * size_of::<u64>() as u64 + u64::from(codec.block_count()) * size_of::<u32>() as u64
    }

    /// No symbol is there. The caller has charged [`memory_use`](Self::memory_use).
    pub(super) fn new(codec: &ObjectCodec) -> Self {
        Self { symbols: vec![0; words(codec) as usize], received: vec![0; codec.block_count() as usize], complete: 0 }
    }

    /// Whether every block is complete.
    pub(super) fn is_complete(&self) -> bool {
        self.complete as usize == self.received.len()
    }

    /// Whether every source symbol of `block` is there.
    pub(super) fn is_block_complete(&self, block: &SourceBlock) -> bool {
        self.received[block.number as usize] == block.symbols
    }

    /// Number of source symbols of `block` that are there.
    pub(super) fn received(&self, block: &SourceBlock) -> u32 {
        self.received[block.number as usize]
    }

    /// Marks a source symbol of `block`, the first symbol of which is number `first` in the object; `false` if it was
    /// there.
    pub(super) fn insert(&mut self, block: &SourceBlock, first: u64, esi: u32) -> bool {
        let (word, bit) = place(first + u64::from(esi));
        if self.symbols[word] & bit != 0 {
            return false;
        }
        self.symbols[word] |= bit;
        let received = &mut self.received[block.number as usize];
        *received += 1;
        self.complete += u32::from(*received == block.symbols);
        true
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

fn words(codec: &ObjectCodec) -> u64 {
    let parameters = codec.parameters();
    parameters.transfer_length.div_ceil(parameters.symbol_size.into()).div_ceil(64)
}

fn place(symbol: u64) -> (usize, u64) {
    ((symbol / 64) as usize, 1 << (symbol % 64))
}

#[cfg(test)]
mod tests {
    use flute_fec::{Code, Parameters};

    use super::*;

    #[test]
    fn blocks_fill_up() {
        // RFC 5052 §9.1: 10 symbols in blocks of at most 4 are blocks of 4, 3 and 3.
        let codec =
            Parameters { code: Code::NoCode { max_source_block_length: 4 }, transfer_length: 95, symbol_size: 10 }
                .codec()
                .unwrap();
        let mut blocks = Blocks::new(&codec);
        let block = |number| codec.block(number).unwrap();
        assert!(blocks.insert(&block(1), 4, 2));
        assert!(!blocks.insert(&block(1), 4, 2));
        assert_eq!(blocks.present(&block(1), 4).missing().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(blocks.complete_block(&block(1), 4), 2);
        assert_eq!(blocks.complete_block(&block(0), 0), 4);
        assert!(!blocks.is_complete());
        let losses = blocks.losses(&codec, 10, |_| 7);
        assert_eq!(losses, [BlockLoss { source_block: 2, missing: 3, repair: 7, source_symbols: 3 }]);
        assert_eq!(blocks.complete_block(&block(2), 7), 3);
        assert!(blocks.is_complete());
    }
}
