// SPDX-License-Identifier: MPL-2.0

//! Decoding a source block in steps.

use std::ops::Range;

use super::block::load_source;
use super::plan::{Equations, Plan};
use super::replay::{Symbols, replay, strip_columns};
use super::{FountainCode, Rows};
use crate::block::{begun_with, check_data};
use crate::layout::BlockLayout;
use crate::{DecodeError, DecodeJob, Present, Progress, RepairSymbol, Work};

/// The decoding of one block.
#[derive(Debug)]
pub(super) struct Job<C> {
    code: C,
    layout: BlockLayout,
    present: Present,
    repair: Vec<u32>,
    missing: Vec<u32>,
    /// How to find the missing symbols.
    plan: Option<(Plan, Rows)>,
    /// Columns that are decoded.
    columns: usize,
}

impl<C: FountainCode> Job<C> {
    pub(super) fn new(code: C, layout: BlockLayout, present: &Present, repair: Vec<u32>) -> Self {
        let missing = present.missing().map(|esi| esi as u32).collect();
        Self { code, layout, present: present.clone(), repair, missing, plan: None, columns: 0 }
    }

    /// Solves the equations.
    fn solve(&self) -> Result<(Plan, Rows), DecodeError> {
        let precode = self.code.precode();
        let mut equations = Equations::new(&precode);
        for esi in (0..self.layout.symbols).filter(|&esi| self.present.contains(esi as usize)) {
            equations.push(self.code.encoding_symbol(esi), esi);
        }
        for (input, &esi) in (self.layout.symbols..).zip(&self.repair) {
            equations.push(self.code.encoding_symbol(esi), input);
        }
        let not_enough = DecodeError::NotEnoughSymbols { missing: self.missing.len(), repair: self.repair.len() };
        let plan = Plan::new(&precode, &equations).ok_or(not_enough)?;
        let mut outputs = Rows::default();
        self.missing.iter().for_each(|&esi| outputs.push(self.code.encoding_symbol(esi)));
        Ok((plan, outputs))
    }
}

impl<C: FountainCode> DecodeJob for Job<C> {
    fn step(
        &mut self,
        block: &mut [u8],
        repair: &[RepairSymbol<'_>],
        work: &mut Work,
    ) -> Result<Progress, DecodeError> {
        let size = usize::from(self.layout.symbol_size);
        let repair = begun_with(&self.repair, repair)?;
        check_data(self.layout.symbols as usize, size, block, repair)?;
        if self.missing.is_empty() {
            return Ok(Progress::Done);
        }
        let (plan, outputs) = match self.plan.take() {
            Some(plan) => plan,
            None => self.solve()?,
        };
        let mut symbols = Decoding { layout: &self.layout, block, repair, missing: &self.missing };
        while self.columns < size && !work.is_spent() {
            let strip = self.columns..size.min(self.columns + strip_columns(size));
            replay(&plan, &mut symbols, &outputs, strip.clone());
            work.spend(plan.work(&outputs, strip.len()));
            self.columns = strip.end;
        }
        self.plan = Some((plan, outputs));
        Ok(if self.columns < size { Progress::More } else { Progress::Done })
    }

    fn memory_use(&self) -> usize {
        let plan = self.plan.as_ref().map_or(0, |(plan, outputs)| plan.bytes() + outputs.bytes());
        size_of::<Self>() + plan + self.present.bytes() + (self.missing.len() + self.repair.len()) * size_of::<u32>()
    }
}

/// Source symbols that are present and repair symbols go in, missing source symbols come out.
struct Decoding<'a> {
    layout: &'a BlockLayout,
    block: &'a mut [u8],
    repair: &'a [RepairSymbol<'a>],
    missing: &'a [u32],
}

impl Symbols for Decoding<'_> {
    #[inline(always)]
    fn load<const B: usize>(&self, input: u32, columns: Range<usize>, lane: &mut [u8; B]) {
        match input.checked_sub(self.layout.symbols) {
            None => load_source(self.layout, self.block, input, columns, lane),
            Some(repair) => {
                let data = &self.repair[repair as usize].data[columns];
                lane[..data.len()].copy_from_slice(data);
            }
        }
    }

    #[inline(always)]
    fn store(&mut self, output: usize, columns: Range<usize>, lane: &[u8]) {
        self.layout.write(self.block, self.missing[output], columns, lane);
    }
}
