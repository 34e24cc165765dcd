// SPDX-License-Identifier: MPL-2.0

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::*;
use crate::fdt::{Parsed, ReadLimits};
use crate::lct::Toi;
use crate::oti::FecEncodingId;

/// A file as senders of media describe them, and an instance with it.
fn instance() -> FdtInstance {
    let oti = OtiAttributes {
        encoding_id: Some(FecEncodingId::RAPTOR),
        max_source_block_length: Some(64),
        symbol_size: Some(1400),
        scheme_specific_info: Some(vec![0, 1, 1, 4]),
        ..OtiAttributes::default()
    };
    FdtInstance {
        expires: 3_900_000_000,
        oti: oti.clone(),
        files: vec![File {
            content_location: "http://example.com/a?b=1&c=\"2\"".to_owned(),
            toi: Toi::new(7).unwrap(),
            content_length: Some(10),
            content_type: Some("video/mp4".to_owned()),
            content_md5: Some(*b"\x90\x01\x50\x98\x3C\xD2\x4F\xB0\xD6\x96\x3F\x7D\x28\xE1\x7F\x72"),
            oti,
            etag: Some("\"x\"".to_owned()),
            cache_control: Some(CacheControl::Expires(3_900_000_001)),
            ..File::default()
        }],
        ..FdtInstance::default()
    }
}

const OTI: &str = r#"FEC-OTI-FEC-Encoding-ID="1" FEC-OTI-Maximum-Source-Block-Length="64" FEC-OTI-Encoding-Symbol-Length="1400" FEC-OTI-Scheme-Specific-Info="AAEBBA==""#;
const FILE: &str = r#"Content-Location="http://example.com/a?b=1&amp;c=&quot;2&quot;" TOI="7" Content-Length="10" Content-Type="video/mp4" Content-MD5="kAFQmDzST7DWlj99KOF/cg==""#;

#[test]
fn rfc6726() {
    let expected = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<FDT-Instance xmlns="urn:ietf:params:xml:ns:fdt" Expires="3900000000" {OTI}><File {FILE} {OTI} xmlns:mbms2012="urn:3GPP:metadata:2012:MBMS:FLUTE:FDT" mbms2012:File-ETag="&quot;x&quot;"><mbms2007:Cache-Control xmlns:mbms2007="urn:3GPP:metadata:2007:MBMS:FLUTE:FDT"><mbms2007:Expires>3900000001</mbms2007:Expires></mbms2007:Cache-Control></File></FDT-Instance>"#
    );
    assert_eq!(instance().to_xml(Profile::Rfc6726).unwrap(), expected);
    let rfc3926 = expected.replace("urn:ietf:params:xml:ns:fdt", "urn:IETF:metadata:2005:FLUTE:FDT");
    assert_eq!(instance().to_xml(Profile::Rfc3926).unwrap(), rfc3926);
}

#[test]
fn mbms() {
    let expected = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<FDT-Instance xmlns="urn:IETF:metadata:2005:FLUTE:FDT" xmlns:mbms2007="urn:3GPP:metadata:2007:MBMS:FLUTE:FDT" xmlns:mbms2008="urn:3GPP:metadata:2008:MBMS:FLUTE:FDT_ext" xmlns:mbms2009="urn:3GPP:metadata:2009:MBMS:FLUTE:FDT_ext" xmlns:mbms2012="urn:3GPP:metadata:2012:MBMS:FLUTE:FDT" xmlns:mbms2015="urn:3GPP:metadata:2015:MBMS:FLUTE:FDT" xmlns:sv="urn:3gpp:metadata:2009:MBMS:schemaVersion" Expires="3900000000" {OTI}><File {FILE} {OTI} mbms2012:File-ETag="&quot;x&quot;"><mbms2007:Cache-Control><mbms2007:Expires>3900000001</mbms2007:Expires></mbms2007:Cache-Control><sv:delimiter>0</sv:delimiter><sv:delimiter>0</sv:delimiter></File><sv:schemaVersion>4</sv:schemaVersion><sv:delimiter>0</sv:delimiter></FDT-Instance>"#
    );
    assert_eq!(instance().to_xml(Profile::Mbms).unwrap(), expected);
}

