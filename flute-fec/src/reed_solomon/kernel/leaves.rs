// SPDX-License-Identifier: MPL-2.0

//! The products of the leaves of a halved Toeplitz matrix, for all vector kernels.
//!
//! Everything here is inlined into functions that enable the instructions in question, as in [`tile`](super::tile).

use super::fan::{load_unit, put_unit};
use super::tile::{Lanes, Rows, Vector, columns};
use super::{LEAVES, Leaves, MAX_LEAF_INPUTS, PARTS, Planes, STRIP, takes};

/// Computes the products of all leaves.
///
/// # Safety
/// The instructions of `L` must be there, and [`Leaves::check`] must have passed.
#[inline(always)]
pub(super) unsafe fn compute<L: Lanes>(leaves: &Leaves<'_, L::Map>, scaled: &mut [u8], products: &mut [u8]) {
    // SAFETY: the caller vouches for all of it; an output has as many rows as the size of a leaf.
    unsafe {
        match (leaves.planes, leaves.size * leaves.planes.count()) {
            (Planes::One, 8) => compute_planes::<L, false, 8>(leaves, scaled, products),
            (Planes::One, _) => compute_planes::<L, false, 4>(leaves, scaled, products),
            (Planes::Two, 8) => compute_planes::<L, true, 8>(leaves, scaled, products),
            (Planes::Two, _) => compute_planes::<L, true, 4>(leaves, scaled, products),
        }
    }
}

/// # Safety
/// As [`compute`]; `TWO` says whether an input or output has two planes, and `R` how many planes a leaf has.
#[inline(always)]
unsafe fn compute_planes<L: Lanes, const TWO: bool, const R: usize>(
    leaves: &Leaves<'_, L::Map>,
    scaled: &mut [u8],
    products: &mut [u8],
) {
    // SAFETY: the caller vouches for `scaled`.
    unsafe { scale::<L, TWO>(leaves, scaled.as_mut_ptr()) };
    let empty = leaves.inputs.count() * STRIP..PARTS * leaves.columns_of_leaf * STRIP;
    scaled[empty].fill(0);

    // What `leaves.size` is: a constant, for the sake of the products with it.
    let size = if TWO { R / 2 } else { R };
    let mut inputs = [&scaled[..0]; MAX_LEAF_INPUTS];
    for (index, input) in inputs[..leaves.columns_of_leaf].iter_mut().enumerate() {
        *input = &scaled[(index / size * PARTS * size + index % size) * STRIP..];
    }
    let mut maps = leaves.maps.as_ptr();
    for (leaf, products) in products.chunks_exact_mut(size * STRIP).take(LEAVES).enumerate() {
        let (parts, count) = PARTS_OF_LEAVES[leaf];
        let starts = parts.map(|part| usize::from(part) * (size * STRIP));
        let rows = Rows::<L> {
            maps,
            stride: R,
            inputs: &inputs[..leaves.columns_of_leaf],
            starts: &starts[..count],
            is_added: leaves.is_added,
        };
        let mut strips = products.chunks_exact_mut(STRIP);
        let mut outputs: [&mut [u8]; PARTS] = std::array::from_fn(|_| strips.next().unwrap_or_default());
        // SAFETY: the maps of a leaf are for R planes; from each start on, an input has a strip, and so do outputs.
        unsafe { columns::<L, TWO, R>(rows, &mut outputs[..size], 0, leaves.columns.len()) };
        maps = maps.wrapping_add(leaves.maps_of_leaf());
    }
}

/// The parts that each leaf takes, and how many these are.
const PARTS_OF_LEAVES: [([u8; PARTS], usize); LEAVES] = {
    let mut all = [([0; PARTS], 0); LEAVES];
    let mut leaf = 0;
    while leaf < LEAVES {
        let mut part = 0;
        while part < PARTS {
            if takes(leaf, part) {
                all[leaf].0[all[leaf].1] = part as u8;
                all[leaf].1 += 1;
            }
            part += 1;
        }
        leaf += 1;
    }
    all
};

/// Scales a strip of each input.
///
/// # Safety
/// As [`compute`]; `to` has a strip for each input.
#[inline(always)]
unsafe fn scale<L: Lanes, const TWO: bool>(leaves: &Leaves<'_, L::Map>, mut to: *mut u8) {
    let unit = if TWO { 2 * L::Vector::WIDTH } else { L::Vector::WIDTH };
    let width = leaves.columns.len();
    let mut maps = leaves.scales.as_ptr();
    for input in leaves.inputs.strings {
        // SAFETY: the caller vouches for the columns of each input that is not empty, and for a strip of each result.
        // Units cover them, the last one in part.
        unsafe {
            if input.is_empty() {
                to.write_bytes(0, width);
            } else if width == STRIP {
                let from = input.as_ptr().add(leaves.columns.start);
                for index in 0..STRIP / unit {
                    scale_unit::<L, TWO, false>(maps, from.add(index * unit), to.add(index * unit), unit);
                }
            } else {
                let from = input.as_ptr().add(leaves.columns.start);
                let mut at = 0;
                while at + unit <= width {
                    scale_unit::<L, TWO, false>(maps, from.add(at), to.add(at), unit);
                    at += unit;
                }
                if at < width {
                    scale_unit::<L, TWO, true>(maps, from.add(at), to.add(at), width - at);
                }
            }
        }
        maps = maps.wrapping_add(if TWO { 4 } else { 1 });
        to = to.wrapping_add(STRIP);
    }
}

/// # Safety
/// The instructions of `L` must be there; there must be a map of each plane to each plane, and `len` bytes to read and
/// to write, which without `PARTIAL` are a whole unit.
#[inline(always)]
unsafe fn scale_unit<L: Lanes, const TWO: bool, const PARTIAL: bool>(
    maps: *const L::Map,
    from: *const u8,
    to: *mut u8,
    len: usize,
) {
    // SAFETY: the caller vouches for all of it.
    unsafe {
        let zero = L::Vector::zero();
        let [a, b] = load_unit::<L::Vector, TWO, PARTIAL>(from, len);
        let unit = if TWO {
            let maps = maps.cast::<[L::Map; 2]>();
            let (even, odd) = L::Vector::split(a, b);
            let (even, odd) = (L::operand(even), L::operand(odd));
            let (a, b) = L::Vector::join(
                L::add_products(zero, L::maps(&*maps), even, odd),
                L::add_products(zero, L::maps(&*maps.add(1)), even, odd),
            );
            [a, b]
        } else {
            [L::product(&*maps, L::operand(a)), zero]
        };
        put_unit::<L::Vector, TWO, PARTIAL>(unit, to, len, false);
    }
}
