// SPDX-License-Identifier: MPL-2.0

//! Encoders and decoders against vectors of independent implementations, and against each other.

use std::fmt::Write;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::chunk::Chunk;
use super::*;
use crate::{DecodeError, EncodeError, Parameters, Points, Present, Protection, RepairSymbol, Scheme, Wanted};

/// Bytes that look random, the same for the same seed.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn code(m: u8, points: Points, byte_order: ByteOrder, k: u32, n: u32) -> Code {
    Code::ReedSolomon { m, points, byte_order, max_source_block_length: k, max_encoding_symbols: n }
}

fn shape(m: u8, k: u32, n: u32, symbol_size: u16) -> Shape {
    Shape::new(code(m, Points::Rizzo, ByteOrder::LittleEndian, k, n), k, symbol_size).unwrap()
}

/// All repair symbols of a block.
fn encode(encoder: &dyn BlockEncoder, source: &[u8]) -> Vec<u8> {
    let size = encoder.symbol_size();
    let mut repair = vec![0; size * encoder.max_repair_symbols() as usize];
    encoder.encode(source, 0..size, 0, &mut repair).unwrap();
    repair
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// The file of vectors, where it is at hand.
fn vectors() -> Option<Value> {
    let shared = std::env::var_os("FLUTE_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    let path = shared.join("vectors/rs-vectors.json");
    match std::fs::read(&path) {
        Ok(text) => Some(serde_json::from_slice(&text).unwrap()),
        Err(error) => {
            eprintln!("skipped: {}: {error}", path.display());
            None
        }
    }
}

/// The source block of a vector: as it stands there, or the hashes of a counter.
fn source_of(case: &Value) -> Vec<u8> {
    let len = (case["k"].as_u64().unwrap() * case["E"].as_u64().unwrap()) as usize;
    let Some(seed) = case["seed"].as_str() else {
        return unhex(&case["source"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect::<String>());
    };
    let mut source: Vec<u8> =
        (0..len.div_ceil(32)).flat_map(|counter| Sha256::digest(format!("rfc5510/{seed}/{counter}"))).collect();
    source.truncate(len);
    if let Some(hash) = case["source_sha256"].as_str() {
        assert_eq!(hex(&Sha256::digest(&source)), hash);
    }
    if let Some(symbols) = case["source"].as_array() {
        assert_eq!(hex(&source), symbols.iter().map(|symbol| symbol.as_str().unwrap()).collect::<String>());
    }
    source
}

#[test]
fn vectors_of_independent_encoders() {
    let Some(vectors) = vectors() else { return };
    let (little, big) = (ByteOrder::LittleEndian, ByteOrder::BigEndian);
    let mut compared = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let number = |name: &str| case[name].as_u64().unwrap() as u32;
        let source = source_of(case);
        for (name, points, byte_order) in [
            ("repair", Points::Literal, little),
            ("repair_be", Points::Literal, big),
            ("repair_le", Points::Literal, little),
            ("repair_rizzo", Points::Rizzo, little),
            ("repair_rizzo_be", Points::Rizzo, big),
            ("repair_rizzo_le", Points::Rizzo, little),
        ] {
            let Some(expected) = case[name].as_array() else { continue };
            let code = code(number("m") as u8, points, byte_order, number("k"), number("n"));
            let encoder = encoder(code, number("k"), number("E") as u16, 1).unwrap();
            for (esi, expected) in case["esis"].as_array().unwrap().iter().zip(expected) {
                let first_repair = esi.as_u64().unwrap() as u32 - number("k");
                let mut repair = vec![0xa5; number("E") as usize];
                encoder.encode(&source, 0..repair.len(), first_repair, &mut repair).unwrap();
                assert_eq!(hex(&repair), expected.as_str().unwrap(), "{} {name} {esi}", case["name"]);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 274);
}

/// The example that zfec, OpenFEC and NORM agree on.
#[test]
fn example_of_rizzo() {
    let source = unhex("0001020310203040fffefdfc");
    let encoder = encoder(code(8, Points::Rizzo, ByteOrder::LittleEndian, 3, 5), 3, 4, 2).unwrap();
    assert_eq!(hex(&encode(&*encoder, &source)), "b82cb7191c4430f4");
    let literal = super::encoder(code(8, Points::Literal, ByteOrder::LittleEndian, 3, 5), 3, 4, 2).unwrap();
    assert_eq!(hex(&encode(&*literal, &source)), "2715e471e6eb94f1");
}

/// Loses `lost` of the source symbols, takes as many repair symbols (all of both spread by `seed`), and decodes.
fn round_trip(kernel: Kernel, shape: &Shape, lost: usize, seed: u64) {
    let (encoder, _) = new_encoder(kernel, shape, shape.max_encoding_symbols);
    let (decoder, _) = new_decoder(kernel, shape);
    let (k, size) = (encoder.source_symbols(), encoder.symbol_size());
    let source = noise(k * size, seed);
    let repair = encode(&*encoder, &source);

    let shuffled = |len: usize| {
        let mut order: Vec<usize> = (0..len).collect();
        order.sort_by_key(|&index| (index as u64 + 1).wrapping_mul(seed | 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        order
    };
    let mut present = Present::new(k);
    let mut block = source.clone();
    for (rank, esi) in shuffled(k).into_iter().enumerate() {
        if rank < lost {
            block[esi * size..][..size].fill(0x5a);
        } else {
            present.insert(esi);
        }
    }
    let order = shuffled(repair.len() / size);
    let symbols: Vec<_> = order[..lost]
        .iter()
        .map(|&index| RepairSymbol { esi: (k + index) as u32, data: &repair[index * size..][..size] })
        .collect();
    if lost > 0 {
        let error = DecodeError::NotEnoughSymbols { missing: lost, repair: lost - 1 };
        assert_eq!(decoder.decode(&mut block.clone(), &present, &symbols[1..]), Err(error));
        assert!(!decoder.is_solvable(lost, lost - 1));
    }
    decoder.decode(&mut block, &present, &symbols).unwrap();
    assert!(block == source, "{shape:?} lost {lost}");
}

#[test]
fn every_field_repairs_up_to_its_repair_symbols() {
    for m in 2..=16 {
        let order = (1u32 << m) - 1;
        let n = order.min(300);
        let unit = symbol::Layout::new(m.into()).unit() as u16;
        for k in [1, 2, n / 2, n - 1, n] {
            for lost in [0, 1, (n - k) / 2, n - k] {
                round_trip(
                    Kernel::chosen(),
                    &shape(m, k, n, unit * 5),
                    lost.min(k).min(n - k) as usize,
                    u64::from(m) + 7,
                );
            }
        }
    }
}

#[test]
fn every_kernel_makes_the_same_code() {
    for (m, k, n, symbol_size) in
        [(2, 2, 3, 100), (4, 9, 15, 77), (8, 41, 60, 333), (12, 300, 311, 99), (16, 270, 283, 402)]
    {
        let shape = shape(m, k, n, symbol_size);
        let source = noise(k as usize * usize::from(symbol_size), 5);
        let reference = encode(&*new_encoder(Kernel::Scalar, &shape, n).0, &source);
        for kernel in Kernel::available() {
            // With the matrix kept, and without.
            for repair_symbols in [n, 0] {
                assert!(encode(&*new_encoder(kernel, &shape, repair_symbols).0, &source) == reference, "{kernel} {m}");
            }
            round_trip(kernel, &shape, (n - k).min(k) as usize, 77);
        }
    }
}

/// Repair symbols that are computed together are those that the rows of the matrix make, whatever the numbers of
/// source and repair symbols.
#[test]
fn chunks_are_rows_of_the_matrix() {
    for (m, k, n, symbol_size) in [
        (8, 64, 96, 131),
        (8, 127, 255, 128),
        (8, 128, 160, 257),
        (8, 223, 255, 140),
        (7, 60, 127, 56),
        (16, 65, 97, 130),
        (16, 700, 820, 258),
        (11, 140, 180, 154),
    ] {
        for points in [Points::Rizzo, Points::Literal] {
            for kernel in [Kernel::chosen(), Kernel::Scalar] {
                let shape = Shape::new(code(m, points, ByteOrder::BigEndian, k, n), k, symbol_size).unwrap();
                let chunks = Chunk::cut(k, n - k, 8).map(|chunk| chunk.rows).collect::<Vec<_>>();
                assert!(chunks.iter().sum::<u32>() >= 32, "{chunks:?}");
                let source = noise(k as usize * usize::from(symbol_size) - 3, 11);
                let together = encode(&*new_encoder(kernel, &shape, n - k).0, &source);
                let alone = encode(&*new_encoder(kernel, &shape, 0).0, &source);
                assert!(together == alone, "{kernel}, {points:?}, ({k}, {n}) of GF(2^{m})");
            }
        }
        let shape = shape(m, k, n, symbol_size);
        for lost in [33, 40, n - k] {
            round_trip(Kernel::chosen(), &shape, lost.min(n - k).min(k) as usize, u64::from(n));
        }
    }
}

/// Decoding by encoding first, where some of the repair symbols used are in no chunk.
#[test]
fn repair_symbols_outside_chunks_decode() {
    for (m, k, n, symbol_size, group_rows) in [(8, 200, 236, 131, 8), (11, 140, 180, 154, 4), (16, 500, 600, 66, 4)] {
        let rows: u32 = Chunk::cut(k, n - k, group_rows).map(|chunk| chunk.rows).sum();
        assert!(rows > 0 && rows < n - k, "{rows} of {}", n - k);
        for kernel in [Kernel::chosen(), Kernel::Scalar] {
            for lost in [rows, rows + 1, n - k] {
                round_trip(kernel, &shape(m, k, n, symbol_size), lost.min(k) as usize, u64::from(lost));
            }
        }
    }
}

#[test]
fn long_blocks_of_the_largest_field() {
    for points in [Points::Rizzo, Points::Literal] {
        let code = code(16, points, ByteOrder::BigEndian, 3000, 65535);
        let shape = Shape::new(code, 3000, 6).unwrap();
        let encoder = new_encoder(Kernel::chosen(), &shape, 0).0;
        let decoder = new_decoder(Kernel::chosen(), &shape).0;
        let source = noise(3000 * 6, 3);
        // The last repair symbols that the field has, for source symbols at both ends.
        let mut repair = vec![0; 40 * 6];
        encoder.encode(&source, 0..6, 62535 - 40, &mut repair).unwrap();
        let mut present = Present::new(3000);
        (20..2980).for_each(|esi| assert!(present.insert(esi)));
        let mut block = source.clone();
        block[..20 * 6].fill(0);
        block[2980 * 6..].fill(0);
        let esis = 65535 - 40..;
        let symbols: Vec<_> = esis.zip(repair.chunks(6)).map(|(esi, data)| RepairSymbol { esi, data }).collect();
        decoder.decode(&mut block, &present, &symbols).unwrap();
        assert!(block == source);
    }
}

#[test]
fn strips_make_the_whole() {
    for (m, symbol_size, cuts) in
        [(8, 700, [0, 1, 130, 699, 700]), (16, 700, [0, 2, 128, 500, 700]), (12, 60, [0, 3, 6, 30, 60])]
    {
        let shape = shape(m, 20, 40, symbol_size);
        let encoder = new_encoder(Kernel::chosen(), &shape, 20).0;
        // The last symbol is short.
        let source = &noise(20 * usize::from(symbol_size), 1)[..20 * usize::from(symbol_size) - 31];
        let whole = encode(&*encoder, source);
        let mut repair = vec![0xee; whole.len()];
        for cut in cuts.windows(2) {
            // One by one, and some at a time, not at the boundaries of anything.
            let (head, tail) = repair.split_at_mut(3 * usize::from(symbol_size));
            encoder.encode(source, cut[0]..cut[1], 0, head).unwrap();
            for (index, symbols) in tail.chunks_mut(5 * usize::from(symbol_size)).enumerate() {
                encoder.encode(source, cut[0]..cut[1], 3 + 5 * index as u32, symbols).unwrap();
            }
        }
        assert!(repair == whole, "GF(2^{m})");
    }
}

#[test]
fn short_symbol_counts_as_padded() {
    for (m, size) in [(8, 16), (16, 16), (5, 15)] {
        let encoder = new_encoder(Kernel::chosen(), &shape(m, 3, 6, size), 3).0;
        let size = usize::from(size);
        let mut padded = noise(3 * size, 9);
        for len in (2 * size + 1..=3 * size).rev() {
            padded[len..].fill(0);
            assert_eq!(encode(&*encoder, &padded[..len]), encode(&*encoder, &padded));
        }
    }
}

#[test]
fn wrong_lengths_are_errors() {
    let shape = shape(16, 3, 5, 8);
    let encoder = new_encoder(Kernel::chosen(), &shape, 2).0;
    let source = [0; 24];
    let encode =
        |len: usize, columns, first, room: usize| encoder.encode(&source[..len], columns, first, &mut vec![0; room]);
    assert_eq!(encode(16, 0..8, 0, 8), Err(EncodeError::SourceLength { actual: 16, min: 17, max: 24 }));
    assert_eq!(encode(24, 0..8, 0, 9), Err(EncodeError::RepairLength { actual: 9, symbol_size: 8 }));
    let columns = |start, end| EncodeError::Columns { start, end, symbol_size: 8, alignment: 2 };
    assert_eq!(encode(24, 1..8, 0, 8), Err(columns(1, 8)));
    assert_eq!(encode(24, 0..10, 0, 8), Err(columns(0, 10)));
    #[expect(clippy::reversed_empty_ranges)]
    let reversed = 8..6;
    assert_eq!(encode(24, reversed, 0, 8), Err(columns(8, 6)));
    assert_eq!(encode(24, 0..8, 2, 8), Err(EncodeError::TooManyRepairSymbols { requested: 3, max: 2 }));
    assert_eq!(encode(24, 0..8, u32::MAX, 8), Err(EncodeError::TooManyRepairSymbols { requested: 1 << 32, max: 2 }));
    assert_eq!(encode(24, 4..4, 0, 16), Ok(()));
    assert_eq!(encode(24, 0..8, 2, 0), Ok(()));

    let decoder = new_decoder(Kernel::chosen(), &shape).0;
    let mut present = Present::new(3);
    present.insert(1);
    let decode = |len: usize, present: &Present, esis: &[u32], data: &[u8]| {
        let repair: Vec<_> = esis.iter().map(|&esi| RepairSymbol { esi, data }).collect();
        decoder.decode(&mut vec![0; len], present, &repair)
    };
    let data = [0; 8];
    assert_eq!(decode(23, &present, &[3, 4], &data), Err(DecodeError::Length { actual: 23, expected: 24 }));
    assert_eq!(decode(24, &Present::new(2), &[3, 4], &data), Err(DecodeError::Length { actual: 2, expected: 3 }));
    assert_eq!(decode(24, &present, &[3, 4], &data[1..]), Err(DecodeError::Length { actual: 7, expected: 8 }));
    assert_eq!(decode(24, &present, &[3, 3], &data), Err(DecodeError::Esi { esi: 3 }));
    assert_eq!(decode(24, &present, &[2, 3], &data), Err(DecodeError::Esi { esi: 2 }));
    assert_eq!(decode(24, &present, &[3, 5], &data), Err(DecodeError::Esi { esi: 5 }));
    assert_eq!(decode(24, &present, &[3, 4], &data), Ok(()));
}

fn parameters(m: u8, b: u32, max_n: u32, transfer_length: u64, symbol_size: u16) -> Parameters {
    Parameters { code: code(m, Points::Rizzo, ByteOrder::default(), b, max_n), transfer_length, symbol_size }
}

#[test]
fn absurd_parameters_are_errors() {
    let error = |parameters: Parameters| parameters.codec().unwrap_err();
    assert_eq!(error(parameters(8, 0, 10, 100, 10)), ParameterError::ZeroSourceBlockLength);
    assert_eq!(error(parameters(8, 4, 8, 100, 0)), ParameterError::ZeroSymbolSize);
    assert_eq!(error(parameters(1, 4, 8, 100, 10)), ParameterError::Field { m: 1 });
    assert_eq!(error(parameters(17, 4, 8, 100, 10)), ParameterError::Field { m: 17 });
    let too_many = |encoding_symbols, max| ParameterError::TooManyEncodingSymbols { encoding_symbols, max };
    assert_eq!(error(parameters(8, 4, 256, 100, 10)), too_many(256, 255));
    assert_eq!(error(parameters(16, 4, 65536, 100, 10)), too_many(65536, 65535));
    assert_eq!(
        error(parameters(8, 9, 8, 100, 10)),
        ParameterError::SourceBlockLength { source_symbols: 9, encoding_symbols: 8 }
    );
    let size = |symbol_size, multiple| ParameterError::SymbolSize { symbol_size, multiple };
    assert_eq!(error(parameters(16, 4, 8, 100, 5)), size(5, 2));
    assert_eq!(error(parameters(9, 4, 8, 100, 10)), size(10, 9));
    assert_eq!(error(parameters(12, 4, 8, 100, 10)), size(10, 3));
    assert_eq!(error(parameters(10, 4, 8, 100, 9)), size(9, 5));
    assert!(parameters(4, 4, 8, 100, 1).codec().is_ok());
}

fn wanted(m: u8, length: u64, block: Option<u32>, protection: Protection, max_source_blocks: u64) -> Wanted {
    let scheme = Scheme::ReedSolomon { m, points: Points::Rizzo, byte_order: ByteOrder::default() };
    Wanted { max_source_block_length: block, protection, max_source_blocks, ..Wanted::new(scheme, length, 1000) }
}

/// B and max_n.
fn derived(wanted: Wanted) -> Result<(u32, u32), ParameterError> {
    match wanted.parameters()?.code {
        Code::ReedSolomon { max_source_block_length, max_encoding_symbols, .. } => {
            Ok((max_source_block_length, max_encoding_symbols))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn parameters_from_protection() {
    let (percent, symbols) = (Protection::Percent, Protection::Symbols);
    assert_eq!(derived(wanted(8, 1_000_000, None, symbols(4), 1 << 24)), Ok((64, 68)));
    assert_eq!(derived(wanted(8, 1_000_000, Some(60), symbols(4), 1 << 24)), Ok((60, 64)));
    assert_eq!(derived(wanted(8, 1_000_000, Some(200), percent(25.0), 1 << 24)), Ok((200, 250)));
    assert_eq!(derived(wanted(8, 0, None, percent(25.0), 1 << 24)), Ok((64, 80)));
    // A small field, or much protection, leaves less room.
    assert_eq!(derived(wanted(4, 1_000_000, None, percent(50.0), 1 << 28)), Ok((10, 15)));
    assert_eq!(derived(wanted(8, 1_000_000, None, symbols(250), 1 << 24)), Ok((5, 255)));
    let too_many = |encoding_symbols| Err(ParameterError::TooManyEncodingSymbols { encoding_symbols, max: 255 });
    assert_eq!(derived(wanted(8, 1_000_000, None, symbols(255), 1 << 24)), too_many(256));
    assert_eq!(derived(wanted(8, 1_000_000, Some(200), percent(30.0), 1 << 24)), too_many(260));
    assert_eq!(derived(wanted(8, 1_000_000, Some(0), symbols(1), 1)), Err(ParameterError::ZeroSourceBlockLength));
    // 1000 symbols in at most 10 blocks: longer ones than usual; then longer than the field has.
    assert_eq!(derived(wanted(8, 1_000_000, None, symbols(4), 10)), Ok((100, 104)));
    let too_long = |max| Err(ParameterError::ObjectTooLong { length: 1_000_000, max });
    assert_eq!(derived(wanted(8, 1_000_000, None, symbols(4), 3)), too_long(753_000));
    assert_eq!(derived(wanted(8, 1_000_000, Some(64), symbols(4), 10)), too_long(640_000));
    assert_eq!(derived(wanted(16, 1_000_000, None, symbols(4), 1)), Ok((1000, 1004)));
    assert_eq!(derived(wanted(8, 1_000_000, None, symbols(4), 0)), too_long(0));
}

#[test]
fn symbols_are_made_of_whole_elements() {
    let size = |m, symbol_size| {
        let wanted = Wanted { symbol_size, ..wanted(m, 1_000_000, None, Protection::Symbols(3), 1 << 16) };
        wanted.parameters().map(|parameters| parameters.symbol_size)
    };
    assert_eq!(size(8, 1399), Ok(1399));
    assert_eq!(size(16, 1399), Ok(1398));
    assert_eq!(size(13, 1400), Ok(1391));
    assert_eq!(size(16, 1), Err(ParameterError::SymbolSize { symbol_size: 1, multiple: 2 }));
    assert_eq!(size(16, 0), Err(ParameterError::ZeroSymbolSize));
}

proptest! {
    #[test]
    fn no_parameters_panic(
        m in prop_oneof![0u8..20, any::<u8>()],
        b in prop_oneof![0u32..300, any::<u32>()],
        max_n in prop_oneof![0u32..300, 65530u32..65540, any::<u32>()],
        transfer_length in prop_oneof![0u64..100_000, any::<u64>()],
        symbol_size in prop_oneof![0u16..50, any::<u16>()],
        number in prop_oneof![0u32..10, any::<u32>()],
        symbols in any::<u32>(),
    ) {
        if let Ok(codec) = parameters(m, b, max_n, transfer_length, symbol_size).codec() {
            prop_assert!((2..=16).contains(&m) && b > 0 && b <= max_n && max_n < 1 << m && symbol_size > 0);
            if let Some(mut block) = codec.block(number) {
                prop_assert!(block.symbols <= b);
                let encoder = codec.encoder(&block, 1).unwrap();
                prop_assert_eq!(encoder.max_repair_symbols(), max_n - block.symbols);
                prop_assert!(codec.decoder(&block).is_ok());
                block.symbols = symbols;
                prop_assert_eq!(codec.encoder(&block, 1).is_ok(), symbols > 0 && symbols <= max_n);
                prop_assert_eq!(codec.decoder(&block).is_ok(), symbols > 0 && symbols <= max_n);
            }
        }
    }

    #[test]
    fn nothing_wanted_panics(
        m in 0u8..20,
        transfer_length in prop_oneof![0u64..10_000_000, any::<u64>()],
        block in prop::option::of(prop_oneof![0u32..300, any::<u32>()]),
        percent in prop_oneof![0.0f64..200.0, any::<f64>()],
        max_source_blocks in prop_oneof![0u64..100, any::<u64>()],
    ) {
        let wanted = wanted(m, transfer_length, block, Protection::Percent(percent), max_source_blocks);
        if let Ok(parameters) = wanted.parameters() {
            let codec = parameters.codec().unwrap();
            prop_assert!(u64::from(codec.block_count()) <= max_source_blocks);
            for block in codec.block(0).iter().chain(&codec.block(codec.block_count().wrapping_sub(1))) {
                let repair = wanted.protection.repair_symbols(block.symbols);
                prop_assert!(codec.encoder(block, repair).unwrap().max_repair_symbols() >= repair);
            }
        }
    }

    #[test]
    fn any_erasures_are_repaired(
        m in 2u8..=16, units in 1u16..40, k in 1u32..60, repair in 0u32..30, share in 0.0f64..=1.0, seed in any::<u64>(),
    ) {
        let order = (1 << m) - 1;
        let k = k.min(order);
        let n = (k + repair).min(order);
        let unit = symbol::Layout::new(m.into()).unit() as u16;
        let lost = (f64::from((n - k).min(k)) * share).round() as usize;
        round_trip(Kernel::chosen(), &shape(m, k, n, unit * units), lost, seed);
    }
}
