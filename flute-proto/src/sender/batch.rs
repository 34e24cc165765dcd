// SPDX-License-Identifier: MPL-2.0

//! What a poll gives out: a run of packets in one allocation.

use crate::Time;

/// What [`Sender::poll`](super::Sender::poll) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// The batch has packets; poll again.
    Packets,
    /// Nothing is due before this time, which may be the time of the poll: then there was so much to do that the next poll
    /// has to go on with it.
    Wait(Time),
    /// There is nothing to send, now or later, unless an object is added or the source of a growing one gets bytes.
    Idle,
    /// The session was finished, and its last packet has been given out.
    Done,
}

/// Packets one after the other in one allocation, all of one size except the last, which may be shorter: what
/// segmentation offload takes as it is, and what cuts into buffers without a copy.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(super) data: Vec<u8>,
    packet_size: usize,
    max_packets: usize,
    pub(super) due: Time,
    /// The last packet is shorter than the others, so that nothing can follow it, or there are as many as wanted.
    is_closed: bool,
}

impl Batch {
    /// An empty batch that takes at most `max_packets` packets at a time.
    pub fn new(max_packets: usize) -> Self {
        Self { max_packets: max_packets.max(1), ..Self::default() }
    }

    /// The packets.
    pub fn packets(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.data.chunks(self.packet_size.max(1))
    }

    /// Number of packets.
    pub fn len(&self) -> usize {
        self.packets().len()
    }

    /// Whether there is no packet.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Size in bytes of each packet but the last, which may be shorter.
    pub fn packet_size(&self) -> usize {
        self.packet_size
    }

    /// When the first packet is to be sent: the time of the poll, unless pacing sets another.
    pub fn due(&self) -> Time {
        self.due
    }

    /// All packets as they lie.
    pub fn as_bytes(&self) -> &[u8] {
        &self.data
    }

    /// Takes the bytes of all packets out; the batch is empty then, and allocates anew when it is filled again.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.data)
    }

    /// Drops all packets, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.data.clear();
        self.packet_size = 0;
        self.is_closed = false;
    }

    /// Reserves memory for `packets` packets of `size` bytes, or as many as the batch takes.
    pub(super) fn reserve(&mut self, size: usize, packets: u64) {
        let packets = usize::try_from(packets).unwrap_or(usize::MAX).min(self.max_packets);
        self.data.reserve(size.saturating_mul(packets));
    }

    /// Whether nothing can be added.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Takes what was appended behind `start` as a packet; `false` if it is longer than those in front of it, and has to
    /// go into another batch.
    fn admit(&mut self, start: usize) -> bool {
        let size = self.data.len() - start;
        if start == 0 {
            self.packet_size = size;
        } else if size > self.packet_size {
            self.is_closed = true;
            return false;
        }
        self.is_closed =
            size < self.packet_size || self.data.len() >= self.packet_size.saturating_mul(self.max_packets);
        true
    }
}

/// A packet that was too long for the batch it was made for, and begins the next one.
#[derive(Debug, Default)]
pub(super) struct PendingPacket {
    packet: Vec<u8>,
    /// When it is due, if there is one.
    due: Option<Time>,
}

impl PendingPacket {
    /// Begins `batch` with the packet, if there is one.
    pub(super) fn begin(&mut self, batch: &mut Batch) {
        if let Some(due) = self.due.take() {
            batch.due = due;
            batch.data.extend_from_slice(&self.packet);
            batch.admit(0);
        }
    }

    /// Leaves what was appended to `batch` behind `start` there as a packet, or keeps it for the next batch if it is too
    /// long.
    pub(super) fn admit(&mut self, batch: &mut Batch, start: usize, due: Time) {
        if !batch.admit(start) {
            self.packet.clear();
            self.packet.extend_from_slice(&batch.data[start..]);
            self.due = Some(due);
            batch.data.truncate(start);
        }
    }
}
