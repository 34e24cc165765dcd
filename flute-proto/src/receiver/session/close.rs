// SPDX-License-Identifier: MPL-2.0

//! The end of a session: the A flag, silence, the end of the input.
//!
//! The A flag says that the sender is about to stop (RFC 5651 §5.1), so packets may follow it, and late ones may arrive
//! after it. The session is closed when it is complete, or when nothing has arrived for a while. What is known of a closed
//! session is kept, so that stray packets do not open it again; a new FDT Instance does, and many more packets do.

use std::cmp::Reverse;
use std::time::Duration;

use super::describe::FORGET;
use super::{Context, Session};
use crate::Time;
use crate::lct::Toi;
use crate::receiver::ReceiverConfig;
use crate::receiver::event::{Event, Failure};
use crate::receiver::tracked::{Reception, Tracked};

/// How long packets are waited for after the A flag.
const LINGER: Duration = Duration::from_secs(1);

/// Packets without the A flag that show that a session goes on: more than a network holds back.
const GOES_ON: u32 = 64;

/// How near the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// It is not.
    No,
    /// The sender said that it closes the session.
    Announced {
        /// Packets that said nothing of it since.
        packets: u32,
    },
    /// The session has been reported as closed.
    Closed {
        /// Packets that said nothing of it since.
        packets: u32,
    },
}

/// A session that is being closed.
#[derive(Debug)]
pub(super) struct Ending {
    /// The sender closes it.
    by_sender: bool,
    /// Objects that were open when that began, the first of them last.
    open: Vec<Toi>,
}

impl Session {
    /// Heeds the A flag of a packet, or that it has none.
    ///
    /// A close of what has not begun is none: there are senders that begin with it.
    pub(super) fn heed_close_flag(&mut self, close_session: bool, cx: &mut Context<'_>) {
        let has_begun = self.is_described() || !self.objects.is_empty();
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
                    self.resume(cx);
                }
            }
        }
        self.close_if_complete(cx);
    }

    /// Closes a session that is about to be closed without waiting for its silence, if nothing is left to wait for.
    pub(super) fn close_if_complete(&mut self, cx: &mut Context<'_>) {
        let is_announced = matches!(self.closing, Closing::Announced { .. });
        if is_announced && self.complete_announced && !self.has_work() && !self.objects.values().any(Tracked::is_open) {
            self.close(true, cx);
        }
    }

    pub(in crate::receiver) fn is_closed(&self) -> bool {
        matches!(self.closing, Closing::Closed { .. })
    }

    /// When the session ends if no packet comes.
    pub(super) fn end_of_silence(&self, config: &ReceiverConfig) -> Time {
        match self.closing {
            Closing::Announced { .. } => self.last_packet + LINGER.min(config.limits.session_timeout),
            Closing::No | Closing::Closed { .. } => self.last_packet + config.limits.session_timeout,
        }
    }

    /// Closes the session if it has been silent for long enough. `false` if it is to be forgotten.
    pub(super) fn heed_silence(&mut self, cx: &mut Context<'_>) -> bool {
        self.close_if_complete(cx);
        if cx.now < self.end_of_silence(cx.config) || self.has_work() {
            return true;
        }
        match self.closing {
            Closing::No => {
                self.close(false, cx);
                self.is_ending()
            }
            Closing::Announced { .. } => {
                self.close(true, cx);
                true
            }
            Closing::Closed { .. } => false,
        }
    }

    /// The session ends now: what is complete is delivered, what is not is reported.
    pub(in crate::receiver) fn finish(&mut self, cx: &mut Context<'_>) {
        self.work(cx);
        self.abandon(cx);
    }

    /// The session ends now, and what is not done is not done any more.
    pub(in crate::receiver) fn abandon(&mut self, cx: &mut Context<'_>) {
        if !self.is_closed() {
            self.close(matches!(self.closing, Closing::Announced { .. }), cx);
        }
    }

    /// Closes the session, at once where that is little work.
    fn close(&mut self, by_sender: bool, cx: &mut Context<'_>) {
        let mut open: Vec<Toi> =
            self.objects.iter().filter(|(_, tracked)| tracked.is_open()).map(|(toi, _)| *toi).collect();
        open.sort_unstable_by_key(|toi| Reverse(*toi));
        self.ending = Some(Ending { by_sender, open });
        self.end(cx);
    }

    /// Whether the session is being closed.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Reports what is not complete in a session that is being closed, and then that it is.
    pub(super) fn end(&mut self, cx: &mut Context<'_>) {
        let Some(mut ending) = self.ending.take() else { return };
        while let Some(toi) = ending.open.pop() {
            if self.objects.get(&toi).is_some_and(Tracked::is_open) {
                self.fail(toi, Failure::SessionEnded, cx);
            }
            cx.work.spend(FORGET);
            if cx.work.is_exhausted() {
                self.ending = Some(ending);
                return;
            }
        }
        while self.early.shed(&mut self.budget) {
            cx.work.spend(FORGET);
            if cx.work.is_exhausted() {
                self.ending = Some(ending);
                return;
            }
        }
        let complete = self.complete_announced && !self.has_losses;
        let by_sender = ending.by_sender;
        cx.events.push_back(Event::SessionClosed { session: self.id, by_sender, complete });
        self.closing = Closing::Closed { packets: 0 };
    }

    /// A closed session goes on: what could not be completed may be now, what was delivered is not delivered again.
    fn resume(&mut self, cx: &mut Context<'_>) {
        cx.events.push_back(Event::SessionOpened(self.id));
        self.closing = Closing::No;
        self.has_losses = false;
        let lost = |tracked: &Tracked| matches!(tracked.reception, Reception::Failed);
        let lost: Vec<Toi> = self.objects.iter().filter(|(_, tracked)| lost(tracked)).map(|(toi, _)| *toi).collect();
        for toi in lost {
            self.begin_again(toi);
        }
    }

    /// The sender of a closed session begins anew: what was received before counts no more. Returns what is to be forgotten
    /// of it.
    pub(super) fn reopen(&mut self, cx: &mut Context<'_>) -> Vec<Toi> {
        cx.events.push_back(Event::SessionOpened(self.id));
        self.completed.clear();
        self.complete_announced = false;
        self.has_losses = false;
        self.closing = Closing::No;
        self.objects
            .iter()
            .filter(|(_, tracked)| tracked.description.is_some() || matches!(tracked.reception, Reception::Failed))
            .map(|(toi, _)| *toi)
            .collect()
    }
}
