// SPDX-License-Identifier: MPL-2.0

//! How an object is protected.

use flute_fec::{ByteOrder, Code, Parameters, Points, Protection, Scheme, Wanted};

use crate::oti::{FecEncodingId, Oti, OtiError};
use crate::profile::Profile;
use crate::setters::setters;

/// Bytes of the shortest object that Raptor can protect. A shorter one is sent as Compact No-Code.
const MIN_RAPTOR_LENGTH: u64 = 4;

/// How an object is protected.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct FecConfig {
    /// The scheme.
    pub scheme: FecScheme,
    /// Size of an encoding symbol in bytes.
    pub symbol_size: u16,
    /// Source symbols of a block at most; `None`: a default of the scheme.
    pub max_source_block_length: Option<u32>,
    /// Repair symbols of a block.
    pub protection: Protection,
    /// Repair symbols of a block at least, where `protection` is a percentage other than 0; 0 for no floor.
    ///
    /// A percentage protects a short object badly: of three source symbols 30 % are one repair symbol, and when two of the
    /// four packets are lost, the object is. The floor costs nothing where the percentage gives as many symbols anyway, at
    /// 10 % in blocks of 11 symbols and more; an object of one symbol takes three packets instead of two with the default
    /// of 2. An exact number of symbols ([`Protection::Symbols`]) is kept as it is.
    pub min_repair_symbols: u32,
}

impl Default for FecConfig {
    /// Compact No-Code, symbols of 1400 bytes; with a code and a percentage, two repair symbols at least.
    fn default() -> Self {
        Self {
            scheme: FecScheme::NoCode,
            symbol_size: 1400,
            max_source_block_length: None,
            protection: Protection::Symbols(0),
            min_repair_symbols: 2,
        }
    }
}

setters! {
    FecConfig {
        scheme: FecScheme,
        symbol_size: u16,
        max_source_block_length: Option<u32>,
        protection: Protection,
        min_repair_symbols: u32,
    }
}

impl FecConfig {
    /// The FEC Object Transmission Information of an object of this length.
    pub(super) fn oti(&self, transfer_length: u64, profile: Profile) -> Result<Oti, OtiError> {
        // Raptor needs four source symbols of a byte at least (RFC 5053 §5.3.1.1).
        let scheme = match self.scheme {
            FecScheme::Raptor if transfer_length < MIN_RAPTOR_LENGTH => FecScheme::NoCode,
            scheme => scheme,
        };
        let encoding_id = scheme.encoding_id();
        let wanted = Wanted {
            max_source_block_length: self.max_source_block_length,
            protection: self.protection,
            max_sub_block_size: profile.rules().max_sub_block_size,
            max_source_blocks: encoding_id.max_source_blocks(scheme.m()).unwrap_or(u64::MAX),
            ..Wanted::new(scheme.code(), transfer_length, self.symbol_size)
        };
        let symbols_per_packet = match scheme {
            FecScheme::ReedSolomon2m { symbols_per_packet, .. } => symbols_per_packet.max(1),
            _ => 1,
        };
        let parameters = self.with_floor(&wanted, wanted.parameters()?);
        Ok(Oti { encoding_id, instance_id: 0, symbols_per_packet, parameters })
    }

    /// `parameters`, with as many encoding symbols in a block as the floor of repair symbols needs: max_n of a
    /// Reed-Solomon code bounds them. As many as the field has, if that is less.
    fn with_floor(&self, wanted: &Wanted, parameters: Parameters) -> Parameters {
        let Code::ReedSolomon { max_source_block_length: length, max_encoding_symbols, .. } = parameters.code else {
            return parameters;
        };
        let repair = self.repair_symbols(length);
        if length + repair <= max_encoding_symbols {
            return parameters;
        }
        let wanted =
            Wanted { max_source_block_length: Some(length), protection: Protection::Symbols(repair), ..*wanted };
        wanted.parameters().unwrap_or(parameters)
    }

    /// How many repair symbols a block of `source_symbols` is to have.
    pub(super) fn repair_symbols(&self, source_symbols: u32) -> u32 {
        match self.protection.repair_symbols(source_symbols) {
            0 => 0,
            symbols if matches!(self.protection, Protection::Percent(_)) => symbols.max(self.min_repair_symbols),
            symbols => symbols,
        }
    }

    /// Repair symbols per source symbol, as they are in a long object with blocks of `source_symbols`.
    pub(super) fn redundancy(&self, source_symbols: u32) -> f64 {
        match self.protection {
            Protection::Percent(percent) => percent / 100.0,
            Protection::Symbols(symbols) => f64::from(symbols) / f64::from(source_symbols.max(1)),
        }
    }
}

/// The FEC scheme of an object, as users name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FecScheme {
    /// Compact No-Code, FEC Encoding ID 0.
    #[default]
    NoCode,
    /// Raptor, FEC Encoding ID 1.
    Raptor,
    /// Reed-Solomon over GF(2^m), FEC Encoding ID 2.
    ReedSolomon2m {
        /// Bits of a field element, 2 to 16.
        m: u8,
        /// Symbols per packet, G.
        symbols_per_packet: u8,
    },
    /// Reed-Solomon over GF(2^8), FEC Encoding ID 5.
    ReedSolomon8,
    /// RaptorQ, FEC Encoding ID 6.
    RaptorQ,
    /// Small Block Systematic with FEC Instance ID 0, FEC Encoding ID 129.
    ReedSolomon8SmallBlock,
}

impl FecScheme {
    /// FEC Encoding ID.
    pub fn encoding_id(self) -> FecEncodingId {
        match self {
            Self::NoCode => FecEncodingId::NO_CODE,
            Self::Raptor => FecEncodingId::RAPTOR,
            Self::ReedSolomon2m { .. } => FecEncodingId::REED_SOLOMON_2M,
            Self::ReedSolomon8 => FecEncodingId::REED_SOLOMON_8,
            Self::RaptorQ => FecEncodingId::RAPTORQ,
            Self::ReedSolomon8SmallBlock => FecEncodingId::SMALL_BLOCK_SYSTEMATIC,
        }
    }

    /// Bits of a finite field element, 8 where the scheme does not leave it open.
    fn m(self) -> u8 {
        match self {
            Self::ReedSolomon2m { m, .. } => m,
            _ => 8,
        }
    }

    fn code(self) -> Scheme {
        match self {
            Self::NoCode => Scheme::NoCode,
            Self::Raptor => Scheme::Raptor,
            Self::RaptorQ => Scheme::RaptorQ,
            Self::ReedSolomon2m { .. } | Self::ReedSolomon8 | Self::ReedSolomon8SmallBlock => {
                Scheme::ReedSolomon { m: self.m(), points: Points::default(), byte_order: ByteOrder::default() }
            }
        }
    }
}
