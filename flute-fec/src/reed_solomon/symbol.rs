// SPDX-License-Identifier: MPL-2.0

//! How elements of GF(2^m) lie in the bytes of a symbol.
//!
//! RFC 5510 §8.4 takes a symbol for S elements of m bits and leaves their place open, except where it is plain: m = 8.
//!
//! - m = 2, 4: four or two elements in each byte. Their order does not matter, since each byte of a repair symbol is a
//!   linear map of the same byte of the source symbols.
//! - m = 16: two bytes, in the order of [`ByteOrder`](crate::ByteOrder).
//! - All other m: elements follow each other without a gap, the most significant bit first, as RFC 5510 prints every
//!   bit field. A symbol holds whole elements in whole bytes, so its size is a multiple of m / gcd(m, 8). No other
//!   implementation of these fields is known.

use super::kernel::Planes;

/// How elements lie in a symbol, and how a kernel sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// A kernel can work on symbols as they are.
    Direct(Planes),
    /// Elements of `m` bits that cross bytes: each must be put into bytes of its own first.
    Packed {
        /// Bits of an element.
        m: u32,
    },
}

impl Layout {
    pub(super) fn new(m: u32) -> Self {
        match m {
            2 | 4 | 8 => Self::Direct(Planes::One),
            16 => Self::Direct(Planes::Two),
            m => Self::Packed { m },
        }
    }

    /// Planes of a symbol as a kernel sees it.
    pub(super) fn planes(self) -> Planes {
        match self {
            Self::Direct(planes) => planes,
            Self::Packed { m } if m < 8 => Planes::One,
            Self::Packed { .. } => Planes::Two,
        }
    }

    /// The least number of bytes that hold whole elements.
    pub(super) fn unit(self) -> usize {
        match self {
            Self::Direct(planes) => planes.count(),
            Self::Packed { m } if m.is_multiple_of(4) => m as usize / 4,
            Self::Packed { m } if m.is_multiple_of(2) => m as usize / 2,
            Self::Packed { m } => m as usize,
        }
    }

    /// Bytes that elements take which have bytes of their own.
    pub(super) fn spread_len(self, packed: usize) -> usize {
        match self {
            Self::Direct(_) => packed,
            Self::Packed { m } => packed * 8 / m as usize * self.planes().count(),
        }
    }
}

/// Puts each element of `m` bits into one byte, or into two of which the first is the less significant one.
pub(super) fn spread(m: u32, packed: &[u8], elements: &mut [u8]) {
    let mut bits = 0u32;
    let mut available = 0;
    let mut bytes = packed.iter();
    let mut next = || {
        while available < m {
            bits = bits << 8 | u32::from(*bytes.next().unwrap_or(&0));
            available += 8;
        }
        available -= m;
        (bits >> available & ((1 << m) - 1)) as u16
    };
    if m < 8 {
        elements.iter_mut().for_each(|element| *element = next() as u8);
    } else {
        elements.chunks_exact_mut(2).for_each(|element| element.copy_from_slice(&next().to_le_bytes()));
    }
}

/// The inverse of [`spread`].
pub(super) fn pack(m: u32, elements: &[u8], packed: &mut [u8]) {
    let mut bits = 0u32;
    let mut available = 0;
    let mut bytes = packed.iter_mut();
    let mut put = |element: u16| {
        bits = bits << m | u32::from(element);
        available += m;
        while available >= 8 {
            available -= 8;
            if let Some(byte) = bytes.next() {
                *byte = (bits >> available) as u8;
            }
        }
    };
    if m < 8 {
        elements.iter().for_each(|&element| put(element.into()));
    } else {
        elements.chunks_exact(2).for_each(|element| put(u16::from_le_bytes([element[0], element[1]])));
    }
}
