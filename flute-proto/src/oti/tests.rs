// SPDX-License-Identifier: MPL-2.0

//! EXT_FTI, Scheme-Specific-Info and FEC Payload IDs written out by hand from the drawings of RFC 5445, RFC 5053, RFC
//! 5510 and RFC 6330.

use proptest::prelude::*;

use super::*;

const LENGTH: u64 = 0x0001_0203_0405;

fn reed_solomon_code(m: u8, max_source_block_length: u32, max_encoding_symbols: u32) -> Code {
    Code::ReedSolomon {
        m,
        points: Points::Rizzo,
        byte_order: ByteOrder::LittleEndian,
        max_source_block_length,
        max_encoding_symbols,
    }
}

fn oti(encoding_id: FecEncodingId, symbols_per_packet: u8, code: Code) -> Oti {
    let parameters = Parameters { code, transfer_length: LENGTH, symbol_size: 0x0578 };
    Oti { encoding_id, instance_id: 0, symbols_per_packet, parameters }
}

/// `oti` is what EXT_FTI with this content says, and what the attributes say; in both directions.
fn check(oti: &Oti, fti: &[u8], attributes: OtiAttributes) {
    assert_eq!(oti.encode_fti().unwrap(), fti);
    assert_eq!(Oti::decode_fti(oti.encoding_id, fti).as_ref(), Ok(oti));
    let attributes = OtiAttributes { encoding_id: Some(oti.encoding_id), symbol_size: Some(1400), ..attributes };
    assert_eq!(oti.attributes().unwrap(), attributes);
    assert_eq!(Oti::from_attributes(&attributes, LENGTH).as_ref(), Ok(oti));

    // Whole words with HET and HEL in front; one byte less is too little, more is passed over.
    assert_eq!((fti.len() + 2) % 4, 0);
    assert!(matches!(Oti::decode_fti(oti.encoding_id, &fti[..fti.len() - 1]), Err(OtiError::FtiLength { .. })));
    assert_eq!(Oti::decode_fti(oti.encoding_id, &[fti, &[1, 2, 3, 4]].concat()).as_ref(), Ok(oti));
}

#[test]
fn compact_no_code() {
    // RFC 5445 §3.2.2.2: length 48, reserved 16, E 16, B 32.
    check(
        &oti(FecEncodingId::NO_CODE, 1, Code::NoCode { max_source_block_length: 0x0102_0304 }),
        b"\x00\x01\x02\x03\x04\x05\x00\x00\x05\x78\x01\x02\x03\x04",
        OtiAttributes { max_source_block_length: Some(0x0102_0304), ..Default::default() },
    );
}

#[test]
fn raptor() {
    // RFC 5053 §3.2: length 48, reserved 16, T 16, Z 16, N 8, Al 8.
    check(
        &oti(FecEncodingId::RAPTOR, 1, Code::Raptor { source_blocks: 0x0102, sub_blocks: 3, alignment: 4 }),
        b"\x00\x01\x02\x03\x04\x05\x00\x00\x05\x78\x01\x02\x03\x04",
        OtiAttributes { scheme_specific_info: Some(vec![1, 2, 3, 4]), ..Default::default() },
    );
}

#[test]
fn reed_solomon_of_any_field() {
    // RFC 5510 §4.2.4: length 48, m 8, G 8, E 16, B 16, max_n 16.
    check(
        &oti(FecEncodingId::REED_SOLOMON_2M, 5, reed_solomon_code(16, 0x0102, 0x0304)),
        b"\x00\x01\x02\x03\x04\x05\x10\x05\x05\x78\x01\x02\x03\x04",
        OtiAttributes {
            max_source_block_length: Some(0x0102),
            max_encoding_symbols: Some(0x0304),
            scheme_specific_info: Some(vec![16, 5]),
            ..Default::default()
        },
    );
}

#[test]
fn reed_solomon_of_bytes() {
    // RFC 5510 §5.2.4: length 48, E 16, B 8, max_n 8.
    check(
        &oti(FecEncodingId::REED_SOLOMON_8, 1, reed_solomon_code(8, 60, 64)),
        b"\x00\x01\x02\x03\x04\x05\x05\x78\x3c\x40",
        OtiAttributes { max_source_block_length: Some(60), max_encoding_symbols: Some(64), ..Default::default() },
    );
}

