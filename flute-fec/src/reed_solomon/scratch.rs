// SPDX-License-Identifier: MPL-2.0

//! Memory that encoders and decoders work in, kept from one block to the next.

use std::sync::{Mutex, PoisonError};

use super::group::Group;
use super::lagrange::Interpolation;

/// Bytes of a [`Scratch`] beyond which it is not kept.
const KEPT_BYTES: usize = 4 << 20;

/// Memory of one call. What it holds at the start of the next one has no meaning.
pub(super) struct Scratch<M> {
    pub(super) group: Group<M>,
    pub(super) matrix: Interpolation,
    /// Where a [`Chunk`](super::chunk::Chunk) is computed.
    pub(super) chunk: Lines,
    /// Symbols on their way.
    pub(super) symbols: Lines,
    /// Elements of inputs and of outputs, where they need bytes of their own.
    pub(super) spread: [Lines; 2],
    pub(super) inputs: Shelf,
    pub(super) outputs: ShelfMut,
    /// Encoding symbol IDs that are missing, and those of repair symbols that are used.
    pub(super) esis: [Vec<u32>; 2],
    /// Encoding symbol IDs of all repair symbols, and where they are.
    pub(super) repair: Vec<(u32, usize)>,
}

impl<M> Default for Scratch<M> {
    fn default() -> Self {
        Self {
            group: Group::EMPTY,
            matrix: Interpolation::default(),
            chunk: Lines::default(),
            symbols: Lines::default(),
            spread: Default::default(),
            inputs: Shelf::default(),
            outputs: ShelfMut::default(),
            esis: Default::default(),
            repair: Vec::new(),
        }
    }
}

impl<M> Scratch<M> {
    /// About how many bytes it takes.
    fn bytes(&self) -> usize {
        let [first, second] = &self.spread;
        let lines: usize = [&self.chunk, &self.symbols, first, second].iter().map(|lines| lines.bytes.len()).sum();
        lines + self.group.bytes()
    }
}

/// Scratches that are not in use.
pub(super) struct Pool<M>(Mutex<Vec<Scratch<M>>>);

impl<M> Pool<M> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Lends a scratch.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Scratch<M>) -> T) -> T {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = kept().pop().unwrap_or_default();
        let result = work(&mut scratch);
        if scratch.bytes() <= KEPT_BYTES {
            kept().push(scratch);
        }
        result
    }
}

/// Bytes that start with a line of the cache.
#[derive(Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
}

/// Bytes of a line of the cache.
pub(super) const LINE: usize = 64;

impl Lines {
    /// Some bytes.
    pub(super) fn get(&mut self, len: usize) -> &mut [u8] {
        if self.bytes.len() < len + LINE {
            self.bytes.resize(len + LINE, 0);
        }
        // Where no offset can be told, any will do: the bytes are only slower.
        let offset = self.bytes.as_ptr().align_offset(LINE).min(LINE);
        &mut self.bytes[offset..offset + len]
    }

    /// Two strings of bytes.
    pub(super) fn split(&mut self, first: usize, second: usize) -> (&mut [u8], &mut [u8]) {
        let rounded = first.next_multiple_of(LINE);
        let (a, b) = self.get(rounded + second).split_at_mut(rounded);
        (&mut a[..first], b)
    }
}

/// The memory of a list of byte strings.
#[derive(Default)]
pub(super) struct Shelf(Vec<&'static [u8]>);

impl Shelf {
    /// An empty list.
    pub(super) fn take<'a>(&mut self) -> Vec<&'a [u8]> {
        std::mem::take(&mut self.0)
    }

    /// Takes the memory of a list back.
    pub(super) fn put(&mut self, mut list: Vec<&[u8]>) {
        list.clear();
        // Of no element; but its memory stays.
        self.0 = list.into_iter().map(|_| -> &'static [u8] { &[] }).collect();
    }
}

/// The memory of a list of byte strings that can be written.
#[derive(Default)]
pub(super) struct ShelfMut(Vec<&'static mut [u8]>);

impl ShelfMut {
    /// An empty list.
    pub(super) fn take<'a>(&mut self) -> Vec<&'a mut [u8]> {
        std::mem::take(&mut self.0)
    }

    /// Takes the memory of a list back.
    pub(super) fn put(&mut self, mut list: Vec<&mut [u8]>) {
        list.clear();
        self.0 = list.into_iter().map(|_| -> &'static mut [u8] { &mut [] }).collect();
    }
}
