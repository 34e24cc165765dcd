// SPDX-License-Identifier: MPL-2.0

//! The sparse part of solving: which equation yields which intermediate symbol (RFC 5053 §5.5.2.2, RFC 6330 §5.4.2.2).
//!
//! An equation with one unknown left yields that unknown. When there is none, unknowns are declared *inactive*: they
//! count as known from then on, and what they are is found out by elimination in the end. Few are needed if they are
//! chosen well.

use std::collections::BinaryHeap;
use std::ops::Range;

use super::Rows;
use crate::{Progress, Work};

/// Equations of so many unknowns and more are not told apart where those of few come first.
const LENGTHS: usize = 40;

/// Inactive unknowns, at most. Encoding symbol IDs in a row need a few hundred at the most; an adversary could choose
/// IDs that need nearly all unknowns, and elimination takes the cube of that.
const MAX_INACTIVE: usize = 2048;

/// The peeling of equations, in steps.
#[derive(Debug)]
pub(super) struct Peeling {
    rows: Rows,
    rows_of_column: Rows,
    /// Whether a column is neither pivot nor inactive.
    is_active: Vec<bool>,
    /// Active columns of each row, and the sum of their numbers modulo 2^32: the number itself when only one is left.
    active: Vec<(u32, u32)>,
    is_pivot: Vec<bool>,
    /// Rows with one active column by their length: those of few columns come first, since every column costs an
    /// addition per symbol.
    ready: Vec<Vec<u32>>,
    /// Rows with two active columns are the edges of a graph of columns.
    components: Components,
    pivots: Vec<(u32, u32)>,
    inactive: Vec<u32>,
    /// Rows before this one have been looked at for the first time.
    next_row: usize,
    /// Columns that become inactive once all rows have been looked at.
    inactive_from_start: Range<u32>,
}

/// The outcome.
#[derive(Clone, Debug)]
pub(super) struct Peeled {
    /// The equations.
    pub(super) rows: Rows,
    /// Equation and unknown, in an order in which the equation has only unknowns of earlier ones and inactive ones.
    pub(super) pivots: Vec<(u32, u32)>,
    /// The unknowns that are inactive.
    pub(super) inactive: Vec<u32>,
    /// The equations that are not used for a pivot.
    pub(super) rest: Vec<u32>,
}

impl Peeling {
    /// Begins with equations of `columns` unknowns, of which some are inactive from the start.
    pub(super) fn new(rows: Rows, columns: usize, inactive: Range<u32>) -> Self {
        let sum = |row: &[u32]| row.iter().fold(0, |sum: u32, &column| sum.wrapping_add(column));
        Self {
            rows_of_column: rows.transposed(columns),
            is_active: vec![true; columns],
            active: rows.iter().map(|row| (row.len() as u32, sum(row))).collect(),
            is_pivot: vec![false; rows.len()],
            ready: vec![Vec::new(); LENGTHS],
            components: Components::new(columns),
            pivots: Vec::with_capacity(columns),
            inactive: Vec::new(),
            next_row: 0,
            inactive_from_start: inactive,
            rows,
        }
    }

    /// Peels until all unknowns are found or `work` is spent. `None` if too many would be inactive.
    pub(super) fn step(&mut self, work: &mut Work) -> Option<Progress> {
        while self.next_row < self.rows.len() {
            if work.is_spent() {
                return Some(Progress::More);
            }
            self.sort(self.next_row as u32);
            self.next_row += 1;
            work.spend(4);
        }
        for column in std::mem::take(&mut self.inactive_from_start) {
            self.inactivate(column, work);
        }
        loop {
            while let Some(row) = self.ready.iter_mut().find_map(Vec::pop) {
                let (active, column) = self.active[row as usize];
                if active == 1 {
                    self.is_pivot[row as usize] = true;
                    self.pivots.push((row, column));
                    self.remove(column, work);
                }
                if work.is_spent() {
                    return Some(Progress::More);
                }
            }
            if self.pivots.len() + self.inactive.len() == self.is_active.len() {
                return Some(Progress::Done);
            }
            self.choose_inactive(work);
            if self.inactive.len() > MAX_INACTIVE {
                return None;
            }
        }
    }

