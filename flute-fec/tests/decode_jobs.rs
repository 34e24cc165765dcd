// SPDX-License-Identifier: MPL-2.0

//! Decoding in steps gives what decoding at once gives, however small the steps are.

mod noise;

use std::sync::Arc;

use flute_fec::{
    BlockDecoder, ByteOrder, Code, DecodeError, DecodeJob, Parameters, Points, Present, Progress, RepairSymbol, Work,
};
use noise::noise;

fn reed_solomon(m: u8, max_source_block_length: u32, max_encoding_symbols: u32) -> Code {
    let (points, byte_order) = (Points::Rizzo, ByteOrder::LittleEndian);
    Code::ReedSolomon { m, points, byte_order, max_source_block_length, max_encoding_symbols }
}

fn raptor(sub_blocks: u8) -> Code {
    Code::Raptor { source_blocks: 1, sub_blocks, alignment: 1 }
}

fn raptorq(sub_blocks: u16) -> Code {
    Code::RaptorQ { source_blocks: 1, sub_blocks, alignment: 1 }
}

/// A block that lost symbols, and what came instead.
struct Damaged {
    original: Vec<u8>,
    received: Vec<u8>,
    present: Present,
    repair: Vec<(u32, Vec<u8>)>,
    decoder: Arc<dyn BlockDecoder>,
}

impl Damaged {
    /// A block of `k` symbols of `size` bytes that lost `lost`.
    fn new(code: Code, k: usize, size: usize, lost: usize, repair: usize) -> Self {
        let original = noise(k * size, (k + lost) as u64);
        let parameters = Parameters { code, transfer_length: original.len() as u64, symbol_size: size as u16 };
        let codec = parameters.codec().unwrap();
        let block = codec.block(0).unwrap();
        let mut symbols = vec![0; repair * size];
        let encoder = codec.encoder(&block, repair as u32).unwrap();
        encoder.encode(&original, 0..size, 0, &mut symbols).unwrap();
        let repair = symbols.chunks(size).zip(k as u32..).map(|(data, esi)| (esi, data.to_vec())).collect();
        let mut present = Present::new(k);
        (0..k).filter(|esi| esi * lost % k >= lost).for_each(|esi| assert!(present.insert(esi)));
        let mut received = original.clone();
        for run in present.missing().flat_map(|esi| codec.runs(&block, esi as u32)) {
            received[run.object_offset as usize..][..usize::from(run.length)].fill(0x5A);
        }
        Self { original, received, present, repair, decoder: codec.decoder(&block).unwrap() }
    }

    fn symbols(&self) -> Vec<RepairSymbol<'_>> {
        self.repair.iter().map(|(esi, data)| RepairSymbol { esi: *esi, data }).collect()
    }

    fn begin(&self) -> Result<Box<dyn DecodeJob>, DecodeError> {
        let esis: Vec<u32> = self.repair.iter().map(|(esi, _)| *esi).collect();
        Arc::clone(&self.decoder).begin(&self.present, &esis)
    }

    /// Decodes in steps of `units`. Returns the block, and how many steps that took.
    fn in_steps(&self, units: u64) -> Result<(Vec<u8>, usize), DecodeError> {
        let (mut block, symbols, mut steps) = (self.received.clone(), self.symbols(), 1);
        let mut job = self.begin()?;
        while job.step(&mut block, &symbols, &mut Work::new(units))? == Progress::More {
            steps += 1;
        }
        Ok((block, steps))
    }
}

#[test]
fn steps_come_to_the_same() {
    for (code, k, size, lost, repair) in [
        (reed_solomon(8, 100, 150), 100, 300, 30, 30),
        (reed_solomon(8, 20, 40), 20, 5000, 20, 20),
        (reed_solomon(5, 20, 31), 20, 1505, 11, 11),
        (reed_solomon(7, 60, 100), 60, 70, 33, 40),
        (reed_solomon(16, 3000, 5000), 3000, 2, 2000, 2000),
        (raptor(1), 300, 1000, 40, 60),
        (raptor(7), 1000, 300, 1000, 1020),
        (raptorq(1), 10, 1400, 3, 5),
        (raptorq(3), 300, 1000, 40, 44),
        (raptorq(1), 6000, 300, 3000, 3002),
    ] {
        let damaged = Damaged::new(code, k, size, lost, repair);
        for units in [1, 10_000, u64::MAX] {
            let (block, steps) = damaged.in_steps(units).unwrap();
            assert!(block == damaged.original, "{code:?}, k = {k}, {units} units");
            assert!(units == 10_000 || (steps == 1) == (units == u64::MAX), "{code:?}, k = {k}: {steps} steps");
        }
    }
}

#[test]
fn nothing_is_missing() {
    for code in [Code::NoCode { max_source_block_length: 10 }, reed_solomon(8, 10, 20), raptor(1), raptorq(1)] {
        let damaged = Damaged::new(code, 10, 4, 0, 0);
        assert_eq!(damaged.in_steps(1), Ok((damaged.original.clone(), 1)));
    }
}

#[test]
fn not_enough() {
    for (code, k) in [(reed_solomon(8, 100, 150), 100), (raptor(1), 100), (raptorq(1), 100)] {
        let damaged = Damaged::new(code, k, 4, 30, 29);
        let error = DecodeError::NotEnoughSymbols { missing: 30, repair: 29 };
        for units in [1, u64::MAX] {
            assert_eq!(damaged.in_steps(units), Err(error.clone()));
        }
    }
}

#[test]
fn what_a_job_is_not_to_be_given() {
    for code in [reed_solomon(8, 10, 20), raptor(1), raptorq(1)] {
        let damaged = Damaged::new(code, 10, 4, 2, 5);
        let begin = |present: &Present, esis: &[u32]| Arc::clone(&damaged.decoder).begin(present, esis).err();
        assert_eq!(begin(&Present::new(11), &[10, 11]), Some(DecodeError::Length { actual: 11, expected: 10 }));
        assert_eq!(begin(&damaged.present, &[9, 10]), Some(DecodeError::Esi { esi: 9 }));
        assert_eq!(begin(&damaged.present, &[10, 10]), Some(DecodeError::Esi { esi: 10 }));
        assert_eq!(begin(&damaged.present, &[10, 1 << 24]), Some(DecodeError::Esi { esi: 1 << 24 }));

        let symbols = damaged.symbols();
        let step = |length: usize, symbols: &[RepairSymbol<'_>]| {
            let mut block = damaged.received.clone();
            block.truncate(length);
            damaged.begin().unwrap().step(&mut block, symbols, &mut Work::unlimited())
        };
        assert_eq!(step(39, &symbols), Err(DecodeError::Length { actual: 39, expected: 40 }));
        assert!(matches!(step(40, &symbols[..1]), Err(DecodeError::Length { actual: 1, .. })));
        let reversed: Vec<_> = symbols.iter().rev().copied().collect();
        assert_eq!(step(40, &reversed), Err(DecodeError::Esi { esi: 14 }));
        let mut short = symbols.clone();
        short[0].data = &short[0].data[1..];
        assert_eq!(step(40, &short), Err(DecodeError::Length { actual: 3, expected: 4 }));
        let late = RepairSymbol { esi: 15, data: &[] };
        assert_eq!(step(40, &[&symbols[..], &[late]].concat()), Ok(Progress::Done));
    }
}
