// SPDX-License-Identifier: MPL-2.0

use std::io::{self, Write};

use proptest::prelude::*;

use super::*;

const ALL: [ContentEncoding; 4] =
    [ContentEncoding::Null, ContentEncoding::Zlib, ContentEncoding::Deflate, ContentEncoding::Gzip];
const UNLIMITED: DecodeLimits = DecodeLimits { max_size: u64::MAX, max_ratio: u32::MAX };

/// RFC 1951 §3.2.4: one stored block, the last.
const STORED: &[u8] = b"\x01\x05\x00\xFA\xFFhello";
/// RFC 1951 §3.2.6: one block of fixed codes with `a` (0x61 + 0x30, 8 bits) and the end (7 bits).
const FIXED_A: &[u8] = &[0x4B, 0x04, 0x00];
/// RFC 1950 §2.2: CMF, FLG, the block, and the Adler-32 of `a`.
const ZLIB_A: &[u8] = &[0x78, 0x9C, 0x4B, 0x04, 0x00, 0x00, 0x62, 0x00, 0x62];
/// RFC 1952 §2.3: ID1, ID2, CM, FLG, MTIME, XFL, OS, the block, and CRC-32 and length of `hello`.
const GZIP_HELLO: &[u8] = b"\x1F\x8B\x08\x00\0\0\0\0\x00\x03\x01\x05\x00\xFA\xFFhello\x86\xA6\x10\x36\x05\0\0\0";
/// The same with a name and a comment (FLG 0x18).
const GZIP_NAMED: &[u8] =
    b"\x1F\x8B\x08\x18\0\0\0\0\x00\x03name\0comment\0\x01\x05\x00\xFA\xFFhello\x86\xA6\x10\x36\x05\0\0\0";

fn decoded(encoding: ContentEncoding, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    decode(encoding, bytes, UNLIMITED)
}

#[test]
fn names_and_codes() {
    // RFC 6726 §3.4.3.
    for (code, encoding) in (0..).zip(ALL) {
        assert_eq!(encoding.cenc(), code);
        assert_eq!(ContentEncoding::from_cenc(code), Some(encoding));
    }
    assert_eq!(ContentEncoding::from_cenc(4), None);
    // RFC 2616 §3.5: names do not depend on case, x-gzip is gzip.
    for (name, encoding) in [
        ("gzip", ContentEncoding::Gzip),
        ("X-GZIP", ContentEncoding::Gzip),
        (" deflate ", ContentEncoding::Zlib),
        ("zlib", ContentEncoding::Zlib),
        ("identity", ContentEncoding::Null),
        ("", ContentEncoding::Null),
    ] {
        assert_eq!(name.parse(), Ok(encoding));
    }
    assert_eq!("br".parse::<ContentEncoding>(), Err(UnknownEncoding("br".to_owned())));
    assert_eq!(ContentEncoding::Zlib.fdt_name(), Some("deflate"));
    assert_eq!(ContentEncoding::Deflate.fdt_name(), None);
}

#[test]
fn streams_written_by_hand() {
    assert_eq!(decoded(ContentEncoding::Deflate, STORED).unwrap(), b"hello");
    assert_eq!(decoded(ContentEncoding::Deflate, FIXED_A).unwrap(), b"a");
    assert_eq!(decoded(ContentEncoding::Zlib, ZLIB_A).unwrap(), b"a");
    assert_eq!(decoded(ContentEncoding::Gzip, GZIP_HELLO).unwrap(), b"hello");
    assert_eq!(decoded(ContentEncoding::Gzip, GZIP_NAMED).unwrap(), b"hello");
}

#[test]
fn deflate_is_zlib_or_raw_whatever_was_announced() {
    assert_eq!(decoded(ContentEncoding::Zlib, STORED).unwrap(), b"hello");
    assert_eq!(decoded(ContentEncoding::Zlib, FIXED_A).unwrap(), b"a");
    assert_eq!(decoded(ContentEncoding::Deflate, ZLIB_A).unwrap(), b"a");
    // The shortest raw stream there is: an empty block of fixed codes.
    assert_eq!(decoded(ContentEncoding::Zlib, &[0x03, 0x00]).unwrap(), b"");
}

#[test]
fn gzip_members_follow_each_other() {
    assert_eq!(decoded(ContentEncoding::Gzip, &[GZIP_HELLO, GZIP_NAMED].concat()).unwrap(), b"hellohello");
    let half = &GZIP_NAMED[..GZIP_NAMED.len() - 1];
    assert!(matches!(decoded(ContentEncoding::Gzip, &[GZIP_HELLO, half].concat()), Err(DecodeError::Truncated)));
}

#[test]
fn what_follows_the_stream() {
    for (encoding, stream) in [(ContentEncoding::Gzip, GZIP_HELLO), (ContentEncoding::Zlib, ZLIB_A)] {
        let expected = decoded(encoding, stream).unwrap();
        assert_eq!(decoded(encoding, &[stream, &[0; 700]].concat()).unwrap(), expected);
        assert!(matches!(decoded(encoding, &[stream, b"x"].concat()), Err(DecodeError::Trailing)));
        assert!(matches!(decoded(encoding, &[stream, b"\0x"].concat()), Err(DecodeError::Trailing)));
    }
}

