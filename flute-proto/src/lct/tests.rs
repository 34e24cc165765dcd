// SPDX-License-Identifier: MPL-2.0

//! Headers written out by hand from the drawings of RFC 5651 §5.1 and §5.2, RFC 3451 §5.1, RFC 5775 §2.2 and RFC 6726
//! §3.4.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Time;

/// A header with 32 bits of CCI, TSI 7, TOI 9, of 32 bits each, and Codepoint 5.
const PLAIN: Header = Header {
    psi: 0,
    close_session: false,
    close_object: false,
    codepoint: 5,
    widths: FieldWidths { cci: 32, tsi: 32, toi: 32 },
    congestion_control: 0,
    tsi: Some(Tsi(7)),
    toi: Some(Toi(9)),
    sender_current_time: None,
    expected_residual_time: None,
};

fn encode(header: &Header, extensions: &[Extension<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    header.encode(extensions, &mut bytes).unwrap();
    bytes
}

/// `header` is what `bytes` spell, in both directions.
fn check(header: &Header, bytes: &[u8]) {
    assert_eq!(encode(header, &[]), bytes);
    let (decoded, mut extensions, rest) = Header::decode(bytes, Revision::Rfc3451).unwrap();
    assert_eq!(decoded, *header);
    assert!(extensions.next().is_none() && rest.is_empty());
}

#[test]
fn plain_header() {
    // V=1 C=0 PSI=0 | S=1 O=01 H=0 Res=00 A=0 B=0 | HDR_LEN=4 | CP=5
    check(&PLAIN, b"\x10\xa0\x04\x05\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x09");
}

#[test]
fn flags_psi_and_congestion_control() {
    let header = Header { psi: 2, close_session: true, close_object: true, congestion_control: 0xdead_beef, ..PLAIN };
    check(&header, b"\x12\xa3\x04\x05\xde\xad\xbe\xef\x00\x00\x00\x07\x00\x00\x00\x09");
    let header = Header { close_object: true, ..PLAIN };
    check(&header, b"\x10\xa1\x04\x05\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x09");
}

#[test]
fn narrowest_header() {
    // S=0 O=00 H=1: half a word each, as MBMS and DVB have them.
    let header = Header { widths: FieldWidths { cci: 32, tsi: 16, toi: 16 }, toi: Some(Toi(0xfffe)), ..PLAIN };
    check(&header, b"\x10\x10\x03\x05\x00\x00\x00\x00\x00\x07\xff\xfe");
}

#[test]
fn widest_header() {
    let header = Header {
        widths: FieldWidths { cci: 128, tsi: 48, toi: 112 },
        congestion_control: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10,
        tsi: Tsi::new(0x2122_2324_2526),
        toi: Toi::new(0x3132_3334_3536_3738_393a_3b3c_3d3e),
        ..PLAIN
    };
    // C=3 | S=1 O=11 H=1 | 10 words
    check(
        &header,
        b"\x1c\xf0\x0a\x05\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x21\x22\x23\x24\x25\x26\
          \x31\x32\x33\x34\x35\x36\x37\x38\x39\x3a\x3b\x3c\x3d\x3e",
    );
}

#[test]
fn header_without_toi() {
    // A payload-less packet that closes the session: S=1 O=00 H=0 A=1.
    let header = Header { close_session: true, widths: FieldWidths { cci: 32, tsi: 32, toi: 0 }, toi: None, ..PLAIN };
    check(&header, b"\x10\x82\x03\x05\x00\x00\x00\x00\x00\x00\x00\x07");
    assert_eq!(FieldWidths::without_toi(Tsi(7)), Some(header.widths));
    assert_eq!(FieldWidths::without_toi(Tsi(1 << 32)), None);
}

#[test]
fn every_combination_of_widths() {
    for (c, s, o, h) in (0..64).map(|n| (n & 3, n >> 2 & 1, n >> 3 & 3, n >> 5)) {
        let (cci, tsi, toi) = (4 * (c + 1), 4 * s + 2 * h, 4 * o + 2 * h);
        let words = 1 + (cci + tsi + toi) / 4;
        let mut bytes = vec![0x10 | (c << 2) as u8, (s << 7 | o << 5 | h << 4) as u8, words as u8, 0];
        bytes.extend(
            std::iter::repeat_n(0xcc, cci).chain(std::iter::repeat_n(0x55, tsi)).chain(std::iter::repeat_n(0xaa, toi)),
        );
        let (header, ..) = Header::decode(&bytes, Revision::Rfc5651).unwrap();
        let repeated = |byte: u128, count: usize| (0..count).fold(0, |number, _| number << 8 | byte);
        assert_eq!(header.congestion_control, repeated(0xcc, cci));
        assert_eq!(header.tsi.map(|tsi| tsi.get().into()), (tsi > 0).then(|| repeated(0x55, tsi)));
        assert_eq!(header.toi.map(Toi::get), (toi > 0).then(|| repeated(0xaa, toi)));
        assert_eq!(encode(&header, &[]), bytes);
    }
}

#[test]
fn times_of_rfc_3451() {
    let both = Header { sender_current_time: Some(1000), expected_residual_time: Some(2000), ..PLAIN };
    let bytes = b"\x10\xac\x06\x05\0\0\0\0\0\0\0\x07\0\0\0\x09\x00\x00\x03\xe8\x00\x00\x07\xd0";
    check(&both, bytes);
    let residual = Header { expected_residual_time: Some(2000), ..PLAIN };
    check(&residual, b"\x10\xa4\x05\x05\0\0\0\0\0\0\0\x07\0\0\0\x09\x00\x00\x07\xd0");

    // RFC 5651 ignores the two bits: what follows the TOI are extensions, here EXT_NOP of one word and EXT_CENC.
    let bytes = b"\x10\xac\x06\x05\0\0\0\0\0\0\0\x07\0\0\0\x09\x00\x01\x03\xe8\xc1\x03\x00\x00";
    let (header, extensions, _) = Header::decode(bytes, Revision::Rfc5651).unwrap();
    assert_eq!(header, PLAIN);
    let extensions: Vec<_> = extensions.map(Result::unwrap).collect();
    assert_eq!(extensions, [Extension::Nop(&[0x03, 0xe8]), Extension::ContentEncoding(3)]);
}

#[test]
fn what_is_not_a_header() {
    let decode = |bytes: &[u8]| Header::decode(bytes, Revision::Rfc3451).map(|(header, ..)| header);
    assert_eq!(decode(b""), Err(LctError::Truncated { actual: 0, needed: 4 }));
    assert_eq!(decode(b"\x10\xa0\x04"), Err(LctError::Truncated { actual: 3, needed: 4 }));
    // NORM, and whatever else shares a port, has another first half-byte.
    assert_eq!(decode(b"\x20\xa0\x04\x05\0\0\0\0\0\0\0\x07\0\0\0\x09"), Err(LctError::Version(2)));
    assert_eq!(decode(b"\x00\xa0\x04\x05\0\0\0\0\0\0\0\x07\0\0\0\x09"), Err(LctError::Version(0)));
    // HDR_LEN behind the end of the datagram, and before that of the fields.
    let needed = LctError::Truncated { actual: 16, needed: 20 };
    assert_eq!(decode(b"\x10\xa0\x05\x05\0\0\0\0\0\0\0\x07\0\0\0\x09"), Err(needed));
    let short = LctError::HeaderLength { actual: 3, needed: 4 };
    assert_eq!(decode(b"\x10\xa0\x03\x05\0\0\0\0\0\0\0\x07\0\0\0\x09"), Err(short));
    // T announces one word more.
    let short = LctError::HeaderLength { actual: 4, needed: 5 };
    assert_eq!(decode(b"\x10\xa8\x04\x05\0\0\0\0\0\0\0\x07\0\0\0\x09"), Err(short));
}

#[test]
fn what_cannot_be_encoded() {
    let encode = |header: Header| header.encode(&[], &mut Vec::new()).unwrap_err();
    let widths = |cci, tsi, toi| Header { widths: FieldWidths { cci, tsi, toi }, ..PLAIN };
    assert_eq!(encode(widths(16, 32, 32)), EncodeError::CongestionControl(16));
    assert_eq!(encode(widths(32, 16, 32)), EncodeError::Widths { tsi: 16, toi: 32 });
    assert_eq!(encode(widths(32, 64, 32)), EncodeError::Widths { tsi: 64, toi: 32 });
    assert_eq!(encode(widths(32, 32, 0)), EncodeError::Toi(0));
    assert_eq!(encode(Header { psi: 4, ..PLAIN }), EncodeError::Psi(4));
    assert_eq!(encode(Header { tsi: None, ..PLAIN }), EncodeError::Tsi(32));
    assert_eq!(encode(Header { toi: Some(Toi(1 << 32)), ..PLAIN }), EncodeError::Toi(32));
    assert_eq!(encode(Header { congestion_control: 1 << 32, ..PLAIN }), EncodeError::CongestionControl(32));
    // 4 words and 251 of extensions fill a header, one more is too many; what was there before stays.
    let mut bytes = vec![42];
    let content = vec![0; 4 * 251 - 2];
    PLAIN.encode(&[Extension::Nop(&content)], &mut bytes).unwrap();
    assert_eq!((bytes.len(), bytes[3]), (1 + 4 * 255, 255));
    let error = PLAIN.encode(&[Extension::Nop(&content), Extension::ContentEncoding(0)], &mut bytes).unwrap_err();
    assert_eq!((error, bytes.len()), (EncodeError::HeaderLength(256), 1 + 4 * 255));
}

/// What the widths in bits come to for these wishes.
fn resolve(tsi: u8, toi: u8, max_tsi: u64, max_toi: u128) -> Option<(u8, u8)> {
    let widths = HeaderWidths { tsi, toi }.resolve(Tsi(max_tsi), Toi(max_toi)).ok()?;
    assert_eq!(widths.cci, 32);
    Some((widths.tsi, widths.toi))
}

#[test]
fn smallest_widths() {
    assert_eq!(resolve(0, 0, 0, 0), Some((16, 16)));
    assert_eq!(resolve(0, 0, 0xffff, 0xffff), Some((16, 16)));
    // 32/32 and 48/16 and 16/48 are of one size: whole words are preferred.
    assert_eq!(resolve(0, 0, 0x1_0000, 1), Some((32, 32)));
    assert_eq!(resolve(0, 0, 1, 0x1_0000), Some((32, 32)));
    assert_eq!(resolve(0, 0, 1 << 32, 1), Some((48, 16)));
    assert_eq!(resolve(0, 0, 1, 1 << 32), Some((16, 48)));
    assert_eq!(resolve(0, 0, 1 << 47, 1 << 111), Some((48, 112)));
}

#[test]
fn wanted_widths() {
    assert_eq!(resolve(32, 0, 1, 1), Some((32, 32)));
    assert_eq!(resolve(16, 0, 1, 1 << 16), Some((16, 48)));
    assert_eq!(resolve(48, 16, 1, 1), Some((48, 16)));
    assert_eq!(resolve(0, 64, 1, 1), Some((32, 64)));
    assert_eq!(resolve(0, 112, 1 << 20, 1), Some((48, 112)));
    // H makes both half a word wider, or neither.
    assert_eq!(resolve(32, 16, 1, 1), None);
    assert_eq!(resolve(16, 32, 1, 1), None);
    // Too narrow, or of no width that exists.
    assert_eq!(resolve(16, 0, 1 << 16, 1), None);
    assert_eq!(resolve(0, 32, 1, 1 << 32), None);
    assert_eq!(resolve(24, 0, 1, 1), None);
    assert_eq!(resolve(0, 128, 1, 1), None);
}

/// `extension` is what `bytes` spell, in both directions.
fn check_extension(extension: Extension<'_>, bytes: &[u8]) {
    let encoded = encode(&PLAIN, &[extension]);
    assert_eq!(&encoded[16..], bytes);
    let (_, extensions, _) = Header::decode(&encoded, Revision::Rfc5651).unwrap();
    assert_eq!(extensions.collect::<Vec<_>>(), [Ok(extension)]);
}

#[test]
fn extensions_of_many_words() {
    check_extension(Extension::Nop(&[1, 2]), b"\x00\x01\x01\x02");
    check_extension(Extension::Auth(&[1, 2, 3, 4, 5, 6]), b"\x01\x02\x01\x02\x03\x04\x05\x06");
    check_extension(Extension::Fti(&[0; 10]), b"\x40\x03\0\0\0\0\0\0\0\0\0\0");
    check_extension(Extension::Other { het: 127, content: &[1, 2] }, b"\x7f\x01\x01\x02");
    check_extension(Extension::TransferLength(1 << 40), b"\x43\x02\x01\x00\x00\x00\x00\x00");
}

#[test]
fn extensions_of_one_word() {
    // V=1, FDT Instance ID 0xabcde.
    let fdt = FdtExtension { flute_version: 1, instance_id: 0xa_bcde };
    check_extension(Extension::Fdt(fdt), b"\xc0\x1a\xbc\xde");
    let fdt = FdtExtension { flute_version: 2, instance_id: 0xf_ffff };
    check_extension(Extension::Fdt(fdt), b"\xc0\x2f\xff\xff");
    check_extension(Extension::ContentEncoding(3), b"\xc1\x03\x00\x00");
    check_extension(Extension::TransferLength(0xff_ffff), b"\xc2\xff\xff\xff");
    // RFC 5651 erratum 3843: fixed length begins at 128.
    check_extension(Extension::Other { het: 128, content: &[1, 2, 3] }, b"\x80\x01\x02\x03");
}

#[test]
fn ext_time() {
    let sct = |fraction| Some(SenderCurrentTime { seconds: 0x0102_0304, fraction });
    let time = TimeExtension { sender_current_time: sct(None), ..Default::default() };
    check_extension(Extension::Time(time), b"\x02\x02\x80\x00\x01\x02\x03\x04");
    let time = TimeExtension { sender_current_time: sct(Some(0x8000_0000)), ..Default::default() };
    check_extension(Extension::Time(time), b"\x02\x03\xc0\x00\x01\x02\x03\x04\x80\x00\x00\x00");
    let time = TimeExtension {
        sender_current_time: sct(Some(5)),
        expected_residual_time: Some(6),
        session_last_changed: Some(7),
        protocol_specific: 8,
    };
    check_extension(Extension::Time(time), b"\x02\x05\xf0\x08\x01\x02\x03\x04\0\0\0\x05\0\0\0\x06\0\0\0\x07");
    let time = TimeExtension { session_last_changed: Some(7), ..Default::default() };
    check_extension(Extension::Time(time), b"\x02\x02\x10\x00\0\0\0\x07");
    check_extension(Extension::Time(TimeExtension::default()), b"\x02\x01\x00\x00");
}

/// The extensions of `PLAIN` with these bytes as its extensions.
fn decode_extensions(bytes: &[u8]) -> Vec<Result<Extension<'_>, LctError>> {
    Extensions::new(bytes).collect()
}

