// SPDX-License-Identifier: MPL-2.0

//! A [`Solution`] as a list of sums of lanes.
//!
//! Half of all equations are in a sum, so sums have most of their parts in common. Hence the equations go in groups of
//! four, the sums of each group are made once, and what remains is a sum of one of them for each group: the method of
//! the four Russians.

use super::Rows;
use super::bits::WORD;
use super::elimination::{POWERS, Solution};

/// Equations of a group.
const GROUP: usize = 4;

/// How to find unknowns from the sums of their equations. All numbers are those of lanes.
#[derive(Clone, Debug, Default)]
pub(super) struct Dense {
    /// The first of the equations that are used, the others of which follow.
    pub(super) first_equation: u32,
    /// The first of the running sums, the others of which follow.
    pub(super) first_sum: u32,
    /// The first of the sums of equations that others are made of.
    pub(super) first_partial: u32,
    /// These sums, each of an equation and an equation or a partial sum before it.
    pub(super) partials: Vec<[u32; 2]>,
    /// Unknowns up to their `spread`, as sums of equations and partial sums.
    pub(super) bound: Vec<u32>,
    pub(super) combinations: Rows,
    /// What equations contribute to the running sums: as many rows for each as an octet has bits, the factor of the
    /// first row being the highest power of α.
    pub(super) contributions: Rows,
    /// The other unknowns, as such sums of the running sums.
    pub(super) free: Vec<u32>,
    pub(super) free_sums: Rows,
    /// Which free unknowns each bound one has in it.
    pub(super) spread: Rows,
}

impl Dense {
    /// `unknown` tells the lane of an unknown; from `first_lane` on there is room for all else.
    pub(super) fn new(solution: &Solution, unknown: impl Fn(u32) -> u32, first_lane: u32) -> Self {
        let equations = solution.used.len() as u32;
        let first_sum = first_lane + equations;
        let sums = solution.dense as u32;
        let mut groups =
            Groups { first_equation: first_lane, first_partial: first_sum + sums, equations, partials: Vec::new() };
        groups.make();
        let mut combinations = Rows::default();
        (0..solution.bound.len()).for_each(|row| combinations.push(groups.lanes(solution.combinations.row(row))));
        let mut contributions = Rows::default();
        (0..solution.dense * POWERS)
            .for_each(|row| contributions.push(groups.lanes(solution.dense_combinations.row(row))));
        let mut free_sums = Rows::default();
        for (factors, power) in
            solution.free_factors.iter().flat_map(|f| (0..POWERS).rev().map(move |power| (f, power)))
        {
            let sums = (first_sum..).zip(factors).filter(|(_, factor)| **factor >> power & 1 != 0);
            free_sums.push(sums.map(|(lane, _)| lane));
        }
        let mut spread = Rows::default();
        solution.spread.iter().for_each(|free| spread.push(free.iter().copied().map(&unknown)));
        Self {
            first_equation: first_lane,
            first_sum,
            first_partial: groups.first_partial,
            partials: groups.partials,
            bound: solution.bound.iter().copied().map(&unknown).collect(),
            combinations,
            contributions,
            free: solution.free.iter().copied().map(&unknown).collect(),
            free_sums,
            spread,
        }
    }

    /// The lanes that are used up to here.
    pub(super) fn lanes(&self) -> usize {
        self.first_partial as usize + self.partials.len()
    }

    /// Lanes that are added to others.
    pub(super) fn additions(&self) -> usize {
        let rows = [&self.combinations, &self.contributions, &self.free_sums, &self.spread];
        2 * self.partials.len() + rows.into_iter().map(Rows::entries).sum::<usize>()
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        let rows = [&self.combinations, &self.contributions, &self.free_sums, &self.spread];
        size_of_val(&*self.partials) + rows.into_iter().map(Rows::bytes).sum::<usize>()
    }
}

/// The partial sums: of each group of equations, for every choice of two or more of them, in binary order.
struct Groups {
    first_equation: u32,
    first_partial: u32,
    equations: u32,
    partials: Vec<[u32; 2]>,
}

impl Groups {
    /// Makes the partial sums of all groups.
    fn make(&mut self) {
        for group in 0..self.equations.div_ceil(GROUP as u32) {
            let equations = (self.equations - group * GROUP as u32).min(GROUP as u32);
            for choice in (0..1 << equations).filter(|choice: &u32| choice.count_ones() > 1) {
                let lowest = 1 << choice.trailing_zeros();
                self.partials.push([lowest, choice ^ lowest].map(|part| self.lane(group, part)));
            }
        }
    }

    /// The lane of a sum of a group.
    fn lane(&self, group: u32, choice: u32) -> u32 {
        /// Choices of two and more of the equations of a group.
        const PARTIALS: u32 = (1 << GROUP) - GROUP as u32 - 1;
        if choice.is_power_of_two() {
            self.first_equation + group * GROUP as u32 + choice.trailing_zeros()
        } else {
            // Of the choices below there is the empty one, and those of one equation up to the highest here.
            self.first_partial + group * PARTIALS + choice - 2 - choice.ilog2()
        }
    }

    /// The lanes that the sum of some equations is made of.
    fn lanes(&self, equations: &[u64]) -> impl Iterator<Item = u32> {
        (0..self.equations.div_ceil(GROUP as u32)).filter_map(move |group| {
            let bit = group as usize * GROUP;
            let choice = (equations[bit / WORD] >> (bit % WORD)) as u32 & ((1 << GROUP) - 1);
            (choice != 0).then(|| self.lane(group, choice))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_add_up() {
        let mut groups = Groups { first_equation: 3, first_partial: 20, equations: 10, partials: Vec::new() };
        groups.make();
        assert_eq!(groups.partials.len(), 11 + 11 + 1);
        // What each lane is the sum of.
        let mut lanes: Vec<u64> = (0..13).map(|lane| if lane < 3 { 0 } else { 1 << (lane - 3) }).collect();
        lanes.resize(20, 0);
        for [a, b] in &groups.partials {
            assert!((*a as usize) < lanes.len() && (*b as usize) < lanes.len());
            lanes.push(lanes[*a as usize] ^ lanes[*b as usize]);
        }
        for choice in 0..1 << 10 {
            assert_eq!(groups.lanes(&[choice]).fold(0, |sum, lane| sum ^ lanes[lane as usize]), choice);
            assert!(groups.lanes(&[choice]).count() <= 3);
        }
    }
}
