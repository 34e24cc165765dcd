// SPDX-License-Identifier: MPL-2.0

//! FEC Object Transmission Information: EXT_FTI, the FEC-OTI attributes of the FDT, and FEC Payload IDs (RFC 5052 §6).
//!
//! An [`Oti`] is what both places say of one object. It is read from [EXT_FTI](Oti::decode_fti) or
//! [from attributes](Oti::from_attributes), and whatever it was made from it is written to [EXT_FTI](Oti::encode_fti)
//! and to [attributes](Oti::attributes) alike, so that the two never differ (RFC 6726 §5).

mod attributes;
mod fti;
mod payload_id;
#[cfg(test)]
mod tests;

use std::fmt;

use flute_fec::{ByteOrder, Code, ObjectCodec, ParameterError, Parameters, Points};

pub use attributes::OtiAttributes;
pub use payload_id::{PayloadId, PayloadIdFormat};

/// Bits of a field element of Reed-Solomon codes that do not say it (RFC 5510 §4.2.3).
const DEFAULT_M: u8 = 8;

/// FEC Encoding ID (RFC 5052 §6.1), the Codepoint of FLUTE packets (RFC 6726 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FecEncodingId(pub u8);

impl FecEncodingId {
    /// Compact No-Code (RFC 5445 §3).
    pub const NO_CODE: Self = Self(0);
    /// Raptor (RFC 5053).
    pub const RAPTOR: Self = Self(1);
    /// Reed-Solomon over GF(2^m) (RFC 5510 §4).
    pub const REED_SOLOMON_2M: Self = Self(2);
    /// LDPC-Staircase (RFC 5170).
    pub const LDPC_STAIRCASE: Self = Self(3);
    /// LDPC-Triangle (RFC 5170).
    pub const LDPC_TRIANGLE: Self = Self(4);
    /// Reed-Solomon over GF(2^8) (RFC 5510 §5).
    pub const REED_SOLOMON_8: Self = Self(5);
    /// RaptorQ (RFC 6330).
    pub const RAPTORQ: Self = Self(6);
    /// Small Block, Large Block and Expandable (RFC 5445 §4).
    pub const EXPANDABLE: Self = Self(128);
    /// Small Block Systematic (RFC 5445 §5); with instance 0 it is Reed-Solomon over GF(2^8) (RFC 5510 §7).
    pub const SMALL_BLOCK_SYSTEMATIC: Self = Self(129);
    /// Compact FEC (RFC 5445 §6).
    pub const COMPACT: Self = Self(130);

    /// Whether the scheme is under-specified, so that a FEC Instance ID belongs to it (RFC 5052 §6.1): 128 and above.
    pub fn is_under_specified(self) -> bool {
        self.0 >= 128
    }

    /// Length of a FEC Payload ID in bytes: 8 for FEC Encoding IDs 128 and 129, 4 for all others, known or not.
    pub fn payload_id_length(self) -> usize {
        PayloadIdFormat::of(self, DEFAULT_M).map_or(4, PayloadIdFormat::length)
    }

    /// How many source blocks an object can have in this scheme: as many as its FEC Payload ID numbers, and as its FEC
    /// Object Transmission Information counts. `None` for schemes that are not known. `m` as in
    /// [`PayloadIdFormat::of`].
    pub fn max_source_blocks(self, m: u8) -> Option<u64> {
        let numbered = PayloadIdFormat::of(self, m)?.max_source_blocks();
        Some(match self {
            // Z has as many bits as the source block number, and begins at 1.
            Self::RAPTOR | Self::RAPTORQ => numbered - 1,
            _ => numbered,
        })
    }
}

impl fmt::Display for FecEncodingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Complete FEC Object Transmission Information of one object: what EXT_FTI and the FDT say of it alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oti {
    /// FEC Encoding ID.
    pub encoding_id: FecEncodingId,
    /// FEC Instance ID, 0 for fully specified schemes.
    pub instance_id: u16,
    /// Symbols of one packet at most, G of FEC Encoding ID 2; 1 for all others.
    pub symbols_per_packet: u8,
    /// Code, transfer length and symbol size.
    pub parameters: Parameters,
}

impl Oti {
    /// How the FEC Payload IDs of the object are laid out.
    ///
    /// # Errors
    /// [`OtiError::UnsupportedScheme`], or [`OtiError::FieldSize`] for a finite field that there is not.
    pub fn payload_id_format(&self) -> Result<PayloadIdFormat, OtiError> {
        let m = match self.parameters.code {
            Code::ReedSolomon { m, .. } => m,
            _ => DEFAULT_M,
        };
        if self.encoding_id == FecEncodingId::REED_SOLOMON_2M && !(2..=16).contains(&m) {
            return Err(OtiError::FieldSize(m));
        }
        PayloadIdFormat::of(self.encoding_id, m).ok_or(OtiError::UnsupportedScheme(self.encoding_id))
    }

