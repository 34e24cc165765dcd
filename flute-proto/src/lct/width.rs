// SPDX-License-Identifier: MPL-2.0

//! How wide the identifiers of a header are (RFC 5651 §5.1).

use super::{EncodeError, Toi, Tsi};

/// Widths of TSI and TOI in bits, as they are wanted; 0 for as small as fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderWidths {
    /// 16, 32 or 48.
    pub tsi: u8,
    /// 16, 32, 48, 64, 80, 96 or 112.
    pub toi: u8,
}

impl HeaderWidths {
    /// The smallest layout that has the widths that are wanted and holds `tsi` and every TOI up to `max_toi`.
    ///
    /// The flag H adds 16 bits to the TSI and the TOI at once, so not every pair of widths exists. Of two layouts of the
    /// same size the one without H is taken: whole words are what most receivers know.
    ///
    /// # Errors
    /// [`EncodeError::Widths`] where the wanted widths do not go together or are too narrow.
    pub fn resolve(self, tsi: Tsi, max_toi: Toi) -> Result<FieldWidths, EncodeError> {
        let holds = |wanted: u8, width: u8, needed: u32| {
            width > 0 && u32::from(width) >= needed && (wanted == 0 || wanted == width)
        };
        let tsi_bits = u64::BITS - tsi.get().leading_zeros();
        let toi_bits = u128::BITS - max_toi.get().leading_zeros();
        [0, 16]
            .into_iter()
            .flat_map(|half| [0, 32].map(|tsi| (half + tsi, half)))
            .flat_map(|(tsi, half)| [0, 32, 64, 96].map(|toi| FieldWidths { cci: 32, tsi, toi: half + toi }))
            .filter(|widths| holds(self.tsi, widths.tsi, tsi_bits) && holds(self.toi, widths.toi, toi_bits))
            .min_by_key(|widths| widths.tsi + widths.toi)
            .ok_or(EncodeError::Widths { tsi: self.tsi, toi: self.toi })
    }
}

/// Widths of the fields of one header, in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldWidths {
    /// Congestion Control Information: 32, 64, 96 or 128.
    pub cci: u8,
    /// TSI: 0, 16, 32 or 48.
    pub tsi: u8,
    /// TOI: 0, 16, 32, 48, 64, 80, 96 or 112; an odd number of half-words if and only if that of the TSI is odd.
    pub toi: u8,
}

impl FieldWidths {
    /// The widths of a header without a TOI, as only a packet has that closes the session and carries nothing
    /// (RFC 6726 §3.1). `None` for a TSI of more than 32 bits: its half-word brings one of the TOI along.
    pub fn without_toi(tsi: Tsi) -> Option<Self> {
        (tsi.get() <= u32::MAX.into()).then_some(Self { cci: 32, tsi: 32, toi: 0 })
    }

    /// The flags C, S, O and H in their places of the first two bytes of a header.
    pub(super) fn to_flags(self) -> Result<[u8; 2], EncodeError> {
        if !matches!(self.cci, 32 | 64 | 96 | 128) {
            return Err(EncodeError::CongestionControl(self.cci));
        }
        let half = self.tsi & 16;
        if self.tsi > 48
            || !self.tsi.is_multiple_of(16)
            || self.toi > 112
            || !self.toi.is_multiple_of(16)
            || self.toi & 16 != half
        {
            return Err(EncodeError::Widths { tsi: self.tsi, toi: self.toi });
        }
        Ok([(self.cci / 32 - 1) << 2, (self.tsi / 32) << 7 | (self.toi / 32) << 5 | half])
    }

    /// The widths that the first two bytes of a header announce.
    pub(super) fn from_flags(flags: [u8; 2]) -> Self {
        let half = flags[1] & 16;
        Self {
            cci: (flags[0] >> 2 & 3) * 32 + 32,
            tsi: (flags[1] >> 7) * 32 + half,
            toi: (flags[1] >> 5 & 3) * 32 + half,
        }
    }

    /// Bytes of all three fields.
    pub(super) fn bytes(self) -> usize {
        (usize::from(self.cci) + usize::from(self.tsi) + usize::from(self.toi)) / 8
    }
}
