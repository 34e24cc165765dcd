// SPDX-License-Identifier: MPL-2.0

//! What packets and FDT Instances say, by the properties of the element and its pads.

use std::time::SystemTime;

use flute_proto::content::md5;
use flute_proto::fdt::{AlternateContentLocation, CacheControl, MessageDigest, Signature};
use flute_proto::lct::Toi;
use gst::prelude::*;
use gstflute::object_meta::{Extensions, ObjectMeta};
use sha2::{Digest, Sha256};

use crate::packet::{Seen, document_of, first_instance, of_fdt, of_objects, seen};
use crate::received::Session;
use crate::{content, flutesink, harness, packets};

/// The packets of a session with two objects of 2000 bytes each, the same ones.
fn session(properties: &[(&str, &str)], pad: &[(&str, &str)], meta: Option<ObjectMeta>) -> Vec<Vec<u8>> {
    let element = flutesink(properties);
    let mut h = harness(&element, "sink_0");
    for (name, value) in pad {
        element.static_pad("sink_0").unwrap().set_property_from_str(name, value);
    }
    for meta in [meta, None] {
        let mut buffer = gst::Buffer::from_slice(content(2000));
        if let Some(meta) = meta {
            meta.put_on(buffer.get_mut().unwrap());
        }
        h.push(buffer).unwrap();
    }
    packets(&mut h)
}

fn sent(properties: &[(&str, &str)]) -> Vec<Seen> {
    seen(&session(properties, &[], None))
}

#[test]
fn test_flutesink_first_toi() {
    let tois = |properties: &[(&str, &str)]| {
        let mut tois: Vec<_> = of_objects(&sent(properties)).iter().map(|seen| seen.toi()).collect();
        tois.dedup();
        tois
    };
    assert_eq!(tois(&[("toi-start", "70000")]), [70_000, 70_001]);
    assert_ne!(tois(&[]), tois(&[]), "a restarted sender is not taken for its past");
}

#[test]
fn test_flutesink_widths_of_identifiers() {
    for (tsi_bits, toi_bits) in [(16, 16), (32, 32), (48, 112), (16, 80)] {
        let bits = [tsi_bits.to_string(), toi_bits.to_string()];
        for seen in of_objects(&sent(&[("tsi-bits", &bits[0]), ("toi-bits", &bits[1])])) {
            assert_eq!((seen.header.widths.tsi, seen.header.widths.toi), (tsi_bits, toi_bits));
        }
    }
    let widest = sent(&[("tsi", "281474976710655")]);
    assert!(widest.iter().all(|seen| seen.header.tsi.unwrap().get() == (1 << 48) - 1));
    let meta = ObjectMeta { toi: Toi::new(1 << 111), ..Default::default() };
    let packets = session(&[("toi-bits", "112")], &[], Some(meta));
    assert_eq!(of_objects(&seen(&packets))[0].toi(), 1 << 111);
    assert_eq!(Session::of(&packets).objects.len(), 2);
}

#[test]
fn test_flutesink_header_extensions() {
    let plain = sent(&[]);
    assert!(of_fdt(&plain).iter().all(|seen| seen.has_fti && !seen.has_time && seen.content_encoding.is_none()));
    assert!(of_objects(&plain).iter().all(|seen| !seen.has_fti && !seen.has_time));
    assert!(of_objects(&sent(&[("fti-on-objects", "true")])).iter().all(|seen| seen.has_fti));
    let timed = sent(&[("sender-current-time", "true")]);
    assert!(of_fdt(&timed).iter().all(|seen| seen.has_time));
    for (encoding, number) in [("zlib", 1), ("deflate", 2), ("gzip", 3)] {
        let packets = session(&[("fdt-content-encoding", encoding)], &[], None);
        assert!(of_fdt(&seen(&packets)).iter().all(|seen| seen.content_encoding == Some(number)), "{encoding}");
        assert_eq!(Session::of(&packets).objects.len(), 2, "{encoding}");
    }
}

