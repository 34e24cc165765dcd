// SPDX-License-Identifier: MPL-2.0

//! The equations of RaptorQ (RFC 6330 §5.3), by the names of the RFC.

use super::MAX_ENCODING_SYMBOLS;
use super::table::{ROWS, Row};
use crate::Scheme;
use crate::fountain::random::{V0, V1, V2, V3};
use crate::fountain::{FountainCode, Precode, Rows, RunningSums};

/// f of Table 1 (§5.3.5.2), from f\[1\].
const DEGREES: [u32; 30] = [
    5243, 529531, 704294, 791675, 844104, 879057, 904023, 922747, 937311, 948962, 958494, 966438, 973160, 978921,
    983914, 988283, 992138, 995565, 998631, 1001391, 1003887, 1006157, 1008229, 1010129, 1011876, 1013490, 1014983,
    1016370, 1017662, 1048576,
];

/// RaptorQ with K source symbols.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RaptorQ {
    /// K.
    source_symbols: u32,
    /// The row of Table 2 for the smallest K' that is not less.
    row: Row,
    /// L.
    intermediate: u32,
    /// P.
    pi: u32,
    /// P1.
    pi_prime: u32,
}

impl RaptorQ {
    /// The code for `source_symbols`, 1 to 56403; for more, `None`.
    pub(crate) fn new(source_symbols: u32) -> Option<Self> {
        let row = *ROWS.get(ROWS.partition_point(|row| row.symbols < source_symbols))?;
        let intermediate = row.symbols + row.ldpc + row.hdpc;
        let pi = intermediate - row.lt;
        let pi_prime = (pi..).find(|&n| (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0))?;
        Some(Self { source_symbols, row, intermediate, pi, pi_prime })
    }

    /// The symbols that add up to the encoding symbol of an Internal Symbol ID: Tuple\[K', X\] and Enc (§5.3.5.3,
    /// §5.3.5.4).
    fn sum(&self, isi: u32) -> impl Iterator<Item = u32> + Clone + use<> {
        let (w, p, p1) = (self.row.lt, self.pi, self.pi_prime);
        let y = {
            let a = (53591 + self.row.systematic_index * 997) | 1;
            let b = 10267 * (self.row.systematic_index + 1);
            b.wrapping_add(isi.wrapping_mul(a))
        };
        let v = rand(y, 0, 1 << 20);
        let d = (DEGREES.partition_point(|&f| f <= v) as u32 + 1).min(w - 2);
        let a = 1 + rand(y, 1, w - 1);
        let b = rand(y, 2, w);
        let d1 = if d < 4 { 2 + rand(isi, 3, 2) } else { 2 };
        let a1 = 1 + rand(isi, 4, p1 - 1);
        let b1 = rand(isi, 5, p1);
        let lt = (0..d).map(move |j| (b + j * a) % w);
        let pi = (0..).map(move |j| (b1 + j * a1) % p1).filter(move |&b1| b1 < p).take(d1 as usize);
        lt.chain(pi.map(move |b1| w + b1))
    }

    /// The first of the pre-coding relations (§5.3.3.3).
    fn ldpc_relations(&self) -> Vec<Vec<u32>> {
        let (s, b) = (self.row.ldpc, self.row.lt - self.row.ldpc);
        let mut relations: Vec<Vec<u32>> =
            (0..s).map(|i| vec![b + i, self.row.lt + i % self.pi, self.row.lt + (i + 1) % self.pi]).collect();
        for i in 0..b {
            for j in 0..3 {
                relations[((i % s + j * (1 + i / s)) % s) as usize].push(i);
            }
        }
        relations
    }
}

/// Rand\[y, i, m\] (§5.3.5.1).
fn rand(y: u32, i: u32, m: u32) -> u32 {
    let entry = |table: &[u32; 256], shift: u32| table[(y >> shift).wrapping_add(i) as usize % 256];
    (entry(&V0, 0) ^ entry(&V1, 8) ^ entry(&V2, 16) ^ entry(&V3, 24)) % m
}

impl FountainCode for RaptorQ {
    fn scheme(&self) -> Scheme {
        Scheme::RaptorQ
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
        // The padding symbols of the extended source block are zero (§5.3.1).
        (self.source_symbols..self.row.symbols).for_each(|isi| zero_sums.push(self.sum(isi)));
        let h = self.row.hdpc;
        let taps = (1..self.row.symbols + self.row.ldpc).map(|j| {
            let first = rand(j, 6, h);
            [first as u8, ((first + rand(j, 7, h - 1) + 1) % h) as u8]
        });
        let last = std::iter::successors(Some(1), |&power| Some(crate::fountain::double(power))).take(h as usize);
        Precode {
            symbols: self.intermediate as usize,
            zero_sums,
            running_sums: RunningSums { multiply: true, taps: taps.collect(), last: last.collect() },
            inactive: self.row.lt..self.intermediate,
        }
    }

    fn encoding_symbol(&self, esi: u32) -> impl Iterator<Item = u32> + Clone {
        // From the Encoding Symbol ID to the Internal Symbol ID (§5.3.1).
        let padding = if esi < self.source_symbols { 0 } else { self.row.symbols - self.source_symbols };
        self.sum(esi + padding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fountain::FountainBlock;
    use crate::layout::{BlockLayout, SubSymbols};
    use crate::{BlockDecoder, DecodeError, Present, RepairSymbol};

    /// A block of which only sums of about 30 symbols come: hardly any equation yields a symbol by itself.
    #[test]
    fn symbols_of_high_degree_take_bounded_time() {
        let symbols = 20000;
        let code = RaptorQ::new(symbols).unwrap();
        let dense = (symbols..MAX_ENCODING_SYMBOLS).filter(|&esi| code.encoding_symbol(esi).count() >= 30);
        let repair: Vec<RepairSymbol<'_>> =
            dense.map(|esi| RepairSymbol { esi, data: &[0] }).take(symbols as usize + 10).collect();
        let layout = BlockLayout { symbols, symbol_size: 1, sub_symbols: SubSymbols::whole(1) };
        let mut block = vec![1; symbols as usize];
        let decoded = FountainBlock::new(code, layout).decode(&mut block, &Present::new(symbols as usize), &repair);
        let not_enough = DecodeError::NotEnoughSymbols { missing: symbols as usize, repair: repair.len() };
        assert_eq!(decoded, Err(not_enough));
    }
}