#[test]
fn ext_time_as_it_may_come() {
    // Reserved bits are ignored, and so are words that no flag announces.
    let time = TimeExtension { expected_residual_time: Some(9), ..Default::default() };
    assert_eq!(
        decode_extensions(b"\x02\x03\x2f\x00\0\0\0\x09\xff\xff\xff\xff\xc1\x01\x00\x00"),
        [Ok(Extension::Time(time)), Ok(Extension::ContentEncoding(1))]
    );
    assert_eq!(decode_extensions(b"\x02\x02\x40\x00\0\0\0\x09"), [Err(LctError::SctLowAlone)]);
    let short = LctError::ExtensionContent { het: 2, actual: 6, needed: 10 };
    assert_eq!(decode_extensions(b"\x02\x02\xc0\x00\0\0\0\x09"), [Err(short)]);
}

#[test]
fn sender_current_time() {
    // RFC 5905: half a second is 2^31 units.
    let time = Time::from_unix(Duration::from_millis(1_700_000_000_500));
    let sct = SenderCurrentTime::from(time);
    assert_eq!(sct, SenderCurrentTime { seconds: 3_908_988_800, fraction: Some(1 << 31) });
    assert_eq!(sct.to_time(time + Duration::from_secs(60)), time);
    let sct = SenderCurrentTime { fraction: None, ..sct };
    assert_eq!(sct.to_time(time), Time::from_unix(Duration::from_secs(1_700_000_000)));
}

