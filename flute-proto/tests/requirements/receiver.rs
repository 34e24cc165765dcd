// SPDX-License-Identifier: MPL-2.0

//! Requirements of a receiver.

use std::net::Ipv4Addr;

use flute_proto::content::{ContentEncoding, encode};
use flute_proto::lct::{Extension, FdtExtension, FieldWidths, Header, SenderCurrentTime, TimeExtension, Toi, Tsi};
use flute_proto::receiver::{Event, Failure, Filter, ReceiverConfig};

use super::at;
use super::listening::*;

const A: &[u8] = b"first object";
const B: &[u8] = b"another one";

/// The FDT Instance `id` of FLUTE v2, valid for an hour.
fn fdt(tsi: u64, id: u32, files: &str) -> Vec<u8> {
    fdt_packet(tsi, 2, id, &fdt_xml(START_NTP + 3600, "", files), &[])
}

fn with_flags(packet: &[u8], psi: u8, reserved: u8) -> Vec<u8> {
    let mut packet = packet.to_vec();
    packet[0] |= psi;
    packet[1] |= reserved;
    packet
}

#[test]
fn what_is_not_valid_is_discarded() {
    let mut listener = Listener::new();
    let mut version_0 = object_packets(1, 1, A)[0].clone();
    version_0[0] = 0x00;
    let without_tsi =
        Header { tsi: None, toi: Toi::new(1), widths: FieldWidths { cci: 32, tsi: 0, toi: 32 }, ..header(1, 1) };
    let without_tsi = packet(&without_tsi, &[], [0; 4], b"xxxx");
    let mut long_header = object_packets(1, 1, A)[0].clone();
    long_header[2] = 200;
    let mut wrong_extension = packet(&header(1, 1), &[Extension::Nop(&[0, 0])], [0; 4], b"xxxx");
    wrong_extension[17] = 9;
    let packets = [version_0, without_tsi, long_header, wrong_extension, b"".to_vec(), b"\x10".to_vec()];
    let count = packets.len() as u64;
    listener.hear(at(0), packets);
    assert_eq!(listener.receiver.stats().malformed, count);
    assert!(listener.receiver.stats().sessions.is_empty() && listener.events.is_empty());
}

#[test]
fn reserved_bits_are_ignored() {
    let mut listener = Listener::new();
    listener.hear(at(0), [with_flags(&fdt(1, 0, &file_xml(1, "a", A.len())), 3, 0)]);
    // The session is known to be FLUTE v2, so the bits are not RFC 3451's T and R.
    listener.hear(at(0), object_packets(1, 1, A).iter().map(|packet| with_flags(packet, 3, 0x0c)));
    assert_eq!(listener.completed(), texts([("a", "first object")]));
}

#[test]
fn times_of_rfc_3451_are_passed_over() {
    let mut listener = Listener::new();
    let xml = fdt_xml(START_NTP + 3600, "", &file_xml(1, "a", A.len()));
    listener.hear(at(0), [fdt_packet(1, 1, 0, &xml, &[])]);
    for (esi, symbol) in A.chunks(4).enumerate() {
        let times = Header { sender_current_time: Some(1000), expected_residual_time: Some(7), ..header(1, 1) };
        listener.hear(at(0), [packet(&times, &[], [0, 0, 0, esi as u8], symbol)]);
    }
    assert_eq!(listener.completed(), texts([("a", "first object")]));
}

#[test]
fn versions_are_told_apart_by_session() {
    let mut listener = Listener::new();
    let xml = fdt_xml(START_NTP + 3600, "", &file_xml(1, "a", A.len()));
    // One channel, two sessions of one TSI and two of one source.
    listener.hear_from(1, at(0), [fdt_packet(1, 1, 0, &xml, &[])]);
    listener.hear_from(2, at(0), [fdt_packet(1, 2, 0, &xml, &[])]);
    listener.hear_from(1, at(0), [fdt_packet(2, 2, 0, &xml, &[])]);
    listener.hear_from(1, at(0), object_packets(1, 1, A));
    listener.hear_from(2, at(0), object_packets(1, 1, b"other object"));
    listener.hear_from(1, at(0), object_packets(2, 1, b"third object"));
    assert_eq!(listener.completed(), texts([("a", "first object"), ("a", "other object"), ("a", "third object")]));
    assert_eq!(listener.receiver.stats().sessions.len(), 3);
}

