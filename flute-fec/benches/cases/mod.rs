// SPDX-License-Identifier: MPL-2.0

//! What is measured: every code at the sizes of interest, ours and those of other crates on the same data.

mod ours;
pub(crate) mod products;
mod raptor;
mod raptorq;
mod reed_solomon;

/// Size of a symbol in bytes.
pub(crate) const SYMBOL_SIZE: usize = 1400;

/// What is done with a source block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Encode,
    Decode,
}

/// Work on one source block.
pub(crate) struct Case {
    /// The code and its shape.
    pub(crate) name: String,
    pub(crate) work: Work,
    /// Bytes of the source block.
    pub(crate) source_bytes: usize,
    pub(crate) contenders: Vec<Contender>,
}

/// A crate that does the work of a [`Case`].
pub(crate) struct Contender {
    /// Name of the crate.
    pub(crate) name: &'static str,
    /// Does it once.
    pub(crate) run: Box<dyn FnMut()>,
}

impl Contender {
    fn new(name: &'static str, run: impl FnMut() + 'static) -> Self {
        Self { name, run: Box::new(run) }
    }
}

/// Makes a case; they are made one after the other, since some are large.
pub(crate) type MakeCase = Box<dyn Fn() -> Case>;

/// All cases; that of decoding follows that of encoding.
pub(crate) fn all() -> impl Iterator<Item = MakeCase> {
    reed_solomon::cases().chain(raptorq::cases()).chain(raptor::cases())
}

/// Bytes without a pattern.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// The source symbols that are lost of a block of `k`: some, evenly spread.
fn lost(count: usize, k: usize) -> Vec<usize> {
    (0..count).map(|index| (2 * index + 1) * k / (2 * count)).collect()
}

/// The source symbols that are not lost.
fn received(count: usize, k: usize) -> Vec<usize> {
    let lost = lost(count, k);
    (0..k).filter(|esi| !lost.contains(esi)).collect()
}
