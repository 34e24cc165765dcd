// SPDX-License-Identifier: MPL-2.0

//! Every attack beside an honest session: that one is complete at the end, the memory stays within the bounds, and no call
//! does more than its share of work.

use allocation_counter::measure;
use flute_proto::receiver::{Event, Limit, Limits, ReceiverConfig};

use crate::attacks::{self, Attack, impossible_oti, uncounted, wide};
use crate::crafted::{Harness, Style, content, file, instance, no_code};

/// What a session may use in these tests.
const MEMORY: u64 = 32 << 20;
/// What goes on top: the tables of the receiver, and what one call needs for itself.
const MARGIN: u64 = 16 << 20;
/// Units of work of one call, and of what cannot be divided at its end: about eight milliseconds, and twelve.
const WORK: u64 = 20_000_000;

fn config() -> ReceiverConfig {
    let limits = Limits::default().max_memory(MEMORY).max_decoding_work(1 << 26);
    ReceiverConfig::default().limits(limits)
}

/// Runs an attack between the packets of an honest session. Returns the harness after it.
fn beside(attack: Attack) -> Harness {
    let mut harness = Harness::new(config());
    let object = content(50_000, 1);
    let oti = no_code(50_000, 1000, 16);
    let honest = Style { tsi: 1, ..wide() };
    let mut packets = honest.fdt(0, &instance("", &[file(1, "honest", &oti, "")]));
    packets.extend(honest.object(1, &oti, &object));
    let mut packets = packets.into_iter();
    let mut of_attack = attack.packets;
    let mut index = 0;
    let info = measure(|| {
        // What makes the packets is not the receiver, and not measured.
        while let Some(packet) = uncounted(|| of_attack.next()) {
            harness.push_from("198.51.100.1:9", &packet);
            uncounted(|| drop(packet));
            if harness.events.len() > 10_000 {
                harness.events.retain(|event| matches!(event, Event::LimitReached { .. }));
            }
            if index % 100 == 0
                && let Some(packet) = uncounted(|| packets.next())
            {
                harness.push(&packet);
                uncounted(|| drop(packet));
            }
            index += 1;
        }
    });
    let bound = MEMORY + MARGIN;
    assert!(info.bytes_max < bound, "{} bytes at the peak, {bound} are allowed", info.bytes_max);
    packets.for_each(|packet| harness.push(&packet));
    assert!(harness.objects.iter().any(|(info, bytes)| info.location() == "honest" && *bytes == object));
    let most_work = harness.receiver.stats().most_work;
    assert!(most_work <= WORK, "{most_work} units of work in one call, {WORK} are allowed");
    for limit in attack.limits {
        assert_eq!(reached(&harness, *limit), 1, "{limit:?}");
    }
    harness
}

fn reached(harness: &Harness, limit: Limit) -> usize {
    let is_it = |event: &&Event| matches!(event, Event::LimitReached { limit: reached, .. } if *reached == limit);
    harness.events.iter().filter(is_it).count()
}

#[test]
fn fdt_that_inflates() {
    beside(attacks::fdt_that_inflates());
}

#[test]
fn object_that_inflates() {
    let harness = beside(attacks::object_that_inflates());
    assert_eq!(harness.failures(), [(1, "Limit(Expansion)".to_owned())]);
}

#[test]
fn deflate_blocks_with_tables() {
    let harness = beside(attacks::deflate_blocks_with_tables());
    // It was nothing but tables, and wanted an end.
    assert_eq!(harness.failures(), [(1, "Content(\"the encoded content ends too early\")".to_owned())]);
}

#[test]
fn deep_xml() {
    beside(attacks::deep_xml());
}

#[test]
fn enormous_xml() {
    beside(attacks::enormous_xml());
}

#[test]
fn many_entries() {
    let mut harness = beside(attacks::many_entries());
    harness.finish();
}