#[test]
fn extensions_that_say_nothing_to_flute_are_skipped() {
    let mut listener = Listener::new();
    let extensions = [
        Extension::Nop(&[1, 2]),
        Extension::Auth(&[0x10, 0, 1, 2, 3, 4]),
        Extension::Other { het: 99, content: &[0; 10] },
        Extension::Other { het: 250, content: &[0; 3] },
    ];
    let xml = fdt_xml(START_NTP + 3600, "", &file_xml(1, "a", 4));
    listener.hear(at(0), [fdt_packet(1, 2, 0, &xml, &extensions)]);
    listener.hear(at(0), [packet(&header(1, 1), &extensions, [0; 4], b"text")]);
    assert_eq!(listener.completed(), texts([("a", "text")]));
}

#[test]
fn close_flags_are_hints() {
    let mut listener = Listener::new();
    listener.hear(at(0), [fdt(1, 0, &file_xml(1, "a", A.len()))]);
    let mut packets = object_packets(1, 1, A);
    // B in the first packet, of which the network made the last; and A in the one before that.
    packets[0][1] |= 0x01;
    packets[1][1] |= 0x02;
    listener.hear(at(0), &packets);
    assert_eq!(listener.completed(), texts([("a", "first object")]));
    let close =
        Header { close_session: true, toi: None, widths: FieldWidths { cci: 32, tsi: 32, toi: 0 }, ..header(1, 0) };
    let mut bytes = Vec::new();
    close.encode(&[], &mut bytes).unwrap();
    listener.hear(at(1), [bytes]);
    listener.advance(at(60));
    let closed = listener.events.iter().any(|event| matches!(event, Event::SessionClosed { by_sender: true, .. }));
    assert!(closed, "{:?}", listener.events);
}

#[test]
fn fec_oti_comes_from_either_place() {
    let mut listener = Listener::new();
    // "a" has it in the FDT (in its own entry), "b" in that of all files, "c" in EXT_FTI alone.
    let files = format!(
        "{}{}{}",
        file_xml(1, "a", A.len()),
        r#"<File TOI="2" Content-Location="b" Transfer-Length="11"/>"#,
        r#"<File TOI="3" Content-Location="c" FEC-OTI-FEC-Encoding-ID="0"/>"#
    );
    listener.hear(at(0), [fdt_packet(1, 2, 0, &fdt_xml(START_NTP + 60, &no_code_xml(4), &files), &[])]);
    listener.hear(at(0), object_packets(1, 1, A));
    listener.hear(at(0), object_packets(1, 2, B));
    let fti = no_code_fti(5, 10);
    listener.hear(
        at(0),
        [
            packet(&header(1, 3), &[Extension::Fti(&fti)], [0, 0, 0, 1], b"fghij"),
            packet(&header(1, 3), &[Extension::Fti(&fti)], [0, 0, 0, 0], b"abcde"),
        ],
    );
    assert_eq!(listener.completed(), texts([("a", "first object"), ("b", "another one"), ("c", "abcdefghij")]));
}

#[test]
fn ext_fti_comes_before_the_fdt() {
    let mut listener = Listener::new();
    // The FDT says symbols of 4 bytes, EXT_FTI of 6.
    listener.hear(at(0), [fdt(1, 0, &file_xml(1, "a", A.len()))]);
    let fti = no_code_fti(6, A.len());
    listener.hear(
        at(0),
        [
            packet(&header(1, 1), &[Extension::Fti(&fti)], [0, 0, 0, 1], &A[6..]),
            packet(&header(1, 1), &[Extension::Fti(&fti)], [0, 0, 0, 0], &A[..6]),
        ],
    );
    assert_eq!(listener.completed(), texts([("a", "first object")]));
}

