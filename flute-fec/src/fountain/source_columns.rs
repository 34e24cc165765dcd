// SPDX-License-Identifier: MPL-2.0

//! Columns of source symbols, which lie in one piece in their block or in several.

use std::ops::Range;

use super::lane::{Instructions, LINE, Lane, Line, Sum};
use crate::layout::BlockLayout;

/// Loads columns of a source symbol, right from its place where that is possible: it is what takes time.
#[inline(always)]
pub(super) fn load_source<I: Instructions, const P: usize>(
    layout: &BlockLayout,
    source: &[u8],
    esi: u32,
    columns: &Range<usize>,
) -> Sum<I, P> {
    if let Some(data) = contiguous(layout, source, esi, columns) {
        return Sum::of_bytes(data);
    }
    Sum::of(&gathered(layout, source, esi, columns))
}

/// Columns of a source symbol that does not lie together, or is short.
#[inline(never)]
fn gathered<const P: usize>(layout: &BlockLayout, source: &[u8], esi: u32, columns: &Range<usize>) -> Lane<P> {
    let mut bytes = [[0; LINE]; P];
    layout.read(source, esi, columns.clone(), &mut bytes.as_flattened_mut()[..columns.len()]);
    bytes.map(Line)
}

/// Columns of a source symbol, where they lie together.
#[inline(always)]
pub(super) fn contiguous<'a>(
    layout: &BlockLayout,
    source: &'a [u8],
    esi: u32,
    columns: &Range<usize>,
) -> Option<&'a [u8]> {
    let start = esi as usize * usize::from(layout.symbol_size);
    source.get(start + columns.start..start + columns.end).filter(|_| layout.sub_symbols.count() == 1)
}