#[test]
fn raptorq() {
    // RFC 6330 §3.3: F 40, reserved 8, T 16, Z 8, N 16, Al 8, and two bytes to fill the word.
    let mut oti = oti(FecEncodingId::RAPTORQ, 1, Code::RaptorQ { source_blocks: 9, sub_blocks: 0x0102, alignment: 4 });
    check(
        &oti,
        b"\x01\x02\x03\x04\x05\x00\x05\x78\x09\x01\x02\x04\x00\x00",
        OtiAttributes { scheme_specific_info: Some(vec![9, 1, 2, 4]), ..Default::default() },
    );
    oti.parameters.transfer_length = 1 << 40;
    let error =
        OtiError::Field { encoding_id: FecEncodingId::RAPTORQ, field: "transfer length", value: 1 << 40, bits: 40 };
    assert_eq!(oti.encode_fti(), Err(error.clone()));
    assert_eq!(oti.attributes(), Err(error));
}

#[test]
fn small_block_systematic() {
    // RFC 5445 §5.2.2.2: length 48, FEC Instance ID 16, E 16, B 16, max_n 16.
    check(
        &oti(FecEncodingId::SMALL_BLOCK_SYSTEMATIC, 1, reed_solomon_code(8, 60, 64)),
        b"\x00\x01\x02\x03\x04\x05\x00\x00\x05\x78\x00\x3c\x00\x40",
        OtiAttributes {
            instance_id: Some(0),
            max_source_block_length: Some(60),
            max_encoding_symbols: Some(64),
            ..Default::default()
        },
    );
}

#[test]
fn what_senders_leave_out() {
    // RFC 5510 §4.2.3: no m is m = 8, no G is G = 1, in EXT_FTI as 0 and in the FDT as 0 or not at all.
    let defaults = oti(FecEncodingId::REED_SOLOMON_2M, 1, reed_solomon_code(8, 60, 64));
    let fti = b"\x00\x01\x02\x03\x04\x05\x00\x00\x05\x78\x00\x3c\x00\x40";
    assert_eq!(Oti::decode_fti(FecEncodingId::REED_SOLOMON_2M, fti).as_ref(), Ok(&defaults));
    let mut attributes = defaults.attributes().unwrap();
    for info in [None, Some(vec![0, 0]), Some(vec![8, 0]), Some(vec![0, 1])] {
        attributes.scheme_specific_info = info;
        assert_eq!(Oti::from_attributes(&attributes, LENGTH).as_ref(), Ok(&defaults));
    }
    // No max_n: as many symbols as GF(2^8) has points for. An FDT that names a FEC Instance ID where there is none.
    let attributes = OtiAttributes { max_encoding_symbols: None, instance_id: Some(17), ..attributes };
    let tolerant = oti(FecEncodingId::REED_SOLOMON_2M, 1, reed_solomon_code(8, 60, 255));
    assert_eq!(Oti::from_attributes(&attributes, LENGTH), Ok(tolerant));
    // FEC Encoding ID 129 has one instance that is known.
    let attributes =
        OtiAttributes { encoding_id: Some(FecEncodingId::SMALL_BLOCK_SYSTEMATIC), instance_id: None, ..attributes };
    assert!(Oti::from_attributes(&attributes, LENGTH).is_ok());
}

#[test]
fn attributes_that_are_missing_or_wrong() {
    let full = OtiAttributes {
        encoding_id: Some(FecEncodingId::RAPTORQ),
        symbol_size: Some(1400),
        max_source_block_length: Some(64),
        scheme_specific_info: Some(vec![1, 0, 1, 4]),
        ..Default::default()
    };
    let error = |attributes: &OtiAttributes| Oti::from_attributes(attributes, LENGTH).unwrap_err();
    let missing = OtiAttributes { encoding_id: None, ..full.clone() };
    assert_eq!(error(&missing), OtiError::Missing("FEC-OTI-FEC-Encoding-ID"));
    let missing = OtiAttributes { symbol_size: None, ..full.clone() };
    assert_eq!(error(&missing), OtiError::Missing("FEC-OTI-Encoding-Symbol-Length"));
    let missing = OtiAttributes { scheme_specific_info: None, ..full.clone() };
    assert_eq!(error(&missing), OtiError::Missing("FEC-OTI-Scheme-Specific-Info"));
    let missing =
        OtiAttributes { encoding_id: Some(FecEncodingId::NO_CODE), max_source_block_length: None, ..full.clone() };
    assert_eq!(error(&missing), OtiError::Missing("FEC-OTI-Maximum-Source-Block-Length"));
    let wrong = OtiAttributes { scheme_specific_info: Some(vec![1]), ..full.clone() };
    let encoding_id = FecEncodingId::RAPTORQ;
    assert_eq!(error(&wrong), OtiError::SchemeSpecificInfo { encoding_id, actual: 1, needed: 4 });
    let wrong = OtiAttributes { symbol_size: Some(65536), ..full.clone() };
    let field = "FEC-OTI-Encoding-Symbol-Length";
    assert_eq!(error(&wrong), OtiError::Field { encoding_id, field, value: 65536, bits: 16 });
    let field = "Transfer-Length";
    let long = Oti::from_attributes(&full, 1 << 40).unwrap_err();
    assert_eq!(long, OtiError::Field { encoding_id, field, value: 1 << 40, bits: 40 });
}

