// SPDX-License-Identifier: MPL-2.0

//! Where the application lets objects go, and what it is told on the way.

use std::fs;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use base64::prelude::*;
use flute_proto::content::{ContentEncoding, encode, md5};
use flute_proto::oti::{FecEncodingId, Oti};
use flute_proto::receiver::{Content, Destination, Event, Limits, ObjectInfo, ObjectWriter, Receiver, ReceiverConfig};

use crate::crafted::{Harness, Style, content, file, instance, no_code, oti};

/// What a writer was told, in order.
#[derive(Debug, Default)]
struct Log {
    bytes: Vec<u8>,
    offsets: Vec<u64>,
    encoded: Vec<u8>,
    complete: Option<u64>,
    abandoned: u32,
}

/// Writes into memory that the test looks at.
#[derive(Clone, Debug, Default)]
struct Writer(Arc<Mutex<Log>>);

impl ObjectWriter for Writer {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut log = self.0.lock().unwrap();
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        if log.bytes.len() < end {
            log.bytes.resize(end, 0xEE);
        }
        assert!(log.bytes[start..end].iter().all(|byte| *byte == 0xEE), "no byte comes twice");
        log.bytes[start..end].copy_from_slice(bytes);
        log.offsets.push(offset);
        Ok(())
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let log = self.0.lock().unwrap();
        buffer.fill(0);
        let there = log.bytes.get(offset as usize..).unwrap_or_default();
        let length = there.len().min(buffer.len());
        buffer[..length].copy_from_slice(&there[..length]);
        Ok(())
    }

    fn take_encoded(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().encoded.extend_from_slice(bytes);
        Ok(())
    }

    fn complete(&mut self, length: u64) -> io::Result<()> {
        let mut log = self.0.lock().unwrap();
        assert_eq!((log.complete, log.abandoned), (None, 0));
        log.complete = Some(length);
        Ok(())
    }

    fn abandon(&mut self) {
        self.0.lock().unwrap().abandoned += 1;
    }
}

/// A receiver whose objects go to a writer, and that writer.
fn to_writer(choose: impl Fn(Destination) -> Destination + Send + 'static) -> (Harness, Writer) {
    let writer = Writer::default();
    let given = writer.clone();
    let harness = asking(ReceiverConfig::default(), move |_| choose(Destination::writer(given.clone())));
    (harness, writer)
}

/// A receiver that asks where its objects go.
fn asking(config: ReceiverConfig, choose: impl FnMut(&Arc<ObjectInfo>) -> Destination + Send + 'static) -> Harness {
    Harness { receiver: Receiver::with_destinations(config, choose), ..Harness::default() }
}

/// Bytes without 0xEE, by which the log knows what was not written.
fn plain(length: usize) -> Vec<u8> {
    content(length, 3).into_iter().map(|byte| byte & 0x7F).collect()
}

fn reed_solomon(length: u64) -> Oti {
    let code = flute_fec::Code::ReedSolomon {
        m: 8,
        points: flute_fec::Points::default(),
        byte_order: flute_fec::ByteOrder::default(),
        max_source_block_length: 20,
        max_encoding_symbols: 25,
    };
    oti(FecEncodingId::REED_SOLOMON_8, code, length, 100)
}

fn file_with_code(toi: u128, location: &str, oti: &Oti, more: &str) -> String {
    let length = oti.parameters.transfer_length;
    format!(
        "<File TOI=\"{toi}\" Content-Location=\"{location}\" Transfer-Length=\"{length}\" \
         FEC-OTI-FEC-Encoding-ID=\"5\" FEC-OTI-Maximum-Source-Block-Length=\"20\" \
         FEC-OTI-Encoding-Symbol-Length=\"100\" FEC-OTI-Max-Number-of-Encoding-Symbols=\"25\" {more}/>"
    )
}

#[test]
fn a_writer_takes_symbols_as_they_come_and_what_is_rebuilt() {
    let (mut harness, writer) = to_writer(|destination| destination);
    let (style, object) = (Style::default(), plain(9950));
    let oti = reed_solomon(9950);
    harness.push_all(&style.fdt(0, &instance("", &[file_with_code(1, "a", &oti, "")])));
    let packets = style.object(1, &oti, &object);
    // Two of each block are lost, the last symbol of the object among them; the rest comes backwards.
    let arriving: Vec<_> =
        packets.iter().enumerate().filter(|(index, _)| index % 20 != 3 && index % 20 != 19).collect();
    arriving.iter().rev().for_each(|(_, packet)| harness.push(packet));
    assert_eq!(writer.0.lock().unwrap().complete, None);
    assert_eq!(writer.0.lock().unwrap().offsets.first(), Some(&9800));
    harness.push_all(&style.repair(1, &oti, &object, 2));
    let log = writer.0.lock().unwrap();
    assert!(log.bytes == object);
    assert_eq!((log.complete, log.abandoned), (Some(9950), 0));
    assert!(harness.events.iter().any(|event| matches!(event, Event::Completed { content: Content::Delivered, .. })));
    assert!(harness.stats().memory < 20_000);
}

