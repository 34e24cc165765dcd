// SPDX-License-Identifier: MPL-2.0

//! Generator matrices in Lagrange form.
//!
//! A codeword of RFC 5510 §8.2.1 holds the values of a polynomial of degree below k at n points. The matrix
//! `V_{k,k}^-1 * V_{k,n}` takes its values at k points to those at others, and by Lagrange's formula that matrix is
//!
//! ```text
//! c(x, p) = B(x) / ((x - p) B'(p))      B(x) = product of (x - p) over the k known points p
//! ```
//!
//! so no matrix is ever inverted. Encoding knows the k source points. Decoding knows those of the source symbols that
//! are present and of as many repair symbols as source symbols are missing, and asks for the missing ones alone.
//!
//! Points are powers of α, so for the k source points B and B' are products of terms α^i − 1, and come out of a table.

use std::ops::Range;

use super::field::Field;
use crate::Points;

/// A point and the logarithm of a factor that belongs to it.
#[derive(Clone, Copy, Debug)]
struct Node {
    point: u16,
    log: u32,
}

/// The matrix that takes values at some points, the columns, to values at others, the rows.
#[derive(Debug, Default)]
pub(super) struct Interpolation {
    /// Where values are known, with the logarithm of 1 / B'(p).
    columns: Vec<Node>,
    /// Where values are wanted, with the logarithm of B(x).
    rows: Vec<Node>,
    /// Memory for what the nodes are made from.
    points: [Vec<u16>; 2],
    weights: Vec<i32>,
}

/// The points of a code with k source symbols.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) field: &'static Field,
    pub(super) points: Points,
    /// Number of source symbols, 1 ≤ k ≤ q − 1.
    pub(super) k: u32,
}

impl Geometry {
    /// The point of an encoding symbol, `esi` below q − 1.
    fn point(&self, esi: u32) -> u16 {
        match (self.points, esi) {
            (Points::Rizzo, 0) => 0,
            (Points::Rizzo, esi) => self.field.power(esi - 1),
            (Points::Literal, esi) => self.field.power(esi),
        }
    }

    /// Logarithm of A(x), the product of x − p over all source points p, at the point of a repair symbol.
    pub(super) fn value_log(&self, esi: u32) -> u32 {
        match self.points {
            Points::Rizzo => self.field.add(esi - 1, self.powers_value_log(self.k - 1, esi - 1)),
            Points::Literal => self.powers_value_log(self.k, esi),
        }
    }

    /// Logarithm of A'(p) at the point of a source symbol.
    pub(super) fn derivative_log(&self, esi: u32) -> u32 {
        match (self.points, esi) {
            (Points::Rizzo, 0) => self.field.reduce(triangle(self.k - 1)),
            (Points::Rizzo, esi) => self.field.add(esi - 1, self.powers_derivative_log(self.k - 1, esi - 1)),
            (Points::Literal, esi) => self.powers_derivative_log(self.k, esi),
        }
    }

    /// Logarithm of the product of α^j − α^l = α^l (α^(j−l) − 1) over 0 ≤ l < count, for j ≥ count.
    fn powers_value_log(&self, count: u32, j: u32) -> u32 {
        let quotient = self.field.sub(self.field.geometric_log(j), self.field.geometric_log(j - count));
        self.field.add(self.field.reduce(triangle(count)), quotient)
    }

    /// Logarithm of the product of α^i − α^l over 0 ≤ l < count without l = i, for i < count. The terms in front of i
    /// are α^l (α^(i−l) − 1), those behind it α^i (1 − α^(l−i)).
    fn powers_derivative_log(&self, count: u32, i: u32) -> u32 {
        let behind = count - 1 - i;
        self.field.reduce(
            triangle(i)
                + u64::from(i) * u64::from(behind)
                + u64::from(self.field.geometric_log(i))
                + u64::from(self.field.geometric_log(behind)),
        )
    }

    /// Makes the matrix from some source symbols to some repair symbols.
    pub(super) fn encoding(
        &self,
        matrix: &mut Interpolation,
        source: impl Iterator<Item = u32>,
        repair: impl Iterator<Item = u32>,
    ) {
        let column = |esi| Node { point: self.point(esi), log: self.field.sub(0, self.derivative_log(esi)) };
        let row = |esi| Node { point: self.point(esi), log: self.value_log(esi) };
        matrix.columns.clear();
        matrix.columns.extend(source.map(column));
        matrix.rows.clear();
        matrix.rows.extend(repair.map(row));
    }

