// SPDX-License-Identifier: MPL-2.0

//! The loop that all vector kernels share.
//!
//! A tile of some output planes by some vectors of columns stays in registers while the loop runs over the inputs, two
//! planes at a time: each vector loaded serves all outputs, and each map loaded serves all columns.
//!
//! Everything here is inlined into functions that enable the instructions in question, which is why none of it carries
//! `#[target_feature]` itself.

use super::{Planes, Product, SumOfProducts};

/// A register of bytes.
///
/// # Safety
/// All functions may only be called where the instructions of the vector are there. Pointers need no alignment.
pub(super) unsafe trait Vector: Copy {
    /// Bytes of a vector.
    const WIDTH: usize;

    /// All zeros.
    unsafe fn zero() -> Self;

    /// Loads `WIDTH` bytes, which must be readable.
    unsafe fn load(from: *const u8) -> Self;

    /// Stores `WIDTH` bytes, which must be writable.
    unsafe fn store(self, to: *mut u8);

    /// Loads `len` bytes, up to `WIDTH`, which must be readable; the others are 0.
    #[inline(always)]
    unsafe fn load_partial(from: *const u8, len: usize) -> Self {
        let mut bytes = [0u8; 64];
        // SAFETY: `len` is at most WIDTH, and WIDTH at most 64; the caller vouches for `from`.
        unsafe {
            std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), len);
            Self::load(bytes.as_ptr())
        }
    }

    /// Stores the first `len` bytes, up to `WIDTH`, which must be writable.
    #[inline(always)]
    unsafe fn store_partial(self, to: *mut u8, len: usize) {
        let mut bytes = [0u8; 64];
        // SAFETY: `len` is at most WIDTH, and WIDTH at most 64; the caller vouches for `to`.
        unsafe {
            self.store(bytes.as_mut_ptr());
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, len);
        }
    }

    /// The sum of two vectors.
    unsafe fn xor(self, other: Self) -> Self;

    /// Takes two vectors apart into the bytes of even and of odd position, in any order that [`join`](Self::join)
    /// undoes.
    unsafe fn split(a: Self, b: Self) -> (Self, Self);

    /// The inverse of [`split`](Self::split).
    unsafe fn join(even: Self, odd: Self) -> (Self, Self);
}

/// How vectors are multiplied.
///
/// # Safety
/// As with [`Vector`].
pub(super) unsafe trait Lanes: SumOfProducts {
    /// The register.
    type Vector: Vector;
    /// Two maps in registers.
    type Maps: Copy;
    /// A vector made ready for multiplication.
    type Operand: Copy;

    /// Registers that can be spared for sums.
    const SUMS: usize;

    /// Loads two maps.
    unsafe fn maps(maps: &[Self::Map; 2]) -> Self::Maps;

    /// Makes a vector ready.
    unsafe fn operand(vector: Self::Vector) -> Self::Operand;

    /// The map of an operand.
    unsafe fn product(map: &Self::Map, operand: Self::Operand) -> Self::Vector;

    /// Adds the first map of the first operand and the second one of the second operand to a sum.
    unsafe fn add_products(
        sum: Self::Vector,
        maps: Self::Maps,
        first: Self::Operand,
        second: Self::Operand,
    ) -> Self::Vector;
}

