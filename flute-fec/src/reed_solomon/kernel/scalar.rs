// SPDX-License-Identifier: MPL-2.0

//! The kernel for any processor, and the reference for all others.

use super::{Map, Product, SumOfProducts};

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

    fn sum(self, other: Self) -> Self {
        Self {
            low: std::array::from_fn(|i| self.low[i] ^ other.low[i]),
            high: std::array::from_fn(|i| self.high[i] ^ other.high[i]),
        }
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
}
