// SPDX-License-Identifier: MPL-2.0

//! Raptor and RaptorQ from object to object, and with parameters and symbols that no sender should send.

mod noise;

use flute_fec::{
    Code, DecodeError, ObjectCodec, ParameterError, Parameters, Present, RepairSymbol, Scheme, SourceBlock, Wanted,
};
use noise::noise;
use proptest::prelude::*;

fn raptor(source_blocks: u16, sub_blocks: u8, alignment: u8) -> Code {
    Code::Raptor { source_blocks, sub_blocks, alignment }
}

fn raptorq(source_blocks: u16, sub_blocks: u16, alignment: u8) -> Code {
    Code::RaptorQ { source_blocks, sub_blocks, alignment }
}

fn codec(code: Code, transfer_length: u64, symbol_size: u16) -> Result<ObjectCodec, ParameterError> {
    Parameters { code, transfer_length, symbol_size }.codec()
}

/// The block of an object, whole.
fn block_of(object: &[u8], block: &SourceBlock, symbol_size: usize) -> Vec<u8> {
    let mut data = object[block.offset as usize..(block.offset + block.length) as usize].to_vec();
    data.resize(block.symbols as usize * symbol_size, 0);
    data
}

/// Loses about `percent` of the source symbols of each block, and decodes with `overhead` repair symbols more than are
/// missing, or with more where that does not suffice. Returns how often it did.
fn round_trip(codec: &ObjectCodec, object: &[u8], percent: u8, overhead: usize, seed: u64) -> usize {
    let size = usize::from(codec.parameters().symbol_size);
    let mut decoded_at_once = 0;
    for number in 0..codec.block_count() {
        let block = codec.block(number).unwrap();
        let (encoder, decoder) = (codec.encoder(&block, 0).unwrap(), codec.decoder(&block).unwrap());
        let k = block.symbols as usize;
        let lost = noise(k, seed + u64::from(number));
        let mut present = Present::new(k);
        (0..k)
            .filter(|&esi| lost[esi] as usize * 100 >= percent as usize * 256)
            .for_each(|esi| assert!(present.insert(esi)));
        let first = u32::from(lost[0]);
        let mut repair = vec![0; (present.missing_count() + 30) * size];
        let source = &object[block.offset as usize..(block.offset + block.length) as usize];
        encoder.encode(source, 0..size, first, &mut repair).unwrap();
        let repair: Vec<RepairSymbol<'_>> =
            (block.symbols + first..).zip(repair.chunks(size)).map(|(esi, data)| RepairSymbol { esi, data }).collect();

        let original = block_of(object, &block, size);
        let mut received = original.clone();
        for esi in present.missing() {
            for run in codec.runs(&block, esi as u32) {
                let start = (run.object_offset - block.offset) as usize;
                received[start.min(original.len())..][..usize::from(run.length)].fill(0xEE);
            }
        }
        for count in present.missing_count() + overhead..=repair.len() {
            match decoder.decode(&mut received, &present, &repair[..count]) {
                Ok(()) => {
                    decoded_at_once += usize::from(count == present.missing_count() + overhead);
                    break;
                }
                Err(error) => {
                    assert!(matches!(error, DecodeError::NotEnoughSymbols { .. }), "{error}");
                    assert!(count < repair.len(), "30 symbols more do not suffice");
                }
            }
        }
        assert!(received == original, "block {number}");
    }
    decoded_at_once
}

#[test]
fn random_erasures() {
    for k in (1..60).chain((60..1000).step_by(71)).chain([2047, 8191]) {
        for overhead in 0..4 {
            for code in [raptor(1, 1, 1), raptorq(1, 1, 1)] {
                let object = noise(k * 4, k as u64);
                // Less than four symbols have no code in RFC 5053.
                if k >= 4 || code.scheme() == Scheme::RaptorQ {
                    round_trip(
                        &codec(code, object.len() as u64, 4).unwrap(),
                        &object,
                        20,
                        overhead,
                        (k + overhead) as u64,
                    );
                }
            }
        }
    }
}

