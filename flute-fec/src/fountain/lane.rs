// SPDX-License-Identifier: MPL-2.0

//! A few columns of a symbol, and the widest instructions to add them.

#[cfg(target_arch = "x86_64")]
mod x86;

/// Bytes of a [`Line`]: those of a line of the processor's cache.
pub(super) const LINE: usize = 64;

/// Neighbouring bytes of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [u8; LINE]);

impl Line {
    pub(super) const ZERO: Self = Self([0; LINE]);
}

/// `P` lines that are next to each other in their symbol.
pub(super) type Lane<const P: usize> = [Line; P];

/// How lines are added, which is where the time goes.
pub(super) trait Instructions: Copy {
    /// What holds a line.
    type Register: Copy;

    fn zero() -> Self::Register;
    /// Loads a line, wherever it lies.
    fn load(line: &[u8; LINE]) -> Self::Register;
    fn store(register: Self::Register, line: &mut [u8; LINE]);
    fn add(a: Self::Register, b: Self::Register) -> Self::Register;
    /// Multiplies every byte with α.
    fn double(register: Self::Register) -> Self::Register;
    /// Hints that some bytes are wanted soon.
    #[inline(always)]
    fn prefetch(_bytes: &[u8]) {}
}

/// What the compiler knows of every processor.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Instructions for Portable {
    type Register = [u64; LINE / 8];

    #[inline(always)]
    fn zero() -> Self::Register {
        [0; LINE / 8]
    }

    #[inline(always)]
    fn load(line: &[u8; LINE]) -> Self::Register {
        let words = line.as_chunks().0;
        let mut register = Self::zero();
        let mut index = 0;
        while index < register.len() {
            register[index] = u64::from_le_bytes(words[index]);
            index += 1;
        }
        register
    }

    #[inline(always)]
    fn store(register: Self::Register, line: &mut [u8; LINE]) {
        let words = line.as_chunks_mut().0;
        let mut index = 0;
        while index < register.len() {
            words[index] = register[index].to_le_bytes();
            index += 1;
        }
    }

    #[inline(always)]
    fn add(mut a: Self::Register, b: Self::Register) -> Self::Register {
        let mut index = 0;
        while index < a.len() {
            a[index] ^= b[index];
            index += 1;
        }
        a
    }

    #[inline(always)]
    fn double(mut register: Self::Register) -> Self::Register {
        const LOW_BITS: u64 = 0x0101_0101_0101_0101;
        let mut index = 0;
        while index < register.len() {
            let word = register[index];
            let carries = (word >> 7) & LOW_BITS;
            register[index] = ((word & (LOW_BITS * 0x7F)) << 1) ^ (carries * 0x1D);
            index += 1;
        }
        register
    }
}

/// A sum of lanes in the making, in registers.
#[derive(Clone, Copy)]
pub(super) struct Sum<I: Instructions, const P: usize>([I::Register; P]);

/// All of this is inlined into every use, for each set of instructions and width. Plain loops keep that small: iterators
/// would make it some hundred thousand calls for the compiler to take apart.
impl<I: Instructions, const P: usize> Sum<I, P> {
    #[inline(always)]
    pub(super) fn zero() -> Self {
        Self([I::zero(); P])
    }

    #[inline(always)]
    pub(super) fn of(lane: &Lane<P>) -> Self {
        let mut sum = Self::zero();
        let mut line = 0;
        while line < P {
            sum.0[line] = I::load(&lane[line].0);
            line += 1;
        }
        sum
    }

    /// Bytes of a symbol, padded with zeros if they are less than a lane.
    #[inline(always)]
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let (lines, _) = bytes.as_chunks();
        if lines.len() != P {
            return Self::of(&padded(bytes));
        }
        let mut sum = Self::zero();
        let mut line = 0;
        while line < P {
            sum.0[line] = I::load(&lines[line]);
            line += 1;
        }
        sum
    }

    #[inline(always)]
    pub(super) fn add(&mut self, other: &Self) {
        let mut line = 0;
        while line < P {
            self.0[line] = I::add(self.0[line], other.0[line]);
            line += 1;
        }
    }

    #[inline(always)]
    pub(super) fn add_lane(&mut self, lane: &Lane<P>) {
        let mut line = 0;
        while line < P {
            self.0[line] = I::add(self.0[line], I::load(&lane[line].0));
            line += 1;
        }
    }

    /// Adds the lanes that `sources` names.
    #[inline(always)]
    pub(super) fn add_all(&mut self, lanes: &[Lane<P>], sources: &[u32]) {
        let mut index = 0;
        while index < sources.len() {
            self.add_lane(&lanes[sources[index] as usize]);
            index += 1;
        }
    }

    /// Multiplies every byte with α.
    #[inline(always)]
    pub(super) fn double(&mut self) {
        let mut line = 0;
        while line < P {
            self.0[line] = I::double(self.0[line]);
            line += 1;
        }
    }

    #[inline(always)]
    pub(super) fn store(self, lane: &mut Lane<P>) {
        let mut line = 0;
        while line < P {
            I::store(self.0[line], &mut lane[line].0);
            line += 1;
        }
    }

    /// Stores as many bytes as there is room for.
    #[inline(always)]
    pub(super) fn store_bytes(self, bytes: &mut [u8]) {
        if bytes.len() == P * LINE {
            let lines = bytes.as_chunks_mut().0;
            let mut line = 0;
            while line < P {
                I::store(self.0[line], &mut lines[line]);
                line += 1;
            }
        } else {
            let mut lane = [Line::ZERO; P];
            self.store(&mut lane);
            copy_front(&lane, bytes);
        }
    }
}

