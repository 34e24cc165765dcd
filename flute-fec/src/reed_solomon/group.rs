// SPDX-License-Identifier: MPL-2.0

//! A few rows of a matrix, as kernels take them.

/// The maps for a few rows of a matrix, as [`Product`](super::kernel::Product) wants them.
#[derive(Debug)]
pub(super) struct Group<M> {
    pub(super) maps: Vec<[M; 2]>,
    pub(super) stride: usize,
}

impl<M> Group<M> {
    /// A group of no row.
    pub(super) const EMPTY: Self = Self { maps: Vec::new(), stride: 0 };

    /// Bytes of its memory.
    pub(super) fn bytes(&self) -> usize {
        self.maps.capacity() * size_of::<[M; 2]>()
    }
}
