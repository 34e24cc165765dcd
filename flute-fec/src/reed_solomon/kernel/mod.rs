// SPDX-License-Identifier: MPL-2.0

//! The innermost loops: sums of products of a matrix and byte strings, once for each kind of processor.
//!
//! Multiplication by a constant of GF(2^m) is linear over the bits of an element, and so is the sum. A kernel therefore
//! knows no field: it adds up *linear maps of bytes*. An element of up to 8 bits is part of a byte; one of 16 bits is
//! two, and its product four maps. What a map looks like is the kernel's own choice ([`Map`]).

mod choice;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod fan;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod leaves;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(test)]
mod tests;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;

pub use choice::Kernel;
pub(crate) use choice::WithKernel;
pub(crate) use scalar::Scalar;

/// A linear map from bytes to bytes.
pub(crate) trait Map: Copy + Send + Sync + 'static {
    /// The map of everything to 0.
    const ZERO: Self;

    /// The map that takes the byte of bit i alone to `images[i]`.
    fn from_images(images: [u8; 8]) -> Self;

    /// The sum of two maps.
    fn sum(self, other: Self) -> Self;
}

/// How the bytes of a string take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Planes {
    /// A string is one plane of bytes.
    One,
    /// A string is two planes, which alternate: bytes of even and of odd position.
    Two,
}

impl Planes {
    /// Planes of one string.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

/// Planes of output that are computed together, at most.
pub(crate) const GROUP_PLANES: usize = 8;

/// One call of a kernel: `outputs[o][columns]` becomes the sum of the maps of `inputs[i][columns]`.
#[derive(Debug)]
pub(crate) struct Product<'a, M> {
    /// The maps, in the order in which a kernel reads them: for each pair of input planes, for each of `stride` output
    /// planes, the two maps.
    pub(crate) maps: &'a [[M; 2]],
    /// Output planes that the maps are for, at most [`GROUP_PLANES`].
    pub(crate) stride: usize,
    /// Which of them is the first plane of the first output.
    pub(crate) first_plane: usize,
    /// The inputs; what they have beyond the columns does not matter.
    pub(crate) inputs: &'a [&'a [u8]],
    /// How inputs and outputs split into planes. Of two planes, columns start and end at even positions.
    pub(crate) planes: Planes,
    /// The columns to compute.
    pub(crate) columns: Range<usize>,
    /// Whether the sum is added to what the outputs hold, rather than put in its place.
    pub(crate) is_added: bool,
}

impl<M> Product<'_, M> {
    /// Checks that inputs, outputs and maps are as large as the rest says.
    ///
    /// # Panics
    /// If they are not: that is a bug of the caller.
    fn check(&self, outputs: &[&mut [u8]]) {
        let Range { start, end } = self.columns;
        let planes = self.planes.count();
        assert!(start <= end && start.is_multiple_of(planes) && end.is_multiple_of(planes));
        assert!(self.inputs.iter().all(|input| input.len() >= end));
        assert!(outputs.iter().all(|output| output.len() >= end));
        assert!(self.first_plane + outputs.len() * planes <= self.stride);
        assert!(self.stride <= GROUP_PLANES);
        assert_eq!(self.maps.len(), (self.inputs.len() * planes).div_ceil(2) * self.stride);
    }
}

/// Parts that a product with a Toeplitz matrix is halved into, three times.
pub(crate) const PARTS: usize = 8;

/// Products that it takes, three in place of four, three times.
///
/// Number a leaf `(9 * i + 3 * j + l)`. By i = 0, 1, 2 it takes the first half of the parts, the second, or their sum;
/// of these again by j the first half, the second, or their sum; and so on.
pub(crate) const LEAVES: usize = 27;

/// Whether a part is in the sum that a leaf multiplies.
const fn takes(leaf: usize, part: usize) -> bool {
    let chosen = [leaf / 9, leaf / 3 % 3, leaf % 3];
    let half = [part >> 2, part >> 1 & 1, part & 1];
    (chosen[0] == half[0] || chosen[0] == 2)
        && (chosen[1] == half[1] || chosen[1] == 2)
        && (chosen[2] == half[2] || chosen[2] == 2)
}

/// Bytes of room that every product of a leaf has are a multiple of this.
pub(crate) const LEAF_ALIGNMENT: usize = 128;

/// Bytes of each symbol that leaves are computed for at a time: what they take stays in the cache.
pub(crate) const STRIP: usize = 128;

/// Inputs of a leaf that are worked on at a time, at most.
pub(crate) const MAX_LEAF_INPUTS: usize = 64;

/// Byte strings that are as long as their columns ask for, or empty. They are checked once, not for every strip.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strings<'a> {
    strings: &'a [&'a [u8]],
    len: usize,
}

impl<'a> Strings<'a> {
    /// Strings of `len` bytes or more, or of none.
    ///
    /// # Panics
    /// If one is shorter: that is a bug of the caller.
    pub(crate) fn new(strings: &'a [&'a [u8]], len: usize) -> Self {
        assert!(strings.iter().all(|string| string.is_empty() || string.len() >= len));
        Self { strings, len }
    }

    /// How many there are.
    pub(crate) fn count(self) -> usize {
        self.strings.len()
    }

    /// The first `count` of them, or all if there are fewer, and the others.
    pub(crate) fn split(self, count: usize) -> (Self, Self) {
        let (first, others) = self.strings.split_at(count.min(self.strings.len()));
        (Self { strings: first, ..self }, Self { strings: others, ..self })
    }
}

