// SPDX-License-Identifier: MPL-2.0

//! How to find the intermediate symbols, as a list of sums.

use super::elimination::{self, BitMatrix};
use super::peeling;
use super::replay::Coefficients;
use super::{Precode, Rows, RunningSums};

/// Inactive symbols, at most. Encoding symbol IDs in a row need a few hundred at the most; an adversary could choose
/// IDs that need nearly all symbols, and elimination takes the cube of that.
const MAX_INACTIVE: usize = 4096;

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
}

/// A list of sums of symbols that are found earlier, and of inactive ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    /// The symbols found earlier.
    pub(super) found: Rows,
    /// The inactive ones.
    pub(super) inactive: Rows,
}

impl Steps {
    fn push(&mut self, target: u32, input: Option<u32>, symbols: &[u32], is_inactive: &[bool]) {
        let others = || symbols.iter().copied().filter(|&symbol| symbol != target);
        self.steps.push(Step { target, input });
        self.found.push(others().filter(|&symbol| !is_inactive[symbol as usize]));
        self.inactive.push(others().filter(|&symbol| is_inactive[symbol as usize]));
    }
}

/// A sum of lanes with factors. Factors are sums of powers of α, so it goes by the power, highest first: the lanes of
/// one power are added, and what there is multiplied with α before the next.
#[derive(Clone, Debug, Default)]
pub(super) struct WeightedSum {
    pub(super) powers: Vec<Vec<u32>>,
}

impl WeightedSum {
    fn new(terms: impl Iterator<Item = (u32, u8)> + Clone) -> Self {
        let of_power = |power: u32| terms.clone().filter(move |(_, factor)| factor >> power & 1 != 0);
        let highest = terms.clone().map(|(_, factor)| u8::BITS - factor.leading_zeros()).max().unwrap_or(0);
        Self { powers: (0..highest).rev().map(|power| of_power(power).map(|(lane, _)| lane).collect()).collect() }
    }
}

/// How to find the intermediate symbols.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Number of intermediate symbols.
    pub(super) symbols: usize,
    pub(super) running_sums: RunningSums,
    pub(super) inactive: Vec<u32>,
    /// The symbols that are not inactive.
    pub(super) pivots: Steps,
    /// The equations that are not pivots, and their sums of symbols that are not inactive. They have no target.
    pub(super) rest: Steps,
    /// Inactive symbols up to their `spread`, as sums of the `rest`.
    pub(super) bound: Vec<u32>,
    pub(super) combinations: Rows,
    /// For each running sum, what the bound symbols contribute.
    pub(super) bound_sums: Vec<WeightedSum>,
    /// The other inactive symbols, as sums of the running sums.
    pub(super) free: Vec<u32>,
    pub(super) free_sums: Vec<WeightedSum>,
    /// Which free symbols each bound one has in it.
    pub(super) spread: Rows,
}

impl Plan {
    /// Solves the equations and the running sums of `precode`. `None` if they do not determine every symbol.
    pub(super) fn new(precode: &Precode, equations: &Equations) -> Option<Self> {
        let dense = precode.running_sums.last.len();
        if equations.symbols.len() + dense < precode.symbols {
            return None;
        }
        let peeling = peeling::peel(&equations.symbols, precode.symbols, precode.inactive.clone(), MAX_INACTIVE)?;
        let unknowns = peeling.inactive.len();
        let mut is_inactive = vec![false; precode.symbols];
        peeling.inactive.iter().for_each(|&symbol| is_inactive[symbol as usize] = true);
        let steps = |rows: &mut dyn Iterator<Item = (u32, u32)>| {
            let mut steps = Steps::default();
            rows.for_each(|(row, target)| {
                let (input, symbols) = (equations.inputs[row as usize], equations.symbols.row(row as usize));
                steps.push(target, input, symbols, &is_inactive);
            });
            steps
        };
        let mut plan = Self {
            symbols: precode.symbols,
            running_sums: precode.running_sums.clone(),
            pivots: steps(&mut peeling.pivots.iter().copied()),
            rest: steps(&mut peeling.rest.iter().map(|&row| (row, u32::MAX))),
            inactive: peeling.inactive,
            bound: Vec::new(),
            combinations: Rows::default(),
            bound_sums: Vec::new(),
            free: Vec::new(),
            free_sums: Vec::new(),
            spread: Rows::default(),
        };
        let mut binary = BitMatrix::new(peeling.rest.len(), unknowns);
        let mut factors = vec![vec![0; unknowns]; dense];
        Coefficients::of(&plan, &mut binary, &mut factors);
        let solution = elimination::eliminate(&binary, peeling.rest.len(), &factors, unknowns)?;

        let symbol = |unknown: u32| plan.inactive[unknown as usize];
        let bound: Vec<u32> = solution.bound.iter().copied().map(symbol).collect();
        let terms =
            |lanes: &[u32], factors: &[u8]| WeightedSum::new(lanes.iter().copied().zip(factors.iter().copied()));
        let dense: Vec<u32> = (0..dense as u32).collect();
        let mut spread = Rows::default();
        solution.spread.iter().for_each(|unknowns| spread.push(unknowns.iter().copied().map(symbol)));
        let bound_sums = solution.bound_factors.iter().map(|factors| terms(&bound, factors)).collect();
        let free_sums = solution.free_factors.iter().map(|factors| terms(&dense, factors)).collect();
        let free = solution.free.iter().copied().map(symbol).collect();
        let used = solution.equations.iter().map(|&row| (peeling.rest[row], u32::MAX));
        let rest = steps(&mut used.into_iter());
        plan = Self { rest, bound, combinations: solution.combinations, bound_sums, free, free_sums, spread, ..plan };
        Some(plan)
    }

    /// What it costs to find `columns` of the intermediate symbols and of `outputs`, sums of them.
    pub(super) fn work(&self, outputs: &Rows, columns: usize) -> u64 {
        let steps = |steps: &Steps| steps.found.entries() + steps.inactive.entries() + steps.steps.len();
        let sums = 2 * steps(&self.pivots) + steps(&self.rest) + self.combinations.entries() + self.spread.entries();
        ((sums + 4 * self.symbols + outputs.entries()) * columns.div_ceil(64)) as u64
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        let steps =
            |steps: &Steps| steps.steps.len() * size_of::<Step>() + steps.found.bytes() + steps.inactive.bytes();
        steps(&self.pivots) + steps(&self.rest) + self.combinations.bytes() + self.spread.bytes()
    }
}