/// RFC 6330 §5.8: with one symbol more than K, failure is rare. RFC 5053 needs a few more.
#[test]
fn failures_are_rare() {
    let decoded = |code, overhead| {
        let object = noise(100 * 50 * 4, 1);
        round_trip(&codec(code, object.len() as u64, 4).unwrap(), &object, 50, overhead, 9)
    };
    assert_eq!(decoded(raptorq(50, 1, 1), 1), 50);
    assert!(decoded(raptorq(50, 1, 1), 0) >= 48);
    assert_eq!(decoded(raptor(50, 1, 1), 24), 50);
    assert!(decoded(raptor(50, 1, 1), 4) >= 45);
}

#[test]
fn all_source_symbols_lost() {
    let object = noise(700 * 10, 1);
    for code in [raptor(3, 2, 1), raptorq(3, 2, 1)] {
        round_trip(&codec(code, object.len() as u64, 10).unwrap(), &object, 100, 2, 1);
    }
}

/// Blocks of two lengths, sub-blocks of two sizes, and an end of the object that lacks more than the last sub-symbol.
#[test]
fn sub_blocks_and_short_ends() {
    for (length, size, alignment, source_blocks, sub_blocks) in [
        (10_000, 20, 4, 7, 5),
        (9_981, 20, 4, 7, 2),
        (9_985, 20, 2, 3, 4),
        (300_001, 1400, 4, 2, 200),
        (77, 6, 1, 2, 6),
    ] {
        let object = noise(length, length as u64);
        let codes =
            [raptor(source_blocks, sub_blocks, alignment), raptorq(source_blocks, sub_blocks.into(), alignment)];
        for code in codes {
            let codec = codec(code, length as u64, size).unwrap();
            assert_eq!(codec.block_count(), source_blocks.into());
            let mut covered = vec![0; length];
            for block in (0..codec.block_count()).filter_map(|number| codec.block(number)) {
                for run in (0..block.symbols).flat_map(|esi| codec.runs(&block, esi)) {
                    let start = run.object_offset as usize;
                    covered[start.min(length)..][..usize::from(run.length)].iter_mut().for_each(|times| *times += 1);
                }
            }
            assert!(covered.iter().all(|&times| times == 1));
            round_trip(&codec, &object, 30, 3, 5);
        }
    }
}

#[test]
fn strips_equal_the_whole() {
    for code in [raptor(1, 3, 4), raptorq(1, 3, 4)] {
        let size = 1000;
        let source = noise(30 * size - 700, 3);
        let codec = codec(code, source.len() as u64, size as u16).unwrap();
        let encoder = codec.encoder(&codec.block(0).unwrap(), 0).unwrap();
        let mut whole = vec![0; 7 * size];
        encoder.encode(&source, 0..size, 2, &mut whole).unwrap();
        for cuts in [&[0, 1000][..], &[0, 1, 64, 65, 400, 1000], &[0, 256, 512, 1000], &[0, 0, 999, 1000]] {
            let mut strips = vec![0; 7 * size];
            for cut in cuts.windows(2) {
                encoder.encode(&source, cut[0]..cut[1], 2, &mut strips).unwrap();
            }
            assert!(strips == whole);
        }
    }
}

#[test]
fn what_the_decoder_is_not_to_be_given() {
    for code in [raptor(1, 1, 1), raptorq(1, 1, 1)] {
        let object = noise(40, 1);
        let codec = codec(code, 40, 4).unwrap();
        let decoder = codec.decoder(&codec.block(0).unwrap()).unwrap();
        let mut present = Present::new(10);
        (1..10).for_each(|esi| assert!(present.insert(esi)));
        let decode = |present: &Present, length: usize, repair: &[(u32, usize)]| {
            let data = [0; 8];
            let repair: Vec<_> =
                repair.iter().map(|&(esi, length)| RepairSymbol { esi, data: &data[..length] }).collect();
            decoder.decode(&mut object.clone()[..length], present, &repair)
        };
        assert_eq!(decode(&present, 39, &[]), Err(DecodeError::Length { actual: 39, expected: 40 }));
        assert_eq!(decode(&Present::new(11), 40, &[]), Err(DecodeError::Length { actual: 11, expected: 10 }));
        assert_eq!(decode(&present, 40, &[(10, 3)]), Err(DecodeError::Length { actual: 3, expected: 4 }));
        assert_eq!(decode(&present, 40, &[(9, 4)]), Err(DecodeError::Esi { esi: 9 }));
        assert_eq!(decode(&present, 40, &[(10, 4), (11, 4), (10, 4)]), Err(DecodeError::Esi { esi: 10 }));
        assert_eq!(decode(&present, 40, &[(1 << 24, 4)]), Err(DecodeError::Esi { esi: 1 << 24 }));
        assert_eq!(decode(&present, 40, &[]), Err(DecodeError::NotEnoughSymbols { missing: 1, repair: 0 }));
    }
}

