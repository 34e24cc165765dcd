// SPDX-License-Identifier: MPL-2.0

//! What the products of the leaves of a halved Toeplitz matrix come to, for all vector kernels.
//!
//! Everything here is inlined into functions that enable the instructions in question, as in [`tile`](super::tile).

use super::tile::{Lanes, Vector, load, put};
use super::{FanIn, PARTS, Planes};

/// Computes outputs from the products of the leaves.
///
/// # Safety
/// The instructions of `L` must be there, and [`FanIn::check`] must have passed.
#[inline(always)]
pub(super) unsafe fn fan_in<L: Lanes>(fan: &FanIn<'_, L::Map>, outputs: &mut [&mut [u8]]) {
    // SAFETY: the caller vouches for all of it.
    unsafe {
        match fan.planes {
            Planes::One => fan_in_planes::<L, false>(fan, outputs),
            Planes::Two => fan_in_planes::<L, true>(fan, outputs),
        }
    }
}

/// # Safety
/// As [`fan_in`]; `TWO` says whether an input or output has two planes.
#[inline(always)]
unsafe fn fan_in_planes<L: Lanes, const TWO: bool>(fan: &FanIn<'_, L::Map>, outputs: &mut [&mut [u8]]) {
    let unit = if TWO { 2 * L::Vector::WIDTH } else { L::Vector::WIDTH };
    let (mut at, width) = (0, fan.extra.len());
    // SAFETY: units cover the width, the last one in part.
    unsafe {
        while at + unit <= width {
            in_unit::<L, TWO, false>(fan, outputs, at, unit);
            at += unit;
        }
        if at < width {
            in_unit::<L, TWO, true>(fan, outputs, at, width - at);
        }
    }
}

/// A unit of two planes as its two vectors, or a unit of one plane and nothing.
type Unit<V> = [V; 2];

/// Loads a unit.
///
/// # Safety
/// `from` has `len` bytes, and without `PARTIAL` the whole unit.
#[inline(always)]
pub(super) unsafe fn load_unit<V: Vector, const TWO: bool, const PARTIAL: bool>(
    from: *const u8,
    len: usize,
) -> Unit<V> {
    // SAFETY: the caller vouches for it.
    unsafe { [load::<V, PARTIAL>(from, 0, len), if TWO { load::<V, PARTIAL>(from, 1, len) } else { V::zero() }] }
}

/// Stores a unit, or adds it to what is there.
///
/// # Safety
/// `to` has `len` bytes, and without `PARTIAL` the whole unit.
#[inline(always)]
pub(super) unsafe fn put_unit<V: Vector, const TWO: bool, const PARTIAL: bool>(
    unit: Unit<V>,
    to: *mut u8,
    len: usize,
    is_added: bool,
) {
    // SAFETY: the caller vouches for it.
    unsafe {
        put::<V, PARTIAL>(unit[0], to, 0, len, is_added);
        if TWO {
            put::<V, PARTIAL>(unit[1], to, 1, len, is_added);
        }
    }
}

