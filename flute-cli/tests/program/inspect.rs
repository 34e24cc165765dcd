// SPDX-License-Identifier: MPL-2.0

//! `flute inspect`, of captures and of the network.

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use etherparse::PacketBuilder;
use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::sender::{Batch, FecConfig, FecScheme, FinishPolicy, Object, Poll, Sender, SenderConfig};
use pcap_file::DataLink;
use pcap_file::pcap::{PcapPacket, PcapWriter};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;

use serde_json::json;

use crate::process::{Program, group, run};

/// The packets of a session of two files, with Reed-Solomon codes.
pub(crate) fn packets() -> Vec<Vec<u8>> {
    let now = || Time::from_unix(SystemTime::UNIX_EPOCH.elapsed().unwrap());
    let fec = FecConfig::default().scheme(FecScheme::ReedSolomon8).protection(Protection::Percent(10.0));
    let mut sender = Sender::new(SenderConfig::default().fec(fec), now()).unwrap();
    for (name, length) in [("a.bin", 100_000), ("b.bin", 1000)] {
        sender.add(Object::new(name, vec![7; length]), now()).unwrap();
    }
    sender.finish(FinishPolicy::default(), now());
    let (mut packets, mut batch) = (Vec::new(), Batch::new(16));
    loop {
        match sender.poll(now(), &mut batch) {
            Poll::Packets => packets.extend(batch.packets().map(<[u8]>::to_vec)),
            Poll::Wait(until) => std::thread::sleep(until.since(now())),
            Poll::Idle | Poll::Done => return packets,
        }
    }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2; 6], [3; 6]).ipv4([192, 0, 2, 1], [239, 1, 1, 1], 1).udp(40_000, 3400);
    let mut frame = Vec::new();
    builder.write(&mut frame, payload).unwrap();
    frame
}

/// A capture with a packet each millisecond.
pub(crate) fn write_pcap(path: &Path, packets: &[Vec<u8>]) {
    let mut writer = PcapWriter::new(File::create(path).unwrap()).unwrap();
    for (number, packet) in packets.iter().enumerate() {
        let (time, frame) = (Duration::from_secs(1_700_000_000) + Duration::from_millis(number as u64), frame(packet));
        writer.write_packet(&PcapPacket::new(time, frame.len() as u32, &frame)).unwrap();
    }
}

#[test]
fn a_capture_of_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.pcap");
    write_pcap(&path, &packets());
    let ended = run(&["inspect", path.to_str().unwrap(), "--json"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let inspected = ended.events("inspected")[0];
    let session = &inspected["sessions"][0];
    assert_eq!((&session["source"], &session["destination"]), (&"192.0.2.1".into(), &"239.1.1.1:3400".into()));
    assert_eq!(session["closed-by-sender"], true);
    let objects = session["objects"].as_array().unwrap();
    let facts: Vec<_> = objects.iter().map(|object| (&object["location"], &object["fate"])).collect();
    let complete = "complete".into();
    assert_eq!(facts, [(&"a.bin".into(), &complete), (&"b.bin".into(), &complete)]);
    assert_eq!(objects[0]["fec-encoding-id"], 5);
    assert_eq!((&inspected["loss-before-repair"], &inspected["capture"]["cut"]), (&0.0.into(), &0.into()));
    let text = Program::start(&["inspect", path.to_str().unwrap()]).text();
    assert!(text.contains("TSI 0, 192.0.2.1 to 239.1.1.1:3400, closed by its sender\n"), "{text}");
    assert!(text.contains("a.bin, 100000 bytes, no Content-Type: complete\n"), "{text}");
}

#[test]
fn a_capture_with_losses_and_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.pcap");
    let mut packets = packets();
    // Two source symbols of the longer file.
    packets.drain(5..7);
    packets.push(b"nonsense".to_vec());
    write_pcap(&path, &packets);
    let ended = run(&["inspect", path.to_str().unwrap(), "--json"]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let inspected = ended.events("inspected")[0];
    assert_eq!(inspected["symbols-repaired"], 2);
    assert!(inspected["loss-before-repair"].as_f64() > Some(0.0));
    let [violation] = &inspected["violations"].as_array().unwrap()[..] else { panic!("{inspected}") };
    assert_eq!((&violation["clause"], &violation["times"]), (&"RFC 5775 §4.1".into(), &1.into()), "{inspected}");
    let other_port = run(&["inspect", path.to_str().unwrap(), "--port", "1", "--json"]);
    assert_eq!(other_port.events("inspected")[0]["datagrams"], 0);
}

/// The rules are those of the version of the session, or of the profile that is named.
#[test]
fn rules_that_are_broken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.pcap");
    write_pcap(&path, &packets());
    let ended = run(&["inspect", path.to_str().unwrap(), "--json"]);
    assert_eq!((ended.status, &ended.events("inspected")[0]["violations"]), (Some(0), &json!([])), "{ended:?}");
    let ended = run(&["inspect", path.to_str().unwrap(), "--profile", "mbms", "--json"]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let violations = ended.events("inspected")[0]["violations"].as_array().unwrap();
    let of_version = violations.iter().find(|violation| violation["clause"] == "RFC 3926 §3.4.1").unwrap();
    assert_eq!(of_version["what"], "EXT_FDT has version 2 of FLUTE, not 1");
    let text = Program::start(&["inspect", path.to_str().unwrap(), "--profile", "mbms"]).text();
    assert!(text.contains("BROKEN, TS 26.346 L.4.2: a file without `Content-Type` is not allowed ("), "{text}");
    let ended = run(&["inspect", path.to_str().unwrap(), "--profile", "atsc"]);
    assert!(ended.stderr.contains("there is no profile `atsc`: use `rfc6726`"), "{}", ended.stderr);
}

#[test]
fn pcapng() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.pcapng");
    let mut writer = PcapNgWriter::new(File::create(&path).unwrap()).unwrap();
    writer.write_pcapng_block(InterfaceDescriptionBlock::new(DataLink::ETHERNET, 65_535)).unwrap();
    for packet in packets() {
        let frame = frame(&packet);
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_secs(1_700_000_000),
            original_len: frame.len() as u32,
            data: Cow::Owned(frame),
            options: vec![],
        };
        writer.write_pcapng_block(block).unwrap();
    }
    drop(writer);
    let ended = run(&["inspect", path.to_str().unwrap(), "--json"]);
    assert_eq!((ended.status, &ended.events("inspected")[0]["objects-received"]), (Some(0), &2.into()), "{ended:?}");
}

#[test]
fn the_network() {
    let (folder, group) = (tempfile::tempdir().unwrap(), group());
    std::fs::write(folder.path().join("a.txt"), "text").unwrap();
    let mut inspector = Program::start(&["inspect", &group, "--iface", "lo", "--json"]);
    inspector.wait_for("listening");
    let sender = run(&["send", folder.path().to_str().unwrap(), "--to", &group, "--iface", "lo", "--tsi", "9"]);
    assert_eq!(sender.status, Some(0), "{sender:?}");
    inspector.interrupt();
    let ended = inspector.end();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let session = &ended.events("inspected")[0]["sessions"][0];
    assert_eq!((&session["tsi"], &session["objects"][0]["content-type"]), (&9.into(), &"text/plain".into()));
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.pcap");
    std::fs::write(&path, "this is no capture").unwrap();
    let ended = run(&["inspect", path.to_str().unwrap()]);
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains("text.pcap: it is neither pcap nor pcapng"), "{}", ended.stderr);
    let ended = run(&["inspect", "no-such-file"]);
    assert!(ended.stderr.contains("no-such-file is no file and no address"), "{}", ended.stderr);
}
