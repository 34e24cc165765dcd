// SPDX-License-Identifier: MPL-2.0

//! The dense part of solving: what the inactive symbols are (RFC 5053 §5.5.2.3, RFC 6330 §5.4.2.3).
//!
//! What peeling leaves are equations of inactive symbols alone: many binary ones, and H from the running sums, over
//! GF(2^8) or binary too. Binary equations are cheap, so they come first: each yields one inactive symbol in terms of a
//! few *free* ones. The equations of the running sums then yield the free ones.

use super::Rows;
use super::octet::{add_multiple, inverse};

/// A matrix over GF(2), its rows in words.
#[derive(Clone, Debug)]
pub(super) struct BitMatrix {
    words: Vec<u64>,
    stride: usize,
}

impl BitMatrix {
    /// A matrix of zeros.
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        let stride = columns.div_ceil(64);
        Self { words: vec![0; rows * stride], stride }
    }

    pub(super) fn row(&self, row: usize) -> &[u64] {
        &self.words[row * self.stride..][..self.stride]
    }

    pub(super) fn row_mut(&mut self, row: usize) -> &mut [u64] {
        &mut self.words[row * self.stride..][..self.stride]
    }

    pub(super) fn get(&self, row: usize, column: usize) -> bool {
        bit(self.row(row), column)
    }

    /// Adds row `from` to row `to`, which is another.
    fn add_row(&mut self, from: usize, to: usize) {
        let [from, to] = [from, to].map(|row| row * self.stride..(row + 1) * self.stride);
        if let Ok([from, to]) = self.words.get_disjoint_mut([from, to]) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to ^= *from);
        }
    }
}

fn bit(words: &[u64], index: usize) -> bool {
    words[index / 64] >> (index % 64) & 1 != 0
}

fn ones(words: &[u64]) -> impl Iterator<Item = usize> + '_ {
    words.iter().enumerate().flat_map(|(index, &word)| {
        std::iter::successors(Some(word), |&word| Some(word & word.wrapping_sub(1)))
            .take_while(|&word| word != 0)
            .map(move |word| index * 64 + word.trailing_zeros() as usize)
    })
}

/// How to find u unknowns from their equations. Unknowns and equations go by their number.
#[derive(Clone, Debug, Default)]
pub(super) struct Elimination {
    /// The binary equations that are used.
    pub(super) equations: Vec<usize>,
    /// The unknowns that they yield.
    pub(super) bound: Vec<u32>,
    /// For each of these, the sum of `equations` (by their place there) that has it and no other of them.
    pub(super) combinations: Rows,
    /// For each of these, the free unknowns that this sum has too.
    pub(super) spread: Rows,
    /// The other unknowns.
    pub(super) free: Vec<u32>,
    /// For each dense equation, its factors of the `bound` unknowns.
    pub(super) bound_factors: Vec<Vec<u8>>,
    /// For each free unknown, the factors of the dense equations whose sum is it.
    pub(super) free_factors: Vec<Vec<u8>>,
}

