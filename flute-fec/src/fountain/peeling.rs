// SPDX-License-Identifier: MPL-2.0

//! The sparse part of solving: which equation yields which intermediate symbol (RFC 5053 §5.5.2.2, RFC 6330 §5.4.2.2).
//!
//! An equation with one unknown left yields that unknown. When there is none, unknowns are declared *inactive*: they
//! count as known from then on, and what they are is found out by elimination in the end. Few are needed if they are
//! chosen well.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::Rows;

/// The outcome.
#[derive(Clone, Debug)]
pub(super) struct Peeling {
    /// Equation and unknown, in an order in which the equation has only unknowns of earlier ones and inactive ones.
    pub(super) pivots: Vec<(u32, u32)>,
    /// The unknowns that are inactive.
    pub(super) inactive: Vec<u32>,
    /// The equations that are not used for a pivot.
    pub(super) rest: Vec<u32>,
}

struct State<'a> {
    rows: &'a Rows,
    rows_of_column: Rows,
    /// Whether a column is neither pivot nor inactive.
    is_active: Vec<bool>,
    /// Active columns of each row.
    active: Vec<u32>,
    /// The sum of the numbers of these columns, modulo 2^32: the number itself when only one is left.
    active_sum: Vec<u32>,
    is_pivot: Vec<bool>,
    /// Rows with one active column, those of few columns first: every column costs an addition per symbol.
    ready: BinaryHeap<Reverse<(u32, u32)>>,
    /// Rows that have, or had, two active columns.
    pairs: Vec<u32>,
    peeling: Peeling,
}

/// Peels equations of `columns` unknowns, of which some are inactive from the start. `None` if more than
/// `max_inactive` would be.
pub(super) fn peel(rows: &Rows, columns: usize, inactive: Range<u32>, max_inactive: usize) -> Option<Peeling> {
    let mut state = State {
        rows,
        rows_of_column: rows.transposed(columns),
        is_active: vec![true; columns],
        active: rows.iter().map(|row| row.len() as u32).collect(),
        active_sum: rows.iter().map(|row| row.iter().fold(0, |sum: u32, &column| sum.wrapping_add(column))).collect(),
        is_pivot: vec![false; rows.len()],
        ready: BinaryHeap::new(),
        pairs: Vec::new(),
        peeling: Peeling { pivots: Vec::with_capacity(columns), inactive: Vec::new(), rest: Vec::new() },
    };
    for row in 0..rows.len() {
        state.sort(row as u32);
    }
    for column in inactive {
        state.inactivate(column);
    }
    loop {
        while let Some(Reverse((_, row))) = state.ready.pop() {
            if state.active[row as usize] == 1 {
                let column = state.active_sum[row as usize];
                state.is_pivot[row as usize] = true;
                state.peeling.pivots.push((row, column));
                state.remove(column);
            }
        }
        if state.peeling.pivots.len() + state.peeling.inactive.len() == columns {
            break;
        }
        state.choose_inactive();
        if state.peeling.inactive.len() > max_inactive {
            return None;
        }
    }
    let mut peeling = state.peeling;
    peeling.rest = (0..rows.len() as u32).filter(|&row| !state.is_pivot[row as usize]).collect();
    Some(peeling)
}

impl State<'_> {
    fn sort(&mut self, row: u32) {
        match self.active[row as usize] {
            1 => self.ready.push(Reverse((self.rows.row(row as usize).len() as u32, row))),
            2 => self.pairs.push(row),
            _ => {}
        }
    }

    /// Takes an active column away from its rows.
    fn remove(&mut self, column: u32) {
        self.is_active[column as usize] = false;
        for index in 0..self.rows_of_column.row(column as usize).len() {
            let row = self.rows_of_column.row(column as usize)[index];
            self.active[row as usize] -= 1;
            self.active_sum[row as usize] = self.active_sum[row as usize].wrapping_sub(column);
            self.sort(row);
        }
    }

    fn inactivate(&mut self, column: u32) {
        self.peeling.inactive.push(column);
        self.remove(column);
    }

    /// No row has one active column: makes columns inactive until one has.
    fn choose_inactive(&mut self) {
        self.pairs.retain(|&row| self.active[row as usize] == 2);
        if !self.pairs.is_empty() {
            let column = self.column_of_largest_component();
            self.inactivate(column);
            return;
        }
        let columns: Vec<u32> =
            match (0..self.rows.len()).filter(|&row| self.active[row] > 0).min_by_key(|&row| self.active[row]) {
                Some(row) => self.active_columns(row as u32).skip(1).collect(),
                None => (0..self.is_active.len() as u32).filter(|&column| self.is_active[column as usize]).collect(),
            };
        for column in columns {
            self.inactivate(column);
        }
    }

    fn active_columns(&self, row: u32) -> impl Iterator<Item = u32> + '_ {
        self.rows.row(row as usize).iter().copied().filter(|&column| self.is_active[column as usize])
    }

    /// Rows with two active columns are the edges of a graph of columns. Once one column of a component is inactive, all
    /// of it can be peeled, so the largest is the best.
    fn column_of_largest_component(&self) -> u32 {
        // A forest of columns: the root of a tree has its own number, and how many columns the tree has.
        let mut parent: Vec<u32> = (0..self.is_active.len() as u32).collect();
        let mut size = vec![1_u32; self.is_active.len()];
        let mut largest = (0, 0);
        for &row in &self.pairs {
            let mut roots = self.active_columns(row).map(|mut column| {
                while parent[column as usize] != column {
                    column = parent[column as usize];
                }
                column
            });
            let (Some(a), Some(b)) = (roots.next(), roots.next()) else { continue };
            drop(roots);
            let (child, root) = if size[a as usize] < size[b as usize] { (a, b) } else { (b, a) };
            if child != root {
                parent[child as usize] = root;
                size[root as usize] += size[child as usize];
            }
            largest = largest.max((size[root as usize], root));
        }
        largest.1
    }
}
