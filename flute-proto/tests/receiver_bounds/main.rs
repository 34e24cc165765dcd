// SPDX-License-Identifier: MPL-2.0

//! What a receiver allocates: nothing for a packet in steady state, and never more than its bounds, whatever arrives.

#[allow(dead_code)]
mod attacks;
#[path = "../receiver/crafted.rs"]
#[allow(dead_code)]
mod crafted;
mod hostile;
mod steady_state;
