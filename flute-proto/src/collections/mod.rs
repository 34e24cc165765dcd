// SPDX-License-Identifier: MPL-2.0

//! Containers that know no protocol.

mod deadlines;

pub(crate) use deadlines::Deadlines;
