// SPDX-License-Identifier: MPL-2.0

//! Encoding and decoding a source block with the crate `raptorq`.
//!
//! The crate panics on what it does not expect, so everything is checked before it is called.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use raptorq::{
    EncodingPacket, ObjectTransmissionInformation, PayloadId, SourceBlockDecoder, SourceBlockEncoder,
    SourceBlockEncodingPlan,
};

use super::MAX_ENCODING_SYMBOLS;
use crate::block::{check_decode, check_encode};
use crate::layout::BlockLayout;
use crate::{BlockDecoder, BlockEncoder, DecodeError, EncodeError, Present, RepairSymbol};

/// Plans that are kept, one for each K.
const CACHED_PLANS: usize = 16;

/// Encoder and decoder of source blocks of one layout.
#[derive(Debug)]
pub(super) struct RaptorQ {
    layout: BlockLayout,
}

impl RaptorQ {
    pub(super) fn new(layout: BlockLayout) -> Self {
        Self { layout }
    }

    fn k(&self) -> usize {
        self.layout.symbols as usize
    }

    /// A block of symbols of `symbol_size` bytes in one piece.
    fn configuration(symbol_size: usize) -> ObjectTransmissionInformation {
        ObjectTransmissionInformation::new(0, symbol_size as u16, 0, 1, 1)
    }
}

impl BlockEncoder for RaptorQ {
    fn source_symbols(&self) -> usize {
        self.k()
    }

    fn symbol_size(&self) -> usize {
        self.layout.symbol_size.into()
    }

    fn max_repair_symbols(&self) -> u32 {
        MAX_ENCODING_SYMBOLS - self.layout.symbols
    }

    fn encode(
        &self,
        source: &[u8],
        columns: Range<usize>,
        first_repair: u32,
        repair: &mut [u8],
    ) -> Result<(), EncodeError> {
        check_encode(self, source, &columns, first_repair, repair)?;
        if columns.is_empty() || repair.is_empty() {
            return Ok(());
        }
        let width = columns.len();
        let mut strip = vec![0; self.k() * width];
        for (esi, symbol) in (0..).zip(strip.chunks_exact_mut(width)) {
            self.layout.read(source, esi, columns.clone(), symbol);
        }
        let plan = plan(self.layout.symbols as u16);
        let encoder = SourceBlockEncoder::with_encoding_plan(0, &Self::configuration(width), &strip, &plan);
        let room = repair.chunks_exact_mut(self.layout.symbol_size.into());
        for (packet, room) in encoder.repair_packets(first_repair, room.len() as u32).iter().zip(room) {
            room[columns.clone()].copy_from_slice(packet.data());
        }
        Ok(())
    }
}

impl BlockDecoder for RaptorQ {
    fn source_symbols(&self) -> usize {
        self.k()
    }

    fn symbol_size(&self) -> usize {
        self.layout.symbol_size.into()
    }

    fn decode(&self, block: &mut [u8], present: &Present, repair: &[RepairSymbol<'_>]) -> Result<(), DecodeError> {
        check_decode(self, block, present, repair, MAX_ENCODING_SYMBOLS)?;
        let missing = present.missing_count();
        if missing == 0 {
            return Ok(());
        }
        let not_enough = DecodeError::NotEnoughSymbols { missing, repair: repair.len() };
        if !self.is_solvable(missing, repair.len()) {
            return Err(not_enough);
        }
        let size = usize::from(self.layout.symbol_size);
        let mut decoder = SourceBlockDecoder::new(0, &Self::configuration(size), block.len() as u64);
        let source = (0..self.layout.symbols).filter(|&esi| present.contains(esi as usize)).map(|esi| {
            let mut symbol = vec![0; size];
            self.layout.read(block, esi, 0..size, &mut symbol);
            EncodingPacket::new(PayloadId::new(0, esi), symbol)
        });
        let repair =
            repair.iter().map(|symbol| EncodingPacket::new(PayloadId::new(0, symbol.esi), symbol.data.to_vec()));
        let decoded = decoder.decode(source.chain(repair).collect::<Vec<_>>()).ok_or(not_enough)?;
        for esi in present.missing() {
            self.layout.write(block, esi as u32, 0..size, &decoded[esi * size..][..size]);
        }
        Ok(())
    }
}

/// The encoding plan for blocks of `symbols` source symbols.
fn plan(symbols: u16) -> Arc<SourceBlockEncodingPlan> {
    static PLANS: Mutex<VecDeque<(u16, Arc<SourceBlockEncodingPlan>)>> = Mutex::new(VecDeque::new());
    let find = || {
        let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
        let index = plans.iter().position(|(k, _)| *k == symbols)?;
        let found = plans.remove(index)?;
        plans.push_back(found.clone());
        Some(found.1)
    };
    find().unwrap_or_else(|| {
        let plan = Arc::new(SourceBlockEncodingPlan::generate(symbols));
        let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() == CACHED_PLANS {
            plans.pop_front();
        }
        plans.push_back((symbols, plan.clone()));
        plan
    })
}
