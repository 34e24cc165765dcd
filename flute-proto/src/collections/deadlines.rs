// SPDX-License-Identifier: MPL-2.0

//! What is due when: one time for each key.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use crate::Time;

/// Keys with the times at which they are due.
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    by_time: BTreeSet<(Time, K)>,
    by_key: HashMap<K, Time>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self { by_time: BTreeSet::new(), by_key: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash + Ord> Deadlines<K> {
    /// `key` is due at `time`, and not when it was due before.
    pub(crate) fn set(&mut self, key: K, time: Time) {
        if let Some(before) = self.by_key.insert(key, time) {
            self.by_time.remove(&(before, key));
        }
        self.by_time.insert((time, key));
    }

    /// `key` is due at `time`, if that is earlier than when it was due before.
    pub(crate) fn set_earlier(&mut self, key: K, time: Time) {
        if self.by_key.get(&key).is_none_or(|before| time < *before) {
            self.set(key, time);
        }
    }

    /// `key` is not due any more.
    pub(crate) fn remove(&mut self, key: K) {
        if let Some(time) = self.by_key.remove(&key) {
            self.by_time.remove(&(time, key));
        }
    }

    /// The earliest time at which something is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.by_time.first().map(|(time, _)| *time)
    }

    /// Takes out the key that is due first, if it is by `now`.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<K> {
        let (_, key) = self.by_time.first().copied().filter(|(time, _)| *time <= now)?;
        self.remove(key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_unix(Duration::from_secs(seconds))
    }

    #[test]
    fn a_key_has_one_time() {
        let mut deadlines = Deadlines::default();
        deadlines.set('a', at(3));
        deadlines.set('b', at(2));
        deadlines.set('a', at(1));
        deadlines.set_earlier('a', at(5));
        assert_eq!(deadlines.next(), Some(at(1)));
        assert_eq!(deadlines.pop_due(at(2)), Some('a'));
        assert_eq!(deadlines.pop_due(at(2)), Some('b'));
        assert_eq!((deadlines.pop_due(at(9)), deadlines.next()), (None, None));
    }

    #[test]
    fn what_is_removed_is_not_due() {
        let mut deadlines = Deadlines::default();
        deadlines.set(1, at(1));
        deadlines.set(2, at(1));
        deadlines.remove(1);
        deadlines.remove(7);
        assert_eq!(deadlines.pop_due(at(1)), Some(2));
        assert_eq!(deadlines.pop_due(at(1)), None);
    }
}
