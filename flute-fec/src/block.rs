// SPDX-License-Identifier: MPL-2.0

//! What every scheme implements: encoding and decoding one source block.
//!
//! All codes here are linear over the bytes of a symbol, so column `c` of every repair symbol depends on column `c` of
//! the source symbols alone. That is why both traits work on ranges of columns: a caller with little time encodes a
//! large block in narrow strips, each of them cheap and in cache.

use std::ops::Range;
use std::sync::Arc;

use crate::{DecodeJob, Progress, Work};

/// Makes the repair symbols of a source block of a certain number of symbols.
///
/// An encoder holds no data of a block, only what the code needs (a generator matrix, a plan), so one encoder serves
/// all blocks of the same shape at the same time.
pub trait BlockEncoder: Send + Sync {
    /// Number of source symbols of the block, k.
    fn source_symbols(&self) -> usize;

    /// Size of a symbol in bytes.
    fn symbol_size(&self) -> usize;

    /// How many repair symbols can be made at most.
    fn max_repair_symbols(&self) -> u32;

    /// Ranges of columns must start at a multiple of this many bytes, and end at one or at the end of the symbol.
    fn column_alignment(&self) -> usize {
        1
    }

    /// Computes `columns` of consecutive repair symbols, the first of which has the encoding symbol ID
    /// `source_symbols() + first_repair`.
    ///
    /// `source` is the block as it lies in the object: `k` symbols one after the other (or sub-block after sub-block,
    /// where the codec is not contiguous). It may be short by less than a symbol, and then counts as padded with zeros. `repair` has room for whole symbols of `symbol_size()` bytes; only
    /// `columns` of each are written, so that calls for all columns together fill it.
    fn encode(
        &self,
        source: &[u8],
        columns: Range<usize>,
        first_repair: u32,
        repair: &mut [u8],
    ) -> Result<(), EncodeError>;

    /// Does what has to be done once, before the first call of [`encode`](Self::encode), which otherwise does it itself:
    /// until it is done, or `work` is spent. Of a block of many symbols that can take long.
    fn prepare(&self, _work: &mut Work) -> Progress {
        Progress::Done
    }
}

/// Rebuilds the missing source symbols of a block.
///
/// Like an encoder, a decoder holds no data of a block.
pub trait BlockDecoder: Send + Sync {
    /// Number of source symbols of the block, k.
    fn source_symbols(&self) -> usize;

    /// Size of a symbol in bytes.
    fn symbol_size(&self) -> usize;

    /// Whether a block with `missing` source symbols and `repair` distinct repair symbols is worth a call of
    /// [`decode`](Self::decode). For an MDS code that is certainty; for Raptor and RaptorQ it is a chance that grows
    /// with each symbol more.
    fn is_solvable(&self, missing: usize, repair: usize) -> bool {
        missing <= repair
    }

    /// Writes the missing source symbols into `block`, which holds `k` whole symbols as they lie in the object, padded
    /// with zeros at its end, those that `present` names at their place. What `block` has in the place of a missing symbol is ignored. `repair` has distinct symbols.
    ///
    /// On an error `block` is as it was in the places that are present; the others are undefined.
    fn decode(&self, block: &mut [u8], present: &Present, repair: &[RepairSymbol<'_>]) -> Result<(), DecodeError>;

    /// Begins what [`decode`](Self::decode) does, to be done in steps. `repair` is the encoding symbol IDs of the repair
    /// symbols.
    fn begin(self: Arc<Self>, present: &Present, repair: &[u32]) -> Result<Box<dyn DecodeJob>, DecodeError>;
}

/// A repair symbol that was received.
#[derive(Clone, Copy, Debug)]
pub struct RepairSymbol<'a> {
    /// Encoding symbol ID; k or above.
    pub esi: u32,
    /// The symbol, `symbol_size()` bytes.
    pub data: &'a [u8],
}

/// Which source symbols of a block are there: a set of encoding symbol IDs below k.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    words: Vec<u64>,
    len: usize,
    count: usize,
}

