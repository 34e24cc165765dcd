// SPDX-License-Identifier: MPL-2.0

//! The end of a session: its last table, and the Close Session flag A (RFC 5651 §5.1, RFC 6726 §3.1).

use std::time::Duration;

use super::batch::Batch;
use super::config::SenderConfig;
use super::{Poll, Sender};
use crate::Time;
use crate::lct::{FieldWidths, Header};
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
        self.finishing && self.objects.is_empty()
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
        let is_needed = self.config.close_session && !was_in_table && self.config.close_packet_widths().is_some();
        Closing::Flag { left: if is_needed { REPETITIONS } else { 0 }, at }
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
        self.config.append_close_packet(&mut batch.data);
        let length = batch.data.len() - start;
        self.held.admit(batch, start, self.pacer.next(now));
        self.pacer.charge(length);
        self.stats.count_packet(length, false);
    }
}

impl SenderConfig {
    /// Whether the flag A is set in the packets of the last table instead of in packets of its own: where that is wanted,
    /// where there is no header for such a packet, and in 3GPP's profile, whose TSI of 16 bits brings a half-word of the
    /// TOI along (TS 26.346 7.2.7).
    pub(super) fn closes_with_payload(&self) -> bool {
        let must = self.profile.rules().tsi_width.is_some() || self.close_packet_widths().is_none();
        self.close_session && (self.close_with_payload || must)
    }

    /// Widths of a packet that closes the session and carries nothing. It must not have a TOI (RFC 6726 §3.1), and there is
    /// no such header for a TSI of more than 32 bits.
    fn close_packet_widths(&self) -> Option<FieldWidths> {
        FieldWidths::without_toi(self.tsi)
    }

    /// Appends a packet that closes the session and carries nothing, where there is a header for it.
    fn append_close_packet(&self, out: &mut Vec<u8>) {
        let Some(widths) = self.close_packet_widths() else { return };
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