#[test]
fn consolidated() {
    let expected = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<FDT-Instance xmlns="urn:3GPP:metadata:2022:FLUTE:FDT" Expires="3900000000" {OTI}><File {FILE} {OTI} File-ETag="&quot;x&quot;"><Cache-Control><Expires>3900000001</Expires></Cache-Control></File><schemaVersion>2</schemaVersion></FDT-Instance>"#
    );
    assert_eq!(instance().to_xml(Profile::Mbms2022).unwrap(), expected);
    let dvb =
        expected.replace("FLUTE:FDT\"", "FLUTE:FDT\" xmlns:dvb=\"urn:dvb:metadata:ExtendedFileDeliveryTable:2022\"");
    assert_eq!(instance().to_xml(Profile::DvbMabr).unwrap(), dvb);
}

#[test]
fn a_table_is_put_together_from_its_files() {
    let mut table = instance();
    table.files.push(File { content_location: "b".to_owned(), toi: Toi::new(8).unwrap(), ..File::default() });
    for profile in Profile::ALL {
        let rendered: Vec<_> = table
            .files
            .iter()
            .map(|file| {
                let mut xml = String::new();
                file.render(profile, &mut xml).unwrap();
                xml
            })
            .collect();
        let header = FdtInstance { files: vec![], ..table.clone() };
        assert_eq!(header.assemble(profile, &rendered), table.to_xml(profile));
    }
}

#[test]
fn what_a_schema_has_no_words_for() {
    let refused = |profile: Profile, file: File| match file.render(profile, &mut String::new()) {
        Err(WriteError::Inexpressible { name, clause }) => Some((name, clause)),
        other => other.map(|()| None).unwrap(),
    };
    let expires = File { expires: Some(1), ..File::default() };
    assert_eq!(refused(Profile::Rfc6726, expires.clone()), Some(("File/@Expires", "RFC 6726 §3.4.2")));
    assert_eq!(refused(Profile::Mbms, expires.clone()), Some(("File/@Expires", "TS 26.346 7.2.10")));
    assert_eq!(refused(Profile::Mbms2022, expires), None);
    for (name, file) in [
        ("Group", File { groups: vec![String::new()], ..File::default() }),
        ("MBMS-Session-Identity", File { session_identities: vec![1], ..File::default() }),
        ("Decryption-KEY-URI", File { decryption_key_uri: Some(String::new()), ..File::default() }),
        ("IndependentUnitPositions", File { independent_unit_positions: vec![1], ..File::default() }),
        (
            "Alternate-Content-Location-1",
            File { alternate_content_location_1: vec![AlternateContentLocation::default()], ..File::default() },
        ),
    ] {
        assert_eq!(refused(Profile::Mbms2022, file.clone()), Some((name, "TS 26.346 L.6")));
        assert_eq!(refused(Profile::DvbMabr, file.clone()), Some((name, "TS 103 769 F.2.5")));
        assert_eq!(refused(Profile::Mbms, file.clone()), None);
        assert_eq!(refused(Profile::Rfc6726, file), None);
    }
    let digest = MessageDigest { algorithm: "sha-256".to_owned(), value: vec![1] };
    let digests = File { content_digest: Some(digest), ..File::default() };
    assert_eq!(refused(Profile::Mbms2022, digests.clone()), Some(("Content-Digest", "TS 26.346 L.6")));
    assert_eq!(refused(Profile::DvbMabr, digests), None);
    let signed = File { signatures: vec![Signature::default()], ..File::default() };
    assert_eq!(refused(Profile::Mbms2022, signed), Some(("Signature", "TS 26.346 L.6")));
}

