// SPDX-License-Identifier: MPL-2.0

//! Raptor (RFC 5053).

pub(crate) mod code;
mod table;

use std::sync::Arc;

use crate::fountain::FountainBlock;
use crate::layout::{BlockLayout, SubSymbols};
use crate::no_code::NoCode;
use crate::{BlockDecoder, BlockEncoder, Code, ParameterError, Parameters, Partition, Wanted};

/// Source symbols of a block that the code is defined for, at least (§5.7).
const MIN_SOURCE_SYMBOLS: u32 = 4;
/// Source symbols of a block, at most: Kmax (§5.1.2).
const MAX_SOURCE_SYMBOLS: u32 = 8192;
/// Source blocks of an object, at most: as many as the field of Z can tell (§3.2.3).
const MAX_SOURCE_BLOCKS: u16 = u16::MAX;
/// Encoding symbols of a block, at most: as many as the Encoding Symbol ID of 16 bits can tell apart (§3.1).
const MAX_ENCODING_SYMBOLS: u32 = 1 << 16;

/// Checks the parameters and cuts the object into source blocks (§5.3.1.2).
pub(crate) fn partition(
    parameters: &Parameters,
    source_blocks: u16,
    sub_blocks: u8,
    alignment: u8,
) -> Result<(Partition, SubSymbols), ParameterError> {
    let sub_symbols = SubSymbols::new(parameters.symbol_size, sub_blocks.into(), alignment)?;
    let partition = Partition::of_fountain(parameters, source_blocks, MAX_SOURCE_BLOCKS, MAX_SOURCE_SYMBOLS)?;
    Ok((partition, sub_symbols))
}

/// The parameters of §4.2, where P is the symbol size that is wanted, Kmin is 4 and Gmax is unlimited: a packet has one
/// symbol, but symbols are smaller where a short object would otherwise have less than the four symbols that the code
/// needs. An object that is shorter than four times Al has a smaller Al; one of less than 4 bytes has no repair symbols.
/// Blocks of at most 7 symbols are the shortest that can be asked for.
pub(crate) fn derive(wanted: &Wanted) -> Result<Parameters, ParameterError> {
    let max_symbol_size = wanted.aligned_symbol_size()?;
    let length = wanted.transfer_length;
    let least = u64::from(MIN_SOURCE_SYMBOLS);
    let alignment = match length / least {
        0 => wanted.alignment,
        quarter => u64::from(wanted.alignment).min(quarter) as u8,
    };
    let units = max_symbol_size / u16::from(alignment);
    let symbols_per_packet = match length {
        0..4 => 1,
        _ => (u64::from(max_symbol_size) * least).div_ceil(length).min(units.into()) as u16,
    };
    let symbol_size = units / symbols_per_packet * u16::from(alignment);
    let symbols = length.div_ceil(symbol_size.into());
    let max_block = match wanted.max_source_block_length {
        Some(0) => return Err(ParameterError::ZeroSourceBlockLength),
        Some(max) if max > MAX_SOURCE_SYMBOLS => {
            return Err(ParameterError::SourceBlockTooLong { symbols: max.into(), max: MAX_SOURCE_SYMBOLS });
        }
        // Blocks of at most 7 are never of less than 4, however many symbols there are.
        Some(max) => max.max(2 * MIN_SOURCE_SYMBOLS - 1),
        None => MAX_SOURCE_SYMBOLS,
    };
    let source_blocks = wanted.source_blocks(symbols, symbol_size, max_block, MAX_SOURCE_BLOCKS)?;
    let block = symbols.div_ceil(source_blocks.into());
    // §4.2 has a lower bound of N; here a sub-block is really no larger than W if that is possible.
    let max_sub_blocks = (symbol_size / u16::from(alignment)).min(u8::MAX.into());
    let units = u64::from(symbol_size / u16::from(alignment));
    let sub_block = |n: u64| block * units.div_ceil(n) * u64::from(alignment);
    let sub_blocks = match wanted.max_sub_block_size {
        None => 1,
        Some(size) => (1..max_sub_blocks).find(|&n| sub_block(n.into()) <= size).unwrap_or(max_sub_blocks),
    };
    Ok(Parameters {
        code: Code::Raptor { source_blocks, sub_blocks: sub_blocks as u8, alignment },
        transfer_length: length,
        symbol_size,
    })
}

/// The encoder of blocks of this layout. There is no code for less than four symbols, so such a block has no repair
/// symbols.
pub(crate) fn encoder(layout: BlockLayout) -> Arc<dyn BlockEncoder> {
    match code::Raptor::new(layout.symbols) {
        Some(code) => Arc::new(FountainBlock::new(code, layout)),
        None => Arc::new(NoCode { source_symbols: layout.symbols, symbol_size: layout.symbol_size }),
    }
}

/// The decoder of blocks of this layout.
pub(crate) fn decoder(layout: BlockLayout) -> Arc<dyn BlockDecoder> {
    match code::Raptor::new(layout.symbols) {
        Some(code) => Arc::new(FountainBlock::new(code, layout)),
        None => Arc::new(NoCode { source_symbols: layout.symbols, symbol_size: layout.symbol_size }),
    }
}
