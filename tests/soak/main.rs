// SPDX-License-Identifier: MPL-2.0

//! For ten seconds, or as many as `FLUTE_SOAK_SECONDS` says: senders of every FEC scheme, one after the other, each with
//! the TSI and the TOIs of the one before, send changing objects in carousels over a bad network to one receiver. Nothing
//! is lost that the codes could repair, nothing comes out that was not sent, and the memory of the process does not grow.

mod live;
mod network;
#[path = "../reckoning/mod.rs"]
mod reckoning;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;
use network::{Network, Random};
use reckoning::{Reckoning, Verdict};

const TSI: u64 = 7;

/// What senders are, in turn.
const SCHEMES: [&[(&str, &str)]; 7] = [
    &[("fec", "none")],
    &[("fec", "rs8")],
    &[("fec", "raptorq")],
    &[("fec", "rs8-small-block"), ("interleave", "4")],
    &[("fec", "raptor"), ("profile", "mbms")],
    &[("fec", "rs2m"), ("rs-field-bits", "8"), ("symbols-per-packet", "2"), ("symbol-size", "700")],
    &[("fec", "raptorq"), ("spread-repair", "true"), ("multiplex", "3"), ("content-encoding", "gzip")],
];

/// Lengths of what a sender sends. The manifest, which is first, is replaced twice.
const LENGTHS: [usize; 6] = [1600, 1, 700, 60_000, 300_000, 900_000];

/// Bytes by which the process may be larger at the end than it was after a third of the time: what an allocator keeps
/// for itself. A round sends five megabytes.
const MAX_GROWTH: u64 = 16 << 20;

/// What one sender has to send.
struct Round {
    number: u64,
    objects: Vec<(String, Vec<u8>)>,
}

impl Round {
    fn new(number: u64) -> Self {
        let mut objects = Vec::new();
        for (index, &length) in LENGTHS.iter().enumerate() {
            objects.push(if index == 0 {
                ("manifest.mpd".to_owned(), content(length, number, 0))
            } else {
                (format!("round-{number}/{index}"), content(length, number, index))
            });
            if index == 2 || index == 4 {
                objects.push(("manifest.mpd".to_owned(), content(LENGTHS[0] + index, number, 10 + index)));
            }
        }
        Self { number, objects }
    }

    /// The packets of a sender of these objects; every other one leaves without a word.
    fn packets(&self) -> Vec<Vec<u8>> {
        let element = gst::ElementFactory::make("flutesink")
            .property("tsi", TSI)
            .property("md5", true)
            .property("bitrate", 400_000_000u64)
            .property("fdt-interval", gst::ClockTime::from_mseconds(20).nseconds())
            .property("close-session", self.number.is_multiple_of(2))
            // No sender is restarted within the second in which it sent; the expiry of its tables shows it.
            .property("fdt-lifetime", gst::ClockTime::from_seconds(3600 + 2 * self.number).nseconds())
            .build()
            .unwrap();
        element.set_property_from_str("toi-start", "1");
        element.set_property_from_str("eos-policy", "run-to-end");
        let scheme = SCHEMES[self.number as usize % SCHEMES.len()];
        for (name, value) in scheme {
            element.set_property_from_str(name, value);
        }
        if scheme != SCHEMES[0] {
            element.set_property("repair-percent", 20f64);
        }
        let mut harness = gst_check::Harness::with_element(&element, Some("sink_0"), Some("src"));
        harness.set_src_caps_str("application/octet-stream");
        for (location, content) in &self.objects {
            let mut buffer = gst::Buffer::from_slice(content.clone());
            let meta =
                ObjectMeta { content_location: Some(location.clone()), repeat_count: Some(4), ..ObjectMeta::default() };
            meta.put_on(buffer.get_mut().unwrap());
            harness.push(buffer).unwrap();
        }
        assert!(harness.push_event(gst::event::Eos::new()));
        let mut packets = Vec::new();
        while let Some(buffer) = harness.pull_until_eos().unwrap() {
            packets.push(buffer.map_readable().unwrap().to_vec());
        }
        packets
    }

    fn sent(&self, location: &str, content: &[u8]) -> bool {
        self.objects.iter().any(|(name, sent)| name == location && sent == content)
    }
}

/// Bytes like no others.
fn content(length: usize, round: u64, index: usize) -> Vec<u8> {
    let mut random = Random(round << 8 | index as u64 | 1 << 60);
    // A length that another round does not have.
    let length = length + round as usize % 97;
    let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).collect();
    bytes.truncate(length);
    bytes
}

/// Memory of this process that is not swapped out, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

