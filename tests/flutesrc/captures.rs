// SPDX-License-Identifier: MPL-2.0

//! Captures of other senders, through `filesrc ! pcapparse ! flutesrc ! flutedirsink`: whole, with packets taken out, and
//! as a bad network would have left them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use flute_proto::alc::Packet;
use gst::prelude::*;
use sha2::{Digest, Sha256};

use super::init;
use super::mangled::Mangling;
use super::reckoning::{Reckoning, Verdict};

/// The folder with the captures, if it is there.
fn captures() -> Option<PathBuf> {
    let shared = std::env::var_os("FLUTE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let folder = shared.join("captures");
    if !folder.is_dir() {
        eprintln!("skipped: there is no folder {}", folder.display());
        return None;
    }
    if gst::ElementFactory::find("pcapparse").is_none() {
        eprintln!("skipped: there is no element pcapparse");
        return None;
    }
    Some(folder)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// TSI, TOI, Content-Location and SHA-256 of an object.
type Object = (u64, u128, String, String);

/// What came out of a port of a capture: every object, in order; and how the last of each Content-Location was written to
/// a file.
#[derive(Default)]
struct Received {
    objects: Vec<Object>,
    files: BTreeMap<String, PathBuf>,
    /// TSIs and TOIs of which it was told that they are lost.
    lost: BTreeSet<(u64, u128)>,
}

fn receive(capture: &Path, port: u64, target: &Path, properties: &str, is_lossy: bool) -> Received {
    let description = format!(
        "filesrc location={} ! pcapparse dst-port={port} ! identity name=network ! flutesrc name=flute {properties} ! flutedirsink location={}",
        capture.display(),
        target.display(),
    );
    let pipeline = gst::parse::launch(&description).unwrap().downcast::<gst::Pipeline>().unwrap();
    let objects = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let pad = pipeline.by_name("flute").unwrap().static_pad("src").unwrap();
    let collected = objects.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().unwrap();
        let meta = gstflute::object_meta::ObjectMeta::of(buffer).unwrap();
        let digest = sha256(&buffer.map_readable().unwrap());
        let (tsi, toi) = (meta.tsi.unwrap(), meta.toi.unwrap().get());
        collected.lock().unwrap().push((tsi, toi, meta.content_location.unwrap(), digest));
        gst::PadProbeReturn::Ok
    });
    if is_lossy {
        lose(&pipeline.by_name("network").unwrap().static_pad("src").unwrap());
    }
    let bus = pipeline.bus().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut received = Received::default();
    loop {
        let message = bus.timed_pop(gst::ClockTime::from_seconds(60)).expect("the pipeline ends");
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => panic!("{error:?}"),
            gst::MessageView::Element(element) => {
                let structure = element.structure().unwrap();
                let text = |field| structure.get::<String>(field).unwrap();
                match structure.name().as_str() {
                    "flute-file-written" => {
                        received.files.insert(text("content-location"), text("path").into());
                    }
                    "flute-object-lost" => {
                        let number = |field| structure.get::<u64>(field).unwrap();
                        received.lost.insert((number("tsi"), number("toi").into()));
                    }
                    _ => (),
                }
            }
            _ => (),
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    received.objects = std::mem::take(&mut objects.lock().unwrap());
    received
}

/// Takes three of a hundred packets out of what goes through a pad, but none of the FDT, which these senders send once.
fn lose(pad: &gst::Pad) {
    let number = AtomicU64::new(0);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let packet = info.buffer().unwrap().map_readable().unwrap();
        let packet = Packet::decode(&packet, Default::default()).unwrap();
        let is_lost = packet.fdt.is_none() && number.fetch_add(1, Ordering::Relaxed) % 100 % 33 == 32;
        if is_lost { gst::PadProbeReturn::Drop } else { gst::PadProbeReturn::Ok }
    });
}

/// What a capture has, by port.
fn expected(folder: &Path, name: &str) -> BTreeMap<u64, Vec<Object>> {
    let expected: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let mut ports: BTreeMap<u64, Vec<Object>> = BTreeMap::new();
    for object in expected[name].as_array().unwrap() {
        let text = |field: &str| object[field].as_str().unwrap().to_owned();
        let number = |field: &str| object[field].as_u64().unwrap();
        let entry = (number("tsi"), number("toi").into(), text("location"), text("sha256"));
        ports.entry(number("port")).or_default().push(entry);
    }
    ports.values_mut().for_each(|objects| objects.sort());
    ports
}

fn check(name: &str, properties: &str) {
    check_over(name, properties, false);
}

fn check_over(name: &str, properties: &str, is_lossy: bool) {
    init();
    let Some(folder) = captures() else { return };
    for (port, expected) in expected(&folder, name) {
        let target = tempfile::tempdir().unwrap();
        let received = receive(&folder.join(format!("{name}.pcap")), port, target.path(), properties, is_lossy);
        let mut objects = received.objects.clone();
        objects.sort();
        assert_eq!(objects, expected, "{name}, port {port}");
        check_files(&received, target.path());
    }
}

/// The last version of every Content-Location is a file.
fn check_files(received: &Received, target: &Path) {
    let last: BTreeMap<_, _> = received.objects.iter().map(|(_, _, location, digest)| (location, digest)).collect();
    assert_eq!(received.files.len(), last.len());
    for (location, digest) in last {
        let path = &received.files[location];
        assert!(path.starts_with(target));
        assert_eq!(sha256(&fs::read(path).unwrap()), *digest, "{}", path.display());
    }
}

