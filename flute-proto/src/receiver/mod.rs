// SPDX-License-Identifier: MPL-2.0

//! The receiver: datagrams in, objects out.
//!
//! The loop of whoever drives it, written once:
//!
//! 1. [`push`](Receiver::push) a datagram, or [`handle_timeout`](Receiver::handle_timeout) when the time that
//!    [`next_deadline`](Receiver::next_deadline) names has come;
//! 2. drain [`poll_event`](Receiver::poll_event).

mod config;
mod event;

pub use config::{Filter, Limits, Mode, ReceiverConfig};
pub use event::{BlockLoss, Content, Event, Failure, Limit, ObjectInfo, Path, ReceiverStats, SessionId, SessionStats};

use crate::Time;

/// A FLUTE receiver of any number of sessions.
#[derive(Debug)]
pub struct Receiver {}

impl Receiver {
    /// A receiver that has heard nothing yet.
    pub fn new(config: ReceiverConfig) -> Self {
        todo!()
    }

    /// Takes one datagram. What is wrong with it is counted, never an error.
    pub fn push(&mut self, path: Path, datagram: &[u8], now: Time) {
        todo!()
    }

    /// What happened, in order, until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        todo!()
    }

    /// The earliest time at which something is to be done without a packet: the expiry of an FDT Instance, of a session.
    pub fn next_deadline(&self) -> Option<Time> {
        todo!()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Time) {
        todo!()
    }

    /// No more datagrams will come: every object that is not complete is reported as failed, every session as closed.
    pub fn finish(&mut self, now: Time) {
        todo!()
    }

    /// Counters since the start.
    pub fn stats(&self) -> ReceiverStats {
        todo!()
    }
}
