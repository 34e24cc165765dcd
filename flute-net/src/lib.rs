// SPDX-License-Identifier: MPL-2.0

#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod clock;
mod host;
mod interface;
mod membership;
mod readiness;
mod receive;
pub mod reception;
mod send;
mod session_description;
mod socket_options;
mod uri;

pub use clock::Clock;
pub use host::{Host, HostAndPort, HostError, ResolveError};
pub use readiness::{Readiness, Waker};
pub use receive::{ReceiveConfig, ReceiveError, ReceiveSocket};
pub use send::{SendConfig, SendError, SendSocket};
pub use session_description::{DescribedSession, SessionDescription, SessionDescriptionError};
pub use uri::{FluteUri, SCHEME, UriError};