/// Bytes that are less than a lane, with zeros behind them. Not part of what is compiled for each set of instructions.
#[inline(never)]
fn padded<const P: usize>(bytes: &[u8]) -> Lane<P> {
    let mut lane = [Line::ZERO; P];
    for (line, bytes) in lane.iter_mut().zip(bytes.chunks(LINE)) {
        line.0[..bytes.len()].copy_from_slice(bytes);
    }
    lane
}

/// Copies as many bytes of a lane as there is room for. Not part of what is compiled for each set of instructions.
#[inline(never)]
fn copy_front<const P: usize>(lane: &Lane<P>, bytes: &mut [u8]) {
    for (bytes, line) in bytes.chunks_mut(LINE).zip(lane) {
        bytes.copy_from_slice(&line.0[..bytes.len()]);
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
    use crate::fountain::octet;

    struct Sums<'a, const P: usize> {
        lanes: &'a mut [Lane<P>],
        bytes: &'a mut [u8],
    }

    impl<const P: usize> Work for Sums<'_, P> {
        #[inline(always)]
        fn run<I: Instructions>(self) {
            let (result, lanes) = self.lanes.split_first_mut().unwrap();
            let mut sum = Sum::<I, P>::of(result);
            for sources in [&[0, 1, 2][..], &[2], &[], &[1, 0, 3]] {
                sum.double();
                sum.add_all(lanes, sources);
            }
            sum.add(&Sum::of_bytes(self.bytes));
            sum.store(result);
            sum.store_bytes(self.bytes);
        }
    }

    fn all_instructions<const P: usize>(bytes: usize) {
        let lanes: [Lane<P>; 5] = std::array::from_fn(|lane| {
            std::array::from_fn(|line| {
                Line(std::array::from_fn(|at| (lane * 83 + (line * 64 + at) * 29 + at / 7) as u8))
            })
        });
        let bytes: Vec<u8> = (0..bytes).map(|at| (at * 7 + 1) as u8).collect();
        let run = |run: &dyn Fn(Sums<'_, P>)| {
            let (mut lanes, mut bytes) = (lanes, bytes.clone());
            run(Sums { lanes: &mut lanes, bytes: &mut bytes });
            (lanes, bytes)
        };
        let expected = run(&|sums| sums.run::<Portable>());
        for at in 0..P * LINE {
            let byte = |lane: usize| lanes[lane][at / LINE].0[at % LINE];
            let sums = [byte(1) ^ byte(2) ^ byte(3), byte(3), 0, byte(2) ^ byte(1) ^ byte(4)];
            let sum = sums.iter().fold(byte(0), |sum, other| octet::double(sum) ^ other);
            let sum = sum ^ bytes.get(at).copied().unwrap_or(0);
            assert_eq!(expected.0[0][at / LINE].0[at % LINE], sum);
            assert!(expected.1.get(at).is_none_or(|&byte| byte == sum));
        }
        assert_eq!(run(&|sums| run_widest(sums)), expected);
        #[cfg(target_arch = "x86_64")]
        {
            if x86::has_avx2() {
                // SAFETY: the processor has the instructions.
                assert_eq!(run(&|sums| unsafe { x86::run_avx2(sums) }), expected);
            }
            if x86::has_avx512() {
                // SAFETY: the processor has the instructions.
                assert_eq!(run(&|sums| unsafe { x86::run_avx512(sums) }), expected);
            }
        }
    }

    #[test]
    fn all_instructions_agree() {
        for bytes in 0..=64 {
            all_instructions::<1>(bytes);
        }
        all_instructions::<2>(128);
        for bytes in [0, 1, 64, 100, 128, 200, 255, 256] {
            all_instructions::<4>(bytes);
        }
    }
}
