// SPDX-License-Identifier: MPL-2.0

//! Waits that a program bounds, and that ^C ends.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::sender_object::duration;

/// How long a call that waits does without the GIL, until Python may handle signals.
const SLICE: Duration = Duration::from_millis(100);

/// Until when a call waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience(Option<Instant>);

impl Patience {
    /// From now for so many seconds, or for ever.
    pub(crate) fn new(timeout: Option<f64>) -> PyResult<Self> {
        let timeout = timeout.map(duration).transpose()?;
        // A time that no clock reaches is no bound.
        Ok(Self(timeout.and_then(|timeout| Instant::now().checked_add(timeout))))
    }

    /// Calls `wait` without the GIL, with a time that it may take, until it has a result or the patience is over; and `tell`
    /// with the GIL after each call.
    pub(crate) fn wait<R: Send>(
        self,
        py: Python<'_>,
        mut wait: impl FnMut(Duration) -> Option<R> + Send,
        mut tell: impl FnMut() -> PyResult<()>,
    ) -> PyResult<Option<R>> {
        loop {
            let left = self.0.map_or(SLICE, |end| end.saturating_duration_since(Instant::now()));
            let result = py.detach(|| wait(left.min(SLICE)));
            tell()?;
            if result.is_some() || left.is_zero() {
                return Ok(result);
            }
            py.check_signals()?;
        }
    }
}
