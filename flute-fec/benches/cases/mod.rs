// SPDX-License-Identifier: MPL-2.0

//! What is measured: every code at the sizes of interest, ours and those of other crates on the same data.

mod reed_solomon;

/// Size of a symbol in bytes.
pub(crate) const SYMBOL_SIZE: u16 = 1400;

/// Work on one source block.
pub(crate) struct Case {
    /// The code and its shape.
    pub(crate) name: String,
    /// `encode` or `decode`.
    pub(crate) work: &'static str,
    /// Bytes of the source block.
    pub(crate) source_bytes: usize,
    /// Who does it; ours first.
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
    pub(crate) fn new(name: &'static str, run: impl FnMut() + 'static) -> Self {
        Self { name, run: Box::new(run) }
    }
}

/// Makes a case; they are made one after the other, since some are large.
pub(crate) type MakeCase = Box<dyn Fn() -> Case>;

/// All cases.
pub(crate) fn all() -> Vec<MakeCase> {
    reed_solomon::cases().collect()
}

/// Bytes without a pattern.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Some of the numbers below `of`, evenly spread.
pub(crate) fn spread(count: usize, of: usize) -> impl Iterator<Item = usize> + Clone {
    (0..count).map(move |index| (2 * index + 1) * of / (2 * count))
}