    /// Makes the matrix from the source symbols that are not `missing`, in ascending order, and then the `repair`
    /// symbols, to the missing ones. There are as many repair symbols as missing ones, and no encoding symbol ID twice.
    pub(super) fn decoding(&self, matrix: &mut Interpolation, missing: &[u32], repair: &[u32]) {
        let mut absent = missing.iter().copied().peekable();
        let present = (0..self.k).filter(|esi| absent.next_if_eq(esi).is_none());
        self.interpolation(matrix, missing, present, repair);
    }

    /// As [`decoding`](Self::decoding), but only the columns of the repair symbols.
    pub(super) fn solving(&self, matrix: &mut Interpolation, missing: &[u32], repair: &[u32]) {
        self.interpolation(matrix, missing, std::iter::empty(), repair);
    }

    fn interpolation(
        &self,
        matrix: &mut Interpolation,
        missing: &[u32],
        present: impl Iterator<Item = u32>,
        repair: &[u32],
    ) {
        let field = self.field;
        let Interpolation { columns, rows, points: [lost, used], weights } = matrix;
        for (points, esis) in [(&mut *lost, missing), (&mut *used, repair)] {
            points.clear();
            points.extend(esis.iter().map(|&esi| self.point(esi)));
        }
        columns.clear();
        columns.extend(present.map(|esi| Node { point: self.point(esi), log: self.derivative_log(esi) }));
        let repair = repair.iter().zip(&*used);
        columns.extend(repair.map(|(&esi, &point)| Node { point, log: self.value_log(esi) }));
        rows.clear();
        let missing = missing.iter().zip(&*lost);
        rows.extend(missing.map(|(&esi, &point)| Node { point, log: self.derivative_log(esi) }));
        // B(x) = A(x) * product of (x - r) over the repair points / product of (x - m) over the missing ones.
        let quotient = Quotient::new(field, used, lost, columns.len() + rows.len(), weights);
        columns.iter_mut().for_each(|Node { point, log }| *log = field.sub(0, field.add(*log, quotient.log(*point))));
        rows.iter_mut().for_each(|Node { point, log }| *log = field.add(*log, quotient.log(*point)));
    }
}

/// 0 + 1 + … + (count − 1).
fn triangle(count: u32) -> u64 {
    u64::from(count) * u64::from(count.saturating_sub(1)) / 2
}

/// The product of x − p over some points, divided by that over others. Points among them that are x itself count for
/// nothing.
enum Quotient<'a> {
    /// The points, to be multiplied one by one.
    Factors { field: &'static Field, dividend: &'a [u16], divisor: &'a [u16] },
    /// The logarithm for every x.
    Logarithms(&'a [i32]),
}

impl<'a> Quotient<'a> {
    /// Chooses what costs less where it is asked for `times` points. `weights` is memory.
    fn new(
        field: &'static Field,
        dividend: &'a [u16],
        divisor: &'a [u16],
        times: usize,
        weights: &'a mut Vec<i32>,
    ) -> Self {
        let factors = times * (dividend.len() + divisor.len());
        if factors <= field.convolution_cost() {
            return Self::Factors { field, dividend, divisor };
        }
        weights.clear();
        weights.resize(field.order() as usize + 1, 0);
        dividend.iter().for_each(|&point| weights[usize::from(point)] += 1);
        divisor.iter().for_each(|&point| weights[usize::from(point)] -= 1);
        field.convolve_logarithms(weights);
        Self::Logarithms(weights)
    }

    fn log(&self, x: u16) -> u32 {
        match self {
            Self::Factors { field, dividend, divisor } => {
                let product = |points: &[u16]| points.iter().map(|&p| u64::from(field.log(x ^ p))).sum();
                field.sub(field.reduce(product(dividend)), field.reduce(product(divisor)))
            }
            Self::Logarithms(logarithms) => logarithms[usize::from(x)] as u32,
        }
    }
}

impl Interpolation {
    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        (self.columns.len() + self.rows.len()) * size_of::<Node>()
    }

    /// Some columns of some rows.
    #[inline(always)]
    pub(super) fn part(&self, rows: Range<usize>, columns: Range<usize>) -> impl ExactSizeIterator<Item = Column<'_>> {
        let rows = &self.rows[rows];
        self.columns[columns].iter().map(move |&column| Column { column, rows })
    }
}

