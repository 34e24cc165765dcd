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
