// SPDX-License-Identifier: MPL-2.0

//! One source block with the repair symbols that arrived for it, and the work of rebuilding what it lacks, which goes on
//! from call to call.

use std::fmt;
use std::io;

use flute_fec::{DecodeJob, ObjectCodec, Present, Progress, SourceBlock};

use super::budget::Budget;
use super::repair::RepairSymbols;
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
pub(super) struct Unsolved {
    pub(super) repair: RepairSymbols,
    /// It is lined up to be decoded.
    pub(super) is_queued: bool,
    attempt: Option<Attempt>,
}

/// An attempt at a block.
struct Attempt {
    job: Box<dyn DecodeJob>,
    /// The source symbols that were there when it began.
    present: Present,
    /// The block, where the object is in a spool file.
    copy: Option<Copy>,
    /// Bytes of the copy.
    copied: u64,
    /// Bytes of memory that are charged for the job and the copy.
    charged: u64,
    /// Units of decoding so far.
    spent: u64,
    is_decoded: bool,
}

/// A block out of a spool file, and back into it.
struct Copy {
    bytes: Vec<u8>,
    /// Bytes that have been read.
    loaded: usize,
    /// Source symbols before this one have been written back if they were missing.
    stored: u32,
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

impl Unsolved {
    pub(super) fn new(repair: RepairSymbols) -> Self {
        Self { repair, is_queued: false, attempt: None }
    }

    /// Bytes of memory that are charged.
    pub(super) fn memory_use(&self) -> u64 {
        self.repair.memory_use() + self.attempt.as_ref().map_or(0, |attempt| attempt.charged)
    }

    /// Goes on with decoding `block`, which begins in `store` and of which those symbols are there that `present` says.
    pub(super) fn proceed(
        &mut self,
        (block, codec): (&SourceBlock, &ObjectCodec),
        present: impl FnOnce() -> Present,
        max_work: u64,
        store: &mut Store,
        budget: &mut Budget,
        work: &mut Work,
    ) -> io::Result<Solved> {
        let length = block.symbols as usize * usize::from(codec.parameters().symbol_size);
        let attempt = match &mut self.attempt {
            Some(attempt) => attempt,
            None => {
                let present = present();
                work.spend(SYMBOL * (u64::from(block.symbols) + self.repair.len() as u64));
                let Ok(job) = self.repair.begin(&present) else {
                    self.repair.note_failure(&present);
                    return Ok(Solved::Not);
                };
                let is_spooled = store.slice_mut(block.offset, length).is_none();
                let copied = if is_spooled { length as u64 } else { 0 };
                if budget.charge(copied).is_err() {
                    self.repair.note_price(&present);
                    return Ok(Solved::OverBudget);
                }
                let copy = is_spooled.then(|| Copy { bytes: vec![0; length], loaded: 0, stored: 0 });
                let (charged, spent, is_decoded) = (copied, 0, false);
                self.attempt.insert(Attempt { job, present, copy, copied, charged, spent, is_decoded })
            }
        };
        let limits = (max_work, &self.repair);
        let solved = match (attempt.copy.take(), store.slice_mut(block.offset, length)) {
            (Some(mut copy), _) => {
                let solved = attempt.decode_copy(&mut copy, (block, codec), limits, store, budget, work)?;
                attempt.copy = Some(copy);
                solved
            }
            (None, Some(bytes)) => attempt.decode(bytes, limits, budget, work),
            (None, None) => Solved::Not,
        };
        if solved != Solved::NotYet
            && let Some(attempt) = self.attempt.take()
        {
            budget.release(attempt.charged);
            match solved {
                Solved::Not => self.repair.note_failure(&attempt.present),
                Solved::TooExpensive | Solved::OverBudget => self.repair.note_price(&attempt.present),
                Solved::NotYet | Solved::All => {}
            }
        }
        Ok(solved)
    }
}

impl Attempt {
    /// Goes on with the job, in the block as it lies in `bytes`.
    fn decode(
        &mut self,
        bytes: &mut [u8],
        (max_work, repair): (u64, &RepairSymbols),
        budget: &mut Budget,
        work: &mut Work,
    ) -> Solved {
        let symbols = repair.symbols();
        work.spend(SYMBOL * symbols.len() as u64);
        let mut units = flute_fec::Work::new(work.left() / UNIT + 1);
        let before = units.left();
        let progress = self.job.step(bytes, &symbols, &mut units);
        let spent = before - units.left();
        work.spend(UNIT * spent);
        self.spent += spent;
        let held = self.job.memory_use() as u64;
        match progress {
            Ok(Progress::Done) => return Solved::All,
            Err(_) => return Solved::Not,
            Ok(Progress::More) if self.spent > max_work => return Solved::TooExpensive,
            Ok(Progress::More) => {}
        }
        let copy = self.copied;
        if held + copy > self.charged && budget.charge(held + copy - self.charged).is_err() {
            return Solved::OverBudget;
        }
        self.charged = self.charged.max(held + copy);
        Solved::NotYet
    }

    /// Goes on with reading the block, decoding it, and writing back what it lacked.
    fn decode_copy(
        &mut self,
        copy: &mut Copy,
        (block, codec): (&SourceBlock, &ObjectCodec),
        limits: (u64, &RepairSymbols),
        store: &mut Store,
        budget: &mut Budget,
        work: &mut Work,
    ) -> io::Result<Solved> {
        while copy.loaded < copy.bytes.len() {
            if work.is_exhausted() {
                return Ok(Solved::NotYet);
            }
            let end = copy.bytes.len().min(copy.loaded + PIECE);
            store.read(block.offset + copy.loaded as u64, &mut copy.bytes[copy.loaded..end])?;
            work.spend(CALL + BYTE * (end - copy.loaded) as u64);
            copy.loaded = end;
        }
        if !self.is_decoded {
            let solved = self.decode(&mut copy.bytes, limits, budget, work);
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
                    store.write(run.object_offset, &copy.bytes[start..start + usize::from(run.length)])?;
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
