// SPDX-License-Identifier: MPL-2.0

//! Which packet goes first, and when.

use std::net::UdpSocket;
use std::time::{Duration, SystemTime};

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

use crate::packet::{Seen, of_fdt, of_objects, seen};
use crate::{another_input, content, flutesink, harness, messages, named, packets};

/// Sends one object of each pad; sending begins when all of them are there. The pads are `sink_0`, `sink_1` …, the TOIs
/// 1, 2 …
fn sent_together(properties: &[(&str, &str)], pads: &[&[(&str, &str)]], lengths: &[usize]) -> Vec<Seen> {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_nonblocking(true).unwrap();
    let port = receiver.local_addr().unwrap().port().to_string();
    let usual = [("address", "127.0.0.1"), ("port", &port), ("toi-start", "1"), ("symbol-size", "1000")];
    let all: Vec<_> = usual.iter().chain(properties).copied().collect();
    let element = flutesink(&all);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut inputs: Vec<_> = (0..pads.len()).map(|i| another_input(&element, &format!("sink_{i}"))).collect();
    // Nothing is sent while the element is paused.
    element.set_state(gst::State::Paused).unwrap();
    for (i, (properties, input)) in pads.iter().zip(&mut inputs).enumerate() {
        let pad = element.static_pad(&format!("sink_{i}")).unwrap();
        pad.set_property("location", format!("object-{i}"));
        for (name, value) in *properties {
            pad.set_property_from_str(name, value);
        }
        input.push(gst::Buffer::from_slice(content(lengths[i]))).unwrap();
    }
    for input in &mut inputs {
        assert!(input.push_event(gst::event::Eos::new()));
    }
    element.set_state(gst::State::Playing).unwrap();
    bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos]).expect("EOS comes");
    element.set_bus(None);
    let mut datagram = [0; 2000];
    std::iter::from_fn(|| receiver.recv(&mut datagram).ok().map(|length| Seen::of(&datagram[..length]))).collect()
}

fn tois(seen: &[Seen]) -> Vec<u128> {
    of_objects(seen).iter().map(|seen| seen.toi()).collect()
}

#[test]
fn test_flutesink_higher_priorities_go_first() {
    let seen = sent_together(&[], &[&[], &[("priority", "9")], &[("priority", "4")]], &[3000, 2000, 1000]);
    assert_eq!(tois(&seen), [2, 2, 3, 1, 1, 1]);
}

#[test]
fn test_flutesink_multiplexed_objects() {
    let pads: [&[(&str, &str)]; 2] = [&[], &[]];
    assert_eq!(tois(&sent_together(&[], &pads, &[3000, 3000])), [1, 1, 1, 2, 2, 2]);
    assert_eq!(tois(&sent_together(&[("multiplex", "2")], &pads, &[3000, 3000])), [1, 2, 1, 2, 1, 2]);
}

#[test]
fn test_flutesink_multiplexed_by_priority() {
    let pads: [&[(&str, &str)]; 4] = [&[("priority", "3")], &[("priority", "3")], &[], &[]];
    let seen = sent_together(&[("multiplex-by-priority", "3:2")], &pads, &[2000, 2000, 2000, 2000]);
    assert_eq!(tois(&seen), [1, 2, 1, 2, 3, 3, 4, 4]);
}

#[test]
fn test_flutesink_interleaved_source_blocks() {
    let blocks = |interleave| {
        let properties = [("source-block-length", "2"), ("interleave", interleave)];
        let seen = sent_together(&properties, &[&[]], &[6000]);
        of_objects(&seen).iter().map(|seen| (seen.source_block, seen.esi)).collect::<Vec<_>>()
    };
    assert_eq!(blocks("1"), [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]);
    assert_eq!(blocks("2"), [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (2, 1)]);
    assert_eq!(blocks("3"), [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]);
}

