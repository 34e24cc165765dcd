// SPDX-License-Identifier: MPL-2.0

//! A run of packets in one allocation.

use crate::Time;

/// Packets one after the other in one allocation, all of one size except the last, which may be shorter: what
/// segmentation offload takes as it is, and what cuts into buffers without a copy.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(super) data: Vec<u8>,
    pub(super) packet_size: usize,
    pub(super) max_packets: usize,
    pub(super) due: Time,
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
}
