// SPDX-License-Identifier: MPL-2.0

use proptest::prelude::*;

use super::attributes::wrong;
use super::*;
use crate::fdt::{AlternateContentLocation, CacheControl, File, MessageDigest, Signature};
use crate::oti::{FecEncodingId, OtiAttributes};

fn read(document: &str) -> Result<Parsed, FdtError> {
    FdtInstance::from_xml(document.as_bytes(), &ReadLimits::default())
}

/// The files of an instance with this content, and why others were rejected.
fn files(content: &str) -> (Vec<File>, Vec<FileError>) {
    let parsed = read(&format!(r#"<FDT-Instance Expires="1">{content}</FDT-Instance>"#)).unwrap();
    (parsed.instance.files, parsed.rejected.into_iter().map(|rejected| rejected.reason).collect())
}

fn only_file(content: &str) -> File {
    let (mut files, rejected) = files(content);
    assert_eq!(rejected, []);
    assert_eq!(files.len(), 1);
    files.remove(0)
}

fn toi(number: u128) -> Toi {
    Toi::new(number).unwrap()
}

#[test]
fn every_attribute_of_rfc6726() {
    // RFC 6726 §3.4.2, Figure 3.
    let parsed = read(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <FDT-Instance xmlns="urn:ietf:params:xml:ns:fdt" Expires="3900000000" Complete="1" Content-Type="video/mp4"
            Content-Encoding="gzip" FEC-OTI-FEC-Encoding-ID="129" FEC-OTI-FEC-Instance-ID="0"
            FEC-OTI-Maximum-Source-Block-Length="64" FEC-OTI-Encoding-Symbol-Length="1400"
            FEC-OTI-Max-Number-of-Encoding-Symbols="80" FEC-OTI-Scheme-Specific-Info="AAEBBA==">
          <File Content-Location="http://example.com/a?b=1&amp;c" TOI="5192296858534827628530496329220095"
            Content-Length="18446744073709551615" Transfer-Length="10" Content-Type="text/plain"
            Content-Encoding="deflate" Content-MD5="kAFQmDzST7DWlj99KOF/cg==" FEC-OTI-FEC-Encoding-ID="6"
            FEC-OTI-FEC-Instance-ID="1" FEC-OTI-Maximum-Source-Block-Length="2"
            FEC-OTI-Encoding-Symbol-Length="3" FEC-OTI-Max-Number-of-Encoding-Symbols="4"
            FEC-OTI-Scheme-Specific-Info="DwABBA=="/>
        </FDT-Instance>"#,
    );
    let expected = FdtInstance {
        expires: 3_900_000_000,
        complete: true,
        content_type: Some("video/mp4".to_owned()),
        content_encoding: Some("gzip".to_owned()),
        oti: OtiAttributes {
            encoding_id: Some(FecEncodingId(129)),
            instance_id: Some(0),
            max_source_block_length: Some(64),
            symbol_size: Some(1400),
            max_encoding_symbols: Some(80),
            scheme_specific_info: Some(vec![0, 1, 1, 4]),
        },
        files: vec![File {
            content_location: "http://example.com/a?b=1&c".to_owned(),
            toi: Toi::MAX,
            content_length: Some(u64::MAX),
            transfer_length: Some(10),
            content_type: Some("text/plain".to_owned()),
            content_encoding: Some("deflate".to_owned()),
            content_md5: Some(*b"\x90\x01\x50\x98\x3C\xD2\x4F\xB0\xD6\x96\x3F\x7D\x28\xE1\x7F\x72"),
            oti: OtiAttributes {
                encoding_id: Some(FecEncodingId(6)),
                instance_id: Some(1),
                max_source_block_length: Some(2),
                symbol_size: Some(3),
                max_encoding_symbols: Some(4),
                scheme_specific_info: Some(vec![15, 0, 1, 4]),
            },
            ..File::default()
        }],
        ..FdtInstance::default()
    };
    assert_eq!(parsed, Ok(Parsed { instance: expected, rejected: vec![] }));
}

#[test]
fn any_namespace_and_any_prefix() {
    for namespace in [
        "urn:ietf:params:xml:ns:fdt",
        "urn:IETF:metadata:2005:FLUTE:FDT",
        "http://www.example.com/flute",
        "urn:3GPP:metadata:2022:FLUTE:FDT",
        "urn:another:vendor",
    ] {
        let file = r#"File Content-Location="a" TOI="1""#;
        for document in [
            format!(r#"<FDT-Instance xmlns="{namespace}" Expires="1"><{file}/></FDT-Instance>"#),
            format!(r#"<f:FDT-Instance xmlns:f="{namespace}" Expires="1"><f:{file}></f:File></f:FDT-Instance>"#),
            // Another prefix for the same, and attributes that are qualified.
            format!(
                r#"<f:FDT-Instance xmlns:f="{namespace}" f:Expires="1">
                <g:File xmlns:g="{namespace}" g:Content-Location="a" f:TOI="1"/></f:FDT-Instance>"#
            ),
            // The schema of RFC 3926 as printed leaves local elements unqualified.
            format!(r#"<f:FDT-Instance xmlns:f="{namespace}" Expires="1"><{file}/></f:FDT-Instance>"#),
        ] {
            let parsed = read(&document).unwrap();
            assert_eq!(parsed.instance.files.len(), 1, "{document}");
            assert_eq!(parsed.instance.files[0].toi, toi(1));
        }
    }
}

#[test]
fn private_extensions_are_skipped() {
    let file = only_file(
        r#"<x:File xmlns:x="urn:x" Content-Location="not this one" TOI="9"/>
        <Surprise><File Content-Location="nor this one" TOI="8"/>&nbsp;</Surprise>
        <File Content-Location="a" TOI="1" xmlns:x="urn:x" x:TOI="7" x:Content-Length="z" undeclared:TOI="6" TOI2="5">
          <x:Group>x</x:Group><!-- <Group>comment</Group> --><?Group pi?><Group>g</Group>
        </File>"#,
    );
    assert_eq!(
        file,
        File { content_location: "a".to_owned(), toi: toi(1), groups: vec!["g".to_owned()], ..File::default() }
    );
}

#[test]
fn all_of_3gpp_in_any_order() {
    let parsed = read(
        r#"<FDT-Instance xmlns="urn:IETF:metadata:2005:FLUTE:FDT" xmlns:a="urn:3GPP:metadata:2007:MBMS:FLUTE:FDT"
            xmlns:b="urn:3GPP:metadata:2008:MBMS:FLUTE:FDT_ext" xmlns:c="urn:3GPP:metadata:2009:MBMS:FLUTE:FDT_ext"
            xmlns:d="urn:3GPP:metadata:2012:MBMS:FLUTE:FDT" xmlns:e="urn:3GPP:metadata:2015:MBMS:FLUTE:FDT"
            xmlns:sv="urn:3GPP:metadata:2009:MBMS:schemaVersion" Expires="3900000000" b:FullFDT="true">
          <MBMS-Session-Identity-Expiry value="3900000001">93</MBMS-Session-Identity-Expiry>
          <sv:schemaVersion>4</sv:schemaVersion>
          <d:Base-URL-2> http://two.example.com/ </d:Base-URL-2>
          <File TOI="1" Content-Location="a" d:File-ETag="&quot;x&quot;" d:FEC-Redundancy-Level="20"
              e:IndependentUnitPositions="0 5 &#10; 9" c:Decryption-KEY-URI="http://key">
            <MBMS-Session-Identity>93</MBMS-Session-Identity>
            <MBMS-Session-Identity>256</MBMS-Session-Identity>
            <d:Alternate-Content-Location-2/>
            <Group>g &lt; h</Group>
            <sv:delimiter>0</sv:delimiter>
            <d:Alternate-Content-Location-1 Availability-Time="2030-01-01T00:00:00Z">
              <d:Alternate-Content-Location>a.bin</d:Alternate-Content-Location>
              <d:Alternate-Content-Location>b.bin</d:Alternate-Content-Location>
            </d:Alternate-Content-Location-1>
            <a:Cache-Control><a:Expires>3900000002</a:Expires></a:Cache-Control>
          </File>
          <Group><![CDATA[<all>]]></Group>
          <d:Base-URL-1>http://one.example.com/</d:Base-URL-1>
        </FDT-Instance>"#,
    );
    let expected = FdtInstance {
        expires: 3_900_000_000,
        full_fdt: true,
        groups: vec!["<all>".to_owned()],
        base_url_1: vec!["http://one.example.com/".to_owned()],
        base_url_2: vec!["http://two.example.com/".to_owned()],
        session_identity_expiry: vec![(93, 3_900_000_001)],
        files: vec![File {
            content_location: "a".to_owned(),
            toi: toi(1),
            etag: Some("\"x\"".to_owned()),
            cache_control: Some(CacheControl::Expires(3_900_000_002)),
            groups: vec!["g < h".to_owned()],
            session_identities: vec![93],
            decryption_key_uri: Some("http://key".to_owned()),
            fec_redundancy_level: Some(20),
            alternate_content_location_1: vec![AlternateContentLocation {
                locations: vec!["a.bin".to_owned(), "b.bin".to_owned()],
                availability_time: Some("2030-01-01T00:00:00Z".to_owned()),
            }],
            alternate_content_location_2: vec![AlternateContentLocation::default()],
            independent_unit_positions: vec![0, 5, 9],
            ..File::default()
        }],
        ..FdtInstance::default()
    };
    assert_eq!(parsed, Ok(Parsed { instance: expected, rejected: vec![] }));
}

#[test]
fn consolidated_schema_and_dvb() {
    // TS 26.346 L.6: everything in one namespace. TS 103 769 F.2.3, F.2.4: digests and signatures.
    let parsed = read(
        r#"<FDT-Instance xmlns="urn:3GPP:metadata:2022:FLUTE:FDT" Expires="1"
            xmlns:dvb="urn:dvb:metadata:ExtendedFileDeliveryTable:2022">
          <File TOI="1" Content-Location="s.m4s?isLast#154360" File-ETag="x" FEC-Redundancy-Level="5" Expires="7"
              Content-Digest="sha-256=:AQID:" dvb:Repr-Digest="sha-512=:BAUG:">
            <Cache-Control><no-cache>true</no-cache></Cache-Control>
            <dvb:Signature scope="@@TOI,@@Content-Digest" created="5" expires="6" algorithm="ecdsa-p256-sha256"
              keyId="00aBfF"> BwgJ </dvb:Signature>
            <Signature scope="@@TOI" keyUri="http://key">Cg==</Signature>
            <Signature scope="@@TOI">not base64</Signature>
          </File>
          <schemaVersion>2</schemaVersion>
        </FDT-Instance>"#,
    )
    .unwrap();
    let file = &parsed.instance.files[0];
    assert_eq!((file.etag.as_deref(), file.fec_redundancy_level, file.expires), (Some("x"), Some(5), Some(7)));
    assert_eq!(file.cache_control, Some(CacheControl::NoCache));
    let digest = |algorithm: &str, value: &[u8]| {
        Some(MessageDigest { algorithm: algorithm.to_owned(), value: value.to_owned() })
    };
    assert_eq!(file.content_digest, digest("sha-256", &[1, 2, 3]));
    assert_eq!(file.repr_digest, digest("sha-512", &[4, 5, 6]));
    assert_eq!(
        file.signatures,
        [
            Signature {
                scope: "@@TOI,@@Content-Digest".to_owned(),
                created: Some(5),
                expires: Some(6),
                algorithm: Some("ecdsa-p256-sha256".to_owned()),
                key_uri: None,
                key_id: Some(vec![0x00, 0xAB, 0xFF]),
                value: vec![7, 8, 9],
            },
            Signature {
                scope: "@@TOI".to_owned(),
                key_uri: Some("http://key".to_owned()),
                value: vec![10],
                ..Signature::default()
            },
        ]
    );
}

#[test]
fn cache_control() {
    let control = |content: &str| {
        only_file(&format!(
            r#"<File TOI="1" Content-Location="a"><m:Cache-Control xmlns:m="urn:3GPP:metadata:2007:MBMS:FLUTE:FDT">
            {content}</m:Cache-Control></File>"#
        ))
        .cache_control
    };
    assert_eq!(control("<m:no-cache>true</m:no-cache>"), Some(CacheControl::NoCache));
    assert_eq!(control("<m:max-stale> 1 </m:max-stale>"), Some(CacheControl::MaxStale));
    assert_eq!(control("<m:Expires>5</m:Expires>"), Some(CacheControl::Expires(5)));
    assert_eq!(control("<m:no-cache>false</m:no-cache>"), None);
    assert_eq!(control("<m:Expires>soon</m:Expires>"), None);
    assert_eq!(control(""), None);
}

#[test]
fn a_bad_entry_costs_that_entry() {
    let good = |number: u8| format!(r#"<File TOI="{number}" Content-Location="{number}"/>"#);
    for (bad, reason) in [
        (r#"<File Content-Location="a"/>"#, FileError::Missing("TOI")),
        (r#"<File TOI="7"/>"#, FileError::Missing("Content-Location")),
        (r#"<File TOI="7" Content-Location="  "/>"#, wrong("Content-Location", "  ")),
        // RFC 6726 §3.3: TOI 0 is the FDT. RFC 5651 §5.1: 112 bits.
        (r#"<File TOI="0" Content-Location="a"/>"#, wrong("TOI", "0")),
        (r#"<File TOI="0x10" Content-Location="a"/>"#, wrong("TOI", "0x10")),
        (r#"<File TOI="-1" Content-Location="a"/>"#, wrong("TOI", "-1")),
        (
            r#"<File TOI="5192296858534827628530496329220096" Content-Location="a"/>"#,
            wrong("TOI", "5192296858534827628530496329220096"),
        ),
        (r#"<File TOI="7" Content-Location="a" Content-Length="long"/>"#, wrong("Content-Length", "long")),
        (
            r#"<File TOI="7" Content-Location="a" Transfer-Length="18446744073709551616"/>"#,
            wrong("Transfer-Length", "18446744073709551616"),
        ),
        (
            r#"<File TOI="7" Content-Location="a" FEC-OTI-FEC-Encoding-ID="256"/>"#,
            wrong("FEC-OTI-FEC-Encoding-ID", "256"),
        ),
        (
            r#"<File FEC-OTI-Scheme-Specific-Info="!" TOI="7" Content-Location="a"/>"#,
            wrong("FEC-OTI-Scheme-Specific-Info", "!"),
        ),
        (r#"<File TOI="7" Content-Location="&outside;"/>"#, FileError::Entity("Content-Location".to_owned())),
    ] {
        let (files, rejected) = files(&format!("{}{bad}{}", good(1), good(2)));
        assert_eq!(files.iter().map(|file| file.toi.get()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(rejected, [reason], "{bad}");
    }
    for bad in [r#"<File TOI="7" TOI="8" Content-Location="a"/>"#, r#"<File TOI="7" Content-Location=a/>"#] {
        let (files, rejected) = files(&format!("{}{bad}<Group/>{}", good(1), good(2)));
        assert_eq!(files.len(), 2);
        assert!(matches!(rejected[..], [FileError::Attributes(_)]), "{rejected:?}");
    }
}

#[test]
fn a_rejected_entry_is_named() {
    let document =
        r#"<FDT-Instance Expires="1"><File Content-Length="?" TOI="7" Content-Location="a"/></FDT-Instance>"#;
    let rejected = read(document).unwrap().rejected;
    assert_eq!(rejected, [Rejected { toi: Some(toi(7)), reason: wrong("Content-Length", "?") }]);
}

#[test]
fn what_is_only_a_hint_is_left_out_when_it_is_wrong() {
    let file = only_file(
        r#"<File TOI="1" Content-Location="a" Content-MD5="too short" FEC-Redundancy-Level="many" Expires="never"
        IndependentUnitPositions="1 x" Content-Digest="sha-256" Repr-Digest="SHA=:AQID:"/>"#,
    );
    assert_eq!(file, File { content_location: "a".to_owned(), toi: toi(1), ..File::default() });
    let parsed = read(r#"<FDT-Instance Expires="1" Complete="?" FEC-OTI-Encoding-Symbol-Length="1e3"/>"#).unwrap();
    assert_eq!(parsed.instance, FdtInstance { expires: 1, ..FdtInstance::default() });
}

#[test]
fn numbers_and_booleans() {
    let file = only_file(r#"<File TOI=" 01 " Content-Location="a" Content-Length="+007&#10;"/>"#);
    assert_eq!((file.toi, file.content_length), (toi(1), Some(7)));
    // RFC 6726 §3.4.2: '1' or 'true', '0' or 'false'.
    for (text, complete) in [("1", true), ("true", true), ("0", false), ("false", false), ("TRUE", true)] {
        let parsed = read(&format!(r#"<FDT-Instance Expires="1" Complete="{text}"/>"#)).unwrap();
        assert_eq!(parsed.instance.complete, complete);
    }
    // Base64 may be broken over lines, and lack its padding.
    let file = only_file(r#"<File TOI="1" Content-Location="a" Content-MD5="kAFQmDzST7DW&#10;  lj99KOF/cg"/>"#);
    assert!(file.content_md5.is_some());
}

#[test]
fn expires() {
    let expires =
        |text: &str| read(&format!(r#"<FDT-Instance Expires="{text}"/>"#)).map(|parsed| parsed.instance.expires);
    assert_eq!(expires(" 3900000000 "), Ok(3_900_000_000));
    // 2036-02-07 06:28:21 of a sender that counts on.
    assert_eq!(expires("4294967301"), Ok(5));
    assert_eq!(expires(""), Err(FdtError::Expires));
    assert_eq!(expires("2030-01-01T00:00:00Z"), Err(FdtError::Expires));
    assert_eq!(read("<FDT-Instance/>"), Err(FdtError::Expires));
}

#[test]
fn attribute_values_are_normalised() {
    // XML 1.0 §3.3.3: white space becomes spaces, references to it do not.
    let file = only_file("<File TOI='1' Content-Location='a\n\tb&#10;c&#x20AC;&apos;&gt;'/>");
    assert_eq!(file.content_location, "a  b\nc\u{20AC}'>");
}

#[test]
fn encodings() {
    let document = r#"<?xml version="1.0" encoding="NAME"?><FDT-Instance Expires="1"><File TOI="1" Content-Location="é"/></FDT-Instance>"#;
    let location = |bytes: &[u8]| {
        FdtInstance::from_xml(bytes, &ReadLimits::default())
            .map(|parsed| parsed.instance.files[0].content_location.clone())
    };
    let latin = |name| -> Vec<u8> { document.replace("NAME", name).chars().map(|character| character as u8).collect() };
    let accented = Ok("é".to_owned());
    assert_eq!(location(document.replace("NAME", "UTF-8").as_bytes()), accented);
    assert_eq!(location(&[b"\xEF\xBB\xBF", document.replace("NAME", "UTF-8").as_bytes()].concat()), accented);
    assert_eq!(location(&latin("ISO-8859-1")), accented);
    assert_eq!(location(&latin("iso-8859-1")), accented);
    // A fixed declaration over names that are UTF-8.
    assert_eq!(location(document.replace("NAME", "iso-8859-1").as_bytes()), accented);
    assert_eq!(location(&latin("UTF-8")), Err(FdtError::Encoding));
    let little: Vec<u8> = document.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = document.encode_utf16().flat_map(u16::to_be_bytes).collect();
    // Every XML processor reads UTF-16, which must have a byte order mark (XML 1.0 §4.3.3).
    for utf16 in [[b"\xFF\xFE", &little[..]].concat(), [b"\xFE\xFF", &big[..]].concat()] {
        assert_eq!(location(&utf16), accented);
        // It ends within a character, has half a surrogate pair, or has no mark.
        assert_eq!(location(&utf16[..utf16.len() - 1]), Err(FdtError::Encoding));
        assert_eq!(location(&[&utf16[..], &[0xD8, 0xD8]].concat()), Err(FdtError::Encoding));
        assert_eq!(location(&utf16[2..]), Err(FdtError::Encoding));
    }
}

#[test]
fn nothing_is_expanded() {
    let document = r#"<!DOCTYPE FDT-Instance [
        <!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY file SYSTEM "file:///etc/passwd">
        <!ATTLIST FDT-Instance Complete CDATA "true">]>
        <FDT-Instance Expires="1"><File TOI="1" Content-Location="a&b;"/><Group>x&b;y&file;z&#65;</Group></FDT-Instance>"#;
    let parsed = read(document).unwrap();
    assert_eq!(parsed.instance.groups, ["xyzA"]);
    assert!(!parsed.instance.complete);
    assert_eq!(parsed.rejected[0].reason, FileError::Entity("Content-Location".to_owned()));
}

/// What every File must have.
const KEYS: &str = "TOI='1' Content-Location='a'";

#[test]
fn bounds() {
    let nested = format!("<FDT-Instance Expires='1'>{}", "<x>".repeat(1_000_000));
    assert_eq!(read(&nested), Err(FdtError::TooDeep));
    let nested = format!("<FDT-Instance Expires='1'><File TOI='1' Content-Location='a'><Group>{}", "<x>".repeat(100));
    assert_eq!(read(&nested), Err(FdtError::TooDeep));
    let declarations: String = (0..1000).map(|number| format!(" xmlns:n{number}='urn:n'")).collect();
    assert!(matches!(read(&format!("<FDT-Instance Expires='1'{declarations}/>")), Err(FdtError::Xml { .. })));

    let file = r#"<File TOI="1" Content-Location="a"/><File/>"#;
    let document = format!(r#"<FDT-Instance Expires="1">{}</FDT-Instance>"#, file.repeat(5));
    let limited =
        |max_files| FdtInstance::from_xml(document.as_bytes(), &ReadLimits { max_files, ..ReadLimits::default() });
    assert_eq!(limited(10).map(|parsed| (parsed.instance.files.len(), parsed.rejected.len())), Ok((5, 5)));
    assert_eq!(limited(9), Err(FdtError::TooManyFiles(9)));

    for content in [
        "<File TOI='1' Content-Location='a'/>".repeat(100),
        format!("<File TOI='1' Content-Location='{}'/>", "a".repeat(10_000)),
        format!("<File TOI='1' Content-Location='a' IndependentUnitPositions='{}'/>", "0 ".repeat(2000)),
        format!("<File {KEYS}>{}</File>", "<Alternate-Content-Location-1/>".repeat(1000)),
        format!("<File {KEYS}>{}</File>", "<Signature>AA==</Signature>".repeat(1000)),
        format!("<File {KEYS}>{}</File>", "<Group>g</Group>".repeat(1000)),
    ] {
        let document = format!("<FDT-Instance Expires='1'>{content}");
        let limits = ReadLimits { max_memory: 10_000, ..ReadLimits::default() };
        assert_eq!(FdtInstance::from_xml(document.as_bytes(), &limits), Err(FdtError::TooLarge(10_000)), "{content}");
    }
    // What applies to all files is kept short, since each of them has it.
    let groups = format!("<Group>{}</Group>{}", "g".repeat(5000), "<Group>g</Group>".repeat(1000));
    let parsed =
        read(&format!("<FDT-Instance Expires='1' Content-Type='{}'>{groups}</FDT-Instance>", "a".repeat(5000)));
    let instance = parsed.unwrap().instance;
    assert_eq!((instance.groups, instance.content_type), (vec!["g".to_owned(); 64], None));
    let attributes: String = (0..300).map(|number| format!(" a{number}=''")).collect();
    let (files, rejected) = files(&format!("<File TOI='1' Content-Location='a'{attributes}/>"));
    assert_eq!((files, rejected), (vec![], vec![FileError::Attributes("more than 64".to_owned())]));
}

#[test]
fn long_elements() {
    let positions = |count| format!("<File {KEYS} IndependentUnitPositions='{}'/>", "0 ".repeat(count));
    assert_eq!(only_file(&positions(100_000)).independent_unit_positions.len(), 100_000);
    // Whatever is long stands alone, and the rest of the document behind it.
    let long = 3 * MAX_ELEMENT;
    for element in [
        positions(long / 2),
        format!("<File {KEYS}>{}</File>", "<Group>g</Group>".repeat(long / 16)),
        format!("<Unknown>{}</Unknown>", "<a/>".repeat(long / 4)),
        format!("<!--{}-->", "-".repeat(long)),
        format!("<a b='{}'/>", "&lt;".repeat(long / 4)),
    ] {
        let offset = r#"<FDT-Instance Expires="1">"#.len() as u64;
        let document = format!(r#"<FDT-Instance Expires="1">{element}<File {KEYS}/></FDT-Instance>"#);
        assert_eq!(read(&document), Err(FdtError::ElementTooLong { offset }));
    }
    // White space is no element, nor are many short ones.
    let file = only_file(&format!("{}<File {KEYS}/>{}", " \u{20AC}".repeat(long), "<!-- -->".repeat(long)));
    assert_eq!(file.content_location, "a");
}

/// In slices that are as short as can be, a document is what it is in one.
#[test]
fn slices() {
    let many: String =
        (1..=5000).map(|toi| format!("<f:File TOI='{toi}' f:Content-Location='\u{20AC}{toi}'/>")).collect();
    let long = SMALL.replace("</f:FDT-Instance>", &format!("{many}</f:FDT-Instance>"));
    let latin1 =
        br#"<?xml version="1.0" encoding="latin1"?><FDT-Instance Expires="1"><File TOI="1" Content-Location="XX"/>
        </FDT-Instance>"#;
    let latin1: Vec<u8> = latin1.iter().map(|&byte| if byte == b'X' { 0xE9 } else { byte }).collect();
    let limits = ReadLimits::default();
    for document in [SMALL.as_bytes(), long.as_bytes(), &latin1, b"<FDT-Instance Expires='1'/>"] {
        let mut reader = InstanceReader::default();
        let (mut files, mut slices) = (Vec::new(), 0);
        while !reader.proceed(document, &limits, &mut Work::new(1)).unwrap() {
            files.extend(reader.take_files());
            slices += 1;
            assert!(slices < 20_000);
        }
        files.extend(reader.take_files());
        let sliced = Parsed { instance: FdtInstance { files, ..reader.into_parsed().instance }, rejected: vec![] };
        assert_eq!(Ok(sliced), FdtInstance::from_xml(document, &limits));
    }
    let mut work = Work::new(1_000_000);
    assert_eq!(InstanceReader::default().proceed(long.as_bytes(), &limits, &mut work), Ok(false));
    assert!(work.spent() < 1_000_000 + 10_000, "{}", work.spent());
}

#[test]
fn other_documents() {
    assert_eq!(read("<MPD/>"), Err(FdtError::Root("MPD".to_owned())));
    assert!(matches!(read(""), Err(FdtError::Xml { .. })));
    assert!(matches!(read("no XML"), Err(FdtError::Xml { .. })));
    assert!(matches!(read("<FDT-Instance Expires='1'></File>"), Err(FdtError::Xml { .. })));
    assert!(matches!(read("<FDT-Instance Expires='1' Expires='2'/>"), Err(FdtError::Xml { .. })));
}

const SMALL: &str = r#"<?xml version="1.0"?><f:FDT-Instance xmlns:f="urn:ietf:params:xml:ns:fdt" Expires="1"><f:File
    TOI="1" Content-Location="a"><f:Group>g&amp;h</f:Group></f:File><f:Group><![CDATA[x]]></f:Group></f:FDT-Instance>"#;

#[test]
fn every_truncation_is_an_error() {
    for length in 0..SMALL.len() {
        assert!(matches!(read(&SMALL[..length]), Err(FdtError::Xml { .. })), "{length}");
    }
}

#[test]
fn what_follows_the_root_is_ignored() {
    let expected = read(SMALL);
    for tail in ["\0\0\0", "\n", "<", "<FDT-Instance"] {
        assert_eq!(read(&format!("{SMALL}{tail}")), expected);
    }
}

proptest! {
    #[test]
    fn garbage_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = FdtInstance::from_xml(&bytes, &ReadLimits::default());
        let text = String::from_utf8_lossy(&bytes);
        let _ = read(&format!("<FDT-Instance Expires='1'><File TOI='1' Content-Location='{text}'>{text}</File>{text}"));
    }

    #[test]
    fn damage_is_no_panic(index in 0..SMALL.len(), byte: u8, removed in 0_usize..20) {
        let mut bytes = SMALL.as_bytes().to_vec();
        bytes[index] = byte;
        let _ = FdtInstance::from_xml(&bytes, &ReadLimits::default());
        bytes.drain(index..(index + removed).min(bytes.len()));
        let _ = FdtInstance::from_xml(&bytes, &ReadLimits::default());
    }
}

#[test]
fn no_string_has_a_zero() {
    for document in [
        "<FDT-Instance Expires=\"1\"><File TOI=\"1\" Content-Location=\"a\0/../b\"/></FDT-Instance>",
        "<FDT-Instance Expires=\"1\"><File TOI=\"1\" Content-Location=\"a\"><Group>g\0</Group></File></FDT-Instance>",
    ] {
        assert!(matches!(read(document), Err(FdtError::Xml { .. })), "{document:?}");
    }
    let reference = "<FDT-Instance Expires=\"1\"><File TOI=\"1\" Content-Location=\"a&#0;b\"/></FDT-Instance>";
    assert!(read(reference).is_err() || read(reference).unwrap().instance.files.is_empty());
}
