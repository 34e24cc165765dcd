// SPDX-License-Identifier: MPL-2.0

//! How an object is protected.

use flute_fec::{ByteOrder, Points, Protection, Scheme, Wanted};

use crate::oti::{FecEncodingId, Oti, OtiError};
use crate::profile::Profile;

/// How an object is protected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FecConfig {
    /// The scheme.
    pub scheme: FecScheme,
    /// Size of an encoding symbol in bytes.
    pub symbol_size: u16,
    /// Source symbols of a block at most; `None`: a default of the scheme.
    pub max_source_block_length: Option<u32>,
    /// Repair symbols of a block.
    pub protection: Protection,
}

impl Default for FecConfig {
    /// Compact No-Code, symbols of 1400 bytes.
    fn default() -> Self {
        Self {
            scheme: FecScheme::NoCode,
            symbol_size: 1400,
            max_source_block_length: None,
            protection: Protection::Symbols(0),
        }
    }
}

impl FecConfig {
    /// The FEC Object Transmission Information of an object of this length.
    pub(super) fn oti(&self, transfer_length: u64, profile: Profile) -> Result<Oti, OtiError> {
        let encoding_id = self.scheme.encoding_id();
        let wanted = Wanted {
            max_source_block_length: self.max_source_block_length,
            protection: self.protection,
            max_sub_block_size: profile.rules().max_sub_block_size,
            max_source_blocks: encoding_id.max_source_blocks(self.scheme.m()).unwrap_or(u64::MAX),
            ..Wanted::new(self.scheme.code(), transfer_length, self.symbol_size)
        };
        let symbols_per_packet = match self.scheme {
            FecScheme::ReedSolomon2m { symbols_per_packet, .. } => symbols_per_packet.max(1),
            _ => 1,
        };
        Ok(Oti { encoding_id, instance_id: 0, symbols_per_packet, parameters: wanted.parameters()? })
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