/// Of a capture that a bad network mangled, everything comes out, once, that the packets which are left make up, and
/// nothing else; what is described and began to arrive, and is not complete, is told to be lost. Returns how many objects
/// came out, and how many there are.
fn check_mangled(name: &str, mangling: Mangling) -> (usize, usize) {
    init();
    let Some(folder) = captures() else { return (0, 0) };
    let (mut came, mut all) = (0, 0);
    for (port, expected) in expected(&folder, name) {
        let target = tempfile::tempdir().unwrap();
        let capture = target.path().join("mangled.pcap");
        let (sent, arrived) = mangling.mangle(&folder.join(format!("{name}.pcap")), &capture, port as u16);
        let (sent, arrived) = (Reckoning::of(&sent), Reckoning::of(&arrived));
        let received = receive(&capture, port, &target.path().join("files"), "", false);

        let what = format!("{name}, port {port}, {mangling:?}");
        let objects: BTreeSet<_> = received.objects.iter().cloned().collect();
        assert_eq!(objects.len(), received.objects.len(), "an object came twice: {what}");
        assert!(objects.is_subset(&expected.iter().cloned().collect()), "{what}: {objects:?}");
        let verdicts = arrived.verdicts(&sent);
        for (tsi, toi, location, _) in &expected {
            let verdict = verdicts.get(&(*tsi, *toi, location.clone()));
            let has_come = objects.iter().any(|object| (object.0, object.1) == (*tsi, *toi));
            let is_lost = received.lost.contains(&(*tsi, *toi));
            let what = format!("{location}, TOI {toi}, {verdict:?}: {what}");
            assert!(!(has_come && is_lost), "it came, and was told to be lost: {what}");
            match verdict {
                Some(Verdict::Complete) => assert!(has_come, "it did not come: {what}"),
                Some(Verdict::Open) => (),
                Some(Verdict::Incomplete) => assert!(is_lost && !has_come, "nothing was told: {what}"),
                Some(Verdict::Absent) | None => assert!(!has_come, "it cannot have come: {what}"),
            }
        }
        check_files(&received, &target.path().join("files"));
        came += objects.len();
        all += expected.len();
    }
    (came, all)
}

/// The captures by name, and whether their sender added repair symbols.
const CAPTURES: [(&str, bool); 7] = [
    ("gpac-mabr-dash-flute", false),
    ("mad-nocode", false),
    ("mad-nocode-z1", false),
    ("rt-libflute-nocode", false),
    ("ypo-no-code", false),
    ("ypo-raptorq", true),
    ("ypo-reed-solomon", true),
];

#[test]
fn test_flutesrc_capture_gpac_mabr_dash() {
    check("gpac-mabr-dash-flute", "");
}

#[test]
fn test_flutesrc_capture_mad_nocode() {
    check("mad-nocode", "");
}

#[test]
fn test_flutesrc_capture_mad_nocode_zlib_fdt() {
    check("mad-nocode-z1", "");
}

#[test]
fn test_flutesrc_capture_rt_libflute() {
    check("rt-libflute-nocode", "");
}

#[test]
fn test_flutesrc_capture_flute_crate_no_code() {
    check("ypo-no-code", "");
}

#[test]
fn test_flutesrc_capture_flute_crate_reed_solomon() {
    check("ypo-reed-solomon", "");
}

#[test]
fn test_flutesrc_capture_flute_crate_raptorq() {
    check("ypo-raptorq", "");
}

#[test]
fn test_flutesrc_capture_flute_crate_with_loss() {
    check_over("ypo-reed-solomon", "", true);
    check_over("ypo-raptorq", "", true);
}

#[test]
fn test_flutesrc_capture_through_spool_files() {
    let spool = tempfile::tempdir().unwrap();
    check("ypo-no-code", &format!("spool-threshold=10000 spool-directory={}", spool.path().display()));
}

#[test]
fn test_flutesrc_capture_duplicated_and_reordered() {
    for (name, _) in CAPTURES {
        for (duplicated, reordered_within) in [(10, 0), (0, 50), (10, 50)] {
            let mangling = Mangling { duplicated, reordered_within, ..Mangling::default() };
            let (came, all) = check_mangled(name, mangling);
            assert_eq!(came, all, "{name}: no packet was lost, {mangling:?}");
        }
    }
}

#[test]
fn test_flutesrc_capture_truncated() {
    for (name, _) in CAPTURES {
        for seed in 0..2 {
            check_mangled(name, Mangling { truncated: 10, seed, ..Mangling::default() });
            check_mangled(
                name,
                Mangling { duplicated: 10, reordered_within: 50, truncated: 10, seed, ..Mangling::default() },
            );
        }
    }
}

#[test]
fn test_flutesrc_capture_three_percent_lost() {
    for (name, has_repair) in CAPTURES {
        let (mut came, mut all) = (0, 0);
        for seed in 0..if has_repair { 6 } else { 1 } {
            let some = check_mangled(name, Mangling { lost: 3, seed, ..Mangling::default() });
            (came, all) = (came + some.0, all + some.1);
        }
        assert!(!has_repair || all == 0 || came > 0, "{name}: nothing was ever repaired");
    }
}
