// SPDX-License-Identifier: MPL-2.0

//! The kernel for any processor, and the reference for all others.

use super::{FanIn, LEAVES, Leaves, Map, PARTS, Product, STRIP, SumOfProducts, takes};

/// A linear map as two tables of 16: the images of the lower and of the upper four bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(32))]
pub(crate) struct Nibbles {
    pub(super) low: [u8; 16],
    pub(super) high: [u8; 16],
}

impl Map for Nibbles {
    const ZERO: Self = Self { low: [0; 16], high: [0; 16] };

    fn from_images(images: [u8; 8]) -> Self {
        let table = |images: &[u8]| {
            std::array::from_fn(|nibble| {
                images
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| nibble >> bit & 1 != 0)
                    .fold(0, |sum, (_, image)| sum ^ image)
            })
        };
        Self { low: table(&images[..4]), high: table(&images[4..]) }
    }

    #[inline(always)]
    fn sum(self, other: Self) -> Self {
        let sum = |a, b| (u128::from_ne_bytes(a) ^ u128::from_ne_bytes(b)).to_ne_bytes();
        Self { low: sum(self.low, other.low), high: sum(self.high, other.high) }
    }
}

impl Nibbles {
    #[inline(always)]
    fn apply(&self, byte: u8) -> u8 {
        self.low[usize::from(byte & 15)] ^ self.high[usize::from(byte >> 4)]
    }
}

/// Byte by byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar;

impl SumOfProducts for Scalar {
    type Map = Nibbles;

    fn compute(self, product: &Product<'_, Nibbles>, outputs: &mut [&mut [u8]]) {
        product.check(outputs);
        let step = product.planes.count();
        for (index, output) in outputs.iter_mut().enumerate() {
            let output = &mut output[product.columns.clone()];
            if !product.is_added {
                output.fill(0);
            }
            for plane in 0..step {
                let map_of = |input_plane: usize| {
                    let pair = input_plane / 2 * product.stride;
                    &product.maps[pair + product.first_plane + index * step + plane][input_plane % 2]
                };
                for (number, input) in product.inputs.iter().enumerate() {
                    let input = &input[product.columns.clone()];
                    for input_plane in 0..step {
                        let map = map_of(number * step + input_plane);
                        let bytes = input[input_plane.min(input.len())..].iter().step_by(step);
                        let sums = output[plane.min(input.len())..].iter_mut().step_by(step);
                        sums.zip(bytes).for_each(|(sum, &byte)| *sum ^= map.apply(byte));
                    }
                }
            }
        }
    }

    fn leaves(self, leaves: &Leaves<'_, Nibbles>, scaled: &mut [u8], products: &mut [u8]) {
        leaves.check(scaled, products);
        let (planes, size, width) = (leaves.planes.count(), leaves.size, leaves.columns.len());
        scaled[..PARTS * leaves.columns_of_leaf * STRIP].fill(0);
        let scales = leaves.scales.chunks_exact(planes * planes);
        for ((input, maps), scaled) in leaves.inputs.strings.iter().zip(scales).zip(scaled.chunks_exact_mut(STRIP)) {
            let input = if input.is_empty() { input } else { &input[leaves.columns.clone()] };
            for (scaled, bytes) in scaled.chunks_exact_mut(planes).zip(input.chunks_exact(planes)) {
                for (scaled, maps) in scaled.iter_mut().zip(maps.chunks_exact(planes)) {
                    *scaled = maps.iter().zip(bytes).fold(0, |sum, (map, &byte)| sum ^ map.apply(byte));
                }
            }
        }
        let maps = leaves.maps.chunks_exact(leaves.maps_of_leaf());
        for (leaf, (maps, products)) in maps.zip(products.chunks_exact_mut(size * STRIP)).enumerate() {
            let sum = |input: usize, column: usize| {
                let first = input / size * PARTS * size + input % size;
                let parts = (0..PARTS).filter(|&part| takes(leaf, part));
                parts.fold(0, |sum, part| sum ^ scaled[(first + part * size) * STRIP + column])
            };
            for (row, product) in products.chunks_exact_mut(STRIP).enumerate() {
                for (column, product) in product[..width].iter_mut().enumerate() {
                    if !leaves.is_added {
                        *product = 0;
                    }
                    for plane in 0..leaves.columns_of_leaf * planes {
                        let maps = &maps[plane / 2 * size * planes + row * planes + column % planes];
                        let byte = sum(plane / planes, column / planes * planes + plane % planes);
                        *product ^= maps[plane % 2].apply(byte);
                    }
                }
            }
        }
    }

    fn fan_in(self, fan: &FanIn<'_, Nibbles>, outputs: &mut [&mut [u8]]) {
        fan.check(outputs);
        let planes = fan.planes.count();
        for part in 0..PARTS {
            let Some(output) = outputs.get_mut(fan.first_output + part * fan.output_step) else { return };
            let output = &mut output[fan.column..][..fan.extra.len()];
            if !fan.is_added {
                output.fill(0);
            }
            // The product that takes the one half belongs to the other.
            let sum = |column: usize| {
                let leaves = (0..LEAVES).filter(|&leaf| takes(leaf, PARTS - 1 - part));
                leaves.fold(0, |sum, leaf| sum ^ fan.products[leaf * fan.stride + column])
            };
            for (column, output) in output.iter_mut().enumerate() {
                let maps = fan.maps[(part * planes + column % planes) * planes..][..planes].as_flattened();
                let first = column / planes * planes;
                let bytes = (first..first + planes).map(sum).chain(fan.extra[first..first + planes].iter().copied());
                *output ^= maps.iter().zip(bytes).fold(0, |sum, (map, byte)| sum ^ map.apply(byte));
            }
        }
    }
}
