// SPDX-License-Identifier: MPL-2.0

//! The numbers of a Reed-Solomon code: which are possible, and which are good for an object (RFC 5510 §6).

use super::field::Field;
use super::symbol::Layout;
use crate::{ByteOrder, Code, ParameterError, Parameters, Partition, Points, Protection, Scheme, Wanted};

/// Source symbols of a block where the caller does not say how many.
const DEFAULT_SOURCE_BLOCK_LENGTH: u32 = 64;

/// Checks all that is known of a code without an object: m, max_n, B and the symbol size.
pub(super) fn check(code: Code, symbol_size: u16) -> Result<(&'static Field, Points, ByteOrder, u32), ParameterError> {
    let Code::ReedSolomon { m, points, byte_order, max_source_block_length, max_encoding_symbols } = code else {
        return Err(ParameterError::Unsupported(code.scheme()));
    };
    let field = Field::get(m).ok_or(ParameterError::Field { m })?;
    if whole_elements(field, symbol_size)? != symbol_size {
        return Err(ParameterError::SymbolSize { symbol_size, multiple: Layout::new(field.m()).unit() as u16 });
    }
    if max_source_block_length == 0 {
        return Err(ParameterError::ZeroSourceBlockLength);
    }
    if max_encoding_symbols > field.order() {
        return Err(ParameterError::TooManyEncodingSymbols {
            encoding_symbols: max_encoding_symbols.into(),
            max: field.order().into(),
        });
    }
    if max_source_block_length > max_encoding_symbols {
        return Err(ParameterError::SourceBlockLength {
            source_symbols: max_source_block_length,
            encoding_symbols: max_encoding_symbols,
        });
    }
    Ok((field, points, byte_order, max_encoding_symbols))
}

/// Cuts an object of `symbols` source symbols into blocks: the algorithm of RFC 5052 §9.1, which RFC 5510 §6 demands.
pub(crate) fn partition(code: Code, symbol_size: u16, symbols: u64) -> Result<Partition, ParameterError> {
    check(code, symbol_size)?;
    let Code::ReedSolomon { max_source_block_length, .. } = code else {
        return Err(ParameterError::Unsupported(code.scheme()));
    };
    Partition::by_length(symbols, max_source_block_length).ok_or(ParameterError::ZeroSourceBlockLength)
}

/// The parameters for an object: B by RFC 5510 §6.1 and max_n by §6.2.
///
/// The symbol size is rounded down to whole elements. A block length that is asked for is kept, or refused. The default
/// one grows where the object would have more blocks than packets can number.
pub(crate) fn derive(wanted: &Wanted) -> Result<Parameters, ParameterError> {
    let Scheme::ReedSolomon { m, points, byte_order } = wanted.scheme else {
        return Err(ParameterError::Unsupported(wanted.scheme));
    };
    let field = Field::get(m).ok_or(ParameterError::Field { m })?;
    let order = field.order();
    let symbol_size = whole_elements(field, wanted.symbol_size)?;
    let symbols = wanted.transfer_length.div_ceil(symbol_size.into());
    let max_length = max_source_block_length(wanted.protection, order);
    let length = match wanted.max_source_block_length {
        Some(length) => length,
        None => {
            let least = symbols.div_ceil(wanted.max_source_blocks.max(1)).max(DEFAULT_SOURCE_BLOCK_LENGTH.into());
            least.min(max_length.into()) as u32
        }
    };
    let encoding_symbols = encoding_symbols(wanted.protection, length.max(1));
    if encoding_symbols > order.into() {
        return Err(ParameterError::TooManyEncodingSymbols { encoding_symbols, max: order.into() });
    }
    let max_symbols = u64::from(length).saturating_mul(wanted.max_source_blocks);
    if length > 0 && symbols > max_symbols {
        return Err(ParameterError::ObjectTooLong {
            length: wanted.transfer_length,
            max: max_symbols.saturating_mul(symbol_size.into()),
        });
    }
    let code = Code::ReedSolomon {
        m,
        points,
        byte_order,
        max_source_block_length: length,
        max_encoding_symbols: encoding_symbols as u32,
    };
    check(code, symbol_size)?;
    Ok(Parameters { code, transfer_length: wanted.transfer_length, symbol_size })
}

/// The largest symbol size up to `symbol_size` that holds whole elements.
fn whole_elements(field: &Field, symbol_size: u16) -> Result<u16, ParameterError> {
    let multiple = Layout::new(field.m()).unit() as u16;
    match symbol_size / multiple * multiple {
        0 if symbol_size == 0 => Err(ParameterError::ZeroSymbolSize),
        0 => Err(ParameterError::SymbolSize { symbol_size, multiple }),
        rounded => Ok(rounded),
    }
}

/// Encoding symbols of a block, n.
fn encoding_symbols(protection: Protection, source_symbols: u32) -> u64 {
    u64::from(source_symbols) + u64::from(protection.repair_symbols(source_symbols))
}

/// The longest block that leaves room for its repair symbols, max1_B of RFC 5510 §6.1; 0 where there is none.
fn max_source_block_length(protection: Protection, order: u32) -> u32 {
    let (mut fits, mut beyond) = (0, order + 1);
    while beyond - fits > 1 {
        let length = fits + (beyond - fits) / 2;
        if encoding_symbols(protection, length) <= order.into() {
            fits = length;
        } else {
            beyond = length;
        }
    }
    fits
}
