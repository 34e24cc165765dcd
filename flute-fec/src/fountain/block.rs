// SPDX-License-Identifier: MPL-2.0

//! Encoding and decoding a source block.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::decode::Job;
use super::plan::{Equations, Plan};
use super::replay::{Symbols, replay};
use super::{FountainCode, Rows};
use crate::block::{check_data, check_encode, check_symbols};
use crate::cache::{Cache, lock};
use crate::layout::BlockLayout;
use crate::{BlockDecoder, BlockEncoder, DecodeError, DecodeJob, EncodeError, Present, RepairSymbol, Scheme, Work};

/// Encoder and decoder of source blocks of one layout.
#[derive(Debug)]
pub(crate) struct FountainBlock<C> {
    code: C,
    layout: BlockLayout,
}

/// Bytes of all encoding plans that are kept for the next block: a few of the largest.
const CACHED_BYTES: usize = 32 << 20;

/// Encoding plans by the number of source symbols.
static PLANS: Mutex<Cache<(Scheme, u32), Arc<Plan>>> = Mutex::new(Cache::new(CACHED_BYTES));

impl<C: FountainCode> FountainBlock<C> {
    pub(crate) fn new(code: C, layout: BlockLayout) -> Self {
        Self { code, layout }
    }

    /// How to find the intermediate symbols when all source symbols are there.
    fn encoding_plan(&self) -> Arc<Plan> {
        let symbols = self.code.source_symbols();
        lock(&PLANS).get_or_insert_with((self.code.scheme(), symbols), || {
            let precode = self.code.precode();
            let mut equations = Equations::new(&precode);
            (0..symbols).for_each(|esi| equations.push(self.code.encoding_symbol(esi), esi));
            let plan = Plan::new(&precode, &equations).expect("systematic indices make source symbols independent");
            let bytes = plan.bytes();
            (Arc::new(plan), bytes)
        })
    }
}

impl<C: FountainCode> BlockEncoder for FountainBlock<C> {
    fn source_symbols(&self) -> usize {
        self.layout.symbols as usize
    }

    fn symbol_size(&self) -> usize {
        self.layout.symbol_size.into()
    }

    fn max_repair_symbols(&self) -> u32 {
        self.code.max_encoding_symbols() - self.layout.symbols
    }

    fn encode(
        &self,
        source: &[u8],
        columns: Range<usize>,
        first_repair: u32,
        repair: &mut [u8],
    ) -> Result<(), EncodeError> {
        check_encode(self, source, &columns, first_repair, repair)?;
        if repair.is_empty() {
            return Ok(());
        }
        let first = self.layout.symbols + first_repair;
        let mut outputs = Rows::default();
        (first..)
            .take(repair.len() / BlockEncoder::symbol_size(self))
            .for_each(|esi| outputs.push(self.code.encoding_symbol(esi)));
        let mut symbols = Encoding { layout: &self.layout, source, repair };
        replay(&self.encoding_plan(), &mut symbols, &outputs, columns);
        Ok(())
    }
}

impl<C: FountainCode> BlockDecoder for FountainBlock<C> {
    fn source_symbols(&self) -> usize {
        self.layout.symbols as usize
    }

    fn symbol_size(&self) -> usize {
        self.layout.symbol_size.into()
    }

    fn decode(&self, block: &mut [u8], present: &Present, repair: &[RepairSymbol<'_>]) -> Result<(), DecodeError> {
        let symbols = self.layout.symbols as usize;
        check_data(symbols, self.layout.symbol_size.into(), block, repair)?;
        let esis: Vec<u32> = repair.iter().map(|symbol| symbol.esi).collect();
        check_symbols(symbols, present, &esis, self.code.max_encoding_symbols())?;
        let mut job = Job::new(self.code, self.layout, present, esis);
        job.step(block, repair, &mut Work::unlimited()).map(|_| ())
    }

    fn begin(self: Arc<Self>, present: &Present, repair: &[u32]) -> Result<Box<dyn DecodeJob>, DecodeError> {
        check_symbols(self.layout.symbols as usize, present, repair, self.code.max_encoding_symbols())?;
        Ok(Box::new(Job::new(self.code, self.layout, present, repair.to_vec())))
    }
}

/// Source symbols go in, repair symbols come out.
struct Encoding<'a> {
    layout: &'a BlockLayout,
    source: &'a [u8],
    repair: &'a mut [u8],
}

impl Symbols for Encoding<'_> {
    #[inline(always)]
    fn load<const B: usize>(&self, input: u32, columns: Range<usize>, lane: &mut [u8; B]) {
        load_source(self.layout, self.source, input, columns, lane);
    }

    #[inline(always)]
    fn store(&mut self, output: usize, columns: Range<usize>, lane: &[u8]) {
        let start = output * usize::from(self.layout.symbol_size);
        self.repair[start + columns.start..start + columns.end].copy_from_slice(lane);
    }
}

/// Loads columns of a source symbol, with a copy of known length where that is possible: it is what takes time.
#[inline(always)]
pub(super) fn load_source<const B: usize>(
    layout: &BlockLayout,
    source: &[u8],
    esi: u32,
    columns: Range<usize>,
    lane: &mut [u8; B],
) {
    if columns.len() == B && layout.sub_symbols.count() == 1 {
        let start = esi as usize * usize::from(layout.symbol_size) + columns.start;
        if let Some(data) = source.get(start..).and_then(|data| data.first_chunk()) {
            *lane = *data;
            return;
        }
    }
    let width = columns.len();
    layout.read(source, esi, columns, &mut lane[..width]);
}