/// A receiver whose objects go to a writer that can be read, and that writer.
fn to_readable_writer() -> (Harness, Writer) {
    let writer = Writer::default();
    let given = writer.clone();
    let harness = asking(ReceiverConfig::default(), move |_| Destination::readable_writer(given.clone()));
    (harness, writer)
}

#[test]
fn a_readable_writer_takes_symbols_as_they_come_for_all_their_digest() {
    let object = plain(9950);
    let digest = format!("Content-MD5=\"{}\"", BASE64_STANDARD.encode(md5(&object)));
    for is_right in [true, false] {
        let (mut harness, writer) = to_readable_writer();
        let (style, oti) = (Style::default(), reed_solomon(9950));
        harness.push_all(&style.fdt(0, &instance("", &[file_with_code(1, "a", &oti, &digest)])));
        let mut packets = style.object(1, &oti, &object);
        if !is_right {
            *packets[0].last_mut().unwrap() ^= 1;
        }
        let arriving = packets.iter().enumerate().filter(|(index, _)| index % 20 != 3 && index % 20 != 19);
        arriving.collect::<Vec<_>>().iter().rev().for_each(|(_, packet)| harness.push(packet));
        assert_eq!(writer.0.lock().unwrap().offsets.first(), Some(&9800), "nothing waits for its turn");
        assert!(harness.stats().memory < 20_000, "nothing is kept twice");
        harness.push_all(&style.repair(1, &oti, &object, 2));
        let log = writer.0.lock().unwrap();
        let expected = if is_right { (Some(9950), 0) } else { (None, 1) };
        assert_eq!((log.complete, log.abandoned), expected);
        assert!(!is_right || log.bytes == object);
    }
}

#[test]
fn an_encoded_object_comes_to_a_readable_writer_in_order() {
    let (mut harness, writer) = to_readable_writer();
    let (style, object) = (Style::default(), plain(50_000));
    let encoded = encode(ContentEncoding::Gzip, &object).unwrap();
    let oti = no_code(encoded.len() as u64, 100, 64);
    harness.push_all(&style.fdt(0, &instance("", &[file(1, "a", &oti, "Content-Encoding=\"gzip\"")])));
    style.object(1, &oti, &encoded).iter().rev().for_each(|packet| harness.push(packet));
    let log = writer.0.lock().unwrap();
    assert!(log.bytes == object && log.offsets.is_sorted());
    // And as it was sent, for those who pass it on so.
    assert!(log.encoded == encoded);
}

#[test]
fn in_order_means_from_the_start() {
    let (mut harness, writer) = to_writer(Destination::in_order);
    let (style, object) = (Style::default(), plain(100_000));
    let oti = no_code(100_000, 100, 64);
    harness.push_all(&style.fdt(0, &instance("", &[file(1, "a", &oti, "")])));
    let packets = style.object(1, &oti, &object);
    packets[1..].iter().for_each(|packet| harness.push(packet));
    assert!(writer.0.lock().unwrap().offsets.is_empty());
    harness.push(&packets[0]);
    let log = writer.0.lock().unwrap();
    assert!(log.bytes == object && log.offsets.is_sorted());
    assert_eq!(log.complete, Some(100_000));
}

#[test]
fn what_waits_for_its_turn_gives_way_to_what_is_next() {
    let limits = Limits::default().max_memory(60_000);
    let writer = Writer::default();
    let given = writer.clone();
    let mut harness =
        asking(ReceiverConfig::default().limits(limits), move |_| Destination::writer(given.clone()).in_order());
    let (style, object) = (Style::default(), plain(200_000));
    let oti = no_code(200_000, 100, 64);
    harness.push_all(&style.fdt(0, &instance("", &[file(1, "a", &oti, "")])));
    let packets = style.object(1, &oti, &object);
    // What comes behind the gap does not fit into the memory. A carousel brings it again.
    packets[1..].iter().for_each(|packet| harness.push(packet));
    for _ in 0..2 {
        harness.push_all(&packets);
    }
    let log = writer.0.lock().unwrap();
    assert!(log.bytes == object, "{} of {}", log.bytes.len(), object.len());
    assert_eq!(log.complete, Some(200_000));
}

