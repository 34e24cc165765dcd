// SPDX-License-Identifier: MPL-2.0

//! Carrying out a plan, one strip of columns at a time.

use std::ops::Range;

use super::Rows;
use super::dense::Dense;
use super::elimination::POWERS;
use super::lane::{Instructions, LINE, Lane, Line, Sum, Work, run_widest};
use super::plan::{Plan, Sparse, Steps};
use super::scratch::with_lanes;

/// Lines of a strip, at most: of a few thousand symbols, so much is in the second-level cache, and it is enough to make
/// up for what a sum takes whatever its width.
const MAX_LINES: usize = 4;

/// How many steps before an input is wanted it is asked for: long blocks are not in the cache of the processor.
const AHEAD: usize = 6;

/// Where symbols come from.
pub(super) trait Inputs {
    /// `columns` of an input, at most `P` lines; what follows them is zero.
    fn load<I: Instructions, const P: usize>(&self, input: u32, columns: &Range<usize>) -> Sum<I, P>;

    /// Hints that `columns` of an input are wanted soon.
    fn prefetch<I: Instructions>(&self, input: u32, columns: &Range<usize>);
}

/// Where symbols go to.
pub(super) trait Outputs {
    /// Takes `columns` of an output.
    fn store<I: Instructions, const P: usize>(&mut self, output: usize, columns: &Range<usize>, sum: Sum<I, P>);
}

/// What is wanted of the intermediate symbols.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted<'a> {
    /// Sums of them.
    Sums(&'a Rows),
    /// What makes up the difference to symbols that came.
    Correction(&'a Correction),
}

/// How to find the inputs that a plan lacked, from symbols that should be sums of what it found.
#[derive(Clone, Debug)]
pub(super) struct Correction {
    /// The intermediate symbols that should add up to each symbol that is used, and its input.
    pub(super) sums: Rows,
    pub(super) inputs: Vec<u32>,
    /// How their differences make up the lacking inputs. All lanes follow those of the intermediate symbols.
    pub(super) dense: Dense,
    /// The lanes of the lacking inputs.
    pub(super) lacking: Range<u32>,
}

impl Correction {
    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.sums.bytes() + size_of_val(&*self.inputs) + self.dense.bytes()
    }
}

impl Wanted<'_> {
    /// Lanes that are used.
    fn lanes(&self) -> usize {
        match self {
            Self::Sums(_) => 0,
            Self::Correction(correction) => correction.dense.lanes(),
        }
    }

    /// What a line of it costs.
    fn work(&self) -> u64 {
        match self {
            Self::Sums(sums) => (sums.entries() + sums.len()) as u64,
            Self::Correction(correction) => {
                (correction.sums.entries() + correction.dense.additions() + 2 * correction.sums.len()) as u64
            }
        }
    }
}

/// Finds the intermediate symbols by `plan`, and stores what is wanted of them: strip by strip from column `next` on, until
/// `columns` are done or `work` is spent.
pub(super) fn replay(
    plan: &Plan,
    symbols: &mut (impl Inputs + Outputs),
    wanted: Wanted<'_>,
    columns: &Range<usize>,
    next: &mut usize,
    work: &mut crate::Work,
) {
    let line = plan.work() + wanted.work();
    while *next < columns.end && !work.is_spent() {
        let possible = (work.left() / line) as usize;
        if possible == 0 && !work.begin(line) {
            return;
        }
        let lines = match (columns.end - *next).div_ceil(LINE).min(possible) {
            0 | 1 => 1,
            2 => 2,
            _ => MAX_LINES,
        };
        let end = columns.end.min(*next + lines * LINE);
        // Whole lines are faster than parts of them, even where columns are done twice.
        let strip = columns.start.max(end.saturating_sub(lines * LINE))..end;
        let replay = Replay { plan, symbols: &mut *symbols, wanted, strip };
        match lines {
            1 => run_strip::<1, _>(replay),
            2 => run_strip::<2, _>(replay),
            _ => run_strip::<MAX_LINES, _>(replay),
        }
        *next = end;
        work.spend(line * lines as u64);
    }
}

