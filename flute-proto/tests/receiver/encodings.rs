// SPDX-License-Identifier: MPL-2.0

//! Content encodings, digests and spool files.

use std::io::{Read, Seek};

use base64::prelude::{BASE64_STANDARD, Engine};
use flute_proto::content::{ContentEncoding, encode, md5};
use flute_proto::receiver::{Content, Event, Limits, ReceiverConfig};

use crate::crafted::{Harness, Style, content, file, instance, no_code};

/// Content that can be compressed.
fn text(length: usize) -> Vec<u8> {
    let mut text: Vec<u8> =
        (0..).flat_map(|line: u32| format!("line {line} of the text\n").into_bytes()).take(length).collect();
    text.truncate(length);
    text
}

fn md5_attribute(bytes: &[u8]) -> String {
    format!("Content-MD5=\"{}\"", BASE64_STANDARD.encode(md5(bytes)))
}

fn send(harness: &mut Harness, transport: &[u8], more: &str) {
    let oti = no_code(transport.len() as u64, 1000, 16);
    harness.push_all(&Style::default().fdt(0, &instance("", &[file(1, "a", &oti, more)])));
    harness.push_all(&Style::default().object(1, &oti, transport));
    // Long objects are worked at in slices.
    harness.pass(0);
}

#[test]
fn encoded_objects() {
    let text = text(300_000);
    for (encoding, name) in [
        (ContentEncoding::Gzip, "gzip"),
        (ContentEncoding::Zlib, "deflate"),
        (ContentEncoding::Deflate, "deflate"),
        (ContentEncoding::Zlib, "zlib"),
        (ContentEncoding::Null, "identity"),
    ] {
        let transport = encode(encoding, &text).unwrap();
        // Content-MD5 is that of the transport object; some senders write that of the file.
        for digest in [md5_attribute(&transport), md5_attribute(&text), String::new()] {
            let mut harness = Harness::default();
            send(&mut harness, &transport, &format!("Content-Encoding=\"{name}\" {digest}"));
            assert!(harness.take() == [text.clone()], "{encoding:?} {name} {digest}");
        }
        let mut harness = Harness::default();
        send(&mut harness, &transport, &format!("Content-Encoding=\"{name}\" {}", md5_attribute(b"other")));
        assert_eq!(harness.failures(), [(1, "Digest".to_owned())]);
        assert!(harness.objects.is_empty());
    }
}

/// A wrong symbol spoils one cycle, not the next.
#[test]
fn digest_right_in_the_second_cycle() {
    let right = content(20_000, 1);
    let mut wrong = right.clone();
    wrong[12_345] ^= 1;
    let oti = no_code(20_000, 1000, 16);
    let mut harness = Harness::default();
    harness.push_all(&Style::default().fdt(0, &instance("", &[file(1, "a", &oti, &md5_attribute(&right))])));
    harness.push_all(&Style::default().object(1, &oti, &wrong));
    assert_eq!(harness.failures(), [(1, "Digest".to_owned())]);
    harness.push_all(&Style::default().object(1, &oti, &right));
    assert_eq!(harness.take(), [right]);
}

#[test]
fn damaged_content() {
    let mut transport = encode(ContentEncoding::Gzip, &text(300_000)).unwrap();
    let middle = transport.len() / 2;
    transport[middle] ^= 0xFF;
    let mut harness = Harness::default();
    send(&mut harness, &transport, "Content-Encoding=\"gzip\"");
    assert!(harness.objects.is_empty());
    assert!(harness.failures()[0].1.starts_with("Content("), "{:?}", harness.failures());
    assert!(harness.stats().memory < 10_000);
}

/// 20 MB that hash and inflate in several slices.
#[test]
fn long_objects_in_slices() {
    let text = text(20_000_000);
    let transport = encode(ContentEncoding::Gzip, &text).unwrap();
    let mut harness = Harness::default();
    send(&mut harness, &transport, &format!("Content-Encoding=\"gzip\" {}", md5_attribute(&transport)));
    assert!(harness.take() == [text.clone()]);
    assert!(harness.stats().memory < 10_000);

    let mut harness = Harness::default();
    let oti = no_code(text.len() as u64, 1000, 16);
    harness.push_all(&Style::default().fdt(0, &instance("", &[file(1, "a", &oti, &md5_attribute(&text))])));
    harness.push_all(&Style::default().object(1, &oti, &text));
    // The end of the input waits for what is under way.
    harness.finish();
    assert!(harness.take() == [text]);
}

#[test]
fn spool_files() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits::default().spool_threshold(100_000).max_memory(1 << 20);
    let config = ReceiverConfig::default().limits(limits).spool_directory(Some(folder.path().to_owned()));
    let text = text(5_000_000);
    for encoding in [None, Some((ContentEncoding::Gzip, "gzip"))] {
        let transport = encoding.map_or(text.clone(), |(encoding, _)| encode(encoding, &text).unwrap());
        assert!(transport.len() > 100_000);
        let name = encoding.map_or(String::new(), |(_, name)| format!("Content-Encoding=\"{name}\""));
        let mut harness = Harness::new(config.clone());
        send(&mut harness, &transport, &format!("{name} {}", md5_attribute(&transport)));
        let completed = harness.events.iter_mut().find_map(|event| match event {
            Event::Completed { content: Content::File { file, length }, .. } => Some((file, *length)),
            _ => None,
        });
        let (file, length) = completed.unwrap();
        assert_eq!(length, 5_000_000);
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        assert!(bytes == text);
        assert!(harness.stats().memory < 10_000);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn spool_folder_that_is_not_there() {
    let limits = Limits::default().spool_threshold(1000);
    let spool_directory = Some("/nonexistent/folder".into());
    let mut harness = Harness::new(ReceiverConfig::default().limits(limits).spool_directory(spool_directory));
    send(&mut harness, &content(5000, 1), "");
    assert!(harness.failures()[0].1.starts_with("Destination("), "{:?}", harness.failures());
}

#[test]
fn progress() {
    let object = content(10_000_000, 1);
    let mut harness = Harness::default();
    send(&mut harness, &object, "");
    let received: Vec<u64> = harness
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Progress { received, .. } => Some(*received),
            _ => None,
        })
        .collect();
    assert!((95..=100).contains(&received.len()), "{}", received.len());
    assert!(received.is_sorted());
}
