// SPDX-License-Identifier: MPL-2.0

//! Either way of decoding succeeds for the same symbols, and finds the same.

use proptest::prelude::*;

use super::*;
use crate::layout::SubSymbols;
use crate::raptor::code::Raptor;
use crate::raptorq::code::RaptorQ;

/// Bytes of a symbol.
const SIZE: u16 = 3;

/// Solves the equations of all symbols.
fn solve<C: FountainCode>(job: &Job<C>) -> Option<Stage<C>> {
    let plan = solver(job.code, &job.layout, &job.present, &job.repair).step(&mut Work::unlimited());
    plan.ok().flatten().map(|plan| job.replaying(Arc::new(plan), Finish::Sums(job.sums(&job.missing))))
}

/// Solves for what is missing by the plan of the encoder, with the first repair symbols or with all.
fn correct<C: FountainCode>(job: &Job<C>) -> Option<Stage<C>> {
    let plan = EncodingPlan::new(job.code).step(&mut Work::unlimited()).unwrap();
    let Stage::Coefficients(plan, sums, mut system) = job.correct(plan) else { panic!("there are coefficients") };
    while !system.is_done() {
        system.fill_lacking(&plan, &job.present, &job.missing, &sums);
    }
    let mut elimination = system.eliminate();
    elimination.step(&mut Work::unlimited());
    job.corrected(plan, &sums, elimination)
}

/// Decodes in both ways, whatever a job would choose. Returns whether that succeeds.
fn decode<C: FountainCode>(code: C, missing: &[u32], repair: Vec<u32>) -> bool {
    let (symbols, size) = (code.source_symbols() as usize, usize::from(SIZE));
    let layout = BlockLayout { symbols: symbols as u32, symbol_size: SIZE, sub_symbols: SubSymbols::whole(SIZE) };
    let block: Vec<u8> = (0..symbols * size).map(|at| (at * at / 7 + at) as u8).collect();
    let encoder = super::super::FountainBlock::new(code, layout);
    let data: Vec<Vec<u8>> = repair
        .iter()
        .map(|esi| {
            let mut symbol = vec![0; size];
            crate::BlockEncoder::encode(&encoder, &block, 0..size, esi - symbols as u32, &mut symbol).unwrap();
            symbol
        })
        .collect();
    let data: Vec<RepairSymbol<'_>> = repair.iter().zip(&data).map(|(&esi, data)| RepairSymbol { esi, data }).collect();
    let mut present = Present::new(symbols);
    (0..symbols).filter(|esi| !missing.contains(&(*esi as u32))).for_each(|esi| assert!(present.insert(esi)));
    let Ok(mut job) = Job::new(code, layout, &present, repair) else {
        assert!(data.len() < missing.len());
        return false;
    };
    let ways = [solve(&job), correct(&job)];
    assert_eq!(ways[0].is_some(), ways[1].is_some(), "{missing:?} {:?}", job.repair);
    let succeeds = ways[0].is_some();
    for stage in ways.into_iter().flatten() {
        job.stage = Some(stage);
        let mut received = block.clone();
        missing.iter().for_each(|&esi| received[esi as usize * size..][..size].fill(0xEE));
        assert_eq!(job.step(&mut received, &data, &mut Work::unlimited()), Ok(Progress::Done));
        assert!(received == block);
    }
    succeeds
}

fn esis(first: u32) -> impl Strategy<Value = u32> {
    prop_oneof![first..first + 20, first..1 << 16]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any losses, from one repair symbol too few to a few more than are needed.
    #[test]
    fn both_ways_agree(
        raptorq in any::<bool>(),
        symbols in prop_oneof![4..40u32, 4..600u32],
        missing in proptest::collection::btree_set(0..600u32, 1..30),
        repair in proptest::collection::vec(esis(600), 60),
        more in 0..5usize,
    ) {
        let missing: Vec<u32> = missing.into_iter().filter(|&esi| esi < symbols).collect();
        let mut distinct: Vec<u32> = Vec::new();
        for esi in repair {
            if !distinct.contains(&esi) && distinct.len() + 1 < missing.len() + more {
                distinct.push(esi);
            }
        }
        let succeeds = match raptorq {
            true => decode(RaptorQ::new(symbols).unwrap(), &missing, distinct),
            false => decode(Raptor::new(symbols).unwrap(), &missing, distinct),
        };
        prop_assert!(!succeeds || more > 0 || missing.is_empty());
    }
}

/// As many repair symbols as are missing suffice often, but not always: both outcomes must be seen.
#[test]
fn just_enough() {
    let outcomes = |decode: &dyn Fn(&[u32], Vec<u32>) -> bool| {
        (0..200).filter(|seed| decode(&[3, 5 + seed % 40, 60], (100 + seed..103 + seed).collect())).count()
    };
    let raptor = outcomes(&|missing, repair| decode(Raptor::new(100).unwrap(), missing, repair));
    let raptorq = outcomes(&|missing, repair| decode(RaptorQ::new(100).unwrap(), missing, repair));
    assert!((40..180).contains(&raptor) && (180..=200).contains(&raptorq), "{raptor} {raptorq}");
}

/// Where few symbols are missing and the first repair symbols do not suffice, all are used.
#[test]
fn all_repair_symbols_are_tried() {
    let code = Raptor::new(1000).unwrap();
    let layout = BlockLayout { symbols: 1000, symbol_size: 1, sub_symbols: SubSymbols::whole(1) };
    let mut present = Present::new(1000);
    (0..1000).filter(|&esi| esi != 20).for_each(|esi| assert!(present.insert(esi)));
    // Raptor takes ESIs modulo 65521: these are source symbols by other names.
    let useless = 65521..65536;
    assert!(useless.len() > 1 + SPARE);
    let repair: Vec<u32> = useless.chain(1000..1010).collect();
    let symbols: Vec<_> = repair.iter().map(|&esi| RepairSymbol { esi, data: &[0] }).collect();
    for (count, error) in [(15, Some(DecodeError::NotEnoughSymbols { missing: 1, repair: 15 })), (repair.len(), None)] {
        let mut job = Job::new(code, layout, &present, repair[..count].to_vec()).unwrap();
        let mut block = vec![0; 1000];
        block[20] = 1;
        assert_eq!(job.step(&mut block, &symbols, &mut Work::unlimited()).err(), error);
        assert!(matches!(job.stage, None | Some(Stage::Replaying(_, Finish::Sums(_), _))));
        assert!(count < repair.len() || block == [0; 1000]);
    }
}