#[test]
fn schemes_that_are_not_supported() {
    let fti = b"\x00\x01\x02\x03\x04\x05\x00\x09\x05\x78\x00\x3c\x00\x40";
    for encoding_id in [3, 4, 7, 127].map(FecEncodingId) {
        let error = Err(OtiError::UnsupportedScheme(encoding_id));
        assert_eq!(Oti::decode_fti(encoding_id, fti), error);
        let attributes = OtiAttributes { encoding_id: Some(encoding_id), symbol_size: Some(1), ..Default::default() };
        assert_eq!(Oti::from_attributes(&attributes, 1), error);
    }
    for encoding_id in [128, 129, 130, 255].map(FecEncodingId) {
        let error = Err(OtiError::UnsupportedInstance { encoding_id, instance_id: 9 });
        assert_eq!(Oti::decode_fti(encoding_id, fti), error);
        let attributes = OtiAttributes {
            encoding_id: Some(encoding_id),
            instance_id: Some(9),
            symbol_size: Some(1),
            ..Default::default()
        };
        assert_eq!(Oti::from_attributes(&attributes, 1), error);
    }
    let fti = b"\x00\x01\x02\x03\x04\x05\x11\x01\x05\x78\x00\x3c\x00\x40";
    assert_eq!(Oti::decode_fti(FecEncodingId::REED_SOLOMON_2M, fti), Err(OtiError::FieldSize(17)));
}

#[test]
fn what_cannot_be_encoded() {
    let code = reed_solomon_code(8, 256, 300);
    let encoding_id = FecEncodingId::REED_SOLOMON_8;
    let field = "maximum source block length";
    let error = OtiError::Field { encoding_id, field, value: 256, bits: 8 };
    assert_eq!(oti(encoding_id, 1, code).encode_fti(), Err(error));
    let encoding_id = FecEncodingId::NO_CODE;
    assert_eq!(oti(encoding_id, 1, code).encode_fti(), Err(OtiError::CodeMismatch { encoding_id, code }));
    let encoding_id = FecEncodingId::REED_SOLOMON_8;
    let code = reed_solomon_code(16, 60, 64);
    assert_eq!(oti(encoding_id, 1, code).attributes(), Err(OtiError::CodeMismatch { encoding_id, code }));
}

#[test]
fn numbers_that_the_payload_id_does_not_hold() {
    // 65537 blocks of one symbol of one byte.
    let mut oti = oti(FecEncodingId::NO_CODE, 1, Code::NoCode { max_source_block_length: 1 });
    (oti.parameters.transfer_length, oti.parameters.symbol_size) = (65536, 1);
    assert_eq!(oti.codec().unwrap().block_count(), 65536);
    oti.parameters.transfer_length = 65537;
    assert_eq!(oti.codec().unwrap_err(), OtiError::TooManySourceBlocks { blocks: 65537, max: 65536 });
    oti.parameters.code = Code::NoCode { max_source_block_length: 65537 };
    assert_eq!(oti.codec().unwrap_err(), OtiError::TooManySourceSymbols { symbols: 65537, max_esi: 65535 });
    oti.parameters.transfer_length = 0;
    assert_eq!(oti.codec().unwrap().block_count(), 0);
    oti.parameters.symbol_size = 0;
    assert_eq!(oti.codec().unwrap_err(), OtiError::Parameters(ParameterError::ZeroSymbolSize));
}

