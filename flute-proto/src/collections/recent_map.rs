// SPDX-License-Identifier: MPL-2.0

//! A map that finds what was used last without hashing its key.

use std::collections::HashMap;
use std::hash::Hash;

use slotmap::{DefaultKey, SlotMap};

/// Keys that are found without hashing them.
const RECENT: usize = 8;

/// A map in front of which the places of a few keys are noted: packets of an object, or of a few that are sent side by
/// side, follow each other, and hashing the keys of a hostile network as it must be done costs as much as reading a header.
#[derive(Debug)]
pub(crate) struct RecentMap<K, V> {
    values: SlotMap<DefaultKey, (K, V)>,
    by_key: HashMap<K, DefaultKey>,
    /// Keys that were used last and their places, which may not be valid any more.
    recent: [Option<(K, DefaultKey)>; RECENT],
    /// The one that gives way next.
    next: usize,
}

impl<K: Copy, V> Default for RecentMap<K, V> {
    fn default() -> Self {
        Self { values: SlotMap::new(), by_key: HashMap::new(), recent: [None; RECENT], next: 0 }
    }
}

impl<K: Copy + Eq + Hash, V> RecentMap<K, V> {
    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no key.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let recent = self.recent.iter().flatten().find(|(recent, _)| recent == key);
        let found = recent.and_then(|(_, place)| self.values.get(*place));
        found.or_else(|| self.values.get(*self.by_key.get(key)?)).map(|(_, value)| value)
    }

    /// The value of a key, which is found quickly from now on.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let index = self.recent.iter().position(|recent| recent.is_some_and(|(recent, _)| recent == *key));
        let recent = index.and_then(|index| self.recent[index]).map(|(_, place)| place);
        let place = match recent.filter(|place| self.values.contains_key(*place)) {
            Some(place) => place,
            None => {
                let place = *self.by_key.get(key)?;
                let index = index.unwrap_or(self.next);
                self.recent[index] = Some((*key, place));
                self.next = (index + 1) % RECENT;
                place
            }
        };
        self.values.get_mut(place).map(|(_, value)| value)
    }

    /// Gives a key a value. The one that it had.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.by_key.insert(key, self.values.insert((key, value)));
        before.and_then(|place| self.values.remove(place)).map(|(_, value)| value)
    }

    /// Takes a key out. The value that it had.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.by_key.remove(key)?;
        self.values.remove(place).map(|(_, value)| value)
    }

    /// All values, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.values.values().map(|(_, value)| value)
    }

    /// All keys and their values, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.values.values().map(|(key, value)| (*key, value))
    }

    /// All keys and their values, to be changed, in no order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut V)> {
        self.values.values_mut().map(|(key, value)| (*key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_keys_than_are_noted() {
        let mut map = RecentMap::default();
        for key in 0..3 * RECENT {
            assert_eq!(map.insert(key, 10 * key), None);
        }
        for _ in 0..2 {
            for key in (0..3 * RECENT).chain([5, 5, 0]) {
                assert_eq!(map.get_mut(&key), Some(&mut (10 * key)));
                assert_eq!(map.get(&key), Some(&(10 * key)));
            }
        }
        assert_eq!((map.len(), map.is_empty(), map.get(&100)), (3 * RECENT, false, None));
        assert_eq!(map.get_mut(&100), None);
        assert_eq!(map.values().sum::<usize>(), 10 * (0..3 * RECENT).sum::<usize>());
    }

    #[test]
    fn a_key_that_is_taken_out_or_replaced_is_not_found_by_its_old_place() {
        let mut map = RecentMap::default();
        map.insert('a', 1);
        assert_eq!(map.get_mut(&'a'), Some(&mut 1));
        assert_eq!(map.insert('a', 2), Some(1));
        assert_eq!(map.get(&'a').copied(), Some(2));
        assert_eq!(map.get_mut(&'a').copied(), Some(2));
        assert_eq!(map.remove(&'a'), Some(2));
        assert_eq!(map.get(&'a'), None);
        assert_eq!(map.get_mut(&'a'), None);
        assert_eq!(map.remove(&'a'), None);
        map.insert('b', 3);
        map.insert('a', 4);
        assert_eq!(map.get_mut(&'a').copied(), Some(4));
        assert_eq!(map.get(&'b').copied(), Some(3));
        map.iter_mut().for_each(|(_, value)| *value += 1);
        let mut all: Vec<_> = map.iter().map(|(key, value)| (key, *value)).collect();
        all.sort_unstable();
        assert_eq!(all, [('a', 5), ('b', 4)]);
    }
}
