// SPDX-License-Identifier: MPL-2.0

//! A bound on the rate of everything that is fetched.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Bits per second of all threads together.
#[derive(Debug)]
pub(super) struct RateLimit {
    /// 0 for no bound.
    bitrate: u64,
    /// When what has been taken so far is paid for.
    paid: Mutex<Instant>,
}

impl RateLimit {
    pub(super) fn new(bitrate: u64) -> Self {
        Self { bitrate, paid: Mutex::new(Instant::now()) }
    }

    /// Takes note of bytes that have been read, and waits as long as they cost.
    pub(super) fn pay(&self, bytes: u64) {
        if self.bitrate == 0 {
            return;
        }
        let cost = Duration::from_secs_f64(bytes as f64 * 8.0 / self.bitrate as f64);
        let now = Instant::now();
        let paid = {
            let mut paid = self.paid.lock().unwrap();
            *paid = (*paid).max(now) + cost;
            *paid
        };
        thread::sleep(paid.saturating_duration_since(now));
    }
}
