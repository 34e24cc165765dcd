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
    granted: u64,
    left: u64,
}

impl Work {
    /// So many units.
    pub const fn new(units: u64) -> Self {
        Self { granted: units, left: units }
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

    /// Takes units off for a piece of work that cannot be divided. `false`, and nothing is left, if it is to wait for the
    /// next step: where less than it takes is left, it begins only in the first half of a step, so that no step does
    /// nearly all that it may and such a piece as well.
    pub(crate) const fn begin(&mut self, units: u64) -> bool {
        let begins = self.left >= units || self.left > self.granted / 2;
        self.left = if begins { self.left.saturating_sub(units) } else { 0 };
        begins
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

#[cfg(test)]
mod tests {
    use super::Work;

    #[test]
    fn a_long_piece_begins_early_or_waits() {
        let mut work = Work::new(100);
        assert!(work.begin(30));
        assert_eq!(work.left(), 70);
        assert!(work.begin(1000));
        assert!(work.is_spent());

        let mut work = Work::new(100);
        work.spend(50);
        assert!(work.begin(50));
        let mut work = Work::new(100);
        work.spend(50);
        assert!(!work.begin(51));
        assert!(work.is_spent());
    }
}