/// With one symbol less than K no code of K independent symbols can be decoded: that is an error, and all that came is
/// left as it was.
#[test]
fn one_symbol_too_few() {
    for (code, k) in
        [raptor(1, 1, 1), raptorq(1, 1, 1)].into_iter().flat_map(|code| [4, 10, 101, 1000].map(|k| (code, k)))
    {
        let object = noise(k * 4, k as u64);
        let codec = codec(code, object.len() as u64, 4).unwrap();
        let block = codec.block(0).unwrap();
        let lost = k.div_ceil(5);
        let mut repair = vec![0; lost * 4];
        codec.encoder(&block, lost as u32).unwrap().encode(&object, 0..4, 0, &mut repair).unwrap();
        let repair: Vec<_> = (k as u32..).zip(repair.chunks(4)).map(|(esi, data)| RepairSymbol { esi, data }).collect();
        let mut present = Present::new(k);
        (0..k).filter(|esi| esi % 5 != 0).for_each(|esi| assert!(present.insert(esi)));
        let mut received = object.clone();
        let error = DecodeError::NotEnoughSymbols { missing: lost, repair: lost - 1 };
        let decoder = codec.decoder(&block).unwrap();
        assert!(!decoder.is_solvable(lost, lost - 1));
        assert_eq!(decoder.decode(&mut received, &present, &repair[1..]), Err(error));
        assert!(received == object);
    }
}

#[test]
fn blocks_of_less_than_four_symbols() {
    let codec = codec(raptor(1, 1, 1), 3, 1).unwrap();
    let block = codec.block(0).unwrap();
    assert_eq!(codec.encoder(&block, 0).unwrap().max_repair_symbols(), 0);
}

#[test]
fn absurd_parameters() {
    let error = |code, length, size| codec(code, length, size).unwrap_err();
    for code in [raptor, |z, n: u8, al| raptorq(z, n.into(), al)] {
        assert_eq!(error(code(1, 1, 4), 100, 0), ParameterError::ZeroSymbolSize);
        assert_eq!(error(code(1, 1, 0), 100, 4), ParameterError::ZeroAlignment);
        let unaligned = ParameterError::UnalignedSymbolSize { symbol_size: 10, alignment: 4 };
        assert_eq!(error(code(1, 1, 4), 100, 10), unaligned);
        assert_eq!(error(code(1, 0, 4), 100, 8), ParameterError::SubBlocks { sub_blocks: 0, max: 2 });
        assert_eq!(error(code(1, 3, 4), 100, 8), ParameterError::SubBlocks { sub_blocks: 3, max: 2 });
        assert_eq!(error(code(0, 1, 4), 100, 4), ParameterError::SourceBlocks { source_blocks: 0, max: 25 });
        assert_eq!(error(code(26, 1, 4), 100, 4), ParameterError::SourceBlocks { source_blocks: 26, max: 25 });
        assert_eq!(codec(code(0, 1, 4), 0, 4).unwrap().block_count(), 0);
    }
    assert_eq!(error(raptorq(257, 1, 1), 1000, 1), ParameterError::SourceBlocks { source_blocks: 257, max: 256 });
    assert_eq!(error(raptorq(1, 1, 1), 56404, 1), ParameterError::SourceBlockTooLong { symbols: 56404, max: 56403 });
    assert_eq!(error(raptor(1, 1, 1), 8193, 1), ParameterError::SourceBlockTooLong { symbols: 8193, max: 8192 });
    assert_eq!(codec(raptorq(256, 1, 1), 256, 1).unwrap().block_count(), 256);
}

