// SPDX-License-Identifier: MPL-2.0

//! The memory of one session: every byte that is kept on behalf of a sender is charged here before it is kept.
//!
//! Buffers of source blocks come from here, too, and go back to be used again while they are warm: touching fresh pages
//! costs several times what copying a symbol into a warm buffer does. Buffers that are not in use make way for whatever
//! else is charged.

use std::ops::{Deref, DerefMut};

/// Buffers that are kept to be used again, at most.
const MAX_FREE_BUFFERS: usize = 32;
/// The part of the limit that they may take.
const FREE_SHARE: u64 = 8;
/// Capacities of buffers are multiples of this many bytes, so that buffers of blocks of nearly the same length serve each
/// other.
const GRANULE: usize = 4096;

/// What is left of the memory that a session may use.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    used: u64,
    /// Buffers that are not in use; the last was used last.
    free: Vec<Vec<u8>>,
    /// Bytes of them. `used + free_bytes` never exceeds `limit`.
    free_bytes: u64,
}

/// A charge that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OverBudget;

/// A buffer out of the memory of a session. What it holds at first is left over from its last use.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, used: 0, free: Vec::new(), free_bytes: 0 }
    }

    /// Charges bytes, or nothing where they do not fit.
    pub(super) fn charge(&mut self, bytes: u64) -> Result<(), OverBudget> {
        if bytes > self.available() {
            return Err(OverBudget);
        }
        self.used += bytes;
        while self.used + self.free_bytes > self.limit {
            self.drop_free_buffer(0);
        }
        Ok(())
    }

    /// Gives back what was charged.
    pub(super) fn release(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.used, "{bytes} bytes released of {}", self.used);
        self.used = self.used.saturating_sub(bytes);
    }

    /// A buffer of `length` bytes, charged with what it takes.
    pub(super) fn buffer(&mut self, length: usize) -> Result<Buffer, OverBudget> {
        let fits = |buffer: &Vec<u8>| (length..=2 * length + GRANULE).contains(&buffer.len());
        let bytes = match self.free.iter().rposition(fits) {
            Some(index) => {
                let bytes = self.free.swap_remove(index);
                self.free_bytes -= bytes.len() as u64;
                self.used += bytes.len() as u64;
                bytes
            }
            None => {
                let capacity = length.max(1).next_multiple_of(GRANULE);
                self.charge(capacity as u64)?;
                vec![0; capacity]
            }
        };
        Ok(Buffer { bytes, length })
    }

    /// Takes a buffer back.
    pub(super) fn give_back(&mut self, buffer: Buffer) {
        let capacity = buffer.bytes.len() as u64;
        self.release(capacity);
        if self.free_bytes + capacity <= self.limit / FREE_SHARE {
            if self.free.len() == MAX_FREE_BUFFERS {
                self.drop_free_buffer(0);
            }
            self.free_bytes += capacity;
            self.free.push(buffer.bytes);
        }
    }

    fn drop_free_buffer(&mut self, index: usize) {
        self.free_bytes -= self.free.remove(index).len() as u64;
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes that are charged.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// Bytes that may still be charged.
    pub(super) fn available(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
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

    #[test]
    fn buffers_are_used_again() {
        let mut budget = Budget::new(1 << 20);
        let mut buffer = budget.buffer(5000).unwrap();
        buffer.fill(7);
        let place = buffer.as_ptr();
        assert_eq!((buffer.len(), budget.used()), (5000, 8192));
        budget.give_back(buffer);
        assert_eq!(budget.used(), 0);
        let again = budget.buffer(4200).unwrap();
        assert_eq!((again.as_ptr(), again.len(), budget.used()), (place, 4200, 8192));
        // Far too long for a short block: what it would waste is worth more.
        budget.give_back(again);
        assert_ne!(budget.buffer(10).unwrap().as_ptr(), place);
    }

    #[test]
    fn free_buffers_make_way() {
        let mut budget = Budget::new(80_000);
        let buffers: Vec<_> = (0..2).map(|_| budget.buffer(4096).unwrap()).collect();
        for buffer in buffers {
            budget.give_back(buffer);
        }
        assert_eq!((budget.free.len(), budget.available()), (2, 80_000));
        assert_eq!(budget.charge(80_000), Ok(()));
        assert_eq!((budget.free.len(), budget.free_bytes), (0, 0));
        assert!(budget.buffer(1).is_err());
    }
}
