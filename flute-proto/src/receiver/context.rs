// SPDX-License-Identifier: MPL-2.0

//! What a call of the receiver brings along for the session that it concerns.

use std::collections::VecDeque;

use super::ReceiverConfig;
use super::destination::Chooser;
use super::event::Event;
use crate::Time;
use crate::work::Work;

/// What a call needs from outside of the session.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) config: &'a ReceiverConfig,
    pub(super) destinations: &'a mut Chooser,
    pub(super) now: Time,
    pub(super) events: &'a mut VecDeque<Event>,
    /// What may be done in this call.
    pub(super) work: Work,
}

impl Context<'_> {
    /// Does something for at most so much of the work.
    pub(super) fn for_a_turn(&mut self, turn: u64, job: impl FnOnce(&mut Self)) {
        let part = self.work.split(turn);
        let whole = std::mem::replace(&mut self.work, part);
        job(self);
        let part = std::mem::replace(&mut self.work, whole);
        self.work.spend(part.spent());
    }
}
