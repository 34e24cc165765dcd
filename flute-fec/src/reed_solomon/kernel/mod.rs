// SPDX-License-Identifier: MPL-2.0

//! The innermost loops: sums of products of a matrix and byte strings, once for each kind of processor.
//!
//! Multiplication by a constant of GF(2^m) is linear over the bits of an element, and so is the sum. A kernel therefore
//! knows no field: it adds up *linear maps of bytes*. An element of up to 8 bits is part of a byte; one of 16 bits is
//! two, and its product four maps. What a map looks like is the kernel's own choice ([`Map`]).

mod choice;
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

/// The maps from all input planes to a few output planes, in the order in which a kernel reads them: for each pair of
/// input planes, for each output plane, the two maps.
#[derive(Clone, Debug)]
pub(crate) struct Group<M> {
    /// Output planes, at most [`GROUP_PLANES`].
    pub(crate) planes: usize,
    /// `[pair of input planes][output plane]`.
    pub(crate) maps: Vec<[M; 2]>,
}

impl<M> Group<M> {
    /// A group of no output plane.
    pub(crate) const EMPTY: Self = Self { planes: 0, maps: Vec::new() };
}

/// One call of a kernel: `outputs[o][columns]` becomes the sum of the maps of `inputs[i][columns]`.
#[derive(Debug)]
pub(crate) struct Product<'a, M> {
    /// The maps.
    pub(crate) group: &'a Group<M>,
    /// Output plane of the group that is the first plane of the first output.
    pub(crate) first_plane: usize,
    /// The inputs; what they have beyond the columns does not matter.
    pub(crate) inputs: &'a [&'a [u8]],
    /// How inputs and outputs split into planes. Of two planes, columns start and end at even positions.
    pub(crate) planes: Planes,
    /// The columns to compute.
    pub(crate) columns: Range<usize>,
}

impl<M> Product<'_, M> {
    /// Checks that inputs, outputs and maps are as large as the rest says.
    ///
    /// # Panics
    /// If they are not: that is a bug of the caller.
    fn check(&self, outputs: &[&mut [u8]]) {
        let end = self.columns.end;
        assert!(self.columns.start <= end);
        assert!(self.inputs.iter().all(|input| input.len() >= end));
        assert!(outputs.iter().all(|output| output.len() >= end));
        assert!(self.first_plane + outputs.len() * self.planes.count() <= self.group.planes);
        assert!(self.group.planes <= GROUP_PLANES);
        let pairs = (self.inputs.len() * self.planes.count()).div_ceil(2);
        assert_eq!(self.group.maps.len(), pairs * self.group.planes);
        let multiple = self.planes.count();
        assert!(self.columns.start.is_multiple_of(multiple) && end.is_multiple_of(multiple));
    }
}

/// Sums of products on one kind of processor. A value exists only where that processor is.
pub(crate) trait SumOfProducts: Copy + Send + Sync + 'static {
    /// How a linear map is held.
    type Map: Map;

    /// Computes the outputs, whatever they held before.
    fn compute(self, product: &Product<'_, Self::Map>, outputs: &mut [&mut [u8]]);
}