fn run_strip<const P: usize, S: Inputs + Outputs>(replay: Replay<'_, S>) {
    let count = replay.plan.dense.lanes().max(replay.wanted.lanes());
    with_lanes::<P, _>(count, |lanes| run_widest(Strip { replay, lanes }));
}

struct Replay<'a, S> {
    plan: &'a Plan,
    symbols: &'a mut S,
    wanted: Wanted<'a>,
    strip: Range<usize>,
}

struct Strip<'a, 'b, S, const P: usize> {
    replay: Replay<'a, S>,
    lanes: &'b mut [Lane<P>],
}

impl<S: Inputs + Outputs, const P: usize> Work for Strip<'_, '_, S, P> {
    #[inline(always)]
    fn run<I: Instructions>(self) {
        let Self { replay: Replay { plan, symbols, wanted, strip }, lanes } = self;
        let Plan { sparse, dense } = plan;
        apart_from_inactive::<I, P>(sparse, dense.first_equation, symbols, &strip, lanes);
        add_up::<I, P>(sparse, dense.first_sum, lanes);
        bind::<I, P>(dense, lanes);
        spread::<I, P>(dense, lanes);
        with_inactive::<I, P>(sparse, symbols, &strip, lanes);
        match wanted {
            Wanted::Sums(sums) => {
                for (output, sources) in sums.iter().enumerate() {
                    let mut sum = Sum::<I, P>::zero();
                    sum.add_all(lanes, sources);
                    symbols.store(output, &strip, sum);
                }
            }
            Wanted::Correction(Correction { sums, inputs, dense, lacking }) => {
                for ((lane, sources), &input) in (dense.first_equation as usize..).zip(sums.iter()).zip(inputs) {
                    let mut sum: Sum<I, P> = symbols.load(input, &strip);
                    sum.add_all(lanes, sources);
                    sum.store(&mut lanes[lane]);
                }
                lanes[dense.first_sum as usize..dense.first_partial as usize].fill([Line::ZERO; P]);
                bind::<I, P>(dense, lanes);
                spread::<I, P>(dense, lanes);
                for (output, lane) in lacking.clone().enumerate() {
                    symbols.store(output, &strip, Sum::<I, P>::of(&lanes[lane as usize]));
                }
            }
        }
    }
}

/// What the pivots are apart from inactive symbols, and what that makes of the other equations.
#[inline(always)]
pub(super) fn apart_from_inactive<I: Instructions, const P: usize>(
    sparse: &Sparse,
    first_equation: u32,
    inputs: &impl Inputs,
    strip: &Range<usize>,
    lanes: &mut [Lane<P>],
) {
    for &symbol in &sparse.inactive {
        lanes[symbol as usize] = [Line::ZERO; P];
    }
    for (index, step) in sparse.pivots.steps.iter().enumerate() {
        let mut sum = input::<I, P>(&sparse.pivots, index, inputs, strip);
        sum.add_all(lanes, sparse.pivots.found(index));
        sum.store(&mut lanes[step.target as usize]);
    }
    for index in 0..sparse.rest.steps.len() {
        let mut sum = input::<I, P>(&sparse.rest, index, inputs, strip);
        sum.add_all(lanes, sparse.rest.found(index));
        sum.store(&mut lanes[first_equation as usize + index]);
    }
}

/// What the pivots are once inactive symbols are known.
#[inline(always)]
pub(super) fn with_inactive<I: Instructions, const P: usize>(
    sparse: &Sparse,
    inputs: &impl Inputs,
    strip: &Range<usize>,
    lanes: &mut [Lane<P>],
) {
    for (index, step) in sparse.pivots.steps.iter().enumerate() {
        let mut sum = input::<I, P>(&sparse.pivots, index, inputs, strip);
        sum.add_all(lanes, sparse.pivots.symbols(index));
        sum.store(&mut lanes[step.target as usize]);
    }
}

