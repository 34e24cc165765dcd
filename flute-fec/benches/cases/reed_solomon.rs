// SPDX-License-Identifier: MPL-2.0

//! Reed-Solomon: with every repair symbol made, and every repair symbol used to decode.

use flute_fec::{ByteOrder, Code, ObjectCodec, Parameters, Points, Present, RepairSymbol};
use reed_solomon_erasure::galois_8;
use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

use super::{Case, Contender, MakeCase, SYMBOL_SIZE, noise, spread};

const SIZE: usize = SYMBOL_SIZE as usize;

/// m, k, n.
const SHAPES: [(u8, usize, usize); 6] =
    [(8, 60, 64), (8, 128, 160), (8, 223, 255), (16, 60, 64), (16, 223, 255), (16, 1000, 1100)];

pub(crate) fn cases() -> impl Iterator<Item = MakeCase> {
    SHAPES.into_iter().flat_map(|(m, k, n)| {
        let encode: MakeCase = Box::new(move || encode(m, k, n));
        let decode: MakeCase = Box::new(move || decode(m, k, n));
        [encode, decode]
    })
}

fn codec(m: u8, k: usize, n: usize) -> ObjectCodec {
    let code = Code::ReedSolomon {
        m,
        points: Points::Rizzo,
        byte_order: ByteOrder::LittleEndian,
        max_source_block_length: k as u32,
        max_encoding_symbols: n as u32,
    };
    Parameters { code, transfer_length: (k * SIZE) as u64, symbol_size: SYMBOL_SIZE }.codec().unwrap()
}

fn case(m: u8, k: usize, n: usize, work: &'static str, contenders: Vec<Contender>) -> Case {
    Case { name: format!("Reed-Solomon GF(2^{m}) ({k}, {n})"), work, source_bytes: k * SIZE, contenders }
}

fn encode(m: u8, k: usize, n: usize) -> Case {
    let source = noise(k * SIZE);
    let mut contenders = Vec::new();

    let codec = codec(m, k, n);
    let encoder = codec.encoder(&codec.block(0).unwrap(), (n - k) as u32).unwrap();
    let (block, mut repair) = (source.clone(), vec![0; (n - k) * SIZE]);
    contenders.push(Contender::new("flute-fec", move || encoder.encode(&block, 0..SIZE, 0, &mut repair).unwrap()));

    if m == 8 {
        let peer = galois_8::ReedSolomon::new(k, n - k).unwrap();
        let shards: Vec<Vec<u8>> = source.chunks(SIZE).map(<[u8]>::to_vec).collect();
        let mut parity = vec![vec![0; SIZE]; n - k];
        let run = move || peer.encode_sep(&shards, &mut parity).unwrap();
        contenders.push(Contender::new("reed-solomon-erasure", run));
    }

    let mut peer = ReedSolomonEncoder::new(k, n - k, SIZE).unwrap();
    let run = move || {
        source.chunks(SIZE).for_each(|symbol| peer.add_original_shard(symbol).unwrap());
        std::hint::black_box(peer.encode().unwrap().recovery(0));
    };
    contenders.push(Contender::new("reed-solomon-simd", run));
    case(m, k, n, "encode", contenders)
}

fn decode(m: u8, k: usize, n: usize) -> Case {
    let source = noise(k * SIZE);
    let lost = spread(n - k, k);
    let is_lost = |esi| spread(n - k, k).any(|lost| lost == esi);
    let mut contenders = Vec::new();

    let codec = codec(m, k, n);
    let shape = codec.block(0).unwrap();
    let mut repair = vec![0; (n - k) * SIZE];
    codec.encoder(&shape, (n - k) as u32).unwrap().encode(&source, 0..SIZE, 0, &mut repair).unwrap();
    let decoder = codec.decoder(&shape).unwrap();
    let mut present = Present::new(k);
    (0..k).filter(|&esi| !is_lost(esi)).for_each(|esi| assert!(present.insert(esi)));
    let mut block = source.clone();
    lost.clone().for_each(|esi| block[esi * SIZE..][..SIZE].fill(0));
    contenders.push(Contender::new("flute-fec", move || {
        let symbol = |(index, data)| RepairSymbol { esi: (k + index) as u32, data };
        let symbols: Vec<_> = repair.chunks(SIZE).enumerate().map(symbol).collect();
        decoder.decode(&mut block, &present, &symbols).unwrap();
    }));

    if m == 8 {
        let peer = galois_8::ReedSolomon::new(k, n - k).unwrap();
        let mut shards: Vec<Vec<u8>> = source.chunks(SIZE).map(<[u8]>::to_vec).collect();
        shards.resize(n, vec![0; SIZE]);
        peer.encode(&mut shards).unwrap();
        let mut shards: Vec<_> = shards.into_iter().map(Some).collect();
        let lost = lost.clone();
        let run = move || {
            lost.clone().for_each(|esi| shards[esi] = None);
            peer.reconstruct_data(&mut shards).unwrap();
        };
        contenders.push(Contender::new("reed-solomon-erasure", run));
    }

    let mut encoder = ReedSolomonEncoder::new(k, n - k, SIZE).unwrap();
    source.chunks(SIZE).for_each(|symbol| encoder.add_original_shard(symbol).unwrap());
    let parity: Vec<Vec<u8>> = encoder.encode().unwrap().recovery_iter().map(<[u8]>::to_vec).collect();
    let mut peer = ReedSolomonDecoder::new(k, n - k, SIZE).unwrap();
    let received: Vec<usize> = (0..k).filter(|&esi| !is_lost(esi)).collect();
    let run = move || {
        received.iter().for_each(|&esi| peer.add_original_shard(esi, &source[esi * SIZE..][..SIZE]).unwrap());
        parity.iter().enumerate().for_each(|(index, symbol)| peer.add_recovery_shard(index, symbol).unwrap());
        std::hint::black_box(peer.decode().unwrap().restored_original_iter().count());
    };
    contenders.push(Contender::new("reed-solomon-simd", run));
    case(m, k, n, "decode", contenders)
}