    /// What came out of it.
    pub(super) fn finish(self) -> Peeled {
        let Self { rows, pivots, inactive, is_pivot, .. } = self;
        let rest = (0..rows.len() as u32).filter(|&row| !is_pivot[row as usize]).collect();
        Peeled { rows, pivots, inactive, rest }
    }

    fn sort(&mut self, row: u32) {
        match self.active[row as usize].0 {
            1 => self.ready[self.rows.row(row as usize).len().min(LENGTHS - 1)].push(row),
            2 => {
                let mut columns = self.rows.row(row as usize).iter().filter(|&&column| self.is_active[column as usize]);
                if let (Some(&a), Some(&b)) = (columns.next(), columns.next()) {
                    self.components.join(a, b);
                }
            }
            _ => {}
        }
    }

    /// Takes an active column away from its rows.
    fn remove(&mut self, column: u32, work: &mut Work) {
        // Each row is somewhere else in memory.
        work.spend(16 + 10 * self.rows_of_column.row(column as usize).len() as u64);
        self.is_active[column as usize] = false;
        for index in 0..self.rows_of_column.row(column as usize).len() {
            let row = self.rows_of_column.row(column as usize)[index];
            let (active, sum) = &mut self.active[row as usize];
            *active -= 1;
            *sum = sum.wrapping_sub(column);
            self.sort(row);
        }
    }

    fn inactivate(&mut self, column: u32, work: &mut Work) {
        self.inactive.push(column);
        self.remove(column, work);
    }

    /// No row has one active column: makes columns inactive until one has.
    ///
    /// Once one column of a component is inactive, all of it can be peeled, so the largest is the best. For the same
    /// reason a component has all its columns active, or none.
    fn choose_inactive(&mut self, work: &mut Work) {
        if let Some(column) = self.components.take_largest(&self.is_active) {
            self.inactivate(column, work);
            return;
        }
        work.spend(self.rows.len() as u64 / 4);
        let rows = (0..self.rows.len()).filter(|&row| self.active[row].0 > 0);
        let columns: Vec<u32> = match rows.min_by_key(|&row| self.active[row].0) {
            Some(row) => self.active_columns(row as u32).skip(1).collect(),
            None => (0..self.is_active.len() as u32).filter(|&column| self.is_active[column as usize]).collect(),
        };
        for column in columns {
            self.inactivate(column, work);
        }
    }

    fn active_columns(&self, row: u32) -> impl Iterator<Item = u32> + '_ {
        self.rows.row(row as usize).iter().copied().filter(|&column| self.is_active[column as usize])
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        let rows = self.rows.bytes() + self.rows_of_column.bytes();
        rows + self.rows.len() * size_of::<[u32; 4]>() + self.is_active.len() * size_of::<[u32; 6]>()
    }
}

/// The components of a graph of columns.
#[derive(Debug)]
struct Components {
    /// A forest of columns: the root of a tree has its own number.
    parent: Vec<u32>,
    /// Columns of the tree of a root.
    size: Vec<u32>,
    /// Sizes and roots, also of trees that have become part of others.
    largest: BinaryHeap<(u32, u32)>,
}

impl Components {
    /// Columns without an edge.
    fn new(columns: usize) -> Self {
        Self { parent: (0..columns as u32).collect(), size: vec![1; columns], largest: BinaryHeap::new() }
    }

    fn root(&mut self, mut column: u32) -> u32 {
        while self.parent[column as usize] != column {
            let parent = self.parent[column as usize];
            self.parent[column as usize] = self.parent[parent as usize];
            column = parent;
        }
        column
    }

    /// Adds an edge.
    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        let (child, root) = if self.size[a as usize] < self.size[b as usize] { (a, b) } else { (b, a) };
        if child != root {
            self.parent[child as usize] = root;
            self.size[root as usize] += self.size[child as usize];
            self.largest.push((self.size[root as usize], root));
        }
    }

    /// A column of the largest component whose columns are active.
    fn take_largest(&mut self, is_active: &[bool]) -> Option<u32> {
        while let Some((size, root)) = self.largest.pop() {
            if is_active[root as usize] && self.parent[root as usize] == root && self.size[root as usize] == size {
                return Some(root);
            }
        }
        None
    }
}
