// SPDX-License-Identifier: MPL-2.0

//! The dense part of solving: what unknowns are that occur in too many equations to be peeled (RFC 5053 §5.5.2.3,
//! RFC 6330 §5.4.2.3).
//!
//! There are many binary equations of these unknowns, and the H of the running sums, over GF(2^8) or binary too. Binary
//! equations are cheap, so they come first: each yields one unknown, *bound* then, in terms of a few *free* ones. The
//! equations of the running sums then yield the free ones.

use super::Rows;
use super::bits::{self, BitMatrix, WORD, ones, set_bit};
use super::lane::{self, Instructions, run_widest};
use super::octet::{add_multiple, inverse};
use crate::{Progress, Work};

/// The bits of an octet, each the factor of a power of α.
pub(super) const POWERS: usize = 8;

/// The solving of equations, in steps.
#[derive(Debug)]
pub(super) struct Elimination {
    /// The binary equations.
    matrix: BitMatrix,
    rows: usize,
    /// The others.
    dense: Vec<Vec<u8>>,
    unknowns: usize,
    /// Sums of equations, each of which has an unknown, its pivot, that no other sum has; behind the unknowns, in words
    /// of their own, which of the `used` equations it is the sum of.
    sums: BitMatrix,
    /// The sum of which each unknown is the pivot.
    sum_of: Vec<Option<u32>>,
    used: Vec<u32>,
    bound: Vec<u32>,
    /// The next equation.
    next: usize,
}

/// How to find the unknowns. Unknowns and equations go by their number.
#[derive(Clone, Debug, Default)]
pub(super) struct Solution {
    /// The binary equations that are used.
    pub(super) used: Vec<u32>,
    /// The unknowns that they yield.
    pub(super) bound: Vec<u32>,
    /// For each of these, which of the `used` equations add up to it and some free unknowns.
    pub(super) combinations: BitMatrix,
    /// For each of these, the free unknowns that this sum has too.
    pub(super) spread: Rows,
    /// Number of dense equations.
    pub(super) dense: usize,
    /// For each dense equation, and each power of α from the highest down, the `used` equations that are to be added to
    /// it with this factor, so that no bound unknown is in it.
    pub(super) dense_combinations: BitMatrix,
    /// The other unknowns.
    pub(super) free: Vec<u32>,
    /// For each free unknown, the factors of the dense equations whose sum is it.
    pub(super) free_factors: Vec<Vec<u8>>,
}

impl Elimination {
    /// Begins with `rows` of a binary matrix and `dense` rows over GF(2^8), of as many unknowns as they have columns.
    pub(super) fn new(matrix: BitMatrix, rows: usize, dense: Vec<Vec<u8>>, unknowns: usize) -> Self {
        Self {
            matrix,
            rows,
            dense,
            unknowns,
            sums: BitMatrix::new(unknowns, 2 * unknowns.next_multiple_of(WORD)),
            sum_of: vec![None; unknowns],
            used: Vec::new(),
            bound: Vec::new(),
            next: 0,
        }
    }

    /// Takes binary equations in, until all are or `work` is spent.
    pub(super) fn step(&mut self, work: &mut Work) -> Progress {
        run_widest(Step { elimination: self, work });
        if self.is_done() { Progress::Done } else { Progress::More }
    }

    #[inline(always)]
    fn is_done(&self) -> bool {
        self.next == self.rows || self.bound.len() == self.unknowns
    }

    /// Takes an equation in. Returns how many rows were added to others.
    #[inline(always)]
    fn take(&mut self, equation: usize) -> usize {
        let rank = self.bound.len();
        let row = self.matrix.row(equation);
        let (sums, sum) = self.sums.split_at_row(rank);
        let (symbols, parts) = sum.split_at_mut(row.len());
        symbols.copy_from_slice(row);
        parts.fill(0);
        set_bit(parts, rank);
        let mut additions = 0;
        for other in ones(row).filter_map(|unknown| self.sum_of[unknown]) {
            bits::add(sum, &sums[other as usize * sum.len()..]);
            additions += 1;
        }
        let Some(pivot) = ones(&sum[..row.len()]).next() else { return additions };
        for other in sums.chunks_exact_mut(sum.len()).filter(|other| bits::bit(other, pivot)) {
            bits::add(other, sum);
            additions += 1;
        }
        self.sum_of[pivot] = Some(rank as u32);
        self.bound.push(pivot as u32);
        self.used.push(equation as u32);
        additions
    }

