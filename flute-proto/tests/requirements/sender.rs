// SPDX-License-Identifier: MPL-2.0

//! Requirements of a sender.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::content::ContentEncoding;
use flute_proto::fdt::File;
use flute_proto::lct::{Extension, Tsi};
use flute_proto::oti::{FecEncodingId, Oti};
use flute_proto::profile::Profile;
use flute_proto::sender::{
    Carousel, FdtPolicy, FecConfig, FecScheme, FinishPolicy, Interval, Object, Pacing, Sender, SenderConfig,
};

use super::at;
use super::transmission::*;

/// Symbols of 100 bytes, FDT Instances of several packets, one packet every 2 ms or so.
fn config() -> SenderConfig {
    SenderConfig::default()
        .tsi(Tsi::new(7).unwrap())
        .fec(FecConfig::default().symbol_size(100))
        .fdt(FdtPolicy::default().interval(Duration::from_millis(50)))
        .pacing(Pacing::default().bitrate(1_000_000))
}

/// An object whose bytes do not repeat.
fn object(location: &str, length: usize) -> Object {
    let bytes: Vec<u8> = (0..length as u32).flat_map(u32::to_be_bytes).take(length).collect();
    let mut object = Object::new(location, bytes);
    object.content_type = Some("application/octet-stream".into());
    object
}

/// Two objects, one of them sent three times.
fn objects() -> [Object; 2] {
    let mut repeated = object("http://example.com/a.bin", 2050);
    repeated.carousel = Carousel { transfers: Some(3), interval: Interval::Delay(Duration::from_millis(20)) };
    [repeated, object("http://example.com/b.bin", 990)]
}

/// Every profile and scheme that is in use.
fn configs() -> Vec<SenderConfig> {
    let schemes = [
        FecScheme::NoCode,
        FecScheme::Raptor,
        FecScheme::ReedSolomon2m { m: 8, symbols_per_packet: 1 },
        FecScheme::ReedSolomon8,
        FecScheme::RaptorQ,
        FecScheme::ReedSolomon8SmallBlock,
    ];
    let with_scheme = schemes.map(|scheme| {
        config()
            .fec(config().fec.scheme(scheme).protection(if scheme == FecScheme::NoCode {
                Protection::Symbols(0)
            } else {
                Protection::Percent(20.0)
            }))
            .fti_on_objects(true)
    });
    let version_1 = config().profile(Profile::Rfc3926);
    with_scheme.into_iter().chain([version_1]).collect()
}

#[test]
fn every_packet_has_a_header_of_this_session() {
    for config in configs() {
        let sent = transmit(config.clone(), objects());
        let widths = sent[0].packet().header.widths;
        for (index, packet) in sent.iter().enumerate() {
            let header = packet.packet().header;
            // V = 1; PSI, the bits of RFC 3451's T and R, and the congestion control that there is not, are 0.
            assert_eq!(packet.bytes[0] >> 4, 1);
            assert_eq!((header.psi, packet.bytes[1] & 0x0c, header.congestion_control), (0, 0, 0));
            assert_eq!(header.tsi, Tsi::new(7));
            assert_eq!(header.widths.cci, widths.cci);
            match packet.packet().payload {
                Some(payload) => {
                    assert!(header.toi.is_some() && !payload.symbols.is_empty(), "packet {index}");
                }
                // What only closes the session names no object.
                None => assert!(header.close_session && header.toi.is_none(), "packet {index}"),
            }
        }
    }
}

#[test]
fn ext_fdt_is_in_fdt_packets_and_nowhere_else() {
    for config in configs() {
        let version = if config.profile == Profile::Rfc3926 { 1 } else { 2 };
        for packet in transmit(config, objects()) {
            let alc = packet.packet();
            assert_eq!(alc.fdt.is_some(), packet.toi() == Some(0));
            assert!(alc.fdt.is_none_or(|fdt| fdt.flute_version == version));
            assert!(alc.fdt.is_none() || alc.fti.is_some(), "EXT_FTI goes with every FDT Instance");
        }
    }
}

