// SPDX-License-Identifier: MPL-2.0

//! FDT Instances of other senders, and our own under the eyes of another XML implementation.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use flute_proto::alc::Packet;
use flute_proto::content::{ContentEncoding, DecodeLimits, decode};
use flute_proto::fdt::{
    AlternateContentLocation, CacheControl, FdtInstance, File, MessageDigest, Parsed, ReadLimits, Signature,
};
use flute_proto::lct::{Revision, Toi};
use flute_proto::oti::{FecEncodingId, OtiAttributes};
use flute_proto::profile::Profile;

fn read(document: &[u8]) -> Parsed {
    FdtInstance::from_xml(document, &ReadLimits::default()).unwrap()
}

fn toi(number: u128) -> Toi {
    Toi::new(number).unwrap()
}

/// A file with everything that the schema of 2005 with its extensions has.
fn full_file() -> File {
    let alternate = AlternateContentLocation {
        locations: vec!["a.bin".to_owned(), "b.bin?x=1&y=2".to_owned()],
        availability_time: Some("2030-01-01T00:00:00Z".to_owned()),
    };
    let digest = MessageDigest { algorithm: "sha-256".to_owned(), value: vec![1; 32] };
    File {
        content_location: "http://example.com/a.bin?b=1&c=2#3".to_owned(),
        // As long as libxml2 takes integers to be: 24 digits.
        toi: toi(1 << 79),
        content_length: Some(u64::MAX),
        transfer_length: Some(1 << 48),
        content_type: Some("text/plain; charset=\"utf-8\"".to_owned()),
        content_encoding: Some("gzip".to_owned()),
        content_md5: Some([0xFF; 16]),
        oti: full_oti(),
        etag: Some("\"<x>\"".to_owned()),
        cache_control: Some(CacheControl::Expires(3_900_000_000)),
        groups: vec!["a & b".to_owned(), "c".to_owned()],
        session_identities: vec![0, 255],
        decryption_key_uri: Some("http://example.com/key".to_owned()),
        fec_redundancy_level: Some(20),
        alternate_content_location_1: vec![alternate.clone(), AlternateContentLocation::default()],
        alternate_content_location_2: vec![alternate],
        independent_unit_positions: vec![0, 5, u64::MAX],
        expires: None,
        content_digest: Some(digest.clone()),
        repr_digest: Some(digest),
        signatures: vec![Signature {
            scope: "@@TOI,@@Content-Digest".to_owned(),
            created: Some(1),
            expires: Some(2),
            algorithm: Some("ecdsa-p256-sha256".to_owned()),
            key_uri: Some("http://example.com/key".to_owned()),
            key_id: Some(vec![0xAB, 0xCD]),
            value: vec![7; 64],
        }],
    }
}

fn full_oti() -> OtiAttributes {
    OtiAttributes {
        encoding_id: Some(FecEncodingId::SMALL_BLOCK_SYSTEMATIC),
        instance_id: Some(0),
        max_source_block_length: Some(64),
        symbol_size: Some(1400),
        max_encoding_symbols: Some(80),
        scheme_specific_info: Some(vec![0, 1, 1, 4]),
    }
}

/// Instances from the least to the most that the schemas can say.
fn instances() -> Vec<FdtInstance> {
    let least = FdtInstance {
        expires: 3_900_000_000,
        files: vec![File { content_location: "a".to_owned(), toi: toi(1), ..File::default() }],
        ..FdtInstance::default()
    };
    let full = FdtInstance {
        expires: u32::MAX,
        complete: true,
        full_fdt: true,
        content_type: Some("video/mp4".to_owned()),
        content_encoding: Some("deflate".to_owned()),
        oti: full_oti(),
        groups: vec!["g".to_owned()],
        base_url_1: vec!["http://r.example.com/".to_owned(), "http://s.example.com/".to_owned()],
        base_url_2: vec!["http://t.example.com/".to_owned()],
        session_identity_expiry: vec![(93, 3_900_000_000), (94, 0)],
        files: vec![
            full_file(),
            File { cache_control: Some(CacheControl::NoCache), ..least.files[0].clone() },
            File { cache_control: Some(CacheControl::MaxStale), ..least.files[0].clone() },
            least.files[0].clone(),
        ],
    };
    vec![least, full]
}

/// What libxml2 says against a document. `None`, which a test is to be skipped for, where there is no xmllint; that is
/// said on stderr.
fn complaints(document: &str, schema: &Path) -> Option<String> {
    let child = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .arg(schema)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: there is no xmllint");
        return None;
    };
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    Some(if output.status.success() { String::new() } else { format!("{stderr}{document}") })
}

fn assert_valid(profile: Profile, schema: &Path) {
    if !schema.exists() {
        eprintln!("skipped: there is no {}", schema.display());
        return;
    }
    for instance in instances() {
        let xml = instance.to_xml(profile).unwrap();
        let Some(found) = complaints(&xml, schema) else { return };
        assert_eq!(found, "");
        // The validator does look.
        assert_ne!(complaints(&xml.replace("TOI=", "TIO="), schema).unwrap(), "");
        assert_eq!(read(xml.as_bytes()).instance, instance);
    }
}

#[test]
fn valid_by_rfc6726() {
    assert_valid(Profile::Rfc6726, &support::shared().join("specs/xsd/rfc6726-fdt.xsd"));
}

#[test]
fn valid_by_ts26346() {
    assert_valid(Profile::Mbms, &support::shared().join("specs/xsd/FLUTE-FDT-3GPP-Main.xsd"));
}

