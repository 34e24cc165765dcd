// SPDX-License-Identifier: MPL-2.0

//! Raptor and RaptorQ against vectors of an independent implementation of the RFC texts.

use std::path::PathBuf;

use flute_fec::{Code, ObjectCodec, Parameters, Present, RepairSymbol};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The folder with what is not part of the repository.
fn shared(path: &str) -> Option<String> {
    let folder = std::env::var_os("FLUTE_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")), PathBuf::from);
    let text = std::fs::read_to_string(folder.join(path)).ok();
    if text.is_none() {
        eprintln!("skipped: {path} is not in {}", folder.display());
    }
    text
}

/// The source symbols: SHA-256 of `raptor/<seed>/<counter>`, one after the other.
fn source(seed: &str, length: usize) -> Vec<u8> {
    let mut source: Vec<u8> = (0..length.div_ceil(32))
        .flat_map(|counter| Sha256::digest(format!("raptor/{seed}/{counter}")).to_vec())
        .collect();
    source.truncate(length);
    source
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn check(vectors: &Value, code: Code) {
    for vector in vectors.as_array().unwrap() {
        let number = |name: &str| vector[name].as_u64().unwrap() as usize;
        let (k, size) = (number("K"), number("T"));
        let parameters = Parameters { code, transfer_length: (k * size) as u64, symbol_size: size as u16 };
        let codec = parameters.codec().unwrap();
        let block = codec.block(0).unwrap();
        assert_eq!(block.symbols as usize, k);
        let source = source(vector["seed"].as_str().unwrap(), k * size);
        let esis = vector["esis"].as_array().unwrap().iter().map(|esi| esi.as_u64().unwrap() as u32);
        let repair: Vec<(u32, Vec<u8>)> = esis
            .zip(vector["repair"].as_array().unwrap())
            .map(|(esi, text)| (esi, hex(text.as_str().unwrap())))
            .collect();
        encodes(&codec, &source, &repair);
        decodes(&codec, &source, &repair);
    }
}

fn encodes(codec: &ObjectCodec, source: &[u8], repair: &[(u32, Vec<u8>)]) {
    let encoder = codec.encoder(&codec.block(0).unwrap(), 0).unwrap();
    for (esi, expected) in repair {
        let mut symbol = vec![0; encoder.symbol_size()];
        let first_repair = esi - encoder.source_symbols() as u32;
        encoder.encode(source, 0..encoder.symbol_size(), first_repair, &mut symbol).unwrap();
        assert_eq!(&symbol, expected, "K = {}, ESI {esi}", encoder.source_symbols());
    }
}

/// Decodes with the first symbol missing and those repair symbols that differ.
fn decodes(codec: &ObjectCodec, source: &[u8], repair: &[(u32, Vec<u8>)]) {
    let decoder = codec.decoder(&codec.block(0).unwrap()).unwrap();
    let mut present = Present::new(decoder.source_symbols());
    (1..decoder.source_symbols()).for_each(|esi| assert!(present.insert(esi)));
    let repair: Vec<RepairSymbol<'_>> = repair.iter().map(|(esi, data)| RepairSymbol { esi: *esi, data }).collect();
    let mut block = source.to_vec();
    block[..decoder.symbol_size()].fill(0xAA);
    decoder.decode(&mut block, &present, &repair).unwrap();
    assert!(block == source, "K = {}", decoder.source_symbols());
}

#[test]
fn rfc_6330() {
    let Some(text) = shared("vectors/raptor-vectors.json") else { return };
    let vectors: Value = serde_json::from_str(&text).unwrap();
    check(&vectors["rfc6330"], Code::RaptorQ { source_blocks: 1, sub_blocks: 1, alignment: 1 });
}

#[test]
fn rfc_5053() {
    let Some(text) = shared("vectors/raptor-vectors.json") else { return };
    let vectors: Value = serde_json::from_str(&text).unwrap();
    check(&vectors["rfc5053"], Code::Raptor { source_blocks: 1, sub_blocks: 1, alignment: 1 });
}
