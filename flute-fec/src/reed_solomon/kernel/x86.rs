// SPDX-License-Identifier: MPL-2.0

//! The kernels for x86-64.

use std::arch::x86_64::*;
use std::is_x86_feature_detected as detected;

use super::Map;
use super::scalar::Nibbles;
use super::tile::{Lanes, Vector, vector_kernel};

/// A linear map as the matrix of 8 x 8 bits of `GF2P8AFFINEQB`: byte 7 − i is the row of bit i of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct BitMatrix(u64);

impl Map for BitMatrix {
    const ZERO: Self = Self(0);

    fn from_images(images: [u8; 8]) -> Self {
        let row = |i: usize| images.iter().enumerate().fold(0, |row, (bit, image)| row | (image >> i & 1) << bit);
        Self(u64::from_be_bytes(std::array::from_fn(row)))
    }

    #[inline(always)]
    fn sum(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }
}

/// In each 16 bytes, those of even position in front of those of odd position.
const SPLIT: [i8; 16] = [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15];
/// The inverse of [`SPLIT`].
const JOIN: [i8; 16] = [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15];

/// A constant of 16 bytes.
#[inline(always)]
unsafe fn constant(bytes: &[i8; 16]) -> __m128i {
    // SAFETY: the reference is to 16 bytes.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

// SAFETY: every load and store is of WIDTH bytes, or masked to `len` of them.
unsafe impl Vector for __m512i {
    const WIDTH: usize = 64;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the instructions are there.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller vouches for 64 bytes.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller vouches for 64 bytes.
        unsafe { _mm512_storeu_si512(to.cast(), self) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: the instructions are there.
        unsafe { _mm512_xor_si512(self, other) }
    }

    #[inline(always)]
    unsafe fn load_partial(from: *const u8, len: usize) -> Self {
        // SAFETY: a masked load touches no byte whose bit is not set.
        unsafe { _mm512_maskz_loadu_epi8(first_bits(len), from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, to: *mut u8, len: usize) {
        // SAFETY: a masked store touches no byte whose bit is not set.
        unsafe { _mm512_mask_storeu_epi8(to.cast(), first_bits(len), self) }
    }

    #[inline(always)]
    unsafe fn split(a: Self, b: Self) -> (Self, Self) {
        // SAFETY: the instructions are there.
        unsafe {
            let order = _mm512_broadcast_i32x4(constant(&SPLIT));
            let (a, b) = (_mm512_shuffle_epi8(a, order), _mm512_shuffle_epi8(b, order));
            (_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b))
        }
    }

    #[inline(always)]
    unsafe fn join(even: Self, odd: Self) -> (Self, Self) {
        // SAFETY: the instructions are there.
        unsafe {
            let order = _mm512_broadcast_i32x4(constant(&JOIN));
            let (a, b) = (_mm512_unpacklo_epi64(even, odd), _mm512_unpackhi_epi64(even, odd));
            (_mm512_shuffle_epi8(a, order), _mm512_shuffle_epi8(b, order))
        }
    }
}

/// A mask of the first `len` of 64 bytes.
#[inline(always)]
fn first_bits(len: usize) -> u64 {
    if len >= 64 { u64::MAX } else { (1 << len) - 1 }
}

// SAFETY: every load and store is of WIDTH bytes.
unsafe impl Vector for __m256i {
    const WIDTH: usize = 32;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the instructions are there.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller vouches for 32 bytes.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller vouches for 32 bytes.
        unsafe { _mm256_storeu_si256(to.cast(), self) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: the instructions are there.
        unsafe { _mm256_xor_si256(self, other) }
    }

    #[inline(always)]
    unsafe fn split(a: Self, b: Self) -> (Self, Self) {
        // SAFETY: the instructions are there.
        unsafe {
            let order = _mm256_broadcastsi128_si256(constant(&SPLIT));
            let (a, b) = (_mm256_shuffle_epi8(a, order), _mm256_shuffle_epi8(b, order));
            (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b))
        }
    }

    #[inline(always)]
    unsafe fn join(even: Self, odd: Self) -> (Self, Self) {
        // SAFETY: the instructions are there.
        unsafe {
            let order = _mm256_broadcastsi128_si256(constant(&JOIN));
            let (a, b) = (_mm256_unpacklo_epi64(even, odd), _mm256_unpackhi_epi64(even, odd));
            (_mm256_shuffle_epi8(a, order), _mm256_shuffle_epi8(b, order))
        }
    }
}

// SAFETY: every load and store is of WIDTH bytes.
unsafe impl Vector for __m128i {
    const WIDTH: usize = 16;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the instructions are there.
        unsafe { _mm_setzero_si128() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller vouches for 16 bytes.
        unsafe { _mm_loadu_si128(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller vouches for 16 bytes.
        unsafe { _mm_storeu_si128(to.cast(), self) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: the instructions are there.
        unsafe { _mm_xor_si128(self, other) }
    }

    #[inline(always)]
    unsafe fn split(a: Self, b: Self) -> (Self, Self) {
        // SAFETY: the instructions are there.
        unsafe {
            let (a, b) = (_mm_shuffle_epi8(a, constant(&SPLIT)), _mm_shuffle_epi8(b, constant(&SPLIT)));
            (_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b))
        }
    }

    #[inline(always)]
    unsafe fn join(even: Self, odd: Self) -> (Self, Self) {
        // SAFETY: the instructions are there.
        unsafe {
            let (a, b) = (_mm_unpacklo_epi64(even, odd), _mm_unpackhi_epi64(even, odd));
            (_mm_shuffle_epi8(a, constant(&JOIN)), _mm_shuffle_epi8(b, constant(&JOIN)))
        }
    }
}

vector_kernel! {
    /// 64 bytes at a time, one `VGF2P8AFFINEQB` per product.
    Avx512Gfni, BitMatrix, detected, "avx512f", "avx512bw", "gfni"
}

// SAFETY: no memory is touched but the maps that are borrowed.
unsafe impl Lanes for Avx512Gfni {
    type Vector = __m512i;
    type Maps = [__m512i; 2];
    type Operand = __m512i;

    // Of 32 registers; four operands and some maps need one, too.
    const SUMS: usize = 16;

    #[inline(always)]
    unsafe fn maps(maps: &[BitMatrix; 2]) -> [__m512i; 2] {
        // SAFETY: the instructions are there.
        unsafe { [_mm512_set1_epi64(maps[0].0 as i64), _mm512_set1_epi64(maps[1].0 as i64)] }
    }

    #[inline(always)]
    unsafe fn operand(vector: __m512i) -> __m512i {
        vector
    }

    #[inline(always)]
    unsafe fn product(map: &BitMatrix, operand: __m512i) -> __m512i {
        // SAFETY: the instructions are there.
        unsafe { _mm512_gf2p8affine_epi64_epi8::<0>(operand, _mm512_set1_epi64(map.0 as i64)) }
    }

    #[inline(always)]
    unsafe fn add_products(sum: __m512i, maps: [__m512i; 2], first: __m512i, second: __m512i) -> __m512i {
        // SAFETY: the instructions are there.
        unsafe {
            let first = _mm512_gf2p8affine_epi64_epi8::<0>(first, maps[0]);
            let second = _mm512_gf2p8affine_epi64_epi8::<0>(second, maps[1]);
            // 0x96 is the truth table of the exclusive or of three.
            _mm512_ternarylogic_epi64::<0x96>(sum, first, second)
        }
    }
}

vector_kernel! {
    /// 32 bytes at a time, one `VGF2P8AFFINEQB` per product.
    Avx2Gfni, BitMatrix, detected, "avx2", "gfni"
}

// SAFETY: no memory is touched but the maps that are borrowed.
unsafe impl Lanes for Avx2Gfni {
    type Vector = __m256i;
    type Maps = [__m256i; 2];
    type Operand = __m256i;

    // Of 16 registers; up to four operands and some maps need one, too.
    const SUMS: usize = 8;

    #[inline(always)]
    unsafe fn maps(maps: &[BitMatrix; 2]) -> [__m256i; 2] {
        // SAFETY: the instructions are there.
        unsafe { [_mm256_set1_epi64x(maps[0].0 as i64), _mm256_set1_epi64x(maps[1].0 as i64)] }
    }

    #[inline(always)]
    unsafe fn operand(vector: __m256i) -> __m256i {
        vector
    }

    #[inline(always)]
    unsafe fn product(map: &BitMatrix, operand: __m256i) -> __m256i {
        // SAFETY: the instructions are there.
        unsafe { _mm256_gf2p8affine_epi64_epi8::<0>(operand, _mm256_set1_epi64x(map.0 as i64)) }
    }

    #[inline(always)]
    unsafe fn add_products(sum: __m256i, maps: [__m256i; 2], first: __m256i, second: __m256i) -> __m256i {
        // SAFETY: the instructions are there.
        unsafe {
            let first = _mm256_gf2p8affine_epi64_epi8::<0>(first, maps[0]);
            let second = _mm256_gf2p8affine_epi64_epi8::<0>(second, maps[1]);
            _mm256_xor_si256(_mm256_xor_si256(sum, first), second)
        }
    }
}

vector_kernel! {
    /// 32 bytes at a time, two `VPSHUFB` per product.
    Avx2, Nibbles, detected, "avx2"
}

// SAFETY: no memory is touched but the maps that are borrowed, which are 16 bytes for each half.
unsafe impl Lanes for Avx2 {
    type Vector = __m256i;
    type Maps = [[__m256i; 2]; 2];
    /// Lower and upper four bits of each byte.
    type Operand = [__m256i; 2];

    // Of 16 registers; four operands, four halves of maps and a mask need one, too.
    const SUMS: usize = 8;

    #[inline(always)]
    unsafe fn maps(maps: &[Nibbles; 2]) -> [[__m256i; 2]; 2] {
        // SAFETY: each half of a map is 16 bytes.
        unsafe {
            let table = |half: &[u8; 16]| _mm256_broadcastsi128_si256(_mm_loadu_si128(half.as_ptr().cast()));
            [[table(&maps[0].low), table(&maps[0].high)], [table(&maps[1].low), table(&maps[1].high)]]
        }
    }

    #[inline(always)]
    unsafe fn operand(vector: __m256i) -> [__m256i; 2] {
        // SAFETY: the instructions are there.
        unsafe {
            let mask = _mm256_set1_epi8(15);
            [_mm256_and_si256(vector, mask), _mm256_and_si256(_mm256_srli_epi16::<4>(vector), mask)]
        }
    }

    #[inline(always)]
    unsafe fn product(map: &Nibbles, operand: [__m256i; 2]) -> __m256i {
        // SAFETY: each half of a map is 16 bytes.
        unsafe {
            let table = |half: &[u8; 16]| _mm256_broadcastsi128_si256(_mm_loadu_si128(half.as_ptr().cast()));
            let (low, high) = (table(&map.low), table(&map.high));
            _mm256_xor_si256(_mm256_shuffle_epi8(low, operand[0]), _mm256_shuffle_epi8(high, operand[1]))
        }
    }

    #[inline(always)]
    unsafe fn add_products(
        sum: __m256i,
        maps: [[__m256i; 2]; 2],
        first: [__m256i; 2],
        second: [__m256i; 2],
    ) -> __m256i {
        // SAFETY: the instructions are there.
        unsafe {
            let look_up = |table: [__m256i; 2], nibbles: [__m256i; 2]| {
                _mm256_xor_si256(_mm256_shuffle_epi8(table[0], nibbles[0]), _mm256_shuffle_epi8(table[1], nibbles[1]))
            };
            let products = _mm256_xor_si256(look_up(maps[0], first), look_up(maps[1], second));
            _mm256_xor_si256(sum, products)
        }
    }
}

vector_kernel! {
    /// 16 bytes at a time, two `PSHUFB` per product.
    Ssse3, Nibbles, detected, "ssse3"
}

// SAFETY: no memory is touched but the maps that are borrowed, which are 16 bytes for each half.
unsafe impl Lanes for Ssse3 {
    type Vector = __m128i;
    type Maps = [[__m128i; 2]; 2];
    /// Lower and upper four bits of each byte.
    type Operand = [__m128i; 2];

    // Of 16 registers; four operands, four halves of maps and a mask need one, too.
    const SUMS: usize = 8;

    #[inline(always)]
    unsafe fn maps(maps: &[Nibbles; 2]) -> [[__m128i; 2]; 2] {
        // SAFETY: each half of a map is 16 bytes.
        unsafe {
            let table = |half: &[u8; 16]| _mm_loadu_si128(half.as_ptr().cast());
            [[table(&maps[0].low), table(&maps[0].high)], [table(&maps[1].low), table(&maps[1].high)]]
        }
    }

    #[inline(always)]
    unsafe fn operand(vector: __m128i) -> [__m128i; 2] {
        // SAFETY: the instructions are there.
        unsafe {
            let mask = _mm_set1_epi8(15);
            [_mm_and_si128(vector, mask), _mm_and_si128(_mm_srli_epi16::<4>(vector), mask)]
        }
    }

    #[inline(always)]
    unsafe fn product(map: &Nibbles, operand: [__m128i; 2]) -> __m128i {
        // SAFETY: each half of a map is 16 bytes.
        unsafe {
            let table = |half: &[u8; 16]| _mm_loadu_si128(half.as_ptr().cast());
            let (low, high) = (table(&map.low), table(&map.high));
            _mm_xor_si128(_mm_shuffle_epi8(low, operand[0]), _mm_shuffle_epi8(high, operand[1]))
        }
    }

    #[inline(always)]
    unsafe fn add_products(
        sum: __m128i,
        maps: [[__m128i; 2]; 2],
        first: [__m128i; 2],
        second: [__m128i; 2],
    ) -> __m128i {
        // SAFETY: the instructions are there.
        unsafe {
            let look_up = |table: [__m128i; 2], nibbles: [__m128i; 2]| {
                _mm_xor_si128(_mm_shuffle_epi8(table[0], nibbles[0]), _mm_shuffle_epi8(table[1], nibbles[1]))
            };
            _mm_xor_si128(sum, _mm_xor_si128(look_up(maps[0], first), look_up(maps[1], second)))
        }
    }
}
