// SPDX-License-Identifier: MPL-2.0

//! Compact No-Code (RFC 5445 §3): no repair symbols, a block is complete when all source symbols are there.

use std::ops::Range;

use crate::{BlockDecoder, BlockEncoder, DecodeError, EncodeError, Present, RepairSymbol};

/// Encoder and decoder of a block without repair symbols.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoCode {
    pub(crate) source_symbols: u32,
    pub(crate) symbol_size: u16,
}

impl BlockEncoder for NoCode {
    fn source_symbols(&self) -> usize {
        self.source_symbols as usize
    }

    fn symbol_size(&self) -> usize {
        self.symbol_size.into()
    }

    fn max_repair_symbols(&self) -> u32 {
        0
    }

    fn encode(&self, _: &[u8], _: Range<usize>, first_repair: u32, repair: &mut [u8]) -> Result<(), EncodeError> {
        let requested = u64::from(first_repair) + (repair.len() / usize::from(self.symbol_size)) as u64;
        if requested > 0 {
            return Err(EncodeError::TooManyRepairSymbols { requested, max: 0 });
        }
        Ok(())
    }
}

impl BlockDecoder for NoCode {
    fn source_symbols(&self) -> usize {
        self.source_symbols as usize
    }

    fn symbol_size(&self) -> usize {
        self.symbol_size.into()
    }

    fn decode(&self, _: &mut [u8], present: &Present, repair: &[RepairSymbol<'_>]) -> Result<(), DecodeError> {
        match (present.missing_count(), repair) {
            (_, [symbol, ..]) => Err(DecodeError::Esi { esi: symbol.esi }),
            (0, []) => Ok(()),
            (missing, []) => Err(DecodeError::NotEnoughSymbols { missing, repair: 0 }),
        }
    }
}
