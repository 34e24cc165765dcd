// SPDX-License-Identifier: MPL-2.0

//! The finite fields GF(2^m) of RFC 5510 §8.1, in the log domain.

use std::sync::OnceLock;

/// The primitive polynomials of RFC 5510 §8.1 for m = 2 to 16; bit i is the coefficient of x^i.
const POLYNOMIALS: [u32; 15] =
    [0x7, 0xb, 0x13, 0x25, 0x43, 0x89, 0x11d, 0x211, 0x409, 0x805, 0x1053, 0x201b, 0x4443, 0x8003, 0x1100b];

static FIELDS: [OnceLock<Field>; 15] = [const { OnceLock::new() }; 15];

/// GF(2^m), with α = x.
#[derive(Debug)]
pub(super) struct Field {
    m: u32,
    /// q − 1: the order of α.
    order: u32,
    /// α^i for 0 ≤ i < q − 1.
    powers: Vec<u16>,
    /// The logarithm of each element to the base α, and 0 for 0.
    logarithms: Vec<u16>,
    /// The logarithm of (α − 1)(α² − 1) … (α^i − 1) for 0 ≤ i < q − 1.
    geometric: Vec<u16>,
    /// The Walsh-Hadamard transform of the logarithms, modulo q − 1.
    transformed: OnceLock<Vec<i32>>,
}

