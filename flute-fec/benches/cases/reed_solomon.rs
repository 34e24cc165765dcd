// SPDX-License-Identifier: MPL-2.0

//! Reed-Solomon: every repair symbol is made, and every repair symbol used to decode.

use flute_fec::{ByteOrder, Code, Points};
use reed_solomon_erasure::galois_8;
use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

use super::{Case, Contender, MakeCase, SYMBOL_SIZE, Work, lost, noise, ours, products, received};

/// m, k, n.
const SHAPES: [(u8, usize, usize); 6] =
    [(8, 60, 64), (8, 128, 160), (8, 223, 255), (16, 60, 64), (16, 223, 255), (16, 1000, 1100)];

pub(super) fn cases() -> impl Iterator<Item = MakeCase> {
    SHAPES.into_iter().flat_map(|(m, k, n)| {
        [Work::Encode, Work::Decode].map(|work| -> MakeCase { Box::new(move || case(m, k, n, work)) })
    })
}

fn case(m: u8, k: usize, n: usize, work: Work) -> Case {
    let source = noise(k * SYMBOL_SIZE);
    let code = Code::ReedSolomon {
        m,
        points: Points::Rizzo,
        byte_order: ByteOrder::LittleEndian,
        max_source_block_length: k as u32,
        max_encoding_symbols: n as u32,
    };
    let repair = n - k;
    let mut contenders = match work {
        Work::Encode => vec![ours::encode(code, &source, repair), simd_encode(&source, k, repair)],
        Work::Decode => vec![ours::decode(code, &source, repair, repair), simd_decode(&source, k, repair)],
    };
    if m == 8 {
        contenders.push(match work {
            Work::Encode => erasure_encode(&source, k, repair),
            Work::Decode => erasure_decode(&source, k, repair),
        });
    }
    // For each byte of the source, one for each repair symbol; over GF(2^16), of both bytes of an element with both.
    contenders.extend(products::alone(source.len() * repair * usize::from(m / 8)));
    Case { name: format!("Reed-Solomon GF(2^{m}) ({k}, {n})"), work, source_bytes: source.len(), contenders }
}

fn erasure_encode(source: &[u8], k: usize, repair: usize) -> Contender {
    let code = galois_8::ReedSolomon::new(k, repair).unwrap();
    let shards: Vec<Vec<u8>> = source.chunks(SYMBOL_SIZE).map(<[u8]>::to_vec).collect();
    let mut parity = vec![vec![0; SYMBOL_SIZE]; repair];
    Contender::new("reed-solomon-erasure", move || code.encode_sep(&shards, &mut parity).unwrap())
}

fn erasure_decode(source: &[u8], k: usize, repair: usize) -> Contender {
    let code = galois_8::ReedSolomon::new(k, repair).unwrap();
    let mut shards: Vec<Vec<u8>> = source.chunks(SYMBOL_SIZE).map(<[u8]>::to_vec).collect();
    shards.resize(k + repair, vec![0; SYMBOL_SIZE]);
    code.encode(&mut shards).unwrap();
    let mut shards: Vec<_> = shards.into_iter().map(Some).collect();
    let lost = lost(repair, k);
    Contender::new("reed-solomon-erasure", move || {
        lost.iter().for_each(|&esi| shards[esi] = None);
        code.reconstruct_data(&mut shards).unwrap();
    })
}

fn simd_encode(source: &[u8], k: usize, repair: usize) -> Contender {
    let mut encoder = ReedSolomonEncoder::new(k, repair, SYMBOL_SIZE).unwrap();
    let source = source.to_vec();
    Contender::new("reed-solomon-simd", move || {
        source.chunks(SYMBOL_SIZE).for_each(|symbol| encoder.add_original_shard(symbol).unwrap());
        std::hint::black_box(encoder.encode().unwrap().recovery(0));
    })
}

fn simd_decode(source: &[u8], k: usize, repair: usize) -> Contender {
    let mut encoder = ReedSolomonEncoder::new(k, repair, SYMBOL_SIZE).unwrap();
    source.chunks(SYMBOL_SIZE).for_each(|symbol| encoder.add_original_shard(symbol).unwrap());
    let parity: Vec<Vec<u8>> = encoder.encode().unwrap().recovery_iter().map(<[u8]>::to_vec).collect();
    let mut decoder = ReedSolomonDecoder::new(k, repair, SYMBOL_SIZE).unwrap();
    let (source, received) = (source.to_vec(), received(repair, k));
    Contender::new("reed-solomon-simd", move || {
        let symbol = |esi| &source[esi * SYMBOL_SIZE..][..SYMBOL_SIZE];
        received.iter().for_each(|&esi| decoder.add_original_shard(esi, symbol(esi)).unwrap());
        parity.iter().enumerate().for_each(|(index, data)| decoder.add_recovery_shard(index, data).unwrap());
        std::hint::black_box(decoder.decode().unwrap().restored_original_iter().count());
    })
}
