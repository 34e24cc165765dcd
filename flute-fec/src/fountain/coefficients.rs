// SPDX-License-Identifier: MPL-2.0

//! The coefficients that unknowns have in equations that are sums of sums.
//!
//! They come out of the same work as with data, where the unknowns are unit vectors and all else is zero. The sums are
//! binary, so each line has bits of 512 unknowns. Only the running sums of RFC 6330 multiply; they are taken bit by bit
//! of the octets: a plane for each.

use super::Rows;
use super::bits::{BitMatrix, WORD};
use super::elimination::{Elimination, POWERS};
use super::lane::{Instructions, LINE, Lane, Line, Sum, Work, run_widest};
use super::plan::{Plan, Sparse};
use super::replay::{Inputs, apart_from_inactive, bind, spread_free, with_inactive};
use super::scratch::with_lanes;
use crate::Present;
use std::ops::Range;

/// Unknowns of a strip.
const STRIP: usize = LINE * 8;

/// Equations of unknowns, of which the coefficients are found out strip by strip.
#[derive(Debug)]
pub(super) struct System {
    matrix: BitMatrix,
    rows: usize,
    /// The running sums.
    dense: Vec<Vec<u8>>,
    unknowns: usize,
    /// Unknowns whose coefficients are known.
    done: usize,
}

impl System {
    /// No coefficient is known yet.
    pub(super) fn new(rows: usize, dense: usize, unknowns: usize) -> Self {
        Self { matrix: BitMatrix::new(rows, unknowns), rows, dense: vec![vec![0; unknowns]; dense], unknowns, done: 0 }
    }

    /// Whether all coefficients are known.
    pub(super) fn is_done(&self) -> bool {
        self.done >= self.unknowns
    }

    /// Finds out the coefficients of some inactive symbols in the equations that are not pivots.
    pub(super) fn fill_inactive(&mut self, sparse: &Sparse) {
        with_lanes(sparse.symbols, |lanes| run_widest(OfInactive { system: self, sparse, lanes }));
        self.done += STRIP;
    }

    /// Finds out the coefficients of some `lacking` inputs, and behind them of the free symbols of the plan, in sums of
    /// intermediate symbols.
    pub(super) fn fill_lacking(&mut self, plan: &Plan, present: &Present, lacking: &[u32], sums: &Rows) {
        let units = Units { present, lacking, first: self.done };
        with_lanes(plan.dense.lanes(), |lanes| run_widest(OfLacking { system: self, plan, units, sums, lanes }));
        self.done += STRIP;
    }

    /// Goes on with what is known.
    pub(super) fn eliminate(self) -> Elimination {
        Elimination::new(self.matrix, self.rows, self.dense, self.unknowns)
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.matrix.bytes() + self.dense.len() * self.unknowns
    }

    #[inline(always)]
    fn set_row<I: Instructions>(&mut self, row: usize, sum: Sum<I, 1>) {
        let mut lane = [Line::ZERO];
        sum.store(&mut lane);
        let known = self.done / WORD;
        for (word, bytes) in self.matrix.row_mut(row)[known..].iter_mut().zip(lane[0].0.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
    }

    /// The running sums of all symbols.
    #[inline(always)]
    fn set_dense<I: Instructions>(&mut self, sparse: &Sparse, lanes: &[Lane<1>]) {
        let running_sums = &sparse.running_sums;
        let planes = if running_sums.multiply { POWERS } else { 1 };
        let (symbols, own) = lanes[..sparse.symbols].split_at(running_sums.taps.len() + 1);
        let mut sums = vec![[[Line::ZERO]; POWERS]; own.len()];
        sums.iter_mut().zip(own).for_each(|(sum, own)| sum[0] = *own);
        let mut running = [Sum::<I, 1>::zero(); POWERS];
        let mut taps = running_sums.taps.iter();
        for symbol in symbols {
            if running_sums.multiply {
                double_planes(&mut running);
            }
            running[0].add_lane(symbol);
            if let Some(taps) = taps.next() {
                for tap in taps {
                    add_planes(&mut sums[usize::from(*tap)], &running, planes);
                }
            }
        }
        for power in 0..planes {
            for (sum, _) in sums.iter_mut().zip(&running_sums.last).filter(|(_, factor)| **factor >> power & 1 != 0) {
                add_planes(sum, &running, planes);
            }
            double_planes(&mut running);
        }
        for (row, sum) in self.dense.iter_mut().zip(&sums) {
            for (index, factor) in row[self.done..].iter_mut().take(STRIP).enumerate() {
                let bit = |plane: &Lane<1>| plane[0].0[index / 8] >> (index % 8) & 1;
                *factor = sum.iter().rev().fold(0, |factor, plane| factor << 1 | bit(plane));
            }
        }
    }
}

/// Multiplies octets, of which each plane has one bit, with α.
#[inline(always)]
fn double_planes<I: Instructions>(planes: &mut [Sum<I, 1>; POWERS]) {
    let highest = planes[POWERS - 1];
    for plane in (1..POWERS).rev() {
        planes[plane] = planes[plane - 1];
    }
    planes[0] = highest;
    // What is beyond the octet counts as 0x1D: the lowest bit, which it is, and three others.
    planes[2].add(&highest);
    planes[3].add(&highest);
    planes[4].add(&highest);
}

#[inline(always)]
fn add_planes<I: Instructions>(sum: &mut [Lane<1>; POWERS], planes: &[Sum<I, 1>; POWERS], count: usize) {
    for (lane, plane) in sum.iter_mut().zip(planes).take(count) {
        let mut plane = *plane;
        plane.add_lane(lane);
        plane.store(lane);
    }
}

/// The unit vector of an unknown, as far as it is in the strip from unknown `first` on.
fn unit(unknown: usize, first: usize) -> Lane<1> {
    let mut line = Line::ZERO;
    if let Some(index) = unknown.checked_sub(first).filter(|&index| index < STRIP) {
        line.0[index / 8] = 1 << (index % 8);
    }
    [line]
}

struct OfInactive<'a> {
    system: &'a mut System,
    sparse: &'a Sparse,
    lanes: &'a mut [Lane<1>],
}