    /// Checks every number, and that each source block and each source symbol has a number in the FEC Payload ID.
    pub fn codec(&self) -> Result<ObjectCodec, OtiError> {
        let format = self.payload_id_format()?;
        let codec = self.parameters.codec()?;
        let blocks = u64::from(codec.block_count());
        if blocks > format.max_source_blocks() {
            return Err(OtiError::TooManySourceBlocks { blocks, max: format.max_source_blocks() });
        }
        // The first source block is as long as any.
        match codec.block(0) {
            Some(block) if block.symbols - 1 > format.max_esi() => {
                Err(OtiError::TooManySourceSymbols { symbols: block.symbols, max_esi: format.max_esi() })
            }
            _ => Ok(codec),
        }
    }
}

/// Why FEC Object Transmission Information cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OtiError {
    /// The scheme is not supported.
    #[error("FEC Encoding ID {0} is not supported")]
    UnsupportedScheme(FecEncodingId),
    /// An under-specified scheme whose code is not known.
    #[error("FEC Instance ID {instance_id} of FEC Encoding ID {encoding_id} is not supported")]
    UnsupportedInstance {
        /// FEC Encoding ID.
        encoding_id: FecEncodingId,
        /// FEC Instance ID.
        instance_id: u64,
    },
    /// EXT_FTI is too short.
    #[error("EXT_FTI has {actual} bytes of content: {needed} are needed for FEC Encoding ID {encoding_id}")]
    FtiLength {
        /// FEC Encoding ID.
        encoding_id: FecEncodingId,
        /// Bytes of its content.
        actual: usize,
        /// Bytes that the scheme needs.
        needed: usize,
    },
    /// An attribute is missing without which the object cannot be cut.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// FEC-OTI-Scheme-Specific-Info has the wrong length.
    #[error("FEC-OTI-Scheme-Specific-Info has {actual} bytes: FEC Encoding ID {encoding_id} has {needed}")]
    SchemeSpecificInfo {
        /// FEC Encoding ID.
        encoding_id: FecEncodingId,
        /// Its bytes.
        actual: usize,
        /// Bytes that the scheme has.
        needed: usize,
    },
    /// A number that its field cannot hold.
    #[error("{field} {value}: FEC Encoding ID {encoding_id} has {bits} bits for it")]
    Field {
        /// FEC Encoding ID.
        encoding_id: FecEncodingId,
        /// Name of the field.
        field: &'static str,
        /// The number.
        value: u64,
        /// Bits of the field.
        bits: u8,
    },
    /// A finite field that RFC 5510 does not have.
    #[error("GF(2^{0}): Reed-Solomon has fields of 2 to 16 bits")]
    FieldSize(u8),
    /// The code is not that of the FEC Encoding ID.
    #[error("FEC Encoding ID {encoding_id} does not stand for {code:?}")]
    CodeMismatch {
        /// FEC Encoding ID.
        encoding_id: FecEncodingId,
        /// The code.
        code: Code,
    },
    /// More source blocks than the FEC Payload ID can number.
    #[error("{blocks} source blocks: the FEC Payload ID numbers {max}; use a larger symbol or longer blocks")]
    TooManySourceBlocks {
        /// Source blocks of the object.
        blocks: u64,
        /// What can be numbered.
        max: u64,
    },
    /// More symbols in a block than the FEC Payload ID can number.
    #[error("a source block of {symbols} symbols: the largest encoding symbol ID is {max_esi}")]
    TooManySourceSymbols {
        /// Source symbols of the block.
        symbols: u32,
        /// The largest encoding symbol ID.
        max_esi: u32,
    },
    /// The code does not work with these numbers.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
}

/// The Reed-Solomon code of these numbers as they arrive: `m` of 0 stands for 8, and an absent number of encoding
/// symbols for as many as the field has.
fn reed_solomon(m: u8, max_source_block_length: u32, max_encoding_symbols: Option<u32>) -> Result<Code, OtiError> {
    let m = if m == 0 { DEFAULT_M } else { m };
    if !(2..=16).contains(&m) {
        return Err(OtiError::FieldSize(m));
    }
    Ok(Code::ReedSolomon {
        m,
        points: Points::default(),
        byte_order: ByteOrder::default(),
        max_source_block_length,
        // A decoder has no use for max_n, so nothing is lost where a sender forgets it.
        max_encoding_symbols: max_encoding_symbols.filter(|&max_n| max_n > 0).unwrap_or((1 << m) - 1),
    })
}
