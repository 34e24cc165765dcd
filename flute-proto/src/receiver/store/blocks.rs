// SPDX-License-Identifier: MPL-2.0

//! The source blocks of an object that are incomplete, or whose turn has not come, in buffers that are used again.
//!
//! The unit is a source block, which a code must find in one piece. Without a code there is nothing to decode, and blocks
//! may be long: then it is a run of 64 symbols.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use flute_fec::{Code, ObjectCodec, SourceBlock};

use crate::receiver::budget::{Budget, Buffer, OverBudget};

/// Symbols of a unit of an object without a code.
const UNIT_SYMBOLS: u64 = 64;

/// Units of an object.
#[derive(Debug)]
pub(in crate::receiver) struct BlockStore {
    units: BTreeMap<u64, Buffer>,
    symbol_size: u64,
    /// Bytes of a unit of an object without a code.
    unit_length: Option<u64>,
    /// Length of the object, padded to whole symbols.
    length: u64,
}

/// What has been forgotten of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::receiver) enum Forgotten {
    /// A source block.
    Block(u32),
    /// A range of bytes.
    Bytes(Range<u64>),
}

impl BlockStore {
    /// Nothing is kept yet.
    pub(in crate::receiver) fn new(codec: &ObjectCodec) -> Self {
        let parameters = codec.parameters();
        let symbol_size = u64::from(parameters.symbol_size);
        let unit_length = matches!(parameters.code, Code::NoCode { .. }).then_some(UNIT_SYMBOLS * symbol_size);
        let length = parameters.transfer_length.div_ceil(symbol_size) * symbol_size;
        Self { units: BTreeMap::new(), symbol_size, unit_length, length }
    }

    /// The number of the unit with the byte at `offset`, which is one of `block`.
    fn number(&self, offset: u64, block: &SourceBlock) -> u64 {
        self.unit_length.map_or_else(|| block.number.into(), |unit| offset / unit)
    }

    /// Where the unit lies.
    fn range(&self, number: u64, block: &SourceBlock) -> Range<u64> {
        match self.unit_length {
            Some(unit) => number * unit..((number + 1) * unit).min(self.length),
            None => block.offset..block.offset + u64::from(block.symbols) * self.symbol_size,
        }
    }

    /// The unit with the byte at `offset` of `block`, begun if nothing of it is there, and where it begins.
    fn unit_mut(
        &mut self,
        offset: u64,
        block: &SourceBlock,
        budget: &mut Budget,
    ) -> Result<(u64, &mut Buffer), OverBudget> {
        let number = self.number(offset, block);
        let range = self.range(number, block);
        let buffer = match self.units.entry(number) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let mut buffer = budget.buffer((range.end - range.start) as usize)?;
                // What pads the last symbol of the object is zero for every code (RFC 5052 §9).
                let end = (block.offset + block.length).saturating_sub(range.start);
                if let Some(padding) = usize::try_from(end).ok().and_then(|end| buffer.get_mut(end..)) {
                    padding.fill(0);
                }
                entry.insert(buffer)
            }
        };
        Ok((range.start, buffer))
    }

    /// Writes bytes of `block` to their place.
    pub(in crate::receiver) fn write(
        &mut self,
        block: &SourceBlock,
        offset: u64,
        data: &[u8],
        budget: &mut Budget,
    ) -> Result<(), OverBudget> {
        let (start, buffer) = self.unit_mut(offset, block, budget)?;
        let start = (offset - start) as usize;
        if let Some(place) = buffer.get_mut(start..start + data.len()) {
            place.copy_from_slice(data);
        }
        Ok(())
    }

    /// A source block in one piece, of an object with a code.
    pub(in crate::receiver) fn block_mut(
        &mut self,
        block: &SourceBlock,
        budget: &mut Budget,
    ) -> Result<&mut [u8], OverBudget> {
        let (_, buffer) = self.unit_mut(block.offset, block, budget)?;
        Ok(&mut buffer[..])
    }

    /// The bytes of `block` from `offset` on, up to the end of their unit; none where nothing was written.
    pub(in crate::receiver) fn slice(&self, offset: u64, block: &SourceBlock) -> &[u8] {
        let number = self.number(offset, block);
        let start = (offset - self.range(number, block).start) as usize;
        self.units.get(&number).and_then(|buffer| buffer.get(start..)).unwrap_or_default()
    }

    /// Forgets the units that lie before `offset`, a byte of `block`.
    pub(in crate::receiver) fn forget_before(&mut self, offset: u64, block: &SourceBlock, budget: &mut Budget) {
        let number = self.number(offset, block);
        while let Some(entry) = self.units.first_entry().filter(|entry| *entry.key() < number) {
            budget.give_back(entry.remove());
        }
    }

    /// Forgets a block, of an object with a code.
    pub(in crate::receiver) fn forget_block(&mut self, block: &SourceBlock, budget: &mut Budget) {
        if let Some(buffer) = self.units.remove(&block.number.into()) {
            budget.give_back(buffer);
        }
    }

    /// Forgets the last unit, if it lies behind the one with the byte at `offset` of `block`.
    pub(in crate::receiver) fn forget_last_behind(
        &mut self,
        offset: u64,
        block: &SourceBlock,
        budget: &mut Budget,
    ) -> Option<Forgotten> {
        let number = self.number(offset, block);
        let entry = self.units.last_entry().filter(|entry| *entry.key() > number)?;
        let number = *entry.key();
        budget.give_back(entry.remove());
        Some(match self.unit_length {
            Some(_) => Forgotten::Bytes(self.range(number, block)),
            None => Forgotten::Block(number as u32),
        })
    }

    /// Forgets all.
    pub(in crate::receiver) fn discard(self, budget: &mut Budget) {
        self.units.into_values().for_each(|buffer| budget.give_back(buffer));
    }
}

