// SPDX-License-Identifier: MPL-2.0

//! What a session counts: its memory, its packets, and what it dropped.

use std::collections::VecDeque;

use super::budget::Budget;
use super::event::{Event, Limit, SessionId, SessionStats};
use super::object_state::Loss;
use super::reassembly::Outcome;
use crate::work::Work;

/// The memory and the counters of a session.
#[derive(Debug)]
pub(super) struct Ledger {
    session: SessionId,
    pub(super) budget: Budget,
    pub(super) stats: SessionStats,
    reported_limits: Vec<Limit>,
    /// The last FDT Instance that was told to be unusable, and why.
    last_unusable: Option<(u32, String)>,
    wrong_cut: Option<u16>,
    /// An object was lost, and not because a newer one took its place.
    has_losses: bool,
}

impl Ledger {
    pub(super) fn new(session: SessionId, max_memory: u64) -> Self {
        let (budget, stats) = (Budget::new(max_memory), SessionStats::default());
        Self {
            session,
            budget,
            stats,
            reported_limits: Vec::new(),
            last_unusable: None,
            wrong_cut: None,
            has_losses: false,
        }
    }

    /// The session that all this is of.
    pub(super) fn session(&self) -> SessionId {
        self.session
    }

    /// Counts what was dropped because of a limit, and tells once that it was reached.
    pub(super) fn drop_for(&mut self, limit: Limit, dropped: u64, events: &mut VecDeque<Event>) {
        self.stats.dropped += dropped;
        if !self.reported_limits.contains(&limit) {
            self.reported_limits.push(limit);
            events.push_back(Event::LimitReached { session: self.session, limit });
        }
    }

    /// Counts what a packet did.
    pub(super) fn count(&mut self, outcome: &Outcome, work: &mut Work, events: &mut VecDeque<Event>) {
        work.spend(outcome.work());
        self.stats.source_symbols += u64::from(outcome.source);
        self.stats.source_bytes += u64::from(outcome.source_bytes);
        self.stats.repair_symbols += u64::from(outcome.repair);
        self.stats.duplicates += u64::from(outcome.duplicate);
        self.stats.unusable += u64::from(outcome.unusable);
        self.wrong_cut = outcome.wrong_cut;
        if outcome.dropped > 0 {
            self.drop_for(Limit::Memory, outcome.dropped.into(), events);
        }
    }

    /// The size of the symbols of which the last packet had no whole number: nothing of it was taken.
    pub(super) fn take_wrong_cut(&mut self) -> Option<u16> {
        self.wrong_cut.take()
    }

    /// Counts an FDT Instance, or a packet of one, that cannot be used, and tells why, once for all its packets.
    pub(super) fn note_unusable_fdt(&mut self, instance_id: u32, reason: &str, events: &mut VecDeque<Event>) {
        self.stats.unusable += 1;
        self.stats.unusable_fdt += 1;
        if self.last_unusable.as_ref().is_some_and(|(id, last)| (*id, &last[..]) == (instance_id, reason)) {
            return;
        }
        self.last_unusable = Some((instance_id, reason.to_owned()));
        events.push_back(Event::FdtUnusable { session: self.session, instance_id, reason: reason.to_owned() });
    }

    /// Counts a packet that repeats what is complete, with so many repair symbols.
    pub(super) fn count_repeated(&mut self, repair_symbols: u32) {
        self.stats.duplicates += 1;
        self.stats.repair_symbols += u64::from(repair_symbols);
    }

    /// Counts a loss, and tells it.
    pub(super) fn lose(&mut self, loss: Loss, events: &mut VecDeque<Event>) {
        self.stats.failed += 1;
        self.stats.lost_symbols += loss.symbols;
        self.has_losses |= !matches!(loss.reason, super::Failure::Superseded);
        events.push_back(loss.into());
    }

    /// Whether an object was lost since the session was opened.
    pub(super) fn has_losses(&self) -> bool {
        self.has_losses
    }

    /// The session begins anew.
    pub(super) fn forgive_losses(&mut self) {
        self.has_losses = false;
    }
}
