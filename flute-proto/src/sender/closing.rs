// SPDX-License-Identifier: MPL-2.0

//! The end of a session: its last table, and the Close Session flag A (RFC 5651 §5.1, RFC 6726 §3.1).

use std::time::Duration;

use super::batch::Batch;
use super::config::SenderConfig;
use super::{Poll, Sender};
use crate::Time;
use crate::lct::{FieldWidths, Header, Toi};
use crate::oti::FecEncodingId;

/// What is said at the end is said a few times: nothing comes after it that would make up for its loss.
const REPETITIONS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(10);

/// How far the end of a session is.
#[derive(Debug)]
pub(super) enum Closing {
    /// It was not finished, or objects are still being sent.
    NotYet,
    /// The last table is repeated.
    Table { id: u32, left: u32, at: Time },
    /// Packets that only have the flag A are repeated.
    Flag { left: u32, at: Time },
    /// Everything was sent.
    Closed,
}

impl Sender {
    /// Whether the session was finished, and its last object has been sent.
    pub(super) fn is_closing(&self) -> bool {
        self.finishing && self.registry.is_empty()
    }

    /// Whether the packets that are sent now have the flag A.
    pub(super) fn closes_with_payload(&self) -> bool {
        matches!(self.closing, Closing::Table { .. }) && self.config.closes_with_payload()
    }

    pub(super) fn start_closing(&mut self, now: Time) {
        let last = self.publication.publish_last(now);
        self.closing = match &last {
            Some(table) => Closing::Table { id: table.id, left: REPETITIONS, at: now },
            None => self.flag(false, now),
        };
        self.note(last);
    }

    /// What comes when the table was sent, with or without the flag.
    fn flag(&self, was_in_table: bool, at: Time) -> Closing {
        let left = if self.config.close_session && !was_in_table { REPETITIONS } else { 0 };
        Closing::Flag { left, at }
    }

    /// Goes on with the end of the session.
    pub(super) fn close(&mut self, now: Time, batch: &mut Batch) -> Poll {
        match self.closing {
            Closing::NotYet | Closing::Closed => return Poll::Done,
            Closing::Table { left: 0, at, .. } => {
                self.closing = self.flag(self.config.closes_with_payload(), at);
            }
            Closing::Flag { left: 0, .. } => self.closing = Closing::Closed,
            Closing::Table { at, .. } | Closing::Flag { at, .. } if at > now => return Poll::Wait(at),
            Closing::Table { id, left, .. } => {
                self.publication.repeat(id);
                self.closing = Closing::Table { id, left: left - 1, at: now + PAUSE };
            }
            Closing::Flag { left, .. } => {
                self.send_flag(now, batch);
                self.closing = Closing::Flag { left: left - 1, at: now + PAUSE };
            }
        }
        Poll::Packets
    }

    fn send_flag(&mut self, now: Time, batch: &mut Batch) {
        let start = batch.data.len();
        self.config.append_close_packet(self.widths, &mut batch.data);
        let length = batch.data.len() - start;
        self.held.admit(batch, start, self.pacer.next(now));
        self.pacer.charge(length);
        self.stats.count_packet(length, false);
    }
}

impl SenderConfig {
    /// Whether the flag A is set in the packets of the last table instead of in packets of its own. 3GPP has a TSI of 16
    /// bits, whose half-word brings one of the TOI along (TS 26.346 7.2.7), so that a packet without payload could not do
    /// without a TOI, as RFC 6726 §3.1 asks for.
    pub(super) fn closes_with_payload(&self) -> bool {
        self.close_session && (self.close_with_payload || self.profile.rules().tsi_width.is_some())
    }

    /// Appends a packet that closes the session and carries nothing. It has no TOI (RFC 6726 §3.1), unless the TSI has an
    /// odd number of half-words: the header has no layout for that.
    fn append_close_packet(&self, widths: FieldWidths, out: &mut Vec<u8>) {
        let (widths, toi) = match FieldWidths::without_toi(self.tsi) {
            Some(widths) => (widths, None),
            None => (widths, Some(Toi::FDT)),
        };
        let header = Header {
            psi: 0,
            close_session: true,
            close_object: false,
            codepoint: FecEncodingId::NO_CODE.0,
            widths,
            congestion_control: 0,
            tsi: Some(self.tsi),
            toi,
            sender_current_time: None,
            expected_residual_time: None,
        };
        header.encode(&[], out).expect("the widths were chosen for this TSI");
    }
}
