// SPDX-License-Identifier: MPL-2.0

//! One source block while it is sent: the bytes read for it, and its repair symbols in the making.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use flute_fec::SourceBlock;

use super::event::Failure;
use super::packetizer::Packetizer;
use super::source::{FileChanged, Source};
use crate::alc::Flags;
use crate::work::Work;

/// Bytes read from a source at a time.
const READ: usize = 128 << 10;
/// Bytes of source symbols that go into one strip of columns when repair symbols are made: a few tenths of a millisecond.
const STRIP: usize = 512 << 10;
/// What is done at a time to make an encoder ready, in units of [`flute_fec::Work`]: as long as a strip takes, about.
const PREPARATION: u64 = 100_000;
/// A strip has a multiple of so many columns, which is what the codes work on at a time, or, of a block of very many
/// symbols, the width of a cache line.
const COLUMNS: usize = 256;
const MIN_COLUMNS: usize = 64;

/// What a poll may spend on reading and on making repair symbols, in bytes of source symbols: so much that it takes well
/// under a millisecond.
pub(super) fn work_of_a_poll() -> Work {
    Work::new(STRIP as u64)
}

/// How far a step got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is a packet.
    Packet {
        /// Whether it has repair symbols.
        repair: bool,
    },
    /// The source does not have the bytes yet.
    Starved,
    /// The poll has done enough work: the rest is for the next one.
    Busy,
}

/// What a block takes its bytes from.
pub(super) struct Input<'a> {
    source: &'a dyn Source,
    /// The bytes of the source, if they lie in memory.
    memory: Option<&'a [u8]>,
}

impl<'a> Input<'a> {
    pub(super) fn new(source: &'a dyn Source) -> Self {
        // A slice that is not the whole source is a mistake in its implementation, which reading it finds out.
        let memory = source.as_slice().filter(|memory| memory.len() as u64 == source.len());
        Self { source, memory }
    }
}

/// One source block while it is sent.
#[derive(Debug)]
pub(super) struct Block {
    block: SourceBlock,
    source_packets: u32,
    repair_packets: u32,
    /// Packets sent so far.
    sent: u32,
    /// Repair packets follow all source packets, or are spread among them.
    spread: bool,
    window: Window,
    repair: Vec<u8>,
    repair_symbols: u32,
    /// Columns of the repair symbols that are made.
    columns: usize,
}

/// Bytes of the block that were read from a source that does not lie in memory.
#[derive(Debug, Default)]
struct Window {
    /// Where it starts in the block.
    start: usize,
    bytes: Vec<u8>,
}

impl Block {
    pub(super) fn new(block: SourceBlock, packetizer: &Packetizer, spread: bool) -> Self {
        let empty = Self {
            block,
            source_packets: 0,
            repair_packets: 0,
            sent: 0,
            spread,
            window: Window::default(),
            repair: Vec::new(),
            repair_symbols: 0,
            columns: 0,
        };
        empty.reuse(block, packetizer)
    }

    /// Goes over to another block, and keeps the buffers.
    pub(super) fn reuse(mut self, block: SourceBlock, packetizer: &Packetizer) -> Self {
        let (repair_symbols, _) = packetizer.repair(&block);
        self.block = block;
        self.source_packets = packetizer.packets_of(block.symbols);
        self.repair_packets = packetizer.packets_of(repair_symbols);
        self.sent = 0;
        self.window.start = 0;
        self.window.bytes.clear();
        self.repair_symbols = repair_symbols;
        self.columns = 0;
        self
    }

    /// Number of the source block.
    pub(super) fn number(&self) -> u32 {
        self.block.number
    }

    /// Whether all packets were sent.
    pub(super) fn is_done(&self) -> bool {
        self.sent == self.source_packets + self.repair_packets
    }

    /// How many of the first `packets` packets have repair symbols.
    fn repairs_among(&self, packets: u32) -> u32 {
        if self.spread {
            let all = u64::from(self.source_packets + self.repair_packets);
            (u64::from(packets) * u64::from(self.repair_packets) / all.max(1)) as u32
        } else {
            packets.saturating_sub(self.source_packets)
        }
    }

    /// How many packets go before the first one with repair symbols.
    fn lead(&self) -> u32 {
        if !self.spread || self.repair_packets == 0 {
            return self.source_packets;
        }
        (self.source_packets + self.repair_packets).div_ceil(self.repair_packets) - 1
    }

