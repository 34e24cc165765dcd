// SPDX-License-Identifier: MPL-2.0

//! RaptorQ (RFC 6330).

pub(crate) mod code;
mod table;

use std::sync::Arc;

use crate::fountain::FountainBlock;
use crate::layout::{BlockLayout, SubSymbols};
use crate::{BlockDecoder, BlockEncoder, Code, ParameterError, Parameters, Partition, Wanted};

/// Source symbols of a block, at most: K'_max (§5.1.2).
const MAX_SOURCE_SYMBOLS: u32 = 56403;
/// Source blocks of an object, at most: as many as the Source Block Number of 8 bits can tell apart (§3.2).
const MAX_SOURCE_BLOCKS: u16 = 256;
/// Encoding symbols of a block, at most: as many as the Encoding Symbol ID of 24 bits can tell apart (§3.2).
const MAX_ENCODING_SYMBOLS: u32 = 1 << 24;

/// Checks the parameters and cuts the object into source blocks (§4.4.1.2).
pub(crate) fn partition(
    parameters: &Parameters,
    source_blocks: u16,
    sub_blocks: u16,
    alignment: u8,
) -> Result<(Partition, SubSymbols), ParameterError> {
    let sub_symbols = SubSymbols::new(parameters.symbol_size, sub_blocks, alignment)?;
    let partition = Partition::of_fountain(parameters, source_blocks, MAX_SOURCE_BLOCKS, MAX_SOURCE_SYMBOLS)?;
    Ok((partition, sub_symbols))
}

/// Source symbols of a block, at most, if the caller does not say and the object does not need more: a few MiB, which encode and
/// decode at full speed.
const DEFAULT_SOURCE_SYMBOLS: u32 = 8192;
/// A sub-symbol has at least so many units of Al: SS (§4.3).
const MIN_SUB_SYMBOL: u16 = 8;

/// The parameters of §4.3, where P' is the symbol size that is wanted.
pub(crate) fn derive(wanted: &Wanted) -> Result<Parameters, ParameterError> {
    let symbol_size = wanted.aligned_symbol_size()?;
    let alignment = wanted.alignment;
    let symbols = wanted.transfer_length.div_ceil(symbol_size.into());
    let max_blocks = wanted.max_source_blocks.clamp(1, MAX_SOURCE_BLOCKS.into());
    let default = symbols.div_ceil(max_blocks).clamp(DEFAULT_SOURCE_SYMBOLS.into(), MAX_SOURCE_SYMBOLS.into());
    let max_block = match wanted.max_source_block_length {
        Some(0) => return Err(ParameterError::ZeroSourceBlockLength),
        Some(max) if max > MAX_SOURCE_SYMBOLS => {
            return Err(ParameterError::SourceBlockTooLong { symbols: max.into(), max: MAX_SOURCE_SYMBOLS });
        }
        Some(max) => max,
        None => default as u32,
    };
    // KL(n): the longest block whose sub-blocks, with n of them, are small enough.
    let sub_symbol = |n: u16| u64::from(alignment) * u64::from((symbol_size / u16::from(alignment)).div_ceil(n));
    let longest = |n: u16| match wanted.max_sub_block_size {
        None => Some(max_block),
        Some(size) => {
            let rows = table::ROWS.partition_point(|row| u64::from(row.symbols) <= size / sub_symbol(n));
            Some(table::ROWS[..rows].last()?.symbols.min(max_block))
        }
    };
    let max_sub_blocks = (symbol_size / (MIN_SUB_SYMBOL * u16::from(alignment))).max(1);
    let max_block = longest(max_sub_blocks).ok_or_else(|| ParameterError::SubBlockSize {
        max_sub_block_size: wanted.max_sub_block_size.unwrap_or_default(),
        min: u64::from(table::ROWS[0].symbols) * sub_symbol(max_sub_blocks),
    })?;
    let source_blocks = wanted.source_blocks(symbols, symbol_size, max_block, MAX_SOURCE_BLOCKS)?;
    let block = symbols.div_ceil(source_blocks.into());
    let fits = |n: &u16| longest(*n).is_some_and(|longest| block <= longest.into());
    let sub_blocks = (1..max_sub_blocks).find(fits).unwrap_or(max_sub_blocks);
    Ok(Parameters {
        code: Code::RaptorQ { source_blocks, sub_blocks, alignment },
        transfer_length: wanted.transfer_length,
        symbol_size,
    })
}

/// The encoder of blocks of this layout.
pub(crate) fn encoder(layout: BlockLayout) -> Result<Arc<dyn BlockEncoder>, ParameterError> {
    Ok(Arc::new(FountainBlock::new(code(&layout)?, layout)))
}

/// The decoder of blocks of this layout.
pub(crate) fn decoder(layout: BlockLayout) -> Result<Arc<dyn BlockDecoder>, ParameterError> {
    Ok(Arc::new(FountainBlock::new(code(&layout)?, layout)))
}

fn code(layout: &BlockLayout) -> Result<code::RaptorQ, ParameterError> {
    let too_long = ParameterError::SourceBlockTooLong { symbols: layout.symbols.into(), max: MAX_SOURCE_SYMBOLS };
    code::RaptorQ::new(layout.symbols).ok_or(too_long)
}
