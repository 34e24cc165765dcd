// SPDX-License-Identifier: MPL-2.0

//! AVX2 and AVX-512.

use std::arch::x86_64::*;

use super::{Instructions, LINE, Work};

pub(in super::super) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
}

pub(in super::super) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

#[target_feature(enable = "avx512f,avx512bw")]
pub(in super::super) fn run_avx512(work: impl Work) {
    work.run::<Avx512>();
}

#[target_feature(enable = "avx2")]
pub(in super::super) fn run_avx2(work: impl Work) {
    work.run::<Avx2>();
}

/// Is named by [`run_avx512`] alone, so the processor has it.
#[derive(Clone, Copy)]
struct Avx512;

/// Is named by [`run_avx2`] alone, so the processor has it.
#[derive(Clone, Copy)]
struct Avx2;

impl Instructions for Avx512 {
    type Register = __m512i;

    #[inline(always)]
    fn zero() -> Self::Register {
        // SAFETY: the processor has the instructions.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn load(line: &[u8; LINE]) -> Self::Register {
        // SAFETY: the processor has the instructions, and a line is as long as a register.
        unsafe { _mm512_loadu_si512(line.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(register: Self::Register, line: &mut [u8; LINE]) {
        // SAFETY: the processor has the instructions, and a line is as long as a register.
        unsafe { _mm512_storeu_si512(line.as_mut_ptr().cast(), register) }
    }

    #[inline(always)]
    fn add(a: Self::Register, b: Self::Register) -> Self::Register {
        // SAFETY: the processor has the instructions.
        unsafe { _mm512_xor_si512(a, b) }
    }

    #[inline(always)]
    fn double(register: Self::Register) -> Self::Register {
        // SAFETY: the processor has the instructions.
        unsafe {
            let reduction = _mm512_maskz_set1_epi8(_mm512_movepi8_mask(register), 0x1D);
            _mm512_xor_si512(_mm512_add_epi8(register, register), reduction)
        }
    }

    #[inline(always)]
    fn prefetch(bytes: &[u8]) {
        prefetch(bytes);
    }
}

impl Instructions for Avx2 {
    type Register = [__m256i; 2];

    #[inline(always)]
    fn zero() -> Self::Register {
        // SAFETY: the processor has the instructions.
        unsafe { [_mm256_setzero_si256(); 2] }
    }

    #[inline(always)]
    fn load(line: &[u8; LINE]) -> Self::Register {
        let line: *const __m256i = line.as_ptr().cast();
        // SAFETY: the processor has the instructions, and a line is as long as two registers.
        unsafe { [_mm256_loadu_si256(line), _mm256_loadu_si256(line.add(1))] }
    }

    #[inline(always)]
    fn store(register: Self::Register, line: &mut [u8; LINE]) {
        let line: *mut __m256i = line.as_mut_ptr().cast();
        // SAFETY: the processor has the instructions, and a line is as long as two registers.
        unsafe {
            _mm256_storeu_si256(line, register[0]);
            _mm256_storeu_si256(line.add(1), register[1]);
        }
    }

    #[inline(always)]
    fn add(a: Self::Register, b: Self::Register) -> Self::Register {
        // SAFETY: the processor has the instructions.
        unsafe { [_mm256_xor_si256(a[0], b[0]), _mm256_xor_si256(a[1], b[1])] }
    }

    #[inline(always)]
    fn double([low, high]: Self::Register) -> Self::Register {
        // SAFETY: the processor has the instructions.
        unsafe {
            let zero = _mm256_setzero_si256();
            let reduction = _mm256_set1_epi8(0x1D);
            let [low_reduction, high_reduction] = [
                _mm256_and_si256(_mm256_cmpgt_epi8(zero, low), reduction),
                _mm256_and_si256(_mm256_cmpgt_epi8(zero, high), reduction),
            ];
            [
                _mm256_xor_si256(_mm256_add_epi8(low, low), low_reduction),
                _mm256_xor_si256(_mm256_add_epi8(high, high), high_reduction),
            ]
        }
    }
    #[inline(always)]
    fn prefetch(bytes: &[u8]) {
        prefetch(bytes);
    }
}

#[inline(always)]
fn prefetch(bytes: &[u8]) {
    for line in bytes.chunks(LINE) {
        // SAFETY: every x86-64 processor has the instruction, and the address is one of a slice.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}
