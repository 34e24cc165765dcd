// SPDX-License-Identifier: MPL-2.0

//! One source block with the repair symbols that arrived for it, and the work of rebuilding what it lacks, which goes on
//! from call to call.

use std::fmt;
use std::io;

use flute_fec::{DecodeJob, ObjectCodec, Present, Progress, SourceBlock};

use super::budget::{Budget, Buffer, OverBudget};
use super::repair_symbols::RepairSymbols;
use super::store::Store;
use crate::work::Work;

/// Work of a unit of decoding.
const UNIT: u64 = 4;
/// Work of a symbol that is looked up, whether it is decoded or not.
const SYMBOL: u64 = 10;
/// Work of a byte that is read from a file or written to it, and of the call for it.
const BYTE: u64 = 1;
const CALL: u64 = 2000;
/// Bytes that are read of a spool file at a time.
const PIECE: usize = 64 * 1024;

/// A block that waits for symbols, or is being decoded.
#[derive(Debug)]
pub(super) struct IncompleteBlock {
    repair: RepairSymbols,
    /// It is lined up to be decoded.
    is_queued: bool,
    attempt: Option<Attempt>,
}

/// An attempt at a block.
struct Attempt {
    job: Box<dyn DecodeJob>,
    /// The source symbols that were there when it began.
    present: Present,
    /// The block, where the object is in a file.
    copy: Option<BlockCopy>,
    /// Bytes of memory that are charged for the job.
    charged: u64,
    /// Units of decoding so far.
    spent: u64,
    is_decoded: bool,
}

/// A block out of a file, and back into it.
struct BlockCopy {
    bytes: Buffer,
    /// Bytes that have been read.
    loaded: usize,
    /// Source symbols before this one have been written back if they were missing.
    stored: u32,
}

/// A block to decode, where it lies, and what that may take.
#[derive(Debug)]
pub(super) struct DecodeContext<'a> {
    pub(super) block: &'a SourceBlock,
    pub(super) codec: &'a ObjectCodec,
    /// Where its source symbols are.
    pub(super) store: &'a mut Store,
    /// Units of decoding for the whole attempt.
    pub(super) max_work: u64,
    pub(super) budget: &'a mut Budget,
    pub(super) work: &'a mut Work,
}

/// What has become of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Solved {
    /// It is to be gone on with.
    NotYet,
    /// Every source symbol is there.
    All,
    /// It takes more symbols.
    Not,
    /// It would take more work than one block may.
    TooExpensive,
    /// There is no memory for it.
    OverBudget,
}

impl IncompleteBlock {
    pub(super) fn new(repair: RepairSymbols) -> Self {
        Self { repair, is_queued: false, attempt: None }
    }

    /// The repair symbols that are there.
    pub(super) fn repair(&self) -> &RepairSymbols {
        &self.repair
    }

    /// Keeps a repair symbol; `false` if it is there, or no symbol of the code.
    pub(super) fn insert(&mut self, esi: u32, symbol: &[u8], budget: &mut Budget) -> Result<bool, OverBudget> {
        self.repair.insert(esi, symbol, budget)
    }

    /// Lines the block up to be decoded, if that is worth an attempt now that it lacks `missing` source symbols, and it is
    /// not lined up. `true` then.
    pub(super) fn line_up(&mut self, missing: usize) -> bool {
        let is_new = !self.is_queued && self.repair.is_solvable(missing);
        self.is_queued |= is_new;
        is_new
    }

    /// Gives back what is charged.
    pub(super) fn discard(mut self, budget: &mut Budget) {
        self.end_attempt(budget);
        budget.release(self.repair.memory_use());
    }

    fn end_attempt(&mut self, budget: &mut Budget) -> Option<Present> {
        let attempt = self.attempt.take()?;
        budget.release(attempt.charged);
        if let Some(copy) = attempt.copy {
            budget.give_back(copy.bytes);
        }
        Some(attempt.present)
    }

    /// Goes on with decoding the block, of which those source symbols are there that `present` says.
    pub(super) fn proceed(
        &mut self,
        present: impl FnOnce() -> Present,
        cx: &mut DecodeContext<'_>,
    ) -> io::Result<Solved> {
        let solved = self.attempt(present, cx);
        self.is_queued = matches!(solved, Ok(Solved::NotYet));
        if self.is_queued {
            return solved;
        }
        if let (Some(present), Ok(solved)) = (self.end_attempt(cx.budget), &solved) {
            match solved {
                Solved::Not => self.repair.note_failure(&present),
                Solved::TooExpensive | Solved::OverBudget => self.repair.note_price(&present),
                Solved::NotYet | Solved::All => {}
            }
        }
        solved
    }