impl Present {
    /// A set of none of `source_symbols` symbols.
    pub fn new(source_symbols: usize) -> Self {
        Self { words: vec![0; source_symbols.div_ceil(64)], len: source_symbols, count: 0 }
    }

    /// Adds a symbol; `true` if it was not there yet and is below k.
    pub fn insert(&mut self, esi: usize) -> bool {
        if esi >= self.len || self.contains(esi) {
            return false;
        }
        self.words[esi / 64] |= 1 << (esi % 64);
        self.count += 1;
        true
    }

    /// Whether the symbol is there.
    pub fn contains(&self, esi: usize) -> bool {
        esi < self.len && self.words[esi / 64] & (1 << (esi % 64)) != 0
    }

    /// Number of source symbols of the block, k.
    pub fn source_symbols(&self) -> usize {
        self.len
    }

    /// Number of symbols that are there.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of symbols that are missing.
    pub fn missing_count(&self) -> usize {
        self.len - self.count
    }

    /// Bytes of memory that the set takes besides itself.
    pub(crate) fn bytes(&self) -> usize {
        self.words.len() * size_of::<u64>()
    }

    /// The encoding symbol IDs that are missing, in ascending order.
    pub fn missing(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(move |(index, &word)| {
            let mut absent = !word;
            if (index + 1) * 64 > self.len {
                absent &= (1 << (self.len % 64)) - 1;
            }
            std::iter::from_fn(move || {
                let bit = absent.trailing_zeros();
                absent &= absent.wrapping_sub(1);
                (bit < 64).then_some(index * 64 + bit as usize)
            })
        })
    }
}

/// What every encoder checks first.
pub(crate) fn check_encode(
    encoder: &dyn BlockEncoder,
    source: &[u8],
    columns: &Range<usize>,
    first_repair: u32,
    repair: &[u8],
) -> Result<(), EncodeError> {
    let (symbols, symbol_size) = (encoder.source_symbols(), encoder.symbol_size());
    let (min, max) = ((symbols - 1) * symbol_size + 1, symbols * symbol_size);
    if !(min..=max).contains(&source.len()) {
        return Err(EncodeError::SourceLength { actual: source.len(), min, max });
    }
    if !repair.len().is_multiple_of(symbol_size) {
        return Err(EncodeError::RepairLength { actual: repair.len(), symbol_size });
    }
    let (&Range { start, end }, alignment) = (columns, encoder.column_alignment());
    let aligned = start.is_multiple_of(alignment) && (end.is_multiple_of(alignment) || end == symbol_size);
    if start > end || end > symbol_size || !aligned {
        return Err(EncodeError::Columns { start, end, symbol_size, alignment });
    }
    let requested = u64::from(first_repair) + (repair.len() / symbol_size) as u64;
    if requested > encoder.max_repair_symbols().into() {
        return Err(EncodeError::TooManyRepairSymbols { requested, max: encoder.max_repair_symbols() });
    }
    Ok(())
}

/// What every decoder checks of the symbols that there are, for a code with `max_encoding_symbols`.
pub(crate) fn check_symbols(
    source_symbols: usize,
    present: &Present,
    repair: &[u32],
    max_encoding_symbols: u32,
) -> Result<(), DecodeError> {
    if present.source_symbols() != source_symbols {
        return Err(DecodeError::Length { actual: present.source_symbols(), expected: source_symbols });
    }
    // Most often they are in order as they arrived.
    let mut sorted = Vec::new();
    let mut esis = repair;
    if !repair.is_sorted() {
        sorted.extend_from_slice(repair);
        sorted.sort_unstable();
        esis = &sorted;
    }
    if let Some(&esi) = esis.iter().find(|&&esi| (esi as usize) < source_symbols || esi >= max_encoding_symbols) {
        return Err(DecodeError::Esi { esi });
    }
    if let Some(twice) = esis.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(DecodeError::Esi { esi: twice[0] });
    }
    Ok(())
}

