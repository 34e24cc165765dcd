// SPDX-License-Identifier: MPL-2.0

//! ^C, and the signals that ask a program to end.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

/// The exit status of a program that a second ^C ends at once, as shells have it: 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;

/// Whether the user wants the command to end. The first ^C lets it end its session in order, the second one does not wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt {
    is_requested: Arc<AtomicBool>,
}

impl Interrupt {
    /// Begins to listen to the signals, once in a process.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let interrupt = Self::default();
        let is_requested = interrupt.is_requested.clone();
        ctrlc::set_handler(move || {
            if is_requested.swap(true, Ordering::Release) {
                process::exit(INTERRUPTED);
            }
        })
        .context("listening to ^C")?;
        Ok(interrupt)
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.is_requested.load(Ordering::Acquire)
    }
}