/// A wish that the code cannot keep is refused, as one that it has no block length for at all.
#[test]
fn blocks_beyond_the_scheme_are_not_to_be_had() {
    for (scheme, max) in [(Scheme::Raptor, 8192), (Scheme::RaptorQ, 56403)] {
        let wanted = |length| {
            Wanted { max_source_block_length: Some(length), ..Wanted::new(scheme, 1 << 20, 1400) }.parameters()
        };
        let too_long = ParameterError::SourceBlockTooLong { symbols: u64::from(max) + 1, max };
        assert_eq!(wanted(max + 1), Err(too_long));
        assert!(wanted(max).is_ok());
        assert_eq!(wanted(0), Err(ParameterError::ZeroSourceBlockLength));
    }
}

/// 5 GB in symbols of 1400: too many for Z = 256 blocks of 8192, so blocks grow.
#[test]
fn derives_raptorq() {
    let parameters = |wanted: Wanted| wanted.parameters().map(|p| (p.code, p.symbol_size));
    let wanted = Wanted::new(Scheme::RaptorQ, 5 << 30, 1402);
    assert_eq!(parameters(wanted), Ok((raptorq(256, 1, 4), 1400)));
    // FLUTE has 255 of them, since Z has 8 bits in the OTI: they grow for that.
    assert_eq!(parameters(Wanted { max_source_blocks: 255, ..wanted }), Ok((raptorq(255, 1, 4), 1400)));
    assert_eq!(parameters(Wanted { transfer_length: 1 << 20, ..wanted }), Ok((raptorq(1, 1, 4), 1400)));
    assert_eq!(parameters(Wanted { transfer_length: 0, ..wanted }), Ok((raptorq(1, 1, 4), 1400)));
    assert_eq!(
        parameters(Wanted { max_source_block_length: Some(1000), ..wanted }),
        Err(ParameterError::ObjectTooLong { length: 5 << 30, max: 256 * 1000 * 1400 })
    );
    let short = Wanted { transfer_length: 1_400_000, max_source_block_length: Some(64), ..wanted };
    assert_eq!(parameters(short), Ok((raptorq(16, 1, 4), 1400)));
    // By hand: Kt = 1000, Nmax = 43, T/Al = 350. WS = 100 kB is 25000 units: KL(43) is the K' not above 25000/9, so
    // Z = 1. ceil(350/n) units may then be 25 at most, for K = 1000 has K' = 1002 > 25000/25 = 1000: 24 units, n = 15.
    let small = Wanted { max_source_block_length: None, max_sub_block_size: Some(100_000), ..short };
    assert_eq!(parameters(small), Ok((raptorq(1, 15, 4), 1400)));
    assert_eq!(
        parameters(Wanted { max_sub_block_size: Some(359), ..small }),
        Err(ParameterError::SubBlockSize { max_sub_block_size: 359, min: 360 })
    );
}

#[test]
fn derives_raptor() {
    let parameters = |wanted: Wanted| wanted.parameters().map(|p| (p.code, p.symbol_size));
    let wanted = Wanted::new(Scheme::Raptor, 5 << 30, 1402);
    // Kt = 3834793, Z = ceil(Kt/8192).
    assert_eq!(parameters(wanted), Ok((raptor(469, 1, 4), 1400)));
    // Three symbols of 1400 would not do: G = ceil(1400*4/3000) = 2.
    assert_eq!(parameters(Wanted { transfer_length: 3000, ..wanted }), Ok((raptor(1, 1, 4), 700)));
    // Ten bytes are not four times 4, but four times 2.
    assert_eq!(parameters(Wanted { transfer_length: 10, ..wanted }), Ok((raptor(1, 1, 2), 2)));
    assert_eq!(parameters(Wanted { transfer_length: 3, ..wanted }), Ok((raptor(1, 1, 4), 1400)));
    // TS 26.346: sub-blocks of less than 256 KiB. K = 8000: 65 bytes of each symbol would make 520000, so 32 bytes at
    // the most, 44 sub-blocks of 8 units of 4.
    let mbms = Wanted { transfer_length: 8000 * 1400, max_sub_block_size: Some((256 << 10) - 1), ..wanted };
    assert_eq!(parameters(mbms), Ok((raptor(1, 44, 4), 1400)));
    assert_eq!(
        parameters(Wanted { max_source_block_length: Some(10), ..wanted }),
        Err(ParameterError::ObjectTooLong { length: 5 << 30, max: 65535 * 10 * 1400 })
    );
}