#[test]
fn payload_ids() {
    let check = |encoding_id: u8, m: u8, bytes: &[u8], source_block, source_block_length, esi| {
        let format = PayloadIdFormat::of(FecEncodingId(encoding_id), m).unwrap();
        let id = PayloadId { source_block, esi, source_block_length };
        assert_eq!(format.decode(bytes), Some(id));
        let mut encoded = Vec::new();
        format.append(id, &mut encoded);
        assert_eq!((encoded.as_slice(), format.length()), (bytes, bytes.len()));
        assert_eq!(format.decode(&bytes[1..]), None);
    };
    // Block number 16, symbol ID 16: RFC 5445 §3.2.1 and §6.2.1, RFC 5053 §3.1.
    for encoding_id in [0, 1, 130] {
        check(encoding_id, 0, b"\x01\x02\x03\x04", 0x0102, None, 0x0304);
    }
    // 32 − m and m: RFC 5510 §4.1.
    check(2, 0, b"\x01\x02\x03\x04", 0x01_0203, None, 0x04);
    check(2, 8, b"\x01\x02\x03\x04", 0x01_0203, None, 0x04);
    check(2, 16, b"\x01\x02\x03\x04", 0x0102, None, 0x0304);
    check(2, 2, b"\x01\x02\x03\x07", 0x0040_80c1, None, 0x03);
    check(2, 12, b"\x01\x02\x03\x04", 0x1020, None, 0x304);
    // 12 and 20: RFC 5170 §4.1.
    check(3, 0, b"\x01\x02\x03\x04", 0x010, None, 0x2_0304);
    check(4, 0, b"\xff\xff\xff\xff", 0xfff, None, 0xf_ffff);
    // 24 and 8: RFC 5510 §5.1.
    check(5, 0, b"\x01\x02\x03\x04", 0x01_0203, None, 0x04);
    // 8 and 24: RFC 6330 §3.2.
    check(6, 0, b"\x01\x02\x03\x04", 0x01, None, 0x02_0304);
    // 32 and 32: RFC 5445 §4.2.1.
    check(128, 0, b"\x01\x02\x03\x04\x05\x06\x07\x08", 0x0102_0304, None, 0x0506_0708);
    check(128, 0, b"\xff\xff\xff\xff\xff\xff\xff\xff", u32::MAX, None, u32::MAX);
    // 32, source block length 16, 16: RFC 5445 §5.2.1.
    check(129, 0, b"\x01\x02\x03\x04\x05\x06\x07\x08", 0x0102_0304, Some(0x0506), 0x0708);

    for (encoding_id, m) in [(7, 0), (255, 0), (2, 1), (2, 17)] {
        assert_eq!(PayloadIdFormat::of(FecEncodingId(encoding_id), m), None);
    }
}

#[test]
fn most_source_blocks() {
    let max = |encoding_id: FecEncodingId, m| encoding_id.max_source_blocks(m);
    assert_eq!(max(FecEncodingId::NO_CODE, 0), Some(1 << 16));
    assert_eq!(max(FecEncodingId::REED_SOLOMON_2M, 12), Some(1 << 20));
    assert_eq!(max(FecEncodingId::REED_SOLOMON_8, 0), Some(1 << 24));
    assert_eq!(max(FecEncodingId::SMALL_BLOCK_SYSTEMATIC, 0), Some(1 << 32));
    // Z of one byte or two begins at 1.
    assert_eq!(max(FecEncodingId::RAPTOR, 0), Some(65535));
    assert_eq!(max(FecEncodingId::RAPTORQ, 0), Some(255));
    assert_eq!(max(FecEncodingId(7), 0), None);
}

#[test]
fn inheritance_of_attributes() {
    let instance = OtiAttributes {
        encoding_id: Some(FecEncodingId::NO_CODE),
        symbol_size: Some(1400),
        max_source_block_length: Some(64),
        ..Default::default()
    };
    let file = OtiAttributes { symbol_size: Some(500), ..Default::default() };
    assert_eq!(file.or(&instance), OtiAttributes { symbol_size: Some(500), ..instance });
}

proptest! {
    #[test]
    fn whatever_ext_fti_says_attributes_say(
        encoding_id in prop_oneof![Just(0u8), Just(1), Just(2), Just(5), Just(6), Just(129)],
        mut fti in any::<[u8; 14]>(),
    ) {
        let encoding_id = FecEncodingId(encoding_id);
        match encoding_id {
            FecEncodingId::REED_SOLOMON_2M => fti[6] %= 17,
            FecEncodingId::SMALL_BLOCK_SYSTEMATIC => fti[6..8].fill(0),
            _ => {}
        }
        let oti = match Oti::decode_fti(encoding_id, &fti) {
            Ok(oti) => oti,
            Err(error) => {
                prop_assert_eq!(error, OtiError::FieldSize(1));
                return Ok(());
            }
        };
        prop_assert_eq!(Oti::decode_fti(encoding_id, &oti.encode_fti().unwrap()), Ok(oti.clone()));
        let attributes = oti.attributes().unwrap();
        prop_assert_eq!(Oti::from_attributes(&attributes, oti.parameters.transfer_length), Ok(oti.clone()));
    }

    #[test]
    fn garbage(encoding_id in any::<u8>(), fti in proptest::collection::vec(any::<u8>(), 0..20)) {
        if let Ok(oti) = Oti::decode_fti(FecEncodingId(encoding_id), &fti) {
            prop_assert!(fti.len() >= 10 && oti.payload_id_format().is_ok());
        }
    }
}
