// SPDX-License-Identifier: MPL-2.0

//! The last things that went wrong, for people who look.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Problems that are remembered.
const MAX_PROBLEMS: usize = 20;

/// Characters of a text from the network that are shown.
const MAX_TEXT: usize = 300;

/// The last problems of a service.
#[derive(Debug, Default)]
pub(super) struct RecentProblems {
    problems: Mutex<VecDeque<Problem>>,
}

#[derive(Debug)]
struct Problem {
    time: SystemTime,
    text: String,
}

impl RecentProblems {
    pub(super) fn note(&self, text: &str) {
        tracing::warn!("{text}");
        let mut problems = self.problems.lock().unwrap();
        if problems.len() == MAX_PROBLEMS {
            problems.pop_front();
        }
        problems.push_back(Problem { time: SystemTime::now(), text: text.chars().take(MAX_TEXT).collect() });
    }

    /// The problems, the last one first.
    pub(super) fn to_json(&self) -> Value {
        let problems = self.problems.lock().unwrap();
        let shown = problems.iter().rev().map(|problem| {
            let since_epoch = problem.time.duration_since(UNIX_EPOCH).unwrap_or_default();
            json!({ "unix-time": since_epoch.as_secs_f64(), "text": problem.text })
        });
        shown.collect()
    }
}
