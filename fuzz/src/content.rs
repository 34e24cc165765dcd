// SPDX-License-Identifier: MPL-2.0

//! Any bytes as encoded content, in pieces of any size: the output keeps its bounds, whatever the input is.

use flute_proto::content::{ContentEncoding, DecodeLimits, Decoder};

const LIMITS: DecodeLimits = DecodeLimits { max_size: 1 << 20, max_ratio: 200 };

/// Tries an input.
pub fn run(input: &[u8]) {
    let [encoding, piece, bytes @ ..] = input else { return };
    let Some(encoding) = ContentEncoding::from_cenc(*encoding % 4) else { return };
    let mut decoder = Decoder::new(encoding, Vec::new(), LIMITS);
    for piece in bytes.chunks(usize::from(*piece).max(1)) {
        if decoder.write(piece).is_err() {
            break;
        }
        assert!(decoder.sink().len() as u64 <= LIMITS.max_size);
    }
    let _ = decoder.finish();
}