    fn attempt(&mut self, present: impl FnOnce() -> Present, cx: &mut DecodeContext<'_>) -> io::Result<Solved> {
        let length = cx.block.symbols as usize * usize::from(cx.codec.parameters().symbol_size);
        let attempt = match &mut self.attempt {
            Some(attempt) => attempt,
            None => {
                let present = present();
                cx.work.spend(SYMBOL * (u64::from(cx.block.symbols) + self.repair.len() as u64));
                let Ok(job) = self.repair.begin(&present) else {
                    self.repair.note_failure(&present);
                    return Ok(Solved::Not);
                };
                let copy = match cx.store.block_mut(cx.block, length, cx.budget) {
                    Ok(Some(_)) => Ok(None),
                    Ok(None) => cx.budget.buffer(length).map(|bytes| Some(BlockCopy { bytes, loaded: 0, stored: 0 })),
                    Err(OverBudget) => Err(OverBudget),
                };
                let Ok(copy) = copy else {
                    self.repair.note_price(&present);
                    return Ok(Solved::OverBudget);
                };
                self.attempt.insert(Attempt { job, present, copy, charged: 0, spent: 0, is_decoded: false })
            }
        };
        if let Some(mut copy) = attempt.copy.take() {
            let solved = attempt.decode_copy(&mut copy, &self.repair, cx);
            attempt.copy = Some(copy);
            return solved;
        }
        let solved = match cx.store.block_mut(cx.block, length, cx.budget) {
            Ok(Some(bytes)) => attempt.decode(bytes, &self.repair, cx.max_work, cx.work),
            Ok(None) | Err(OverBudget) => return Ok(Solved::Not),
        };
        Ok(attempt.charge(solved, cx.budget))
    }
}

impl Attempt {
    /// Goes on with the job, in the block as it lies in `bytes`.
    fn decode(&mut self, bytes: &mut [u8], repair: &RepairSymbols, max_work: u64, work: &mut Work) -> Solved {
        let symbols = repair.symbols();
        work.spend(SYMBOL * symbols.len() as u64);
        let mut units = flute_fec::Work::new(work.left() / UNIT + 1);
        let before = units.left();
        let progress = self.job.step(bytes, &symbols, &mut units);
        let spent = before - units.left();
        work.spend(UNIT * spent);
        self.spent += spent;
        match progress {
            Ok(Progress::Done) => Solved::All,
            Err(_) => Solved::Not,
            Ok(Progress::More) if self.spent > max_work => Solved::TooExpensive,
            Ok(Progress::More) => Solved::NotYet,
        }
    }

    /// Charges what the job has come to hold, if it is to be gone on with.
    fn charge(&mut self, solved: Solved, budget: &mut Budget) -> Solved {
        let held = self.job.memory_use() as u64;
        if solved == Solved::NotYet && held > self.charged {
            if budget.charge(held - self.charged).is_err() {
                return Solved::OverBudget;
            }
            self.charged = held;
        }
        solved
    }

    /// Goes on with reading the block, decoding it, and writing back what it lacked.
    fn decode_copy(
        &mut self,
        copy: &mut BlockCopy,
        repair: &RepairSymbols,
        cx: &mut DecodeContext<'_>,
    ) -> io::Result<Solved> {
        let DecodeContext { block, codec, store, max_work, budget, work } = cx;
        while copy.loaded < copy.bytes.len() {
            if work.is_exhausted() {
                return Ok(Solved::NotYet);
            }
            let end = copy.bytes.len().min(copy.loaded + PIECE);
            store.read(block.offset + copy.loaded as u64, &mut copy.bytes[copy.loaded..end], budget)?;
            work.spend(CALL + BYTE * (end - copy.loaded) as u64);
            copy.loaded = end;
        }
        if !self.is_decoded {
            // What pads the last symbol of the object is zero, whatever follows it in the file.
            copy.bytes[block.length as usize..].fill(0);
            let solved = self.decode(&mut copy.bytes, repair, *max_work, work);
            let solved = self.charge(solved, budget);
            if solved != Solved::All {
                return Ok(solved);
            }
            self.is_decoded = true;
        }
        while copy.stored < block.symbols {
            if work.is_exhausted() {
                return Ok(Solved::NotYet);
            }
            if !self.present.contains(copy.stored as usize) {
                for run in codec.runs(block, copy.stored) {
                    let start = (run.object_offset - block.offset) as usize;
                    let bytes = &copy.bytes[start..start + usize::from(run.length)];
                    store.write(block, run.object_offset, bytes, budget).map_err(io::Error::from)?;
                    work.spend(CALL + BYTE * u64::from(run.length));
                }
            }
            copy.stored += 1;
        }
        Ok(Solved::All)
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("charged", &self.charged).field("spent", &self.spent).finish_non_exhaustive()
    }
}
