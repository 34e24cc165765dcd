// SPDX-License-Identifier: MPL-2.0

//! Any bytes as EXT_FTI: what decodes must encode to the same meaning, and either make a codec or an error.

use arbitrary::{Arbitrary, Unstructured};
use flute_proto::oti::{FecEncodingId, Oti};

/// Tries an input.
pub fn run(bytes: &[u8]) {
    let Ok(input) = <(u8, &[u8])>::arbitrary_take_rest(Unstructured::new(bytes)) else { return };
    let Ok(oti) = Oti::decode_fti(FecEncodingId(input.0), input.1) else { return };
    if let Ok(bytes) = oti.encode_fti() {
        assert_eq!(Oti::decode_fti(oti.encoding_id, &bytes).as_ref(), Ok(&oti));
    }
    if let Ok(attributes) = oti.attributes() {
        let _ = Oti::from_attributes(&attributes, oti.parameters.transfer_length);
    }
    let _ = oti.codec();
}
