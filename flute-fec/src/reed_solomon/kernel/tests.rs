// SPDX-License-Identifier: MPL-2.0

//! Every kernel that the machine has against sums worked out map by map.

use super::*;

/// A linear map as the images of single bits: the definition, apart from how any kernel holds it.
type Images = [u8; 8];

fn apply(images: Images, byte: u8) -> u8 {
    (0..8).filter(|bit| byte >> bit & 1 != 0).fold(0, |sum, bit| sum ^ images[bit])
}

/// Reproducible bytes without a pattern.
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 56) as u8
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }
}

/// Inputs, outputs, where they lie in memory, and which of them take part.
#[derive(Clone, Copy, Debug)]
struct Case {
    planes: Planes,
    inputs: usize,
    /// Output planes that there are maps for, and the first that is computed.
    stride: usize,
    first_plane: usize,
    outputs: usize,
    start: usize,
    len: usize,
    /// Bytes from an aligned address; different for each string.
    misalignment: usize,
}

impl WithKernel for Case {
    type Output = ();

    fn call<K: SumOfProducts>(self, kernel: K) {
        let step = self.planes.count();
        let (end, room) = (self.start + self.len, self.start + self.len + 3);
        let mut noise = Noise(self.len as u64 + 1);
        let images: Vec<Vec<Images>> = (0..self.stride)
            .map(|_| (0..self.inputs * step).map(|_| std::array::from_fn(|_| noise.byte())).collect())
            .collect();
        let mut maps = Vec::new();
        for pair in 0..(self.inputs * step).div_ceil(2) {
            for images in &images {
                let map = |plane: usize| images.get(plane).map_or(K::Map::ZERO, |&images| K::Map::from_images(images));
                maps.push([map(2 * pair), map(2 * pair + 1)]);
            }
        }
        let offset = |index: usize| (self.misalignment * (index + 1)) % 64;
        let inputs: Vec<_> = (0..self.inputs).map(|index| noise.bytes(offset(index) + room)).collect();
        let inputs: Vec<_> = inputs.iter().enumerate().map(|(index, input)| &input[offset(index)..]).collect();
        let before: Vec<_> = (0..self.outputs).map(|index| noise.bytes(offset(index) + room)).collect();
        let mut after = before.clone();
        let mut outputs: Vec<_> =
            after.iter_mut().enumerate().map(|(index, output)| &mut output[offset(index)..]).collect();

        let mut product = Product {
            maps: &maps,
            stride: self.stride,
            first_plane: self.first_plane,
            inputs: &inputs,
            planes: self.planes,
            columns: self.start..end,
            is_added: false,
        };
        kernel.compute(&product, &mut outputs);

        let mut expected = before.clone();
        for (index, expected) in expected.iter_mut().enumerate() {
            for column in self.start..end {
                let place = column % step;
                let images = &images[self.first_plane + index * step + place];
                expected[offset(index) + column] = (0..self.inputs * step).fold(0, |sum, plane| {
                    sum ^ apply(images[plane], inputs[plane / step][column - place + plane % step])
                });
            }
        }
        let name = std::any::type_name::<K>();
        assert!(after == expected, "{self:?}, {name}");

        // Added to what was there before, it differs from that by the same.
        after.clone_from(&before);
        product.is_added = true;
        let mut outputs: Vec<_> =
            after.iter_mut().enumerate().map(|(index, output)| &mut output[offset(index)..]).collect();
        kernel.compute(&product, &mut outputs);
        for (index, (after, before)) in after.iter_mut().zip(&before).enumerate() {
            let columns = offset(index) + self.start..offset(index) + end;
            after[columns.clone()].iter_mut().zip(&before[columns]).for_each(|(after, before)| *after ^= before);
        }
        assert!(after == expected, "added: {self:?}, {name}");
    }
}

fn all_kernels(case: Case) {
    Kernel::available().for_each(|kernel| kernel.with(case).unwrap());
}

#[test]
fn every_length() {
    for planes in [Planes::One, Planes::Two] {
        for len in (0..600).filter(|len| len % planes.count() == 0) {
            let outputs = 1 + len / 2 % (GROUP_PLANES / planes.count());
            let stride = outputs * planes.count();
            let (inputs, misalignment) = (1 + len % 4, len % 32);
            all_kernels(Case { planes, inputs, stride, first_plane: 0, outputs, start: 0, len, misalignment });
        }
    }
}

#[test]
fn every_number_of_outputs() {
    for planes in [Planes::One, Planes::Two] {
        for stride in (1..=GROUP_PLANES).filter(|count| count % planes.count() == 0) {
            for first_plane in (0..stride).step_by(planes.count()) {
                for outputs in 0..=(stride - first_plane) / planes.count() {
                    for (inputs, start, len) in [(1, 0, 1400), (6, 0, 330), (7, 2, 64), (3, 130, 194), (2, 4, 10)] {
                        let misalignment = 7 * outputs + 1;
                        all_kernels(Case { planes, inputs, stride, first_plane, outputs, start, len, misalignment });
                    }
                }
            }
        }
    }
}

#[test]
fn every_alignment() {
    for planes in [Planes::One, Planes::Two] {
        for misalignment in 0..64 {
            for len in [30, 128, 254] {
                let (stride, outputs) = (GROUP_PLANES, GROUP_PLANES / planes.count());
                all_kernels(Case { planes, inputs: 5, stride, first_plane: 0, outputs, start: 2, len, misalignment });
            }
        }
    }
}