/// Solves `rows` of a binary matrix and `dense` rows over GF(2^8) for as many unknowns as they have columns. `None` if
/// their rank is less.
pub(super) fn eliminate(matrix: &BitMatrix, rows: usize, dense: &[Vec<u8>], unknowns: usize) -> Option<Elimination> {
    // Sums of rows, each of which has a one in a column, its pivot, where no other sum has; and of which rows it is.
    let mut sums = BitMatrix::new(unknowns + 1, unknowns);
    let mut parts = BitMatrix::new(unknowns + 1, unknowns + 1);
    let mut result = Elimination::default();
    let mut pivot_of = vec![None; unknowns];
    for row in 0..rows {
        let rank = result.bound.len();
        if rank == unknowns {
            break;
        }
        sums.row_mut(rank).copy_from_slice(matrix.row(row));
        parts.row_mut(rank).fill(0);
        parts.row_mut(rank)[rank / 64] |= 1 << (rank % 64);
        for column in ones(matrix.row(row)) {
            if let Some(sum) = pivot_of[column] {
                sums.add_row(sum, rank);
                parts.add_row(sum, rank);
            }
        }
        let Some(pivot) = ones(sums.row(rank)).next() else { continue };
        for sum in 0..rank {
            if sums.get(sum, pivot) {
                sums.add_row(rank, sum);
                parts.add_row(rank, sum);
            }
        }
        pivot_of[pivot] = Some(rank);
        result.bound.push(pivot as u32);
        result.equations.push(row);
    }
    let free: Vec<usize> = (0..unknowns).filter(|&column| pivot_of[column].is_none()).collect();
    for sum in 0..result.bound.len() {
        result.combinations.push(ones(parts.row(sum)).map(|part| part as u32));
        result.spread.push(free.iter().filter(|&&column| sums.get(sum, column)).map(|&column| column as u32));
    }
    let mut system = Vec::new();
    for (index, row) in dense.iter().enumerate() {
        let factors: Vec<u8> = result.bound.iter().map(|&column| row[column as usize]).collect();
        let mut equation: Vec<u8> = free.iter().map(|&column| row[column]).collect();
        for (factor, spread) in factors.iter().zip(result.spread.iter()).filter(|(factor, _)| **factor != 0) {
            for column in spread {
                if let Ok(place) = free.binary_search(&(*column as usize)) {
                    equation[place] ^= factor;
                }
            }
        }
        equation.resize(free.len() + dense.len(), 0);
        equation[free.len() + index] = 1;
        system.push(equation);
        result.bound_factors.push(factors);
    }
    result.free_factors = solve(system, free.len())?;
    result.free = free.into_iter().map(|column| column as u32).collect();
    Some(result)
}

/// For each of `unknowns`, the factors of the equations whose sum is it. The equations have the factors of the unknowns,
/// then those of themselves: a row of the identity.
pub(super) fn solve(mut equations: Vec<Vec<u8>>, unknowns: usize) -> Option<Vec<Vec<u8>>> {
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
    use crate::fountain::octet::product;

    #[test]
    fn solves_what_has_full_rank() {
        // Three binary equations, one of them twice, and two dense ones for four unknowns.
        let bits = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1]];
        let dense = [vec![3, 0, 7, 1], vec![1, 2, 4, 8]];
        let mut matrix = BitMatrix::new(3, 4);
        for (row, bits) in bits.iter().enumerate() {
            matrix.row_mut(row)[0] = bits.iter().enumerate().map(|(column, bit)| bit << column).sum();
        }
        let elimination = eliminate(&matrix, 3, &dense, 4).unwrap();
        assert_eq!(elimination.equations, [0, 2]);
        let unknowns = [0x17_u8, 0xA0, 0x33, 0xFE];
        let dot = |factors: &[u8], values: &[u8]| {
            factors.iter().zip(values).fold(0, |sum, (&factor, &value)| sum ^ product(factor, value))
        };
        let binary: Vec<u8> =
            elimination.equations.iter().map(|&row| dot(&bits[row].map(|bit| bit as u8), &unknowns)).collect();
        let reduced: Vec<u8> = elimination
            .combinations
            .iter()
            .map(|parts| parts.iter().fold(0, |sum, &part| sum ^ binary[part as usize]))
            .collect();
        let right: Vec<u8> = dense
            .iter()
            .zip(&elimination.bound_factors)
            .map(|(row, factors)| dot(row, &unknowns) ^ dot(factors, &reduced))
            .collect();
        for (&free, factors) in elimination.free.iter().zip(&elimination.free_factors) {
            assert_eq!(dot(factors, &right), unknowns[free as usize]);
        }
        for (index, &bound) in elimination.bound.iter().enumerate() {
            let spread = elimination.spread.row(index).iter().fold(0, |sum, &free| sum ^ unknowns[free as usize]);
            assert_eq!(reduced[index] ^ spread, unknowns[bound as usize]);
        }
        assert!(eliminate(&matrix, 3, &dense[..1], 4).is_none());
        assert!(eliminate(&matrix, 3, &[vec![3, 0, 7, 1], vec![3, 0, 7, 1]], 4).is_none());
    }
}
