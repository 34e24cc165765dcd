// SPDX-License-Identifier: MPL-2.0

//! The codecs on packets of other senders, byte for byte.

mod support;

use flute_fec::Code;
use flute_proto::alc::{Flags, Packet, Template};
use flute_proto::lct::{Extension, Revision};
use flute_proto::oti::{FecEncodingId, Oti, OtiAttributes, PayloadId};

/// Everything of a packet that is encoded again must come out as it was.
fn encode_again(packet: &Packet<'_>, oti: Option<&Oti>) -> Vec<u8> {
    let fti = oti.map(|oti| oti.encode_fti().unwrap());
    let extensions: Vec<_> = packet
        .extensions
        .map(|extension| match (extension.unwrap(), &fti) {
            (Extension::Fti(_), Some(fti)) => Extension::Fti(fti),
            (extension, _) => extension,
        })
        .collect();
    let mut bytes = Vec::new();
    match packet.payload {
        None => packet.header.encode(&extensions, &mut bytes).unwrap(),
        Some(payload) => {
            let format = match oti {
                Some(oti) => oti.payload_id_format().unwrap(),
                None => flute_proto::oti::PayloadIdFormat::of(packet.encoding_id(), 0).unwrap(),
            };
            let mut header = packet.header;
            let flags = Flags { close_session: header.close_session, close_object: header.close_object };
            (header.close_session, header.close_object) = (false, false);
            let template = Template::new(&header, &extensions, format).unwrap();
            template.append(flags, format.decode(payload.id).unwrap(), &mut bytes);
            assert_eq!(bytes.len(), template.overhead());
            bytes.extend_from_slice(payload.symbols);
        }
    }
    bytes
}

#[test]
fn every_packet_of_every_capture() {
    for capture in [
        "gpac-mabr-dash-flute",
        "mad-nocode",
        "mad-nocode-z1",
        "rt-libflute-nocode",
        "ypo-no-code",
        "ypo-raptorq",
        "ypo-reed-solomon",
    ] {
        for (index, datagram) in support::datagrams(capture).into_iter().flatten().enumerate() {
            for revision in [Revision::Rfc3451, Revision::Rfc5651] {
                let packet = Packet::decode(&datagram.payload, revision)
                    .unwrap_or_else(|error| panic!("{capture}, packet {index}: {error}"));
                let oti = packet.oti().transpose().unwrap();
                assert_eq!(encode_again(&packet, oti.as_ref()), datagram.payload, "{capture}, packet {index}");
            }
        }
    }
}

#[test]
fn reed_solomon_of_flute_1_11_7() {
    let Some(datagrams) = support::datagrams("ypo-reed-solomon") else { return };
    let packets: Vec<_> =
        datagrams.iter().map(|datagram| Packet::decode(&datagram.payload, Revision::Rfc5651).unwrap()).collect();
    // The first packet closes the session before it has begun, without a TOI.
    assert!(packets[0].header.close_session && packets[0].header.toi.is_none() && packets[0].payload.is_none());
    let objects = packets.iter().filter(|packet| packet.header.toi.is_some_and(|toi| toi.get() > 0));
    let mut large = 0;
    for packet in objects {
        assert_eq!(packet.encoding_id(), FecEncodingId::REED_SOLOMON_8);
        let oti = packet.oti().unwrap().unwrap();
        // What its FDT says of the same objects, an Instance ID that the scheme does not have included.
        let attributes = OtiAttributes {
            encoding_id: Some(FecEncodingId::REED_SOLOMON_8),
            instance_id: Some(0),
            max_source_block_length: Some(64),
            symbol_size: Some(1400),
            max_encoding_symbols: Some(68),
            scheme_specific_info: None,
        };
        assert_eq!(Oti::from_attributes(&attributes, oti.parameters.transfer_length).unwrap(), oti);
        assert_eq!(oti.attributes().unwrap(), OtiAttributes { instance_id: None, ..attributes });
        large += usize::from(oti.parameters.transfer_length == 1_288_895);
    }
    // 921 source symbols in 15 blocks of four repair symbols each.
    assert_eq!(large, 921 + 15 * 4);
}

#[test]
fn raptorq_of_flute_1_11_7() {
    let Some(datagrams) = support::datagrams("ypo-raptorq") else { return };
    let mut source_blocks = std::collections::BTreeSet::new();
    for datagram in &datagrams {
        let packet = Packet::decode(&datagram.payload, Revision::Rfc5651).unwrap();
        let Some(Ok(oti)) = packet.oti() else { continue };
        if oti.parameters.transfer_length != 1_288_895 {
            continue;
        }
        assert_eq!(oti.parameters.code, Code::RaptorQ { source_blocks: 15, sub_blocks: 1, alignment: 4 });
        assert_eq!(oti.attributes().unwrap().scheme_specific_info.unwrap(), [0x0f, 0x00, 0x01, 0x04]);
        let format = oti.payload_id_format().unwrap();
        let PayloadId { source_block, esi, .. } = format.decode(packet.payload.unwrap().id).unwrap();
        assert!(esi < 62 + 4, "symbol {esi} of block {source_block}");
        source_blocks.insert(source_block);
    }
    assert!(source_blocks.into_iter().eq(0..15));
}

#[test]
fn times_of_gpac() {
    let Some(datagrams) = support::datagrams("gpac-mabr-dash-flute") else { return };
    let mut times = 0;
    for datagram in &datagrams {
        let packet = Packet::decode(&datagram.payload, Revision::default()).unwrap();
        if let Some(time) = packet.time {
            let captured = flute_proto::Time::from_unix(datagram.time);
            let sent = time.sender_current_time.unwrap().to_time(captured);
            // One machine, one clock.
            assert!(captured.since(sent).max(sent.since(captured)).as_secs() < 2, "{sent:?}, captured {captured:?}");
            times += 1;
        }
    }
    assert!(times > 0);
}

#[test]
fn two_symbols_in_a_packet_of_gpac() {
    let Some(datagrams) = support::datagrams("gpac-mabr-dash-flute") else { return };
    let most = datagrams.iter().filter_map(|datagram| {
        let packet = Packet::decode(&datagram.payload, Revision::default()).ok()?;
        Some(packet.payload?.symbols(1416).len())
    });
    assert_eq!(most.max(), Some(2));
}
