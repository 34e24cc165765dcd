// SPDX-License-Identifier: MPL-2.0

//! From what a user wants (a scheme, a symbol size, some protection) to the parameters of one object, by the algorithms
//! of RFC 5052 §9.1, RFC 5510 §6, RFC 5053 §4.2 and RFC 6330 §4.3.

use crate::{ByteOrder, Code, ParameterError, Parameters, Points, raptor, raptorq, reed_solomon};

/// An erasure code, without the numbers that depend on the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Compact No-Code (RFC 5445 §3).
    NoCode,
    /// Reed-Solomon over GF(2^m) (RFC 5510).
    ReedSolomon {
        /// Bits of a finite field element, 2 to 16.
        m: u8,
        /// Which generator matrix.
        points: Points,
        /// How an element of more than 8 bits lies in a symbol.
        byte_order: ByteOrder,
    },
    /// Raptor (RFC 5053).
    Raptor,
    /// RaptorQ (RFC 6330).
    RaptorQ,
}

impl Code {
    /// The scheme that the code belongs to.
    pub fn scheme(&self) -> Scheme {
        match *self {
            Self::NoCode { .. } => Scheme::NoCode,
            Self::ReedSolomon { m, points, byte_order, .. } => Scheme::ReedSolomon { m, points, byte_order },
            Self::Raptor { .. } => Scheme::Raptor,
            Self::RaptorQ { .. } => Scheme::RaptorQ,
        }
    }
}

/// How many repair symbols a source block gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Protection {
    /// Percent of the source symbols, rounded up.
    Percent(f64),
    /// Symbols per block.
    Symbols(u32),
}

impl Protection {
    /// Repair symbols of a block of `source_symbols`.
    pub fn repair_symbols(&self, source_symbols: u32) -> u32 {
        match *self {
            Self::Percent(percent) => (f64::from(source_symbols) * percent / 100.0).ceil() as u32,
            Self::Symbols(symbols) => symbols,
        }
    }
}

/// What is wanted for one object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// The code.
    pub scheme: Scheme,
    /// Length of the object as it is transferred, in bytes.
    pub transfer_length: u64,
    /// Size of an encoding symbol in bytes, at most: a scheme may need a smaller one (RFC 5053 §4.2 for a short object).
    pub symbol_size: u16,
    /// Source symbols of a block, at most. `None`: the scheme's own default.
    pub max_source_block_length: Option<u32>,
    /// Repair symbols of a block.
    pub protection: Protection,
    /// How many source blocks the packets of the scheme can number.
    pub max_source_blocks: u64,
    /// Symbol alignment in bytes, Al, of Raptor and RaptorQ: the symbol size is rounded down to a multiple of it.
    pub alignment: u8,
    /// Size of a sub-block in bytes, at most: W of RFC 5053 §4.2, WS of RFC 6330 §4.3. It lets a receiver decode in so
    /// much memory; 3GPP asks for less than 256 KiB (TS 26.346). `None`: blocks have no sub-blocks.
    pub max_sub_block_size: Option<u64>,
}

impl Wanted {
    /// An object without protection, everything else as the RFCs recommend.
    pub const fn new(scheme: Scheme, transfer_length: u64, symbol_size: u16) -> Self {
        Self {
            scheme,
            transfer_length,
            symbol_size,
            max_source_block_length: None,
            protection: Protection::Symbols(0),
            max_source_blocks: u64::MAX,
            alignment: 4,
            max_sub_block_size: None,
        }
    }

    /// The symbol size rounded down to the alignment.
    pub(crate) fn aligned_symbol_size(&self) -> Result<u16, ParameterError> {
        let &Self { symbol_size, alignment, .. } = self;
        match symbol_size.checked_rem(alignment.into()) {
            None => Err(ParameterError::ZeroAlignment),
            Some(_) if symbol_size == 0 => Err(ParameterError::ZeroSymbolSize),
            Some(_) if symbol_size < alignment.into() => {
                Err(ParameterError::UnalignedSymbolSize { symbol_size, alignment })
            }
            Some(rest) => Ok(symbol_size - rest),
        }
    }

    /// Number of blocks, Z, for `symbols` in blocks of at most `max_block`, if there are not more than
    /// `max_source_blocks` of them.
    pub(crate) fn source_blocks(
        &self,
        symbols: u64,
        symbol_size: u16,
        max_block: u32,
        max_source_blocks: u16,
    ) -> Result<u16, ParameterError> {
        let limit = self.max_source_blocks.min(max_source_blocks.into());
        let blocks = symbols.div_ceil(max_block.into()).max(1);
        if blocks > limit {
            let max = limit * u64::from(max_block) * u64::from(symbol_size);
            return Err(ParameterError::ObjectTooLong { length: self.transfer_length, max });
        }
        Ok(blocks as u16)
    }

    /// The parameters that the RFC of the scheme derives.
    pub fn parameters(&self) -> Result<Parameters, ParameterError> {
        let code = match self.scheme {
            Scheme::Raptor => return raptor::derive(self),
            Scheme::RaptorQ => return raptorq::derive(self),
            Scheme::NoCode => Code::NoCode { max_source_block_length: self.max_source_block_length.unwrap_or(64) },
            Scheme::ReedSolomon { .. } => return reed_solomon::derive(self),
        };
        let parameters = Parameters { code, transfer_length: self.transfer_length, symbol_size: self.symbol_size };
        parameters.codec()?;
        Ok(parameters)
    }
}
