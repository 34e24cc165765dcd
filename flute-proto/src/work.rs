// SPDX-License-Identifier: MPL-2.0

//! Work in units that are counted, not measured, so that the same packets are always cut into the same slices.
//!
//! A unit is about what a byte costs that is hashed: a nanosecond or two of a processor. What everything else costs is
//! said, in these units, beside the code that does it.

/// What may still be done in one call, and how much has been done.
#[derive(Debug)]
pub(crate) struct Work {
    left: u64,
    spent: u64,
}

impl Work {
    /// So many units.
    pub(crate) fn new(units: u64) -> Self {
        Self { left: units, spent: 0 }
    }

    /// Everything that there is to do.
    pub(crate) fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// Counts units. The last step of a slice may take more than is left.
    pub(crate) fn spend(&mut self, units: u64) {
        self.left = self.left.saturating_sub(units);
        self.spent += units;
    }

    /// Whether nothing more may be begun.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.left == 0
    }

    /// Units that may still be spent.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Units spent so far.
    pub(crate) fn spent(&self) -> u64 {
        self.spent
    }

    /// A part of what is left. What is spent of it is to be [spent](Self::spend) here.
    pub(crate) fn split(&self, units: u64) -> Self {
        Self::new(self.left.min(units))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_in_the_whole() {
        let mut work = Work::new(100);
        let mut part = work.split(30);
        part.spend(20);
        assert!(!part.is_exhausted());
        part.spend(20);
        assert!(part.is_exhausted());
        work.spend(part.spent());
        assert_eq!((work.left, work.spent()), (60, 40));
        assert_eq!(work.split(1000).left, 60);
        work.spend(61);
        assert!(work.is_exhausted());
    }
}
