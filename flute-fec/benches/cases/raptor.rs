// SPDX-License-Identifier: MPL-2.0

//! Raptor: 10 % of repair symbols are made; 5 % of the source symbols are lost.

use flute_fec::Code;
use raptor_code::{SourceBlockDecoder, SourceBlockEncoder};

use super::{Case, Contender, MakeCase, SYMBOL_SIZE, Work, noise, ours, received};

const K: [usize; 3] = [100, 1000, 8192];

/// Repair symbols more than are missing, so that decoding hardly ever fails.
const OVERHEAD: usize = 20;

pub(super) fn cases() -> impl Iterator<Item = MakeCase> {
    K.into_iter().flat_map(|k| [Work::Encode, Work::Decode].map(|work| -> MakeCase { Box::new(move || case(k, work)) }))
}

fn case(k: usize, work: Work) -> Case {
    let source = noise(k * SYMBOL_SIZE);
    let code = Code::Raptor { source_blocks: 1, sub_blocks: 1, alignment: 4 };
    let missing = k.div_ceil(20);
    let contenders = match work {
        Work::Encode => vec![ours::encode(code, &source, k.div_ceil(10)), peer_encode(&source, k)],
        Work::Decode => {
            vec![ours::decode(code, &source, missing, missing + OVERHEAD), peer_decode(&source, k, missing)]
        }
    };
    Case { name: format!("Raptor K = {k}"), work, source_bytes: source.len(), contenders }
}

fn peer_encode(source: &[u8], k: usize) -> Contender {
    let source = source.to_vec();
    Contender::new("raptor-code", move || {
        let mut encoder = SourceBlockEncoder::new(&source, k).unwrap();
        (k..k + k.div_ceil(10)).for_each(|esi| drop(std::hint::black_box(encoder.fountain(esi as u32))));
    })
}

fn peer_decode(source: &[u8], k: usize, missing: usize) -> Contender {
    let mut encoder = SourceBlockEncoder::new(source, k).unwrap();
    let esis = received(missing, k).into_iter().chain(k..k + missing + OVERHEAD);
    let symbols: Vec<_> = esis.map(|esi| (encoder.fountain(esi as u32), esi as u32)).collect();
    let len = source.len();
    Contender::new("raptor-code", move || {
        let mut decoder = SourceBlockDecoder::new(k);
        symbols.iter().for_each(|(symbol, esi)| decoder.push_encoding_symbol(symbol, *esi));
        assert!(decoder.fully_specified() && decoder.decode(len).is_some());
    })
}
