// SPDX-License-Identifier: MPL-2.0

//! Any datagram as an ALC packet: LCT header, header extensions, FEC Payload ID and symbols.

use flute_proto::alc::Packet;
use flute_proto::lct::Revision;

/// Tries an input.
pub fn run(datagram: &[u8]) {
    for revision in [Revision::Rfc5651, Revision::Rfc3451] {
        if let Ok(packet) = Packet::decode(datagram, revision) {
            let _ = packet.extensions.count();
            let _ = packet.oti();
            if let Some(payload) = packet.payload {
                let _ = payload.symbols(1).count();
            }
        }
    }
}
