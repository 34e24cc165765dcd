// SPDX-License-Identifier: MPL-2.0

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod receive;
mod send;
mod waker;

pub use receive::{ReceiveConfig, ReceiveError, ReceiveSocket};
pub use send::{SendConfig, SendError, SendSocket};
pub use waker::Waker;