#[test]
fn encoded_content_and_digests_reach_a_writer() {
    let (mut harness, writer) = to_writer(|destination| destination);
    let text = b"one line after another\n".repeat(5000);
    let encoded = encode(ContentEncoding::Gzip, &text).unwrap();
    let oti = no_code(encoded.len() as u64, 50, 64);
    for (style, digest, complete) in [(Style::default(), md5(&encoded), true), (Style::default(), [7; 16], false)] {
        let more = format!("Content-Encoding=\"gzip\" Content-MD5=\"{}\"", BASE64_STANDARD.encode(digest));
        let toi = if complete { 1 } else { 2 };
        *writer.0.lock().unwrap() = Log::default();
        harness.push_all(&style.fdt(toi, &instance("", &[file(toi.into(), &format!("{toi}"), &oti, &more)])));
        harness.push_all(style.object(toi.into(), &oti, &encoded).iter().rev());
        let log = writer.0.lock().unwrap();
        assert!(log.bytes == text);
        assert_eq!((log.complete.is_some(), log.abandoned), (complete, u32::from(!complete)));
    }
}

#[test]
fn what_came_before_its_description_is_handed_on() {
    let (mut harness, writer) = to_writer(|destination| destination);
    let style = Style { fti_on_objects: true, ..Style::default() };
    let object = plain(10_000);
    let oti = no_code(10_000, 100, 64);
    let packets = style.object(1, &oti, &object);
    packets[..50].iter().for_each(|packet| harness.push(packet));
    harness.push_all(&style.fdt(0, &instance("", &[file(1, "a", &oti, "")])));
    packets[50..].iter().for_each(|packet| harness.push(packet));
    let log = writer.0.lock().unwrap();
    assert!(log.bytes == object);
    assert_eq!(log.complete, Some(10_000));
}

#[test]
fn a_file_of_the_application() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("object");
    let opened = path.clone();
    let mut harness = asking(ReceiverConfig::default(), move |_| {
        Destination::file(
            fs::File::options().read(true).write(true).create(true).truncate(false).open(&opened).unwrap(),
        )
    });
    fs::write(&path, [9; 50_000]).unwrap();
    let (style, object) = (Style::default(), plain(9950));
    let oti = reed_solomon(9950);
    harness.push_all(&style.fdt(0, &instance("", &[file_with_code(1, "a", &oti, "")])));
    let packets = style.object(1, &oti, &object);
    let arriving = packets.iter().enumerate().filter(|(index, _)| index % 20 != 7);
    arriving.rev().for_each(|(_, packet)| harness.push(packet));
    harness.push_all(&style.repair(1, &oti, &object, 1));
    assert!(fs::read(&path).unwrap() == object);
    let completed = harness.events.into_iter().find_map(|event| match event {
        Event::Completed { content: Content::File { file, length }, .. } => Some((file, length)),
        _ => None,
    });
    let (mut file, length) = completed.unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    assert!(bytes == object && length == 9950);
}

#[test]
fn data_is_told_where_it_lies() {
    let ranges = |in_order: bool| {
        let mut harness = asking(ReceiverConfig::default(), move |_| {
            let destination = Destination::memory().tell_data();
            if in_order { destination.in_order() } else { destination }
        });
        let (style, object) = (Style::default(), plain(450));
        let oti = no_code(450, 100, 64);
        harness.push_all(&style.fdt(0, &instance("", &[file(1, "a", &oti, "")])));
        let packets = style.object(1, &oti, &object);
        [0, 2, 4, 1, 3].iter().for_each(|index| harness.push(&packets[*index]));
        assert_eq!(harness.take(), [object]);
        let data = harness.events.into_iter().filter_map(|event| match event {
            Event::Data { offset, length, .. } => Some((offset, length)),
            _ => None,
        });
        data.collect::<Vec<_>>()
    };
    assert_eq!(ranges(false), [(0, 100), (200, 100), (400, 50), (100, 100), (300, 100)]);
    assert_eq!(ranges(true), [(0, 100), (100, 200), (300, 150)]);
}

#[test]
fn a_writer_is_told_that_an_object_is_given_up() {
    let (mut harness, writer) = to_writer(|destination| destination);
    let style = Style::default();
    let oti = no_code(1000, 100, 64);
    harness.push_all(&style.fdt(0, &instance("", &[file(1, "a", &oti, "")])));
    style.object(1, &oti, &plain(1000))[1..].iter().for_each(|packet| harness.push(packet));
    assert_eq!(writer.0.lock().unwrap().abandoned, 0);
    harness.finish();
    let log = writer.0.lock().unwrap();
    assert_eq!((log.abandoned, log.complete), (1, None));
}

#[test]
fn nothing_is_received_all_the_same() {
    let mut harness = asking(ReceiverConfig::default(), |_| Destination::nothing());
    let (style, object) = (Style::default(), plain(9950));
    let oti = reed_solomon(9950);
    harness.push_all(&style.fdt(0, &instance("", &[file_with_code(1, "a", &oti, "")])));
    style.object(1, &oti, &object)[1..].iter().for_each(|packet| harness.push(packet));
    harness.push_all(&style.repair(1, &oti, &object, 1));
    assert!(harness.events.iter().any(|event| matches!(event, Event::Completed { content: Content::Delivered, .. })));
    assert_eq!(harness.stats().recovered, 1);
}
