// SPDX-License-Identifier: MPL-2.0

//! Decoding in steps, for callers that must not stay away for long.
//!
//! A block of many symbols takes long to solve: up to a second for the largest. A [`DecodeJob`] does it in steps of
//! bounded [`Work`], which is counted and not timed, so that the same calls always get as far.

use crate::{DecodeError, RepairSymbol};

/// How much a step may do, in units of a few nanoseconds: about the time in which 64 bytes are added to others, or an
/// entry of a sparse matrix is looked at. A million of them take some milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    left: u64,
}

impl Work {
    /// So many units.
    pub const fn new(units: u64) -> Self {
        Self { left: units }
    }

    /// As much as there is to do.
    pub const fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// Units that are left.
    pub const fn left(self) -> u64 {
        self.left
    }

    /// Whether nothing is left.
    pub const fn is_spent(self) -> bool {
        self.left == 0
    }

    /// Takes units off.
    pub const fn spend(&mut self, units: u64) {
        self.left = self.left.saturating_sub(units);
    }
}

/// How far a step got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The work that was allowed is spent, and more is to do.
    More,
    /// All is done.
    Done,
}

/// The decoding of one block, made by [`BlockDecoder::begin`](crate::BlockDecoder::begin).
pub trait DecodeJob: Send {
    /// Goes on until all is done or `work` is spent, and takes off `work` what it did.
    ///
    /// `block` and `repair` are those of [`BlockDecoder::decode`](crate::BlockDecoder::decode): the symbols that `begin`
    /// was told of, the repair symbols in the order in which it was; what follows them in `repair` is ignored. In `block`
    /// the job writes to the places of missing symbols only, at any step, and never reads them. So a symbol that arrives
    /// late may be put there or not.
    ///
    /// A little of the work cannot be divided, so that a step may do more than it is allowed: in the order of the number
    /// of symbols of the block. After an error the job is of no more use; after [`Progress::Done`] nothing is to do.
    fn step(&mut self, block: &mut [u8], repair: &[RepairSymbol<'_>], work: &mut Work)
    -> Result<Progress, DecodeError>;

    /// Bytes of memory that the job holds at present, about.
    fn memory_use(&self) -> usize;
}