/// Some rows of a column of an [`Interpolation`].
#[derive(Clone, Copy)]
pub(super) struct Column<'a> {
    column: Node,
    rows: &'a [Node],
}

impl<'a> Column<'a> {
    /// The logarithms of the coefficients, of what the value at the column counts for in those at the rows: as sums of
    /// three logarithms, not reduced. No coefficient is 0.
    #[inline(always)]
    pub(super) fn log_sums(self, field: &'static Field) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        let Self { column, rows } = self;
        let log = column.log + field.order();
        rows.iter().map(move |row| row.log + log - field.log(row.point ^ column.point))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(m: u8, points: Points, k: u32) -> Geometry {
        Geometry { field: Field::get(m).unwrap(), points, k }
    }

    /// A row of a matrix.
    fn coefficients(field: &'static Field, matrix: &Interpolation, row: usize) -> Vec<u16> {
        matrix
            .part(row..row + 1, 0..matrix.columns.len())
            .flat_map(|column| column.log_sums(field).map(|log| field.power_of_sum(log)))
            .collect()
    }

    fn column(geometry: &Geometry, esi: u32) -> Vec<u16> {
        let mut matrix = Interpolation::default();
        geometry.encoding(&mut matrix, 0..geometry.k, esi..esi + 1);
        coefficients(geometry.field, &matrix, 0)
    }

    /// Worked out by hand: for k = 2 and points 1, α the line through (1, s0), (α, s1) has at α² the value
    /// s0 (α² − α)/(1 − α) + s1 (α² − 1)/(α − 1) = α s0 + (α + 1) s1.
    #[test]
    fn line_by_hand() {
        assert_eq!(column(&geometry(8, Points::Literal, 2), 2), [2, 3]);
        // Points 0, 1, and α wanted: s0 (α − 1)/(0 − 1) + s1 α/1.
        assert_eq!(column(&geometry(8, Points::Rizzo, 2), 2), [3, 2]);
        assert_eq!(column(&geometry(2, Points::Rizzo, 1), 2), [1]);
    }

    /// The generator matrix times the Vandermonde matrix of the source points is that of the repair points: this
    /// is GM = V_{k,k}^-1 * V_{k,n} of RFC 5510 §8.2.1.
    #[test]
    fn matrix_is_that_of_the_rfc() {
        for m in 2..=9 {
            for points in [Points::Rizzo, Points::Literal] {
                let field = Field::get(m).unwrap();
                for k in [1, 2, 3, field.order() / 2, field.order() - 1] {
                    let geometry = geometry(m, points, k);
                    let count = field.order() - k;
                    let mut matrix = Interpolation::default();
                    geometry.encoding(&mut matrix, 0..k, k..k + count);
                    let power = |esi, exponent| (0..exponent).fold(1, |p, _| field.multiply(p, geometry.point(esi)));
                    for row in [0, count / 2, count.saturating_sub(1)].into_iter().filter(|&row| row < count) {
                        let coefficients = coefficients(field, &matrix, row as usize);
                        for exponent in [0, 1, k / 2, k - 1].into_iter().filter(|&exponent| exponent < k) {
                            let sum = (0..k)
                                .fold(0, |sum, i| sum ^ field.multiply(coefficients[i as usize], power(i, exponent)));
                            assert_eq!(sum, power(k + row, exponent), "m {m} k {k} {points:?} row {row}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn quotients_either_way() {
        for m in 2..=16 {
            let field = Field::get(m).unwrap();
            let points = |step: u32| (0..=field.order()).step_by(step as usize).map(|p| p as u16).collect::<Vec<_>>();
            let (dividend, divisor) = (points(3 + field.order() / 90), points(2 + field.order() / 70));
            let direct = Quotient::Factors { field, dividend: &dividend, divisor: &divisor };
            let mut weights = Vec::new();
            let convolved = Quotient::new(field, &dividend, &divisor, usize::MAX >> 16, &mut weights);
            assert!(matches!(convolved, Quotient::Logarithms(_)));
            for x in points(1 + field.order() / 300) {
                assert_eq!(direct.log(x), convolved.log(x), "{x} of GF(2^{m})");
            }
        }
    }
}
