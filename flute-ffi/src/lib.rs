// SPDX-License-Identifier: MPL-2.0

#![doc = include_str!("../README.md")]
//!
//! # The boundary
//!
//! Each function checks its pointers, catches every panic, and answers with a [`FluteStatus`]; the text of the last error of
//! the thread is that of [`flute_last_error`]. This is, besides the kernels of flute-fec, the only crate with `unsafe`:
//! pointers of C have to be believed.

mod pointers;
mod receiver;
mod sender;
mod status;

pub use receiver::{
    FluteAddress, FluteEvent, FluteEventKind, FluteReceiver, FluteReceiverConfig, flute_receiver_config_default,
    flute_receiver_finish, flute_receiver_free, flute_receiver_handle_timeout, flute_receiver_new,
    flute_receiver_next_deadline, flute_receiver_next_event, flute_receiver_push,
};
pub use sender::{
    FluteBatch, FluteFec, FlutePoll, FluteSender, FluteSenderConfig, flute_sender_add_bytes, flute_sender_add_file,
    flute_sender_config_default, flute_sender_finish, flute_sender_free, flute_sender_new, flute_sender_poll,
    flute_sender_remove,
};
pub use status::{FluteStatus, flute_last_error};

/// Transport Object Identifier: up to 112 bits, in two halves.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct FluteToi {
    /// The upper 48 bits.
    pub high: u64,
    /// The lower 64 bits.
    pub low: u64,
}
