// SPDX-License-Identifier: MPL-2.0

//! From what a user wants (a scheme, a symbol size, some protection) to the parameters of one object, by the algorithms
//! of RFC 5052 §9.1, RFC 5510 §6, RFC 5053 §4.2 and RFC 6330 §4.3.

use crate::{ByteOrder, Code, ParameterError, Parameters, Points};

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
}

impl Wanted {
    /// The parameters that the RFC of the scheme derives.
    pub fn parameters(&self) -> Result<Parameters, ParameterError> {
        let code = match self.scheme {
            Scheme::NoCode => Code::NoCode { max_source_block_length: self.max_source_block_length.unwrap_or(64) },
            scheme => return Err(ParameterError::Unsupported(scheme)),
        };
        let parameters = Parameters { code, transfer_length: self.transfer_length, symbol_size: self.symbol_size };
        parameters.codec()?;
        Ok(parameters)
    }
}
