// SPDX-License-Identifier: MPL-2.0

//! RaptorQ: 10 % of repair symbols are made; 5 % of the source symbols are lost.

use flute_fec::Code;
use raptorq::{
    EncodingPacket, ObjectTransmissionInformation, SourceBlockDecoder, SourceBlockEncoder, SourceBlockEncodingPlan,
};

use super::{Case, Contender, MakeCase, SYMBOL_SIZE, Work, noise, ours, received};

const K: [usize; 4] = [10, 101, 1000, 10_000];

/// Repair symbols more than are missing: decoding fails about once in a million times.
const OVERHEAD: usize = 2;

pub(super) fn cases() -> impl Iterator<Item = MakeCase> {
    K.into_iter().flat_map(|k| [Work::Encode, Work::Decode].map(|work| -> MakeCase { Box::new(move || case(k, work)) }))
}

fn case(k: usize, work: Work) -> Case {
    let source = noise(k * SYMBOL_SIZE);
    let code = Code::RaptorQ { source_blocks: 1, sub_blocks: 1, alignment: 4 };
    let missing = k.div_ceil(20);
    let contenders = match work {
        Work::Encode => vec![ours::encode(code, &source, k.div_ceil(10)), peer_encode(&source, k)],
        Work::Decode => {
            vec![ours::decode(code, &source, missing, missing + OVERHEAD), peer_decode(&source, k, missing)]
        }
    };
    Case { name: format!("RaptorQ K = {k}"), work, source_bytes: source.len(), contenders }
}

fn configuration(source: &[u8]) -> ObjectTransmissionInformation {
    ObjectTransmissionInformation::new(source.len() as u64, SYMBOL_SIZE as u16, 1, 1, 4)
}

fn peer_encode(source: &[u8], k: usize) -> Contender {
    let (configuration, plan) = (configuration(source), SourceBlockEncodingPlan::generate(k as u16));
    let source = source.to_vec();
    Contender::new("raptorq", move || {
        let encoder = SourceBlockEncoder::with_encoding_plan(0, &configuration, &source, &plan);
        std::hint::black_box(encoder.repair_packets(0, k.div_ceil(10) as u32));
    })
}

fn peer_decode(source: &[u8], k: usize, missing: usize) -> Contender {
    let configuration = configuration(source);
    let encoder = SourceBlockEncoder::new(0, &configuration, source);
    let sent = encoder.source_packets();
    let mut packets: Vec<EncodingPacket> = received(missing, k).into_iter().map(|esi| sent[esi].clone()).collect();
    packets.extend(encoder.repair_packets(0, (missing + OVERHEAD) as u32));
    let len = source.len() as u64;
    Contender::new("raptorq", move || {
        let mut decoder = SourceBlockDecoder::new(0, &configuration, len);
        assert!(decoder.decode(packets.iter().cloned()).is_some());
    })
}