/// Defines a kernel of some [`Lanes`], given its type of maps, the macro that detects a feature, and the features
/// that it takes.
macro_rules! vector_kernel {
    ($(#[$doc:meta])* $name:ident, $map:ty, $detected:ident, $($feature:tt),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name(());

        impl $name {
            /// The kernel, where the processor has its instructions.
            pub(crate) fn detect() -> Option<Self> {
                ($($detected!($feature))&&+).then_some(Self(()))
            }
        }

        impl $crate::reed_solomon::kernel::SumOfProducts for $name {
            type Map = $map;

            fn compute(
                self,
                product: &$crate::reed_solomon::kernel::Product<'_, $map>,
                outputs: &mut [&mut [u8]],
            ) {
                $(#[target_feature(enable = $feature)])+
                unsafe fn compute(
                    product: &$crate::reed_solomon::kernel::Product<'_, $map>,
                    outputs: &mut [&mut [u8]],
                ) {
                    // SAFETY: the instructions are enabled, and the caller has checked the product.
                    unsafe { $crate::reed_solomon::kernel::tile::compute::<$name>(product, outputs) }
                }
                product.check(outputs);
                // SAFETY: a value of this type exists only where `detect` found the instructions; the product was
                // checked.
                unsafe { compute(product, outputs) }
            }

            fn leaves(
                self,
                leaves: &$crate::reed_solomon::kernel::Leaves<'_, $map>,
                scaled: &mut [u8],
                products: &mut [u8],
            ) {
                $(#[target_feature(enable = $feature)])+
                unsafe fn compute(
                    leaves: &$crate::reed_solomon::kernel::Leaves<'_, $map>,
                    scaled: &mut [u8],
                    products: &mut [u8],
                ) {
                    // SAFETY: the instructions are enabled, and the caller has checked the lengths.
                    unsafe { $crate::reed_solomon::kernel::leaves::compute::<$name>(leaves, scaled, products) }
                }
                leaves.check(scaled, products);
                // SAFETY: a value of this type exists only where `detect` found the instructions; the lengths were
                // checked.
                unsafe { compute(leaves, scaled, products) }
            }

            fn fan_in(self, fan: &$crate::reed_solomon::kernel::FanIn<'_, $map>, outputs: &mut [&mut [u8]]) {
                $(#[target_feature(enable = $feature)])+
                unsafe fn fan_in(
                    fan: &$crate::reed_solomon::kernel::FanIn<'_, $map>,
                    outputs: &mut [&mut [u8]],
                ) {
                    // SAFETY: the instructions are enabled, and the caller has checked the lengths.
                    unsafe { $crate::reed_solomon::kernel::fan::fan_in::<$name>(fan, outputs) }
                }
                fan.check(outputs);
                // SAFETY: a value of this type exists only where `detect` found the instructions; the lengths were
                // checked.
                unsafe { fan_in(fan, outputs) }
            }
        }
    };
}
pub(super) use vector_kernel;

/// Computes a product that has been checked.
///
/// # Safety
/// The instructions of `L` must be there, and [`Product::check`] must have passed.
#[inline(always)]
pub(super) unsafe fn compute<L: Lanes>(product: &Product<'_, L::Map>, outputs: &mut [&mut [u8]]) {
    // SAFETY: the caller vouches for all of it.
    unsafe {
        match product.planes {
            Planes::One => compute_planes::<L, false>(product, outputs),
            Planes::Two => compute_planes::<L, true>(product, outputs),
        }
    }
}

/// Cuts the outputs into tiles of 8, 4, 2 and 1 planes.
///
/// # Safety
/// As [`compute`]; `TWO` says whether an input or output has two planes.
#[inline(always)]
unsafe fn compute_planes<L: Lanes, const TWO: bool>(product: &Product<'_, L::Map>, mut outputs: &mut [&mut [u8]]) {
    let planes_of_one = if TWO { 2 } else { 1 };
    let mut first_plane = product.first_plane;
    while !outputs.is_empty() {
        let planes = outputs.len() * planes_of_one;
        let planes = if planes >= 8 { 8 } else { 1 << planes.ilog2() };
        let (tile, rest) = outputs.split_at_mut(planes / planes_of_one);
        let rows = Rows::<L> {
            maps: product.maps.as_ptr().wrapping_add(first_plane),
            stride: product.stride,
            inputs: product.inputs,
            starts: &[0],
            is_added: product.is_added,
        };
        // SAFETY: the product was checked: it has maps for `first_plane + planes` planes or more, for each pair of
        // input planes, and inputs and outputs reach to the end of the columns.
        unsafe {
            match planes {
                8 => columns::<L, TWO, 8>(rows, tile, product.columns.start, product.columns.end),
                4 => columns::<L, TWO, 4>(rows, tile, product.columns.start, product.columns.end),
                2 => columns::<L, TWO, 2>(rows, tile, product.columns.start, product.columns.end),
                _ => columns::<L, TWO, 1>(rows, tile, product.columns.start, product.columns.end),
            }
        }
        outputs = rest;
        first_plane += planes;
    }
}

/// What a tile is computed from.
pub(super) struct Rows<'a, L: Lanes> {
    /// The maps from the first pair of input planes to the first output plane.
    pub(super) maps: *const [L::Map; 2],
    /// From one pair to the next.
    pub(super) stride: usize,
    pub(super) inputs: &'a [&'a [u8]],
    /// Where in each input the strings start that it is the sum of: at least one.
    pub(super) starts: &'a [usize],
    pub(super) is_added: bool,
}

/// Cuts the columns into tiles.
///
/// # Safety
/// The instructions of `L` must be there. There must be `R` maps for each pair of input planes; inputs, from each of
/// the starts on, and outputs must reach to the end of the columns; and `outputs` must have `R` planes.
#[inline(always)]
pub(super) unsafe fn columns<L: Lanes, const TWO: bool, const R: usize>(
    rows: Rows<'_, L>,
    outputs: &mut [&mut [u8]],
    start: usize,
    end: usize,
) {
    let unit = if TWO { 2 * L::Vector::WIDTH } else { L::Vector::WIDTH };
    let mut at = start;
    while at < end {
        let units = (end - at).div_ceil(unit).min(L::SUMS / R);
        let count = if units >= 4 {
            4
        } else if units >= 2 {
            2
        } else {
            1
        };
        let width = count * unit;
        // The last tile may compute columns again that are there already: that costs less than a partial one.
        let from = if at + width <= end || rows.is_added { at } else { end.saturating_sub(width).max(start) };
        // SAFETY: where the tile is inside the columns, so are all its loads and stores. The partial one gets the
        // number of bytes left.
        unsafe {
            if from + width <= end {
                match count {
                    4 if L::SUMS >= 4 * R => whole::<L, TWO, R, 4>(&rows, outputs, from),
                    2 if L::SUMS >= 2 * R => whole::<L, TWO, R, 2>(&rows, outputs, from),
                    _ => whole::<L, TWO, R, 1>(&rows, outputs, from),
                }
                at = from + width;
            } else if at + unit <= end {
                whole::<L, TWO, R, 1>(&rows, outputs, at);
                at += unit;
            } else {
                tile::<L, TWO, R, 1, 0, true>(&rows, outputs, at, end - at);
                at = end;
            }
        }
    }
}

/// Computes a tile of whole units, by the number of strings that an input is the sum of.
///
/// # Safety
/// As [`tile`] without `PARTIAL`.
#[inline(always)]
unsafe fn whole<L: Lanes, const TWO: bool, const R: usize, const C: usize>(
    rows: &Rows<'_, L>,
    outputs: &mut [&mut [u8]],
    at: usize,
) {
    let len = C * if TWO { 2 * L::Vector::WIDTH } else { L::Vector::WIDTH };
    // SAFETY: the caller vouches for all of it, and the starts were counted.
    unsafe {
        match rows.starts.len() {
            1 => tile::<L, TWO, R, C, 1, false>(rows, outputs, at, len),
            // The sizes that leaves have.
            2 if R >= 4 => tile::<L, TWO, R, C, 2, false>(rows, outputs, at, len),
            4 if R >= 4 => tile::<L, TWO, R, C, 4, false>(rows, outputs, at, len),
            _ => tile::<L, TWO, R, C, 0, false>(rows, outputs, at, len),
        }
    }
}

/// Computes `C` units of columns of `R` output planes; where `PARTIAL`, the first `len` bytes of one unit.
///
/// # Safety
/// As [`columns`]; an input has `T` starts, or any number where that is 0; inputs and outputs have `len` bytes from `at`
/// on, which without `PARTIAL` are `C` units.
#[inline(always)]
unsafe fn tile<L: Lanes, const TWO: bool, const R: usize, const C: usize, const T: usize, const PARTIAL: bool>(
    rows: &Rows<'_, L>,
    outputs: &mut [&mut [u8]],
    at: usize,
    len: usize,
) {
    // SAFETY: the caller vouches for `len` bytes from `at` on, and nothing beyond is touched. `maps` has R entries for
    // each pair of input planes, and `outputs` R planes.
    unsafe {
        let nothing = [L::operand(L::Vector::zero()); C];
        let mut sums = [[L::Vector::zero(); C]; R];
        let mut maps = rows.maps;
        if TWO {
            for input in rows.inputs {
                let (mut even, mut odd) = (nothing, nothing);
                let vectors = load_sum::<L::Vector, 2, C, T, PARTIAL>(input.as_ptr().add(at), rows.starts, len);
                for (c, [a, b]) in vectors.into_iter().enumerate() {
                    let (a, b) = L::Vector::split(a, b);
                    (even[c], odd[c]) = (L::operand(a), L::operand(b));
                }
                add::<L, R, C>(&mut sums, maps, even, odd);
                maps = maps.wrapping_add(rows.stride);
            }
        } else {
            let mut pairs = rows.inputs.chunks_exact(2);
            for pair in &mut pairs {
                let first = operands::<L, C, T, PARTIAL>(pair[0].as_ptr().add(at), rows.starts, len);
                let second = operands::<L, C, T, PARTIAL>(pair[1].as_ptr().add(at), rows.starts, len);
                add::<L, R, C>(&mut sums, maps, first, second);
                maps = maps.wrapping_add(rows.stride);
            }
            if let [last] = pairs.remainder() {
                let first = operands::<L, C, T, PARTIAL>(last.as_ptr().add(at), rows.starts, len);
                add::<L, R, C>(&mut sums, maps, first, nothing);
            }
        }
        if TWO {
            for (sums, output) in sums.chunks_exact(2).zip(outputs) {
                let output = output.as_mut_ptr().add(at);
                for (c, (&even, &odd)) in sums[0].iter().zip(&sums[1]).enumerate() {
                    let (a, b) = L::Vector::join(even, odd);
                    put::<L::Vector, PARTIAL>(a, output, 2 * c, len, rows.is_added);
                    put::<L::Vector, PARTIAL>(b, output, 2 * c + 1, len, rows.is_added);
                }
            }
        } else {
            for (sums, output) in sums.iter().zip(outputs) {
                for (c, &sum) in sums.iter().enumerate() {
                    put::<L::Vector, PARTIAL>(sum, output.as_mut_ptr().add(at), c, len, rows.is_added);
                }
            }
        }
    }
}

/// Loads `C` units of an input of one plane.
///
/// # Safety
/// As [`load_sum`].
#[inline(always)]
unsafe fn operands<L: Lanes, const C: usize, const T: usize, const PARTIAL: bool>(
    from: *const u8,
    starts: &[usize],
    len: usize,
) -> [L::Operand; C] {
    // SAFETY: the caller vouches for it.
    unsafe {
        let vectors = load_sum::<L::Vector, 1, C, T, PARTIAL>(from, starts, len);
        let mut operands = [L::operand(L::Vector::zero()); C];
        for (operand, [vector]) in operands.iter_mut().zip(vectors) {
            *operand = L::operand(vector);
        }
        operands
    }
}

/// Loads the sums of `C` units of `P` vectors that are at each of the starts.
///
/// # Safety
/// There are `T` starts, or some where `T` is 0. Each of them has `len` bytes, and without `PARTIAL` all the units.
#[inline(always)]
unsafe fn load_sum<V: Vector, const P: usize, const C: usize, const T: usize, const PARTIAL: bool>(
    from: *const u8,
    starts: &[usize],
    len: usize,
) -> [[V; P]; C] {
    // SAFETY: the caller vouches for it.
    unsafe {
        let mut sums = [[V::zero(); P]; C];
        let first = from.add(*starts.get_unchecked(0));
        for (c, sums) in sums.iter_mut().enumerate() {
            for (p, sum) in sums.iter_mut().enumerate() {
                *sum = load::<V, PARTIAL>(first, P * c + p, len);
            }
        }
        // The number of starts, where it is known, keeps a loop out of the loop.
        for index in 1..if T == 0 { starts.len() } else { T } {
            let start = *starts.get_unchecked(index);
            for (c, sums) in sums.iter_mut().enumerate() {
                for (p, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.xor(load::<V, PARTIAL>(from.add(start), P * c + p, len));
                }
            }
        }
        sums
    }
}

/// Adds the products of two input planes to the sums of a tile.
///
/// # Safety
/// As [`tile`]; `maps` has `R` entries.
#[inline(always)]
unsafe fn add<L: Lanes, const R: usize, const C: usize>(
    sums: &mut [[L::Vector; C]; R],
    maps: *const [L::Map; 2],
    first: [L::Operand; C],
    second: [L::Operand; C],
) {
    for (r, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the caller vouches for R maps.
        unsafe {
            let maps = L::maps(&*maps.add(r));
            for (c, sum) in sums.iter_mut().enumerate() {
                *sum = L::add_products(*sum, maps, first[c], second[c]);
            }
        }
    }
}

/// Loads a vector; where `PARTIAL`, as much of it as there is within `len` bytes.
///
/// # Safety
/// `from` has `len` bytes, and without `PARTIAL` the whole vector.
#[inline(always)]
pub(super) unsafe fn load<V: Vector, const PARTIAL: bool>(from: *const u8, index: usize, len: usize) -> V {
    // SAFETY: the caller vouches for it.
    unsafe {
        if PARTIAL {
            let offset = (index * V::WIDTH).min(len);
            V::load_partial(from.add(offset), (len - offset).min(V::WIDTH))
        } else {
            V::load(from.add(index * V::WIDTH))
        }
    }
}

/// Stores a vector, or adds it to what is there; where `PARTIAL`, as much of it as there is room for within `len`
/// bytes.
///
/// # Safety
/// `to` has `len` bytes, and without `PARTIAL` room for the whole vector.
#[inline(always)]
pub(super) unsafe fn put<V: Vector, const PARTIAL: bool>(
    vector: V,
    to: *mut u8,
    index: usize,
    len: usize,
    is_added: bool,
) {
    // SAFETY: the caller vouches for it.
    unsafe {
        let vector = if is_added { vector.xor(load::<V, PARTIAL>(to, index, len)) } else { vector };
        if PARTIAL {
            let offset = (index * V::WIDTH).min(len);
            vector.store_partial(to.add(offset), (len - offset).min(V::WIDTH));
        } else {
            vector.store(to.add(index * V::WIDTH));
        }
    }
}