#[test]
fn an_instance_of_an_unknown_scheme_is_not_decoded() {
    let mut listener = Listener::new();
    let xml = fdt_xml(START_NTP + 3600, "", &file_xml(1, "a", A.len()));
    let fti = no_code_fti(u16::MAX, xml.len());
    for codepoint in [3, 77, 130] {
        let extensions = [Extension::Fdt(FdtExtension { flute_version: 2, instance_id: 0 }), Extension::Fti(&fti)];
        let header = Header { codepoint, ..header(1, 0) };
        listener.hear(at(0), [packet(&header, &extensions, [0; 4], xml.as_bytes())]);
    }
    assert_eq!(listener.instances(), 0);
}

/// EXT_TIME of a sender whose clock shows these NTP seconds.
fn sender_time(seconds: u64) -> Extension<'static> {
    let sct = SenderCurrentTime { seconds: seconds as u32, fraction: None };
    Extension::Time(TimeExtension { sender_current_time: Some(sct), ..TimeExtension::default() })
}

#[test]
fn an_expired_instance_describes_nothing() {
    let mut listener = Listener::new();
    let packets = object_packets(1, 1, A);
    let xml = fdt_xml(START_NTP + 10, "", &file_xml(1, "a", A.len()));
    listener.hear(at(0), [fdt_packet(1, 2, 0, &xml, &[sender_time(START_NTP)])]);
    listener.hear(at(1), &packets[..1]);
    // Expires is in whole seconds, and two more are allowed for.
    listener.hear(at(13), &packets[1..]);
    assert_eq!(listener.completed(), []);
    // What is expired when it is sent is not used either.
    listener.hear(at(20), [fdt_packet(1, 2, 1, &xml, &[sender_time(START_NTP + 20)])]);
    listener.hear(at(20), &packets);
    assert_eq!(listener.completed(), []);
}

#[test]
fn expiry_is_by_the_clock_of_the_sender() {
    // The sender's clock is a day late, and it says so: its FDT lives for 100 s all the same.
    let sent = START_NTP - 86_400;
    for (when, expected) in [(90, texts([("a", "first object")]).as_slice()), (110, &[])] {
        let mut listener = Listener::new();
        let xml = fdt_xml(sent + 100, "", &file_xml(1, "a", A.len()));
        listener.hear(at(0), [fdt_packet(1, 2, 0, &xml, &[sender_time(sent)])]);
        listener.hear(at(when), object_packets(1, 1, A));
        assert_eq!(listener.completed(), expected, "after {when} s");
    }
}

#[test]
fn expiry_may_lie_in_the_next_era() {
    // The example of RFC 6726 §3.3: a session begins on 2036-02-07 at 0h, NTP time 4 294 944 000, with an instance that
    // expires in 48 hours. 32 bits of NTP seconds begin at 0 again on that day, so that Expires is 149 504.
    let begin = 4_294_944_000 - START_NTP;
    let xml = fdt_xml(149_504, "", &file_xml(1, "a", A.len()));
    for (day, expected) in
        [(0, texts([("a", "first object")]).as_slice()), (1, &texts([("a", "first object")])), (2, &[])]
    {
        let mut listener = Listener::new();
        let time = sender_time(START_NTP + begin + day * 86_400);
        listener.hear(at(begin + day * 86_400), [fdt_packet(1, 2, 0, &xml, &[time])]);
        listener.hear(at(begin + day * 86_400), object_packets(1, 1, A));
        assert_eq!(listener.completed(), expected, "on day {day}");
    }
}

#[test]
fn objects_that_no_instance_describes_are_ignored() {
    let mut listener = Listener::new();
    listener.hear(at(0), [fdt(1, 0, &file_xml(1, "a", A.len()))]);
    let fti = no_code_fti(4, 4);
    listener.hear(at(0), [packet(&header(1, 9), &[Extension::Fti(&fti)], [0; 4], b"text")]);
    listener.hear(at(0), object_packets(1, 1, A));
    assert_eq!(listener.completed(), texts([("a", "first object")]));
}