#[test]
fn fdt_instances_follow_each_other() {
    let sent = transmit(config(), objects());
    let instances = instances(&sent);
    assert!(instances.len() > 2);
    let mut expected = 0;
    for pair in instances.windows(2) {
        assert!(pair[0].last < pair[1].first, "one ends before the next begins");
        // A new ID is one more; a repetition has the same, and says the same.
        if pair[1].id == expected {
            assert_eq!(pair[0].xml, pair[1].xml);
        } else {
            expected += 1;
            assert_eq!(pair[1].id, expected);
        }
    }
    assert_eq!(instances[0].id, 0);
}

#[test]
fn files_are_described_before_they_are_sent() {
    for config in configs() {
        let sent = transmit(config, objects());
        let instances = instances(&sent);
        let tois: BTreeSet<u128> = sent.iter().filter_map(Sent::toi).filter(|toi| *toi > 0).collect();
        assert_eq!(tois.len(), 2);
        for toi in tois {
            let first = sent.iter().position(|packet| packet.toi() == Some(toi)).unwrap();
            let described = instances.iter().find(|sent| sent.instance.files.iter().any(|file| file.toi.get() == toi));
            assert!(described.unwrap().last < first, "TOI {toi}");
        }
    }
}

#[test]
fn fdt_instances_are_complete_documents() {
    for config in configs() {
        let namespace = match config.profile {
            Profile::Rfc6726 => "\"urn:ietf:params:xml:ns:fdt\"",
            _ => "\"urn:IETF:metadata:2005:FLUTE:FDT\"",
        };
        let sent = transmit(config, objects());
        for SentInstance { xml, due, instance, .. } in instances(&sent) {
            assert!(xml.contains(namespace), "{xml}");
            assert!(Time::from_ntp_seconds(instance.expires, due) > due);
            assert!(!instance.files.is_empty());
            for file in &instance.files {
                assert!(file.toi.get() > 0 && file.content_location.starts_with("http://example.com/"));
                assert!(
                    file.content_type.as_deref().or(instance.content_type.as_deref())
                        == Some("application/octet-stream")
                );
            }
        }
    }
}

#[test]
fn locations_are_uris() {
    let mut sender = Sender::new(config(), at(0)).unwrap();
    let toi = sender.add(object("my film [1].mp4", 10), at(0)).unwrap();
    assert_eq!((sender.toi_of("my film [1].mp4"), sender.toi_of("my%20film%20%5B1%5D.mp4")), (Some(toi), Some(toi)));
    sender.finish(FinishPolicy::FinishTransfers, at(0));
    let sent = drain(&mut sender);
    assert_eq!(instances(&sent)[0].instance.files[0].content_location, "my%20film%20%5B1%5D.mp4");
}

#[test]
fn a_toi_means_one_file() {
    for config in configs() {
        let sent = transmit(config, objects());
        let mut described: BTreeMap<u128, File> = BTreeMap::new();
        for sent in instances(&sent) {
            for file in sent.instance.files {
                let file = File { oti: file.oti.or(&sent.instance.oti), ..file };
                assert_eq!(*described.entry(file.toi.get()).or_insert_with(|| file.clone()), file);
            }
        }
        assert_eq!(described.len(), 2);
    }
}

#[test]
fn ext_fti_fdt_and_codepoint_agree() {
    for config in configs().into_iter().filter(|config| config.fti_on_objects) {
        let sent = transmit(config, objects());
        let files: BTreeMap<u128, Oti> = instances(&sent)
            .into_iter()
            .flat_map(|sent| {
                let instance = sent.instance;
                instance.files.into_iter().map(move |file| {
                    let attributes = file.oti.or(&instance.oti);
                    let length = file.transfer_length.or(file.content_length).unwrap();
                    (file.toi.get(), Oti::from_attributes(&attributes, length).unwrap())
                })
            })
            .collect();
        for packet in sent.iter().filter(|packet| packet.toi().is_some_and(|toi| toi > 0)) {
            let alc = packet.packet();
            let oti = &files[&packet.toi().unwrap()];
            assert_eq!(alc.oti(), Some(Ok(oti.clone())));
            assert_eq!(FecEncodingId(alc.header.codepoint), oti.encoding_id);
        }
    }
}

