// SPDX-License-Identifier: MPL-2.0

//! Dense matrices over GF(2).

/// Bits of a word.
pub(super) const WORD: usize = 64;

/// A matrix over GF(2), its rows in words.
#[derive(Clone, Debug, Default)]
pub(super) struct BitMatrix {
    words: Vec<u64>,
    stride: usize,
}

impl BitMatrix {
    /// A matrix of zeros.
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        let stride = columns.div_ceil(WORD);
        Self { words: vec![0; rows * stride], stride }
    }

    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> &[u64] {
        &self.words[row * self.stride..][..self.stride]
    }

    #[inline(always)]
    pub(super) fn row_mut(&mut self, row: usize) -> &mut [u64] {
        &mut self.words[row * self.stride..][..self.stride]
    }

    /// The rows before a row, and that row.
    #[inline(always)]
    pub(super) fn split_at_row(&mut self, row: usize) -> (&mut [u64], &mut [u64]) {
        let (before, rest) = self.words.split_at_mut(row * self.stride);
        (before, &mut rest[..self.stride])
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.words)
    }
}

/// Adds a row to a sum.
#[inline(always)]
pub(super) fn add(sum: &mut [u64], row: &[u64]) {
    sum.iter_mut().zip(row).for_each(|(sum, word)| *sum ^= word);
}

#[inline(always)]
pub(super) fn bit(words: &[u64], index: usize) -> bool {
    words[index / WORD] >> (index % WORD) & 1 != 0
}

#[inline(always)]
pub(super) fn set_bit(words: &mut [u64], index: usize) {
    words[index / WORD] |= 1 << (index % WORD);
}

/// Where the ones are, in ascending order.
#[inline(always)]
pub(super) fn ones(words: &[u64]) -> impl Iterator<Item = usize> + '_ {
    words.iter().enumerate().flat_map(|(index, &word)| {
        std::iter::successors(Some(word), |&word| Some(word & word.wrapping_sub(1)))
            .take_while(|&word| word != 0)
            .map(move |word| index * WORD + word.trailing_zeros() as usize)
    })
}