    /// The solution, once all equations are taken in. `None` if their rank is less than the number of unknowns.
    pub(super) fn finish(self) -> Option<Solution> {
        let Self { dense, unknowns, sums, sum_of, used, bound, .. } = self;
        let free: Vec<u32> = (0..unknowns as u32).filter(|&unknown| sum_of[unknown as usize].is_none()).collect();
        if free.len() > dense.len() {
            return None;
        }
        let words = unknowns.div_ceil(WORD);
        let mut spread = Rows::default();
        let mut combinations = BitMatrix::new(bound.len(), unknowns);
        for sum in 0..bound.len() {
            let (symbols, parts) = sums.row(sum).split_at(words);
            spread.push(free.iter().copied().filter(|&unknown| bits::bit(symbols, unknown as usize)));
            combinations.row_mut(sum).copy_from_slice(parts);
        }
        let mut dense_combinations = BitMatrix::new(dense.len() * POWERS, unknowns);
        let mut system = Vec::new();
        for (index, row) in dense.iter().enumerate() {
            let mut equation: Vec<u8> = free.iter().map(|&unknown| row[unknown as usize]).collect();
            for (sum, &unknown) in bound.iter().enumerate() {
                let factor = row[unknown as usize];
                for place in spread.row(sum).iter().filter_map(|unknown| free.binary_search(unknown).ok()) {
                    equation[place] ^= factor;
                }
                for power in 0..POWERS {
                    // A word of ones where the factor has the power: which powers it has is beyond foretelling.
                    let mask = u64::from(factor >> (POWERS - 1 - power) & 1).wrapping_neg();
                    let weighted = dense_combinations.row_mut(index * POWERS + power);
                    weighted.iter_mut().zip(combinations.row(sum)).for_each(|(word, part)| *word ^= mask & part);
                }
            }
            equation.resize(free.len() + dense.len(), 0);
            equation[free.len() + index] = 1;
            system.push(equation);
        }
        let free_factors = solve(system, free.len())?;
        let dense = dense.len();
        Some(Solution { used, bound, combinations, spread, dense, dense_combinations, free, free_factors })
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let dense: usize = self.dense.iter().map(Vec::len).sum();
        self.matrix.bytes() + self.sums.bytes() + dense + self.unknowns * size_of::<[u32; 4]>()
    }
}

/// Takes equations in.
struct Step<'a> {
    elimination: &'a mut Elimination,
    work: &'a mut Work,
}

impl lane::Work for Step<'_> {
    #[inline(always)]
    fn run<I: Instructions>(self) {
        let Self { elimination, work } = self;
        while !elimination.is_done() && !work.is_spent() {
            let words = elimination.matrix.row(elimination.next).len();
            let additions = elimination.take(elimination.next);
            elimination.next += 1;
            work.spend((elimination.bound.len() + additions * words.div_ceil(4) + words) as u64);
        }
    }
}

/// For each of `unknowns`, the factors of the equations whose sum is it. The equations have the factors of the unknowns,
/// then those of themselves: a row of the identity.
fn solve(mut equations: Vec<Vec<u8>>, unknowns: usize) -> Option<Vec<Vec<u8>>> {
    for unknown in 0..unknowns {
        let pivot = (unknown..equations.len()).find(|&row| equations[row][unknown] != 0)?;
        equations.swap(unknown, pivot);
        let mut row = std::mem::take(&mut equations[unknown]);
        let factor = inverse(row[unknown]);
        let scaled = &mut vec![0; row.len()];
        add_multiple(scaled, factor, &row);
        row.copy_from_slice(scaled);
        for other in equations.iter_mut().filter(|other| !other.is_empty()) {
            let factor = other[unknown];
            add_multiple(other, factor, &row);
        }
        equations[unknown] = row;
    }
    equations.truncate(unknowns);
    Some(equations.into_iter().map(|row| row[unknowns..].to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fountain::octet::{double, product};

    #[test]
    fn solves_what_has_full_rank() {
        // Three binary equations, one of them twice, and two dense ones for four unknowns.
        let bits = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1]];
        let dense = [vec![3, 0, 7, 1], vec![1, 2, 4, 8]];
        let mut matrix = BitMatrix::new(3, 4);
        for (row, bits) in bits.iter().enumerate() {
            matrix.row_mut(row)[0] = bits.iter().enumerate().map(|(column, bit)| bit << column).sum();
        }
        let eliminate = |dense: &[Vec<u8>]| {
            let mut elimination = Elimination::new(matrix.clone(), 3, dense.to_vec(), 4);
            while elimination.step(&mut Work::new(1)) == Progress::More {}
            elimination.finish()
        };
        let solution = eliminate(&dense).unwrap();
        assert_eq!(solution.used, [0, 2]);
        let unknowns = [0x17_u8, 0xA0, 0x33, 0xFE];
        let dot = |factors: &[u8], values: &[u8]| {
            factors.iter().zip(values).fold(0, |sum, (&factor, &value)| sum ^ product(factor, value))
        };
        let binary: Vec<u8> =
            solution.used.iter().map(|&row| dot(&bits[row as usize].map(|bit| bit as u8), &unknowns)).collect();
        let sum = |row: &[u64]| ones(row).fold(0, |sum, part| sum ^ binary[part]);
        let reduced: Vec<u8> = (0..solution.bound.len()).map(|index| sum(solution.combinations.row(index))).collect();
        let right: Vec<u8> = dense
            .iter()
            .enumerate()
            .map(|(index, row)| {
                let powers = (0..POWERS).map(|power| sum(solution.dense_combinations.row(index * POWERS + power)));
                dot(row, &unknowns) ^ powers.fold(0, |sum, part| double(sum) ^ part)
            })
            .collect();
        for (&free, factors) in solution.free.iter().zip(&solution.free_factors) {
            assert_eq!(dot(factors, &right), unknowns[free as usize]);
        }
        for (index, &bound) in solution.bound.iter().enumerate() {
            let spread = solution.spread.row(index).iter().fold(0, |sum, &free| sum ^ unknowns[free as usize]);
            assert_eq!(reduced[index] ^ spread, unknowns[bound as usize]);
        }
        assert!(eliminate(&dense[..1]).is_none());
    }
}
