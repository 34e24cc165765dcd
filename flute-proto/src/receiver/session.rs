// SPDX-License-Identifier: MPL-2.0

//! One session: it opens with its first packet, goes on as long as there is work, and ends when its sender says so, or is
//! silent. What it receives is the matter of [`reception`](super::reception).

use std::cmp::Reverse;

use super::ReceiverConfig;
use super::context::Context;
use super::event::{Event, SessionId};
use super::fdt_reception::{FdtStatement, NewInstance};
use super::reception::{FORGET, Reception};
use super::session_end::{SessionEnd, Silence};
use crate::Time;
use crate::alc::Packet;
use crate::lct::Toi;

/// Work that one kind of what is pending gets before the next has its turn.
const TURN: u64 = 2_000_000;

/// One session of one sender.
#[derive(Debug)]
pub(super) struct ReceiverSession {
    reception: Reception,
    end: SessionEnd,
}

impl ReceiverSession {
    /// A session whose first packet has arrived.
    pub(super) fn new(id: SessionId, cx: &mut Context<'_>) -> Self {
        cx.events.push_back(Event::SessionOpened(id));
        let limits = &cx.config.limits;
        Self { reception: Reception::new(id, limits.max_memory, limits.max_objects), end: SessionEnd::new(cx.now) }
    }

    /// What it receives.
    pub(super) fn reception(&self) -> &Reception {
        &self.reception
    }

    /// What it receives, for what the application and the receiver ask of it.
    pub(super) fn reception_mut(&mut self) -> &mut Reception {
        &mut self.reception
    }

    /// Whether the session has been reported as closed.
    pub(super) fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    /// Takes a packet of the session, which came with `length` bytes.
    pub(super) fn push(&mut self, packet: &Packet<'_>, length: usize, cx: &mut Context<'_>) {
        self.end.note_packet(cx.now);
        self.reception.take(packet, length, cx);
        self.work(cx);
        if self.end.note_close_flag(packet.header.close_session, self.reception.has_begun()) {
            // A closed session goes on.
            cx.events.push_back(Event::SessionOpened(self.reception.session()));
            self.reception.resume();
        }
        self.close_if_complete(cx);
    }

    /// Whether something is to be gone on with.
    pub(super) fn has_work(&self) -> bool {
        self.reception.has_work() || self.end.is_ending()
    }

    /// Goes on with what is pending, each kind in its turn, so that none waits for all of another.
    pub(super) fn work(&mut self, cx: &mut Context<'_>) {
        while self.has_work() && !cx.work.is_exhausted() {
            cx.for_a_turn(TURN, |cx| self.close_objects(cx));
            cx.for_a_turn(TURN, |cx| self.reception.decode(cx));
            cx.for_a_turn(TURN, |cx| self.reception.take_pending(cx));
            cx.for_a_turn(TURN, |cx| self.read(cx));
            cx.for_a_turn(TURN, |cx| self.reception.deliver(cx));
        }
        self.close_if_complete(cx);
    }

    /// Reads FDT Instances, and carries out what they say.
    fn read(&mut self, cx: &mut Context<'_>) {
        while !self.end.is_ending()
            && let Some(statement) = self.reception.next_statement(cx)
        {
            match statement {
                FdtStatement::Instance(new) => self.begin_describing(*new, cx),
                FdtStatement::Object(statement) => self.reception.carry_out(statement, cx),
            }
        }
    }

    fn begin_describing(&mut self, new: NewInstance, cx: &mut Context<'_>) {
        let mut past = Vec::new();
        if self.end.is_closed() {
            // The sender of a closed session begins anew: what was received before counts no more.
            cx.events.push_back(Event::SessionOpened(self.reception.session()));
            self.end.reopen();
            past = self.reception.begin_anew();
        }
        if new.is_complete() {
            self.end.note_complete();
        }
        self.reception.describe_files(new, past);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called at the latest.
    pub(super) fn next_deadline(&self, config: &ReceiverConfig) -> Time {
        let end = self.end.end_of_silence(config);
        self.reception.next_deadline().map_or(end, |deadline| deadline.min(end))
    }

    /// Does what is due. `false` if the session is over and to be forgotten.
    pub(super) fn handle_timeout(&mut self, cx: &mut Context<'_>) -> bool {
        self.reception.handle_timeout(cx);
        self.close_if_complete(cx);
        match self.end.silence(cx.config, cx.now) {
            _ if self.has_work() => true,
            Silence::Nothing => true,
            Silence::Close { by_sender } => {
                self.close(by_sender, cx);
                // What is closed for its silence alone has nothing to linger for.
                by_sender || self.end.is_ending()
            }
            Silence::Forget => false,
        }
    }

    /// Closes a session that is about to be closed without waiting for its silence, if nothing is left to wait for.
    fn close_if_complete(&mut self, cx: &mut Context<'_>) {
        if self.end.is_announced()
            && self.end.is_complete_announced()
            && !self.has_work()
            && !self.reception.has_open(|_| true)
        {
            self.close(true, cx);
        }
    }

    /// The session ends now: what is complete is delivered, what is not is reported.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>) {
        self.work(cx);
        self.abandon(cx);
    }

    /// The session ends now, and what is not done is not done any more.
    pub(super) fn abandon(&mut self, cx: &mut Context<'_>) {
        if !self.end.is_closed() {
            self.close(self.end.is_announced(), cx);
        }
    }

    /// Closes the session, at once where that is little work.
    fn close(&mut self, by_sender: bool, cx: &mut Context<'_>) {
        let mut open: Vec<Toi> = self.reception.open_objects().collect();
        open.sort_unstable_by_key(|toi| Reverse(*toi));
        self.end.begin(by_sender, open);
        self.close_objects(cx);
    }

    /// Reports what is not complete in a session that is being closed, and then that it is.
    fn close_objects(&mut self, cx: &mut Context<'_>) {
        while let Some(toi) = self.end.next_open() {
            self.reception.end_object(toi, cx);
            cx.work.spend(FORGET);
            if cx.work.is_exhausted() {
                return;
            }
        }
        while self.end.is_ending() && self.reception.drop_pending() {
            cx.work.spend(FORGET);
            if cx.work.is_exhausted() {
                return;
            }
        }
        if let Some(by_sender) = self.end.close() {
            let complete = self.end.is_complete_announced() && !self.reception.has_losses();
            let session = self.reception.session();
            cx.events.push_back(Event::SessionClosed { session, by_sender, complete });
        }
    }

    /// Whether an object with a location that is `wanted` may still be completed.
    pub(super) fn may_bring(&self, wanted: &impl Fn(&str) -> bool) -> bool {
        !self.end.is_closed()
            && (!self.end.is_complete_announced() || self.has_work() || self.reception.has_open(wanted))
    }
}
