// SPDX-License-Identifier: MPL-2.0

//! Erasure decoding of one source block, at once or in steps: a rectangle of rows of the matrix and columns of symbols at a
//! time.

use std::ops::Range;
use std::sync::Arc;

use super::decode::Decoder;
use super::kernel::SumOfProducts;
use super::lagrange::Interpolation;
use super::multiply::Matrix;
use crate::block::{begun_with, check_data, check_symbols};
use crate::{BlockDecoder, DecodeError, DecodeJob, Present, Progress, RepairSymbol, Work};

/// Bytes of inputs that are worked on at a time, at most, where symbols have so many columns.
const MAX_INPUT_BYTES: usize = 4 << 20;
/// Columns that are worked on at a time are a multiple of so many elements.
const MIN_ELEMENTS: usize = 64;

impl<K: SumOfProducts> BlockDecoder for Decoder<K> {
    fn source_symbols(&self) -> usize {
        self.block_length()
    }

    fn symbol_size(&self) -> usize {
        self.symbol_length()
    }

    fn decode(&self, block: &mut [u8], present: &Present, repair: &[RepairSymbol<'_>]) -> Result<(), DecodeError> {
        self.rebuild(block, present, repair)
    }

    fn begin(self: Arc<Self>, present: &Present, repair: &[u32]) -> Result<Box<dyn DecodeJob>, DecodeError> {
        check_symbols(self.source_symbols(), present, repair, self.max_encoding_symbols())?;
        let missing = present.missing_count();
        let not_enough = DecodeError::NotEnoughSymbols { missing, repair: repair.len() };
        let repair = repair.get(..missing).ok_or(not_enough)?.to_vec();
        Ok(Box::new(Job::new(self, present, repair)))
    }
}

/// The decoding of one block.
pub(super) struct Job<K: SumOfProducts> {
    decoder: Arc<Decoder<K>>,
    present: Present,
    missing: Vec<u32>,
    /// The repair symbols that are used: as many as symbols are missing.
    repair: Vec<u32>,
    /// From the symbols that are there to those that are missing.
    matrix: Option<Interpolation>,
    /// Columns of all missing symbols that are computed.
    columns: usize,
    /// Missing symbols of which the next columns are computed too.
    rows: usize,
}

impl<K: SumOfProducts> Job<K> {
    /// Has as many repair symbols as symbols are missing, all of this code.
    pub(super) fn new(decoder: Arc<Decoder<K>>, present: &Present, repair: Vec<u32>) -> Self {
        let missing = present.missing().map(|esi| esi as u32).collect();
        Self { decoder, present: present.clone(), missing, repair, matrix: None, columns: 0, rows: 0 }
    }

    /// What it costs to have the coefficients of one output, and to add up its products.
    fn row_work(&self, columns: usize) -> u64 {
        let planes = self.decoder.planes() as u64;
        self.decoder.source_symbols() as u64 * planes * (2 + columns.div_ceil(64) as u64)
    }

    /// The next columns to compute.
    fn next_columns(&self) -> Range<usize> {
        let size = self.decoder.symbol_size();
        let multiple = MIN_ELEMENTS * self.decoder.unit();
        let width = MAX_INPUT_BYTES / self.decoder.source_symbols() / multiple * multiple;
        self.columns..size.min(self.columns + width.max(multiple))
    }
}

impl<K: SumOfProducts> DecodeJob for Job<K> {
    fn step(
        &mut self,
        block: &mut [u8],
        repair: &[RepairSymbol<'_>],
        work: &mut Work,
    ) -> Result<Progress, DecodeError> {
        let repair = begun_with(&self.repair, repair)?;
        check_data(self.decoder.source_symbols(), self.decoder.symbol_size(), block, repair)?;
        if self.missing.is_empty() {
            return Ok(Progress::Done);
        }
        let all = self.decoder.symbol_size();
        if self.matrix.is_none() {
            // What there is work enough for is decoded at once, since that takes less.
            let cost = self.decoder.matrix_work(self.missing.len()) + self.row_work(all) * self.missing.len() as u64;
            if cost <= work.left() {
                self.decoder.decode(block, &self.present, repair)?;
                work.spend(cost);
                self.columns = all;
            }
        }
        if self.columns == all {
            return Ok(Progress::Done);
        }
        let matrix = match self.matrix.take() {
            Some(matrix) => matrix,
            None => {
                work.spend(self.decoder.matrix_work(self.missing.len()));
                self.decoder.matrix(&self.missing, &self.repair)
            }
        };
        let (inputs, mut outputs) = self.decoder.inputs_and_outputs(block, &self.present, repair);
        while self.columns < self.decoder.symbol_size() && !work.is_spent() {
            let columns = self.next_columns();
            let row_work = self.row_work(columns.len());
            let group = self.decoder.group_rows();
            let rows = ((work.left() / row_work).min(outputs.len() as u64) as usize).next_multiple_of(group).max(group);
            let rows = self.rows..outputs.len().min(self.rows + rows);
            let part = Matrix::Interpolation { matrix: &matrix, first_row: rows.start };
            self.decoder.multiply(&part, &inputs, columns.clone(), &mut outputs[rows.clone()]);
            work.spend(row_work * rows.len() as u64);
            self.rows = rows.end;
            if self.rows == outputs.len() {
                (self.columns, self.rows) = (columns.end, 0);
            }
        }
        self.matrix = Some(matrix);
        Ok(if self.columns < self.decoder.symbol_size() { Progress::More } else { Progress::Done })
    }

    fn memory_use(&self) -> usize {
        let matrix = self.matrix.as_ref().map_or(0, Interpolation::bytes);
        size_of::<Self>() + matrix + self.present.bytes() + (self.missing.len() + self.repair.len()) * size_of::<u32>()
    }
}
