// SPDX-License-Identifier: MPL-2.0

//! Compact No-Code (RFC 5445 §3): no repair symbols, a block is complete when all source symbols are there.

use std::ops::Range;
use std::sync::Arc;

use crate::{BlockDecoder, BlockEncoder, DecodeError, DecodeJob, EncodeError, Present, Progress, RepairSymbol, Work};

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
        check(present, repair.first().map(|symbol| symbol.esi))
    }

    fn begin(self: Arc<Self>, present: &Present, repair: &[u32]) -> Result<Box<dyn DecodeJob>, DecodeError> {
        check(present, repair.first().copied())?;
        Ok(Box::new(NothingToDo))
    }
}

/// Without repair symbols a block has all source symbols, or cannot be decoded.
fn check(present: &Present, repair: Option<u32>) -> Result<(), DecodeError> {
    match (present.missing_count(), repair) {
        (_, Some(esi)) => Err(DecodeError::Esi { esi }),
        (0, None) => Ok(()),
        (missing, None) => Err(DecodeError::NotEnoughSymbols { missing, repair: 0 }),
    }
}

/// The decoding of a block that lacks nothing.
struct NothingToDo;

impl DecodeJob for NothingToDo {
    fn step(&mut self, _: &mut [u8], _: &[RepairSymbol<'_>], _: &mut Work) -> Result<Progress, DecodeError> {
        Ok(Progress::Done)
    }

    fn memory_use(&self) -> usize {
        size_of::<Self>()
    }
}
