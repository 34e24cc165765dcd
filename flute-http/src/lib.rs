// SPDX-License-Identifier: MPL-2.0

//! Objects received over FLUTE, kept for those who ask for them, in the process or over HTTP/1.1.
//!
//! An [`ObjectStore`] is filled by the thread that receives: objects that are complete, and such as are arriving, whose
//! bytes flow to requests as they come ([`ObjectStore::destination`]). A thread waits for an object with
//! [`ObjectStore::wait`]; an [`ObjectService`] answers requests for objects of one store, and a [`Server`] hands requests
//! to whatever handles them. [`PrivateServer`] is both, for players of this process.
//!
//! The crate opens no other socket than that of a server, and knows nothing of GStreamer.

#![forbid(unsafe_code)]

mod arrivals;
mod arriving_object;
mod body;
mod object_cache;
mod object_service;
mod object_store;
mod private_server;
mod repair;
pub mod response;
mod server;
mod stored_object;

pub use body::ResponseBody;
pub use object_service::{ObjectService, share_with_all_origins};
pub use object_store::{Announced, Missing, ObjectStore};
pub use private_server::PrivateServer;
pub use repair::{FdtHosts, Origin, Repair, RepairConfig, RepairOutcome};
pub use response::Response;
pub use server::{Answering, Handler, Server, ServerLimits};
pub use stored_object::{Piece, Retention, Slice, StoredObject};