impl Work for OfInactive<'_> {
    #[inline(always)]
    fn run<I: Instructions>(self) {
        let Self { system, sparse, lanes } = self;
        for (unknown, &symbol) in sparse.inactive.iter().enumerate() {
            lanes[symbol as usize] = unit(unknown, system.done);
        }
        with_inactive::<I, 1>(sparse, &NoInput, &(0..LINE), lanes);
        for row in 0..system.rows {
            let mut sum = Sum::<I, 1>::zero();
            sum.add_all(lanes, sparse.rest.symbols(row));
            system.set_row(row, sum);
        }
        system.set_dense::<I>(sparse, lanes);
    }
}

struct OfLacking<'a> {
    system: &'a mut System,
    plan: &'a Plan,
    units: Units<'a>,
    sums: &'a Rows,
    lanes: &'a mut [Lane<1>],
}

impl Work for OfLacking<'_> {
    #[inline(always)]
    fn run<I: Instructions>(self) {
        let Self { system, plan: Plan { sparse, dense }, units, sums, lanes } = self;
        let strip = 0..LINE;
        apart_from_inactive::<I, 1>(sparse, dense.first_equation, &units, &strip, lanes);
        bind::<I, 1>(dense, lanes);
        for (unknown, &symbol) in (units.lacking.len()..).zip(&dense.free) {
            lanes[symbol as usize] = unit(unknown, system.done);
        }
        spread_free::<I, 1>(dense, lanes);
        with_inactive::<I, 1>(sparse, &units, &strip, lanes);
        for (row, sources) in sums.iter().enumerate() {
            let mut sum = Sum::<I, 1>::zero();
            sum.add_all(lanes, sources);
            system.set_row(row, sum);
        }
        system.set_dense::<I>(sparse, lanes);
    }
}

/// All inputs are zero.
struct NoInput;

impl Inputs for NoInput {
    #[inline(always)]
    fn load<I: Instructions, const P: usize>(&self, _: u32, _: &Range<usize>) -> Sum<I, P> {
        Sum::zero()
    }

    #[inline(always)]
    fn prefetch<I: Instructions>(&self, _: u32, _: &Range<usize>) {}
}

/// Source symbols that are present are zero, those that are lacking unit vectors.
struct Units<'a> {
    present: &'a Present,
    lacking: &'a [u32],
    first: usize,
}

impl Inputs for Units<'_> {
    #[inline(always)]
    fn load<I: Instructions, const P: usize>(&self, input: u32, _: &Range<usize>) -> Sum<I, P> {
        if self.present.contains(input as usize) {
            return Sum::zero();
        }
        match self.lacking.binary_search(&input) {
            Ok(unknown) => Sum::of_bytes(&unit(unknown, self.first)[0].0),
            Err(_) => Sum::zero(),
        }
    }

    #[inline(always)]
    fn prefetch<I: Instructions>(&self, _: u32, _: &Range<usize>) {}
}
