// SPDX-License-Identifier: MPL-2.0

//! Packets of one object differ in a few bits: their header is encoded once and patched.

use crate::lct::{A, B, EncodeError, Extension, Header};
use crate::oti::{PayloadId, PayloadIdFormat};

/// Everything in front of the encoding symbols, encoded once for all packets of an object.
#[derive(Clone, Debug)]
pub struct Template {
    header: Vec<u8>,
    format: PayloadIdFormat,
}

/// What may change from one packet of an object to the next, besides its FEC Payload ID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// A: no more packets will be sent to the session soon (RFC 5651 §5.1).
    pub close_session: bool,
    /// B: no more packets will be sent of the object soon.
    pub close_object: bool,
}

impl Template {
    /// Encodes `header` with its extensions. Flags that are set in it are set in every packet.
    pub fn new(header: &Header, extensions: &[Extension<'_>], format: PayloadIdFormat) -> Result<Self, EncodeError> {
        let mut bytes = Vec::new();
        header.encode(extensions, &mut bytes)?;
        Ok(Self { header: bytes, format })
    }

    /// Bytes in front of the encoding symbols: LCT header and FEC Payload ID.
    pub fn overhead(&self) -> usize {
        self.header.len() + self.format.length()
    }

    /// Appends the header and the FEC Payload ID of one packet to `out`; its encoding symbols are to follow.
    ///
    /// Allocates nothing if `out` has room for [`overhead`](Self::overhead) bytes. What the fields of the FEC Payload ID
    /// do not hold is cut off: [`Oti::codec`](crate::oti::Oti::codec) has no block and no symbol that they do not.
    pub fn append(&self, flags: Flags, id: PayloadId, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.header);
        out[start + 1] |= if flags.close_session { A } else { 0 } | if flags.close_object { B } else { 0 };
        self.format.append(id, out);
    }
}
