// SPDX-License-Identifier: MPL-2.0

//! Decoding a source block in steps.
//!
//! There are two ways. Where few source symbols are missing, the plan of the encoder finds the intermediate symbols as
//! if those were zero. The repair symbols that come out of it differ from those that came by sums of what the missing
//! ones contribute: as many unknowns as symbols are missing, instead of all intermediate symbols, and a plan that is
//! made already. Where many are missing, the equations of all symbols that are there are solved.

use std::ops::Range;
use std::sync::Arc;

use super::coefficients::System;
use super::dense::Dense;
use super::elimination::Elimination;
use super::lane::{Instructions, LINE, Sum};
use super::plan::Plan;
use super::plans::EncodingPlan;
use super::replay::{Correction, Inputs, Outputs, Wanted, replay};
use super::solver::{EQUATION_WORK, Solver, Underdetermined};
use super::source_columns::{contiguous, load_source};
use super::{FountainCode, Rows};
use crate::block::{begun_with, check_data};
use crate::layout::BlockLayout;
use crate::{DecodeError, DecodeJob, Present, Progress, RepairSymbol, Work};

/// Missing symbols that may count as few, at most.
const MAX_FEW: usize = 1024;
/// Few symbols are so many at most that their square is as many times the number of source symbols: the time of
/// elimination grows with their number, that of solving all equations with the length of the block. Measured.
const FEW_SQUARED: usize = 32;
/// Repair symbols more than are missing that are tried at first where few are: hardly ever a few do not suffice.
const SPARE: usize = 12;

/// The decoding of one block.
#[derive(Debug)]
pub(super) struct Job<C> {
    code: C,
    layout: BlockLayout,
    present: Present,
    repair: Vec<u32>,
    missing: Vec<u32>,
    /// `None` after an error.
    stage: Option<Stage<C>>,
}

#[derive(Debug)]
enum Stage<C> {
    /// Waiting for the plan of the encoder.
    Planning(EncodingPlan<C>),
    /// Finding out what missing symbols contribute to the sums of repair symbols.
    Coefficients(Arc<Plan>, Rows, System),
    /// Solving for them.
    Elimination(Arc<Plan>, Rows, Elimination),
    /// Solving for all intermediate symbols.
    Solving(Solver<C>),
    /// Finding out of which of them each missing symbol is the sum.
    Summing(Arc<Plan>, Rows),
    /// Computing the missing symbols, of which these are the next columns.
    Replaying(Arc<Plan>, Finish, usize),
}

/// How the missing symbols come out in the end.
#[derive(Debug)]
enum Finish {
    Sums(Rows),
    Correction(Box<Correction>),
}

impl<C: FountainCode> Job<C> {
    /// Begins with symbols of this code, none of them twice.
    pub(super) fn new(code: C, layout: BlockLayout, present: &Present, repair: Vec<u32>) -> Result<Self, DecodeError> {
        let missing: Vec<u32> = present.missing().map(|esi| esi as u32).collect();
        if repair.len() < missing.len() {
            return Err(DecodeError::NotEnoughSymbols { missing: missing.len(), repair: repair.len() });
        }
        let stage = if are_few(missing.len(), layout.symbols as usize) {
            Stage::Planning(EncodingPlan::new(code))
        } else {
            Stage::Solving(solver(code, &layout, present, &repair))
        };
        Ok(Self { code, layout, present: present.clone(), repair, missing, stage: Some(stage) })
    }

    fn not_enough(&self) -> DecodeError {
        DecodeError::NotEnoughSymbols { missing: self.missing.len(), repair: self.repair.len() }
    }

    fn sums(&self, esis: &[u32]) -> Rows {
        let mut sums = Rows::default();
        esis.iter().for_each(|&esi| sums.push(self.code.encoding_symbol(esi)));
        sums
    }

