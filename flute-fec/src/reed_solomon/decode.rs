// SPDX-License-Identifier: MPL-2.0

//! Erasure decoding of one source block.

use std::ops::Range;

use super::Shape;
use super::chunk::{Chunks, MAX_ROWS};
use super::group::Group;
use super::kernel::SumOfProducts;
use super::lagrange::{Geometry, Interpolation};
use super::multiply::{Matrix, Multiplier};
use super::scratch::{LINE, Lines, Scratch};
use super::symbol::{self, Layout};
use crate::{DecodeError, Present, RepairSymbol};

/// To make the maps of a coefficient takes about as long as to apply them to so many bytes.
const BYTES_PER_MAP: u64 = 128;

/// The decoder of blocks of one shape.
///
/// The missing source symbols are values of the polynomial that goes through all that is known: rows of a matrix in
/// Lagrange form, times the symbols that are there. No system of equations is solved, and nothing else is computed.
///
/// Where many are missing it is faster to encode what is there, with zeros for what is missing. What then differs from
/// the repair symbols received depends on the missing symbols alone, through a smaller matrix of the same kind.
pub(super) struct Decoder<K: SumOfProducts> {
    geometry: Geometry,
    symbol_size: usize,
    max_encoding_symbols: u32,
    multiplier: Multiplier<K>,
    chunks: Chunks<K::Map>,
}

impl<K: SumOfProducts> Decoder<K> {
    pub(super) fn new(kernel: K, shape: &Shape) -> Self {
        let geometry = shape.geometry;
        let multiplier = Multiplier::new(kernel, geometry.field, shape.byte_order);
        let chunks = Chunks::new(&multiplier, geometry, shape.max_encoding_symbols - geometry.k);
        Self {
            geometry,
            symbol_size: shape.symbol_size.into(),
            max_encoding_symbols: shape.max_encoding_symbols,
            multiplier,
            chunks,
        }
    }

    /// Source symbols of a block.
    pub(super) fn block_length(&self) -> usize {
        self.geometry.k as usize
    }

    /// Bytes of a symbol.
    pub(super) fn symbol_length(&self) -> usize {
        self.symbol_size
    }

    /// max_n (RFC 5510 §4).
    pub(super) fn max_encoding_symbols(&self) -> u32 {
        self.max_encoding_symbols
    }