#[test]
fn sessions_that_were_not_asked_for_are_discarded() {
    let filter = Filter::default().tsis(vec![Tsi::new(2).unwrap()]).source(Some(Ipv4Addr::new(192, 0, 2, 1).into()));
    let mut listener = Listener::with(ReceiverConfig::default().filter(filter));
    for (host, tsi) in [(1, 1), (2, 2), (1, 2)] {
        listener.hear_from(host, at(0), [fdt(tsi, 0, &file_xml(1, &format!("host {host}, TSI {tsi}"), A.len()))]);
        listener.hear_from(host, at(0), object_packets(tsi, 1, A));
    }
    assert_eq!(listener.completed(), texts([("host 1, TSI 2", "first object")]));
    assert_eq!(listener.receiver.stats().filtered, 8);
}

#[test]
fn the_codepoint_is_the_encoding_id_of_the_fdt() {
    let mut listener = Listener::new();
    listener.hear(at(0), [fdt(1, 0, &file_xml(1, "a", A.len()))]);
    // Packets of another scheme: what they carry has no place in the object.
    let other = Header { codepoint: 5, ..header(1, 1) };
    listener.hear(at(0), [packet(&other, &[], [0; 4], b"xxxx"), packet(&other, &[], [0, 0, 0, 1], b"yyyy")]);
    listener.hear(at(0), object_packets(1, 1, A));
    assert_eq!(listener.completed(), texts([("a", "first object")]));
}

#[test]
fn instances_complement_each_other() {
    let mut listener = Listener::new();
    // IDs wrap and skip.
    listener.hear(at(0), [fdt(1, (1 << 20) - 1, &file_xml(1, "a", A.len()))]);
    listener.hear(at(0), [fdt(1, 0, &file_xml(2, "b", B.len()))]);
    listener.hear(at(0), [fdt(1, 5, &file_xml(3, "c", 4))]);
    assert_eq!(listener.instances(), 3);
    listener.hear(at(0), object_packets(1, 1, A));
    listener.hear(at(0), object_packets(1, 2, B));
    listener.hear(at(0), object_packets(1, 3, b"text"));
    assert_eq!(listener.completed(), texts([("a", "first object"), ("b", "another one"), ("c", "text")]));
}

#[test]
fn a_reused_instance_id_does_not_mix_instances() {
    let mut listener = Listener::new();
    // A sender that was restarted: the ID of a live instance, and a TOI that means something else now.
    listener.hear(at(0), [fdt(1, 0, &file_xml(1, "a", A.len()))]);
    listener.hear(at(0), object_packets(1, 1, A));
    listener.hear(at(1), [fdt(1, 0, &file_xml(1, "b", B.len()))]);
    listener.hear(at(1), object_packets(1, 1, B));
    assert_eq!(listener.completed(), texts([("a", "first object"), ("b", "another one")]));
}

#[test]
fn locations_are_strings() {
    let mut listener = Listener::new();
    // Two spellings of one URI are two files (RFC 6726 §3.4.2).
    let files = file_xml(1, "http://example.com/x/../a", 4) + &file_xml(2, "http://example.com/a", 4);
    listener.hear(at(0), [fdt(1, 0, &files)]);
    listener.hear(at(0), object_packets(1, 1, b"1111"));
    listener.hear(at(0), object_packets(1, 2, b"2222"));
    assert_eq!(listener.completed(), texts([("http://example.com/x/../a", "1111"), ("http://example.com/a", "2222")]));
}

