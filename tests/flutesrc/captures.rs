// SPDX-License-Identifier: MPL-2.0

//! Captures of other senders, through `filesrc ! pcapparse ! flutesrc ! flutedirsink`, whole and with packets taken out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use flute_proto::alc::Packet;
use gst::prelude::*;
use sha2::{Digest, Sha256};

use super::init;

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

/// What came out of a port of a capture: for every Content-Location the digests of its versions, in order, and how the
/// last of them was written to a file.
#[derive(Default)]
struct Received {
    versions: Vec<(String, u64, String)>,
    files: BTreeMap<String, PathBuf>,
}

fn receive(capture: &Path, port: u64, target: &Path, properties: &str, is_lossy: bool) -> Received {
    let description = format!(
        "filesrc location={} ! pcapparse dst-port={port} ! identity name=network ! flutesrc name=flute {properties} ! flutedirsink location={}",
        capture.display(),
        target.display(),
    );
    let pipeline = gst::parse::launch(&description).unwrap().downcast::<gst::Pipeline>().unwrap();
    let versions = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let pad = pipeline.by_name("flute").unwrap().static_pad("src").unwrap();
    let collected = versions.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().unwrap();
        let meta = gstflute::object_meta::ObjectMeta::of(buffer).unwrap();
        let digest = sha256(&buffer.map_readable().unwrap());
        collected.lock().unwrap().push((meta.content_location.unwrap(), meta.tsi.unwrap(), digest));
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
                let Some(structure) = element.structure().filter(|structure| structure.name() == "flute-file-written")
                else {
                    continue;
                };
                let location = structure.get::<String>("content-location").unwrap();
                received.files.insert(location, structure.get::<String>("path").unwrap().into());
            }
            _ => (),
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    received.versions = std::mem::take(&mut versions.lock().unwrap());
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

fn check(name: &str, properties: &str) {
    check_over(name, properties, false);
}

fn check_over(name: &str, properties: &str, is_lossy: bool) {
    init();
    let Some(folder) = captures() else { return };
    let expected: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let mut ports: BTreeMap<u64, Vec<(String, u64, String)>> = BTreeMap::new();
    for object in expected[name].as_array().unwrap() {
        let text = |field: &str| object[field].as_str().unwrap().to_owned();
        ports.entry(object["port"].as_u64().unwrap()).or_default().push((
            text("location"),
            object["tsi"].as_u64().unwrap(),
            text("sha256"),
        ));
    }
    for (port, expected) in ports {
        let target = tempfile::tempdir().unwrap();
        let received = receive(&folder.join(format!("{name}.pcap")), port, target.path(), properties, is_lossy);
        let sorted = |mut objects: Vec<_>| {
            objects.sort();
            objects
        };
        assert_eq!(sorted(received.versions.clone()), sorted(expected), "{name}, port {port}");
        let last: BTreeMap<_, _> =
            received.versions.into_iter().map(|(location, _, digest)| (location, digest)).collect();
        assert_eq!(received.files.len(), last.len());
        for (location, digest) in last {
            let path = &received.files[&location];
            assert!(path.starts_with(target.path()));
            assert_eq!(sha256(&fs::read(path).unwrap()), digest, "{}", path.display());
        }
    }
}

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
