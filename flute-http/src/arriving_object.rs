// SPDX-License-Identifier: MPL-2.0

//! An object of which not all bytes are there: those that have come, from the receiver, from repair or from both.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use flute_proto::content::ContentEncoding;
use flute_proto::content_location::LocationPath;
use flute_proto::lct::Toi;
use flute_proto::receiver::{Content, ObjectInfo};
use rangemap::RangeSet;
use tokio::sync::Notify;

use crate::stored_object::{Piece, StoredObject};

/// Bytes of an object in gzip that is kept as it came, at most.
const LONGEST_GZIP: u64 = 1 << 20;

/// Where bytes are until the object is complete.
#[derive(Debug)]
enum Place {
    /// All up to the last that has come, with zeros for those that have not.
    Memory(Vec<u8>),
    /// A file without a name.
    File(File),
}

#[derive(Debug)]
enum Phase {
    Arriving(Place),
    Complete(Arc<StoredObject>),
    /// It will not be complete.
    Abandoned,
}

/// Who may bring bytes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supplier {
    /// The receiver.
    Receiver,
    /// Repair.
    Repair,
}

#[derive(Debug)]
struct State {
    is_received: bool,
    is_repaired: bool,
    /// Bytes that have come.
    present: RangeSet<u64>,
    /// Those of the object in gzip that have come, where they are [kept](ArrivingObject::keeps_gzip).
    gzip: Vec<u8>,
    phase: Phase,
    /// Since when each request waits that waits for bytes; the first has waited for longest.
    waits: BTreeMap<u64, Instant>,
    next_wait: u64,
}

/// What can be read of an object at present.
#[derive(Debug)]
pub(crate) enum Reading {
    /// These bytes.
    Bytes(Bytes),
    /// All of it, from here.
    Complete(Arc<StoredObject>),
    /// Nothing yet.
    Nothing,
    /// Nothing any more.
    Abandoned,
}

/// An object that is being received or repaired, read by any number of requests meanwhile.
#[derive(Debug)]
pub(crate) struct ArrivingObject {
    info: Arc<ObjectInfo>,
    name: LocationPath,
    length: Option<u64>,
    /// Bytes of it that count as being in memory.
    charged: AtomicU64,
    begun: SystemTime,
    state: Mutex<State>,
    changed: Notify,
}

