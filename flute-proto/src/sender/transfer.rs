// SPDX-License-Identifier: MPL-2.0

//! One pass over an object: which symbol of which source block comes next.

use std::time::Duration;

use flute_fec::SourceBlock;

use super::block::{Block, Input, Progress};
use super::event::Failure;
use super::packetizer::Packetizer;
use crate::Time;
use crate::alc::Flags;
use crate::work::Work;

/// Packets of a transfer that is long enough to tell of its progress.
const LONG_TRANSFER: u64 = 1000;

/// The order of the symbols of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    /// Source blocks that are sent side by side, symbol by symbol.
    pub(super) interleave: u32,
    /// Repair symbols are spread among the source symbols of their block.
    pub(super) spread_repair: bool,
}

/// One pass over an object.
///
/// With an interleave of w, blocks 0 to w − 1 take turns; the place of a block that is through is taken by the one w
/// further on.
#[derive(Debug)]
pub(super) struct Transfer {
    blocks: Vec<Block>,
    turn: usize,
    order: Order,
    packets_left: u64,
    packets_sent: u64,
    bytes_sent: u64,
    /// Packets of a hundredth; all of them, in a short transfer.
    hundredth: u64,
    /// When it began and when it is to be over, if it is spread over time.
    span: Option<(Time, Time)>,
}

impl Transfer {
    pub(super) fn new(packetizer: &Packetizer, order: Order) -> Self {
        let interleave = order.interleave.max(1);
        let packets = packetizer.packets();
        let blocks = (0..interleave)
            .map_while(|number| packetizer.codec().block(number))
            .map(|block| Block::new(block, packetizer, order.spread_repair))
            .collect();
        Self {
            blocks,
            turn: 0,
            order: Order { interleave, ..order },
            packets_left: packets,
            packets_sent: 0,
            bytes_sent: 0,
            hundredth: if packets < LONG_TRANSFER { packets } else { packets.div_ceil(100) }.max(1),
            span: None,
        }
    }

    /// Spreads the transfer over the time from `now` to `end`, if there is an end.
    pub(super) fn spread(mut self, now: Time, end: Option<Time>) -> Self {
        self.span = end.map(|end| (now, end));
        self
    }

    /// When the next packet is due in a transfer that is spread over time: each byte has its share of it.
    pub(super) fn next_due(&self, packetizer: &Packetizer) -> Option<Time> {
        let (began, ends) = self.span?;
        let time = ends.since(began).as_nanos();
        let share = time * u128::from(self.bytes_sent) / u128::from(packetizer.bytes().max(1));
        Some(began + Duration::from_nanos(share as u64))
    }

    /// Appends the next packet to `out`. B is set in the last packet of all if `close_object`.
    pub(super) fn append(
        &mut self,
        packetizer: &Packetizer,
        input: &Input<'_>,
        flags: Flags,
        work: &mut Work,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        let start = out.len();
        let flags = Flags { close_object: flags.close_object && self.packets_left == 1, ..flags };
        let progress = match self.blocks.get_mut(self.turn) {
            Some(block) => block.append(packetizer, input, flags, work, out)?,
            None => {
                // An empty object: there is no symbol, but there is a packet that says so.
                let nothing = SourceBlock { number: 0, offset: 0, length: 0, symbols: 0 };
                packetizer.append_header(&nothing, 0, flags, out);
                Progress::Packet { repair: false }
            }
        };
        if let Progress::Packet { .. } = progress {
            self.packets_left -= 1;
            self.packets_sent += 1;
            self.bytes_sent += (out.len() - start) as u64;
            self.pass_on(packetizer);
        }
        Ok(progress)
    }

    /// Moves on to the next block.
    fn pass_on(&mut self, packetizer: &Packetizer) {
        let Some(block) = self.blocks.get(self.turn) else { return };
        if block.is_done() {
            let done = self.blocks.remove(self.turn);
            let next = done.number().checked_add(self.order.interleave);
            match next.and_then(|number| packetizer.codec().block(number)) {
                Some(next) => self.blocks.insert(self.turn, done.reuse(next, packetizer)),
                None => self.turn = self.turn.wrapping_sub(1),
            }
        }
        self.turn = self.turn.wrapping_add(1);
        if self.turn >= self.blocks.len() {
            self.turn = 0;
        }
    }

    /// Whether the last packet was sent.
    pub(super) fn is_done(&self) -> bool {
        self.packets_left == 0
    }

    /// Whether the packet sent last ends another hundredth, but not the transfer.
    pub(super) fn is_milestone(&self) -> bool {
        self.packets_left > 0 && self.packets_sent.is_multiple_of(self.hundredth)
    }

    /// Packets sent so far.
    pub(super) fn packets_sent(&self) -> u64 {
        self.packets_sent
    }

    /// Packets still to be sent.
    pub(super) fn packets_left(&self) -> u64 {
        self.packets_left
    }
}