/// TS 26.346 7.2.10.3: the schema of RFC 3926 repaired, which is the main schema of 3GPP without its imports.
#[test]
fn valid_by_rfc3926() {
    let main = support::shared().join("specs/xsd/FLUTE-FDT-3GPP-Main.xsd");
    let Ok(main) = fs::read_to_string(&main) else {
        eprintln!("skipped: there is no {}", main.display());
        return;
    };
    // Tags, without those that import or refer to another namespace.
    let plain: String = main
        .split_inclusive('>')
        .filter(|tag| !["xs:import", "ref=\"sv:", "ref=\"mbms"].iter().any(|foreign| tag.contains(foreign)))
        .collect();
    let plain = plain
        .replace("mbms2005:groupIdType", "xs:string")
        .replace("mbms2005:MBMS-Session-Identity-Expiry-Type", "xs:anyType")
        .replace("mbms2005:MBMS-Session-Identity-Type", "xs:unsignedByte");
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("rfc3926.xsd");
    fs::write(&schema, plain).unwrap();
    assert_valid(Profile::Rfc3926, &schema);
}

#[test]
fn the_example_of_release_16() {
    let path = support::shared().join("specs/xsd/example-valid-rel16.xml");
    let Ok(document) = fs::read(&path) else {
        eprintln!("skipped: there is no {}", path.display());
        return;
    };
    let parsed = read(&document);
    assert_eq!(parsed.rejected, []);
    let expected = FdtInstance {
        expires: 3_900_000_000,
        full_fdt: true,
        oti: OtiAttributes {
            encoding_id: Some(FecEncodingId::NO_CODE),
            max_source_block_length: Some(64),
            symbol_size: Some(1400),
            ..OtiAttributes::default()
        },
        groups: vec!["g".to_owned()],
        base_url_1: vec!["http://r.example.com/".to_owned()],
        session_identity_expiry: vec![(93, 3_900_000_000)],
        files: vec![File {
            content_location: "http://example.com/a.bin".to_owned(),
            toi: toi(1),
            content_length: Some(10),
            content_type: Some("application/octet-stream".to_owned()),
            etag: Some("x".to_owned()),
            fec_redundancy_level: Some(20),
            independent_unit_positions: vec![0, 5],
            cache_control: Some(CacheControl::NoCache),
            alternate_content_location_1: vec![AlternateContentLocation {
                locations: vec!["a.bin".to_owned()],
                availability_time: Some("2030-01-01T00:00:00Z".to_owned()),
            }],
            groups: vec!["g".to_owned()],
            session_identities: vec![93],
            ..File::default()
        }],
        ..FdtInstance::default()
    };
    assert_eq!(parsed.instance, expected);
}

/// The FDT Instances of a capture, put together from their source symbols and decoded, by destination port, TSI and FDT
/// Instance ID.
fn captured_instances(capture: &str) -> Option<BTreeMap<(u16, u64, u32), Vec<u8>>> {
    let datagrams = support::datagrams(capture)?;
    let mut symbols = BTreeMap::<_, BTreeMap<u32, &[u8]>>::new();
    let mut lengths = BTreeMap::new();
    for datagram in &datagrams {
        let packet = Packet::decode(&datagram.payload, Revision::default()).unwrap();
        let (Some(fdt), Some(payload)) = (packet.fdt, packet.payload) else { continue };
        let oti = packet.oti().unwrap().unwrap();
        let id = oti.payload_id_format().unwrap().decode(payload.id).unwrap();
        let key = (datagram.destination.port(), packet.header.tsi.unwrap().get(), fdt.instance_id);
        let encoding = ContentEncoding::from_cenc(packet.content_encoding.unwrap_or(0)).unwrap();
        lengths.insert(key, (oti.parameters.transfer_length as usize, encoding));
        assert_eq!(id.source_block, 0, "an FDT Instance of several source blocks");
        symbols.entry(key).or_default().insert(id.esi, payload.symbols);
    }
    let documents = symbols.into_iter().map(|(key, symbols)| {
        let (length, encoding) = lengths[&key];
        let mut bytes = symbols.into_values().collect::<Vec<_>>().concat();
        bytes.truncate(length);
        (key, decode(encoding, &bytes, DecodeLimits::default()).unwrap())
    });
    Some(documents.collect())
}

/// Every object that the capture is known to hold is described, and no entry is rejected.
#[test]
fn instances_of_other_senders() {
    let expected = support::shared().join("captures/expected.json");
    let Ok(expected) = fs::read(&expected) else {
        eprintln!("skipped: there is no {}", expected.display());
        return;
    };
    let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
    for (capture, objects) in expected.as_object().unwrap() {
        let Some(documents) = captured_instances(capture) else { return };
        let mut described = BTreeSet::new();
        for ((port, tsi, instance_id), document) in documents {
            let parsed = read(&document);
            assert_eq!(parsed.rejected, [], "{capture}, instance {instance_id}");
            assert_ne!(parsed.instance.expires, 0);
            for file in parsed.instance.files {
                let oti = file.oti.or(&parsed.instance.oti);
                assert!(oti.encoding_id.is_some() && oti.symbol_size.is_some(), "{capture}: {}", file.content_location);
                let length = file.content_length.unwrap();
                described.insert((u64::from(port), tsi, file.toi.get() as u64, file.content_location, length));
            }
        }
        for object in objects.as_array().unwrap() {
            let number = |name: &str| object[name].as_u64().unwrap();
            let location = object["location"].as_str().unwrap().to_owned();
            let object = (number("port"), number("tsi"), number("toi"), location, number("length"));
            assert!(described.contains(&object), "{capture}: {object:?} is not among {described:?}");
        }
    }
}