/// A profile must forbid what its schema cannot say, so that a sender hears of it when it is configured.
#[test]
fn profiles_forbid_what_their_schemas_lack() {
    let digest = Some(MessageDigest { algorithm: "sha-256".to_owned(), value: vec![1] });
    let alternates = vec![AlternateContentLocation::default()];
    for file in [
        File { expires: Some(1), ..File::default() },
        File { groups: vec![String::new()], ..File::default() },
        File { session_identities: vec![1], ..File::default() },
        File { decryption_key_uri: Some(String::new()), ..File::default() },
        File { fec_redundancy_level: Some(1), ..File::default() },
        File { independent_unit_positions: vec![1], ..File::default() },
        File { alternate_content_location_1: alternates.clone(), ..File::default() },
        File { alternate_content_location_2: alternates, ..File::default() },
        File { content_digest: digest.clone(), ..File::default() },
        File { repr_digest: digest, ..File::default() },
        File { signatures: vec![Signature::default()], ..File::default() },
    ] {
        let file = File { content_type: Some(String::new()), content_length: Some(0), ..file };
        for profile in Profile::ALL {
            let written = file.render(profile, &mut String::new());
            assert!(written.is_ok() || profile.check_file(&file).is_err(), "{profile}: {file:?}");
        }
    }
    for instance in [
        FdtInstance { full_fdt: true, ..FdtInstance::default() },
        FdtInstance { groups: vec![String::new()], ..FdtInstance::default() },
        FdtInstance { base_url_1: vec![String::new()], ..FdtInstance::default() },
        FdtInstance { base_url_2: vec![String::new()], ..FdtInstance::default() },
        FdtInstance { session_identity_expiry: vec![(1, 1)], ..FdtInstance::default() },
    ] {
        for profile in Profile::ALL {
            let written = instance.to_xml(profile);
            assert!(written.is_ok() || profile.check_instance(&instance).is_err(), "{profile}: {instance:?}");
        }
    }
}

#[test]
fn characters_that_xml_cannot_carry() {
    for character in ['\0', '\u{1}', '\u{1F}', '\u{FFFE}', '\u{FFFF}'] {
        let file = File { content_location: format!("a{character}b"), ..File::default() };
        let error = file.render(Profile::Rfc6726, &mut String::new());
        assert_eq!(error, Err(WriteError::Character { name: "Content-Location", character }));
        let file = File { groups: vec![character.to_string()], ..File::default() };
        let error = file.render(Profile::Rfc6726, &mut String::new());
        assert_eq!(error, Err(WriteError::Character { name: "Group", character }));
    }
    let digest = MessageDigest { algorithm: "sha\"".to_owned(), value: vec![] };
    let file = File { content_digest: Some(digest), ..File::default() };
    assert_eq!(file.render(Profile::Rfc6726, &mut String::new()), Err(WriteError::DigestAlgorithm("sha\"".to_owned())));
}

/// Any text that XML can carry.
fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..12).prop_map(|characters| {
        let carried = |c: &char| *c >= ' ' && !['\u{FFFE}', '\u{FFFF}'].contains(c) || "\t\r\n".contains(*c);
        characters.into_iter().filter(carried).collect()
    })
}

/// Text with a good share of what XML escapes and normalises.
fn markup() -> impl Strategy<Value = String> {
    prop_oneof![text(), "[ \t\r\n<>&\"';\\]a]{0,12}"]
}

/// What stands in elements of a URI type, whose surrounding whitespace does not count.
fn uri() -> impl Strategy<Value = String> {
    markup().prop_map(|text| text.trim_ascii().to_owned())
}

fn oti() -> impl Strategy<Value = OtiAttributes> {
    (
        of(any::<u8>()),
        of(any::<u64>()),
        of(any::<u64>()),
        of(any::<u64>()),
        of(any::<u64>()),
        of(vec(any::<u8>(), 0..9)),
    )
        .prop_map(|(id, instance_id, max_source_block_length, symbol_size, max_encoding_symbols, info)| {
            OtiAttributes {
                encoding_id: id.map(FecEncodingId),
                instance_id,
                max_source_block_length,
                symbol_size,
                max_encoding_symbols,
                scheme_specific_info: info,
            }
        })
}

fn cache_control() -> impl Strategy<Value = CacheControl> {
    prop_oneof![Just(CacheControl::NoCache), Just(CacheControl::MaxStale), any::<u32>().prop_map(CacheControl::Expires)]
}

fn alternate() -> impl Strategy<Value = AlternateContentLocation> {
    (vec(uri(), 0..3), of(uri()))
        .prop_map(|(locations, availability_time)| AlternateContentLocation { locations, availability_time })
}

fn digest() -> impl Strategy<Value = MessageDigest> {
    ("[a-z][-_.*a-z0-9]{0,8}", vec(any::<u8>(), 0..40))
        .prop_map(|(algorithm, value)| MessageDigest { algorithm, value })
}

