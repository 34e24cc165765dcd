// SPDX-License-Identifier: MPL-2.0

//! What fuzzers hold the code to: a function for each target, which panics where a promise is broken.
//!
//! libFuzzer drives them by `fuzz_targets/`, and `tests/seeds.rs` with the inputs that it begins with.

#![forbid(unsafe_code)]

pub mod alc;
pub mod content;
pub mod fdt;
pub mod fec;
pub mod oti;
pub mod receiver;

/// A target: what it does with an input.
pub type Target = fn(&[u8]);

/// All targets by their names.
pub const TARGETS: [(&str, Target); 6] = [
    ("alc", alc::run),
    ("oti", oti::run),
    ("fec", fec::run),
    ("fdt", fdt::run),
    ("content", content::run),
    ("receiver", receiver::run),
];
