// SPDX-License-Identifier: MPL-2.0

//! Objects received over FLUTE, kept for those who ask for them, in the process or over HTTP/1.1.
//!
//! An [`ObjectStore`] is filled by the thread that receives. A thread waits for an object with [`ObjectStore::wait`], and
//! a [`Server`] answers requests for the same objects. The crate opens no other socket than that of the server, and knows
//! nothing of GStreamer.

#![forbid(unsafe_code)]

mod object_cache;
mod object_store;
mod response;
mod server;
mod stored_object;

pub use object_store::{Missing, ObjectStore};
pub use server::Server;
pub use stored_object::{Piece, Retention, Slice, StoredObject};
