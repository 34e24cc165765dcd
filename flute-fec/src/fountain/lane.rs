// SPDX-License-Identifier: MPL-2.0

//! A few columns of a symbol, and the widest instructions to add them.

use super::octet;

/// `B` neighbouring bytes of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Lane<const B: usize>(pub(super) [u8; B]);

impl<const B: usize> Lane<B> {
    pub(super) const ZERO: Self = Self([0; B]);

    /// Adds another.
    #[inline(always)]
    pub(super) fn add(&mut self, other: &Self) {
        for (byte, &other) in self.0.iter_mut().zip(&other.0) {
            *byte ^= other;
        }
    }

    /// Multiplies every byte with α.
    #[inline(always)]
    pub(super) fn double(&mut self) {
        for byte in &mut self.0 {
            *byte = octet::double(*byte);
        }
    }

    /// Adds the lanes that `sources` names.
    #[inline(always)]
    pub(super) fn add_all(&mut self, lanes: &[Self], sources: &[u32]) {
        for &source in sources {
            self.add(&lanes[source as usize]);
        }
    }
}

/// Work on lanes. It is compiled once for each set of instructions, so everything in it is `#[inline(always)]`.
pub(super) trait Work {
    /// Does it.
    fn run(self);
}

/// Does `work` with the widest instructions that the processor has.
pub(super) fn run_widest(work: impl Work) {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            // SAFETY: the processor has the instructions that the function is compiled for.
            return unsafe { run_avx512(work) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { run_avx2(work) };
        }
    }
    work.run();
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
#[target_feature(enable = "avx512f,avx512bw")]
fn run_avx512(work: impl Work) {
    work.run();
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
#[target_feature(enable = "avx2")]
fn run_avx2(work: impl Work) {
    work.run();
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sums<'a, const B: usize> {
        lanes: &'a mut [Lane<B>],
    }

    impl<const B: usize> Work for Sums<'_, B> {
        #[inline(always)]
        fn run(self) {
            let (sum, lanes) = self.lanes.split_first_mut().unwrap();
            for sources in [&[0, 1, 2][..], &[2], &[], &[1, 0, 3]] {
                sum.double();
                sum.add_all(lanes, sources);
            }
        }
    }

    fn all_instructions<const B: usize>() {
        let lanes: [_; 5] =
            std::array::from_fn(|lane| Lane::<B>(std::array::from_fn(|at| (lane * 83 + at * 29 + at / 7) as u8)));
        let mut expected = lanes;
        Sums { lanes: &mut expected }.run();
        for at in 0..B {
            let byte = |lane: usize| lanes[lane].0[at];
            let sums = [byte(1) ^ byte(2) ^ byte(3), byte(3), 0, byte(2) ^ byte(1) ^ byte(4)];
            let sum = sums.iter().fold(byte(0), |sum, other| octet::double(sum) ^ other);
            assert_eq!(expected[0].0[at], sum);
        }
        let mut widest = lanes;
        run_widest(Sums { lanes: &mut widest });
        assert_eq!(widest, expected);
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if is_x86_feature_detected!("avx2") {
            let mut avx2 = lanes;
            // SAFETY: the processor has the instructions that the function is compiled for.
            unsafe { run_avx2(Sums { lanes: &mut avx2 }) };
            assert_eq!(avx2, expected);
        }
    }

    #[test]
    fn all_instructions_agree() {
        all_instructions::<64>();
        all_instructions::<256>();
    }
}