#[test]
fn malformed_extensions() {
    let wrong = |het, words, available| Err(LctError::ExtensionLength { het, words, available });
    // Without a length, and longer than the header; nothing behind it can be trusted.
    assert_eq!(decode_extensions(b"\x07\x00\x00\x00\xc1\x01\x00\x00"), [wrong(7, 0, 2)]);
    assert_eq!(decode_extensions(b"\x07\x03\x00\x00\xc1\x01\x00\x00"), [wrong(7, 3, 2)]);
    assert_eq!(decode_extensions(b"\xc1\x01\x00\x00\x40\x02\x00\x00").last(), Some(&wrong(64, 2, 1)));
    let content = LctError::ExtensionContent { het: 67, actual: 2, needed: 6 };
    assert_eq!(decode_extensions(b"\x43\x01\x00\x00"), [Err(content)]);
}

#[test]
fn extensions_that_cannot_be_encoded() {
    let encode = |extension| PLAIN.encode(&[extension], &mut Vec::new()).unwrap_err();
    assert_eq!(encode(Extension::Fti(&[0; 12])), EncodeError::ExtensionContent { het: 64, length: 12 });
    assert_eq!(encode(Extension::Nop(&[0; 1026])), EncodeError::ExtensionContent { het: 0, length: 1026 });
    let other = Extension::Other { het: 200, content: &[0; 2] };
    assert_eq!(encode(other), EncodeError::ExtensionContent { het: 200, length: 2 });
    let fdt = Extension::Fdt(FdtExtension { flute_version: 2, instance_id: 1 << 20 });
    assert_eq!(encode(fdt), EncodeError::ExtensionField { het: 192, bits: 20, value: 1 << 20 });
    let fdt = Extension::Fdt(FdtExtension { flute_version: 16, instance_id: 0 });
    assert_eq!(encode(fdt), EncodeError::ExtensionField { het: 192, bits: 4, value: 16 });
    let length = Extension::TransferLength(1 << 48);
    assert_eq!(encode(length), EncodeError::ExtensionField { het: 67, bits: 48, value: 1 << 48 });
}

