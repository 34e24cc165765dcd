// SPDX-License-Identifier: MPL-2.0

//! Raptor and RaptorQ against the crates `raptor-code` and `raptorq`, where these are right.

mod noise;

use flute_fec::{BlockDecoder, BlockEncoder, Code, Parameters, Present, RepairSymbol};
use noise::noise;
use std::sync::Arc;

fn coder(code: Code, k: usize, size: usize) -> (Arc<dyn BlockEncoder>, Arc<dyn BlockDecoder>) {
    let parameters = Parameters { code, transfer_length: (k * size) as u64, symbol_size: size as u16 };
    let codec = parameters.codec().unwrap();
    let block = codec.block(0).unwrap();
    assert_eq!(block.symbols as usize, k);
    (codec.encoder(&block, 0).unwrap(), codec.decoder(&block).unwrap())
}

fn repair(encoder: &dyn BlockEncoder, source: &[u8], first: u32, count: usize) -> Vec<u8> {
    let mut repair = vec![0; count * encoder.symbol_size()];
    encoder.encode(source, 0..encoder.symbol_size(), first, &mut repair).unwrap();
    repair
}

#[test]
fn raptor() {
    let code = Code::Raptor { source_blocks: 1, sub_blocks: 1, alignment: 1 };
    let ks = (4..=40).chain((41..400).step_by(23)).chain([1000, 1997, 3000]);
    for k in ks {
        let source = noise(k * 3, k as u64);
        let (encoder, _) = coder(code, k, 3);
        let ours = repair(&*encoder, &source, 0, 20);
        let mut theirs = raptor_code::SourceBlockEncoder::new(&source, k).unwrap();
        for (esi, ours) in (k as u32..).zip(ours.chunks(3)) {
            assert_eq!(ours, theirs.fountain(esi), "K = {k}, ESI {esi}");
        }
    }
}

#[test]
fn raptorq_encodes() {
    let code = Code::RaptorQ { source_blocks: 1, sub_blocks: 1, alignment: 1 };
    let ks = (1..=60).chain((61..1500).step_by(97)).chain([4093, 10000, 20001]);
    for k in ks {
        let source = noise(k * 2, k as u64);
        let (encoder, _) = coder(code, k, 2);
        let first = 1000 * (k as u32 % 7);
        let ours = repair(&*encoder, &source, first, 20);
        let configuration = raptorq::ObjectTransmissionInformation::new(0, 2, 1, 1, 1);
        let theirs = raptorq::SourceBlockEncoder::new(0, &configuration, &source).repair_packets(first, 20);
        for (theirs, ours) in theirs.iter().zip(ours.chunks(2)) {
            assert_eq!(ours, theirs.data(), "K = {k}");
        }
    }
}

/// With exactly K symbols the decoders agree on whether the block can be rebuilt: both find every solution there is.
#[test]
fn raptorq_decodes() {
    let code = Code::RaptorQ { source_blocks: 1, sub_blocks: 1, alignment: 1 };
    let configuration = raptorq::ObjectTransmissionInformation::new(0, 1, 1, 1, 1);
    for k in (1..300).step_by(13) {
        let source = noise(k, k as u64);
        let (encoder, decoder) = coder(code, k, 1);
        let ours = repair(&*encoder, &source, 0, 2 * k);
        for round in 0..4 {
            let lost = noise(k, (k * 4 + round) as u64);
            let mut present = Present::new(k);
            (0..k).filter(|&esi| lost[esi] > 100).for_each(|esi| assert!(present.insert(esi)));
            let mut block = source.clone();
            present.missing().for_each(|esi| block[esi] = 0xA5);
            let chosen = (0..2 * k).skip(round).step_by(1 + round % 2).take(present.missing_count());
            let repair: Vec<RepairSymbol<'_>> =
                chosen.map(|index| RepairSymbol { esi: (k + index) as u32, data: &ours[index..=index] }).collect();
            let packet =
                |esi, data: &[u8]| raptorq::EncodingPacket::new(raptorq::PayloadId::new(0, esi), data.to_vec());
            let packets: Vec<_> = (0..k)
                .filter(|&esi| present.contains(esi))
                .map(|esi| packet(esi as u32, &source[esi..=esi]))
                .chain(repair.iter().map(|symbol| packet(symbol.esi, symbol.data)))
                .collect();
            let theirs = raptorq::SourceBlockDecoder::new(0, &configuration, k as u64).decode(packets);
            let decoded = decoder.decode(&mut block, &present, &repair);
            assert_eq!(decoded.is_ok(), theirs.is_some(), "K = {k}, round {round}");
            if decoded.is_ok() {
                assert!(block == source, "K = {k}, round {round}");
            }
        }
    }
}

/// Sub-blocks as the crate lays them out.
#[test]
fn raptorq_sub_blocks() {
    let (k, size, sub_blocks, alignment) = (23, 44, 3, 4);
    let code = Code::RaptorQ { source_blocks: 1, sub_blocks, alignment };
    let source = noise(k * size, 3);
    let (encoder, decoder) = coder(code, k, size);
    let ours = repair(&*encoder, &source, 0, 12);
    let configuration =
        raptorq::ObjectTransmissionInformation::new((k * size) as u64, size as u16, 1, sub_blocks, alignment);
    let theirs = raptorq::SourceBlockEncoder::new(0, &configuration, &source);
    for (theirs, ours) in theirs.repair_packets(0, 12).iter().zip(ours.chunks(size)) {
        assert_eq!(ours, theirs.data());
    }
    let codec = Parameters { code, transfer_length: (k * size) as u64, symbol_size: size as u16 }.codec().unwrap();
    let block = codec.block(0).unwrap();
    assert!(!codec.is_contiguous());
    for packet in theirs.source_packets() {
        let mut symbol = vec![0; size];
        for run in codec.runs(&block, packet.payload_id().encoding_symbol_id()) {
            let length = usize::from(run.length);
            symbol[usize::from(run.symbol_offset)..][..length]
                .copy_from_slice(&source[run.object_offset as usize..][..length]);
        }
        assert_eq!(symbol, packet.data());
    }
    let mut present = Present::new(k);
    (0..k).filter(|esi| esi % 3 != 0).for_each(|esi| assert!(present.insert(esi)));
    let repair: Vec<RepairSymbol<'_>> =
        (k as u32..).zip(ours.chunks(size)).map(|(esi, data)| RepairSymbol { esi, data }).collect();
    let mut received = source.clone();
    for esi in present.missing() {
        for run in codec.runs(&block, esi as u32) {
            received[run.object_offset as usize..][..usize::from(run.length)].fill(0x11);
        }
    }
    assert!(received != source);
    decoder.decode(&mut received, &present, &repair).unwrap();
    assert!(received == source);
}
