// SPDX-License-Identifier: MPL-2.0

//! Generator matrices as Toeplitz matrices between two diagonal ones.
//!
//! Where all points are powers of α, the matrix of [`lagrange`](super::lagrange) is
//!
//! ```text
//! A(α^a) / ((α^a − α^i) A'(α^i))  =  A(α^a)  *  1 / (α^(a−i) − 1)  *  1 / (α^i A'(α^i))
//! ```
//!
//! and the factor in the middle depends on a − i alone. A Toeplitz matrix of 2 x 2 halves takes three products with
//! halves in place of four:
//!
//! ```text
//! ( T1 T0 ) ( x0 )  =  ( T1 (x0 + x1) + (T0 + T1) x1 )
//! ( T2 T1 ) ( x1 )     ( T1 (x0 + x1) + (T1 + T2) x0 )
//! ```
//!
//! Sums of the inputs serve all outputs, those of the halves are part of the matrix. Done three times, 27 products with
//! an eighth take the place of 64. The point 0 of Rizzo's codes is no power, so the first source symbol has a column
//! apart.

use super::kernel::LEAVES;
use super::lagrange::Geometry;
use crate::Points;

impl Geometry {
    /// Source symbols in front of those whose points are powers.
    pub(super) fn symbols_apart(&self) -> u32 {
        match self.points {
            Points::Rizzo => 1,
            Points::Literal => 0,
        }
    }

    /// The exponent of the point of an encoding symbol that is not apart.
    fn exponent(&self, esi: u32) -> u32 {
        esi - self.symbols_apart()
    }

    /// Logarithm of the factor that a source symbol counts with in every repair symbol, 1 / (p A'(p)). The factor that a
    /// repair symbol counts with all source symbols is A(x).
    pub(super) fn source_log(&self, esi: u32) -> u32 {
        let field = self.field;
        field.sub(0, field.add(field.reduce(self.exponent(esi).into()), self.derivative_log(esi)))
    }

    /// What the source symbol apart counts for in a repair symbol, A(x) / (x A'(0)); 0 where there is none.
    pub(super) fn coefficient_apart(&self, esi: u32) -> u16 {
        let field = self.field;
        match self.points {
            Points::Rizzo => {
                let divisor = field.add(field.reduce(self.exponent(esi).into()), self.derivative_log(0));
                field.power(field.sub(self.value_log(esi), divisor))
            }
            Points::Literal => 0,
        }
    }

    /// What the matrix in the middle has `offset` places from the diagonal of a block: for the repair symbol that is
    /// the first row of the block, and the source symbol that is its first column, 1 / (α^(difference + offset) − 1).
    /// Rows and columns beyond the ends of the code count for nothing, so any value will do for them.
    fn middle(&self, difference: i64, offset: i64) -> u16 {
        let field = self.field;
        let exponent = (difference + offset).rem_euclid(field.order().into()) as u32;
        match field.power(exponent) ^ 1 {
            0 => 0,
            divisor => field.power(field.sub(0, field.log(divisor))),
        }
    }

    /// The Toeplitz matrix of one leaf of a block, as its values from the upper right corner to the lower left one:
    /// column `c` of row `r` has the value at `size − 1 + r − c`. The block has `8 * size` rows and columns, and
    /// starts at the repair symbol `repair` and the source symbol `source`, which may be beyond the last one.
    pub(super) fn leaf(&self, repair: u32, source: u32, size: u32, leaf: usize) -> impl Iterator<Item = u16> + '_ {
        debug_assert!(leaf < LEAVES);
        let difference = i64::from(repair) - i64::from(source);
        let size = i64::from(size);
        // Where the first product is wanted, T1 + T2; the second, T0 + T1; the third, T1.
        let beside = |halving: usize, half: i64| match halving {
            0 => [0, half].into_iter().take(2),
            1 => [0, -half].into_iter().take(2),
            _ => [0, 0].into_iter().take(1),
        };
        (1 - size..size).map(move |offset| {
            let mut sum = 0;
            for first in beside(leaf / 9, 4 * size) {
                for second in beside(leaf / 3 % 3, 2 * size) {
                    for third in beside(leaf % 3, size) {
                        sum ^= self.middle(difference, offset + first + second + third);
                    }
                }
            }
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::Field;
    use super::super::lagrange::Interpolation;
    use super::*;

    /// The factors make the matrix in Lagrange form, coefficient by coefficient.
    #[test]
    fn factors_make_the_matrix() {
        for (m, k, n) in [(4, 3, 15), (8, 1, 9), (8, 60, 64), (8, 223, 255), (11, 500, 510), (16, 40, 60)] {
            for points in [Points::Rizzo, Points::Literal] {
                let field = Field::get(m).unwrap();
                let geometry = Geometry { field, points, k };
                let mut matrix = Interpolation::default();
                geometry.encoding(&mut matrix, 0..k, k..n);
                for (row, repair) in (k..n).enumerate() {
                    let coefficients = matrix.part(row..row + 1, 0..k as usize);
                    for (source, column) in (0..k).zip(coefficients) {
                        let factors = if source < geometry.symbols_apart() {
                            geometry.coefficient_apart(repair)
                        } else {
                            let middle = geometry.middle(i64::from(repair) - i64::from(source), 0);
                            let logs = field.add(geometry.value_log(repair), geometry.source_log(source));
                            field.multiply(middle, field.power(logs))
                        };
                        let expected = column.log_sums(field).map(|log| field.power_of_sum(log)).next();
                        assert_eq!(Some(factors), expected, "{points:?} ({k}, {n}) of GF(2^{m}): {repair}, {source}");
                    }
                }
            }
        }
    }
}
