// SPDX-License-Identifier: MPL-2.0

//! What a command tells: lines of JSON for programs, a bar and sentences for people.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

/// Where events, sentences and figures go.
///
/// Standard output has the result of the command, or nothing but lines of JSON, each of which is an object with the field
/// `event`. Everything else is on standard error: the bar only on a terminal, problems always.
#[derive(Debug)]
pub(crate) struct Report {
    is_json: bool,
    is_quiet: bool,
    bar: ProgressBar,
}

impl Report {
    pub(crate) fn new(is_json: bool, is_quiet: bool) -> Self {
        let target = if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
        let bar = ProgressBar::with_draw_target(None, target);
        Self { is_json, is_quiet, bar }
    }

    /// Shows how much there is of so many bytes.
    pub(crate) fn begin_bar(&self, bytes: u64) {
        let style = ProgressStyle::with_template("{bar:30} {percent:>3}% {bytes}/{total_bytes} {eta} {wide_msg}");
        if let Ok(style) = style {
            self.bar.set_style(style);
        }
        self.bar.set_length(bytes);
    }

    /// Shows that something goes on whose end is not known.
    pub(crate) fn begin_spinner(&self) {
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            self.bar.set_style(style);
        }
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    /// Moves the bar.
    pub(crate) fn set_position(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// Sets the words beside the bar.
    pub(crate) fn set_message(&self, message: String) {
        self.bar.set_message(message);
    }

    /// Takes the bar away.
    pub(crate) fn end_bar(&self) {
        self.bar.finish_and_clear();
    }

    /// An event, for programs.
    pub(crate) fn event(&self, event: &Value) {
        if self.is_json {
            let mut output = io::stdout().lock();
            // The program that reads may have ended; what is sent or received does not depend on it.
            let _ = writeln!(output, "{event}").and_then(|()| output.flush());
        }
    }

    /// What a command was asked for, for people, on standard output.
    pub(crate) fn result(&self, text: impl FnOnce() -> String) {
        if !self.is_json {
            let _ = write!(io::stdout().lock(), "{}", text());
        }
    }

    /// A sentence for people.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.is_quiet && !self.is_json {
            self.print(text);
        }
    }

    /// Something is lost or wrong.
    pub(crate) fn problem(&self, text: impl Display) {
        self.print(text);
    }

    fn print(&self, text: impl Display) {
        self.bar.suspend(|| {
            let _ = writeln!(io::stderr(), "{text}");
        });
    }
}

/// A text from the network as a terminal may show it.
pub(crate) fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A rate as people read it.
pub(crate) fn shown_rate(bits_per_second: f64) -> String {
    match bits_per_second {
        rate if rate >= 1e9 => format!("{:.2} Gbit/s", rate / 1e9),
        rate if rate >= 1e6 => format!("{:.1} Mbit/s", rate / 1e6),
        rate => format!("{:.0} kbit/s", rate / 1e3),
    }
}
