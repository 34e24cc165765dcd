// SPDX-License-Identifier: MPL-2.0

//! A few columns of a symbol, and the widest instructions to add them.

use super::octet;

#[cfg(target_arch = "x86_64")]
mod x86;

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
}

/// How sums of many lanes are taken, which is where the time goes.
pub(super) trait Instructions {
    /// Adds the lanes that `sources` names.
    fn add_all<const B: usize>(sum: &mut Lane<B>, lanes: &[Lane<B>], sources: &[u32]);
}

/// What the compiler knows of every processor.
pub(super) struct Portable;

impl Instructions for Portable {
    #[inline(always)]
    fn add_all<const B: usize>(sum: &mut Lane<B>, lanes: &[Lane<B>], sources: &[u32]) {
        for &source in sources {
            sum.add(&lanes[source as usize]);
        }
    }
}

/// Work on lanes. It is compiled once for each set of instructions, so everything in it is `#[inline(always)]`.
pub(super) trait Work {
    /// Does it.
    fn run<I: Instructions>(self);
}

/// Does `work` with the widest instructions that the processor has.
pub(super) fn run_widest(work: impl Work) {
    #[cfg(target_arch = "x86_64")]
    {
        if x86::has_avx512() {
            // SAFETY: the processor has the instructions.
            return unsafe { x86::run_avx512(work) };
        }
        if x86::has_avx2() {
            // SAFETY: the processor has the instructions.
            return unsafe { x86::run_avx2(work) };
        }
    }
    work.run::<Portable>();
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sums<'a, const B: usize> {
        lanes: &'a mut [Lane<B>],
    }

    impl<const B: usize> Work for Sums<'_, B> {
        #[inline(always)]
        fn run<I: Instructions>(self) {
            let (sum, lanes) = self.lanes.split_first_mut().unwrap();
            for sources in [&[0, 1, 2][..], &[2], &[], &[1, 0, 3]] {
                sum.double();
                I::add_all(sum, lanes, sources);
            }
        }
    }

    fn all_instructions<const B: usize>() {
        let lanes: [_; 5] =
            std::array::from_fn(|lane| Lane::<B>(std::array::from_fn(|at| (lane * 83 + at * 29 + at / 7) as u8)));
        let mut expected = lanes;
        Sums { lanes: &mut expected }.run::<Portable>();
        for at in 0..B {
            let byte = |lane: usize| lanes[lane].0[at];
            let sums = [byte(1) ^ byte(2) ^ byte(3), byte(3), 0, byte(2) ^ byte(1) ^ byte(4)];
            let sum = sums.iter().fold(byte(0), |sum, other| octet::double(sum) ^ other);
            assert_eq!(expected[0].0[at], sum);
        }
        let mut widest = lanes;
        run_widest(Sums { lanes: &mut widest });
        assert_eq!(widest, expected);
        #[cfg(target_arch = "x86_64")]
        {
            let mut avx2 = lanes;
            if x86::has_avx2() {
                // SAFETY: the processor has the instructions.
                unsafe { x86::run_avx2(Sums { lanes: &mut avx2 }) };
                assert_eq!(avx2, expected);
            }
            let mut avx512 = lanes;
            if x86::has_avx512() {
                // SAFETY: the processor has the instructions.
                unsafe { x86::run_avx512(Sums { lanes: &mut avx512 }) };
                assert_eq!(avx512, expected);
            }
        }
    }

    #[test]
    fn all_instructions_agree() {
        all_instructions::<64>();
        all_instructions::<256>();
    }
}