/// Begins a test: both measure the memory of the process, so that one waits for the other.
fn begin() -> MutexGuard<'static, ()> {
    static RUNNING: Mutex<()> = Mutex::new(());
    static REGISTERED: Once = Once::new();
    // A test that failed has left nothing behind that matters.
    let alone = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    REGISTERED.call_once(|| {
        gst::init().unwrap();
        gstflute::plugin_register_static().unwrap();
    });
    alone
}

/// How long a test runs: `usual` seconds, or as many as the environment says.
fn duration(usual: u64) -> Duration {
    let seconds = std::env::var("FLUTE_SOAK_SECONDS").map_or(usual, |seconds| seconds.parse().expect("a number"));
    Duration::from_secs(seconds)
}

/// The objects that must come out, by TOI and Content-Location: those that the packets make up which arrived after the
/// first FDT, before which packets of a sender that has begun anew cannot be told from old ones. Of a location with
/// several versions it is the last, since a newer one may take the place of one that is on its way.
fn due(sent: &[Vec<u8>], arrived: &[&Vec<u8>]) -> BTreeMap<String, (u128, Verdict)> {
    let whole = Reckoning::of(sent);
    let all = whole.verdicts(&whole);
    let mut first = 0;
    let mut so_far = Reckoning::default();
    for (place, packet) in arrived.iter().enumerate() {
        let is_table = flute_proto::alc::Packet::decode(packet, Default::default()).unwrap().fdt.is_some();
        if is_table {
            so_far.push(packet);
            if so_far.verdicts(&whole).len() == all.len() {
                break;
            }
        }
        first = place + 1;
    }
    let mut reckoning = so_far;
    arrived[first..].iter().for_each(|packet| reckoning.push(packet));
    let mut due = BTreeMap::new();
    // In the order of TOIs.
    for ((_, toi, location), verdict) in reckoning.verdicts(&whole) {
        due.insert(location, (toi, verdict));
    }
    due
}

#[test]
fn test_soak() {
    let _alone = begin();
    let (start, end) = (Instant::now(), duration(10));

    let mut receiver = gst_check::Harness::new("flutesrc");
    receiver.set_src_caps_str("application/x-flute");
    receiver.play();
    let bus = gst::Bus::new();
    receiver.element().unwrap().set_bus(Some(&bus));
    let mut network = Network::new();
    let (mut objects, mut complete) = (0, 0);
    let (mut early, mut late) = (0, 0);
    let mut before = Round::new(0);
    for number in 0.. {
        let round = Round::new(number);
        let packets = round.packets();
        let arrived = network.carry(&packets);
        let mut due = due(&packets, &arrived);
        for packet in arrived {
            receiver.push(gst::Buffer::from_slice(packet.clone())).unwrap();
        }
        objects += due.len();
        due.retain(|_, (_, verdict)| *verdict == Verdict::Complete);
        complete += due.len();
        // What is not complete may come out as well: a code may do better than it promises.
        while !due.is_empty() || receiver.buffers_in_queue() > 0 {
            let Ok(buffer) = receiver.pull() else {
                let told: Vec<_> = bus.iter().filter_map(|message| Some(message.structure()?.to_string())).collect();
                panic!("round {number}: {due:?} did not come out: {}", told.join("\n"));
            };
            let meta = ObjectMeta::of(&buffer).unwrap();
            let (location, toi) = (meta.content_location.unwrap(), meta.toi.unwrap().get());
            let bytes = buffer.map_readable().unwrap();
            assert!(
                [&round, &before].iter().any(|round| round.sent(&location, &bytes)),
                "round {number}: {location}, TOI {toi}, was not sent like that"
            );
            if round.sent(&location, &bytes) && due.get(&location).is_some_and(|(last, _)| *last == toi) {
                due.remove(&location);
            }
        }
        before = round;
        bus.set_flushing(true);
        bus.set_flushing(false);

        let is_over = start.elapsed() >= end;
        if start.elapsed() < end / 3 {
            early = early.max(resident());
        } else {
            late = late.max(resident());
        }
        if is_over {
            break;
        }
    }
    let stats = receiver.element().unwrap().property::<gst::Structure>("stats");
    let totals = stats.get::<gst::Structure>("totals").unwrap();
    println!("{complete} of {objects} objects; {} of {} packets lost; {totals}", network.lost, network.sent);
    println!("{early} bytes in memory early, {late} late");
    assert!(network.lost * 100 > network.sent * 3, "the network was too good");
    assert!(complete * 4 > objects * 3, "{complete} of {objects} objects complete: the test shows little");
    assert!(totals.get::<u64>("recovered").unwrap() > 0);
    assert_eq!(totals.get::<u64>("dropped"), Ok(0));
    assert!(totals.get::<u64>("memory").unwrap() < 8 << 20, "{totals}");
    assert!(late < early + MAX_GROWTH, "{early} bytes early, {late} late");
}
