// SPDX-License-Identifier: MPL-2.0

//! FEC Object Transmission Information: EXT_FTI, the FEC-OTI attributes of the FDT, and FEC Payload IDs (RFC 5052 §6).

use std::fmt;

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
    /// Reed-Solomon over GF(2^8) (RFC 5510 §5).
    pub const REED_SOLOMON_8: Self = Self(5);
    /// RaptorQ (RFC 6330).
    pub const RAPTORQ: Self = Self(6);
    /// Small Block Systematic (RFC 5445 §5); with instance 0 it is Reed-Solomon over GF(2^8) (RFC 5510 §6).
    pub const SMALL_BLOCK_SYSTEMATIC: Self = Self(129);

    /// Whether the scheme is under-specified, so that a FEC Instance ID belongs to it (RFC 5052 §6.1): 128 and above.
    pub fn is_under_specified(self) -> bool {
        self.0 >= 128
    }
}

impl fmt::Display for FecEncodingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The FEC-OTI attributes of an FDT-Instance or File element as they stand (RFC 6726 §3.4.2). Any may be absent: a File
/// inherits from the FDT-Instance, and both from EXT_FTI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtiAttributes {
    /// `FEC-OTI-FEC-Encoding-ID`.
    pub encoding_id: Option<FecEncodingId>,
    /// `FEC-OTI-FEC-Instance-ID`, of under-specified schemes only.
    pub instance_id: Option<u64>,
    /// `FEC-OTI-Maximum-Source-Block-Length`, in symbols.
    pub max_source_block_length: Option<u64>,
    /// `FEC-OTI-Encoding-Symbol-Length`, in bytes.
    pub symbol_size: Option<u64>,
    /// `FEC-OTI-Max-Number-of-Encoding-Symbols`.
    pub max_encoding_symbols: Option<u64>,
    /// `FEC-OTI-Scheme-Specific-Info`, out of its base64.
    pub scheme_specific_info: Option<Vec<u8>>,
}

impl OtiAttributes {
    /// These attributes, with those that are absent taken from `other`: a File's from its FDT-Instance's.
    pub fn or(self, other: &Self) -> Self {
        Self {
            encoding_id: self.encoding_id.or(other.encoding_id),
            instance_id: self.instance_id.or(other.instance_id),
            max_source_block_length: self.max_source_block_length.or(other.max_source_block_length),
            symbol_size: self.symbol_size.or(other.symbol_size),
            max_encoding_symbols: self.max_encoding_symbols.or(other.max_encoding_symbols),
            scheme_specific_info: self.scheme_specific_info.or_else(|| other.scheme_specific_info.clone()),
        }
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
    pub parameters: flute_fec::Parameters,
}