fn any_code() -> impl Strategy<Value = Code> {
    prop_oneof![
        (0..300u16, any::<u8>(), any::<u8>()).prop_map(|(z, n, al)| raptor(z, n, al)),
        (0..300u16, any::<u16>(), any::<u8>()).prop_map(|(z, n, al)| raptorq(z, n, al)),
        (1..5u16, 1..4u8, 1..3u8).prop_map(|(z, n, al)| raptor(z, n, al)),
        (1..5u16, 1..4u16, 1..3u8).prop_map(|(z, n, al)| raptorq(z, n, al)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the parameters: an error, or blocks that tile the object, whose decoders stand anything.
    #[test]
    fn any_parameters_and_symbols(
        code in any_code(),
        length in prop_oneof![0..2000u64, 0..1u64 << 48],
        size in prop_oneof![0..40u16, any::<u16>()],
        // Distance from K, downwards by way of wrapping around.
        esis in proptest::collection::vec(prop_oneof![Just(u32::MAX), 0..40u32, 0..1u32 << 24], 0..60),
        lost in any::<u64>(),
        repair_length in prop_oneof![9 => Just(None), 1 => (0..50usize).prop_map(Some)],
    ) {
        let Ok(codec) = codec(code, length, size) else { return Ok(()) };
        let count = codec.block_count();
        prop_assert_eq!(codec.block(count), None);
        let end = count.checked_sub(1).and_then(|last| codec.block(last)).map_or(0, |block| block.offset + block.length);
        prop_assert_eq!(end, length);
        let Some(block) = codec.block(0).filter(|block| u64::from(block.symbols) * u64::from(size) < 100_000) else {
            return Ok(());
        };
        let decoder = codec.decoder(&block).unwrap();
        let mut present = Present::new(block.symbols as usize);
        (0..block.symbols as usize).filter(|esi| lost >> (esi % 64) & 1 == 0).for_each(|esi| { present.insert(esi); });
        let data = vec![0x5A; repair_length.unwrap_or(size.into())];
        let repair: Vec<_> =
            esis.iter().map(|esi| RepairSymbol { esi: block.symbols.wrapping_add(*esi), data: &data }).collect();
        let mut received = vec![0; block.symbols as usize * usize::from(size)];
        let before = received.clone();
        let outcome = decoder.decode(&mut received, &present, &repair);
        if outcome.is_err() {
            for esi in (0..block.symbols).filter(|&esi| present.contains(esi as usize)) {
                for run in codec.runs(&block, esi) {
                    let start = run.object_offset as usize;
                    let range = start..start + usize::from(run.length);
                    prop_assert_eq!(&received[range.clone()], &before[range]);
                }
            }
        }
    }

    /// What is derived is what can be used.
    #[test]
    fn any_wish(
        raptorq in any::<bool>(),
        transfer_length in prop_oneof![0..100u64, 0..1u64 << 24, any::<u64>()],
        symbol_size in prop_oneof![0..40u16, any::<u16>()],
        max_source_block_length in proptest::option::of(prop_oneof![0..20u32, any::<u32>()]),
        max_source_blocks in prop_oneof![0..300u64, any::<u64>()],
        alignment in prop_oneof![Just(4), any::<u8>()],
        max_sub_block_size in proptest::option::of(prop_oneof![0..1u64 << 20, any::<u64>()]),
    ) {
        let scheme = if raptorq { Scheme::RaptorQ } else { Scheme::Raptor };
        let wanted = Wanted {
            max_source_block_length,
            max_source_blocks,
            alignment,
            max_sub_block_size,
            ..Wanted::new(scheme, transfer_length, symbol_size)
        };
        if let Ok(parameters) = wanted.parameters() {
            let codec = parameters.codec().unwrap();
            prop_assert!(parameters.symbol_size <= symbol_size);
            if let Some(block) = codec.block(0) {
                let least = if raptorq { 1 } else { 7 };
                prop_assert!(max_source_block_length.is_none_or(|max| block.symbols <= max.max(least)));
                let last = codec.block(codec.block_count() - 1).unwrap();
                prop_assert!(raptorq || transfer_length < 4 || last.symbols >= 4);
                prop_assert!(u64::from(codec.block_count()) <= max_source_blocks);
            }
        }
    }
}