#[test]
fn symbols_have_the_length_that_is_announced() {
    for config in configs().into_iter().filter(|config| config.fti_on_objects) {
        for packet in transmit(config, objects()) {
            let alc = packet.packet();
            let (Some(Ok(oti)), Some(payload)) = (alc.oti(), alc.payload) else { continue };
            let id = oti.payload_id_format().unwrap().decode(payload.id).unwrap();
            let codec = oti.codec().unwrap();
            let block = codec.block(id.source_block).unwrap();
            let size = oti.parameters.symbol_size;
            let is_last = id.source_block + 1 == codec.block_count() && id.esi + 1 == block.symbols;
            let length = payload.symbols.len();
            assert!(length == usize::from(size) || is_last && length < size.into(), "{id:?}: {length} of {size}");
            // FEC Encoding ID 129 says in every packet what RFC 5052 §9.1 makes of the block.
            assert!(id.source_block_length.is_none_or(|length| u32::from(length) == block.symbols));
        }
    }
}

#[test]
fn ext_cenc_is_in_packets_of_encoded_instances() {
    for encoding in [ContentEncoding::Null, ContentEncoding::Zlib, ContentEncoding::Deflate, ContentEncoding::Gzip] {
        let config = config().fdt(config().fdt.content_encoding(encoding));
        let sent = transmit(config, objects());
        assert!(!instances(&sent).is_empty());
        for packet in &sent {
            let expected = (packet.toi() == Some(0) && encoding != ContentEncoding::Null).then(|| encoding.cenc());
            assert_eq!(packet.packet().content_encoding, expected);
            if let Some(code) = expected {
                // The word of EXT_CENC, its reserved bits included.
                assert!(packet.bytes.chunks(4).any(|word| word == [193, code, 0, 0]));
            }
        }
    }
}

#[test]
fn content_encoding_is_described() {
    let mut encoded = object("http://example.com/a.bin", 4000);
    encoded.content_encoding = Some(ContentEncoding::Gzip);
    encoded.md5 = true;
    let sent = transmit(config(), [encoded]);
    let SentInstance { instance, .. } = &instances(&sent)[0];
    let file = &instance.files[0];
    let encoding = file.content_encoding.as_ref().or(instance.content_encoding.as_ref());
    assert_eq!((encoding.map(String::as_str), file.content_length), (Some("gzip"), Some(4000)));
    // The transport object is what is sent, and what the digest is of.
    let body: Vec<u8> = sent
        .iter()
        .filter(|packet| packet.toi().is_some_and(|toi| toi > 0))
        .flat_map(|packet| packet.packet().payload.unwrap().symbols.to_vec())
        .collect();
    assert_eq!(file.transfer_length, Some(body.len() as u64));
    assert!(body.starts_with(&[0x1f, 0x8b]));
    assert_eq!(file.content_md5, Some(flute_proto::content::md5(&body)));
}

#[test]
fn close_flags_stay_set() {
    let sent = transmit(config(), objects());
    let closing = sent.iter().position(|packet| packet.packet().header.close_session).expect("A is set at the end");
    assert!(sent[closing..].iter().all(|packet| packet.packet().header.close_session));
    for toi in sent.iter().filter_map(Sent::toi).filter(|toi| *toi > 0).collect::<BTreeSet<_>>() {
        let closes: Vec<bool> = sent
            .iter()
            .filter(|packet| packet.toi() == Some(toi))
            .map(|packet| packet.packet().header.close_object)
            .collect();
        // In the last packet of all, and never before the last transfer has come to its end.
        assert_eq!(closes.iter().position(|close| *close), Some(closes.len() - 1), "TOI {toi}");
    }
}

#[test]
fn a_wide_tsi_is_closed_with_a_payload() {
    // The half-word of a TSI of 48 bits brings one of the TOI along, which a packet without a payload must not have.
    let sent = transmit(config().tsi(Tsi::MAX), objects());
    assert!(sent.iter().all(|packet| packet.packet().payload.is_some()));
    assert!(sent.last().unwrap().packet().header.close_session);
}

