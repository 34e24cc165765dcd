// SPDX-License-Identifier: MPL-2.0

//! FEC Payload IDs: which symbol of which source block a packet begins with.

use super::FecEncodingId;
use crate::big_endian;

/// Which symbol of which source block a packet begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PayloadId {
    /// Source block number.
    pub source_block: u32,
    /// Encoding symbol ID of the first symbol.
    pub esi: u32,
    /// Source symbols of the block, in the schemes that say it in every packet.
    pub source_block_length: Option<u16>,
}

/// How the FEC Payload ID of a scheme is laid out: source block number first, encoding symbol ID last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadIdFormat {
    source_block_bits: u8,
    source_block_length_bits: u8,
    esi_bits: u8,
}

impl PayloadIdFormat {
    /// Compact schemes and Raptor: 16 and 16 bits (RFC 5445 §3.2.1 and §6.2.1, RFC 5053 §3.1).
    const COMPACT: Self = Self::new(16, 0, 16);
    /// LDPC-Staircase and LDPC-Triangle: 12 and 20 bits (RFC 5170 §4.1).
    const LDPC: Self = Self::new(12, 0, 20);
    /// RaptorQ: 8 and 24 bits (RFC 6330 §3.2).
    const RAPTORQ: Self = Self::new(8, 0, 24);
    /// Small Block, Large Block and Expandable: 32 and 32 bits (RFC 5445 §4.2.1).
    const EXPANDABLE: Self = Self::new(32, 0, 32);
    /// Small Block Systematic: 32 bits, 16 of the source block length, 16 (RFC 5445 §5.2.1).
    const SMALL_BLOCK_SYSTEMATIC: Self = Self::new(32, 16, 16);

    const fn new(source_block_bits: u8, source_block_length_bits: u8, esi_bits: u8) -> Self {
        Self { source_block_bits, source_block_length_bits, esi_bits }
    }

    /// Reed-Solomon over GF(2^m): 32 − m and m bits (RFC 5510 §4.1 and §5.1).
    const fn reed_solomon(m: u8) -> Self {
        Self::new(32 - m, 0, m)
    }

    /// The format of a scheme; `None` for one that is not known. `m` is the size of a field element in bits, which
    /// only FEC Encoding ID 2 has: 2 to 16, or 0 for the default of 8 (RFC 5510 §4.2.3).
    pub fn of(encoding_id: FecEncodingId, m: u8) -> Option<Self> {
        Some(match encoding_id {
            FecEncodingId::NO_CODE | FecEncodingId::RAPTOR | FecEncodingId::COMPACT => Self::COMPACT,
            FecEncodingId::REED_SOLOMON_2M => match m {
                0 => Self::reed_solomon(8),
                2..=16 => Self::reed_solomon(m),
                _ => return None,
            },
            FecEncodingId::LDPC_STAIRCASE | FecEncodingId::LDPC_TRIANGLE => Self::LDPC,
            FecEncodingId::REED_SOLOMON_8 => Self::reed_solomon(8),
            FecEncodingId::RAPTORQ => Self::RAPTORQ,
            FecEncodingId::EXPANDABLE => Self::EXPANDABLE,
            FecEncodingId::SMALL_BLOCK_SYSTEMATIC => Self::SMALL_BLOCK_SYSTEMATIC,
            _ => return None,
        })
    }

    /// Length in bytes: 4 or 8.
    pub fn length(self) -> usize {
        usize::from(self.source_block_bits + self.source_block_length_bits + self.esi_bits) / 8
    }

    /// How many source blocks can be numbered.
    pub fn max_source_blocks(self) -> u64 {
        1 << self.source_block_bits
    }

    /// The largest encoding symbol ID.
    pub fn max_esi(self) -> u32 {
        u32::MAX >> (32 - self.esi_bits)
    }

    /// Whether every packet says how many source symbols its block has.
    pub fn has_source_block_length(self) -> bool {
        self.source_block_length_bits > 0
    }

    /// Reads a FEC Payload ID, `None` if `bytes` has another [`length`](Self::length).
    pub fn decode(self, bytes: &[u8]) -> Option<PayloadId> {
        if bytes.len() != self.length() {
            return None;
        }
        let whole = big_endian::read(bytes) as u64;
        Some(PayloadId {
            source_block: (whole >> (self.source_block_length_bits + self.esi_bits)) as u32,
            esi: whole as u32 & self.max_esi(),
            source_block_length: self.has_source_block_length().then_some((whole >> self.esi_bits) as u16),
        })
    }

    /// Appends a FEC Payload ID. Of numbers that are too wide the upper bits are cut off.
    pub fn append(self, id: PayloadId, out: &mut Vec<u8>) {
        debug_assert!(u64::from(id.source_block) < self.max_source_blocks() && id.esi <= self.max_esi(), "{id:?}");
        let length = if self.has_source_block_length() { id.source_block_length.unwrap_or(0) } else { 0 };
        let whole = u64::from(id.source_block) << (self.source_block_length_bits + self.esi_bits)
            | u64::from(length) << self.esi_bits
            | u64::from(id.esi & self.max_esi());
        big_endian::append(whole.into(), self.length(), out);
    }
}
