// SPDX-License-Identifier: MPL-2.0

//! Encoding of one source block.

use std::ops::Range;
use std::sync::OnceLock;

use super::kernel::SumOfProducts;
use super::lagrange::Geometry;
use super::multiply::{Group, Matrix, Multiplier, Spread};
use super::symbol::{self, Layout};
use super::{KEPT_MATRIX_BYTES, Shape};
use crate::{BlockEncoder, EncodeError};

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

    /// The rows of the generator matrix for the repair symbols of a kept group.
    fn group(&self, index: usize) -> &Group<K::Map> {
        self.groups[index].get_or_init(|| {
            let rows = self.multiplier.group_rows() as u32;
            let first = index as u32 * rows;
            let count = rows.min(self.max_repair_symbols - first);
            let matrix = self.geometry.encoding(self.geometry.k + first, count);
            let mut group = Group::EMPTY;
            self.multiplier.fill(&mut group, &matrix, 0..count as usize, 0..self.geometry.k as usize);
            group
        })
    }

    /// Computes some columns of repair symbols from those of source symbols, where a kernel can work on both.
    fn multiply(&self, inputs: &[&[u8]], columns: Range<usize>, first_repair: u32, outputs: &mut [&mut [u8]]) {
        let count = outputs.len() as u32;
        if (first_repair + count) as usize <= self.groups.len() * self.multiplier.group_rows() {
            let kept = Matrix::Kept { group: &|index| self.group(index), first_row: first_repair as usize };
            self.multiplier.multiply(&kept, inputs, columns, outputs);
        } else {
            let made = self.geometry.encoding(self.geometry.k + first_repair, count);
            self.multiplier.multiply(&Matrix::Interpolation { matrix: &made, first_row: 0 }, inputs, columns, outputs);
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
        let symbols = source.chunks_exact(self.symbol_size);
        let short = symbols.remainder();
        let padded;
        let mut inputs = Vec::with_capacity(self.source_symbols());
        inputs.extend(symbols);
        if !short.is_empty() {
            // RFC 5510 §8.4: a short symbol is virtually padded with zero elements.
            padded = [short, &vec![0; self.symbol_size - short.len()]].concat();
            inputs.push(&padded);
        }
        let mut outputs: Vec<&mut [u8]> = repair.chunks_exact_mut(self.symbol_size).collect();
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