#[cfg(test)]
mod tests {
    use flute_fec::Parameters;

    use super::*;

    fn codec(code: Code) -> ObjectCodec {
        Parameters { code, transfer_length: 10_005, symbol_size: 10 }.codec().unwrap()
    }

    #[test]
    fn units_of_64_symbols_without_a_code() {
        let codec = codec(Code::NoCode { max_source_block_length: 1000 });
        let block = codec.block(0).unwrap();
        let mut budget = Budget::new(1 << 20);
        let mut store = BlockStore::new(&codec);
        for symbol in [0, 63, 64, 200] {
            store.write(&block, symbol * 10, &[symbol as u8; 10], &mut budget).unwrap();
        }
        assert_eq!(store.slice(630, &block), [63; 10]);
        assert_eq!(store.slice(635, &block), [63; 5]);
        assert_eq!(&store.slice(2000, &block)[..10], [200; 10]);
        assert!(store.slice(640 * 2, &block).is_empty());
        store.forget_before(700, &block, &mut budget);
        assert!(store.slice(0, &block).is_empty() && store.slice(640, &block).starts_with(&[64; 10]));
        let forgotten = store.forget_last_behind(700, &block, &mut budget);
        assert_eq!(forgotten, Some(Forgotten::Bytes(1920..2560)));
        assert_eq!(store.forget_last_behind(700, &block, &mut budget), None);
        assert!(budget.used() > 0);
        store.discard(&mut budget);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_block_of_a_code_is_in_one_piece_and_padded() {
        let codec = codec(Code::ReedSolomon {
            m: 8,
            points: flute_fec::Points::default(),
            byte_order: flute_fec::ByteOrder::default(),
            max_source_block_length: 100,
            max_encoding_symbols: 110,
        });
        let last = codec.block(codec.block_count() - 1).unwrap();
        let mut budget = Budget::new(1 << 20);
        let mut dirty = budget.buffer(1000).unwrap();
        dirty.fill(9);
        budget.give_back(dirty);
        let mut store = BlockStore::new(&codec);
        let block = store.block_mut(&last, &mut budget).unwrap();
        assert_eq!(block.len(), last.symbols as usize * 10);
        assert_eq!(&block[block.len() - 6..], [9, 0, 0, 0, 0, 0]);
        assert_eq!(
            store.forget_last_behind(0, &codec.block(0).unwrap(), &mut budget),
            Some(Forgotten::Block(last.number))
        );
    }
}