#[test]
fn test_flutesink_repair_symbols_last_or_spread() {
    let symbols = |spread| {
        let properties = [("fec", "rs8"), ("repair-symbols", "3"), ("spread-repair", spread)];
        let seen = sent_together(&properties, &[&[]], &[6000]);
        of_objects(&seen).iter().map(|seen| seen.esi).collect::<Vec<_>>()
    };
    assert_eq!(symbols("false"), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let mut spread = symbols("true");
    let first_repair = spread.iter().position(|&esi| esi >= 6).unwrap();
    assert!(first_repair < 4, "{spread:?}");
    spread.sort_unstable();
    assert_eq!(spread, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

/// What packets of objects say, and when they leave.
fn timed(harness: &mut gst_check::Harness) -> Vec<(gst::ClockTime, Seen)> {
    let mut packets = Vec::new();
    while let Some(buffer) = harness.pull_until_eos().unwrap() {
        packets.push((buffer.pts().unwrap(), Seen::of(&buffer.map_readable().unwrap())));
    }
    packets.retain(|(_, seen)| seen.is_of_object());
    packets
}

/// Sends one object of `packets` symbols, and gives the times of its packets.
fn times(properties: &[(&str, &str)], pad: &[(&str, &str)], packets: usize) -> Vec<gst::ClockTime> {
    let all: Vec<_> =
        [("symbol-size", "1000"), ("eos-policy", "run-to-end")].iter().chain(properties).copied().collect();
    let element = flutesink(&all);
    let mut h = harness(&element, "sink_0");
    h.use_systemclock();
    for (name, value) in pad {
        element.static_pad("sink_0").unwrap().set_property_from_str(name, value);
    }
    h.push(gst::Buffer::from_slice(content(packets * 1000))).unwrap();
    assert!(h.push_event(gst::event::Eos::new()));
    timed(&mut h).into_iter().map(|(time, _)| time).collect()
}

/// Less than what is told apart by the time of a packet.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(5);

#[test]
fn test_flutesink_carousel_with_a_delay() {
    let times = times(&[], &[("repeat-count", "3"), ("repeat-delay", "60000000")], 2);
    assert_eq!(times.len(), 6);
    for pause in [times[2] - times[1], times[4] - times[3]] {
        assert!(pause + TICK >= gst::ClockTime::from_mseconds(60), "{pause}");
    }
}

#[test]
fn test_flutesink_carousel_with_an_interval() {
    let times = times(&[], &[("repeat-count", "3"), ("repeat-interval", "60000000")], 2);
    assert_eq!(times.len(), 6);
    // From the nominal start, so that what is late does not make the next one late.
    let two = times[4] - times[0];
    assert!(two + TICK + TICK >= gst::ClockTime::from_mseconds(120), "{two}");
}

#[test]
fn test_flutesink_deadline_counts_repair_symbols() {
    let fec = [("fec", "rs8"), ("repair-percent", "100")];
    let times = times(&fec, &[("deadline", "200000000")], 10);
    assert_eq!(times.len(), 20);
    // Twenty packets in 200 ms: half of them are not sent before half of the time.
    let half = times[10] - times[0];
    assert!(half + TICK >= gst::ClockTime::from_mseconds(90), "{half}");
}

fn since_1970(later: Duration) -> gst::ClockTime {
    gst::ClockTime::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap() + later).unwrap()
}

#[test]
fn test_flutesink_deadline_by_a_time() {
    let element = flutesink(&[("symbol-size", "1000")]);
    let mut h = harness(&element, "sink_0");
    h.use_systemclock();
    let mut buffer = gst::Buffer::from_slice(content(10_000));
    ObjectMeta { deadline_time: Some(since_1970(Duration::from_millis(300))), ..Default::default() }
        .put_on(buffer.get_mut().unwrap());
    h.push(buffer).unwrap();
    assert!(h.push_event(gst::event::Eos::new()));
    let times: Vec<_> = timed(&mut h).into_iter().map(|(time, _)| time).collect();
    assert_eq!(times.len(), 10);
    assert!(times[1] > times[0] && times[9] > times[4], "they are spread, not sent at once: {times:?}");
}

#[test]
fn test_flutesink_start_time() {
    let element = flutesink(&[("toi-start", "1")]);
    let mut h = harness(&element, "sink_0");
    for start_time in [Some(since_1970(Duration::from_secs(3))), None] {
        let mut buffer = gst::Buffer::from_slice(content(1000));
        ObjectMeta { start_time, ..Default::default() }.put_on(buffer.get_mut().unwrap());
        h.push(buffer).unwrap();
    }
    assert_eq!(tois(&seen(&packets(&mut h))), [2, 1]);
}

#[test]
fn test_flutesink_bitrate_counts_what_is_below() {
    // 2 Mbit/s, and packets as short as the headers below them.
    for (overhead, bytes) in [("none", 0), ("udp-ipv4", 28), ("udp-ipv6", 48)] {
        let element = flutesink(&[("bitrate", "2000000"), ("symbol-size", "8"), ("packet-overhead", overhead)]);
        let mut h = harness(&element, "sink_0");
        h.use_systemclock();
        h.push(gst::Buffer::from_slice(content(3200))).unwrap();
        assert!(h.push_event(gst::event::Eos::new()));
        let (mut bits, mut first) = (0, None);
        while let Some(buffer) = h.pull_until_eos().unwrap() {
            let pts = buffer.pts().unwrap();
            let elapsed = pts - *first.get_or_insert(pts);
            let paced = gst::ClockTime::from_nseconds(bits * 1_000_000_000 / 2_000_000);
            assert!(elapsed + TICK >= paced, "{overhead}: {bits} bits after {elapsed}");
            bits += (buffer.size() as u64 + bytes) * 8;
        }
    }
}

#[test]
fn test_flutesink_a_new_bitrate_takes_effect_at_once() {
    // At 8 kbit/s the object alone would take 100 s.
    let element = flutesink(&[("bitrate", "8000")]);
    let mut h = harness(&element, "sink_0");
    h.use_systemclock();
    h.push(gst::Buffer::from_slice(content(100_000))).unwrap();
    assert!(h.push_event(gst::event::Eos::new()));
    let first = h.pull().unwrap().pts().unwrap();
    element.set_property("bitrate", 80_000_000u64);
    let mut last = first;
    while let Some(buffer) = h.pull_until_eos().unwrap() {
        last = buffer.pts().unwrap();
    }
    assert!(last - first < gst::ClockTime::from_seconds(50), "{}", last - first);
}

#[test]
fn test_flutesink_fdt_interval() {
    let instances = |interval| {
        let properties = [("fdt-interval", interval)];
        let seen = sent_together(&properties, &[&[("deadline", "300000000")]], &[30_000]);
        of_fdt(&seen).len()
    };
    let (rare, frequent) = (instances("3600000000000"), instances("10000000"));
    assert!(frequent > rare + 3, "{frequent} packets of FDT Instances, {rare} without repetitions");
}

#[test]
fn test_flutesink_carousels_at_eos() {
    for (policy, transfers) in [("finish-transfers", 1), ("once-more", 2), ("stop", 1)] {
        let element = flutesink(&[("eos-policy", policy)]);
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let mut h = harness(&element, "sink_0");
        let pad = element.static_pad("sink_0").unwrap();
        pad.set_property("repeat-count", 0u32);
        pad.set_property("repeat-delay", 3_600_000_000_000u64);
        h.push(gst::Buffer::from_slice(content(100))).unwrap();
        let is_sent = |message: &gst::Message| message.structure().is_some_and(|s| s.name() == "flute-object-sent");
        while !is_sent(&bus.timed_pop(gst::ClockTime::from_seconds(60)).expect("the object is sent")) {}
        packets(&mut h);
        let more = named(&messages(&bus), "flute-object-sent").len();
        assert_eq!(1 + more, transfers, "{policy}");
        element.set_bus(None);
    }
}
