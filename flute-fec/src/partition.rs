// SPDX-License-Identifier: MPL-2.0

//! Cutting an object into source blocks of nearly equal length (RFC 5052 §9.1, RFC 3926 §5.1.2.3).

use crate::{ParameterError, Parameters};

/// How the symbols of an object are spread over its source blocks.
///
/// The first [`large_blocks`](Self::large_blocks) blocks have [`large`](Self::large) symbols, the others
/// [`small`](Self::small), which is one less (or the same, where `large_blocks` is 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Number of source symbols of the object, T of RFC 5052 §9.1.
    pub symbols: u64,
    /// Number of source blocks, N.
    pub blocks: u64,
    /// Symbols of a larger block, A_large.
    pub large: u64,
    /// Symbols of a smaller block, A_small.
    pub small: u64,
    /// Number of larger blocks, I.
    pub large_blocks: u64,
}

impl Partition {
    /// The block partitioning algorithm of RFC 5052 §9.1 for `symbols` source symbols and at most
    /// `max_source_block_length` of them per block.
    ///
    /// An empty object has no block. A `max_source_block_length` of 0 yields `None` unless the object is empty.
    pub fn by_length(symbols: u64, max_source_block_length: u32) -> Option<Self> {
        match (symbols, max_source_block_length) {
            (0, _) => Self::by_count(0, 0),
            (_, 0) => None,
            (symbols, max) => Self::by_count(symbols, symbols.div_ceil(max.into())),
        }
    }

    /// Spreads `symbols` over exactly `blocks` blocks: Partition\[I, J\] of RFC 5053 §5.3.1.2 and RFC 6330 §4.4.1.2.
    ///
    /// `None` where there are symbols but no block for them, or more blocks than symbols.
    pub fn by_count(symbols: u64, blocks: u64) -> Option<Self> {
        if blocks == 0 {
            return (symbols == 0).then_some(Self { symbols, blocks, large: 0, small: 0, large_blocks: 0 });
        }
        if symbols < blocks {
            return None;
        }
        let small = symbols / blocks;
        Some(Self { symbols, blocks, large: symbols.div_ceil(blocks), small, large_blocks: symbols - small * blocks })
    }

    /// Partition\[Kt, Z\] for the object of `parameters`, a Raptor or RaptorQ code with `source_blocks`, Z, where the
    /// scheme numbers `max_source_blocks` of at most `max_source_symbols`. An empty object has no block whatever Z says.
    pub(crate) fn of_fountain(
        parameters: &Parameters,
        source_blocks: u16,
        max_source_blocks: u16,
        max_source_symbols: u32,
    ) -> Result<Self, ParameterError> {
        let symbols = parameters.transfer_length.div_ceil(parameters.symbol_size.into());
        let max = symbols.min(max_source_blocks.into());
        let blocks = if symbols == 0 { 0 } else { source_blocks };
        let partition = match Self::by_count(symbols, blocks.into()) {
            Some(partition) if partition.blocks <= max => partition,
            _ => return Err(ParameterError::SourceBlocks { source_blocks, max }),
        };
        if partition.large > max_source_symbols.into() {
            return Err(ParameterError::SourceBlockTooLong { symbols: partition.large, max: max_source_symbols });
        }
        Ok(partition)
    }

    /// The block that source symbol `symbol` of the object is in; `None` behind the last symbol.
    pub fn block_of(&self, symbol: u64) -> Option<u64> {
        if symbol >= self.symbols {
            return None;
        }
        let in_large_blocks = self.large_blocks * self.large;
        Some(if symbol < in_large_blocks {
            symbol / self.large
        } else {
            self.large_blocks + (symbol - in_large_blocks) / self.small
        })
    }

    /// Number of source symbols in block `number`, 0 for a block that does not exist.
    pub fn block_symbols(&self, number: u64) -> u64 {
        if number >= self.blocks {
            0
        } else if number < self.large_blocks {
            self.large
        } else {
            self.small
        }
    }

    /// Number of source symbols in front of block `number`: the index of its first symbol within the object.
    pub fn first_symbol(&self, number: u64) -> u64 {
        let number = number.min(self.blocks);
        let large = number.min(self.large_blocks);
        large * self.large + (number - large) * self.small
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn example_of_rfc_5052() {
        // T = 10 symbols, B = 4: N = 3, A_large = 4, A_small = 3, I = 1.
        let partition = Partition::by_length(10, 4).unwrap();
        assert_eq!((partition.blocks, partition.large, partition.small, partition.large_blocks), (3, 4, 3, 1));
        assert_eq!((0..4).map(|n| partition.block_symbols(n)).collect::<Vec<_>>(), [4, 3, 3, 0]);
        assert_eq!((0..4).map(|n| partition.first_symbol(n)).collect::<Vec<_>>(), [0, 4, 7, 10]);
        let blocks: Vec<_> = (0..11).map(|symbol| partition.block_of(symbol)).collect();
        assert_eq!(blocks, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 9].map(|block| (block < 9).then_some(block)));
    }

    #[test]
    fn what_cannot_be_cut() {
        assert_eq!(Partition::by_length(0, 0).unwrap().blocks, 0);
        assert_eq!(Partition::by_length(1, 0), None);
        assert_eq!(Partition::by_count(3, 4), None);
        assert_eq!(Partition::by_count(3, 0), None);
    }

    proptest! {
        #[test]
        fn blocks_cover_the_object(symbols in 1u64..1 << 40, max in 1u32..1 << 16) {
            let partition = Partition::by_length(symbols, max).unwrap();
            prop_assert!(partition.large <= max.into());
            prop_assert!(partition.large - partition.small <= 1);
            prop_assert_eq!(partition.first_symbol(partition.blocks), symbols);
        }
    }
}
