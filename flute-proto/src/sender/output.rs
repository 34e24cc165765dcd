// SPDX-License-Identifier: MPL-2.0

//! The way of packets into batches: at the rate of the session, and counted.

use super::batch::{Batch, PendingPacket};
use super::event::SenderStats;
use super::pacing::{BATCH_TIME, Pacer, Pacing};
use crate::Time;

/// Puts packets into batches.
#[derive(Debug)]
pub(super) struct Output {
    pacer: Pacer,
    pending: PendingPacket,
    stats: SenderStats,
}

impl Output {
    pub(super) fn new(pacing: Pacing, now: Time) -> Self {
        Self { pacer: Pacer::new(pacing, now), pending: PendingPacket::default(), stats: SenderStats::default() }
    }

    /// The rate.
    pub(super) fn pacer(&self) -> &Pacer {
        &self.pacer
    }

    /// Changes the rate.
    pub(super) fn set_pacing(&mut self, pacing: Pacing, now: Time) {
        self.pacer.set(pacing, now);
    }

    /// Counters of the session, to be read and to be added to.
    pub(super) fn stats(&mut self) -> &mut SenderStats {
        &mut self.stats
    }

    /// Counters of the session.
    pub(super) fn counted(&self) -> SenderStats {
        self.stats
    }

    /// Bytes of packets given out so far.
    pub(super) fn bytes(&self) -> u64 {
        self.stats.bytes
    }

    /// Begins a batch, with a packet that was too long for the one before, if there is such.
    pub(super) fn begin(&mut self, batch: &mut Batch) {
        self.pending.begin(batch);
    }

    /// When the next packet may be sent.
    pub(super) fn next(&mut self, now: Time) -> Time {
        self.pacer.next(now)
    }

    /// Reserves memory in an empty batch for `packets` packets of `size` bytes, as far as they will go into it.
    pub(super) fn reserve(&self, batch: &mut Batch, size: usize, packets: u64) {
        batch.reserve(size, packets.min(self.pacer.packets_within(BATCH_TIME, size)));
    }

    /// Takes what was appended to `batch` behind `start` as the next packet.
    pub(super) fn add(&mut self, batch: &mut Batch, start: usize, repair: bool, now: Time) {
        let length = batch.data.len() - start;
        let due = self.pacer.next(now);
        self.pacer.charge(length);
        self.stats.count_packet(length, repair);
        self.pending.admit(batch, start, due);
    }
}