impl ArrivingObject {
    /// An object whose bytes go into `file`, or into memory.
    pub(crate) fn new(info: Arc<ObjectInfo>, length: Option<u64>, file: Option<File>, supplier: Supplier) -> Self {
        let state = State {
            is_received: supplier == Supplier::Receiver,
            is_repaired: supplier == Supplier::Repair,
            present: RangeSet::new(),
            gzip: Vec::new(),
            phase: Phase::Arriving(file.map_or(Place::Memory(Vec::new()), Place::File)),
            waits: BTreeMap::new(),
            next_wait: 0,
        };
        Self {
            name: LocationPath::of_location(info.location()),
            info,
            length,
            charged: AtomicU64::new(0),
            begun: SystemTime::now(),
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    /// Its name in tables.
    pub(crate) fn name(&self) -> &LocationPath {
        &self.name
    }

    /// So many more bytes count as being in memory.
    pub(crate) fn add_charge(&self, bytes: u64) {
        self.charged.fetch_add(bytes, Ordering::Relaxed);
    }

    /// None of its bytes count any more; returns how many did.
    pub(crate) fn take_charge(&self) -> u64 {
        self.charged.swap(0, Ordering::Relaxed)
    }

    pub(crate) fn info(&self) -> &Arc<ObjectInfo> {
        &self.info
    }

    /// Whether an FDT Instance has described it.
    pub(crate) fn is_described(&self) -> bool {
        self.info.file.toi != Toi::FDT
    }

    /// When it began to come.
    pub(crate) fn begun(&self) -> SystemTime {
        self.begun
    }

    /// How long it will be, where that is announced.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Whether nobody brings bytes of it any more.
    pub(crate) fn is_orphaned(&self) -> bool {
        let state = self.state.lock().unwrap();
        !state.is_received && !state.is_repaired
    }

    /// Whether this one may bring bytes of it.
    pub(crate) fn has_supplier(&self, supplier: Supplier) -> bool {
        let state = self.state.lock().unwrap();
        match supplier {
            Supplier::Receiver => state.is_received,
            Supplier::Repair => state.is_repaired,
        }
    }

    /// This one brings bytes of it from now on, or no more.
    pub(crate) fn set_supplier(&self, supplier: Supplier, brings: bool) {
        let mut state = self.state.lock().unwrap();
        match supplier {
            Supplier::Receiver => state.is_received = brings,
            Supplier::Repair => state.is_repaired = brings,
        }
    }

    /// Whether a request has waited for so long for bytes that do not come, and that repair does not bring.
    pub(crate) fn is_stalled(&self, within: Duration) -> bool {
        let state = self.state.lock().unwrap();
        let is_late = state.waits.values().next().is_some_and(|since| since.elapsed() >= within);
        is_late && !state.is_repaired && !missing(&state, self.length).is_empty()
    }

    /// Whether it can still become complete.
    pub(crate) fn is_arriving(&self) -> bool {
        matches!(self.state.lock().unwrap().phase, Phase::Arriving(_))
    }

    /// Whether it is complete.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state.lock().unwrap().phase, Phase::Complete(_))
    }

    /// Whether none of its bytes has come.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.lock().unwrap().present.is_empty()
    }

    /// The bytes that have not come, where the length is known; none if the object is complete.
    pub(crate) fn missing(&self) -> Vec<Range<u64>> {
        missing(&self.state.lock().unwrap(), self.length)
    }

    /// How many more bytes would be in memory if bytes up to `end` had come.
    pub(crate) fn growth(&self, end: u64) -> u64 {
        match &self.state.lock().unwrap().phase {
            Phase::Arriving(Place::Memory(memory)) => end.saturating_sub(memory.len() as u64),
            _ => 0,
        }
    }

    /// Adds bytes of the receiver. Those that repair has brought already must be the same: who has read some of the one must
    /// not go on with the other.
    pub(crate) fn receive(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let overlaps = {
            let state = self.state.lock().unwrap();
            let range = offset..offset + bytes.len() as u64;
            matches!(state.phase, Phase::Complete(_)) || state.present.overlaps(&range)
        };
        if overlaps {
            self.compare(offset, bytes)?;
        }
        self.write_at(offset, bytes)
    }

    /// Gives the object up if bytes that have come are others than these.
    fn compare(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut there = vec![0; bytes.len()];
        self.read_unchecked(offset, &mut there)?;
        let state = self.state.lock().unwrap();
        let end = offset + bytes.len() as u64;
        let mut common = overlaps(&state.present, offset..end);
        // Of a complete object no ranges are kept.
        if matches!(state.phase, Phase::Complete(_)) {
            common.push(offset..end);
        }
        drop(state);
        let differs = |range: &Range<u64>| {
            let range = (range.start - offset) as usize..(range.end - offset) as usize;
            bytes[range.clone()] != there[range]
        };
        if common.iter().any(differs) {
            self.abandon();
            return Err(io::Error::other("the origin has other bytes than the sender"));
        }
        Ok(())
    }

