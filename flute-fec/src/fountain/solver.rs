// SPDX-License-Identifier: MPL-2.0

//! From the equations of a block to a plan, in steps.

use super::coefficients::System;
use super::elimination::Elimination;
use super::peeling::Peeling;
use super::plan::{Equations, Listing, Plan, Sparse};
use super::{FountainCode, Precode};
use crate::{Progress, Work};

/// What it costs to find out of which intermediate symbols an encoding symbol is the sum.
pub(super) const EQUATION_WORK: u64 = 48;

/// The solving of the equations of some encoding symbols.
#[derive(Debug)]
pub(super) struct Solver<C> {
    code: C,
    precode: Precode,
    /// The encoding symbols by their ID, and the input that each is.
    symbols: Vec<(u32, u32)>,
    stage: Stage,
}

/// The equations do not determine every symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Underdetermined;

#[derive(Debug)]
enum Stage {
    /// Writing down the equations.
    Equations(Equations),
    Peeling(Peeling, Vec<Option<u32>>),
    /// Listing the sums that peeling has found.
    Sums(Listing),
    /// Finding out which equations of inactive symbols that leaves.
    Coefficients(Sparse, System),
    Elimination(Sparse, Elimination),
    Ended,
}

impl<C: FountainCode> Solver<C> {
    pub(super) fn new(code: C, symbols: Vec<(u32, u32)>) -> Self {
        let precode = code.precode();
        let stage = Stage::Equations(Equations::new(&precode));
        Self { code, precode, symbols, stage }
    }

    /// Goes on until there is a plan or `work` is spent.
    pub(super) fn step(&mut self, work: &mut Work) -> Result<Option<Plan>, Underdetermined> {
        loop {
            if work.is_spent() {
                return Ok(None);
            }
            self.stage = match std::mem::replace(&mut self.stage, Stage::Ended) {
                Stage::Equations(equations) => self.write_down(equations, work)?,
                Stage::Peeling(mut peeling, inputs) => match peeling.step(work).ok_or(Underdetermined)? {
                    Progress::More => Stage::Peeling(peeling, inputs),
                    Progress::Done => Stage::Sums(Listing::new(self.precode.symbols, peeling.finish(), inputs)),
                },
                Stage::Sums(mut listing) => match listing.step(work) {
                    Progress::Done if work.begin(listing.finishing_work()) => {
                        let dense = self.precode.running_sums.last.len();
                        let sparse = listing.finish(&self.precode);
                        let system = System::new(sparse.rest.steps.len(), dense, sparse.inactive.len());
                        Stage::Coefficients(sparse, system)
                    }
                    Progress::Done | Progress::More => Stage::Sums(listing),
                },
                Stage::Coefficients(sparse, system) if system.is_done() => {
                    Stage::Elimination(sparse, system.eliminate())
                }
                Stage::Coefficients(sparse, mut system) => {
                    if work.begin(sparse.work()) {
                        system.fill_inactive(&sparse);
                    }
                    Stage::Coefficients(sparse, system)
                }
                Stage::Elimination(sparse, mut elimination) => match elimination.step(work) {
                    Progress::More => Stage::Elimination(sparse, elimination),
                    Progress::Done => {
                        let solution = elimination.finish().ok_or(Underdetermined)?;
                        return Ok(Some(Plan::new(sparse, &solution)));
                    }
                },
                Stage::Ended => return Err(Underdetermined),
            };
        }
    }

    /// Writes down some equations more.
    fn write_down(&self, mut equations: Equations, work: &mut Work) -> Result<Stage, Underdetermined> {
        let Precode { symbols, zero_sums, running_sums, inactive } = &self.precode;
        if self.symbols.len() + zero_sums.len() + running_sums.last.len() < *symbols {
            return Err(Underdetermined);
        }
        let written = equations.inputs.iter().flatten().count();
        for &(esi, input) in &self.symbols[written..] {
            if work.is_spent() {
                return Ok(Stage::Equations(equations));
            }
            equations.push(self.code.encoding_symbol(esi), input);
            work.spend(EQUATION_WORK);
        }
        if !work.begin(4 * equations.symbols.entries() as u64) {
            return Ok(Stage::Equations(equations));
        }
        let peeling = Peeling::new(equations.symbols, *symbols, inactive.clone());
        Ok(Stage::Peeling(peeling, equations.inputs))
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        let stage = match &self.stage {
            Stage::Ended => 0,
            Stage::Equations(equations) => equations.symbols.bytes() + size_of_val(&*equations.inputs),
            Stage::Peeling(peeling, inputs) => peeling.bytes() + size_of_val(&**inputs),
            Stage::Sums(listing) => listing.bytes(),
            Stage::Coefficients(sparse, system) => sparse.bytes() + system.bytes(),
            Stage::Elimination(sparse, elimination) => sparse.bytes() + elimination.bytes(),
        };
        size_of_val(&*self.symbols) + stage
    }
}
