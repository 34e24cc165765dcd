// SPDX-License-Identifier: MPL-2.0

//! This crate, with any of its codes.

use flute_fec::{Code, ObjectCodec, Parameters, Present, RepairSymbol};

use super::{Contender, SYMBOL_SIZE, lost, received};

const NAME: &str = "flute-fec";

/// The codec of an object of one block.
fn codec(code: Code, source: &[u8]) -> ObjectCodec {
    let (transfer_length, symbol_size) = (source.len() as u64, SYMBOL_SIZE as u16);
    Parameters { code, transfer_length, symbol_size }.codec().unwrap()
}

/// Makes `repair` repair symbols.
pub(super) fn encode(code: Code, source: &[u8], repair: usize) -> Contender {
    let codec = codec(code, source);
    let encoder = codec.encoder(&codec.block(0).unwrap(), repair as u32).unwrap();
    let (source, mut repair) = (source.to_vec(), vec![0; repair * SYMBOL_SIZE]);
    Contender::new(NAME, move || encoder.encode(&source, 0..SYMBOL_SIZE, 0, &mut repair).unwrap())
}

/// Rebuilds `missing` source symbols from the others and `repair` repair symbols.
pub(super) fn decode(code: Code, source: &[u8], missing: usize, repair: usize) -> Contender {
    let codec = codec(code, source);
    let shape = codec.block(0).unwrap();
    let k = shape.symbols as usize;
    let mut symbols = vec![0; repair * SYMBOL_SIZE];
    codec.encoder(&shape, repair as u32).unwrap().encode(source, 0..SYMBOL_SIZE, 0, &mut symbols).unwrap();
    let decoder = codec.decoder(&shape).unwrap();
    let mut present = Present::new(k);
    received(missing, k).into_iter().for_each(|esi| assert!(present.insert(esi)));
    let mut block = source.to_vec();
    lost(missing, k).into_iter().for_each(|esi| block[esi * SYMBOL_SIZE..][..SYMBOL_SIZE].fill(0));
    let source = source.to_vec();
    let mut is_checked = false;
    Contender::new(NAME, move || {
        let symbol = |(index, data)| RepairSymbol { esi: (k + index) as u32, data };
        let repair: Vec<_> = symbols.chunks(SYMBOL_SIZE).enumerate().map(symbol).collect();
        decoder.decode(&mut block, &present, &repair).unwrap();
        if !std::mem::replace(&mut is_checked, true) {
            assert!(block == source);
        }
    })
}
