// SPDX-License-Identifier: MPL-2.0

//! The sender: objects in, batches of packets out.
//!
//! The loop of whoever drives it, written once:
//!
//! 1. change something: [`add`](Sender::add), [`remove`](Sender::remove), [`finish`](Sender::finish) …
//! 2. [`poll`](Sender::poll) with the time and an empty [`Batch`] until it no longer answers [`Poll::Packets`], and send
//!    each batch at its [`due`](Batch::due) time;
//! 3. drain [`poll_event`](Sender::poll_event);
//! 4. wait until the time that [`Poll::Wait`] names, or until there is something to change, and begin again.

mod batch;
mod config;
mod event;
mod object;
mod source;

pub use batch::Batch;
pub use config::{ConfigError, FdtPolicy, FecConfig, FecScheme, Pacing, PacketOverhead, SenderConfig};
pub use event::{SendFailure, SenderEvent, SenderStats};
pub use object::{Carousel, Deadline, Interval, Object, ObjectError, Removal};
pub use source::{FileSource, GrowingSource, GrowingWriter, Source};

use crate::Time;
use crate::lct::Toi;

/// What [`Sender::poll`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// The batch has packets; poll again.
    Packets,
    /// Nothing is due before this time.
    Wait(Time),
    /// There is nothing to send, now or later, unless an object is added or the source of a growing one gets bytes.
    Idle,
    /// The session was finished, and its last packet has been given out.
    Done,
}

/// A FLUTE sender of one session (one TSI).
#[derive(Debug)]
pub struct Sender {}

impl Sender {
    /// A sender that starts its session at `now`.
    pub fn new(config: SenderConfig, now: Time) -> Result<Self, ConfigError> {
        todo!()
    }

    /// Adds an object; it is announced by the next FDT Instance and sent as its priority and carousel say.
    pub fn add(&mut self, object: Object, now: Time) -> Result<Toi, ObjectError> {
        todo!()
    }

    /// Replaces the object of the same Content-Location, if there is one, by a new version under a new TOI: the old one
    /// is no longer sent, and later FDT Instances name the new TOI only.
    pub fn replace(&mut self, object: Object, now: Time) -> Result<Toi, ObjectError> {
        todo!()
    }

    /// Stops sending an object, and describes it no more. `false` if there is no such object.
    pub fn remove(&mut self, toi: Toi, when: Removal, now: Time) -> bool {
        todo!()
    }

    /// Starts the next transfer of an object now, whatever its carousel says. `false` if there is no such object.
    pub fn trigger(&mut self, toi: Toi, now: Time) -> bool {
        todo!()
    }

    /// The TOI under which this Content-Location is sent at present.
    pub fn toi_of(&self, content_location: &str) -> Option<Toi> {
        todo!()
    }

    /// No more objects will be added: running transfers end, then the last FDT (with `Complete`, where the profile
    /// allows it) and the close-session packet follow, and [`Poll::Done`].
    pub fn finish(&mut self, policy: FinishPolicy, now: Time) {
        todo!()
    }

    /// Fills `batch`, which is cleared first, with packets that are due at `now`.
    pub fn poll(&mut self, now: Time, batch: &mut Batch) -> Poll {
        todo!()
    }

    /// What happened, in order, until `None`.
    pub fn poll_event(&mut self) -> Option<SenderEvent> {
        todo!()
    }

    /// Changes the pacing; it takes effect with the next packet.
    pub fn set_pacing(&mut self, pacing: Pacing, now: Time) {
        todo!()
    }

    /// Changes the FEC of objects that are added from now on.
    pub fn set_fec(&mut self, fec: FecConfig) -> Result<(), ConfigError> {
        todo!()
    }

    /// Changes the priority of an object. `false` if there is no such object.
    pub fn set_priority(&mut self, toi: Toi, priority: u32, now: Time) -> bool {
        todo!()
    }

    /// Bytes of content that wait to be sent for the first time: what a caller bounds to push back on its own source.
    pub fn queued_bytes(&self) -> u64 {
        todo!()
    }

    /// Counters since the start.
    pub fn stats(&self) -> SenderStats {
        todo!()
    }
}

/// What becomes of carousels when the session is finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FinishPolicy {
    /// Running and outstanding first transfers end; repetitions that have not begun are dropped.
    #[default]
    FinishTransfers,
    /// Every object is sent once more from the start.
    OnceMore,
    /// Finite carousels run to their end; endless ones as [`FinishTransfers`](Self::FinishTransfers).
    RunToEnd,
    /// Nothing more is sent but the last FDT and the close of the session.
    Stop,
}