/// What every decoder checks of the data of a block.
pub(crate) fn check_data(
    source_symbols: usize,
    symbol_size: usize,
    block: &[u8],
    repair: &[RepairSymbol<'_>],
) -> Result<(), DecodeError> {
    let lengths = repair.iter().map(|symbol| (symbol.data.len(), symbol_size));
    let mut lengths = std::iter::once((block.len(), source_symbols * symbol_size)).chain(lengths);
    match lengths.find(|(actual, expected)| actual != expected) {
        Some((actual, expected)) => Err(DecodeError::Length { actual, expected }),
        None => Ok(()),
    }
}

/// The repair symbols that a job began with, out of those that a step is given.
pub(crate) fn begun_with<'a, 'b>(
    esis: &[u32],
    repair: &'a [RepairSymbol<'b>],
) -> Result<&'a [RepairSymbol<'b>], DecodeError> {
    let too_few = DecodeError::Length { actual: repair.len(), expected: esis.len() };
    let repair = repair.get(..esis.len()).ok_or(too_few)?;
    match repair.iter().zip(esis).find(|(symbol, esi)| symbol.esi != **esi) {
        Some((symbol, _)) => Err(DecodeError::Esi { esi: symbol.esi }),
        None => Ok(repair),
    }
}

/// Why repair symbols could not be made. Each is a mistake of the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The source block does not have the length that belongs to k symbols.
    #[error("source block of {actual} bytes: {min} to {max} are needed")]
    SourceLength {
        /// Bytes that were given.
        actual: usize,
        /// Bytes needed at least: all symbols but the last, and one byte.
        min: usize,
        /// Bytes allowed at most: k symbols.
        max: usize,
    },
    /// The room for repair symbols is not a multiple of the symbol size.
    #[error("room of {actual} bytes for repair symbols of {symbol_size}")]
    RepairLength {
        /// Bytes that were given.
        actual: usize,
        /// Size of a symbol.
        symbol_size: usize,
    },
    /// The range of columns is not inside the symbol, or not aligned.
    #[error("columns {start}..{end} of a symbol of {symbol_size} bytes aligned to {alignment}")]
    Columns {
        /// First column.
        start: usize,
        /// One past the last column.
        end: usize,
        /// Size of a symbol.
        symbol_size: usize,
        /// What ranges are aligned to.
        alignment: usize,
    },
    /// More repair symbols are asked for than the code has.
    #[error("repair symbol {requested} of a code with {max}")]
    TooManyRepairSymbols {
        /// Index of the last repair symbol that was asked for, plus one.
        requested: u64,
        /// How many there are.
        max: u32,
    },
}

/// Why a block could not be rebuilt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The symbols do not suffice: more are needed.
    #[error("the {repair} repair symbols do not rebuild the {missing} missing source symbols")]
    NotEnoughSymbols {
        /// Source symbols that are missing.
        missing: usize,
        /// Repair symbols that were given.
        repair: usize,
    },
    /// The block, the set of present symbols or a repair symbol does not have the length that belongs to the code.
    #[error("a length of {actual} where the code has {expected}")]
    Length {
        /// What was given.
        actual: usize,
        /// What belongs to the code.
        expected: usize,
    },
    /// An encoding symbol ID that is not one of a repair symbol of this code, or is given twice.
    #[error("encoding symbol ID {esi} is not a repair symbol of this block, or is given twice")]
    Esi {
        /// The encoding symbol ID.
        esi: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn present_lists_what_is_missing() {
        let mut present = Present::new(130);
        for esi in (0..130).filter(|esi| ![0, 63, 64, 129].contains(esi)) {
            assert!(present.insert(esi));
            assert!(!present.insert(esi));
        }
        assert!(!present.insert(130));
        assert_eq!(present.missing().collect::<Vec<_>>(), [0, 63, 64, 129]);
        assert_eq!((present.count(), present.missing_count()), (126, 4));
        assert_eq!(Present::new(128).missing().count(), 128);
        assert_eq!(Present::new(0).missing().count(), 0);
    }
}