fn any_header() -> impl Strategy<Value = Header> {
    let fields = (0u8..4, 0u8..2, 0u8..4, 0u8..2, any::<u128>(), any::<u64>(), any::<u128>());
    let flags = (0u8..4, any::<bool>(), any::<bool>(), any::<u8>(), any::<Option<u32>>(), any::<Option<u32>>());
    (fields, flags).prop_map(|((c, s, o, h, cci, tsi, toi), (psi, a, b, codepoint, sct, ert))| {
        let widths = FieldWidths { cci: 32 * (c + 1), tsi: 32 * s + 16 * h, toi: 32 * o + 16 * h };
        let cut = |value: u128, bits: u8| value.checked_shr(128 - u32::from(bits));
        Header {
            psi,
            close_session: a,
            close_object: b,
            codepoint,
            widths,
            congestion_control: cut(cci, widths.cci).unwrap(),
            tsi: cut(u128::from(tsi) << 64, widths.tsi).map(|tsi| Tsi(tsi as u64)),
            toi: cut(toi, widths.toi).map(Toi),
            sender_current_time: sct,
            expected_residual_time: ert,
        }
    })
}

fn any_time() -> impl Strategy<Value = TimeExtension> {
    let sct =
        (any::<u32>(), any::<Option<u32>>()).prop_map(|(seconds, fraction)| SenderCurrentTime { seconds, fraction });
    (proptest::option::of(sct), any::<Option<u32>>(), any::<Option<u32>>(), any::<u8>()).prop_map(
        |(sender_current_time, expected_residual_time, session_last_changed, protocol_specific)| TimeExtension {
            sender_current_time,
            expected_residual_time,
            session_last_changed,
            protocol_specific,
        },
    )
}

