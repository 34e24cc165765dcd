// SPDX-License-Identifier: MPL-2.0

//! What is remembered of the bytes of an object, to tell a repetition of it from another object under its TOI.

use std::hash::{BuildHasher, RandomState};

use flute_fec::ObjectCodec;

use super::reassembly::{Reassembly, repair_symbols};
use crate::alc::{Packet, Payload};
use crate::oti::{Oti, PayloadId, PayloadIdFormat};

/// Symbols that are remembered, at most.
const MAX_SYMBOLS: u64 = 8;

/// A few symbols of an object, as hashes: they tell a repetition of it from another object of a restarted sender that
/// uses the TOI again.
#[derive(Debug)]
pub(super) struct Fingerprint {
    oti: Oti,
    format: PayloadIdFormat,
    codec: ObjectCodec,
    /// Which symbols are remembered. Every packet is looked for here.
    symbols: Vec<SymbolKey>,
    /// Length and hash of each of them, once it was seen.
    seen: Vec<Option<(usize, u64)>>,
}

/// Source block and ESI of a symbol in one number.
type SymbolKey = u64;

impl Fingerprint {
    /// All symbols of a short object, some at regular distances of a longer one.
    pub(super) fn new(object: &Reassembly) -> Self {
        let codec = object.codec();
        let symbol_size = u64::from(codec.parameters().symbol_size);
        let total = codec.parameters().transfer_length.div_ceil(symbol_size);
        let count = total.min(MAX_SYMBOLS);
        let symbols = (0..count).filter_map(|index| {
            let last = count.max(2) - 1;
            let symbol = (u128::from(index) * u128::from(total - 1) / u128::from(last)) as u64;
            let block = codec.block_of_symbol(symbol)?;
            let esi = (symbol - block.offset / symbol_size) as u32;
            Some(key(block.number, esi))
        });
        let symbols: Vec<_> = symbols.collect();
        let (oti, format, codec) = (object.oti().clone(), object.format(), codec.clone());
        Self { oti, format, codec, seen: vec![None; symbols.len()], symbols }
    }

    /// The FEC OTI of the object.
    pub(super) fn oti(&self) -> &Oti {
        &self.oti
    }

    /// Bytes of memory besides itself.
    pub(super) fn memory_use(&self) -> u64 {
        (size_of_val(&self.symbols[..]) + size_of_val(&self.seen[..])) as u64
    }

    /// Remembers the first symbol of a packet, if it is one of the few.
    pub(super) fn note(&mut self, payload: Payload<'_>, hasher: &RandomState) {
        if let Some(index) = self.index(payload)
            && self.seen[index].is_none()
        {
            let symbol = self.first_symbol(payload);
            self.seen[index] = Some((symbol.len(), hasher.hash_one(symbol)));
        }
    }

    /// Whether a packet belongs to another object. A symbol of another length is only damaged.
    pub(super) fn differs(&self, packet: &Packet<'_>, payload: Payload<'_>, hasher: &RandomState) -> bool {
        if packet.oti().is_some_and(|oti| oti.is_ok_and(|oti| oti != self.oti)) {
            return true;
        }
        let symbol = self.first_symbol(payload);
        self.index(payload)
            .and_then(|index| self.seen[index])
            .is_some_and(|(length, hash)| length == symbol.len() && hash != hasher.hash_one(symbol))
    }

    /// Repair symbols in a packet of the object.
    pub(super) fn repair_symbols(&self, payload: Payload<'_>) -> u32 {
        repair_symbols(&self.codec, self.format, payload)
    }

    /// The place of the first symbol of a packet among those that are remembered.
    fn index(&self, payload: Payload<'_>) -> Option<usize> {
        let PayloadId { source_block, esi, .. } = self.format.decode(payload.id)?;
        let wanted = key(source_block, esi);
        // Without a branch for each: hardly any packet has one of them.
        let found = self.symbols.iter().fold(false, |found, symbol| found | (*symbol == wanted));
        found.then(|| self.symbols.iter().position(|symbol| *symbol == wanted))?
    }

    fn first_symbol<'a>(&self, payload: Payload<'a>) -> &'a [u8] {
        &payload.symbols[..payload.symbols.len().min(self.oti.parameters.symbol_size.into())]
    }
}

fn key(source_block: u32, esi: u32) -> SymbolKey {
    u64::from(source_block) << 32 | u64::from(esi)
}