/// A halved Toeplitz matrix: its leaves, and what comes of their products.
#[derive(Clone, Copy, Debug)]
struct Halved {
    planes: Planes,
    /// Rows of a leaf.
    size: usize,
    blocks: usize,
    /// Inputs that there are; every fifth one is empty.
    inputs: usize,
    outputs: usize,
    start: usize,
    len: usize,
    misalignment: usize,
    is_added: bool,
}

impl WithKernel for Halved {
    /// The products, and the outputs.
    type Output = (Vec<u8>, Vec<Vec<u8>>);

    fn call<K: SumOfProducts>(self, kernel: K) -> Self::Output {
        let Self { planes, size, len, start, .. } = self;
        let maps_of_string = planes.count() * planes.count();
        let mut noise = Noise((size * 1000 + len) as u64);
        let offset = |index: usize| (self.misalignment * (index + 1)) % 64;
        let inputs: Vec<_> = (0..self.inputs).map(|index| noise.bytes(offset(index) + start + len)).collect();
        let input = |(index, input): (usize, &'_ Vec<u8>)| if index % 5 == 4 { input.len() } else { offset(index) };
        let inputs: Vec<_> = inputs.iter().enumerate().map(|(i, bytes)| &bytes[input((i, bytes))..]).collect();
        let mut map = || K::Map::from_images(std::array::from_fn(|_| noise.byte()));
        let scales: Vec<_> = (0..self.inputs * maps_of_string).map(|_| map()).collect();
        let columns_of_leaf = self.blocks * size;
        let pairs = LEAVES * (columns_of_leaf * planes.count()).div_ceil(2) * size * planes.count();
        let maps: Vec<_> = (0..pairs).map(|_| [map(), map()]).collect();
        let ends: Vec<_> = (0..PARTS * maps_of_string).map(|_| [map(), map()]).collect();
        let leaves = Leaves {
            inputs: Strings::new(&inputs, start + len),
            scales: &scales,
            size,
            columns_of_leaf,
            maps: &maps,
            planes,
            columns: start..start + len,
            is_added: self.is_added,
        };
        let mut scaled = noise.bytes(PARTS * columns_of_leaf * STRIP + 1);
        let mut products = noise.bytes(LEAVES * size * STRIP);
        kernel.leaves(&leaves, &mut scaled[1..], &mut products);

        let before: Vec<_> = (0..self.outputs).map(|index| noise.bytes(offset(index) + start + len + 3)).collect();
        let mut after = before;
        let mut outputs: Vec<_> =
            after.iter_mut().enumerate().map(|(index, output)| &mut output[offset(index)..]).collect();
        let extra = noise.bytes(len);
        for first_output in 0..size {
            let fan = FanIn {
                products: &products[first_output * STRIP..],
                stride: size * STRIP,
                extra: &extra,
                maps: &ends,
                planes,
                first_output,
                output_step: size,
                column: start,
                is_added: self.is_added,
            };
            kernel.fan_in(&fan, &mut outputs);
        }
        let products = products.chunks_exact(STRIP).flat_map(|product| &product[..len]).copied().collect();
        (products, after)
    }
}

#[test]
fn halved_matrices_as_the_scalar_kernel() {
    for planes in [Planes::One, Planes::Two] {
        for len in (0..=STRIP).filter(|len| len % planes.count() == 0) {
            for size in [GROUP_PLANES / 2, GROUP_PLANES].map(|planes_of_leaf| planes_of_leaf / planes.count()) {
                let case = Halved {
                    planes,
                    size,
                    blocks: 1 + len / 2 % 2,
                    inputs: 1 + len % (PARTS * size),
                    outputs: 1 + 3 * len % (PARTS * size),
                    start: len / 7 * 2,
                    len,
                    misalignment: len % 64,
                    is_added: len % 3 == 0,
                };
                let expected = case.call(Scalar);
                for kernel in Kernel::available() {
                    assert!(kernel.with(case) == Some(expected.clone()), "{kernel}: {case:?}");
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "assertion")]
fn too_few_maps_are_a_bug() {
    let product = Product {
        maps: &[],
        stride: 2,
        first_plane: 0,
        inputs: &[&[0; 4][..]],
        planes: Planes::One,
        columns: 0..4,
        is_added: false,
    };
    Scalar.compute(&product, &mut [&mut [0; 4]]);
}

#[test]
fn names_are_distinct() {
    let mut names: Vec<_> = Kernel::available().map(Kernel::name).collect();
    eprintln!("kernels of this machine: {names:?}, chosen: {}", Kernel::chosen());
    assert!(names.contains(&Kernel::chosen().name()) && names.contains(&"scalar"));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Kernel::available().count());
}

#[test]
fn strings_are_long_enough_or_empty() {
    let strings = [&[1, 2, 3][..], &[], &[1, 2]];
    let (first, others) = Strings::new(&strings, 2).split(2);
    assert_eq!((first.count(), others.count(), others.split(2).1.count()), (2, 1, 0));
    assert!(std::panic::catch_unwind(|| Strings::new(&strings, 3)).is_err());
}
