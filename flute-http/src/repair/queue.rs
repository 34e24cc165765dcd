// SPDX-License-Identifier: MPL-2.0

//! What waits to be repaired, each until its time has come.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex};
use std::time::Instant;

/// A queue of jobs by the time at which they are due, for any number of threads.
#[derive(Debug)]
pub(super) struct Queue<T> {
    max: usize,
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// By due time, and in the order of their coming where that is the same.
    jobs: BTreeMap<(Instant, u64), T>,
    next: u64,
    is_closed: bool,
}

impl<T> Queue<T> {
    /// A queue of at most so many jobs.
    pub(super) fn new(max: usize) -> Self {
        let state = State { jobs: BTreeMap::new(), next: 0, is_closed: false };
        Self { max, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Adds a job, which is given back if there are too many.
    pub(super) fn push(&self, due: Instant, job: T) -> Result<(), T> {
        let mut state = self.state.lock().unwrap();
        if state.is_closed || state.jobs.len() >= self.max {
            return Err(job);
        }
        let number = state.next;
        state.next += 1;
        state.jobs.insert((due, number), job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for the next job that is due; `None` once the queue is closed.
    pub(super) fn pop(&self) -> Option<T> {
        let mut state = self.state.lock().unwrap();
        loop {
            if state.is_closed {
                return None;
            }
            let now = Instant::now();
            let due = state.jobs.first_key_value().map(|((due, _), _)| *due);
            match due {
                Some(due) if due <= now => return state.jobs.pop_first().map(|(_, job)| job),
                Some(due) => state = self.changed.wait_timeout(state, due - now).unwrap().0,
                None => state = self.changed.wait(state).unwrap(),
            }
        }
    }

    /// Ends all waits, and forgets what has waited.
    pub(super) fn close(&self) {
        // A panic elsewhere must not become another one here.
        if let Ok(mut state) = self.state.lock() {
            state.is_closed = true;
            state.jobs.clear();
        }
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn jobs_wait_for_their_time() {
        let (queue, now) = (Queue::new(3), Instant::now());
        queue.push(now + Duration::from_millis(20), "later").unwrap();
        queue.push(now, "first").unwrap();
        queue.push(now, "second").unwrap();
        assert_eq!(queue.push(now, "too many"), Err("too many"));
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some("first"), Some("second"), Some("later")]);
        assert!(now.elapsed() >= Duration::from_millis(20));
        queue.close();
        assert_eq!((queue.pop(), queue.push(now, "none").is_err()), (None, true));
    }
}
