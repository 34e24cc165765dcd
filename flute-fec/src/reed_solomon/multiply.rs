// SPDX-License-Identifier: MPL-2.0

//! From elements of GF(2^m) to what a kernel knows: linear maps of bytes.

use std::ops::Range;

use super::field::Field;
use super::group::Group;
use super::kernel::{GROUP_PLANES, Map, Product, SumOfProducts};
use super::lagrange::Interpolation;
use super::scratch::Pool;
use super::symbol::Layout;
use crate::ByteOrder;

/// Multiplies matrices over one field with symbols, by one kernel.
pub(super) struct Multiplier<K: SumOfProducts> {
    kernel: K,
    field: &'static Field,
    layout: Layout,
    maps: MultiplicationMaps<K::Map>,
    pool: Pool<K::Map>,
}

impl<K: SumOfProducts> Multiplier<K> {
    pub(super) fn new(kernel: K, field: &'static Field, byte_order: ByteOrder) -> Self {
        let (layout, maps) = (Layout::new(field.m()), MultiplicationMaps::new(field, byte_order));
        Self { kernel, field, layout, maps, pool: Pool::new() }
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// Bytes that the multiplier takes.
    pub(super) fn bytes(&self) -> usize {
        self.maps.bytes()
    }

    /// How many rows of a matrix make a group.
    pub(super) fn group_rows(&self) -> usize {
        GROUP_PLANES / self.layout.planes().count()
    }

    /// Bytes that a group of a matrix takes.
    pub(super) fn group_bytes(&self, columns: usize) -> usize {
        columns * self.layout.planes().count() * GROUP_PLANES * size_of::<K::Map>()
    }

    /// The kernel.
    pub(super) fn kernel(&self) -> K {
        self.kernel
    }

    /// Scratches for work with this multiplier.
    pub(super) fn pool(&self) -> &Pool<K::Map> {
        &self.pool
    }

    /// A group made of some columns of some rows of a matrix, no more than [`group_rows`](Self::group_rows).
    pub(super) fn fill(
        &self,
        group: &mut Group<K::Map>,
        matrix: &Interpolation,
        rows: Range<usize>,
        columns: Range<usize>,
    ) {
        let planes = self.layout.planes().count();
        group.stride = rows.len() * planes;
        // What is there is overwritten.
        group.maps.resize((columns.len() * planes).div_ceil(2) * group.stride, [Map::ZERO; 2]);
        let mut columns = matrix.part(rows, columns);
        for maps in group.maps.chunks_exact_mut(group.stride) {
            let Some(first) = columns.next() else { return };
            match &self.maps {
                MultiplicationMaps::Byte(by_log) => match columns.next() {
                    Some(second) => {
                        let logs = first.log_sums(self.field).zip(second.log_sums(self.field));
                        for (maps, (first, second)) in maps.iter_mut().zip(logs) {
                            *maps = [by_log[first as usize], by_log[second as usize]];
                        }
                    }
                    None => {
                        for (maps, log) in maps.iter_mut().zip(first.log_sums(self.field)) {
                            *maps = [by_log[log as usize], Map::ZERO];
                        }
                    }
                },
                MultiplicationMaps::Word(words) => {
                    for (maps, log) in maps.chunks_exact_mut(2).zip(first.log_sums(self.field)) {
                        maps.copy_from_slice(&words.by(self.field.power_of_sum(log)));
                    }
                }
            }
        }
    }

    /// The maps of multiplication by an element: of a byte, or for each plane of output those of both planes of input.
    pub(super) fn maps_of(&self, factor: u16) -> impl Iterator<Item = K::Map> {
        let maps = match &self.maps {
            MultiplicationMaps::Byte(_) => [[self.byte_map(factor), K::Map::ZERO], [K::Map::ZERO; 2]],
            MultiplicationMaps::Word(words) => words.by(factor),
        };
        let planes = self.layout.planes().count();
        maps.into_iter().flatten().take(planes * planes)
    }

    /// The maps of multiplication by two elements, for the sum of both products: of a byte of each, or for each plane
    /// of output those of both planes of one, and then of the other.
    pub(super) fn pair_maps(&self, [first, second]: [u16; 2]) -> impl Iterator<Item = [K::Map; 2]> {
        let maps = match &self.maps {
            MultiplicationMaps::Byte(_) => {
                [[self.byte_map(first), self.byte_map(second)], [K::Map::ZERO; 2], [K::Map::ZERO; 2], [K::Map::ZERO; 2]]
            }
            MultiplicationMaps::Word(words) => {
                let ([a, b], [c, d]) = (words.by(first), words.by(second));
                [a, c, b, d]
            }
        };
        let planes = self.layout.planes().count();
        maps.into_iter().take(planes * planes)
    }

    /// Puts the maps of one coefficient where [`Product`] wants them.
    pub(super) fn put(&self, maps: &mut [[K::Map; 2]], stride: usize, column: usize, row: usize, factor: u16) {
        match &self.maps {
            MultiplicationMaps::Byte(_) => maps[column / 2 * stride + row][column % 2] = self.byte_map(factor),
            MultiplicationMaps::Word(words) => {
                maps[column * stride + 2 * row..][..2].copy_from_slice(&words.by(factor));
            }
        }
    }

    /// The map of multiplication by an element of a byte.
    fn byte_map(&self, factor: u16) -> K::Map {
        match &self.maps {
            MultiplicationMaps::Byte(by_log) if factor != 0 => by_log[self.field.log(factor) as usize],
            _ => K::Map::ZERO,
        }
    }

    /// Sets `columns` of `outputs` to those of the product of rows of a matrix with `inputs`, or adds them.
    ///
    /// The inputs are taken in blocks, so that those of a block, and the maps of one group for it, stay in the cache
    /// however many inputs and outputs there are. `made` is memory for a group.
    pub(super) fn multiply(
        &self,
        matrix: &Matrix<'_, K::Map>,
        inputs: &[&[u8]],
        columns: Range<usize>,
        outputs: &mut [&mut [u8]],
        is_added: bool,
        made: &mut Group<K::Map>,
    ) {
        let (planes, rows) = (self.layout.planes(), self.group_rows());
        let block_len = (BLOCK_BYTES / columns.len().max(1)).clamp(MIN_BLOCK, MAX_BLOCK) / 2 * 2;
        let first_row = match matrix {
            Matrix::Kept { first_row, .. } | Matrix::Interpolation { first_row, .. } => *first_row,
        };
        for (index, block) in inputs.chunks(block_len).enumerate() {
            let start = index * block_len;
            let mut row = first_row;
            let mut outputs = &mut *outputs;
            while !outputs.is_empty() {
                let (head, tail) = outputs.split_at_mut((rows - row % rows).min(outputs.len()));
                let (maps, stride) = match matrix {
                    Matrix::Kept { group, .. } => {
                        let group = group(row / rows);
                        let end = (start + block.len()) * planes.count();
                        let pairs = start * planes.count() / 2..end.div_ceil(2);
                        (&group.maps[pairs.start * group.stride..pairs.end * group.stride], group.stride)
                    }
                    Matrix::Interpolation { matrix, .. } => {
                        self.fill(made, matrix, row..row + head.len(), start..start + block.len());
                        (&made.maps[..], made.stride)
                    }
                };
                let product = Product {
                    maps,
                    stride,
                    first_plane: row % rows * planes.count(),
                    inputs: block,
                    planes,
                    columns: columns.clone(),
                    is_added: is_added || index > 0,
                };
                self.kernel.compute(&product, head);
                row += head.len();
                outputs = tail;
            }
        }
    }
}

/// Bytes of input that are worked on at a time: part of a second-level cache.
const BLOCK_BYTES: usize = 320 << 10;
/// Inputs that are worked on at a time, at least: adding up the blocks must not cost more than making them.
const MIN_BLOCK: usize = 32;
/// Inputs that are worked on at a time, at most: their maps for a group are in the first-level cache.
const MAX_BLOCK: usize = 256;

/// What symbols are multiplied with.
pub(super) enum Matrix<'a, M> {
    /// Groups of all columns, by their number, and the row of all groups to begin with.
    Kept { group: &'a dyn Fn(usize) -> &'a Group<M>, first_row: usize },
    /// A matrix whose groups are made as they are needed, and the row of it to begin with.
    Interpolation { matrix: &'a Interpolation, first_row: usize },
}

/// The maps of bytes that multiplication by any element but 0 comes to.
enum MultiplicationMaps<M> {
    /// Of elements of one plane: by the sum of up to three logarithms.
    Byte(Vec<M>),
    /// Of elements of two planes.
    Word(WordMaps<M>),
}

impl<M: Map> MultiplicationMaps<M> {
    fn new(field: &Field, byte_order: ByteOrder) -> Self {
        if field.m() <= 8 {
            let mut by_log: Vec<M> = (0..field.order()).map(|log| byte_map(field, field.power(log))).collect();
            by_log = by_log.repeat(3);
            return Self::Byte(by_log);
        }
        let maps = |factor| word_maps(field, byte_order, factor);
        Self::Word(WordMaps {
            low: (0..=0xff).map(maps).collect(),
            high: (0..=field.order() >> 8).map(|high| maps((high << 8) as u16)).collect(),
        })
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Byte(maps) => size_of_val(&**maps),
            Self::Word(maps) => size_of_val(&*maps.low) + size_of_val(&*maps.high),
        }
    }
}

