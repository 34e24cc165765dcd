// SPDX-License-Identifier: MPL-2.0

//! The time of a session.

use std::time::{Duration, Instant, SystemTime};

use flute_proto::Time;

/// The wall clock as it was when the session began, carried on by the monotonic one: FDT Instances expire by it, and it
/// never goes backwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionClock {
    wall: Time,
    start: Instant,
}

impl SessionClock {
    /// A clock that starts now.
    pub(super) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { wall: Time::from_unix(since_epoch), start: Instant::now() }
    }

    /// The time.
    pub(super) fn now(&self) -> Time {
        self.wall + self.start.elapsed()
    }
}