/// The input of a step, and a hint at one that comes later.
#[inline(always)]
fn input<I: Instructions, const P: usize>(
    steps: &Steps,
    index: usize,
    inputs: &impl Inputs,
    strip: &Range<usize>,
) -> Sum<I, P> {
    if let Some(later) = steps.steps.get(index + AHEAD).and_then(|step| step.input) {
        inputs.prefetch::<I>(later, strip);
    }
    match steps.steps[index].input {
        Some(input) => inputs.load(input, strip),
        None => Sum::zero(),
    }
}

/// The running sums: what they add up to, from `first_sum` on.
#[inline(always)]
fn add_up<I: Instructions, const P: usize>(sparse: &Sparse, first_sum: u32, lanes: &mut [Lane<P>]) {
    let running_sums = &sparse.running_sums;
    let (symbols, rest) = lanes.split_at_mut(sparse.symbols);
    let (symbols, own) = symbols.split_at(running_sums.taps.len() + 1);
    let sums = &mut rest[first_sum as usize - sparse.symbols..][..own.len()];
    sums.copy_from_slice(own);
    let mut running = Sum::<I, P>::zero();
    let mut taps = running_sums.taps.iter();
    for symbol in symbols {
        if running_sums.multiply {
            running.double();
        }
        running.add_lane(symbol);
        if let Some(taps) = taps.next() {
            for tap in taps {
                let tapped = &mut sums[usize::from(*tap)];
                let mut sum = running;
                sum.add_lane(tapped);
                sum.store(tapped);
            }
        }
    }
    for (lane, &factor) in sums.iter_mut().zip(&running_sums.last) {
        let mut product = Sum::<I, P>::zero();
        for power in (0..POWERS).rev() {
            product.double();
            if factor >> power & 1 != 0 {
                product.add(&running);
            }
        }
        product.add_lane(lane);
        product.store(lane);
    }
}

/// The bound unknowns as far as equations tell.
#[inline(always)]
pub(super) fn bind<I: Instructions, const P: usize>(dense: &Dense, lanes: &mut [Lane<P>]) {
    for (lane, [a, b]) in (dense.first_partial as usize..).zip(&dense.partials) {
        let mut sum = Sum::<I, P>::of(&lanes[*a as usize]);
        sum.add_lane(&lanes[*b as usize]);
        sum.store(&mut lanes[lane]);
    }
    for (&symbol, sources) in dense.bound.iter().zip(dense.combinations.iter()) {
        let mut sum = Sum::<I, P>::zero();
        sum.add_all(lanes, sources);
        sum.store(&mut lanes[symbol as usize]);
    }
}

/// The free unknowns, and the bound ones with these in them.
#[inline(always)]
fn spread<I: Instructions, const P: usize>(dense: &Dense, lanes: &mut [Lane<P>]) {
    for (index, lane) in (dense.first_sum as usize..dense.first_partial as usize).enumerate() {
        let mut sum = weighted::<I, P>(&dense.contributions, index, lanes);
        sum.add_lane(&lanes[lane]);
        sum.store(&mut lanes[lane]);
    }
    for (index, &symbol) in dense.free.iter().enumerate() {
        weighted::<I, P>(&dense.free_sums, index, lanes).store(&mut lanes[symbol as usize]);
    }
    spread_free::<I, P>(dense, lanes);
}

/// Adds the free unknowns to the bound ones.
#[inline(always)]
pub(super) fn spread_free<I: Instructions, const P: usize>(dense: &Dense, lanes: &mut [Lane<P>]) {
    for (&symbol, sources) in dense.bound.iter().zip(dense.spread.iter()) {
        let mut sum = Sum::<I, P>::of(&lanes[symbol as usize]);
        sum.add_all(lanes, sources);
        sum.store(&mut lanes[symbol as usize]);
    }
}

/// A sum of lanes with factors, told by a row for each power of α, the highest first.
#[inline(always)]
fn weighted<I: Instructions, const P: usize>(rows: &Rows, index: usize, lanes: &[Lane<P>]) -> Sum<I, P> {
    let mut sum = Sum::zero();
    for row in index * POWERS..(index + 1) * POWERS {
        sum.double();
        sum.add_all(lanes, rows.row(row));
    }
    sum
}