    /// Rebuilds what is missing of a block, in one go.
    pub(super) fn rebuild(
        &self,
        block: &mut [u8],
        present: &Present,
        repair: &[RepairSymbol<'_>],
    ) -> Result<(), DecodeError> {
        self.multiplier.pool().with(|scratch| self.decode_in(scratch, block, present, repair))
    }

    /// Bytes that the decoder takes.
    pub(super) fn bytes(&self) -> usize {
        self.multiplier.bytes() + self.chunks.bytes()
    }

    /// Checks all lengths and encoding symbol IDs, and lists the latter in ascending order.
    fn check(
        &self,
        block: &[u8],
        present: &Present,
        repair: &[RepairSymbol<'_>],
        esis: &mut Vec<(u32, usize)>,
    ) -> Result<(), DecodeError> {
        let k = self.geometry.k;
        let length = |actual, expected| {
            if actual == expected { Ok(()) } else { Err(DecodeError::Length { actual, expected }) }
        };
        length(block.len(), k as usize * self.symbol_size)?;
        length(present.source_symbols(), k as usize)?;
        repair.iter().try_for_each(|symbol| length(symbol.data.len(), self.symbol_size))?;
        esis.clear();
        esis.extend(repair.iter().enumerate().map(|(index, symbol)| (symbol.esi, index)));
        esis.sort_unstable();
        let codes = k..self.max_encoding_symbols;
        let strange = esis.iter().find(|(esi, _)| !codes.contains(esi));
        let twice = || esis.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| &pair[0]);
        strange.or_else(twice).map_or(Ok(()), |&(esi, _)| Err(DecodeError::Esi { esi }))
    }

    /// The matrix from what is there to what is missing.
    pub(super) fn matrix(&self, missing: &[u32], repair: &[u32]) -> Interpolation {
        let mut matrix = Interpolation::default();
        self.geometry.decoding(&mut matrix, missing, repair);
        matrix
    }

    /// What making the matrix costs, at most.
    pub(super) fn matrix_work(&self, missing: usize) -> u64 {
        let (k, missing) = (u64::from(self.geometry.k), missing as u64);
        k + (2 * missing * (k + missing)).min(self.geometry.field.convolution_cost() as u64)
    }

    /// How many missing symbols are best computed together.
    pub(super) fn group_rows(&self) -> usize {
        self.multiplier.group_rows()
    }

    /// How many planes of bytes the symbols are.
    pub(super) fn planes(&self) -> usize {
        self.multiplier.layout().planes().count()
    }

    /// The least number of columns that hold whole elements.
    pub(super) fn unit(&self) -> usize {
        self.multiplier.layout().unit()
    }

    /// The symbols that are there, in the order of the columns of the matrix, and the places of those that are missing.
    pub(super) fn inputs_and_outputs<'a>(
        &self,
        block: &'a mut [u8],
        present: &Present,
        repair: &[RepairSymbol<'a>],
    ) -> (Vec<&'a [u8]>, Vec<&'a mut [u8]>) {
        let mut inputs: Vec<&[u8]> = Vec::with_capacity(self.geometry.k as usize);
        let mut outputs = Vec::with_capacity(repair.len());
        for (esi, symbol) in block.chunks_exact_mut(self.symbol_size).enumerate() {
            if present.contains(esi) {
                inputs.push(symbol);
            } else {
                outputs.push(symbol);
            }
        }
        inputs.extend(repair.iter().map(|symbol| symbol.data));
        (inputs, outputs)
    }

    /// Computes some columns of some missing symbols.
    pub(super) fn multiply(
        &self,
        matrix: &Matrix<'_, K::Map>,
        inputs: &[&[u8]],
        columns: Range<usize>,
        outputs: &mut [&mut [u8]],
    ) {
        self.multiplier.pool().with(|scratch| {
            let Scratch { group, spread: [elements, products], inputs: strings, outputs: results, .. } = scratch;
            match self.multiplier.layout() {
                Layout::Direct(_) => self.multiplier.multiply(matrix, inputs, columns, outputs, false, group),
                layout @ Layout::Packed { m } => {
                    let len = layout.spread_len(columns.len());
                    let elements = elements.get(inputs.len() * len);
                    for (input, elements) in inputs.iter().zip(elements.chunks_exact_mut(len)) {
                        symbol::spread(m, &input[columns.clone()], elements);
                    }
                    let products = products.get(outputs.len() * len);
                    let (mut inputs, mut rows) = (strings.take(), results.take());
                    inputs.extend(elements.chunks_exact(len));
                    rows.extend(products.chunks_exact_mut(len));
                    self.multiplier.multiply(matrix, &inputs, 0..len, &mut rows, false, group);
                    strings.put(inputs);
                    results.put(rows);
                    for (elements, output) in products.chunks_exact(len).zip(outputs) {
                        symbol::pack(m, elements, &mut output[columns.clone()]);
                    }
                }
            }
        });
    }

    /// Whether it is faster to encode first, where `columns` of the `missing` symbols are computed from `repair` ones.
    fn encodes_first(&self, missing: &[u32], repair: &[u32], columns: usize) -> bool {
        let (k, e, columns) = (u64::from(self.geometry.k), missing.len() as u64, columns as u64);
        let mut alone = repair.len();
        let mut cost = e * e * (columns + BYTES_PER_MAP);
        for chunk in self.chunks.iter() {
            let rows = self.rows_of(chunk.first..chunk.end(), repair).len();
            if rows > 0 {
                alone -= rows;
                cost += chunk.cost(self.geometry.k) * columns;
            }
        }
        cost += alone as u64 * (k - e) * (columns + BYTES_PER_MAP);
        cost < e * k * (columns + BYTES_PER_MAP)
    }

    /// Those of `repair`, in ascending order, that are some rows of the generator matrix.
    fn rows_of<'a>(&self, rows: Range<u32>, repair: &'a [u32]) -> &'a [u32] {
        let below = |row: u32| repair.partition_point(|&esi| esi - self.geometry.k < row);
        &repair[below(rows.start)..below(rows.end)]
    }

    /// Computes the missing symbols where a kernel can work on all of them.
    ///
    /// `inputs` are k source symbols, empty where they are missing, and then the repair symbols; of all of them
    /// `columns` bytes count.
    fn solve<'a>(
        &self,
        [missing, repair]: [&[u32]; 2],
        inputs: &mut Vec<&'a [u8]>,
        columns: usize,
        outputs: &mut [&mut [u8]],
        scratch: Solving<'a, '_, K::Map>,
    ) {
        let Solving { group, matrix, chunk, symbols } = scratch;
        if self.encodes_first(missing, repair, columns) {
            let scratch = Solving { group: &mut *group, matrix: &mut *matrix, chunk, symbols };
            self.subtract(repair, inputs, columns, scratch);
            self.geometry.solving(matrix, missing, repair);
        } else {
            self.geometry.decoding(matrix, missing, repair);
            inputs.retain(|input| !input.is_empty());
        }
        let matrix = Matrix::Interpolation { matrix, first_row: 0 };
        self.multiplier.multiply(&matrix, inputs, 0..columns, outputs, false, group);
    }
}

