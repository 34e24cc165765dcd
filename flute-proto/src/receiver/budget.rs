// SPDX-License-Identifier: MPL-2.0

//! The memory of one session: every byte that is kept on behalf of a sender is charged here before it is kept.

/// What is left of the memory that a session may use.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    used: u64,
}

/// A charge that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OverBudget;

impl Budget {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, used: 0 }
    }

    /// Charges bytes, or nothing where they do not fit.
    pub(super) fn charge(&mut self, bytes: u64) -> Result<(), OverBudget> {
        if bytes > self.available() {
            return Err(OverBudget);
        }
        self.used += bytes;
        Ok(())
    }

    /// Gives back what was charged.
    pub(super) fn release(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.used, "{bytes} bytes released of {}", self.used);
        self.used = self.used.saturating_sub(bytes);
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn available(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_up_to_the_limit() {
        let mut budget = Budget::new(100);
        assert_eq!(budget.charge(60), Ok(()));
        assert_eq!(budget.charge(41), Err(OverBudget));
        assert_eq!((budget.used(), budget.available()), (60, 40));
        assert_eq!(budget.charge(u64::MAX), Err(OverBudget));
        assert_eq!(budget.charge(40), Ok(()));
        budget.release(100);
        assert_eq!(budget.used(), 0);
    }
}
