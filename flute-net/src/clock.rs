// SPDX-License-Identifier: MPL-2.0

//! The clock of a program that sends or receives.

use std::time::{Instant, SystemTime};

use flute_proto::Time;

/// Wall-clock time that advances steadily: a step of the system's clock would upset every timer of a session.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The wall clock when it was asked, at the start.
    started: Time,
    reference: Instant,
}

impl Clock {
    /// A clock that is set by the one of the system, once.
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started: Time::from_unix(since_epoch), reference: Instant::now() }
    }

    /// The time of the protocol.
    pub fn now(&self) -> Time {
        self.started + self.reference.elapsed()
    }
}
