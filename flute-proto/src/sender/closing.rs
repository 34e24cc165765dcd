// SPDX-License-Identifier: MPL-2.0

//! The end of a session: its last table, and the Close Session flag A (RFC 5651 §5.1, RFC 6726 §3.1).

use std::time::Duration;

use super::config::SenderConfig;
use crate::Time;
use crate::lct::{FieldWidths, Header, Tsi};
use crate::oti::FecEncodingId;

/// What is said at the end is said a few times: nothing comes after it that would make up for its loss.
const REPETITIONS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(10);

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

/// The end of a session, and how far it is.
#[derive(Debug)]
pub(super) struct Closing {
    tsi: Tsi,
    /// Whether the flag A is set at all.
    has_flag: bool,
    /// Whether it is set in the packets of the last table instead of in packets of its own.
    with_payload: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The session was not finished, or objects are still being sent.
    NotYet,
    /// The last table is repeated.
    Table { id: u32, left: u32, at: Time },
    /// Packets that only have the flag A are repeated.
    Flag { left: u32, at: Time },
    /// Everything was sent.
    Closed,
}

/// What is to be done next at the end of a session.
#[derive(Debug)]
pub(super) enum Step {
    /// Send the FDT Instance with this ID again.
    RepeatTable(u32),
    /// Send a packet that [`Closing::append_packet`] makes.
    SendFlag,
    /// Nothing before this time.
    Wait(Time),
    /// Nothing.
    Done,
}

impl Closing {
    pub(super) fn new(config: &SenderConfig) -> Self {
        // Where there is no header for a packet of its own, and in 3GPP's profile, whose TSI of 16 bits brings a half-word
        // of the TOI along (TS 26.346 7.2.7), the flag goes with a payload.
        let must = config.profile.rules().tsi_width.is_some() || FieldWidths::without_toi(config.tsi).is_none();
        Self {
            tsi: config.tsi,
            has_flag: config.close_session,
            with_payload: config.close_session && (config.close_with_payload || must),
            state: State::NotYet,
        }
    }

    /// Whether the session is at its end.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.state, State::NotYet)
    }

    /// Whether the packets that are sent now have the flag A.
    pub(super) fn closes_with_payload(&self) -> bool {
        matches!(self.state, State::Table { .. }) && self.with_payload
    }

    /// All objects have been sent: the end begins with the table that has this FDT Instance ID, if there is one.
    pub(super) fn begin(&mut self, last_table: Option<u32>, now: Time) {
        self.state = match last_table {
            Some(id) => State::Table { id, left: REPETITIONS, at: now },
            None => self.flag(false, now),
        };
    }

    /// Goes on with the end of the session.
    pub(super) fn step(&mut self, now: Time) -> Step {
        loop {
            match self.state {
                State::NotYet | State::Closed => return Step::Done,
                State::Table { left: 0, at, .. } => self.state = self.flag(self.with_payload, at),
                State::Flag { left: 0, .. } => self.state = State::Closed,
                State::Table { at, .. } | State::Flag { at, .. } if at > now => return Step::Wait(at),
                State::Table { id, left, .. } => {
                    self.state = State::Table { id, left: left - 1, at: now + PAUSE };
                    return Step::RepeatTable(id);
                }
                State::Flag { left, .. } => {
                    self.state = State::Flag { left: left - 1, at: now + PAUSE };
                    return Step::SendFlag;
                }
            }
        }
    }

    /// What comes when the table was sent, with or without the flag.
    fn flag(&self, was_in_table: bool, at: Time) -> State {
        let is_needed = self.has_flag && !was_in_table && FieldWidths::without_toi(self.tsi).is_some();
        State::Flag { left: if is_needed { REPETITIONS } else { 0 }, at }
    }

    /// Appends a packet that closes the session and carries nothing. It must not have a TOI (RFC 6726 §3.1), and there is
    /// no such header for a TSI of more than 32 bits.
    pub(super) fn append_packet(&self, out: &mut Vec<u8>) {
        let Some(widths) = FieldWidths::without_toi(self.tsi) else { return };
        let header = Header {
            psi: 0,
            close_session: true,
            close_object: false,
            codepoint: FecEncodingId::NO_CODE.0,
            widths,
            congestion_control: 0,
            tsi: Some(self.tsi),
            toi: None,
            sender_current_time: None,
            expected_residual_time: None,
        };
        header.encode(&[], out).expect("the widths were chosen for this TSI");
    }
}
