// SPDX-License-Identifier: MPL-2.0

//! The LCT header and its extensions (RFC 5651; RFC 3451 for FLUTE v1).
//!
//! A header begins with one fixed word: version (4 bits, always 1), C (2 bits), PSI (2 bits), S (1 bit), O (2 bits),
//! H (1 bit), two bits that are reserved in RFC 5651 and are the flags T and R in RFC 3451, A (close session), B (close
//! object), HDR_LEN (8 bits, the whole header in words of 32 bits) and the Codepoint (8 bits).
//!
//! Then follow, each of a width that the flags give:
//!
//! 1. Congestion Control Information, `32 * (C + 1)` bits;
//! 2. Transport Session Identifier, `32 * S + 16 * H` bits;
//! 3. Transport Object Identifier, `32 * O + 16 * H` bits: H makes both half a word wider;
//! 4. RFC 3451 only: a word of Sender Current Time if T is set, a word of Expected Residual Time if R is set;
//! 5. header extensions, up to HDR_LEN.

mod extension;
mod header;
#[cfg(test)]
mod tests;
mod width;

use std::fmt;

pub use extension::{Extension, Extensions, FdtExtension, SenderCurrentTime, TimeExtension};
pub(crate) use header::{A, B};
pub use header::{Header, Revision};
pub use width::{FieldWidths, HeaderWidths};

/// Transport Session Identifier, up to 48 bits (RFC 5651 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tsi(u64);

impl Tsi {
    /// The largest TSI.
    pub const MAX: Self = Self((1 << 48) - 1);

    /// `None` for more than 48 bits.
    pub fn new(value: u64) -> Option<Self> {
        (value <= Self::MAX.0).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Tsi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Transport Object Identifier, up to 112 bits (RFC 5651 §5.1). 0 is the FDT (RFC 6726 §3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Toi(u128);

impl Toi {
    /// The TOI of FDT Instances.
    pub const FDT: Self = Self(0);
    /// The largest TOI.
    pub const MAX: Self = Self((1 << 112) - 1);

    /// `None` for more than 112 bits.
    pub fn new(value: u128) -> Option<Self> {
        (value <= Self::MAX.0).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> u128 {
        self.0
    }
}

impl fmt::Display for Toi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why bytes are not an LCT header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LctError {
    /// The datagram ends within the header.
    #[error("a datagram of {actual} bytes: its LCT header has at least {needed}")]
    Truncated {
        /// Bytes of the datagram.
        actual: usize,
        /// Bytes of the header, as far as it could be read.
        needed: usize,
    },
    /// Another version than 1.
    #[error("LCT version {0}: only 1 is known")]
    Version(u8),
    /// HDR_LEN is less than what the flags announce.
    #[error("HDR_LEN is {actual} words: the flags of the header ask for {needed}")]
    HeaderLength {
        /// HDR_LEN, in words of 32 bits.
        actual: u8,
        /// Words of the fields that the flags announce.
        needed: u8,
    },
    /// A header extension has no length, or ends behind the header.
    #[error("header extension {het} of {words} words, where {available} are left in the header")]
    ExtensionLength {
        /// Header Extension Type.
        het: u8,
        /// Its length in words of 32 bits: HEL.
        words: u8,
        /// Words from its start to the end of the header.
        available: u8,
    },
    /// A header extension is too short for what it must hold.
    #[error("header extension {het} has {actual} bytes of content: {needed} are needed")]
    ExtensionContent {
        /// Header Extension Type.
        het: u8,
        /// Bytes of its content.
        actual: usize,
        /// Bytes that its content has at least.
        needed: usize,
    },
    /// EXT_TIME with the lower half of the Sender Current Time but not the upper (RFC 5651 §5.2.2).
    #[error("EXT_TIME has SCT-Low without SCT-High")]
    SctLowAlone,
}

/// "a TSI of 16 bits", or "a TSI" where any width will do.
fn width(field: &str, bits: u8) -> String {
    match bits {
        0 => format!("a {field}"),
        bits => format!("a {field} of {bits} bits"),
    }
}

/// Why a header cannot be encoded. Each is a mistake of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// No layout of the header has fields of these widths, or none so narrow holds the identifiers.
    #[error(
        "no LCT header has {} and {} that hold these identifiers: the TSI has 16, 32 or 48 bits, the TOI 16 to 112, both \
         an odd or both an even number of half-words",
        width("TSI", *tsi),
        width("TOI", *toi)
    )]
    Widths {
        /// Bits of the TSI, 0 for any number.
        tsi: u8,
        /// Bits of the TOI, 0 for any number.
        toi: u8,
    },
    /// The Congestion Control Information is not 32, 64, 96 or 128 bits wide, or its value does not fit.
    #[error("Congestion Control Information of {0} bits does not exist, or does not hold the value")]
    CongestionControl(u8),
    /// The TSI is wider than its field, or is given where there is no field, or is not given where there is one.
    #[error("the TSI does not fit into its field of {0} bits")]
    Tsi(u8),
    /// The TOI is wider than its field, or is given where there is no field, or is not given where there is one.
    #[error("the TOI does not fit into its field of {0} bits")]
    Toi(u8),
    /// PSI has two bits.
    #[error("PSI {0} has more than two bits")]
    Psi(u8),
    /// A header has at most 255 words.
    #[error("the header has {0} words: HDR_LEN ends at 255")]
    HeaderLength(usize),
    /// The content of a header extension does not fill whole words, or is longer than HEL can say, or its type does not
    /// go with its length.
    #[error("header extension {het} cannot have {length} bytes of content")]
    ExtensionContent {
        /// Header Extension Type.
        het: u8,
        /// Bytes of its content.
        length: usize,
    },
    /// A number in a header extension is wider than its field.
    #[error("header extension {het} has a field of {bits} bits for the number {value}")]
    ExtensionField {
        /// Header Extension Type.
        het: u8,
        /// Bits of the field.
        bits: u8,
        /// The number.
        value: u64,
    },
}
