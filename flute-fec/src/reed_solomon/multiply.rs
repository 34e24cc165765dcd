// SPDX-License-Identifier: MPL-2.0

//! From elements of GF(2^m) to what a kernel knows: linear maps of bytes.

use std::ops::Range;

use super::field::Field;
use super::kernel::{GROUP_PLANES, Group, Map, Planes, Product, SumOfProducts};
use super::lagrange::Interpolation;
use super::symbol::{self, Layout};
use crate::ByteOrder;

/// Multiplies matrices over one field with symbols, by one kernel.
pub(super) struct Multiplier<K: SumOfProducts> {
    kernel: K,
    layout: Layout,
    maps: MultiplicationMaps<K::Map>,
}

impl<K: SumOfProducts> Multiplier<K> {
    pub(super) fn new(kernel: K, field: &Field, byte_order: ByteOrder) -> Self {
        Self { kernel, layout: Layout::new(field.m()), maps: MultiplicationMaps::new(field, byte_order) }
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// Bytes that the multiplier takes.
    pub(super) fn bytes(&self) -> usize {
        (self.maps.low.len() + self.maps.high.len()) * size_of::<K::Map>()
    }

    /// How many rows of a matrix make a group.
    pub(super) fn group_rows(&self) -> usize {
        GROUP_PLANES / self.layout.planes().count()
    }

    /// Bytes that a group of a matrix takes.
    pub(super) fn group_bytes(&self, columns: usize) -> usize {
        columns * self.layout.planes().count() * GROUP_PLANES * size_of::<K::Map>()
    }

    /// Fills a group with some rows of a matrix, no more than [`group_rows`](Self::group_rows).
    pub(super) fn fill_group(&self, matrix: &Interpolation, rows: Range<usize>, group: &mut Group<K::Map>) {
        let columns = matrix.columns();
        group.planes = rows.len() * self.layout.planes().count();
        group.maps.clear();
        match self.layout.planes() {
            Planes::One => {
                for column in (0..columns).step_by(2) {
                    group.maps.extend(rows.clone().map(|row| {
                        let second = column + 1;
                        [
                            self.maps.byte(matrix.coefficient(row, column)),
                            if second < columns { self.maps.byte(matrix.coefficient(row, second)) } else { Map::ZERO },
                        ]
                    }));
                }
            }
            Planes::Two => {
                for column in 0..columns {
                    group.maps.extend(rows.clone().flat_map(|row| self.maps.word(matrix.coefficient(row, column))));
                }
            }
        }
    }

    /// Sets `columns` of `outputs` to those of the product of a group with `inputs`; `first_row` is the group's row
    /// of the first output.
    pub(super) fn multiply(
        &self,
        group: &Group<K::Map>,
        first_row: usize,
        inputs: &[&[u8]],
        columns: Range<usize>,
        outputs: &mut [&mut [u8]],
    ) {
        let planes = self.layout.planes();
        let first_plane = first_row * planes.count();
        self.kernel.compute(&Product { group, first_plane, inputs, planes, columns }, outputs);
    }
}

/// Symbols with each element in bytes of its own.
pub(super) struct Spread {
    bytes: Vec<u8>,
    len: usize,
}

impl Spread {
    /// Room for `columns` of some symbols of elements of `m` bits.
    pub(super) fn zeroed(layout: Layout, count: usize, columns: &Range<usize>) -> Self {
        let len = layout.spread_len(columns.len());
        Self { bytes: vec![0; count * len], len }
    }

    /// Spreads `columns` of some symbols of elements of `m` bits.
    pub(super) fn new(layout: Layout, m: u32, symbols: &[&[u8]], columns: &Range<usize>) -> Self {
        let mut spread = Self::zeroed(layout, symbols.len(), columns);
        for (symbol, elements) in symbols.iter().zip(spread.symbols_mut()) {
            symbol::spread(m, &symbol[columns.clone()], elements);
        }
        spread
    }

    pub(super) fn symbols(&self) -> Vec<&[u8]> {
        self.bytes.chunks_exact(self.len).collect()
    }

    pub(super) fn symbols_mut(&mut self) -> Vec<&mut [u8]> {
        self.bytes.chunks_exact_mut(self.len).collect()
    }
}

/// The maps of bytes that multiplication by any element comes to.
struct MultiplicationMaps<M> {
    /// The maps of the elements below 256. Of elements of two planes each has four: of output plane 0 from input planes
    /// 0 and 1, and of output plane 1.
    low: Vec<M>,
    /// The maps of the multiples of 256.
    high: Vec<M>,
}

impl<M: Map> MultiplicationMaps<M> {
    fn new(field: &Field, byte_order: ByteOrder) -> Self {
        if field.m() <= 8 {
            return Self { low: (0..=field.order()).map(|f| byte_map(field, f as u16)).collect(), high: Vec::new() };
        }
        let maps = |factor| word_maps(field, byte_order, factor);
        Self {
            low: (0..=0xff).flat_map(maps).collect(),
            high: (0..=field.order() >> 8).flat_map(|high| maps((high << 8) as u16)).collect(),
        }
    }

    /// The map of a factor, for elements of one plane.
    #[inline(always)]
    fn byte(&self, factor: u16) -> M {
        self.low[usize::from(factor)]
    }

    /// The maps of a factor, for elements of two planes: `[output plane][input plane]`.
    #[inline(always)]
    fn word(&self, factor: u16) -> [[M; 2]; 2] {
        let low = &self.low[usize::from(factor & 0xff) * 4..][..4];
        let high = &self.high[usize::from(factor >> 8) * 4..][..4];
        std::array::from_fn(|o| std::array::from_fn(|i| low[2 * o + i].sum(high[2 * o + i])))
    }
}

/// Multiplication of a byte by an element of up to 8 bits. Where several elements share a byte, each is multiplied in
/// its place.
fn byte_map<M: Map>(field: &Field, factor: u16) -> M {
    let m = field.m();
    M::from_images(std::array::from_fn(|bit| {
        let bit = bit as u32;
        let place = bit / m * m;
        if place + m > 8 { 0 } else { (field.multiply(factor, 1 << (bit - place)) << place) as u8 }
    }))
}

/// Multiplication of two bytes by an element of more than 8 bits.
fn word_maps<M: Map>(field: &Field, byte_order: ByteOrder, factor: u16) -> [M; 4] {
    let m = field.m();
    // Elements that were spread are little-endian, whatever those on the wire are.
    let significance = |plane: usize| match byte_order {
        ByteOrder::BigEndian if m == 16 => 1 - plane,
        _ => plane,
    };
    std::array::from_fn(|index| {
        let (output, input) = (significance(index / 2), significance(index % 2));
        M::from_images(std::array::from_fn(|bit| {
            let bit = 8 * input + bit;
            let image = if bit < m as usize { field.multiply(factor, 1 << bit) } else { 0 };
            image.to_le_bytes()[output]
        }))
    })
}