/// Memory to solve in.
struct Solving<'a, 'b, M> {
    group: &'b mut Group<M>,
    matrix: &'b mut Interpolation,
    chunk: &'b mut Lines,
    symbols: &'a mut Lines,
}

impl<K: SumOfProducts> Decoder<K> {
    /// Puts in the place of `inputs`, which are those of [`solve`](Self::solve), what the missing symbols count for in
    /// each of the repair symbols.
    fn subtract<'a>(
        &self,
        repair: &[u32],
        inputs: &mut Vec<&'a [u8]>,
        columns: usize,
        scratch: Solving<'a, '_, K::Map>,
    ) {
        let Solving { group, matrix, chunk: lines, symbols } = scratch;
        let k = self.geometry.k;
        let stride = columns.next_multiple_of(LINE);
        let touched = || {
            let chunks = self.chunks.iter().enumerate();
            let used = chunks.map(|(index, chunk)| (index, chunk, self.rows_of(chunk.first..chunk.end(), repair)));
            used.filter(|(_, _, used)| !used.is_empty())
        };
        // The chunks follow each other, so the rows of none are the last ones.
        let alone = &repair[touched().map(|(_, _, used)| used.len()).sum()..];
        let rows = touched().map(|(_, chunk, _)| chunk.rows as usize).sum::<usize>() + alone.len();
        let bytes = symbols.get(rows * stride);
        let mut rest = &mut *bytes;
        let mut next = k as usize;
        for (index, chunk, used) in touched() {
            let (rows, tail) = rest.split_at_mut(chunk.rows as usize * stride);
            for (esi, received) in used.iter().zip(&inputs[next..]) {
                rows[(esi - k - chunk.first) as usize * stride..][..columns].copy_from_slice(&received[..columns]);
            }
            let mut rows = rows.chunks_exact_mut(stride);
            let mut results: [&mut [u8]; MAX_ROWS] = std::array::from_fn(|_| rows.next().unwrap_or_default());
            let results = &mut results[..chunk.rows as usize];
            let maps = self.chunks.maps(&self.multiplier, index);
            maps.compute(&self.multiplier, &inputs[..k as usize], 0..columns, results, true, lines);
            next += used.len();
            rest = tail;
        }
        for (row, received) in rest.chunks_exact_mut(stride).zip(&inputs[next..]) {
            row[..columns].copy_from_slice(&received[..columns]);
        }
        let present = (0..k).filter(|&esi| !inputs[esi as usize].is_empty());
        self.geometry.encoding(matrix, present, alone.iter().copied());
        inputs.truncate(k as usize);
        inputs.retain(|input| !input.is_empty());
        for (index, rows) in rest.chunks_mut(MAX_ROWS * stride).enumerate() {
            let count = rows.len() / stride;
            let mut rows = rows.chunks_exact_mut(stride);
            let mut results: [&mut [u8]; MAX_ROWS] = std::array::from_fn(|_| rows.next().unwrap_or_default());
            let matrix = Matrix::Interpolation { matrix, first_row: index * MAX_ROWS };
            self.multiplier.multiply(&matrix, inputs, 0..columns, &mut results[..count], true, group);
        }

        inputs.clear();
        let mut rest = &*bytes;
        for (_, chunk, used) in touched() {
            let (rows, tail) = rest.split_at(chunk.rows as usize * stride);
            inputs.extend(used.iter().map(|esi| &rows[(esi - k - chunk.first) as usize * stride..][..columns]));
            rest = tail;
        }
        inputs.extend(rest.chunks_exact(stride).map(|row| &row[..columns]));
    }

    /// Decodes what was checked: `repair` lists what there is.
    fn decode_in(
        &self,
        scratch: &mut Scratch<K::Map>,
        block: &mut [u8],
        present: &Present,
        symbols_received: &[RepairSymbol<'_>],
    ) -> Result<(), DecodeError> {
        let Scratch {
            group,
            matrix,
            chunk,
            symbols,
            spread: [elements, products],
            inputs,
            outputs,
            esis: [missing, used],
            repair,
        } = scratch;
        self.check(block, present, symbols_received, repair)?;
        missing.clear();
        missing.extend(present.missing().map(|esi| esi as u32));
        if missing.is_empty() {
            return Ok(());
        }
        let Some(repair) = repair.get(..missing.len()) else {
            return Err(DecodeError::NotEnoughSymbols { missing: missing.len(), repair: repair.len() });
        };
        used.clear();
        used.extend(repair.iter().map(|&(esi, _)| esi));
        let received = repair.iter().map(|&(_, index)| symbols_received[index].data);
        let esis = [&missing[..], &used[..]];
        let solving = Solving { group, matrix, chunk, symbols };

        let size = self.symbol_size;
        let (mut strings, mut results) = (inputs.take(), outputs.take());
        match self.multiplier.layout() {
            Layout::Direct(_) => {
                for (esi, symbol) in block.chunks_exact_mut(size).enumerate() {
                    if present.contains(esi) {
                        strings.push(symbol);
                    } else {
                        strings.push(&[]);
                        results.push(symbol);
                    }
                }
                strings.extend(received);
                self.solve(esis, &mut strings, size, &mut results, solving);
                inputs.put(strings);
                outputs.put(results);
            }
            layout @ Layout::Packed { m } => {
                let len = layout.spread_len(size);
                let sources = block.chunks_exact(size).enumerate();
                let sources = sources.map(|(esi, symbol)| if present.contains(esi) { symbol } else { &[] });
                let mut elements = elements.get((block.len() / size + repair.len()) * len).chunks_exact_mut(len);
                for (symbol, elements) in sources.chain(received).zip(&mut elements) {
                    if symbol.is_empty() {
                        strings.push(&[]);
                    } else {
                        symbol::spread(m, symbol, elements);
                        strings.push(elements);
                    }
                }
                let products = products.get(missing.len() * len);
                results.extend(products.chunks_exact_mut(len));
                self.solve(esis, &mut strings, len, &mut results, solving);
                inputs.put(strings);
                outputs.put(results);
                for (elements, &esi) in products.chunks_exact(len).zip(&*missing) {
                    symbol::pack(m, elements, &mut block[esi as usize * size..][..size]);
                }
            }
        }
        Ok(())
    }
}