#[test]
fn many_sessions() {
    let harness = beside(attacks::many_sessions());
    assert!(harness.receiver.stats().sessions.len() <= 64);
}

#[test]
fn many_objects() {
    beside(attacks::many_objects());
    beside(attacks::many_objects_with_fti());
}

#[test]
fn many_instances() {
    beside(attacks::many_instances());
    beside(attacks::many_beginnings_of_instances());
}

/// GF(2^16), k = 32 000, T = 2, G = 255: more than a block may take.
#[test]
fn reed_solomon_of_repair_symbols() {
    beside(attacks::reed_solomon_of_repair_symbols());
}

/// RaptorQ with K = 56 403 and T = 1.
#[test]
fn raptorq_of_one_byte_symbols() {
    let harness = beside(attacks::raptorq_of_one_byte_symbols());
    // They are as good as any, and an object: of a file that no FDT Instance describes.
    assert_eq!(harness.receiver.stats().totals.recovered, 56_403);
}

#[test]
fn source_blocks_that_do_not_exist() {
    let harness = beside(attacks::source_blocks_that_do_not_exist());
    let stats = harness.receiver.stats();
    assert!(stats.sessions.iter().any(|(_, stats)| stats.unusable == 49_997));
}

#[test]
fn fti_that_contradicts_or_changes() {
    beside(attacks::contradicting_fti());
    beside(attacks::changing_fti());
}

#[test]
fn lengths_that_no_memory_has() {
    beside(attacks::longest_transfer_lengths());
}

#[test]
fn zeros_where_a_divisor_is_expected() {
    let harness = beside(attacks::zero_divisors());
    // Nothing of it is an object, except that no byte is one.
    let empty = impossible_oti().iter().filter(|oti| oti.parameters.transfer_length == 0).count();
    assert_eq!(harness.objects.len(), 1 + empty);
}

#[test]
fn symbols_in_masses() {
    beside(attacks::early_symbols());
    beside(attacks::repair_symbols_backwards());
}

/// A session whose memory is full goes on with what it has begun.
#[test]
fn objects_that_have_begun_are_not_touched() {
    let mut harness = Harness::new(config());
    let object = content(20_000_000, 1);
    let oti = no_code(20_000_000, 1400, 64);
    let style = wide();
    let files: Vec<_> = (1..=10).map(|toi| file(toi, &format!("{toi}"), &oti, "")).collect();
    harness.push_all(&style.fdt(0, &instance("", &files)));
    let packets: Vec<_> = (1..=10).map(|toi| style.object(toi, &oti, &object)).collect();
    for index in 0..packets[0].len() {
        packets.iter().for_each(|packets| harness.push(&packets[index]));
    }
    assert_eq!(harness.objects.len(), 1);
    assert_eq!(reached(&harness, Limit::Memory), 1);
    assert!(harness.take() == [object.clone()]);
    // The second has begun with its last symbol, when there was room; the carousel brings its others.
    harness.push_all(&packets[1]);
    assert!(harness.take() == [object.clone()]);
    harness.push_all(&packets[6][..100]);
    harness.finish();
    let limits = harness.failures().iter().filter(|(_, reason)| reason == "Limit(Memory)").count();
    assert_eq!((limits, harness.failures().len()), (7, 8));
}

/// An object that is not sent any more does not keep the others out for ever.
#[test]
fn idle_objects_give_way() {
    let mut harness = Harness::new(config());
    let object = content(20_000_000, 1);
    let oti = no_code(20_000_000, 1400, 64);
    let style = wide();
    harness.push_all(&style.fdt(0, &instance("", &[file(1, "1", &oti, ""), file(2, "2", &oti, "")])));
    harness.push(&style.object(1, &oti, &object)[0]);
    harness.pass(11);
    harness.push_all(&style.object(2, &oti, &object));
    assert!(harness.take() == [object.clone()]);
    harness.push_all(&style.object(1, &oti, &object));
    assert!(harness.take() == [object]);
}
