// SPDX-License-Identifier: MPL-2.0

//! A small cache of what is costly to make and the same for many blocks, bounded in bytes.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The least recently used values go when there are too many.
pub(crate) struct Cache<K, V> {
    max_bytes: usize,
    /// The most recently used last.
    entries: Vec<Entry<K, V>>,
}

struct Entry<K, V> {
    key: K,
    value: V,
    bytes: usize,
}

impl<K: PartialEq, V: Clone> Cache<K, V> {
    pub(crate) const fn new(max_bytes: usize) -> Self {
        Self { max_bytes, entries: Vec::new() }
    }

    /// The value of a key, made along with its size in bytes if it is not there.
    pub(crate) fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> (V, usize)) -> V {
        if let Some(value) = self.get(&key) {
            return value;
        }
        let (value, bytes) = make();
        self.insert(key, value.clone(), bytes);
        value
    }

    /// The value of a key, if it is there.
    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        let index = self.entries.iter().position(|entry| entry.key == *key)?;
        self.entries[index..].rotate_left(1);
        self.entries.last().map(|entry| entry.value.clone())
    }

    /// Keeps a value of so many bytes.
    pub(crate) fn insert(&mut self, key: K, value: V, bytes: usize) {
        self.entries.retain(|entry| entry.key != key);
        let mut room = self.max_bytes.saturating_sub(bytes);
        let kept = self.entries.iter().rev().take_while(|entry| {
            let fits = entry.bytes <= room;
            room = room.saturating_sub(entry.bytes);
            fits
        });
        let gone = self.entries.len() - kept.count();
        self.entries.drain(..gone);
        self.entries.push(Entry { key, value, bytes });
    }
}

/// Access to a cache, which is whole at any time, also where making a value panicked.
pub(crate) fn lock<T>(cache: &Mutex<T>) -> MutexGuard<'_, T> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_recently_used_goes() {
        let mut cache = Cache::new(10);
        let mut made = Vec::new();
        for key in [1, 2, 1, 3, 1, 2, 4] {
            cache.get_or_insert_with(key, || {
                made.push(key);
                (key, if key == 4 { 20 } else { 4 })
            });
        }
        // Room for two: 3 displaced 2, 2 displaced 3, and 4 is larger than the cache.
        assert_eq!(made, [1, 2, 3, 2, 4]);
        assert_eq!(cache.entries.len(), 1);
        assert_eq!(cache.entries[0].value, 4);
    }
}
