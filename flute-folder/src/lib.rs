// SPDX-License-Identifier: MPL-2.0

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod file_range;
pub mod source;
pub mod target;

pub use file_range::FileRange;