fn signature() -> impl Strategy<Value = Signature> {
    let key = (of(markup()), of(vec(any::<u8>(), 0..9)));
    (markup(), of(any::<u64>()), of(any::<u64>()), of(markup()), key, vec(any::<u8>(), 1..40)).prop_map(
        |(scope, created, expires, algorithm, (key_uri, key_id), value)| Signature {
            scope,
            created,
            expires,
            algorithm,
            key_uri,
            key_id,
            value,
        },
    )
}

prop_compose! {
    /// What all schemas can say of a file.
    fn plain_file()(
        content_location in markup().prop_filter("a name", |name| !name.trim_ascii().is_empty()),
        toi in 1_u128..1 << 112,
        (content_length, transfer_length) in any::<(Option<u64>, Option<u64>)>(),
        (content_type, content_encoding, etag) in (of(markup()), of(markup()), of(markup())),
        (content_md5, fec_redundancy_level) in any::<(Option<[u8; 16]>, Option<u32>)>(),
        oti in oti(),
        cache_control in of(cache_control()),
    ) -> File {
        File {
            content_location,
            toi: Toi::new(toi).unwrap(),
            content_length,
            transfer_length,
            content_type,
            content_encoding,
            content_md5,
            oti,
            etag,
            cache_control,
            fec_redundancy_level,
            ..File::default()
        }
    }
}

prop_compose! {
    /// What the schemas of 2005 and the RFCs can say of a file.
    fn file()(
        plain in plain_file(),
        groups in vec(markup(), 0..3),
        session_identities in vec(any::<u8>(), 0..3),
        decryption_key_uri in of(markup()),
        (alternate_content_location_1, alternate_content_location_2) in (vec(alternate(), 0..3), vec(alternate(), 0..3)),
        independent_unit_positions in vec(any::<u64>(), 0..4),
        (content_digest, repr_digest) in (of(digest()), of(digest())),
        signatures in vec(signature(), 0..3),
    ) -> File {
        File {
            groups,
            session_identities,
            decryption_key_uri,
            alternate_content_location_1,
            alternate_content_location_2,
            independent_unit_positions,
            content_digest,
            repr_digest,
            signatures,
            ..plain
        }
    }
}

prop_compose! {
    fn plain_instance(file: impl Strategy<Value = File>)(
        (expires, complete) in any::<(u32, bool)>(),
        (content_type, content_encoding) in (of(markup()), of(markup())),
        oti in oti(),
        files in vec(file, 0..4),
    ) -> FdtInstance {
        FdtInstance { expires, complete, content_type, content_encoding, oti, files, ..FdtInstance::default() }
    }
}

prop_compose! {
    fn full_instance()(
        plain in plain_instance(file()),
        full_fdt: bool,
        groups in vec(markup(), 0..3),
        (base_url_1, base_url_2) in (vec(uri(), 0..3), vec(uri(), 0..3)),
        session_identity_expiry in vec(any::<(u8, u32)>(), 0..3),
    ) -> FdtInstance {
        FdtInstance { full_fdt, groups, base_url_1, base_url_2, session_identity_expiry, ..plain }
    }
}

fn read(xml: &str) -> Parsed {
    FdtInstance::from_xml(xml.as_bytes(), &ReadLimits::default()).unwrap()
}

proptest! {
    #[test]
    fn reading_undoes_writing(instance in full_instance()) {
        for profile in [Profile::Rfc6726, Profile::Rfc3926, Profile::Mbms] {
            let parsed = read(&instance.to_xml(profile).unwrap());
            prop_assert_eq!(&parsed.instance, &instance);
            prop_assert!(parsed.rejected.is_empty());
        }
    }

    #[test]
    fn reading_undoes_writing_the_consolidated_schema(
        instance in plain_instance((plain_file(), any::<Option<u32>>()).prop_map(|(file, expires)| File { expires, ..file })),
        digests in (of(digest()), of(digest())),
        signatures in vec(signature(), 0..3),
    ) {
        let parsed = read(&instance.to_xml(Profile::Mbms2022).unwrap());
        prop_assert_eq!(&parsed.instance, &instance);
        let mut extended = instance;
        for file in &mut extended.files {
            (file.content_digest, file.repr_digest) = digests.clone();
            file.signatures.clone_from(&signatures);
        }
        let parsed = read(&extended.to_xml(Profile::DvbMabr).unwrap());
        prop_assert_eq!(parsed.instance, extended);
    }
}
