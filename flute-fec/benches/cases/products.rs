// SPDX-License-Identifier: MPL-2.0

//! What the processor could do at best: products alone, with nothing read, added up or written.

use super::Contender;

/// What a run is called that only multiplies.
pub(crate) const NAME: &str = "products alone";

/// As many products of bytes with constants as a matrix takes that is multiplied coefficient by coefficient, where the
/// processor has an instruction for 64 of them.
#[cfg(target_arch = "x86_64")]
pub(super) fn alone(products: usize) -> Option<Contender> {
    use std::arch::is_x86_feature_detected as detected;

    if !(detected!("avx512f") && detected!("avx512bw") && detected!("gfni")) {
        return None;
    }
    // SAFETY: the instructions were found.
    Some(Contender::new(NAME, move || unsafe { multiply(products) }))
}

/// It is not known for other processors.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn alone(_: usize) -> Option<Contender> {
    None
}

/// Enough products at the same time that none waits for another.
#[cfg(target_arch = "x86_64")]
const CHAINS: usize = 16;

/// # Safety
/// The instructions must be there.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f", enable = "avx512bw", enable = "gfni")]
unsafe fn multiply(products: usize) {
    use std::arch::x86_64::*;

    let map = _mm512_set1_epi64(std::hint::black_box(0x0123_4567_89ab_cdef));
    let mut bytes = [_mm512_set1_epi8(std::hint::black_box(3)); CHAINS];
    for _ in 0..products.div_ceil(64 * CHAINS) {
        for bytes in &mut bytes {
            *bytes = _mm512_gf2p8affine_epi64_epi8::<0>(*bytes, map);
        }
    }
    std::hint::black_box(bytes);
}
