// SPDX-License-Identifier: MPL-2.0

//! The equations of Raptor (RFC 5053 §5.4), by the names of the RFC.

use super::table::SYSTEMATIC_INDICES;
use super::{MAX_ENCODING_SYMBOLS, MIN_SOURCE_SYMBOLS};
use crate::Scheme;
use crate::fountain::random::{V0, V1};
use crate::fountain::{FountainCode, Precode, Rows, RunningSums};

/// f\[j\] and d\[j\] of Table 1 (§5.4.4.2).
const DEGREES: [(u32, u32); 7] =
    [(10241, 1), (491582, 2), (712794, 3), (831695, 4), (948446, 10), (1032189, 11), (1048576, 40)];

/// Raptor with K source symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raptor {
    /// K.
    pub(super) source_symbols: u32,
    /// J(K).
    pub(super) systematic_index: u32,
    /// S.
    pub(super) ldpc: u32,
    /// H.
    pub(super) half: u32,
    /// L.
    pub(super) intermediate: u32,
    /// L'.
    pub(super) intermediate_prime: u32,
}

impl Raptor {
    /// The code for `source_symbols`, 4 to 8192; for others, `None`.
    pub(crate) fn new(source_symbols: u32) -> Option<Self> {
        let index = source_symbols.checked_sub(MIN_SOURCE_SYMBOLS)?;
        let systematic_index = u32::from(*SYSTEMATIC_INDICES.get(index as usize)?);
        // §5.4.2.3
        let x = (1..).find(|x| x * (x - 1) >= 2 * source_symbols)?;
        let ldpc = next_prime(source_symbols.div_ceil(100) + x);
        let half = (1..).find(|&h: &u32| choose(h, h.div_ceil(2)) >= u64::from(source_symbols + ldpc))?;
        let intermediate = source_symbols + ldpc + half;
        let intermediate_prime = next_prime(intermediate);
        Some(Self { source_symbols, systematic_index, ldpc, half, intermediate, intermediate_prime })
    }

    fn ldpc_relations(&self) -> Vec<Vec<u32>> {
        let (k, s) = (self.source_symbols, self.ldpc);
        let mut relations: Vec<Vec<u32>> = (0..s).map(|b| vec![k + b]).collect();
        for i in 0..k {
            for j in 0..3 {
                relations[((i % s + j * (1 + i / s % (s - 1))) % s) as usize].push(i);
            }
        }
        relations
    }

    /// The Half symbols: which of the H sums symbol j is in, is told by the bits of m\[j, H'\], the j-th number of the
    /// Gray sequence with H' bits. From one to the next two bits change. So where the sums are taken as sums of a running
    /// sum of symbols, symbol j concerns two of them.
    fn half_relations(&self) -> RunningSums {
        let count = (self.source_symbols + self.ldpc) as usize;
        let gray = (0_u32..).map(|i| i ^ (i >> 1)).filter(|g| g.count_ones() == self.half.div_ceil(2));
        let m: Vec<u32> = gray.take(count).collect();
        let taps = m.windows(2).map(|pair| {
            let changed = pair[0] ^ pair[1];
            [changed.trailing_zeros() as u8, changed.ilog2() as u8]
        });
        let last = m.last().copied().unwrap_or_default();
        RunningSums {
            multiply: false,
            taps: taps.collect(),
            last: (0..self.half).map(|bit| (last >> bit & 1) as u8).collect(),
        }
    }
}

fn next_prime(from: u32) -> u32 {
    let is_prime = |&n: &u32| (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0);
    (from.max(2)..).find(is_prime).unwrap_or(from)
}

/// How many ways there are to choose `k` of `n`.
fn choose(n: u32, k: u32) -> u64 {
    (0..u64::from(k)).fold(1, |ways, i| ways * (u64::from(n) - i) / (i + 1))
}

/// Rand\[X, i, m\] (§5.4.4.1).
fn rand(x: u32, i: u32, m: u32) -> u32 {
    (V0[(x + i) as usize % 256] ^ V1[(x / 256 + i) as usize % 256]) % m
}

impl FountainCode for Raptor {
    fn scheme(&self) -> Scheme {
        Scheme::Raptor
    }

    fn source_symbols(&self) -> u32 {
        self.source_symbols
    }

    fn max_encoding_symbols(&self) -> u32 {
        MAX_ENCODING_SYMBOLS
    }

    fn precode(&self) -> Precode {
        let mut zero_sums = Rows::default();
        self.ldpc_relations().into_iter().for_each(|relation| zero_sums.push(relation));
        Precode { symbols: self.intermediate as usize, zero_sums, running_sums: self.half_relations(), inactive: 0..0 }
    }

    /// Trip\[K, X\] and LTEnc (§5.4.4.3, §5.4.4.4).
    fn encoding_symbol(&self, esi: u32) -> impl Iterator<Item = u32> + Clone {
        const Q: u32 = 65521;
        let (l, l_prime) = (self.intermediate, self.intermediate_prime);
        let y = {
            let a = (53591 + self.systematic_index * 997) % Q;
            let b = 10267 * (self.systematic_index + 1) % Q;
            ((u64::from(b) + u64::from(esi) * u64::from(a)) % u64::from(Q)) as u32
        };
        let v = rand(y, 0, 1 << 20);
        let d = DEGREES[DEGREES.partition_point(|&(f, _)| f <= v)].1;
        let a = 1 + rand(y, 1, l_prime - 1);
        let b = rand(y, 2, l_prime);
        (0..).map(move |j| (b + j * a) % l_prime).filter(move |&b| b < l).take(d.min(l) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_symbols() {
        let numbers = |k| Raptor::new(k).map(|code| (code.ldpc, code.half, code.intermediate));
        assert_eq!(numbers(4), Some((5, 5, 14)));
        assert_eq!(numbers(10), Some((7, 6, 23)));
        assert_eq!(numbers(2000), Some((89, 14, 2103)));
        assert_eq!((numbers(0), numbers(3), numbers(8193)), (None, None, None));
    }

    #[test]
    fn two_bits_change_in_half_relations() {
        for k in [4, 100, 8192] {
            let code = Raptor::new(k).unwrap();
            let relations = code.half_relations();
            assert_eq!(relations.taps.len() + 1, (code.source_symbols + code.ldpc) as usize);
            assert!(relations.taps.iter().all(|[a, b]| a < b && u32::from(*b) < code.half));
        }
    }
}
