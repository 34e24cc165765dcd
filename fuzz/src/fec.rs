// SPDX-License-Identifier: MPL-2.0

//! Any parameters of any erasure code: they are refused when the codec is made, or blocks of any symbols encode and
//! decode without a panic, and what decodes is what was encoded.

use arbitrary::{Arbitrary, Unstructured};
use flute_fec::{ByteOrder, Code, Parameters, Points, Present, RepairSymbol};

/// Larger blocks are too slow to be found anything in.
const MAX_BLOCK: usize = 1 << 13;

/// Numbers that are small, as those of a code that can be made are, more often than any.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Number {
    Small(u8),
    Medium(u16),
    Any(u64),
}

impl Number {
    fn get(self) -> u64 {
        match self {
            Self::Small(number) => number.into(),
            Self::Medium(number) => number.into(),
            Self::Any(number) => number,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum AnyCode {
    NoCode(Number),
    ReedSolomon {
        m: u8,
        literal: bool,
        little_endian: bool,
        max_source_block_length: Number,
        max_encoding_symbols: Number,
    },
    Raptor {
        source_blocks: Number,
        sub_blocks: u8,
        alignment: u8,
    },
    RaptorQ {
        source_blocks: Number,
        sub_blocks: Number,
        alignment: u8,
    },
}

#[derive(Arbitrary, Debug)]
struct Input {
    code: AnyCode,
    transfer_length: Number,
    symbol_size: Number,
    block: u32,
    repair: u8,
    lost: Vec<u16>,
    hostile_esis: Vec<u32>,
}

/// Tries an input.
pub fn run(bytes: &[u8]) {
    let Ok(input) = Input::arbitrary(&mut Unstructured::new(bytes)) else { return };
    let code = match input.code {
        AnyCode::NoCode(max_source_block_length) => {
            Code::NoCode { max_source_block_length: max_source_block_length.get() as u32 }
        }
        AnyCode::ReedSolomon { m, literal, little_endian, max_source_block_length, max_encoding_symbols } => {
            Code::ReedSolomon {
                m,
                points: if literal { Points::Literal } else { Points::Rizzo },
                byte_order: if little_endian { ByteOrder::LittleEndian } else { ByteOrder::BigEndian },
                max_source_block_length: max_source_block_length.get() as u32,
                max_encoding_symbols: max_encoding_symbols.get() as u32,
            }
        }
        AnyCode::Raptor { source_blocks, sub_blocks, alignment } => {
            Code::Raptor { source_blocks: source_blocks.get() as u16, sub_blocks, alignment }
        }
        AnyCode::RaptorQ { source_blocks, sub_blocks, alignment } => {
            let (source_blocks, sub_blocks) = (source_blocks.get() as u16, sub_blocks.get() as u16);
            Code::RaptorQ { source_blocks, sub_blocks, alignment }
        }
    };
    let (transfer_length, symbol_size) = (input.transfer_length.get(), input.symbol_size.get() as u16);
    let parameters = Parameters { code, transfer_length, symbol_size };
    let Ok(codec) = parameters.codec() else { return };
    let Some(block) = codec.block(input.block % codec.block_count().max(1)) else { return };
    for run in codec.runs(&block, block.symbols - 1) {
        assert!(run.length == 0 || run.object_offset + u64::from(run.length) <= transfer_length);
    }
    let (k, size) = (block.symbols as usize, usize::from(symbol_size));
    if k * size > MAX_BLOCK {
        return;
    }

    let source: Vec<u8> = (0..block.length).map(|index| (index * 31 + 7) as u8).collect();
    let Ok(encoder) = codec.encoder(&block, input.repair.into()) else { return };
    let count = u32::from(input.repair).min(encoder.max_repair_symbols()) as usize;
    let mut repair = vec![0; count * size];
    encoder.encode(&source, 0..size, 0, &mut repair).unwrap();

    let decoder = codec.decoder(&block).unwrap();
    let mut present = Present::new(k);
    let lost: Vec<usize> = input.lost.iter().map(|&esi| usize::from(esi) % k).collect();
    for esi in (0..k).filter(|esi| !lost.contains(esi)) {
        present.insert(esi);
    }
    let mut expected = source;
    expected.resize(k * size, 0);
    let mut damaged = expected.clone();
    for esi in present.missing() {
        for run in codec.runs(&block, esi as u32).filter(|run| run.length > 0) {
            let start = (run.object_offset - block.offset) as usize;
            damaged[start..start + usize::from(run.length)].fill(0xff);
        }
    }

    let mut received: Vec<RepairSymbol<'_>> =
        repair.chunks(size).enumerate().map(|(index, data)| RepairSymbol { esi: (k + index) as u32, data }).collect();
    let mut block_bytes = damaged.clone();
    if decoder.decode(&mut block_bytes, &present, &received).is_ok() {
        assert_eq!(block_bytes, expected);
    }

    // Symbols under false names decode to nonsense or not at all, but never panic.
    let zeros = vec![0; size];
    received.extend(input.hostile_esis.iter().map(|&esi| RepairSymbol { esi, data: &zeros }));
    let _ = decoder.decode(&mut damaged, &present, &received);
}