    /// Adds bytes. Those of an object that is complete are there already.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let end = offset + bytes.len() as u64;
        if self.length().is_some_and(|length| end > length) {
            return Err(io::Error::other("it is longer than announced"));
        }
        match &mut state.phase {
            Phase::Arriving(Place::Memory(memory)) => put(memory, offset as usize, bytes, self.length()),
            Phase::Arriving(Place::File(file)) => file.write_all_at(bytes, offset)?,
            Phase::Complete(_) => return Ok(()),
            Phase::Abandoned => return Err(io::Error::other("it was given up")),
        }
        if !bytes.is_empty() {
            state.present.insert(offset..end);
        }
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Adds those of these bytes that have not come yet, and returns how many they are.
    pub(crate) fn fill(&self, offset: u64, bytes: &[u8]) -> io::Result<u64> {
        let end = offset + bytes.len() as u64;
        let gaps: Vec<Range<u64>> = {
            let state = self.state.lock().unwrap();
            if matches!(state.phase, Phase::Complete(_)) {
                return Ok(0);
            }
            state.present.gaps(&(offset..end)).collect()
        };
        for gap in &gaps {
            self.write_at(gap.start, &bytes[(gap.start - offset) as usize..(gap.end - offset) as usize])?;
        }
        Ok(gaps.iter().map(|gap| gap.end - gap.start).sum())
    }

    /// All bytes have come: `store` makes the object of them that stays.
    pub(crate) fn complete(&self, store: impl FnOnce(Content, Option<Bytes>) -> Arc<StoredObject>) {
        let mut state = self.state.lock().unwrap();
        let gzip = std::mem::take(&mut state.gzip);
        // Where repair has brought the rest it is not whole.
        let gzip = (self.keeps_gzip() && gzip.len() as u64 == self.info.transfer_length).then(|| gzip.into());
        let length = state.present.last().map_or(0, |last| last.end);
        let content = match std::mem::replace(&mut state.phase, Phase::Abandoned) {
            Phase::Arriving(Place::Memory(memory)) => Content::Memory(memory.into()),
            Phase::Arriving(Place::File(file)) => Content::File { file, length },
            phase => {
                state.phase = phase;
                return;
            }
        };
        state.phase = Phase::Complete(store(content, gzip));
        state.present.clear();
        drop(state);
        self.changed.notify_waiters();
    }

    /// Whether what it is in gzip is kept: where its sender sends it so, and it is a manifest or another short text. Media is
    /// not encoded, and a long object would take its memory twice.
    pub(crate) fn keeps_gzip(&self) -> bool {
        let encoding = self.info.file.content_encoding.as_deref().and_then(|name| name.parse().ok());
        encoding == Some(ContentEncoding::Gzip) && self.info.transfer_length <= LONGEST_GZIP
    }

    /// Keeps the next bytes of it in gzip.
    pub(crate) fn take_gzip(&self, bytes: &[u8]) {
        self.state.lock().unwrap().gzip.extend_from_slice(bytes);
    }

    /// It will not be complete.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock().unwrap();
        if matches!(state.phase, Phase::Arriving(_)) {
            state.phase = Phase::Abandoned;
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Fills `buffer` with the bytes from `offset` on, whether they are known to be right or not, with zeros for those that
    /// have not come.
    pub(crate) fn read_unchecked(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.state.lock().unwrap();
        buffer.fill(0);
        match &state.phase {
            Phase::Arriving(Place::Memory(memory)) => {
                let there = memory.get(offset as usize..).unwrap_or_default();
                let length = there.len().min(buffer.len());
                buffer[..length].copy_from_slice(&there[..length]);
            }
            Phase::Arriving(Place::File(file)) => {
                let mut read = 0;
                while read < buffer.len() {
                    match file.read_at(&mut buffer[read..], offset + read as u64)? {
                        0 => break,
                        more => read += more,
                    }
                }
            }
            Phase::Complete(object) => {
                let piece = object.piece(offset, buffer.len())?;
                let bytes = match &piece {
                    Piece::Shared(slice) => slice.as_ref(),
                    Piece::Read(bytes) => bytes,
                };
                buffer[..bytes.len()].copy_from_slice(bytes);
            }
            Phase::Abandoned => return Err(io::Error::other("it was given up")),
        }
        Ok(())
    }

    /// What there is from `offset` on, `length` bytes at most. The last byte is kept back until the object is complete:
    /// only then its digest is known to be right, and an answer without it is recognised as broken off.
    pub(crate) fn read(&self, offset: u64, length: usize) -> io::Result<Reading> {
        let state = self.state.lock().unwrap();
        let place = match &state.phase {
            Phase::Arriving(place) => place,
            Phase::Complete(object) => return Ok(Reading::Complete(object.clone())),
            Phase::Abandoned => return Ok(Reading::Abandoned),
        };
        let present = state.present.get(&offset).map_or(offset, |range| range.end);
        let readable = self.length().map_or(u64::MAX, |length| length.saturating_sub(1)).min(present);
        let bytes = read_place(place, offset, readable, length)?;
        Ok(if bytes.is_empty() { Reading::Nothing } else { Reading::Bytes(bytes) })
    }

    fn begin_wait(&self) -> Waiting<'_> {
        let mut state = self.state.lock().unwrap();
        let number = state.next_wait;
        state.next_wait += 1;
        state.waits.insert(number, Instant::now());
        Waiting { object: self, number }
    }