#[test]
fn private_elements_are_ignored_and_bad_entries_lost() {
    let mut listener = Listener::new();
    let file = file_xml(1, "a", A.len())
        .replace("/>", r#" xmlns:x="urn:example" x:secret="1" other="2"><x:Signature>abc</x:Signature></File>"#);
    let bad = r#"<File Content-Location="no TOI"/><File TOI="0" Content-Location="the FDT"/><File TOI="5"/>"#;
    let xml = fdt_xml(START_NTP + 3600, r#"unknown="3""#, &format!("{bad}{file}"));
    listener.hear(at(0), [fdt_packet(1, 2, 0, &xml, &[])]);
    let counts = listener.events.iter().find_map(|event| match event {
        Event::Fdt { files, rejected, .. } => Some((*files, *rejected)),
        _ => None,
    });
    assert_eq!(counts, Some((1, 3)));
    listener.hear(at(0), object_packets(1, 1, A));
    assert_eq!(listener.completed(), texts([("a", "first object")]));
}

#[test]
fn encoded_instances_are_decoded() {
    for encoding in [ContentEncoding::Null, ContentEncoding::Zlib, ContentEncoding::Deflate, ContentEncoding::Gzip] {
        let mut listener = Listener::new();
        let xml = encode(encoding, fdt_xml(START_NTP + 3600, "", &file_xml(1, "a", A.len())).as_bytes()).unwrap();
        let fti = no_code_fti(50, xml.len());
        // The reserved bits of EXT_CENC are ignored.
        let extensions = [
            Extension::Fdt(FdtExtension { flute_version: 2, instance_id: 0 }),
            Extension::Fti(&fti),
            Extension::Other { het: 193, content: &[encoding.cenc(), 0xff, 0xff] },
        ];
        let symbols = xml.chunks(50).enumerate();
        let packets = symbols.map(|(esi, symbol)| packet(&header(1, 0), &extensions, [0, 0, 0, esi as u8], symbol));
        listener.hear(at(0), packets);
        listener.hear(at(0), object_packets(1, 1, A));
        assert_eq!(listener.completed(), texts([("a", "first object")]), "{encoding:?}");
    }
}

#[test]
fn a_wrong_digest_is_a_failure() {
    let mut listener = Listener::new();
    // 1B2M2Y8AsgTpgAmY7PhCfg== is the MD5 of nothing (RFC 1321 §A.5).
    let file = file_xml(1, "a", A.len()).replace("/>", r#" Content-MD5="1B2M2Y8AsgTpgAmY7PhCfg=="/>"#);
    listener.hear(at(0), [fdt(1, 0, &file)]);
    listener.hear(at(0), object_packets(1, 1, A));
    assert_eq!(listener.completed(), []);
    let failed = listener.events.iter().any(|event| matches!(event, Event::Failed { reason: Failure::Digest, .. }));
    assert!(failed, "{:?}", listener.events);
}

#[test]
fn an_unknown_content_encoding_is_not_delivered() {
    let mut listener = Listener::new();
    let file = file_xml(1, "a", A.len()).replace("/>", r#" Content-Encoding="br"/>"#);
    listener.hear(at(0), [fdt(1, 0, &file)]);
    listener.hear(at(0), object_packets(1, 1, A));
    assert_eq!(listener.completed(), []);
}

#[test]
fn the_session_is_complete_only_when_that_was_said() {
    let finish = |attributes: &str| {
        let mut listener = Listener::new();
        let xml = fdt_xml(START_NTP + 3600, attributes, &file_xml(1, "a", A.len()));
        listener.hear(at(0), [fdt_packet(1, 2, 0, &xml, &[])]);
        listener.hear(at(0), object_packets(1, 1, A));
        listener.receiver.finish(at(1));
        std::iter::from_fn(|| listener.receiver.poll_event()).find_map(|event| match event {
            Event::SessionClosed { complete, .. } => Some(complete),
            _ => None,
        })
    };
    assert_eq!(finish(r#"Complete="true""#), Some(true));
    assert_eq!(finish(r#"Complete="1""#), Some(true));
    assert_eq!(finish(r#"Complete="false""#), Some(false));
    assert_eq!(finish(""), Some(false));
}

#[test]
fn symbols_are_placed_by_their_payload_id() {
    let mut listener = Listener::new();
    // 150 symbols of 4 bytes in blocks of 64 at most: 50 each (RFC 5052 §9.1). Backwards, three to a packet.
    let content: Vec<u8> = (0..150u32).flat_map(u32::to_be_bytes).collect();
    listener.hear(at(0), [fdt(1, 0, &file_xml(1, "a", content.len()))]);
    for block in (0..3u8).rev() {
        for esi in (0..50u8).step_by(3).collect::<Vec<_>>().into_iter().rev() {
            let first = (usize::from(block) * 50 + usize::from(esi)) * 4;
            let symbols = 4 * usize::from((50 - esi).min(3));
            listener.hear(at(0), [packet(&header(1, 1), &[], [0, block, 0, esi], &content[first..first + symbols])]);
        }
    }
    assert_eq!(listener.completed(), [("a".to_string(), content)]);
}
