// SPDX-License-Identifier: MPL-2.0

//! An object that is being received: its bytes in order, as far as they have come.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flute_proto::content_location::LocationPath;
use flute_proto::receiver::{Content, ObjectInfo};
use tokio::sync::Notify;

use crate::stored_object::StoredObject;

/// Bytes that are reserved before any has come: what is announced is not yet true.
const MAX_RESERVED: u64 = 1 << 20;

/// Where bytes are until the object is complete.
#[derive(Debug)]
enum Place {
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

/// Who brings the bytes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supplier {
    /// The receiver.
    Receiver,
    /// None: the receiver has lost it, and it may be repaired.
    None,
    /// Repair.
    Repair,
}

#[derive(Debug)]
struct State {
    supplier: Supplier,
    /// Bytes that have come, from the start.
    available: u64,
    phase: Phase,
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

/// An object that is being received, read by any number of requests meanwhile.
#[derive(Debug)]
pub(crate) struct ArrivingObject {
    info: Arc<ObjectInfo>,
    name: LocationPath,
    /// Bytes of it that count as being in memory.
    charged: AtomicU64,
    begun: SystemTime,
    state: Mutex<State>,
    changed: Notify,
}

impl ArrivingObject {
    /// An object whose bytes go into `file`, or into memory.
    pub(crate) fn new(info: Arc<ObjectInfo>, file: Option<File>, supplier: Supplier) -> Self {
        let place = match file {
            Some(file) => Place::File(file),
            None => Place::Memory(Vec::with_capacity(info.transfer_length.min(MAX_RESERVED) as usize)),
        };
        let state = State { supplier, available: 0, phase: Phase::Arriving(place) };
        Self {
            name: LocationPath::of_location(info.location()),
            info,
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

    /// When it began to come.
    pub(crate) fn begun(&self) -> SystemTime {
        self.begun
    }

    /// How long it will be, where that is announced.
    pub(crate) fn length(&self) -> Option<u64> {
        let file = &self.info.file;
        let is_encoded = file.content_encoding.is_some();
        file.content_length.or((!is_encoded).then_some(self.info.transfer_length))
    }

    /// Whether its bytes are in memory.
    pub(crate) fn is_in_memory(&self) -> bool {
        matches!(self.state.lock().unwrap().phase, Phase::Arriving(Place::Memory(_)))
    }

    /// Who brings its bytes.
    pub(crate) fn supplier(&self) -> Supplier {
        self.state.lock().unwrap().supplier
    }

    /// Another one brings its bytes from now on.
    pub(crate) fn set_supplier(&self, supplier: Supplier) {
        self.state.lock().unwrap().supplier = supplier;
    }

    /// Bytes that have come, from the start.
    pub(crate) fn available(&self) -> u64 {
        self.state.lock().unwrap().available
    }

    /// Adds bytes that follow those that are there.
    pub(crate) fn append(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        if offset != state.available {
            return Err(io::Error::other("bytes came out of their order"));
        }
        match &mut state.phase {
            Phase::Arriving(Place::Memory(memory)) => memory.extend_from_slice(bytes),
            Phase::Arriving(Place::File(file)) => file.write_all_at(bytes, offset)?,
            Phase::Complete(_) | Phase::Abandoned => return Err(io::Error::other("bytes came after the end")),
        }
        state.available += bytes.len() as u64;
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// All bytes have come: `store` makes the object of them that stays.
    pub(crate) fn complete(&self, store: impl FnOnce(Content) -> Arc<StoredObject>) {
        let mut state = self.state.lock().unwrap();
        let content = match std::mem::replace(&mut state.phase, Phase::Abandoned) {
            Phase::Arriving(Place::Memory(memory)) => Content::Memory(memory.into()),
            Phase::Arriving(Place::File(file)) => Content::File { file, length: state.available },
            phase => {
                state.phase = phase;
                return;
            }
        };
        state.phase = Phase::Complete(store(content));
        drop(state);
        self.changed.notify_waiters();
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

    /// What has come from `offset` on, `length` bytes at most, whether it is known to be right or not.
    pub(crate) fn read_unchecked(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let state = self.state.lock().unwrap();
        let Phase::Arriving(place) = &state.phase else { return Ok(Bytes::new()) };
        read_place(place, offset, state.available, length)
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
        let readable = self.length().map_or(u64::MAX, |length| length.saturating_sub(1)).min(state.available);
        let bytes = read_place(place, offset, readable, length)?;
        Ok(if bytes.is_empty() { Reading::Nothing } else { Reading::Bytes(bytes) })
    }

    /// The same, which is waited for while something comes at least every `timeout`.
    ///
    /// # Errors
    /// The object was abandoned, nothing came in time, or its file cannot be read.
    pub(crate) async fn read_async(&self, offset: u64, length: usize, timeout: Duration) -> io::Result<Reading> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // A change after the look at the state must not be missed.
            changed.as_mut().enable();
            match self.read(offset, length)? {
                Reading::Nothing => tokio::time::timeout(timeout, changed).await.map_err(io::Error::from)?,
                Reading::Abandoned => return Err(io::Error::other("the object is lost")),
                reading => return Ok(reading),
            }
        }
    }
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
