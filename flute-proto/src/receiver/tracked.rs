// SPDX-License-Identifier: MPL-2.0

//! One TOI of a session: what is said of it, and what has become of it.

use std::hash::{BuildHasher, RandomState};
use std::io;

use super::budget::Budget;
use super::description::Description;
use super::event::Limit;
use super::object::{Object, Outcome};
use crate::Time;
use crate::alc::{Packet, Payload};
use crate::oti::{FecEncodingId, Oti, PayloadId, PayloadIdFormat};

/// Symbols of a completed object that are remembered, at most.
const MAX_MARKS: u64 = 8;

/// A TOI.
#[derive(Debug)]
pub(super) struct Tracked {
    /// Boxed, so that tables of many objects are small.
    pub(super) description: Option<Box<Description>>,
    pub(super) reception: Reception,
    /// That the object failed has been reported, and no news since.
    pub(super) failure_reported: bool,
    /// The object that is described has been delivered.
    pub(super) delivered: bool,
    /// What is charged for the description and for what is remembered of a completed object.
    pub(super) charged: u64,
}

/// What has become of an object.
#[derive(Debug)]
pub(super) enum Reception {
    /// No symbol has arrived, or there is no room, or it is not known how to read the symbols.
    Waiting {
        /// What it did not fit into.
        refused: Option<Limit>,
    },
    /// Symbols are being taken.
    Receiving(Box<Receiving>),
    /// All symbols are there; the digest is being checked, the content decoded.
    Delivering(Option<Marks>),
    /// It has been delivered.
    Completed(Option<Marks>),
    /// It has been reported as failed, and its packets are ignored.
    Failed,
    /// It is not wanted: the mode has no use for it, or a newer version has taken its place.
    Unwanted,
}

/// An object of which symbols have arrived.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) object: Object,
    marks: Marks,
    pub(super) last_symbol: Time,
    /// When so many bytes are there, progress is reported again.
    pub(super) next_progress: u64,
}

impl Tracked {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        Self {
            description: None,
            reception: Reception::Waiting { refused: None },
            failure_reported: false,
            delivered: false,
            charged: 0,
        }
    }

    /// Whether it is being received and described.
    pub(super) fn is_active(&self) -> bool {
        self.description.is_some() && matches!(self.reception, Reception::Receiving(_) | Reception::Delivering(_))
    }

    /// Whether it is described and may still be completed.
    pub(super) fn is_open(&self) -> bool {
        self.description.is_some()
            && matches!(self.reception, Reception::Waiting { .. } | Reception::Receiving(_) | Reception::Delivering(_))
    }
}

impl Receiving {
    /// An object whose first symbol is about to be taken.
    pub(super) fn new(object: Object, now: Time) -> Self {
        let marks = Marks::new(&object);
        let next_progress = progress_step(&object);
        Self { object, marks, last_symbol: now, next_progress }
    }

    /// Takes the symbols of a packet. Those of another scheme than the object's have no place in it: the Codepoint is its
    /// FEC Encoding ID (RFC 6726 §5).
    pub(super) fn take(
        &mut self,
        encoding_id: FecEncodingId,
        payload: Payload<'_>,
        hasher: &RandomState,
        now: Time,
        budget: &mut Budget,
    ) -> io::Result<Outcome> {
        if encoding_id != self.object.oti().encoding_id {
            return Ok(Outcome { unusable: 1, ..Outcome::default() });
        }
        let outcome = self.object.insert(payload, budget)?;
        if outcome.new > 0 {
            self.last_symbol = now;
            self.marks.set(payload, hasher);
        }
        Ok(outcome)
    }

    /// Whether it is time to report progress.
    pub(super) fn is_progress_due(&mut self) -> bool {
        let due = self.object.received() >= self.next_progress;
        if due {
            self.next_progress = self.object.received() + progress_step(&self.object);
        }
        due
    }

    /// The parts that live on when all symbols are there.
    pub(super) fn into_parts(self) -> (Object, Marks) {
        (self.object, self.marks)
    }
}

/// A hundredth of the object, and no less than what a few packets bring.
fn progress_step(object: &Object) -> u64 {
    (object.transfer_length() / 100).max(64 * 1024)
}

/// A few symbols of an object, as hashes: they tell a repetition of it from another object of a restarted sender that
/// uses the TOI again.
#[derive(Debug)]
pub(super) struct Marks {
    oti: Oti,
    format: PayloadIdFormat,
    symbols: Vec<Mark>,
}

#[derive(Debug)]
struct Mark {
    source_block: u32,
    esi: u32,
    /// Length and hash of the symbol, once it was seen.
    seen: Option<(usize, u64)>,
}

impl Marks {
    /// All symbols of a short object, some at regular distances of a longer one.
    fn new(object: &Object) -> Self {
        let codec = object.codec();
        let parameters = codec.parameters();
        let total = parameters.transfer_length.div_ceil(parameters.symbol_size.into());
        let count = total.min(MAX_MARKS);
        // The first block is as long as any.
        let per_block = codec.block(0).map_or(1, |block| u64::from(block.symbols));
        let symbols = (0..count).filter_map(|index| {
            let symbol =
                if count > 1 { (u128::from(index) * u128::from(total - 1) / u128::from(count - 1)) as u64 } else { 0 };
            let block = codec.block((symbol / per_block) as u32)?;
            let esi = (symbol % per_block).min(u64::from(block.symbols) - 1) as u32;
            Some(Mark { source_block: block.number, esi, seen: None })
        });
        Self { oti: object.oti().clone(), format: object.format(), symbols: symbols.collect() }
    }

    /// The FEC OTI of the object.
    pub(super) fn oti(&self) -> &Oti {
        &self.oti
    }

    /// Bytes of memory besides itself.
    pub(super) fn memory_use(&self) -> u64 {
        size_of_val(&self.symbols[..]) as u64
    }

    fn set(&mut self, payload: Payload<'_>, hasher: &RandomState) {
        let Some(id) = self.format.decode(payload.id) else { return };
        let symbol = self.first_symbol(payload);
        if let Some(mark) = self.symbols.iter_mut().find(|mark| mark.is(id))
            && mark.seen.is_none()
        {
            mark.seen = Some((symbol.len(), hasher.hash_one(symbol)));
        }
    }

    /// Whether a packet belongs to another object. A symbol of another length is only damaged.
    pub(super) fn differ(&self, packet: &Packet<'_>, payload: Payload<'_>, hasher: &RandomState) -> bool {
        if packet.oti().is_some_and(|oti| oti.is_ok_and(|oti| oti != self.oti)) {
            return true;
        }
        let Some(id) = self.format.decode(payload.id) else { return false };
        let symbol = self.first_symbol(payload);
        let mark = self.symbols.iter().find(|mark| mark.is(id));
        mark.and_then(|mark| mark.seen)
            .is_some_and(|(length, hash)| length == symbol.len() && hash != hasher.hash_one(symbol))
    }

    fn first_symbol<'a>(&self, payload: Payload<'a>) -> &'a [u8] {
        &payload.symbols[..payload.symbols.len().min(self.oti.parameters.symbol_size.into())]
    }
}

impl Mark {
    fn is(&self, id: PayloadId) -> bool {
        self.source_block == id.source_block && self.esi == id.esi
    }
}
