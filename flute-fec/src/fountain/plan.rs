// SPDX-License-Identifier: MPL-2.0

//! How to find the intermediate symbols, as a list of sums.

use super::dense::Dense;
use super::elimination::Solution;
use super::peeling::Peeled;
use super::{Precode, Rows, RunningSums};
use crate::{Progress, Work};

/// An equation: the sum of some intermediate symbols is an input, or zero.
#[derive(Clone, Debug, Default)]
pub(super) struct Equations {
    pub(super) symbols: Rows,
    /// What each adds up to: the number of an input.
    pub(super) inputs: Vec<Option<u32>>,
}

impl Equations {
    /// The equations that hold for any data.
    pub(super) fn new(precode: &Precode) -> Self {
        Self { symbols: precode.zero_sums.clone(), inputs: vec![None; precode.zero_sums.len()] }
    }

    /// Adds one for an encoding symbol.
    pub(super) fn push(&mut self, symbols: impl IntoIterator<Item = u32>, input: u32) {
        self.symbols.push(symbols);
        self.inputs.push(Some(input));
    }
}

/// A sum: an input, if there is one, and some lanes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// The intermediate symbol that it is.
    pub(super) target: u32,
    pub(super) input: Option<u32>,
    /// How many of the symbols are found earlier; the others are inactive.
    found: u32,
}

/// A list of sums of symbols that are found earlier, and of inactive ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    /// The symbols of each, those found earlier first.
    symbols: Rows,
}

impl Steps {
    fn push(&mut self, target: u32, input: Option<u32>, symbols: &[u32], is_inactive: &[bool]) {
        let others = || symbols.iter().copied().filter(|&symbol| symbol != target);
        let found = || others().filter(|&symbol| !is_inactive[symbol as usize]);
        self.symbols.push(found().chain(others().filter(|&symbol| is_inactive[symbol as usize])));
        self.steps.push(Step { target, input, found: found().count() as u32 });
    }

    /// The symbols found earlier that are in a sum.
    #[inline(always)]
    pub(super) fn found(&self, index: usize) -> &[u32] {
        &self.symbols.row(index)[..self.steps[index].found as usize]
    }

    /// All symbols of a sum.
    #[inline(always)]
    pub(super) fn symbols(&self, index: usize) -> &[u32] {
        self.symbols.row(index)
    }

    /// Some of the sums.
    fn some(&self, indices: impl IntoIterator<Item = u32>) -> Self {
        let mut some = Self::default();
        for index in indices.into_iter().map(|index| index as usize) {
            some.steps.push(self.steps[index]);
            some.symbols.push(self.symbols.row(index).iter().copied());
        }
        some
    }

    /// The sums in another order: after those that they are sums of, as ever, and else those of as many symbols one
    /// after the other, so that the processor can foretell how many come.
    fn in_levels(&self, symbols: usize) -> Self {
        let mut levels = vec![0; symbols];
        let mut order = Vec::with_capacity(self.steps.len());
        for (index, step) in (0..).zip(&self.steps) {
            let below = self.found(index as usize).iter().map(|&symbol| levels[symbol as usize]).max();
            let level = below.map_or(0, |level: u32| level + 1);
            levels[step.target as usize] = level;
            order.push((level, step.found, self.symbols(index as usize).len() as u32, index));
        }
        order.sort_unstable();
        self.some(order.into_iter().map(|(.., index)| index))
    }

    /// Sums and the symbols in them.
    fn additions(&self) -> usize {
        self.steps.len() + self.symbols.entries()
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.steps) + self.symbols.bytes()
    }
}

/// The listing of the sums that peeling has found, in steps.
#[derive(Debug)]
pub(super) struct Listing {
    peeled: Peeled,
    /// What the equations add up to.
    inputs: Vec<Option<u32>>,
    is_inactive: Vec<bool>,
    /// Those of the pivots, in the order in which they were peeled.
    pivots: Steps,
    rest: Steps,
}

impl Listing {
    pub(super) fn new(symbols: usize, peeled: Peeled, inputs: Vec<Option<u32>>) -> Self {
        let mut is_inactive = vec![false; symbols];
        peeled.inactive.iter().for_each(|&symbol| is_inactive[symbol as usize] = true);
        Self { peeled, inputs, is_inactive, pivots: Steps::default(), rest: Steps::default() }
    }

    /// Lists sums until all are or `work` is spent.
    pub(super) fn step(&mut self, work: &mut Work) -> Progress {
        let Self { peeled, inputs, is_inactive, pivots, rest } = self;
        let mut list = |steps: &mut Steps, row: u32, target: u32| {
            let symbols = peeled.rows.row(row as usize);
            steps.push(target, inputs[row as usize], symbols, is_inactive);
            work.spend(8 + 2 * symbols.len() as u64);
            !work.is_spent()
        };
        let is_all_listed = peeled.pivots[pivots.steps.len()..].iter().all(|&(row, target)| list(pivots, row, target))
            && peeled.rest[rest.steps.len()..].iter().all(|&row| list(rest, row, u32::MAX));
        if is_all_listed { Progress::Done } else { Progress::More }
    }

    /// What it costs to [finish](Self::finish).
    pub(super) fn finishing_work(&self) -> u64 {
        6 * self.pivots.additions() as u64
    }

    /// The sums, once all are listed.
    pub(super) fn finish(self, precode: &Precode) -> Sparse {
        Sparse {
            symbols: precode.symbols,
            running_sums: precode.running_sums.clone(),
            pivots: self.pivots.in_levels(precode.symbols),
            rest: self.rest,
            inactive: self.peeled.inactive,
        }
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        let equations = self.peeled.rows.bytes() + size_of_val(&*self.inputs) + self.is_inactive.len();
        equations + size_of_val(&*self.peeled.pivots) + self.pivots.bytes() + self.rest.bytes()
    }
}

/// What peeling has made of the equations.
#[derive(Clone, Debug)]
pub(super) struct Sparse {
    /// Number of intermediate symbols.
    pub(super) symbols: usize,
    pub(super) running_sums: RunningSums,
    pub(super) inactive: Vec<u32>,
    /// The symbols that are not inactive.
    pub(super) pivots: Steps,
    /// The equations that are not pivots, and have no target.
    pub(super) rest: Steps,
}

impl Sparse {
    /// What it costs to find a line of all symbols and of the rest, apart from inactive ones.
    pub(super) fn work(&self) -> u64 {
        (self.pivots.additions() + self.rest.additions() + 4 * self.symbols) as u64
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.pivots.bytes() + self.rest.bytes() + size_of_val(&*self.running_sums.taps)
    }
}

/// How to find the intermediate symbols.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The symbols that are not inactive, and those of the other equations that are used.
    pub(super) sparse: Sparse,
    /// The inactive symbols. Its lanes follow those of the symbols.
    pub(super) dense: Dense,
}

impl Plan {
    pub(super) fn new(sparse: Sparse, solution: &Solution) -> Self {
        let unknown = |index: u32| sparse.inactive[index as usize];
        let dense = Dense::new(solution, unknown, sparse.symbols as u32);
        let rest = sparse.rest.some(solution.used.iter().copied());
        Self { sparse: Sparse { rest, ..sparse }, dense }
    }

    /// What it costs to find a line of all intermediate symbols.
    pub(super) fn work(&self) -> u64 {
        self.sparse.work() + (self.sparse.pivots.additions() + self.dense.additions()) as u64
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.sparse.bytes() + self.dense.bytes()
    }
}
