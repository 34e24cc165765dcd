// SPDX-License-Identifier: MPL-2.0

//! Carrying out a plan, one strip of columns at a time.

use std::ops::Range;

use super::Rows;
use super::elimination::BitMatrix;
use super::lane::{Instructions, Lane, Work, run_widest};
use super::plan::{Plan, Steps, WeightedSum};

/// Columns of a narrow strip: a cache line.
const NARROW: usize = 64;
/// Columns of a wide strip: of a few thousand symbols, so much is in the second-level cache, and it is enough to make up
/// for what a step takes whatever its width.
const WIDE: usize = 256;

/// Where symbols come from and go to.
pub(super) trait Symbols {
    /// Fills the front of `lane` with `columns` of an input; the rest of it is zero and stays so.
    fn load<const B: usize>(&self, input: u32, columns: Range<usize>, lane: &mut [u8; B]);

    /// Takes `columns` of an output.
    fn store(&mut self, output: usize, columns: Range<usize>, lane: &[u8]);
}

/// Columns of a strip that is worked on at a time, of symbols of `columns`.
pub(super) fn strip_columns(columns: usize) -> usize {
    if columns > NARROW { WIDE } else { NARROW }
}

/// Finds the intermediate symbols by `plan`, and stores the outputs, which are sums of them.
pub(super) fn replay(plan: &Plan, symbols: &mut impl Symbols, outputs: &Rows, columns: Range<usize>) {
    if strip_columns(columns.len()) == WIDE {
        run_widest(Replay::<WIDE, _> { plan, symbols, outputs, columns, lanes: Lanes::new(plan) });
    } else {
        run_widest(Replay::<NARROW, _> { plan, symbols, outputs, columns, lanes: Lanes::new(plan) });
    }
}

struct Replay<'a, const B: usize, S> {
    plan: &'a Plan,
    symbols: &'a mut S,
    outputs: &'a Rows,
    columns: Range<usize>,
    lanes: Lanes<B>,
}

impl<const B: usize, S: Symbols> Work for Replay<'_, B, S> {
    #[inline(always)]
    fn run<I: Instructions>(self) {
        let Self { plan, symbols, outputs, columns, mut lanes } = self;
        for start in columns.clone().step_by(B) {
            let strip = start..columns.end.min(start + B);
            lanes.find_intermediate::<I>(plan, symbols, &strip);
            for (output, sources) in outputs.iter().enumerate() {
                let mut lane = Lane::ZERO;
                I::add_all(&mut lane, &lanes.symbols, sources);
                symbols.store(output, strip.clone(), &lane.0[..strip.len()]);
            }
        }
    }
}

/// What is worked on: one strip of everything.
struct Lanes<const B: usize> {
    /// Intermediate symbols.
    symbols: Vec<Lane<B>>,
    /// Equations that are not pivots.
    rest: Vec<Lane<B>>,
    /// Running sums.
    sums: Vec<Lane<B>>,
}

impl<const B: usize> Lanes<B> {
    fn new(plan: &Plan) -> Self {
        Self {
            symbols: vec![Lane::ZERO; plan.symbols],
            rest: vec![Lane::ZERO; plan.rest.steps.len()],
            sums: vec![Lane::ZERO; plan.running_sums.last.len()],
        }
    }

    #[inline(always)]
    fn find_intermediate<I: Instructions>(&mut self, plan: &Plan, inputs: &impl Symbols, strip: &Range<usize>) {
        for &symbol in &plan.inactive {
            self.symbols[symbol as usize] = Lane::ZERO;
        }
        // What the pivots are apart from inactive symbols, and what that makes of the other equations.
        for (index, step) in plan.pivots.steps.iter().enumerate() {
            self.symbols[step.target as usize] = self.sum::<I>(&plan.pivots, index, inputs, strip, false);
        }
        for index in 0..plan.rest.steps.len() {
            self.rest[index] = self.sum::<I>(&plan.rest, index, inputs, strip, false);
        }
        self.add_up(plan);
        // The inactive symbols.
        for (&symbol, sources) in plan.bound.iter().zip(plan.combinations.iter()) {
            let mut lane = Lane::ZERO;
            I::add_all(&mut lane, &self.rest, sources);
            self.symbols[symbol as usize] = lane;
        }
        for (sum, terms) in self.sums.iter_mut().zip(&plan.bound_sums) {
            sum.add(&weighted::<I, B>(terms, &self.symbols));
        }
        for (&symbol, terms) in plan.free.iter().zip(&plan.free_sums) {
            self.symbols[symbol as usize] = weighted::<I, B>(terms, &self.sums);
        }
        for (&symbol, sources) in plan.bound.iter().zip(plan.spread.iter()) {
            let mut lane = self.symbols[symbol as usize];
            I::add_all(&mut lane, &self.symbols, sources);
            self.symbols[symbol as usize] = lane;
        }
        // What the pivots really are.
        for (index, step) in plan.pivots.steps.iter().enumerate() {
            self.symbols[step.target as usize] = self.sum::<I>(&plan.pivots, index, inputs, strip, true);
        }
    }

