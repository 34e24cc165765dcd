// SPDX-License-Identifier: MPL-2.0

//! Plans for encoding, made once for each number of source symbols and kept.

use std::sync::{Arc, Mutex};

use super::FountainCode;
use super::plan::Plan;
use super::solver::Solver;
use crate::cache::{Cache, lock};
use crate::{Scheme, Work};

/// Bytes of all plans that are kept for the next block: a few of the largest.
const CACHED_BYTES: usize = 32 << 20;

/// The plans by the number of source symbols.
static PLANS: Mutex<Cache<(Scheme, u32), Arc<Plan>>> = Mutex::new(Cache::new(CACHED_BYTES));

/// The making of a plan that finds the intermediate symbols when all source symbols are there.
#[derive(Debug)]
pub(super) struct EncodingPlan<C> {
    code: C,
    solver: Option<Solver<C>>,
}

impl<C: FountainCode> EncodingPlan<C> {
    pub(super) fn new(code: C) -> Self {
        Self { code, solver: None }
    }

    /// The plan if it is kept.
    pub(super) fn kept(&self) -> Option<Arc<Plan>> {
        lock(&PLANS).get(&(self.code.scheme(), self.code.source_symbols()))
    }

    /// The plan, if it is kept or can be made with the `work` that is left.
    pub(super) fn step(&mut self, work: &mut Work) -> Option<Arc<Plan>> {
        if let Some(plan) = self.kept() {
            self.solver = None;
            return Some(plan);
        }
        let code = self.code;
        let solver = self
            .solver
            .get_or_insert_with(|| Solver::new(code, (0..code.source_symbols()).map(|esi| (esi, esi)).collect()));
        let plan = solver.step(work).expect("systematic indices make source symbols independent")?;
        self.solver = None;
        let (bytes, plan) = (plan.bytes(), Arc::new(plan));
        lock(&PLANS).insert((code.scheme(), code.source_symbols()), Arc::clone(&plan), bytes);
        Some(plan)
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.solver.as_ref().map_or(0, Solver::bytes)
    }
}
