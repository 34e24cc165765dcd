// SPDX-License-Identifier: MPL-2.0

//! The ALC packet (RFC 5775): an LCT header, a FEC Payload ID, and encoding symbols.
//!
//! The Codepoint of the header is the FEC Encoding ID (RFC 6726 §5), which decides how long the FEC Payload ID is. A
//! packet that ends with its header carries no FEC Payload ID either; such a packet may lack the TOI, if it closes the
//! session (RFC 6726 §3.1).

mod template;
#[cfg(test)]
mod tests;

pub use template::{Flags, Template};

use crate::lct::{Extension, Extensions, FdtExtension, Header, LctError, Revision, TimeExtension};
use crate::oti::{FecEncodingId, Oti, OtiError};

/// An ALC packet, read without copying anything but numbers.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The LCT header.
    pub header: Header,
    /// All header extensions; those that FLUTE knows are in the fields below.
    pub extensions: Extensions<'a>,
    /// EXT_FDT, the first if there are several; as are the others.
    pub fdt: Option<FdtExtension>,
    /// EXT_FTI: encoded FEC Object Transmission Information, for [`oti`](Self::oti).
    pub fti: Option<&'a [u8]>,
    /// EXT_CENC: number of a content encoding.
    pub content_encoding: Option<u8>,
    /// EXT_TIME.
    pub time: Option<TimeExtension>,
    /// What follows the header; `None` if nothing does.
    pub payload: Option<Payload<'a>>,
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// FEC Payload ID, which a [`PayloadIdFormat`](crate::oti::PayloadIdFormat) reads.
    pub id: &'a [u8],
    /// Encoding symbols, whole ones except that the last may be short.
    pub symbols: &'a [u8],
}

impl<'a> Payload<'a> {
    /// The encoding symbols one by one; the first has the encoding symbol ID of the FEC Payload ID, the next the next
    /// (RFC 5510 §4.1). The last may be short. None for a `symbol_size` of 0.
    pub fn symbols(&self, symbol_size: u16) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let symbols = if symbol_size == 0 { &[] } else { self.symbols };
        symbols.chunks(usize::from(symbol_size).max(1))
    }
}

/// Why a datagram is not an ALC packet of FLUTE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AlcError {
    /// The LCT header is wrong.
    #[error(transparent)]
    Lct(#[from] LctError),
    /// The datagram ends within the FEC Payload ID.
    #[error("{actual} bytes after the LCT header: the FEC Payload ID of FEC Encoding ID {encoding_id} has {needed}")]
    PayloadId {
        /// FEC Encoding ID.
        encoding_id: FecEncodingId,
        /// Bytes after the header.
        actual: usize,
        /// Bytes of a FEC Payload ID.
        needed: usize,
    },
    /// There is no TSI.
    #[error("the packet has no TSI: FLUTE sessions are told apart by it (RFC 6726 §3.1)")]
    NoTsi,
    /// There is no TOI, and it is not a packet that only closes the session.
    #[error("the packet has no TOI, which only a packet without a payload may lack that closes the session")]
    NoToi,
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// A packet is accepted as a whole or not at all (RFC 5651 §5.2.1): every header extension is checked, and unknown
    /// ones are skipped.
    pub fn decode(datagram: &'a [u8], revision: Revision) -> Result<Self, AlcError> {
        let (header, extensions, rest) = Header::decode(datagram, revision)?;
        let encoding_id = FecEncodingId(header.codepoint);
        let payload = if rest.is_empty() {
            None
        } else {
            let needed = encoding_id.payload_id_length();
            let (id, symbols) =
                rest.split_at_checked(needed).ok_or(AlcError::PayloadId { encoding_id, actual: rest.len(), needed })?;
            Some(Payload { id, symbols })
        };
        if header.tsi.is_none() {
            return Err(AlcError::NoTsi);
        }
        if header.toi.is_none() && !(payload.is_none() && header.close_session) {
            return Err(AlcError::NoToi);
        }

        let mut packet = Self { header, extensions, fdt: None, fti: None, content_encoding: None, time: None, payload };
        for extension in extensions {
            match extension? {
                Extension::Fdt(fdt) => packet.fdt = packet.fdt.or(Some(fdt)),
                Extension::Fti(fti) => packet.fti = packet.fti.or(Some(fti)),
                Extension::ContentEncoding(algorithm) => {
                    packet.content_encoding = packet.content_encoding.or(Some(algorithm));
                }
                Extension::Time(time) => packet.time = packet.time.or(Some(time)),
                _ => {}
            }
        }
        Ok(packet)
    }

    /// FEC Encoding ID: the Codepoint (RFC 6726 §5).
    pub fn encoding_id(&self) -> FecEncodingId {
        FecEncodingId(self.header.codepoint)
    }

    /// What EXT_FTI says, if there is one.
    pub fn oti(&self) -> Option<Result<Oti, OtiError>> {
        self.fti.map(|fti| Oti::decode_fti(self.encoding_id(), fti))
    }
}