#[test]
fn every_truncation_is_an_error() {
    for (encoding, stream) in [
        (ContentEncoding::Gzip, GZIP_NAMED),
        (ContentEncoding::Zlib, ZLIB_A),
        (ContentEncoding::Deflate, STORED),
        (ContentEncoding::Deflate, FIXED_A),
    ] {
        for length in 0..stream.len() {
            assert!(matches!(decoded(encoding, &stream[..length]), Err(DecodeError::Truncated)), "{length}");
        }
    }
}

#[test]
fn damage_is_an_error() {
    let mut checksum = GZIP_HELLO.to_vec();
    checksum[20] ^= 1;
    assert!(matches!(decoded(ContentEncoding::Gzip, &checksum), Err(DecodeError::Damaged)));
    let mut adler = ZLIB_A.to_vec();
    adler[8] ^= 1;
    assert!(matches!(decoded(ContentEncoding::Zlib, &adler), Err(DecodeError::Damaged)));
    assert!(matches!(decoded(ContentEncoding::Gzip, b"no gzip at all"), Err(DecodeError::Damaged)));
    // A preset dictionary (FDICT), which a receiver cannot know.
    assert!(decoded(ContentEncoding::Zlib, &[0x78, 0xBB, 0, 0, 0, 0]).is_err());
}

/// Counts, and keeps nothing.
#[derive(Default)]
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// 900 MB of zeros, less than a megabyte of gzip.
fn bomb() -> Vec<u8> {
    let mut encoder = Encoder::new(ContentEncoding::Gzip, Vec::new());
    let zeros = vec![0; 1_000_000];
    for _ in 0..900 {
        encoder.write_all(&zeros).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn bombs_go_off_nowhere() {
    let bomb = bomb();
    assert!(bomb.len() < 1_000_000, "{}", bomb.len());

    let mut sized =
        Decoder::new(ContentEncoding::Gzip, Count::default(), DecodeLimits { max_size: 5_000_000, ..UNLIMITED });
    let error = bomb.chunks(1400).find_map(|chunk| sized.write(chunk).err());
    assert!(matches!(error, Some(DecodeError::TooLong(5_000_000))));
    assert!(sized.sink().0 <= 5_000_000);

    let mut dense = Decoder::new(ContentEncoding::Gzip, Count::default(), DecodeLimits { max_ratio: 200, ..UNLIMITED });
    let error = bomb.chunks(1400).find_map(|chunk| dense.write(chunk).err());
    assert!(matches!(error, Some(DecodeError::TooDense(200))));
    assert!(dense.sink().0 <= 2_000_000);
}

#[test]
fn nothing_but_a_limit_applies_to_null() {
    assert_eq!(decoded(ContentEncoding::Null, b"as it is").unwrap(), b"as it is");
    let limits = DecodeLimits { max_size: 7, ..UNLIMITED };
    assert!(matches!(decode(ContentEncoding::Null, b"as it is", limits), Err(DecodeError::TooLong(7))));
}

#[test]
fn digests() {
    // RFC 1321 §A.5; FIPS 180-4 examples of NIST.
    assert_eq!(md5(b"abc"), *b"\x90\x01\x50\x98\x3C\xD2\x4F\xB0\xD6\x96\x3F\x7D\x28\xE1\x7F\x72");
    for (algorithm, start) in [
        (DigestAlgorithm::Md5, b"\x90\x01\x50\x98"),
        (DigestAlgorithm::Sha256, b"\xBA\x78\x16\xBF"),
        (DigestAlgorithm::Sha512, b"\xDD\xAF\x35\xA1"),
    ] {
        let mut digester = Digester::new(algorithm);
        digester.update(b"a");
        digester.update(b"bc");
        assert!(digester.finish().starts_with(start));
    }
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(
        content in prop::collection::vec(any::<u8>(), 0..5000),
        repeat in 1_usize..40,
        chunk in 1_usize..3000,
    ) {
        let content = content.repeat(repeat);
        for encoding in ALL {
            let encoded = encode(encoding, &content).unwrap();
            let mut decoder = Decoder::new(encoding, Vec::new(), UNLIMITED);
            for chunk in encoded.chunks(chunk) {
                decoder.write(chunk).unwrap();
            }
            prop_assert_eq!(decoder.written(), content.len() as u64);
            prop_assert_eq!(decoder.finish().unwrap(), &content[..]);
        }
    }

    #[test]
    fn garbage_ends(bytes in prop::collection::vec(any::<u8>(), 0..3000), chunk in 1_usize..300) {
        for encoding in ALL {
            let mut decoder = Decoder::new(encoding, Count::default(), UNLIMITED);
            for chunk in bytes.chunks(chunk) {
                if decoder.write(chunk).is_err() {
                    break;
                }
            }
            prop_assert!(decoder.written() <= 1032 * bytes.len() as u64 + 258);
        }
    }
}
