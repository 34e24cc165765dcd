// SPDX-License-Identifier: MPL-2.0

//! Packets written out by hand from RFC 5775 §4.1 (an LCT header, a FEC Payload ID, the symbols).

use proptest::prelude::*;

use super::*;
use crate::lct::{FieldWidths, Toi, Tsi};
use crate::oti::{PayloadId, PayloadIdFormat};

/// TSI 7, TOI 9 of 16 bits each, Codepoint 0, EXT_FDT (version 2, instance 3), EXT_CENC gzip, block 1, symbol 2.
const FDT_PACKET: &[u8] =
    b"\x10\x10\x05\x00\0\0\0\0\x00\x07\x00\x09\xc0\x20\x00\x03\xc1\x03\x00\x00\x00\x01\x00\x02hello";

fn decode(datagram: &[u8]) -> Result<Packet<'_>, AlcError> {
    Packet::decode(datagram, Revision::default())
}

#[test]
fn packet_with_extensions() {
    let packet = decode(FDT_PACKET).unwrap();
    assert_eq!((packet.header.tsi, packet.header.toi), (Tsi::new(7), Toi::new(9)));
    assert_eq!(packet.encoding_id(), FecEncodingId::NO_CODE);
    assert_eq!(packet.fdt, Some(FdtExtension { flute_version: 2, instance_id: 3 }));
    assert_eq!(packet.content_encoding, Some(3));
    assert_eq!(packet.payload, Some(Payload { id: &[0, 1, 0, 2], symbols: b"hello" }));
    assert!(packet.oti().is_none());
}

#[test]
fn length_of_the_payload_id() {
    // FEC Encoding IDs 128 and 129 have 8 bytes, all others 4, those that are not assigned included.
    for (codepoint, length) in [(0, 4), (1, 4), (2, 4), (3, 4), (5, 4), (6, 4), (99, 4), (128, 8), (129, 8), (130, 4)] {
        let mut datagram = vec![0x10, 0x10, 3, codepoint, 0, 0, 0, 0, 0, 1, 0, 1];
        datagram.resize(12 + length - 1, 0);
        let (encoding_id, actual) = (FecEncodingId(codepoint), length - 1);
        assert_eq!(decode(&datagram).unwrap_err(), AlcError::PayloadId { encoding_id, actual, needed: length });
        datagram.extend([0, 42]);
        let payload = decode(&datagram).unwrap().payload.unwrap();
        assert_eq!((payload.id.len(), payload.symbols), (length, [42].as_slice()));
    }
}

#[test]
fn packets_without_payload() {
    // RFC 6726 §3.1: A=1, no TOI.
    let packet = decode(b"\x10\x82\x03\x00\0\0\0\0\0\0\0\x07").unwrap();
    assert!(packet.header.close_session && packet.header.toi.is_none() && packet.payload.is_none());
    // With a TOI no flag is needed.
    assert_eq!(decode(&FDT_PACKET[..20]).unwrap().payload, None);
    // A FEC Payload ID without a symbol, as for an empty object.
    assert_eq!(decode(&FDT_PACKET[..24]).unwrap().payload.unwrap().symbols, b"");
}

#[test]
fn identifiers_that_must_be_there() {
    assert_eq!(decode(b"\x10\x80\x03\x00\0\0\0\0\0\0\0\x07").unwrap_err(), AlcError::NoToi);
    assert_eq!(decode(b"\x10\x82\x03\x00\0\0\0\0\0\0\0\x07\0\0\0\0").unwrap_err(), AlcError::NoToi);
    assert_eq!(decode(b"\x10\x22\x03\x00\0\0\0\0\0\0\0\x07").unwrap_err(), AlcError::NoTsi);
}

#[test]
fn one_wrong_extension_spoils_the_packet() {
    let mut datagram = FDT_PACKET.to_vec();
    datagram[16] = 64;
    assert_eq!(decode(&datagram).unwrap_err(), LctError::ExtensionLength { het: 64, words: 3, available: 1 }.into());
    // One that is not known does not.
    datagram[16] = 200;
    let packet = decode(&datagram).unwrap();
    assert_eq!((packet.fdt.is_some(), packet.content_encoding), (true, None));
}

