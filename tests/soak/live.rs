// SPDX-License-Identifier: MPL-2.0

//! For twelve seconds, or as many as `FLUTE_SOAK_SECONDS` says: ten segments of a megabyte each second, sent once each, over a
//! network that loses one packet of a thousand, without a code. About half of the segments are hit, and stay incomplete. All
//! others arrive; each of those is told as lost within five seconds of its withdrawal, which is when it has been sent: FDT
//! Instances list it no more. Neither the memory nor the folder grows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flute_proto::alc::Packet;
use flute_proto::lct::Toi;
use gst::prelude::*;

use crate::network::Random;
use crate::{MAX_GROWTH, begin, duration, resident};

const SEGMENT: usize = 1_000_000;
const INTERVAL: Duration = Duration::from_millis(100);
/// One packet of so many is lost.
const LOST: u64 = 1000;
/// Memory of the receiver: a few seconds fill it with segments that cannot be completed.
const MAX_MEMORY: u64 = 32 << 20;
const MAX_FILES: usize = 30;
const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// Loses packets of objects, and remembers of which.
fn lose(buffer: &gst::BufferRef, random: &mut Random, hit: &mut BTreeSet<u128>) -> bool {
    let map = buffer.map_readable().unwrap();
    let packet = Packet::decode(&map, Default::default()).unwrap();
    let Some(toi) = packet.header.toi.filter(|toi| *toi != Toi::FDT) else { return false };
    let is_lost = packet.payload.is_some() && random.below(LOST) == 0;
    if is_lost {
        hit.insert(toi.get());
    }
    is_lost
}

/// Puts the network on a pad. The TOIs of objects that have lost a packet.
fn put_network_on(pad: &gst::Pad) -> Arc<Mutex<BTreeSet<u128>>> {
    let hit = Arc::new(Mutex::new(BTreeSet::new()));
    let network = Mutex::new((Random(1 << 60 | 77), hit.clone()));
    let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    pad.add_probe(mask, move |_, info| {
        let mut network = network.lock().unwrap();
        let (random, hit) = &mut *network;
        let mut hit = hit.lock().unwrap();
        match &mut info.data {
            Some(gst::PadProbeData::Buffer(buffer)) if lose(buffer, random, &mut hit) => gst::PadProbeReturn::Drop,
            Some(gst::PadProbeData::BufferList(list)) => {
                list.make_mut().foreach_mut(|buffer, _| {
                    std::ops::ControlFlow::Continue((!lose(&buffer, random, &mut hit)).then_some(buffer))
                });
                gst::PadProbeReturn::Ok
            }
            _ => gst::PadProbeReturn::Ok,
        }
    });
    hit
}

/// What the bus has told of the segments: their TOI, and when.
#[derive(Default)]
struct Told {
    withdrawn: BTreeMap<String, Instant>,
    received: BTreeMap<String, u128>,
    lost: BTreeMap<String, (u128, Instant)>,
}

impl Told {
    fn read(&mut self, bus: &gst::Bus) {
        for message in bus.iter() {
            if let gst::MessageView::Error(error) = message.view() {
                panic!("{error:?}");
            }
            let Some(structure) = message.structure() else { continue };
            let Ok(location) = structure.get::<String>("content-location") else { continue };
            let toi = || u128::from(structure.get::<u64>("toi").unwrap());
            match structure.name().as_str() {
                "flute-object-sent" => assert!(self.withdrawn.insert(location, Instant::now()).is_none()),
                "flute-object-received" => assert_eq!(self.received.insert(location, toi()), None),
                "flute-object-lost" => assert!(self.lost.insert(location, (toi(), Instant::now())).is_none()),
                _ => {}
            }
        }
    }
}

fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn test_live_soak() {
    let _alone = begin();
    let folder = tempfile::tempdir().unwrap();
    let pipeline = gst::parse::launch(&format!(
        "flutesink name=sender bitrate=200000000 md5=false fdt-interval=1000000000 ! clocksync ! queue ! \
         flutesrc name=receiver max-memory={MAX_MEMORY} ! flutedirsink location={} max-files={MAX_FILES}",
        folder.path().display()
    ));
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    let sender = pipeline.by_name("sender").unwrap();
    let hit = put_network_on(&sender.static_pad("src").unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    let (bus, length) = (pipeline.bus().unwrap(), duration(12));
    let mut told = Told::default();
    let (mut early, mut late) = (0, 0);
    let (mut sent, start) = (0, Instant::now());
    let mut random = Random(1 << 60 | 5);
    while start.elapsed() < length {
        let content: Vec<u8> = (0..SEGMENT / 8).flat_map(|_| random.next().to_le_bytes()).collect();
        let description = gst::Structure::builder("FluteObjectMeta").field("content-location", name(sent)).build();
        assert!(sender.emit_by_name::<bool>("add-object", &[&gst::Buffer::from_mut_slice(content), &description]));
        sent += 1;
        std::thread::sleep((INTERVAL * sent as u32).saturating_sub(start.elapsed()));
        told.read(&bus);
        // The file that is being written, and the one that is about to go.
        assert!(files_in(folder.path()) <= MAX_FILES + 2, "{} files", files_in(folder.path()));
        if start.elapsed() < length / 2 {
            early = early.max(resident());
        } else {
            late = late.max(resident());
        }
    }
    let end = Instant::now() + TOLD_WITHIN;
    while Instant::now() < end {
        std::thread::sleep(INTERVAL / 4);
        told.read(&bus);
    }
    pipeline.set_state(gst::State::Null).unwrap();

    let hit = hit.lock().unwrap();
    let slowest =
        told.lost.iter().filter_map(|(name, (_, at))| Some(at.saturating_duration_since(*told.withdrawn.get(name)?)));
    assert_eq!(told.withdrawn.len(), sent);
    let slowest = slowest.max().unwrap_or_default();
    println!(
        "{sent} segments: {} received, {} lost, the last of them told {slowest:?} after its withdrawal; \
         {early} bytes in memory early, {late} late",
        told.received.len(),
        told.lost.len()
    );
    assert!(told.received.values().all(|toi| !hit.contains(toi)), "a segment is complete that has lost a packet");
    assert!(told.lost.values().all(|(toi, _)| hit.contains(toi)), "a segment is lost that has lost no packet");
    for name in told.withdrawn.keys() {
        assert!(told.received.contains_key(name) || told.lost.contains_key(name), "nothing was told of {name}");
    }
    assert!(slowest <= TOLD_WITHIN, "a loss was told {slowest:?} after the withdrawal");
    let of_the_last = (sent * 2 / 3..sent).filter(|segment| told.received.contains_key(&name(*segment))).count();
    assert!(of_the_last * 4 > sent / 3, "{of_the_last} of the last third of {sent} segments are complete");
    assert!(late < early + MAX_GROWTH, "{early} bytes early, {late} late");
}

fn name(segment: usize) -> String {
    format!("segment-{segment:06}.m4s")
}
