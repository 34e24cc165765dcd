// SPDX-License-Identifier: MPL-2.0

//! The end of a session: the A flag, silence, the end of the input.
//!
//! The A flag says that the sender is about to stop (RFC 5651 §5.1), so packets may follow it, and late ones may arrive
//! after it. The session is closed when it is complete, or when nothing has arrived for a while. What is known of a closed
//! session is kept, so that stray packets do not open it again; a new FDT Instance does, and many more packets do.

use std::time::Duration;

use super::ReceiverConfig;
use crate::Time;
use crate::lct::Toi;

/// How long packets are waited for after the A flag.
const LINGER: Duration = Duration::from_secs(1);
/// Packets without the A flag that show that a session goes on: more than a network holds back.
const GOES_ON: u32 = 64;

/// How near the end of a session is.
#[derive(Debug)]
pub(super) struct SessionEnd {
    closing: Closing,
    /// The session is being closed.
    ending: Option<Ending>,
    /// An FDT Instance said that no new file will follow (`Complete`, RFC 6726 §3.4.1).
    is_complete_announced: bool,
    last_packet: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    /// It is not near.
    No,
    /// The sender said that it closes the session; so many packets said nothing of it since.
    Announced { packets: u32 },
    /// The session has been reported as closed; so many packets came since.
    Closed { packets: u32 },
}

/// A session that is being closed.
#[derive(Debug)]
struct Ending {
    by_sender: bool,
    /// Objects that were open when that began, the first of them last.
    open: Vec<Toi>,
}

/// What silence means for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// It has not lasted long enough to mean anything.
    Nothing,
    /// The session is to be closed.
    Close {
        /// Its sender said so.
        by_sender: bool,
    },
    /// A closed session is to be forgotten.
    Forget,
}

impl SessionEnd {
    /// A session whose first packet has arrived.
    pub(super) fn new(now: Time) -> Self {
        Self { closing: Closing::No, ending: None, is_complete_announced: false, last_packet: now }
    }

    /// A packet has arrived.
    pub(super) fn note_packet(&mut self, now: Time) {
        self.last_packet = now;
    }

    /// Notes the A flag of a packet, or that it has none. `true` if a closed session goes on.
    ///
    /// A close of what has not begun is none: there are senders that begin with it.
    pub(super) fn note_close_flag(&mut self, close_session: bool, has_begun: bool) -> bool {
        match &mut self.closing {
            Closing::No if close_session && has_begun => self.closing = Closing::Announced { packets: 0 },
            Closing::No => {}
            Closing::Announced { packets } | Closing::Closed { packets } if close_session => *packets = 0,
            Closing::Announced { packets } => {
                *packets += 1;
                if *packets > GOES_ON {
                    self.closing = Closing::No;
                }
            }
            Closing::Closed { packets } => {
                *packets += 1;
                if *packets > GOES_ON {
                    self.closing = Closing::No;
                    return true;
                }
            }
        }
        false
    }

    /// An FDT Instance said that no new file will follow.
    pub(super) fn note_complete(&mut self) {
        self.is_complete_announced = true;
    }

    /// Whether an FDT Instance said that no new file will follow.
    pub(super) fn is_complete_announced(&self) -> bool {
        self.is_complete_announced
    }

    /// Whether the sender closes the session.
    pub(super) fn is_announced(&self) -> bool {
        matches!(self.closing, Closing::Announced { .. })
    }

    /// Whether the session has been reported as closed.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.closing, Closing::Closed { .. })
    }

    /// When the session ends if no packet comes.
    pub(super) fn end_of_silence(&self, config: &ReceiverConfig) -> Time {
        let timeout = config.limits.session_timeout;
        self.last_packet + if self.is_announced() { LINGER.min(timeout) } else { timeout }
    }

    /// What it means that no packet has come since the last one.
    pub(super) fn silence(&self, config: &ReceiverConfig, now: Time) -> Silence {
        match self.closing {
            _ if now < self.end_of_silence(config) => Silence::Nothing,
            Closing::No => Silence::Close { by_sender: false },
            Closing::Announced { .. } => Silence::Close { by_sender: true },
            Closing::Closed { .. } => Silence::Forget,
        }
    }

    /// Begins to close the session, in which these objects are open, the first of them last.
    pub(super) fn begin(&mut self, by_sender: bool, open: Vec<Toi>) {
        self.ending = Some(Ending { by_sender, open });
    }

    /// Whether the session is being closed.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// The next object that was open when that began.
    pub(super) fn next_open(&mut self) -> Option<Toi> {
        self.ending.as_mut()?.open.pop()
    }

    /// The session is closed. Whether its sender did that; `None` if it was not being closed.
    pub(super) fn close(&mut self) -> Option<bool> {
        let ending = self.ending.take()?;
        self.closing = Closing::Closed { packets: 0 };
        Some(ending.by_sender)
    }

    /// The sender of a closed session begins anew.
    pub(super) fn reopen(&mut self) {
        self.is_complete_announced = false;
        self.closing = Closing::No;
    }
}
