// SPDX-License-Identifier: MPL-2.0

//! The LCT header and its extensions (RFC 5651; RFC 3451 for FLUTE v1).

use std::fmt;

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