#[test]
fn several_symbols() {
    let payload = Payload { id: &[0; 4], symbols: b"aaabbbcc" };
    assert!(payload.symbols(3).eq([b"aaa".as_slice(), b"bbb", b"cc"]));
    assert!(payload.symbols(8).eq([b"aaabbbcc".as_slice()]));
    assert_eq!(payload.symbols(0).len(), 0);
    assert_eq!(Payload { id: &[0; 4], symbols: b"" }.symbols(3).len(), 0);
}

fn header(codepoint: u8) -> Header {
    Header {
        psi: 0,
        close_session: false,
        close_object: false,
        codepoint,
        widths: FieldWidths { cci: 32, tsi: 16, toi: 16 },
        congestion_control: 0,
        tsi: Tsi::new(7),
        toi: Toi::new(9),
        sender_current_time: None,
        expected_residual_time: None,
    }
}

#[test]
fn template() {
    let format = PayloadIdFormat::of(FecEncodingId::NO_CODE, 0).unwrap();
    let extensions = [Extension::Fdt(FdtExtension { flute_version: 2, instance_id: 3 }), Extension::ContentEncoding(3)];
    let template = Template::new(&header(0), &extensions, format).unwrap();
    assert_eq!(template.overhead(), 24);
    let mut batch = Vec::with_capacity(2 * 29);
    let before = batch.as_ptr();
    let id = PayloadId { source_block: 1, esi: 2, source_block_length: None };
    template.append(Flags::default(), id, &mut batch);
    batch.extend(b"hello");
    let last = PayloadId { source_block: 0x1234, esi: 0xffff, source_block_length: None };
    template.append(Flags { close_session: true, close_object: true }, last, &mut batch);
    assert_eq!(&batch[..29], FDT_PACKET);
    // A and B are the two lowest bits of the second byte.
    assert_eq!(batch[29..33], [0x10, 0x13, 5, 0]);
    assert_eq!(batch[49..], [0x12, 0x34, 0xff, 0xff]);
    assert_eq!(batch.as_ptr(), before);
}

proptest! {
    #[test]
    fn decode_of_template(
        codepoint in prop_oneof![Just(0u8), Just(1), Just(2), Just(5), Just(6), Just(128), Just(129)],
        (source_block, esi, length) in any::<(u32, u32, u16)>(),
        (close_session, close_object) in any::<(bool, bool)>(),
        symbols in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let format = PayloadIdFormat::of(FecEncodingId(codepoint), 0).unwrap();
        let id = PayloadId {
            source_block: source_block & (format.max_source_blocks() - 1) as u32,
            esi: esi & format.max_esi(),
            source_block_length: format.has_source_block_length().then_some(length),
        };
        let mut datagram = Vec::new();
        let template = Template::new(&header(codepoint), &[], format).unwrap();
        template.append(Flags { close_session, close_object }, id, &mut datagram);
        prop_assert_eq!(datagram.len(), template.overhead());
        datagram.extend(&symbols);
        let packet = decode(&datagram).unwrap();
        prop_assert_eq!(packet.header, Header { close_session, close_object, ..header(codepoint) });
        prop_assert_eq!(format.decode(packet.payload.unwrap().id), Some(id));
        prop_assert_eq!(packet.payload.unwrap().symbols, symbols);
    }

    #[test]
    fn garbage(mut datagram in proptest::collection::vec(any::<u8>(), 4..200), words in 0u8..50) {
        (datagram[0], datagram[2]) = (0x10 | datagram[0] & 0x0f, words);
        for revision in [Revision::Rfc3451, Revision::Rfc5651] {
            if let Ok(packet) = Packet::decode(&datagram, revision) {
                prop_assert!(packet.header.tsi.is_some());
                if let Some(Ok(oti)) = packet.oti() {
                    // Numbers from the network may be nonsense, but it must come as an error.
                    let _: Result<_, OtiError> = oti.codec();
                }
            }
        }
    }
}