/// # Safety
/// As [`fan_in`]; `len` bytes from `at` on are within the width, and without `PARTIAL` a whole unit.
#[inline(always)]
unsafe fn in_unit<L: Lanes, const TWO: bool, const PARTIAL: bool>(
    fan: &FanIn<'_, L::Map>,
    outputs: &mut [&mut [u8]],
    at: usize,
    len: usize,
) {
    // SAFETY: the caller vouches for `len` bytes of every product, of the extra symbol and of every output from the
    // column on, and for the maps of each part.
    unsafe {
        let zero = L::Vector::zero();
        // Products have whole vectors of room behind them.
        let products = fan.products.as_ptr().add(at);
        let first = parts_of_products::<L::Vector>(products, fan.stride);
        let second =
            if TWO { parts_of_products::<L::Vector>(products.add(L::Vector::WIDTH), fan.stride) } else { first };
        let [a, b] = load_unit::<L::Vector, TWO, PARTIAL>(fan.extra.as_ptr().add(at), len);
        let (even, odd) = if TWO { L::Vector::split(a, b) } else { (a, b) };
        let extra = [L::operand(even), L::operand(odd)];
        for part in 0..PARTS {
            let Some(output) = outputs.get_mut(fan.first_output + part * fan.output_step) else { return };
            let unit = if TWO {
                let (even, odd) = L::Vector::split(first[part], second[part]);
                let product = [L::operand(even), L::operand(odd)];
                let maps = fan.maps.as_ptr().add(4 * part);
                let even = sum_of_two::<L>(maps, product, extra);
                let odd = sum_of_two::<L>(maps.add(2), product, extra);
                let (a, b) = L::Vector::join(even, odd);
                [a, b]
            } else {
                let maps = L::maps(&*fan.maps.as_ptr().add(part));
                [L::add_products(zero, maps, L::operand(first[part]), extra[0]), zero]
            };
            let to = output.as_mut_ptr().add(fan.column + at);
            put_unit::<L::Vector, TWO, PARTIAL>(unit, to, len, fan.is_added);
        }
    }
}

/// The sum of the maps of two units of two planes.
///
/// # Safety
/// The instructions of `L` must be there, and `maps` must be two.
#[inline(always)]
unsafe fn sum_of_two<L: Lanes>(maps: *const [L::Map; 2], first: [L::Operand; 2], second: [L::Operand; 2]) -> L::Vector {
    // SAFETY: the caller vouches for it.
    unsafe {
        let sum = L::add_products(L::Vector::zero(), L::maps(&*maps), first[0], first[1]);
        L::add_products(sum, L::maps(&*maps.add(1)), second[0], second[1])
    }
}

/// The parts of the product, from the products of the leaves: along each axis the first part is the sum of the second
/// and the third product, and the second part that of the first and the third.
///
/// # Safety
/// Every leaf must have a vector, `stride` bytes from the one before.
#[inline(always)]
unsafe fn parts_of_products<V: Vector>(products: *const u8, stride: usize) -> [V; PARTS] {
    // SAFETY: the caller vouches for it.
    unsafe {
        let both = parts_of_plane::<V>(products.add(18 * stride), stride);
        let [[a, b], [c, d]] = xor_plane(parts_of_plane(products.add(9 * stride), stride), both);
        let [[e, f], [g, h]] = xor_plane(parts_of_plane(products, stride), both);
        [a, b, c, d, e, f, g, h]
    }
}

/// As [`parts_of_products`], along two axes.
///
/// # Safety
/// As [`parts_of_products`].
#[inline(always)]
unsafe fn parts_of_plane<V: Vector>(products: *const u8, stride: usize) -> [[V; 2]; 2] {
    // SAFETY: the caller vouches for it.
    unsafe {
        let both = parts_of_line::<V>(products.add(6 * stride), stride);
        xor_plane([parts_of_line(products.add(3 * stride), stride), parts_of_line(products, stride)], [both, both])
    }
}

/// As [`parts_of_products`], along one axis.
///
/// # Safety
/// As [`parts_of_products`].
#[inline(always)]
unsafe fn parts_of_line<V: Vector>(products: *const u8, stride: usize) -> [V; 2] {
    // SAFETY: the caller vouches for it.
    unsafe {
        let both = V::load(products.add(2 * stride));
        [V::load(products.add(stride)).xor(both), V::load(products).xor(both)]
    }
}

/// # Safety
/// The instructions of the vector must be there.
#[inline(always)]
unsafe fn xor_plane<V: Vector>(a: [[V; 2]; 2], b: [[V; 2]; 2]) -> [[V; 2]; 2] {
    // SAFETY: the caller vouches for it.
    unsafe { [[a[0][0].xor(b[0][0]), a[0][1].xor(b[0][1])], [a[1][0].xor(b[1][0]), a[1][1].xor(b[1][1])]] }
}
