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

/// Sums of products on one kind of processor. A value exists only where that processor is.
pub(crate) trait SumOfProducts: Copy + Send + Sync + 'static {
    /// How a linear map is held.
    type Map: Map;

    /// Computes the outputs.
    fn compute(self, product: &Product<'_, Self::Map>, outputs: &mut [&mut [u8]]);
}