#[test]
fn the_end_is_announced() {
    let sent = transmit(config(), objects());
    let instances = instances(&sent);
    assert!(instances.last().unwrap().instance.complete);
    // Once complete, always complete, and no file that was not described before.
    let first = instances.iter().position(|sent| sent.instance.complete).unwrap();
    assert!(instances[first..].iter().all(|sent| sent.instance.complete));
}

#[test]
fn long_fdt_instances_are_protected() {
    let fec = config().fec.scheme(FecScheme::ReedSolomon8).protection(Protection::Percent(50.0));
    let sent = transmit(config().fec(fec), objects());
    let fdt = sent.iter().filter(|packet| packet.toi() == Some(0));
    let mut repair = 0;
    for packet in fdt {
        let alc = packet.packet();
        let oti = alc.oti().unwrap().unwrap();
        assert_eq!(oti.encoding_id, FecEncodingId::REED_SOLOMON_8);
        let id = oti.payload_id_format().unwrap().decode(alc.payload.unwrap().id).unwrap();
        repair += usize::from(id.esi >= oti.codec().unwrap().block(id.source_block).unwrap().symbols);
    }
    assert!(repair > 0);
}

#[test]
fn sender_current_time() {
    let sent = transmit(config().sender_current_time(true), objects());
    let mut times = 0;
    for packet in &sent {
        let Some(time) = packet.packet().time else { continue };
        let sct = time.sender_current_time.unwrap().to_time(packet.due);
        assert!(sct.since(packet.due).max(packet.due.since(sct)) < Duration::from_millis(100));
        // SCT and nothing else: reserved bits and those of other protocols are 0.
        let use_field = packet.bytes.windows(4).find(|word| word[..2] == [2, 3]).map(|word| [word[2], word[3]]);
        assert_eq!(use_field, Some([0xc0, 0]));
        times += 1;
    }
    assert!(times > 0);
}

#[test]
fn instances_are_renewed_before_they_expire() {
    let fdt = FdtPolicy::default().interval(Duration::from_secs(1)).lifetime(Duration::from_secs(3));
    let mut repeated = object("http://example.com/a.bin", 200);
    repeated.carousel = Carousel { transfers: Some(20), interval: Interval::Start(Duration::from_millis(700)) };
    let sent = transmit(config().fdt(fdt), [repeated]);
    let instances = instances(&sent);
    for packet in sent.iter().filter(|packet| packet.toi().is_some_and(|toi| toi > 0)) {
        let live = instances.iter().filter(|sent| sent.due <= packet.due);
        let expires = live.map(|sent| Time::from_ntp_seconds(sent.instance.expires, sent.due)).max();
        assert!(expires.unwrap() > packet.due);
    }
}

#[test]
fn identifiers_do_not_repeat() {
    let mut sender = Sender::new(config(), at(0)).unwrap();
    let tois: BTreeSet<_> =
        (0..100).map(|n| sender.add(object(&format!("http://example.com/{n}"), 10), at(0)).unwrap()).collect();
    assert_eq!(tois.len(), 100);
    assert!(tois.iter().all(|toi| toi.get() > 0));
    sender.finish(FinishPolicy::FinishTransfers, at(0));
    let sent = drain(&mut sender);
    let on_the_wire: BTreeSet<u128> = sent.iter().filter_map(Sent::toi).collect();
    assert_eq!(on_the_wire.len(), 101);
    // Every extension is one that a receiver knows, each at most once.
    for packet in &sent {
        let extensions: Vec<_> = packet.packet().extensions.map(Result::unwrap).collect();
        assert!(!extensions.iter().any(|extension| matches!(extension, Extension::Other { .. })));
        let kinds: BTreeSet<_> =
            extensions.iter().map(|extension| format!("{:?}", std::mem::discriminant(extension))).collect();
        assert_eq!(kinds.len(), extensions.len());
    }
}
