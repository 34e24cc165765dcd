// SPDX-License-Identifier: MPL-2.0

//! The kernel for AArch64.

use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected as detected;

use super::scalar::Nibbles;
use super::tile::{Lanes, Vector, vector_kernel};

// SAFETY: every load and store is of WIDTH bytes.
unsafe impl Vector for uint8x16_t {
    const WIDTH: usize = 16;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the instructions are there.
        unsafe { vdupq_n_u8(0) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller vouches for 16 bytes.
        unsafe { vld1q_u8(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: the caller vouches for 16 bytes.
        unsafe { vst1q_u8(to, self) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: the instructions are there.
        unsafe { veorq_u8(self, other) }
    }

    #[inline(always)]
    unsafe fn split(a: Self, b: Self) -> (Self, Self) {
        // SAFETY: the instructions are there.
        unsafe { (vuzp1q_u8(a, b), vuzp2q_u8(a, b)) }
    }

    #[inline(always)]
    unsafe fn join(even: Self, odd: Self) -> (Self, Self) {
        // SAFETY: the instructions are there.
        unsafe { (vzip1q_u8(even, odd), vzip2q_u8(even, odd)) }
    }
}

vector_kernel! {
    /// 16 bytes at a time, two `TBL` per product.
    Neon, Nibbles, detected, "neon"
}

// SAFETY: no memory is touched but the maps that are borrowed, which are 16 bytes for each half.
unsafe impl Lanes for Neon {
    type Vector = uint8x16_t;
    type Maps = [[uint8x16_t; 2]; 2];
    /// Lower and upper four bits of each byte.
    type Operand = [uint8x16_t; 2];

    // Of 32 registers; up to eight operands and four halves of maps need one, too.
    const SUMS: usize = 16;

    #[inline(always)]
    unsafe fn maps(maps: &[Nibbles; 2]) -> [[uint8x16_t; 2]; 2] {
        // SAFETY: each half of a map is 16 bytes.
        unsafe {
            let table = |half: &[u8; 16]| vld1q_u8(half.as_ptr());
            [[table(&maps[0].low), table(&maps[0].high)], [table(&maps[1].low), table(&maps[1].high)]]
        }
    }

    #[inline(always)]
    unsafe fn operand(vector: uint8x16_t) -> [uint8x16_t; 2] {
        // SAFETY: the instructions are there.
        unsafe { [vandq_u8(vector, vdupq_n_u8(15)), vshrq_n_u8::<4>(vector)] }
    }

    #[inline(always)]
    unsafe fn product(map: &Nibbles, operand: [uint8x16_t; 2]) -> uint8x16_t {
        // SAFETY: each half of a map is 16 bytes.
        unsafe {
            let (low, high) = (vld1q_u8(map.low.as_ptr()), vld1q_u8(map.high.as_ptr()));
            veorq_u8(vqtbl1q_u8(low, operand[0]), vqtbl1q_u8(high, operand[1]))
        }
    }

    #[inline(always)]
    unsafe fn add_products(
        sum: uint8x16_t,
        maps: [[uint8x16_t; 2]; 2],
        first: [uint8x16_t; 2],
        second: [uint8x16_t; 2],
    ) -> uint8x16_t {
        // SAFETY: the instructions are there.
        unsafe {
            let look_up = |table: [uint8x16_t; 2], nibbles: [uint8x16_t; 2]| {
                veorq_u8(vqtbl1q_u8(table[0], nibbles[0]), vqtbl1q_u8(table[1], nibbles[1]))
            };
            veorq_u8(sum, veorq_u8(look_up(maps[0], first), look_up(maps[1], second)))
        }
    }
}