#[test]
fn test_flutesink_close_flags() {
    let closing = |properties: &[(&str, &str)]| {
        let sent = sent(properties);
        let closing: Vec<_> = sent.iter().filter(|seen| seen.header.close_session).cloned().collect();
        // A stays set once it was set (RFC 5651 §5.1).
        assert!(sent.iter().rev().take(closing.len()).all(|seen| seen.header.close_session));
        closing
    };
    let alone = closing(&[]);
    assert!(!alone.is_empty() && alone.iter().all(|seen| seen.symbols.is_none() && seen.header.toi.is_none()));
    let with_payload = closing(&[("close-with-payload", "true")]);
    assert!(!with_payload.is_empty() && with_payload.iter().all(|seen| seen.fdt.is_some() && seen.symbols.is_some()));
    assert!(closing(&[("close-session", "false")]).is_empty());
    // B is in the last packet of each object and nowhere else.
    let sent = sent(&[("toi-start", "1"), ("symbol-size", "1000")]);
    let flags: Vec<_> = of_objects(&sent).iter().map(|seen| (seen.toi(), seen.header.close_object)).collect();
    assert_eq!(flags, [(1, false), (1, true), (2, false), (2, true)]);
}

#[test]
fn test_flutesink_fdt_lifetime() {
    // NTP counts from 1900.
    let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() + 2_208_988_800;
    let before = now();
    let instance = first_instance(&sent(&[("fdt-lifetime", "100000000000")]));
    let expires = u64::from(instance.expires);
    assert!((before + 100..=now() + 101).contains(&expires), "{expires}");
}

#[test]
fn test_flutesink_fec_of_the_fdt() {
    let sent = sent(&[("fdt-fec", "rs8"), ("fdt-repair-percent", "100")]);
    let fdt = of_fdt(&sent);
    assert!(fdt.iter().all(|seen| seen.header.codepoint == 5));
    assert!(fdt.iter().any(|seen| seen.esi == 1), "one source symbol and one repair symbol");
    assert!(of_objects(&sent).iter().all(|seen| seen.header.codepoint == 0));
}

#[test]
fn test_flutesink_fec_of_a_pad() {
    let packets = session(
        &[("fec", "rs8"), ("rs-field-bits", "8"), ("symbols-per-packet", "2")],
        &[("fec", "rs2m"), ("repair-symbols", "2")],
        None,
    );
    assert!(packets.iter().all(|packet| packet.len() <= 1472), "two symbols share a packet");
    assert!(of_objects(&seen(&packets)).iter().all(|seen| seen.header.codepoint == 2));
    assert_eq!(Session::of(&packets).objects.len(), 2);
}

#[test]
fn test_flutesink_attributes_of_the_instance() {
    let instance = first_instance(&sent(&[
        ("group", "news"),
        ("base-url-1", "http://a.example/ http://b.example/"),
        ("base-url-2", "http://c.example/"),
        ("session-identity-expiry", "1:3900000000,2:3900003600"),
    ]));
    assert_eq!(instance.groups, ["news"]);
    assert_eq!(instance.base_url_1, ["http://a.example/", "http://b.example/"]);
    assert_eq!(instance.base_url_2, ["http://c.example/"]);
    assert_eq!(instance.session_identity_expiry, [(1, 3_900_000_000), (2, 3_900_003_600)]);
    assert!(!instance.full_fdt);
    // What is announced first is the whole table.
    assert!(first_instance(&sent(&[("full-fdt", "true")])).full_fdt);
}

#[test]
fn test_flutesink_attributes_of_files() {
    let meta = ObjectMeta {
        etag: Some("\"v1\"".into()),
        cache_control: Some(CacheControl::NoCache),
        groups: vec!["a".into(), "b".into()],
        ..Default::default()
    };
    let pad = [("cache-control", "expires=3900000000"), ("group", "pad")];
    let files = Session::of(&session(&[("md5", "true")], &pad, Some(meta))).files;
    assert_eq!(files[0].etag.as_deref(), Some("\"v1\""));
    assert_eq!(files[0].cache_control, Some(CacheControl::NoCache));
    assert_eq!(files[0].groups, ["a", "b"]);
    assert_eq!(files[1].etag, None);
    assert_eq!(files[1].cache_control, Some(CacheControl::Expires(3_900_000_000)));
    assert_eq!(files[1].groups, ["pad"]);
    assert!(files.iter().all(|file| file.content_md5 == Some(md5(&content(2000)))));
    assert!(Session::of(&session(&[], &[], None)).files.iter().all(|file| file.content_md5.is_none()));
}

