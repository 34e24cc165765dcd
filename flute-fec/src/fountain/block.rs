// SPDX-License-Identifier: MPL-2.0

//! Encoder and decoder of a source block.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::decode::Job;
use super::lane::{Instructions, Sum};
use super::plan::Plan;
use super::plans::EncodingPlan;
use super::replay::{Inputs, Outputs, Wanted, replay};
use super::source_columns::{contiguous, load_source};
use super::{FountainCode, Rows};
use crate::block::{check_data, check_encode, check_symbols};
use crate::cache::lock;
use crate::layout::BlockLayout;
use crate::{BlockDecoder, BlockEncoder, DecodeError, DecodeJob, EncodeError, Present, Progress, RepairSymbol, Work};

/// Encoder and decoder of source blocks of one layout.
#[derive(Debug)]
pub(crate) struct FountainBlock<C> {
    code: C,
    layout: BlockLayout,
    /// The making of the plan for encoding, while it lasts.
    plan: Mutex<EncodingPlan<C>>,
    /// The repair symbols that were made last: mostly they are the same for the next strip and the next block.
    repair: Mutex<Arc<Repair>>,
}

/// Repair symbols, as sums of intermediate symbols.
#[derive(Debug, Default)]
struct Repair {
    esis: Range<u32>,
    sums: Rows,
}

impl<C: FountainCode> FountainBlock<C> {
    pub(crate) fn new(code: C, layout: BlockLayout) -> Self {
        Self { code, layout, plan: Mutex::new(EncodingPlan::new(code)), repair: Mutex::default() }
    }

    /// The plan for encoding, if it is there or can be made with the `work` that is left.
    fn plan(&self, work: &mut Work) -> Option<Arc<Plan>> {
        lock(&self.plan).step(work)
    }

    /// Checks the symbols and begins to decode.
    fn job(&self, present: &Present, repair: &[u32]) -> Result<Job<C>, DecodeError> {
        check_symbols(self.layout.symbols as usize, present, repair, self.code.max_encoding_symbols())?;
        Job::new(self.code, self.layout, present, repair.to_vec())
    }

    /// Repair symbols as sums.
    fn repair(&self, esis: Range<u32>) -> Arc<Repair> {
        let mut repair = lock(&self.repair);
        if repair.esis != esis {
            let mut sums = Rows::default();
            esis.clone().for_each(|esi| sums.push(self.code.encoding_symbol(esi)));
            *repair = Arc::new(Repair { esis, sums });
        }
        Arc::clone(&repair)
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
        let count = repair.len() / usize::from(self.layout.symbol_size);
        let sums = self.repair(first..first + count as u32);
        let (mut next, mut work) = (columns.start, Work::unlimited());
        let mut symbols = Encoding { layout: &self.layout, source, repair };
        if let Some(plan) = self.plan(&mut work) {
            replay(&plan, &mut symbols, Wanted::Sums(&sums.sums), &columns, &mut next, &mut work);
        }
        Ok(())
    }

    fn prepare(&self, work: &mut Work) -> Progress {
        match self.plan(work) {
            Some(_) => Progress::Done,
            None => Progress::More,
        }
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
        check_data(self.layout.symbols as usize, self.layout.symbol_size.into(), block, repair)?;
        let esis: Vec<u32> = repair.iter().map(|symbol| symbol.esi).collect();
        self.job(present, &esis)?.step(block, repair, &mut Work::unlimited()).map(|_| ())
    }

    fn begin(self: Arc<Self>, present: &Present, repair: &[u32]) -> Result<Box<dyn DecodeJob>, DecodeError> {
        Ok(Box::new(self.job(present, repair)?))
    }
}

/// Source symbols go in, repair symbols come out.
struct Encoding<'a> {
    layout: &'a BlockLayout,
    source: &'a [u8],
    repair: &'a mut [u8],
}

impl Inputs for Encoding<'_> {
    #[inline(always)]
    fn load<I: Instructions, const P: usize>(&self, input: u32, columns: &Range<usize>) -> Sum<I, P> {
        load_source(self.layout, self.source, input, columns)
    }

    #[inline(always)]
    fn prefetch<I: Instructions>(&self, input: u32, columns: &Range<usize>) {
        if let Some(data) = contiguous(self.layout, self.source, input, columns) {
            I::prefetch(data);
        }
    }
}

impl Outputs for Encoding<'_> {
    #[inline(always)]
    fn store<I: Instructions, const P: usize>(&mut self, output: usize, columns: &Range<usize>, sum: Sum<I, P>) {
        let start = output * usize::from(self.layout.symbol_size);
        sum.store_bytes(&mut self.repair[start + columns.start..start + columns.end]);
    }
}
