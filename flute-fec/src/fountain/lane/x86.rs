// SPDX-License-Identifier: MPL-2.0

//! AVX2 and AVX-512. The compiler makes good use of them by itself, but for sums that it does not keep in registers.

use std::arch::x86_64::{__m256i, __m512i};
use std::arch::x86_64::{_mm256_load_si256, _mm256_store_si256, _mm256_xor_si256};
use std::arch::x86_64::{_mm512_load_si512, _mm512_store_si512, _mm512_xor_si512};

use super::{Instructions, Lane, Work};

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
struct Avx512;

/// Is named by [`run_avx2`] alone, so the processor has it.
struct Avx2;

/// Adds lanes in parts of up to four registers.
macro_rules! add_all {
    ($register:ty, $load:ident, $store:ident, $xor:ident) => {
        #[inline(always)]
        fn add_all<const B: usize>(sum: &mut Lane<B>, lanes: &[Lane<B>], sources: &[u32]) {
            const SIZE: usize = size_of::<$register>();
            const { assert!(B.is_multiple_of(SIZE) && align_of::<Lane<B>>().is_multiple_of(SIZE)) };
            for part in (0..B).step_by(4 * SIZE) {
                let parts = part..B.min(part + 4 * SIZE);
                // SAFETY: the processor has the instructions; `parts` is in the lane, in whole registers, and a lane is
                // aligned to them.
                unsafe {
                    let mut registers = [$load(sum.0.as_ptr().add(part).cast()); 4];
                    for (register, at) in registers.iter_mut().zip(parts.clone().step_by(SIZE)) {
                        *register = $load(sum.0.as_ptr().add(at).cast());
                    }
                    for &source in sources {
                        let lane = &lanes[source as usize].0;
                        for (register, at) in registers.iter_mut().zip(parts.clone().step_by(SIZE)) {
                            *register = $xor(*register, $load(lane.as_ptr().add(at).cast()));
                        }
                    }
                    for (register, at) in registers.iter().zip(parts.step_by(SIZE)) {
                        $store(sum.0.as_mut_ptr().add(at).cast(), *register);
                    }
                }
            }
        }
    };
}

impl Instructions for Avx512 {
    add_all!(__m512i, _mm512_load_si512, _mm512_store_si512, _mm512_xor_si512);
}

impl Instructions for Avx2 {
    add_all!(__m256i, _mm256_load_si256, _mm256_store_si256, _mm256_xor_si256);
}
