// SPDX-License-Identifier: MPL-2.0

//! What Raptor (RFC 5053) and RaptorQ (RFC 6330) have in common.
//!
//! Both codes know L intermediate symbols. Every encoding symbol is the sum of a few of them, and some sums of them are
//! zero by construction ([`Precode`]). Encoding is to find the intermediate symbols that belong to the source symbols,
//! and decoding to find those that belong to the symbols that came; the rest follows from them.
//!
//! Which equation is used to find which intermediate symbol depends on encoding symbol IDs only, never on data. So the
//! system is solved once ([`solver`]), by inactivation ([`peeling`]) and elimination ([`elimination`]), into a
//! [`plan`]: a list of sums. The plan of the source symbols is kept and replayed ([`replay`]) for every block of as many
//! symbols, in strips of columns that are narrow enough for all L symbols to stay in the cache of the processor.
//!
//! A decoder that lacks few source symbols uses the same plan, and solves for these alone ([`decode`]).

mod bits;
mod block;
mod coefficients;
mod decode;
mod dense;
mod elimination;
mod lane;
mod octet;
mod peeling;
mod plan;
mod plans;
mod precode;
pub(crate) mod random;
mod replay;
mod rows;
mod scratch;
mod solver;
mod source_columns;

pub(crate) use block::FountainBlock;
pub(crate) use octet::double;
pub(crate) use precode::{FountainCode, Precode, RunningSums};
pub(crate) use rows::Rows;
