// SPDX-License-Identifier: MPL-2.0

//! Encoding of one source block.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use super::kernel::{Group, SumOfProducts};
use super::lagrange::Geometry;
use super::multiply::{Multiplier, Spread};
use super::symbol::{self, Layout};
use super::{KEPT_MATRIX_BYTES, Shape};
use crate::{BlockEncoder, EncodeError};

/// Bytes of source symbols that are worked on at a time: with the matrix, about half of a second-level cache.
const STRIP_BYTES: usize = 1 << 20;

/// Least columns that are worked on at a time.
const MIN_STRIP: usize = 512;

/// The encoder of blocks of one shape.
pub(super) struct Encoder<K: SumOfProducts> {
    geometry: Geometry,
    symbol_size: usize,
    max_repair_symbols: u32,
    multiplier: Multiplier<K>,
    /// The generator matrix, made as it is needed; empty where it would be too large to keep.
    groups: Vec<OnceLock<Group<K::Map>>>,
}

impl<K: SumOfProducts> Encoder<K> {
    /// Keeps the matrix for the first `repair_symbols` repair symbols, if that is not too much.
    pub(super) fn new(kernel: K, shape: &Shape, repair_symbols: u32) -> Self {
        let multiplier = Multiplier::new(kernel, shape.geometry.field, shape.byte_order);
        let max_repair_symbols = shape.max_encoding_symbols - shape.geometry.k;
        let groups = (repair_symbols.min(max_repair_symbols) as usize).div_ceil(multiplier.group_rows());
        let is_kept = groups.saturating_mul(multiplier.group_bytes(shape.geometry.k as usize)) <= KEPT_MATRIX_BYTES;
        Self {
            geometry: shape.geometry,
            symbol_size: shape.symbol_size.into(),
            max_repair_symbols,
            multiplier,
            groups: (0..if is_kept { groups } else { 0 }).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Bytes that the encoder takes once its matrix is made.
    pub(super) fn bytes(&self) -> usize {
        self.multiplier.bytes() + self.groups.len() * self.multiplier.group_bytes(self.geometry.k as usize)
    }

    /// The rows of the generator matrix for the repair symbols of a group.
    fn group(&self, index: usize) -> Cow<'_, Group<K::Map>> {
        let rows = self.multiplier.group_rows() as u32;
        let make = || {
            let first = index as u32 * rows;
            let count = rows.min(self.max_repair_symbols - first);
            let mut group = Group::EMPTY;
            let matrix = self.geometry.encoding(self.geometry.k + first, count);
            self.multiplier.fill_group(&matrix, 0..count as usize, &mut group);
            group
        };
        match self.groups.get(index) {
            Some(kept) => Cow::Borrowed(kept.get_or_init(make)),
            None => Cow::Owned(make()),
        }
    }

    /// Computes some columns of repair symbols from those of source symbols, where a kernel can work on both.
    fn multiply(&self, inputs: &[&[u8]], columns: Range<usize>, first_repair: usize, outputs: &mut [&mut [u8]]) {
        let width = if self.groups.is_empty() { columns.len() } else { (STRIP_BYTES / inputs.len()).max(MIN_STRIP) };
        let rows = self.multiplier.group_rows();
        for strip in symbol::strips(columns, width, self.multiplier.layout().planes().count()) {
            let mut next = first_repair;
            let mut outputs = &mut *outputs;
            while !outputs.is_empty() {
                let first_row = next % rows;
                let count = (rows - first_row).min(outputs.len());
                let (head, tail) = outputs.split_at_mut(count);
                self.multiplier.multiply(&self.group(next / rows), first_row, inputs, strip.clone(), head);
                outputs = tail;
                next += count;
            }
        }
    }

    fn check(&self, source: &[u8], columns: &Range<usize>, first: u32, repair: &[u8]) -> Result<(), EncodeError> {
        let symbol_size = self.symbol_size;
        let max = self.geometry.k as usize * symbol_size;
        let min = max - symbol_size + 1;
        if source.len() < min || source.len() > max {
            return Err(EncodeError::SourceLength { actual: source.len(), min, max });
        }
        if !repair.len().is_multiple_of(symbol_size) {
            return Err(EncodeError::RepairLength { actual: repair.len(), symbol_size });
        }
        let alignment = self.column_alignment();
        let Range { start, end } = *columns;
        if start > end || end > symbol_size || !start.is_multiple_of(alignment) || !end.is_multiple_of(alignment) {
            return Err(EncodeError::Columns { start, end, symbol_size, alignment });
        }
        let requested = u64::from(first) + (repair.len() / symbol_size) as u64;
        if requested > self.max_repair_symbols.into() {
            return Err(EncodeError::TooManyRepairSymbols { requested, max: self.max_repair_symbols });
        }
        Ok(())
    }
}

impl<K: SumOfProducts> BlockEncoder for Encoder<K> {
    fn source_symbols(&self) -> usize {
        self.geometry.k as usize
    }

    fn symbol_size(&self) -> usize {
        self.symbol_size
    }

    fn max_repair_symbols(&self) -> u32 {
        self.max_repair_symbols
    }

    fn column_alignment(&self) -> usize {
        self.multiplier.layout().unit()
    }

    fn encode(
        &self,
        source: &[u8],
        columns: Range<usize>,
        first_repair: u32,
        repair: &mut [u8],
    ) -> Result<(), EncodeError> {
        self.check(source, &columns, first_repair, repair)?;
        if columns.is_empty() {
            return Ok(());
        }
        let mut inputs: Vec<&[u8]> = source.chunks(self.symbol_size).collect();
        // RFC 5510 §8.4: a short symbol is virtually padded with zero elements.
        let padded;
        if let Some(last) = inputs.last_mut().filter(|last| last.len() < columns.end) {
            padded = [*last, &vec![0; self.symbol_size - last.len()]].concat();
            *last = &padded;
        }
        let mut outputs: Vec<&mut [u8]> = repair.chunks_exact_mut(self.symbol_size).collect();
        let first_repair = first_repair as usize;
        match self.multiplier.layout() {
            Layout::Direct(_) => self.multiply(&inputs, columns, first_repair, &mut outputs),
            layout @ Layout::Packed { m } => {
                let inputs = Spread::new(layout, m, &inputs, &columns);
                let mut products = Spread::zeroed(layout, outputs.len(), &columns);
                let len = layout.spread_len(columns.len());
                self.multiply(&inputs.symbols(), 0..len, first_repair, &mut products.symbols_mut());
                for (elements, output) in products.symbols().into_iter().zip(outputs) {
                    symbol::pack(m, elements, &mut output[columns.clone()]);
                }
            }
        }
        Ok(())
    }
}