/// The maps of factors of two bytes: sums of those of each byte.
struct WordMaps<M> {
    low: Vec<[[M; 2]; 2]>,
    high: Vec<[[M; 2]; 2]>,
}

impl<M: Map> WordMaps<M> {
    /// The maps of a factor: `[output plane][input plane]`.
    #[inline(always)]
    fn by(&self, factor: u16) -> [[M; 2]; 2] {
        let (low, high) = (&self.low[usize::from(factor & 0xff)], &self.high[usize::from(factor >> 8)]);
        // Written out: the compiler does not inline `array::from_fn`, and this is the inner loop of making a matrix.
        let [[a, b], [c, d]] = *low;
        let [[e, f], [g, h]] = *high;
        [[a.sum(e), b.sum(f)], [c.sum(g), d.sum(h)]]
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
fn word_maps<M: Map>(field: &Field, byte_order: ByteOrder, factor: u16) -> [[M; 2]; 2] {
    let m = field.m();
    // Elements that were spread are little-endian, whatever those on the wire are.
    let significance = |plane: usize| match byte_order {
        ByteOrder::BigEndian if m == 16 => 1 - plane,
        _ => plane,
    };
    std::array::from_fn(|output| {
        std::array::from_fn(|input| {
            let (output, input) = (significance(output), significance(input));
            M::from_images(std::array::from_fn(|bit| {
                let bit = 8 * input + bit;
                let image = if bit < m as usize { field.multiply(factor, 1 << bit) } else { 0 };
                image.to_le_bytes()[output]
            }))
        })
    })
}
