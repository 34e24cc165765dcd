// SPDX-License-Identifier: MPL-2.0

//! Memory for the lanes of a strip, kept for the next one: no call has memory of its own.

use std::sync::Mutex;

use super::lane::{Lane, Line};
use crate::cache::lock;

/// Bytes that are kept, at most.
const KEPT_BYTES: usize = 32 << 20;

/// What is not in use at present.
static KEPT: Mutex<Vec<Vec<Line>>> = Mutex::new(Vec::new());

/// Calls `work` with some lanes, which may hold anything.
#[inline(always)]
pub(super) fn with_lanes<const P: usize, T>(count: usize, work: impl FnOnce(&mut [Lane<P>]) -> T) -> T {
    let mut lines = take();
    if lines.len() < count * P {
        lines.resize(count * P, Line::ZERO);
    }
    let result = work(&mut lines.as_chunks_mut().0[..count]);
    put(lines);
    result
}

/// The longest that is kept, or an empty one.
fn take() -> Vec<Line> {
    lock(&KEPT).pop().unwrap_or_default()
}

/// Keeps it, if it is not too much. The longest are last.
fn put(lines: Vec<Line>) {
    let mut kept = lock(&KEPT);
    let bytes: usize = kept.iter().map(|lines| size_of_val(&**lines)).sum();
    if bytes + size_of_val(&*lines) <= KEPT_BYTES {
        let place = kept.partition_point(|other| other.len() <= lines.len());
        kept.insert(place, lines);
    }
}
