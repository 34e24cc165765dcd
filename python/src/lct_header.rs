// SPDX-License-Identifier: MPL-2.0

//! What one packet says of itself.

use flute_proto::alc::Packet;
use flute_proto::lct::{Revision, Toi, Tsi};
use flute_proto::oti::{PayloadId, PayloadIdFormat};
use pyo3::prelude::*;

use crate::byte_input::ByteInput;
use crate::errors::packet_error;

/// The header of a packet.
///
/// >>> from flute import receiver, sender
/// >>> session = sender.Sender(1234, sender.Oti(), sender.Config())
/// >>> toi = session.add_object_from_buffer(b"hello", "text/plain", "hello.txt")
/// >>> header = receiver.LCTHeader(session.read())
/// >>> header.tsi, header.toi, header.sbn, header.esi
/// (1234, 0, 0, 0)
#[pyclass(module = "flute.receiver", name = "LCTHeader", frozen, get_all)]
#[derive(Debug)]
pub(crate) struct LctHeader {
    /// Congestion Control Information.
    cci: u128,
    /// Transport Session Identifier.
    tsi: u64,
    /// Transport Object Identifier; 0 is that of FDT Instances.
    toi: u128,
    /// FEC Encoding ID.
    fec_encoding_id: u8,
    /// Source block number, if the packet has a symbol.
    sbn: Option<u32>,
    /// Encoding symbol ID, if the packet has a symbol.
    esi: Option<u32>,
    /// The session is closed (flag A).
    close_session: bool,
    /// The object is closed (flag B).
    close_object: bool,
}

#[pymethods]
impl LctHeader {
    #[new]
    fn new(data: ByteInput) -> PyResult<Self> {
        let packet = Packet::decode(&data, Revision::Rfc5651).map_err(packet_error)?;
        // Where the scheme does not say how long an element of the field is, the length is the usual one.
        let format = PayloadIdFormat::of(packet.encoding_id(), 0);
        let id = packet.payload.zip(format).and_then(|(payload, format)| format.decode(payload.id));
        Ok(Self {
            cci: packet.header.congestion_control,
            tsi: packet.header.tsi.map_or(0, Tsi::get),
            toi: packet.header.toi.map_or(0, Toi::get),
            fec_encoding_id: packet.header.codepoint,
            sbn: id.map(|PayloadId { source_block, .. }| source_block),
            esi: id.map(|PayloadId { esi, .. }| esi),
            close_session: packet.header.close_session,
            close_object: packet.header.close_object,
        })
    }
}
