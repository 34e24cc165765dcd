// SPDX-License-Identifier: MPL-2.0

//! Reed-Solomon encoders and decoders that have worked before allocate no memory.

use flute_fec::{ByteOrder, Code, Parameters, Points, Present, RepairSymbol};

/// Allocations of encoding and of decoding a block again, of which `lost` source symbols are missing.
fn allocations(m: u8, k: usize, n: usize, symbol_size: usize, lost: usize) -> [u64; 2] {
    let code = Code::ReedSolomon {
        m,
        points: Points::Rizzo,
        byte_order: ByteOrder::LittleEndian,
        max_source_block_length: k as u32,
        max_encoding_symbols: n as u32,
    };
    // The last symbol is short.
    let source: Vec<u8> = (0..k * symbol_size - 1).map(|index| (index * 31 + index / 251) as u8).collect();
    let parameters = Parameters { code, transfer_length: source.len() as u64, symbol_size: symbol_size as u16 };
    let codec = parameters.codec().unwrap();
    let shape = codec.block(0).unwrap();
    let (encoder, decoder) = (codec.encoder(&shape, (n - k) as u32).unwrap(), codec.decoder(&shape).unwrap());

    let mut repair = vec![0; (n - k) * symbol_size];
    let mut encode = || encoder.encode(&source, 0..symbol_size, 0, &mut repair).unwrap();
    encode();
    let encoded = allocation_counter::measure(encode).count_total;

    let mut present = Present::new(k);
    (0..k).filter(|esi| esi % (k / lost) != 0 || esi / (k / lost) >= lost).for_each(|esi| assert!(present.insert(esi)));
    assert_eq!(present.missing_count(), lost);
    let mut block = source.clone();
    block.resize(k * symbol_size, 0);
    let expected = block.clone();
    present.missing().for_each(|esi| block[esi * symbol_size..][..symbol_size].fill(0xee));
    let symbols: Vec<_> = (k..).zip(repair.chunks(symbol_size)).collect();
    let symbols: Vec<_> = symbols.into_iter().map(|(esi, data)| RepairSymbol { esi: esi as u32, data }).collect();
    let mut decode = || decoder.decode(&mut block, &present, &symbols).unwrap();
    decode();
    let decoded = allocation_counter::measure(decode).count_total;
    assert!(block == expected);
    [encoded, decoded]
}

#[test]
fn none_in_steady_state() {
    for (m, k, n, symbol_size) in
        [(8, 60, 64, 1400), (8, 128, 160, 1400), (8, 223, 255, 100), (16, 200, 240, 1400), (12, 100, 140, 1401)]
    {
        for lost in [1, 4, n - k] {
            assert_eq!(allocations(m, k, n, symbol_size, lost), [0, 0], "{lost} lost of ({k}, {n}) of GF(2^{m})");
        }
    }
}
