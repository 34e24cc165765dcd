// SPDX-License-Identifier: MPL-2.0

//! Data for tests.

/// Bytes that repeat late.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let step = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(step).take(length).collect()
}