    /// Begins to find out what is missing, by the plan of the encoder.
    fn correct(&self, plan: Arc<Plan>) -> Stage<C> {
        let sums = self.sums(&self.repair[..self.repair.len().min(self.missing.len() + SPARE)]);
        let dense = plan.sparse.running_sums.last.len();
        let system = System::new(sums.len(), dense, self.missing.len() + plan.dense.free.len());
        Stage::Coefficients(plan, sums, system)
    }

    /// Ends to find out what is missing, if that is determined.
    fn corrected(&self, plan: Arc<Plan>, sums: &Rows, elimination: Elimination) -> Option<Stage<C>> {
        let solution = elimination.finish()?;
        let first = plan.sparse.symbols as u32;
        let lacking = first..first + self.missing.len() as u32;
        let dense = Dense::new(&solution, |unknown| first + unknown, lacking.end + plan.dense.free.len() as u32);
        let mut used = Rows::default();
        solution.used.iter().for_each(|&row| used.push(sums.row(row as usize).iter().copied()));
        let inputs = solution.used.iter().map(|row| self.layout.symbols + row).collect();
        let correction = Correction { sums: used, inputs, dense, lacking };
        Some(self.replaying(plan, Finish::Correction(Box::new(correction))))
    }

    fn replaying(&self, plan: Arc<Plan>, finish: Finish) -> Stage<C> {
        Stage::Replaying(plan, finish, 0)
    }

    /// Goes on to the next stage, or a bit within the present one.
    fn advance(&self, stage: Stage<C>, symbols: &mut Decoding<'_>, work: &mut Work) -> Result<Stage<C>, DecodeError> {
        Ok(match stage {
            Stage::Planning(mut plan) => match plan.step(work) {
                None => Stage::Planning(plan),
                Some(plan) => self.correct(plan),
            },
            Stage::Coefficients(plan, sums, system) if system.is_done() => {
                Stage::Elimination(plan, sums, system.eliminate())
            }
            Stage::Coefficients(plan, sums, mut system) => {
                if work.begin(plan.work() + sums.entries() as u64) {
                    system.fill_lacking(&plan, &self.present, &self.missing, &sums);
                }
                Stage::Coefficients(plan, sums, system)
            }
            Stage::Elimination(plan, sums, mut elimination) => match elimination.step(work) {
                Progress::More => Stage::Elimination(plan, sums, elimination),
                Progress::Done => match self.corrected(plan, &sums, elimination) {
                    Some(stage) => stage,
                    None if sums.len() < self.repair.len() => {
                        Stage::Solving(solver(self.code, &self.layout, &self.present, &self.repair))
                    }
                    None => return Err(self.not_enough()),
                },
            },
            Stage::Solving(mut solver) => match solver.step(work) {
                Ok(None) => Stage::Solving(solver),
                Ok(Some(plan)) => Stage::Summing(Arc::new(plan), Rows::default()),
                Err(Underdetermined) => return Err(self.not_enough()),
            },
            Stage::Summing(plan, mut sums) => {
                for &esi in &self.missing[sums.len()..] {
                    if work.is_spent() {
                        return Ok(Stage::Summing(plan, sums));
                    }
                    sums.push(self.code.encoding_symbol(esi));
                    work.spend(EQUATION_WORK);
                }
                self.replaying(plan, Finish::Sums(sums))
            }
            Stage::Replaying(plan, finish, mut next) => {
                let wanted = match &finish {
                    Finish::Sums(sums) => Wanted::Sums(sums),
                    Finish::Correction(correction) => Wanted::Correction(correction),
                };
                replay(&plan, symbols, wanted, &(0..self.layout.symbol_size.into()), &mut next, work);
                Stage::Replaying(plan, finish, next)
            }
        })
    }
}

/// Whether it takes less time to solve for the missing symbols than for all.
fn are_few(missing: usize, symbols: usize) -> bool {
    missing <= MAX_FEW && missing * missing <= FEW_SQUARED * symbols
}

/// Solves for all intermediate symbols.
fn solver<C: FountainCode>(code: C, layout: &BlockLayout, present: &Present, repair: &[u32]) -> Solver<C> {
    let source = (0..layout.symbols).filter(|&esi| present.contains(esi as usize)).map(|esi| (esi, esi));
    Solver::new(code, source.chain(repair.iter().copied().zip(layout.symbols..)).collect())
}