    /// Appends the next packet to `out`.
    pub(super) fn append(
        &mut self,
        packetizer: &Packetizer,
        input: &Input<'_>,
        flags: Flags,
        work: &mut Work,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        let repairs = self.repairs_among(self.sent);
        let repair = self.repairs_among(self.sent + 1) > repairs;
        let progress = if repair {
            self.append_repair(packetizer, input, repairs, flags, work, out)?
        } else {
            self.append_source(packetizer, input, self.sent - repairs, flags, work, out)?
        };
        if matches!(progress, Progress::Packet { .. }) {
            self.sent += 1;
            if self.columns < packetizer.symbol_size() && self.repair_symbols > 0 && !work.is_exhausted() {
                self.keep_pace(packetizer, input, work)?;
            }
        }
        Ok(progress)
    }

    fn append_source(
        &mut self,
        packetizer: &Packetizer,
        input: &Input<'_>,
        packet: u32,
        flags: Flags,
        work: &mut Work,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        let first = packet * packetizer.symbols_per_packet();
        let last = (first + packetizer.symbols_per_packet()).min(self.block.symbols);
        if !packetizer.codec().is_contiguous() {
            return self.append_sub_symbols(packetizer, input, first..last, flags, work, out);
        }
        let size = packetizer.symbol_size();
        let start = first as usize * size;
        let end = (last as usize * size).min(self.block.length as usize);
        let bytes = match input.memory {
            Some(memory) => {
                let offset = self.block.offset as usize;
                &memory[offset + start..offset + end]
            }
            None => {
                if !self.read_to(input.source, start, end, work)? {
                    return Ok(Progress::Starved);
                }
                &self.window.bytes[start - self.window.start..end - self.window.start]
            }
        };
        packetizer.append_header(&self.block, first, flags, out);
        out.extend_from_slice(bytes);
        Ok(Progress::Packet { repair: false })
    }

    /// Source symbols that are scattered over the sub-blocks of their block (RFC 5053 §5.3.1.2, RFC 6330 §4.4.1.2).
    fn append_sub_symbols(
        &mut self,
        packetizer: &Packetizer,
        input: &Input<'_>,
        symbols: Range<u32>,
        flags: Flags,
        work: &mut Work,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        if let Some(progress) = self.read_whole(input, work)? {
            return Ok(progress);
        }
        let block = self.bytes(input);
        packetizer.append_header(&self.block, symbols.start, flags, out);
        for esi in symbols {
            let start = out.len();
            out.resize(start + packetizer.symbol_size(), 0);
            // What pads the end of the object lies behind it, and stays zero.
            for run in packetizer.codec().runs(&self.block, esi).filter(|run| run.length > 0) {
                let from = (run.object_offset - self.block.offset) as usize;
                let to = start + usize::from(run.symbol_offset);
                let length = usize::from(run.length);
                out[to..to + length].copy_from_slice(&block[from..from + length]);
            }
        }
        Ok(Progress::Packet { repair: false })
    }

    fn append_repair(
        &mut self,
        packetizer: &Packetizer,
        input: &Input<'_>,
        packet: u32,
        flags: Flags,
        work: &mut Work,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        let size = packetizer.symbol_size();
        if self.columns < size {
            if let Some(progress) = self.read_whole(input, work)? {
                return Ok(progress);
            }
            while self.columns < size {
                if work.is_exhausted() {
                    return Ok(Progress::Busy);
                }
                self.encode_strip(packetizer, input, work);
            }
        }
        let first = packet * packetizer.symbols_per_packet();
        let last = (first + packetizer.symbols_per_packet()).min(self.repair_symbols);
        packetizer.append_header(&self.block, self.block.symbols + first, flags, out);
        out.extend_from_slice(&self.repair[first as usize * size..last as usize * size]);
        Ok(Progress::Packet { repair: true })
    }

    /// Reads and encodes so much that everything is there when the first repair symbol is due, a little with each
    /// packet: all work of a block is spread over its source symbols. What must be read is read in the first half.
    fn keep_pace(&mut self, packetizer: &Packetizer, input: &Input<'_>, work: &mut Work) -> Result<(), Failure> {
        let lead = self.lead().max(1) as usize;
        let sent = (self.sent as usize).min(lead);
        let size = packetizer.symbol_size();
        let columns = if input.memory.is_some() {
            size * sent / lead
        } else {
            let length = self.block.length as usize;
            let wanted = length.min(length.saturating_mul(2 * sent) / lead);
            if !self.read_to(input.source, 0, wanted, work)? || self.window.bytes.len() < length {
                return Ok(());
            }
            size * (2 * sent).saturating_sub(lead) / lead
        };
        while self.columns < columns && !work.is_exhausted() {
            self.encode_strip(packetizer, input, work);
        }
        Ok(())
    }