    #[inline(always)]
    fn sum<I: Instructions>(
        &self,
        steps: &Steps,
        index: usize,
        inputs: &impl Symbols,
        strip: &Range<usize>,
        inactive: bool,
    ) -> Lane<B> {
        let mut lane = Lane::ZERO;
        if let Some(input) = steps.steps[index].input {
            inputs.load(input, strip.clone(), &mut lane.0);
        }
        I::add_all(&mut lane, &self.symbols, steps.found.row(index));
        if inactive {
            I::add_all(&mut lane, &self.symbols, steps.inactive.row(index));
        }
        lane
    }

    /// The dense equations: `sums` becomes what they add up to.
    #[inline(always)]
    fn add_up(&mut self, plan: &Plan) {
        let running_sums = &plan.running_sums;
        let (symbols, dense) = self.symbols.split_at(running_sums.taps.len() + 1);
        self.sums.copy_from_slice(dense);
        let mut running = Lane::ZERO;
        let mut taps = running_sums.taps.iter();
        for symbol in symbols {
            if running_sums.multiply {
                running.double();
            }
            running.add(symbol);
            if let Some(&[a, b]) = taps.next() {
                self.sums[usize::from(a)].add(&running);
                self.sums[usize::from(b)].add(&running);
            }
        }
        for (sum, &factor) in self.sums.iter_mut().zip(&running_sums.last) {
            let mut product = Lane::ZERO;
            for power in (0..8).rev() {
                product.double();
                if factor >> power & 1 != 0 {
                    product.add(&running);
                }
            }
            sum.add(&product);
        }
    }
}

#[inline(always)]
fn weighted<I: Instructions, const B: usize>(terms: &WeightedSum, lanes: &[Lane<B>]) -> Lane<B> {
    let mut sum = Lane::ZERO;
    for sources in &terms.powers {
        sum.double();
        I::add_all(&mut sum, lanes, sources);
    }
    sum
}

/// Finds the coefficients that inactive symbols have in the equations that are not pivots, and in the running sums: the
/// same work as with data, where the inactive symbols are unit vectors and all inputs zero.
pub(super) struct Coefficients<'a> {
    plan: &'a Plan,
    binary: &'a mut BitMatrix,
    dense: &'a mut [Vec<u8>],
    lanes: Lanes<NARROW>,
}

impl<'a> Coefficients<'a> {
    pub(super) fn of(plan: &'a Plan, binary: &'a mut BitMatrix, dense: &'a mut [Vec<u8>]) {
        run_widest(Self { plan, binary, dense, lanes: Lanes::new(plan) });
    }
}

impl Work for Coefficients<'_> {
    #[inline(always)]
    fn run<I: Instructions>(self) {
        let Self { plan, binary, dense, mut lanes } = self;
        for (strip, units) in plan.inactive.chunks(NARROW).enumerate() {
            for &symbol in &plan.inactive {
                lanes.symbols[symbol as usize] = Lane::ZERO;
            }
            for (column, &symbol) in units.iter().enumerate() {
                lanes.symbols[symbol as usize].0[column] = 1;
            }
            for (index, step) in plan.pivots.steps.iter().enumerate() {
                lanes.symbols[step.target as usize] = lanes.sum::<I>(&plan.pivots, index, &NoInput, &(0..0), true);
            }
            for index in 0..plan.rest.steps.len() {
                let lane = lanes.sum::<I>(&plan.rest, index, &NoInput, &(0..0), true);
                binary.row_mut(index)[strip] =
                    lane.0.iter().rev().fold(0, |word, &coefficient| word << 1 | u64::from(coefficient));
            }
            lanes.add_up(plan);
            for (row, lane) in dense.iter_mut().zip(&lanes.sums) {
                let start = strip * NARROW;
                row[start..start + units.len()].copy_from_slice(&lane.0[..units.len()]);
            }
        }
    }
}

/// All inputs are zero.
struct NoInput;

impl Symbols for NoInput {
    #[inline(always)]
    fn load<const B: usize>(&self, _: u32, _: Range<usize>, _: &mut [u8; B]) {}

    #[inline(always)]
    fn store(&mut self, _: usize, _: Range<usize>, _: &[u8]) {}
}