/// The products of all leaves with sums of a strip of some inputs, in blocks of [`PARTS`] times the size of a leaf.
#[derive(Debug)]
pub(crate) struct Leaves<'a, M> {
    /// The inputs. Those that are empty, and those behind the last, count as zeros.
    pub(crate) inputs: Strings<'a>,
    /// What each input is scaled by first: for each plane of output, the maps of each plane of input.
    pub(crate) scales: &'a [M],
    /// Rows, and columns of each block, of a leaf: half a group of planes, or a whole one.
    pub(crate) size: usize,
    /// Columns of a leaf in all blocks.
    pub(crate) columns_of_leaf: usize,
    /// The maps of each leaf, as [`Product`] has them.
    pub(crate) maps: &'a [[M; 2]],
    /// How inputs split into planes.
    pub(crate) planes: Planes,
    /// The strip.
    pub(crate) columns: Range<usize>,
    /// Whether the products are added to what is there.
    pub(crate) is_added: bool,
}

impl<M> Leaves<'_, M> {
    /// Maps of one leaf.
    fn maps_of_leaf(&self) -> usize {
        let planes = self.planes.count();
        (self.columns_of_leaf * planes).div_ceil(2) * self.size * planes
    }

    /// Checks that everything is as large as the rest says. `scaled` has a strip for each input, and `products` one
    /// for each row of each leaf.
    ///
    /// # Panics
    /// If it is not: that is a bug of the caller.
    fn check(&self, scaled: &[u8], products: &[u8]) {
        let Range { start, end } = self.columns;
        let planes = self.planes.count();
        assert!(start <= end && end - start <= STRIP && start.is_multiple_of(planes) && end.is_multiple_of(planes));
        assert!(end <= self.inputs.len);
        assert!([GROUP_PLANES / 2, GROUP_PLANES].contains(&(self.size * planes)));
        assert!(self.columns_of_leaf.is_multiple_of(self.size));
        assert!(self.columns_of_leaf <= MAX_LEAF_INPUTS && self.inputs.count() <= PARTS * self.columns_of_leaf);
        assert_eq!(self.scales.len(), self.inputs.count() * planes * planes);
        assert_eq!(self.maps.len(), LEAVES * self.maps_of_leaf());
        assert!(scaled.len() >= PARTS * self.columns_of_leaf * STRIP);
        assert!(products.len() >= LEAVES * self.size * STRIP);
    }
}

/// What the products of leaves come to: one output of each part.
///
/// Of the three products of a halving, the first belongs to the second half of the outputs, the second to the first,
/// and the third to both.
#[derive(Debug)]
pub(crate) struct FanIn<'a, M> {
    /// The products, with as many bytes as `extra`, and behind each room up to a multiple of [`LEAF_ALIGNMENT`].
    pub(crate) products: &'a [u8],
    /// From the product of one leaf to that of the next; a multiple of [`LEAF_ALIGNMENT`].
    pub(crate) stride: usize,
    /// A symbol that counts in every output besides.
    pub(crate) extra: &'a [u8],
    /// For each part, for each plane of output, the maps of the parts of the product, and those of the extra symbol:
    /// pairs of both of one plane, or pairs of two planes of each.
    pub(crate) maps: &'a [[M; 2]],
    /// How products and outputs split into planes.
    pub(crate) planes: Planes,
    /// The output of the first part, and from that of one part to that of the next. Those that there are not are left
    /// out.
    pub(crate) first_output: usize,
    pub(crate) output_step: usize,
    /// The first column of an output.
    pub(crate) column: usize,
    /// Whether the outputs are added to what is there.
    pub(crate) is_added: bool,
}

impl<M> FanIn<'_, M> {
    /// Checks that products, outputs and maps are as large as the rest says.
    ///
    /// # Panics
    /// If they are not: that is a bug of the caller.
    fn check(&self, outputs: &[&mut [u8]]) {
        let (planes, width) = (self.planes.count(), self.extra.len());
        assert!(width.is_multiple_of(planes) && self.stride.is_multiple_of(LEAF_ALIGNMENT) && width <= self.stride);
        let room = (LEAVES - 1) * self.stride + width.next_multiple_of(LEAF_ALIGNMENT);
        assert!(self.products.len() >= room && self.output_step > 0);
        let mut used = outputs.iter().skip(self.first_output).step_by(self.output_step).take(PARTS);
        assert!(used.all(|output| output.len() >= self.column + width));
        assert_eq!(self.maps.len(), PARTS * planes * planes);
    }
}

/// Sums of products on one kind of processor. A value exists only where that processor is.
pub(crate) trait SumOfProducts: Copy + Send + Sync + 'static {
    /// How a linear map is held.
    type Map: Map;

    /// Computes the outputs.
    fn compute(self, product: &Product<'_, Self::Map>, outputs: &mut [&mut [u8]]);

    /// Computes the products of the leaves of a halved Toeplitz matrix. `scaled` is memory.
    fn leaves(self, leaves: &Leaves<'_, Self::Map>, scaled: &mut [u8], products: &mut [u8]);

    /// Computes outputs from the products of the leaves.
    fn fan_in(self, fan: &FanIn<'_, Self::Map>, outputs: &mut [&mut [u8]]);
}