    /// Computes the next columns of all repair symbols, or makes the encoder ready for it.
    fn encode_strip(&mut self, packetizer: &Packetizer, input: &Input<'_>, work: &mut Work) {
        let (_, Some(encoder)) = packetizer.repair(&self.block) else { return };
        let encoder = Arc::clone(encoder);
        if encoder.prepare(&mut flute_fec::Work::new(PREPARATION)) == flute_fec::Progress::More {
            work.spend(STRIP as u64);
            return;
        }
        let size = packetizer.symbol_size();
        self.repair.resize(self.repair_symbols as usize * size, 0);
        let alignment = encoder.column_alignment().max(1);
        let wanted = match STRIP / self.block.symbols as usize {
            ..COLUMNS => MIN_COLUMNS,
            columns => columns - columns % COLUMNS,
        };
        let columns = self.columns..(self.columns + wanted.next_multiple_of(alignment)).min(size);
        work.spend(columns.len() as u64 * u64::from(self.block.symbols));
        self.columns = columns.end;
        let mut repair = std::mem::take(&mut self.repair);
        encoder
            .encode(self.bytes(input), columns, 0, &mut repair)
            .expect("the block, the columns and the repair symbols have the sizes of the encoder");
        self.repair = repair;
    }

    /// All bytes of the block, which must have been read.
    fn bytes<'a>(&'a self, input: &Input<'a>) -> &'a [u8] {
        match input.memory {
            Some(memory) => &memory[self.block.offset as usize..(self.block.offset + self.block.length) as usize],
            None => &self.window.bytes,
        }
    }

    /// Reads what is missing of the block; says what is in the way if that does not work now.
    fn read_whole(&mut self, input: &Input<'_>, work: &mut Work) -> Result<Option<Progress>, Failure> {
        if input.memory.is_some() {
            return Ok(None);
        }
        let length = self.block.length as usize;
        while self.window.bytes.len() < length {
            if work.is_exhausted() {
                return Ok(Some(Progress::Busy));
            }
            let next = (self.window.bytes.len() + READ).min(length);
            if !self.read_to(input.source, 0, next, work)? {
                return Ok(Some(Progress::Starved));
            }
        }
        Ok(None)
    }

    /// Has the bytes from `start` to `end` in the window; `false` if the source does not have them yet.
    ///
    /// A block with repair symbols or sub-blocks is read from its beginning, and stays in memory; of any other the window
    /// has only the part that is being sent.
    fn read_to(&mut self, source: &dyn Source, start: usize, end: usize, work: &mut Work) -> Result<bool, Failure> {
        let window = &mut self.window;
        if window.start + window.bytes.len() >= end {
            return Ok(true);
        }
        let length = self.block.length as usize;
        let keep = self.repair_symbols > 0 || start == 0;
        if !keep {
            // What was read beyond `start` moves to the front.
            window.bytes.drain(..(start - window.start).min(window.bytes.len()));
            window.start = start;
        }
        let from = window.start + window.bytes.len();
        let to = end.max((from + READ).min(length));
        let available = source.available().saturating_sub(self.block.offset).min(to as u64) as usize;
        if available < end {
            return Ok(false);
        }
        let filled = window.bytes.len();
        window.bytes.resize(filled + available - from, 0);
        let offset = self.block.offset + from as u64;
        source.read_at(offset, &mut window.bytes[filled..]).map_err(|error| failure(error, offset, source.len()))?;
        work.spend((available - from) as u64);
        Ok(true)
    }
}

/// Why reading at `offset` failed.
pub(super) fn failure(error: io::Error, offset: u64, announced: u64) -> Failure {
    if error.get_ref().is_some_and(|error| error.is::<FileChanged>()) {
        Failure::SourceChanged { sent_again_as: None }
    } else if error.kind() == io::ErrorKind::UnexpectedEof {
        Failure::Truncated { announced }
    } else {
        Failure::Read { offset, error: Arc::new(error) }
    }
}
