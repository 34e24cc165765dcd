// SPDX-License-Identifier: MPL-2.0

//! Programs of others that a test needs.

use std::process::{Command, Stdio};

/// Where this is set a test that cannot run fails: `tests/run.sh` installs what all of them need.
const SKIP_NOTHING: &str = "FLUTE_SKIP_NOTHING";

/// Whether a program is there, which is found by running it. It is said if not.
pub(crate) fn has(program: &str, arguments: &[&str]) -> bool {
    let found = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    is_there || skip(&format!("there is no {program} {}", arguments.join(" ")))
}

/// Whether these elements of GStreamer are there. It is said if not.
pub(crate) fn has_elements(elements: &[&str]) -> bool {
    elements.iter().all(|element| has("gst-inspect-1.0", &["--exists", element]))
}

/// Says why a test is skipped, and returns `false`.
pub(crate) fn skip(reason: &str) -> bool {
    assert!(std::env::var_os(SKIP_NOTHING).is_none(), "{reason}: pipelines/install.sh and tests/run.sh install it");
    eprintln!("skipped: {reason}");
    false
}