impl<C: FountainCode> DecodeJob for Job<C> {
    fn step(
        &mut self,
        block: &mut [u8],
        repair: &[RepairSymbol<'_>],
        work: &mut Work,
    ) -> Result<Progress, DecodeError> {
        let size = self.layout.symbol_size.into();
        let repair = begun_with(&self.repair, repair)?;
        check_data(self.layout.symbols as usize, size, block, repair)?;
        if self.missing.is_empty() {
            return Ok(Progress::Done);
        }
        let mut stage = self.stage.take().ok_or_else(|| self.not_enough())?;
        let (present, missing) = (&self.present, &self.missing[..]);
        let mut symbols = Decoding { layout: &self.layout, block, present, repair, missing };
        let progress = loop {
            match stage {
                Stage::Replaying(_, _, next) if next == size => break Progress::Done,
                _ if work.is_spent() => break Progress::More,
                _ => stage = self.advance(stage, &mut symbols, work)?,
            }
        };
        self.stage = Some(stage);
        Ok(progress)
    }

    fn memory_use(&self) -> usize {
        let stage = match &self.stage {
            None => 0,
            Some(Stage::Planning(plan)) => plan.bytes(),
            Some(Stage::Coefficients(_, sums, system)) => sums.bytes() + system.bytes(),
            Some(Stage::Elimination(_, sums, elimination)) => sums.bytes() + elimination.bytes(),
            Some(Stage::Solving(solver)) => solver.bytes(),
            Some(Stage::Summing(plan, sums)) => plan.bytes() + sums.bytes(),
            Some(Stage::Replaying(plan, Finish::Sums(sums), _)) => plan.bytes() + sums.bytes(),
            Some(Stage::Replaying(_, Finish::Correction(correction), _)) => correction.bytes(),
        };
        let symbols = (self.missing.len() + self.repair.len()) * size_of::<u32>();
        size_of::<Self>() + stage + self.present.bytes() + symbols
    }
}

/// Source symbols that are present and repair symbols go in, missing source symbols come out.
struct Decoding<'a> {
    layout: &'a BlockLayout,
    block: &'a mut [u8],
    present: &'a Present,
    repair: &'a [RepairSymbol<'a>],
    missing: &'a [u32],
}

impl Inputs for Decoding<'_> {
    #[inline(always)]
    fn load<I: Instructions, const P: usize>(&self, input: u32, columns: &Range<usize>) -> Sum<I, P> {
        match input.checked_sub(self.layout.symbols) {
            Some(repair) => Sum::of_bytes(&self.repair[repair as usize].data[columns.clone()]),
            None if self.present.contains(input as usize) => load_source(self.layout, self.block, input, columns),
            None => Sum::zero(),
        }
    }

    #[inline(always)]
    fn prefetch<I: Instructions>(&self, input: u32, columns: &Range<usize>) {
        let data = match input.checked_sub(self.layout.symbols) {
            Some(repair) => Some(&self.repair[repair as usize].data[columns.clone()]),
            None => contiguous(self.layout, self.block, input, columns),
        };
        data.into_iter().for_each(I::prefetch);
    }
}

impl Outputs for Decoding<'_> {
    #[inline(always)]
    fn store<I: Instructions, const P: usize>(&mut self, output: usize, columns: &Range<usize>, sum: Sum<I, P>) {
        let mut bytes = [[0; LINE]; P];
        sum.store_bytes(bytes.as_flattened_mut());
        self.write(output, columns, &bytes.as_flattened()[..columns.len()]);
    }
}

impl Decoding<'_> {
    /// Puts columns of a missing symbol to its place.
    #[inline(never)]
    fn write(&mut self, output: usize, columns: &Range<usize>, bytes: &[u8]) {
        self.layout.write(self.block, self.missing[output], columns.clone(), bytes);
    }
}

#[cfg(test)]
mod tests;
