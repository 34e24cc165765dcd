// SPDX-License-Identifier: MPL-2.0

//! Containers that know no protocol.

mod deadlines;
mod recent_map;

pub(crate) use deadlines::Deadlines;
pub(crate) use recent_map::RecentMap;
