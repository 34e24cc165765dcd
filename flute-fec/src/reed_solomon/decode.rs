// SPDX-License-Identifier: MPL-2.0

//! Erasure decoding of one source block.

use std::ops::Range;
use std::sync::Arc;

use super::Shape;
use super::job::Job;
use super::kernel::SumOfProducts;
use super::lagrange::{Geometry, Interpolation};
use super::multiply::{Matrix, Multiplier, Spread};
use super::symbol::{self, Layout};
use crate::block::check_symbols;
use crate::{BlockDecoder, DecodeError, DecodeJob, Present, RepairSymbol};

/// The decoder of blocks of one shape.
///
/// The missing source symbols are values of the polynomial that goes through all that is known: rows of a matrix in
/// Lagrange form, times the symbols that are there. No system of equations is solved, and nothing else is computed.
pub(super) struct Decoder<K: SumOfProducts> {
    geometry: Geometry,
    symbol_size: usize,
    max_encoding_symbols: u32,
    multiplier: Multiplier<K>,
}

impl<K: SumOfProducts> Decoder<K> {
    pub(super) fn new(kernel: K, shape: &Shape) -> Self {
        Self {
            geometry: shape.geometry,
            symbol_size: shape.symbol_size.into(),
            max_encoding_symbols: shape.max_encoding_symbols,
            multiplier: Multiplier::new(kernel, shape.geometry.field, shape.byte_order),
        }
    }

    /// Bytes that the decoder takes.
    pub(super) fn bytes(&self) -> usize {
        self.multiplier.bytes()
    }

    fn check(&self, block: &[u8], present: &Present, repair: &[RepairSymbol<'_>]) -> Result<(), DecodeError> {
        let k = self.geometry.k as usize;
        let length = |actual, expected| {
            if actual == expected { Ok(()) } else { Err(DecodeError::Length { actual, expected }) }
        };
        length(block.len(), k * self.symbol_size)?;
        length(present.source_symbols(), k)?;
        let mut seen = Present::new((self.max_encoding_symbols - self.geometry.k) as usize);
        for symbol in repair {
            length(symbol.data.len(), self.symbol_size)?;
            let index = symbol.esi.checked_sub(self.geometry.k);
            if !index.is_some_and(|index| seen.insert(index as usize)) {
                return Err(DecodeError::Esi { esi: symbol.esi });
            }
        }
        Ok(())
    }

    /// The matrix from what is there to what is missing.
    pub(super) fn matrix(&self, missing: &[u32], repair: &[u32]) -> Interpolation {
        self.geometry.decoding(missing, repair)
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
        match self.multiplier.layout() {
            Layout::Direct(_) => self.multiplier.multiply(matrix, inputs, columns, outputs),
            layout @ Layout::Packed { m } => {
                let inputs = Spread::new(layout, m, inputs, &columns);
                let mut products = Spread::zeroed(layout, outputs.len(), &columns);
                let all = 0..layout.spread_len(columns.len());
                self.multiplier.multiply(matrix, &inputs.symbols(), all, &mut products.symbols_mut());
                for (elements, output) in products.symbols().into_iter().zip(outputs) {
                    symbol::pack(m, elements, &mut output[columns.clone()]);
                }
            }
        }
    }
}

impl<K: SumOfProducts> BlockDecoder for Decoder<K> {
    fn source_symbols(&self) -> usize {
        self.geometry.k as usize
    }

    fn symbol_size(&self) -> usize {
        self.symbol_size
    }

    fn decode(&self, block: &mut [u8], present: &Present, repair: &[RepairSymbol<'_>]) -> Result<(), DecodeError> {
        self.check(block, present, repair)?;
        let missing: Vec<u32> = present.missing().map(|esi| esi as u32).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let Some(repair) = repair.get(..missing.len()) else {
            return Err(DecodeError::NotEnoughSymbols { missing: missing.len(), repair: repair.len() });
        };
        let esis: Vec<u32> = repair.iter().map(|symbol| symbol.esi).collect();

        let (inputs, mut outputs) = self.inputs_and_outputs(block, present, repair);
        let matrix = self.matrix(&missing, &esis);
        let matrix = Matrix::Interpolation { matrix: &matrix, first_row: 0 };
        self.multiply(&matrix, &inputs, 0..self.symbol_size, &mut outputs);
        Ok(())
    }

    fn begin(self: Arc<Self>, present: &Present, repair: &[u32]) -> Result<Box<dyn DecodeJob>, DecodeError> {
        check_symbols(self.source_symbols(), present, repair, self.max_encoding_symbols)?;
        let missing = present.missing_count();
        let not_enough = DecodeError::NotEnoughSymbols { missing, repair: repair.len() };
        let repair = repair.get(..missing).ok_or(not_enough)?.to_vec();
        Ok(Box::new(Job::new(self, present, repair)))
    }
}
