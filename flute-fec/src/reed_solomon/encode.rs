// SPDX-License-Identifier: MPL-2.0

//! Encoding of one source block.

use std::ops::Range;
use std::sync::OnceLock;

use super::chunk::Chunks;
use super::group::Group;
use super::kernel::SumOfProducts;
use super::lagrange::{Geometry, Interpolation};
use super::multiply::{Matrix, Multiplier};
use super::scratch::{Lines, Scratch};
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
    /// The repair symbols that are faster made together.
    chunks: Chunks<K::Map>,
}

/// Memory to multiply in.
struct Work<'a, M> {
    group: &'a mut Group<M>,
    matrix: &'a mut Interpolation,
    lines: &'a mut Lines,
}

impl<K: SumOfProducts> Encoder<K> {
    /// Keeps the matrix for the first `repair_symbols` repair symbols, if that is not too much.
    pub(super) fn new(kernel: K, shape: &Shape, repair_symbols: u32) -> Self {
        let multiplier = Multiplier::new(kernel, shape.geometry.field, shape.byte_order);
        let max_repair_symbols = shape.max_encoding_symbols - shape.geometry.k;
        let groups = (repair_symbols.min(max_repair_symbols) as usize).div_ceil(multiplier.group_rows());
        let chunks = Chunks::new(&multiplier, shape.geometry, repair_symbols.min(max_repair_symbols));
        let is_kept = groups.saturating_mul(multiplier.group_bytes(shape.geometry.k as usize)) <= KEPT_MATRIX_BYTES;
        Self {
            geometry: shape.geometry,
            symbol_size: shape.symbol_size.into(),
            max_repair_symbols,
            multiplier,
            groups: (0..if is_kept { groups } else { 0 }).map(|_| OnceLock::new()).collect(),
            chunks,
        }
    }

    /// Bytes that the encoder takes once its matrix is made.
    pub(super) fn bytes(&self) -> usize {
        self.multiplier.bytes()
            + self.chunks.bytes()
            + self.groups.len() * self.multiplier.group_bytes(self.geometry.k as usize)
    }

    /// The rows of the generator matrix for the repair symbols of a kept group.
    fn group(&self, index: usize) -> &Group<K::Map> {
        self.groups[index].get_or_init(|| {
            let rows = self.multiplier.group_rows() as u32;
            let first = index as u32 * rows;
            let count = rows.min(self.max_repair_symbols - first);
            let (k, mut matrix) = (self.geometry.k, Interpolation::default());
            self.geometry.encoding(&mut matrix, 0..k, k + first..k + first + count);
            let mut group = Group::EMPTY;
            self.multiplier.fill(&mut group, &matrix, 0..count as usize, 0..k as usize);
            group
        })
    }

    /// Computes some columns of repair symbols from those of source symbols, where a kernel can work on both.
    fn multiply(
        &self,
        inputs: &[&[u8]],
        columns: Range<usize>,
        first_repair: u32,
        mut outputs: &mut [&mut [u8]],
        work: Work<'_, K::Map>,
    ) {
        let Work { group, matrix, lines } = work;
        let mut row = first_repair;
        let end = row + outputs.len() as u32;
        for (index, chunk) in self.chunks.iter().enumerate().filter(|(_, chunk)| chunk.first >= first_repair) {
            if chunk.end() > end {
                break;
            }
            let (alone, rest) = outputs.split_at_mut((chunk.first - row) as usize);
            self.multiply_rows(inputs, columns.clone(), row, alone, group, matrix);
            let (together, rest) = rest.split_at_mut(chunk.rows as usize);
            let maps = self.chunks.maps(&self.multiplier, index);
            maps.compute(&self.multiplier, inputs, columns.clone(), together, false, lines);
            (row, outputs) = (chunk.end(), rest);
        }
        self.multiply_rows(inputs, columns, row, outputs, group, matrix);
    }

    /// Computes repair symbols row by row of the generator matrix.
    fn multiply_rows(
        &self,
        inputs: &[&[u8]],
        columns: Range<usize>,
        first_repair: u32,
        outputs: &mut [&mut [u8]],
        made: &mut Group<K::Map>,
        matrix: &mut Interpolation,
    ) {
        let count = outputs.len() as u32;
        if count == 0 {
            return;
        }
        if (first_repair + count) as usize <= self.groups.len() * self.multiplier.group_rows() {
            let kept = Matrix::Kept { group: &|index| self.group(index), first_row: first_repair as usize };
            self.multiplier.multiply(&kept, inputs, columns, outputs, false, made);
        } else {
            let (k, first) = (self.geometry.k, self.geometry.k + first_repair);
            self.geometry.encoding(matrix, 0..k, first..first + count);
            let matrix = Matrix::Interpolation { matrix, first_row: 0 };
            self.multiplier.multiply(&matrix, inputs, columns, outputs, false, made);
        }
    }

    /// Encodes what was checked.
    fn encode_in(
        &self,
        scratch: &mut Scratch<K::Map>,
        source: &[u8],
        columns: Range<usize>,
        first_repair: u32,
        repair: &mut [u8],
    ) {
        let Scratch { group, matrix, chunk, symbols, spread: [elements, products], inputs, outputs, .. } = scratch;
        let work = Work { group, matrix, lines: chunk };
        let size = self.symbol_size;
        let whole = source.chunks_exact(size);
        let short = whole.remainder();
        let mut strings = inputs.take();
        strings.extend(whole);
        if !short.is_empty() {
            // RFC 5510 §8.4: a short symbol is virtually padded with zero elements.
            let padded = symbols.get(size);
            padded[..short.len()].copy_from_slice(short);
            padded[short.len()..].fill(0);
            strings.push(padded);
        }
        match self.multiplier.layout() {
            Layout::Direct(_) => {
                let mut results = outputs.take();
                results.extend(repair.chunks_exact_mut(size));
                self.multiply(&strings, columns, first_repair, &mut results, work);
                inputs.put(strings);
                outputs.put(results);
            }
            layout @ Layout::Packed { m } => {
                let len = layout.spread_len(columns.len());
                let elements = elements.get(strings.len() * len);
                for (string, elements) in strings.iter().zip(elements.chunks_exact_mut(len)) {
                    symbol::spread(m, &string[columns.clone()], elements);
                }
                inputs.put(strings);
                let products = products.get(repair.len() / size * len);
                let (mut strings, mut results) = (inputs.take(), outputs.take());
                strings.extend(elements.chunks_exact(len));
                results.extend(products.chunks_exact_mut(len));
                self.multiply(&strings, 0..len, first_repair, &mut results, work);
                inputs.put(strings);
                outputs.put(results);
                for (elements, output) in products.chunks_exact(len).zip(repair.chunks_exact_mut(size)) {
                    symbol::pack(m, elements, &mut output[columns.clone()]);
                }
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
        self.multiplier.pool().with(|scratch| self.encode_in(scratch, source, columns, first_repair, repair));
        Ok(())
    }
}
