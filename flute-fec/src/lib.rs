// SPDX-License-Identifier: MPL-2.0

//! Erasure codes for the FEC Building Block of RFC 5052, and nothing else: no packets, no headers, no clock.
//!
//! An object of `transfer_length` bytes is cut into source blocks, a block into `k` source symbols of one size, and a
//! code adds repair symbols, so that any `k` (or a few more) of them rebuild the block.
//!
//! - [`Parameters`] say which code, and how the object is cut. They are plain numbers that may come from the network;
//!   [`Parameters::codec`] checks every one of them.
//! - [`ObjectCodec`] knows where each source symbol lies in the object, and makes an encoder or decoder per block.
//! - [`BlockEncoder`] and [`BlockDecoder`] are the traits that each scheme implements. A caller that cannot wait for a block
//!   decodes it in steps, by a [`DecodeJob`].
//!
//! Nothing here panics on values that come from outside: what cannot work is a [`ParameterError`] when the codec is
//! made, an [`EncodeError`] or a [`DecodeError`] later.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod block;
mod cache;
mod codec;
mod derive;
mod fountain;
mod job;
mod layout;
mod no_code;
mod parameters;
mod partition;
mod raptor;
mod raptorq;
mod reed_solomon;

pub use block::{BlockDecoder, BlockEncoder, DecodeError, EncodeError, Present, RepairSymbol};
pub use codec::{ObjectCodec, Run, SourceBlock};
pub use derive::{Protection, Scheme, Wanted};
pub use job::{DecodeJob, Progress, Work};
pub use parameters::{ByteOrder, Code, ParameterError, Parameters, Points};
pub use partition::Partition;
pub use reed_solomon::Kernel;
