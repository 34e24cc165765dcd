// SPDX-License-Identifier: MPL-2.0

//! Erasure decoding of one source block.

use super::Shape;
use super::kernel::SumOfProducts;
use super::lagrange::Geometry;
use super::multiply::{Matrix, Multiplier, Spread};
use super::symbol::{self, Layout};
use crate::{BlockDecoder, DecodeError, Present, RepairSymbol};

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

    /// Computes the missing symbols where a kernel can work on all of them.
    fn multiply(&self, missing: &[u32], repair: &[u32], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
        let matrix = self.geometry.decoding(missing, repair);
        let columns = 0..outputs[0].len();
        self.multiplier.multiply(&Matrix::Interpolation(&matrix), inputs, columns, outputs);
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

        let mut inputs: Vec<&[u8]> = Vec::with_capacity(self.source_symbols());
        let mut outputs = Vec::with_capacity(missing.len());
        for (esi, symbol) in block.chunks_exact_mut(self.symbol_size).enumerate() {
            if present.contains(esi) {
                inputs.push(symbol);
            } else {
                outputs.push(symbol);
            }
        }
        inputs.extend(repair.iter().map(|symbol| symbol.data));

        match self.multiplier.layout() {
            Layout::Direct(_) => self.multiply(&missing, &esis, &inputs, &mut outputs),
            layout @ Layout::Packed { m } => {
                let columns = 0..self.symbol_size;
                let inputs = Spread::new(layout, m, &inputs, &columns);
                let mut products = Spread::zeroed(layout, outputs.len(), &columns);
                self.multiply(&missing, &esis, &inputs.symbols(), &mut products.symbols_mut());
                for (elements, output) in products.symbols().into_iter().zip(outputs) {
                    symbol::pack(m, elements, output);
                }
            }
        }
        Ok(())
    }
}
