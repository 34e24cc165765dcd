// SPDX-License-Identifier: MPL-2.0

#![doc = include_str!("../README.md")]
//!
//! # The rooms
//!
//! Rooms follow the RFCs: [`lct`] (RFC 5651), [`alc`] (RFC 5775), [`oti`] (FEC Object Transmission Information),
//! [`fdt`] (the FDT Instance), [`content`] (encodings and digests), [`content_location`] and [`profile`] are shared by the [`sender`] and
//! the [`receiver`], which do not know each other. [`conformance`] finds out which rules a session breaks. [`requirements`] says where each rule of the standards is met.

#![forbid(unsafe_code)]

pub mod alc;
mod big_endian;
mod collections;
pub mod conformance;
pub mod content;
pub mod content_location;
pub mod fdt;
pub mod lct;
pub mod oti;
pub mod profile;
pub mod receiver;
#[doc = include_str!("../REQUIREMENTS.md")]
pub mod requirements {}
pub mod sender;
mod setters;
mod time;
mod work;

pub use time::Time;

#[cfg(test)]
mod tests {
    fn assert_send<T: Send>() {}

    #[test]
    fn everything_can_move_to_another_thread() {
        assert_send::<crate::sender::Sender>();
        assert_send::<crate::sender::Object>();
        assert_send::<crate::sender::Batch>();
        assert_send::<crate::sender::Event>();
        assert_send::<crate::receiver::Receiver>();
        assert_send::<crate::receiver::Event>();
    }
}