    /// The same, which is waited for while something of the object comes at least every `timeout`.
    ///
    /// # Errors
    /// The object was abandoned, nothing came in time, or its file cannot be read.
    pub(crate) async fn read_async(&self, offset: u64, length: usize, timeout: Duration) -> io::Result<Reading> {
        let mut waiting = None;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // A change after the look at the state must not be missed.
            changed.as_mut().enable();
            match self.read(offset, length)? {
                Reading::Nothing => {
                    waiting.get_or_insert_with(|| self.begin_wait());
                    tokio::time::timeout(timeout, changed).await.map_err(io::Error::from)?;
                }
                Reading::Abandoned => return Err(io::Error::other("the object is lost")),
                reading => return Ok(reading),
            }
        }
    }
}

/// A wait for bytes that has begun, until this is dropped: a request may be given up at any time.
struct Waiting<'a> {
    object: &'a ArrivingObject,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // A panic elsewhere must not become another one here.
        if let Ok(mut state) = self.object.state.lock() {
            state.waits.remove(&self.number);
        }
    }
}

/// The bytes that have not come; none if the object is complete, or will not be.
fn missing(state: &State, length: Option<u64>) -> Vec<Range<u64>> {
    match &state.phase {
        Phase::Arriving(_) => state.present.gaps(&(0..length.unwrap_or(u64::MAX))).collect(),
        Phase::Complete(_) | Phase::Abandoned => Vec::new(),
    }
}

/// The parts of a range that have come.
fn overlaps(present: &RangeSet<u64>, range: Range<u64>) -> Vec<Range<u64>> {
    let cut = |part: &Range<u64>| part.start.max(range.start)..part.end.min(range.end);
    present.overlapping(&range).map(cut).collect()
}

/// Puts bytes to their place in memory, for which there is space up to `length` once it has to grow.
fn put(memory: &mut Vec<u8>, start: usize, bytes: &[u8], length: Option<u64>) {
    let end = start + bytes.len();
    if end > memory.capacity() {
        let all = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
        memory.reserve_exact((2 * memory.len()).min(all).max(end) - memory.len());
    }
    if end > memory.len() {
        memory.resize(end, 0);
    }
    memory[start..end].copy_from_slice(bytes);
}

/// Bytes from `offset` on, `length` of them at most, and none behind `end`.
fn read_place(place: &Place, offset: u64, end: u64, length: usize) -> io::Result<Bytes> {
    let there = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX).min(length);
    if there == 0 {
        return Ok(Bytes::new());
    }
    match place {
        Place::Memory(memory) => Ok(Bytes::copy_from_slice(&memory[offset as usize..offset as usize + there])),
        Place::File(file) => {
            let mut bytes = vec![0; there];
            file.read_exact_at(&mut bytes, offset)?;
            Ok(bytes.into())
        }
    }
}
