// SPDX-License-Identifier: MPL-2.0

//! What the sender sends, the receiver of the `flute` crate decodes.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use flute::core::UDPEndpoint;
use flute::receiver::MultiReceiver;
use flute::receiver::writer::ObjectWriterBufferBuilder;
use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::content::ContentEncoding;
use flute_proto::lct::{HeaderWidths, Toi, Tsi};
use flute_proto::profile::Profile;
use flute_proto::sender::{Batch, FdtPolicy, FecConfig, FecScheme, FinishPolicy, Object, Poll, Sender, SenderConfig};

/// Bytes that differ from place to place.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|index| (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn config() -> SenderConfig {
    SenderConfig::default().tsi(Tsi::new(9).unwrap()).first_toi(Toi::new(1))
}

/// Sends objects of these lengths, drops the packets that `is_lost` names by their number, and expects all objects whole.
fn send(config: SenderConfig, lengths: &[usize], set: impl Fn(&mut Object), is_lost: impl Fn(u64) -> bool) {
    let writer = Rc::new(ObjectWriterBufferBuilder::new(true));
    let mut receiver = MultiReceiver::new(writer.clone(), None, false);
    let endpoint = UDPEndpoint::new(None, "239.1.1.1".to_owned(), 3400);

    let clock = SystemTime::now();
    let mut now = Time::from_unix(clock.duration_since(SystemTime::UNIX_EPOCH).unwrap());
    let mut sender = Sender::new(config, now).unwrap();
    for (index, &length) in lengths.iter().enumerate() {
        let mut object = Object::new(format!("http://example.com/{index}"), content(length));
        object.content_type = Some("application/octet-stream".to_owned());
        object.md5 = true;
        set(&mut object);
        sender.add(object, now).unwrap();
    }
    sender.finish(FinishPolicy::default(), now);

    let mut batch = Batch::new(64);
    let mut number = 0;
    loop {
        match sender.poll(now, &mut batch) {
            Poll::Packets => {
                for packet in batch.packets() {
                    number += 1;
                    if !is_lost(number) {
                        // A packet that it does not like is its own affair: what counts is what arrives.
                        let _ = receiver.push(&endpoint, packet, SystemTime::UNIX_EPOCH + now.as_unix());
                    }
                }
            }
            Poll::Wait(at) => now = at,
            Poll::Idle => panic!("the session was finished"),
            Poll::Done => break,
        }
    }
    let objects = writer.objects.borrow();
    for (index, &length) in lengths.iter().enumerate() {
        let location = format!("http://example.com/{index}");
        let object = objects.iter().find(|object| object.borrow().meta.content_location == location);
        let object = object.unwrap_or_else(|| panic!("object {index} was not even begun")).borrow();
        assert!(object.complete && !object.error, "object {index} of {length} bytes is not complete");
        assert!(object.data == content(length), "object {index} differs");
    }
}

/// Two of a hundred packets, in no regular order.
fn two_percent(number: u64) -> bool {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(50)
}

#[test]
fn no_code() {
    for (interleave, multiplex) in [(1, 1), (4, 2)] {
        send(
            config().interleave(interleave).multiplex(multiplex),
            &[1, 1400, 1401, 500_000, 77_777],
            |_| {},
            |_| false,
        );
    }
}

#[test]
fn content_encodings() {
    for encoding in [ContentEncoding::Gzip, ContentEncoding::Zlib] {
        let fdt = FdtPolicy::default().content_encoding(encoding);
        // For this receiver, `deflate` of a file is raw DEFLATE, and not ZLIB as RFC 2616 §3.5 says; and Content-MD5 is that
        // of the file, not of the transport object (TS 26.346 7.2.9).
        let config = config().content_encoding(ContentEncoding::Gzip).fdt(fdt);
        send(config, &[10, 300_000], |object| object.md5 = false, |_| false);
    }
}

#[test]
fn profiles_and_headers() {
    for profile in [Profile::Rfc3926, Profile::Mbms, Profile::Mbms2022] {
        send(config().profile(profile), &[10, 100_000], |_| {}, |_| false);
    }
    for (tsi, toi) in [(16, 16), (32, 32), (48, 48), (32, 64), (16, 112)] {
        let widths = HeaderWidths { tsi, toi };
        send(config().widths(widths), &[10, 100_000], |_| {}, |_| false);
    }
    let config = config().sender_current_time(true).fti_on_objects(true);
    send(config, &[10, 100_000], |_| {}, |_| false);
}

#[test]
fn every_scheme_under_loss() {
    let schemes = [
        (FecScheme::Raptor, 1400, Some(200)),
        (FecScheme::ReedSolomon2m { m: 8, symbols_per_packet: 1 }, 1400, Some(100)),
        (FecScheme::ReedSolomon8, 1400, Some(60)),
        (FecScheme::RaptorQ, 1400, Some(200)),
        (FecScheme::ReedSolomon8SmallBlock, 1400, Some(100)),
    ];
    for (scheme, symbol_size, max_source_block_length) in schemes {
        let fec = FecConfig::default()
            .scheme(scheme)
            .symbol_size(symbol_size)
            .max_source_block_length(max_source_block_length)
            .protection(Protection::Percent(15.0));
        for spread_repair in [false, true] {
            eprintln!("{scheme:?}, repair symbols spread: {spread_repair}");
            let config = config().fec(fec).spread_repair(spread_repair).interleave(3);
            send(config, &[1_000_000, 300_000], |_| {}, two_percent);
        }
    }
}

#[test]
fn deadlines_are_kept() {
    let set = |object: &mut Object| {
        object.deadline = Some(flute_proto::sender::Deadline::Within(Duration::from_secs(2)));
    };
    send(config(), &[500_000, 300_000], set, |_| false);
}