#[test]
fn test_flutesink_files_have_a_digest_unless_told_otherwise() {
    let digests = |properties: &[(&str, &str)]| {
        let meta = ObjectMeta { from_file: true, ..Default::default() };
        let mut files = Session::of(&session(properties, &[], Some(meta))).files;
        files.sort_by(|a, b| a.content_location.cmp(&b.content_location));
        files.into_iter().map(|file| file.content_md5).collect::<Vec<_>>()
    };
    let digest = Some(md5(&content(2000)));
    // The second object is no file.
    assert_eq!(digests(&[]), [digest, None]);
    assert_eq!(digests(&[("md5-files", "false")]), [None, None]);
    assert_eq!(digests(&[("md5-files", "false"), ("md5", "true")]), [digest, digest]);
}

#[test]
fn test_flutesink_attributes_of_3gpp_and_dvb() {
    let alternate =
        |location: &str| AlternateContentLocation { locations: vec![location.into()], availability_time: None };
    let extensions = Extensions {
        session_identities: vec![7],
        decryption_key_uri: Some("http://a.example/key".into()),
        fec_redundancy_level: Some(30),
        alternate_content_location_1: vec![alternate("http://a.example/1")],
        alternate_content_location_2: vec![alternate("http://b.example/2")],
        independent_unit_positions: vec![0, 1000],
        ..Default::default()
    };
    let meta = ObjectMeta { extensions: extensions.clone(), ..Default::default() };
    let file = &Session::of(&session(&[], &[], Some(meta))).files[0];
    assert_eq!(file.session_identities, [7]);
    assert_eq!(file.decryption_key_uri, extensions.decryption_key_uri);
    assert_eq!(file.fec_redundancy_level, Some(30));
    assert_eq!(file.alternate_content_location_1, extensions.alternate_content_location_1);
    assert_eq!(file.alternate_content_location_2, extensions.alternate_content_location_2);
    assert_eq!(file.independent_unit_positions, [0, 1000]);

    // The receiver checks it.
    let digest = Some(MessageDigest { algorithm: "sha-256".into(), value: Sha256::digest(content(2000)).to_vec() });
    let extensions = Extensions {
        expires: Some(gst::ClockTime::from_seconds(1_900_000_000)),
        content_digest: digest.clone(),
        signatures: vec![Signature { scope: "@@TOI".into(), value: vec![2; 64], ..Default::default() }],
        ..Default::default()
    };
    let meta = ObjectMeta { extensions: extensions.clone(), ..Default::default() };
    let file = &Session::of(&session(&[("profile", "dvb-mabr")], &[], Some(meta))).files[0];
    assert_eq!(file.expires.map(u64::from), Some(1_900_000_000 + 2_208_988_800));
    assert_eq!(file.content_digest, digest);
    assert_eq!(file.signatures, extensions.signatures);
}

#[test]
fn test_flutesink_content_encodings() {
    // What HTTP calls deflate is ZLIB (RFC 2616 §3.5).
    for (encoding, name) in [("zlib", "deflate"), ("deflate", "deflate"), ("gzip", "gzip")] {
        let packets = session(&[("content-encoding", encoding)], &[], None);
        let session = Session::of(&packets);
        assert!(session.files.iter().all(|file| file.content_encoding.as_deref() == Some(name)), "{encoding}");
        assert!(session.files.iter().all(|file| file.content_length == Some(2000) && file.transfer_length.is_some()));
        assert!(session.objects.iter().all(|object| object.bytes == content(2000)), "{encoding}");
    }
    let plain = Session::of(&session(&[("content-encoding", "gzip")], &[("content-encoding", "none")], None));
    assert!(plain.files.iter().all(|file| file.content_encoding.is_none()), "a pad decides for itself");
}

#[test]
fn test_flutesink_profiles() {
    let namespaces = [
        ("rfc6726", 2, "urn:ietf:params:xml:ns:fdt"),
        ("rfc3926", 1, "urn:IETF:metadata:2005:FLUTE:FDT"),
        ("mbms", 1, "urn:IETF:metadata:2005:FLUTE:FDT"),
        ("mbms-2022", 1, "urn:3GPP:metadata:2022:FLUTE:FDT"),
        ("dvb-mabr", 1, "urn:3GPP:metadata:2022:FLUTE:FDT"),
    ];
    for (profile, version, namespace) in namespaces {
        let packets = session(&[("profile", profile)], &[], None);
        let seen = seen(&packets);
        assert!(of_fdt(&seen).iter().all(|seen| seen.fdt.unwrap().flute_version == version), "{profile}");
        let document = document_of(of_fdt(&seen)[0]);
        assert!(document.contains(&format!("xmlns=\"{namespace}\"")), "{document}");
        assert_eq!(Session::of(&packets).objects.len(), 2, "{profile}");
    }
}
