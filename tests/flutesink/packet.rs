// SPDX-License-Identifier: MPL-2.0

//! What packets say, read by the codecs of the core.

use flute_proto::alc::Packet;
use flute_proto::fdt::{FdtInstance, ReadLimits};
use flute_proto::lct::{FdtExtension, Header, Revision};
use flute_proto::oti::{FecEncodingId, PayloadIdFormat};

/// A packet, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) header: Header,
    pub(crate) fdt: Option<FdtExtension>,
    pub(crate) has_fti: bool,
    pub(crate) has_time: bool,
    pub(crate) content_encoding: Option<u8>,
    pub(crate) source_block: u32,
    pub(crate) esi: u32,
    /// What follows the FEC Payload ID; `None` in a packet that ends with its header.
    pub(crate) symbols: Option<Vec<u8>>,
}

impl Seen {
    /// Takes a packet apart.
    pub(crate) fn of(packet: &[u8]) -> Self {
        let packet = Packet::decode(packet, Revision::Rfc5651).unwrap();
        let id = packet.payload.map(|payload| {
            let format = PayloadIdFormat::of(FecEncodingId(packet.header.codepoint), 8).unwrap();
            format.decode(payload.id).unwrap()
        });
        Self {
            header: packet.header,
            fdt: packet.fdt,
            has_fti: packet.fti.is_some(),
            has_time: packet.time.is_some(),
            content_encoding: packet.content_encoding,
            source_block: id.map_or(0, |id| id.source_block),
            esi: id.map_or(0, |id| id.esi),
            symbols: packet.payload.map(|payload| payload.symbols.to_vec()),
        }
    }

    /// Whether it carries a symbol of an object.
    pub(crate) fn is_of_object(&self) -> bool {
        self.fdt.is_none() && self.symbols.is_some()
    }

    /// TOI, 0 if there is none.
    pub(crate) fn toi(&self) -> u128 {
        self.header.toi.map_or(0, |toi| toi.get())
    }
}

/// Takes packets apart.
pub(crate) fn seen(packets: &[Vec<u8>]) -> Vec<Seen> {
    packets.iter().map(|packet| Seen::of(packet)).collect()
}

/// The packets with symbols of objects.
pub(crate) fn of_objects(seen: &[Seen]) -> Vec<&Seen> {
    seen.iter().filter(|seen| seen.is_of_object()).collect()
}

/// The packets of FDT Instances.
pub(crate) fn of_fdt(seen: &[Seen]) -> Vec<&Seen> {
    seen.iter().filter(|seen| seen.fdt.is_some()).collect()
}

/// The XML of an FDT Instance that is one symbol long and not encoded.
pub(crate) fn document_of(seen: &Seen) -> String {
    String::from_utf8(seen.symbols.clone().unwrap()).unwrap()
}

/// The first FDT Instance.
pub(crate) fn first_instance(seen: &[Seen]) -> FdtInstance {
    let document = document_of(of_fdt(seen)[0]);
    FdtInstance::from_xml(document.as_bytes(), &ReadLimits::default()).unwrap().instance
}
