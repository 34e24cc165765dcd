// SPDX-License-Identifier: MPL-2.0

//! The clock of a command that sends.

use std::time::{Instant, SystemTime};

use flute_proto::Time;

/// Wall-clock time that advances steadily: a step of the system's clock would upset every timer of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Time,
    reference: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started: Time::from_unix(since_epoch), reference: Instant::now() }
    }

    pub(crate) fn now(&self) -> Time {
        self.started + self.reference.elapsed()
    }
}
