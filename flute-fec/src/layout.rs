// SPDX-License-Identifier: MPL-2.0

//! Where the symbols of a source block with sub-blocks lie (RFC 5053 §5.3.1.2, RFC 6330 §4.4.1.2).
//!
//! A block of K symbols with N sub-blocks is N regions one after the other. Region n holds the n-th sub-symbol of every
//! symbol; a symbol is the concatenation of its sub-symbols. With one sub-block a symbol is one piece of the block.

use std::ops::Range;

use crate::{ParameterError, Partition};

/// How a symbol is cut into sub-symbols, one for each sub-block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SubSymbols {
    /// (TL, TS, NL, NS) = Partition\[T/Al, N\], in units of Al.
    partition: Partition,
    /// Al.
    alignment: u8,
}

/// A sub-symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SubSymbol {
    /// Where it starts in the source block, in bytes.
    pub(crate) block_offset: u64,
    /// Where it starts in its symbol, in bytes.
    pub(crate) symbol_offset: u16,
    /// Length in bytes.
    pub(crate) length: u16,
}

impl SubSymbols {
    /// Symbols of one piece.
    pub(crate) fn whole(symbol_size: u16) -> Self {
        let size = symbol_size.into();
        Self {
            partition: Partition { symbols: size, blocks: 1, large: size, small: size, large_blocks: 0 },
            alignment: 1,
        }
    }

    /// Symbols of `symbol_size` bytes, T, cut into `sub_blocks`, N, pieces that are multiples of `alignment`, Al.
    pub(crate) fn new(symbol_size: u16, sub_blocks: u16, alignment: u8) -> Result<Self, ParameterError> {
        if alignment == 0 {
            return Err(ParameterError::ZeroAlignment);
        }
        if !symbol_size.is_multiple_of(alignment.into()) {
            return Err(ParameterError::UnalignedSymbolSize { symbol_size, alignment });
        }
        let units = symbol_size / u16::from(alignment);
        match Partition::by_count(units.into(), sub_blocks.into()) {
            Some(partition) if sub_blocks > 0 => Ok(Self { partition, alignment }),
            _ => Err(ParameterError::SubBlocks { sub_blocks, max: units }),
        }
    }

    /// Number of sub-symbols of a symbol, N.
    pub(crate) fn count(&self) -> u64 {
        self.partition.blocks
    }

    /// The sub-symbols of symbol `esi` of a block of `symbols`.
    pub(crate) fn of(&self, symbols: u32, esi: u32) -> impl Iterator<Item = SubSymbol> + use<> {
        let Self { partition, alignment } = *self;
        (0..partition.blocks).map(move |index| {
            let symbol_offset = partition.first_symbol(index) * u64::from(alignment);
            let length = partition.block_symbols(index) * u64::from(alignment);
            SubSymbol {
                block_offset: u64::from(symbols) * symbol_offset + u64::from(esi) * length,
                symbol_offset: symbol_offset as u16,
                length: length as u16,
            }
        })
    }
}

/// Where the symbols of one source block lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockLayout {
    /// Number of source symbols, K.
    pub(crate) symbols: u32,
    /// Size of a symbol in bytes, T.
    pub(crate) symbol_size: u16,
    /// How each symbol is cut.
    pub(crate) sub_symbols: SubSymbols,
}

impl BlockLayout {
    /// The pieces of `columns` of symbol `esi`: where each lies in the block, and where in `columns`.
    fn pieces(&self, esi: u32, columns: Range<usize>) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + use<> {
        self.sub_symbols.of(self.symbols, esi).filter_map(move |sub_symbol| {
            let offset = usize::from(sub_symbol.symbol_offset);
            let start = columns.start.max(offset);
            let end = columns.end.min(offset + usize::from(sub_symbol.length));
            let in_block = sub_symbol.block_offset as usize + start.saturating_sub(offset);
            (start < end).then(|| (in_block..in_block + (end - start), start - columns.start..end - columns.start))
        })
    }

    /// Copies `columns` of symbol `esi` of `block` to `out`, as long as `columns`. A block that is short counts as padded
    /// with zeros.
    pub(crate) fn read(&self, block: &[u8], esi: u32, columns: Range<usize>, out: &mut [u8]) {
        for (in_block, in_columns) in self.pieces(esi, columns) {
            let out = &mut out[in_columns];
            let start = in_block.start.min(block.len());
            let present = &block[start..in_block.end.min(block.len()).max(start)];
            out[..present.len()].copy_from_slice(present);
            out[present.len()..].fill(0);
        }
    }

    /// Copies `data` to `columns` of symbol `esi` of a whole `block`.
    pub(crate) fn write(&self, block: &mut [u8], esi: u32, columns: Range<usize>, data: &[u8]) {
        for (in_block, in_columns) in self.pieces(esi, columns) {
            block[in_block].copy_from_slice(&data[in_columns]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_symbols_by_hand() {
        // T = 20, Al = 4, N = 2: Partition[5, 2] = (3, 2, 1, 1), so sub-symbols of 12 and 8 bytes. K = 3: the first
        // sub-block has 36 bytes.
        let sub_symbols = SubSymbols::new(20, 2, 4).unwrap();
        let of = |esi| sub_symbols.of(3, esi).map(|s| (s.block_offset, s.symbol_offset, s.length)).collect::<Vec<_>>();
        assert_eq!(of(0), [(0, 0, 12), (36, 12, 8)]);
        assert_eq!(of(2), [(24, 0, 12), (52, 12, 8)]);
    }

    #[test]
    fn columns_go_across_sub_symbols() {
        let layout = BlockLayout { symbols: 3, symbol_size: 20, sub_symbols: SubSymbols::new(20, 2, 4).unwrap() };
        let block: Vec<u8> = (0..60).collect();
        let mut out = [0; 6];
        layout.read(&block, 1, 9..15, &mut out);
        assert_eq!(out, [21, 22, 23, 44, 45, 46]);
        // Short by 15 bytes: that is more than the last sub-symbol, so symbol 1 is short too.
        layout.read(&block[..45], 1, 9..15, &mut out);
        assert_eq!(out, [21, 22, 23, 44, 0, 0]);
        let mut copy = vec![0; 60];
        for esi in 0..3 {
            for columns in [0..7, 7..20] {
                let mut out = vec![0; columns.len()];
                layout.read(&block, esi, columns.clone(), &mut out);
                layout.write(&mut copy, esi, columns, &out);
            }
        }
        assert_eq!(copy, block);
    }

    #[test]
    fn what_cannot_be_cut() {
        assert_eq!(SubSymbols::new(20, 1, 0), Err(ParameterError::ZeroAlignment));
        assert_eq!(
            SubSymbols::new(20, 1, 8),
            Err(ParameterError::UnalignedSymbolSize { symbol_size: 20, alignment: 8 })
        );
        assert_eq!(SubSymbols::new(20, 0, 4), Err(ParameterError::SubBlocks { sub_blocks: 0, max: 5 }));
        assert_eq!(SubSymbols::new(20, 6, 4), Err(ParameterError::SubBlocks { sub_blocks: 6, max: 5 }));
        assert_eq!(SubSymbols::new(20, 1, 4).unwrap().of(3, 2).count(), 1);
    }
}
