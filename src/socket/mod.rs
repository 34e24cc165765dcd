// SPDX-License-Identifier: MPL-2.0

//! The sockets of the elements that do the network themselves.

pub(crate) mod receive;
pub(crate) mod send;
