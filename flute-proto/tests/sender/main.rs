// SPDX-License-Identifier: MPL-2.0

//! Whole sessions of a sender in virtual time, their packets read with the codecs.

mod fdt;
mod harness;
mod identifiers;
mod objects;
mod order;
mod pacing;