/// An extension around `content`, which has an even number of half-words.
fn any_extension(content: &[u8]) -> impl Strategy<Value = Extension<'_>> {
    prop_oneof![
        Just(Extension::Nop(content)),
        Just(Extension::Auth(content)),
        Just(Extension::Fti(content)),
        any_time().prop_map(Extension::Time),
        (0u8..16, 0u32..1 << 20)
            .prop_map(|(flute_version, instance_id)| Extension::Fdt(FdtExtension { flute_version, instance_id })),
        any::<u8>().prop_map(Extension::ContentEncoding),
        (0u64..1 << 48).prop_map(Extension::TransferLength),
        (3u8..64).prop_map(move |het| Extension::Other { het, content }),
        (195u8..).prop_map(move |het| Extension::Other { het, content: &content[..3] }),
    ]
}

proptest! {
    #[test]
    fn decode_of_encode(
        header in any_header(),
        extensions in proptest::collection::vec(any_extension(&[1, 2, 3, 4, 5, 6]), 0..6),
        payload in any::<[u8; 5]>(),
    ) {
        let mut bytes = encode(&header, &extensions);
        bytes.extend(payload);
        let (decoded, decoded_extensions, rest) = Header::decode(&bytes, Revision::Rfc3451).unwrap();
        prop_assert_eq!(decoded, header);
        prop_assert_eq!(decoded_extensions.collect::<Result<Vec<_>, _>>().unwrap(), extensions);
        prop_assert_eq!(rest, payload);
    }

    #[test]
    fn encode_of_garbage_that_decodes(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), words in 0u8..50) {
        if let [version, _, length, ..] = bytes.as_mut_slice() {
            (*version, *length) = (0x10 | *version & 0x0f, words);
        }
        for revision in [Revision::Rfc3451, Revision::Rfc5651] {
            if let Ok((header, extensions, rest)) = Header::decode(&bytes, revision) {
                prop_assert!(rest.len() < bytes.len());
                prop_assert!(extensions.count() <= words.into());
                let again = encode(&header, &[]);
                let (decoded, ..) = Header::decode(&again, revision).unwrap();
                prop_assert_eq!(decoded, header);
            }
        }
    }
}