impl Field {
    /// The field of elements of `m` bits, if RFC 5510 has it. Tables are made once per process.
    pub(super) fn get(m: u8) -> Option<&'static Self> {
        let index = usize::from(m).checked_sub(2)?;
        Some(FIELDS.get(index)?.get_or_init(|| Self::new(m.into(), POLYNOMIALS[index])))
    }

    fn new(m: u32, polynomial: u32) -> Self {
        let order = (1u32 << m) - 1;
        let mut powers = Vec::with_capacity(order as usize);
        let mut logarithms = vec![0; order as usize + 1];
        let mut element = 1u32;
        for exponent in 0..order {
            powers.push(element as u16);
            logarithms[element as usize] = exponent as u16;
            element <<= 1;
            if element > order {
                element ^= polynomial;
            }
        }
        let mut field = Self {
            m,
            order,
            powers,
            logarithms,
            geometric: Vec::with_capacity(order as usize),
            transformed: OnceLock::new(),
        };
        let mut product = 0;
        field.geometric.push(0);
        for exponent in 1..order {
            product = field.add(product, field.log(field.power(exponent) ^ 1));
            field.geometric.push(product as u16);
        }
        field
    }

    /// Bits of an element.
    pub(super) fn m(&self) -> u32 {
        self.m
    }

    /// q − 1: number of elements other than 0, and what logarithms are counted modulo.
    pub(super) fn order(&self) -> u32 {
        self.order
    }

    /// α to the power of `exponent`, which is below q − 1.
    #[inline(always)]
    pub(super) fn power(&self, exponent: u32) -> u16 {
        self.powers[exponent as usize]
    }

    /// α to the power of a sum of up to three logarithms.
    #[inline(always)]
    pub(super) fn power_of_sum(&self, sum: u32) -> u16 {
        // Where it is less than what is taken away, the difference is beyond any sum: so there is nothing to branch on.
        let sum = sum.min(sum.wrapping_sub(self.order));
        self.power(sum.min(sum.wrapping_sub(self.order)))
    }

    /// The logarithm of an element; 0 for 0, which has none.
    #[inline(always)]
    pub(super) fn log(&self, element: u16) -> u32 {
        self.logarithms[usize::from(element)].into()
    }

    /// The sum of two logarithms: that of the product.
    #[inline(always)]
    pub(super) fn add(&self, a: u32, b: u32) -> u32 {
        let sum = a + b;
        if sum >= self.order { sum - self.order } else { sum }
    }

    /// The difference of two logarithms: that of the quotient.
    #[inline(always)]
    pub(super) fn sub(&self, a: u32, b: u32) -> u32 {
        if a >= b { a - b } else { a + self.order - b }
    }

    /// A sum of any number of logarithms, reduced.
    pub(super) fn reduce(&self, sum: u64) -> u32 {
        (sum % u64::from(self.order)) as u32
    }

    /// The product of two elements.
    pub(super) fn multiply(&self, a: u16, b: u16) -> u16 {
        if a == 0 || b == 0 { 0 } else { self.power(self.add(self.log(a), self.log(b))) }
    }

    /// For every element x, puts in the place of `weights[x]` the sum over all p of `weights[p]` times the logarithm of
    /// x − p.
    ///
    /// Elements are subtracted bit by bit, so this convolution is a product under the Walsh-Hadamard transform, which
    /// is its own inverse but for a factor of q: and q = 1 modulo q − 1.
    pub(super) fn convolve_logarithms(&self, weights: &mut [i32]) {
        let transformed = self.transformed.get_or_init(|| {
            let mut logarithms = self.logarithms.iter().map(|&log| log.into()).collect::<Vec<_>>();
            self.transform(&mut logarithms);
            logarithms
        });
        self.transform(weights);
        // No division: 2^m = 1 modulo q − 1, so what is above bit m counts as much below.
        let (m, mask, order) = (self.m, i64::from(self.order), self.order as i32);
        let fold = |sum: i64| (sum & mask) + (sum >> m);
        for (weight, &factor) in weights.iter_mut().zip(transformed) {
            *weight = fold(fold(i64::from(*weight) * i64::from(factor))) as i32;
        }
        self.transform(weights);
        // What was folded is from −1 to q + 1.
        for sum in weights {
            if *sum < 0 {
                *sum += order;
            } else if *sum >= order {
                *sum -= order;
            }
        }
    }

    /// About how many logarithms are looked up in the time of a [convolution](Self::convolve_logarithms).
    pub(super) fn convolution_cost(&self) -> usize {
        self.m as usize * self.logarithms.len()
    }

    /// The Walsh-Hadamard transform modulo q − 1, of values of which it leaves −1 to q + 1.
    fn transform(&self, values: &mut [i32]) {
        let (m, mask) = (self.m, self.order as i32);
        let fold = |sum: i32| (sum & mask) + (sum >> m);
        for bit in 0..m {
            for pair in values.chunks_exact_mut(2 << bit) {
                let (low, high) = pair.split_at_mut(1 << bit);
                for (a, b) in low.iter_mut().zip(high) {
                    (*a, *b) = (fold(*a + *b), fold(*a - *b));
                }
            }
        }
    }

    /// The logarithm of (α − 1)(α² − 1) … (α^count − 1), `count` below q − 1.
    pub(super) fn geometric_log(&self, count: u32) -> u32 {
        self.geometric[count as usize].into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Multiplication as RFC 5510 §8.1 defines it: of polynomials, modulo the field's.
    fn multiply_polynomials(m: u8, a: u16, b: u16) -> u16 {
        let mut product = 0u32;
        for bit in (0..m).rev() {
            product <<= 1;
            if product >> m != 0 {
                product ^= POLYNOMIALS[usize::from(m) - 2];
            }
            if b >> bit & 1 != 0 {
                product ^= u32::from(a);
            }
        }
        product as u16
    }

    #[test]
    fn tables_multiply_polynomials() {
        for m in 2..=16 {
            let field = Field::get(m).unwrap();
            let mask = ((1u32 << m) - 1) as u16;
            let mut a = 1u16;
            for b in 0..=mask {
                a = a.wrapping_mul(40503).wrapping_add(b) ^ (a >> 7);
                let a = a & mask;
                assert_eq!(field.multiply(a, b), multiply_polynomials(m, a, b), "{a} * {b} of GF(2^{m})");
            }
        }
    }

    #[test]
    fn powers_visit_every_element() {
        for m in 2..=16 {
            let field = Field::get(m).unwrap();
            let mut seen = vec![false; field.order as usize + 1];
            for exponent in 0..field.order {
                let element = field.power(exponent);
                assert!(!std::mem::replace(&mut seen[usize::from(element)], true));
                assert_eq!(field.log(element), exponent);
            }
            assert!(!seen[0]);
        }
    }

    #[test]
    fn no_other_field() {
        assert!([0, 1, 17, 255].iter().all(|&m| Field::get(m).is_none()));
    }
}
