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
use flute_proto::sender::{
    Batch, FdtPolicy, FecConfig, FecScheme, FinishPolicy, Object, Pacing, Poll, Sender, SenderConfig,
};

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
        let config = config().content_encoding(ContentEncoding::Gzip).fdt(fdt).md5_of_content(true);
        send(config, &[10, 300_000], |_| {}, |_| false);
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

/// A receiver whose objects can be looked at.
struct PeerReceiver {
    receiver: MultiReceiver,
    writer: Rc<ObjectWriterBufferBuilder>,
    now: Time,
}

impl PeerReceiver {
    fn new() -> Self {
        let writer = Rc::new(ObjectWriterBufferBuilder::new(true));
        let now = Time::from_unix(SystemTime::UNIX_EPOCH.elapsed().unwrap());
        Self { receiver: MultiReceiver::new(writer.clone(), None, false), writer, now }
    }

    /// Hands over what a sender sends until it waits for longer than `pause`, or has ended.
    fn take(&mut self, sender: &mut Sender, pause: Duration) {
        let endpoint = UDPEndpoint::new(None, "239.1.1.1".to_owned(), 3400);
        let mut batch = Batch::new(1);
        loop {
            match sender.poll(self.now, &mut batch) {
                Poll::Packets => {
                    for packet in batch.packets() {
                        let _ = self.receiver.push(&endpoint, packet, SystemTime::UNIX_EPOCH + self.now.as_unix());
                    }
                }
                Poll::Wait(at) if at.since(self.now) <= pause => self.now = self.now.max(at),
                _ => return,
            }
        }
    }

    /// Whether each object with this name that was begun is whole, and there is one.
    fn has(&self, name: &str, content: &[u8]) -> bool {
        let objects = self.writer.objects.borrow();
        let mut objects = objects.iter().map(|object| object.borrow());
        let mut named = objects.by_ref().filter(|object| object.meta.content_location.ends_with(name)).peekable();
        named.peek().is_some() && named.all(|object| object.complete && !object.error && object.data == content)
    }
}

/// Files that come up one after the other while earlier ones are sent, with repair symbols: a receiver that has all of a
/// file forgets it when an FDT Instance does not list it, and its next repair symbol would begin it anew.
#[test]
fn a_folder_of_files_with_repair_symbols() {
    let pacing = Pacing::default().bitrate(8_000_000);
    for (scheme, spread_repair) in
        [(FecScheme::ReedSolomon8, false), (FecScheme::ReedSolomon8, true), (FecScheme::RaptorQ, false)]
    {
        let fec = FecConfig::default().scheme(scheme).protection(Protection::Percent(50.0));
        let config = config().fec(fec).pacing(pacing).spread_repair(spread_repair).multiplex(2);
        let mut peer = PeerReceiver::new();
        let mut sender = Sender::new(config, peer.now).unwrap();
        let names: Vec<String> = (0..40).map(|number| format!("http://example.com/file-{number}")).collect();
        for (number, name) in names.iter().enumerate() {
            let mut object = Object::new(name.clone(), content(30_000 + number));
            object.content_type = Some("application/octet-stream".to_owned());
            sender.add(object, peer.now).unwrap();
            // 30 kB and half as much again take 45 ms: the next file comes while this one is sent.
            let next = peer.now + Duration::from_millis(37);
            while peer.now < next {
                peer.take(&mut sender, Duration::ZERO);
                peer.now = peer.now + Duration::from_millis(1);
            }
        }
        sender.finish(FinishPolicy::default(), peer.now);
        peer.take(&mut sender, Duration::from_secs(10));
        for (number, name) in names.iter().enumerate() {
            assert!(peer.has(name, &content(30_000 + number)), "{name} with {scheme:?}");
        }
    }
}

/// Objects that are too short for four symbols of the usual size.
#[test]
fn short_objects_with_raptor() {
    let fec = FecConfig::default().scheme(FecScheme::Raptor).protection(Protection::Percent(50.0));
    for profile in [Profile::Rfc6726, Profile::Mbms] {
        let lengths = [1, 2, 3, 4, 5, 8, 15, 16, 17, 100, 1399, 1400, 1401, 2800, 4200, 5600];
        send(config().profile(profile).fec(fec), &lengths, |_| {}, |_| false);
    }
}

/// A sender that is killed and started again has the IDs of FDT Instances again that this receiver knows, and what they
/// describe now is nothing to it; unless they begin with the time of day.
#[test]
fn a_sender_that_is_killed_and_started_again() {
    for (first_instance_id, is_received) in [(Some(0), false), (None, true)] {
        let mut peer = PeerReceiver::new();
        let fdt = FdtPolicy::default().first_instance_id(first_instance_id);
        for (number, name) in ["http://example.com/before", "http://example.com/after"].into_iter().enumerate() {
            let config = config().first_toi(Toi::new(1 + 100 * number as u128)).fdt(fdt);
            let mut sender = Sender::new(config, peer.now).unwrap();
            sender.add(Object::new(name, content(20_000)), peer.now).unwrap();
            peer.take(&mut sender, Duration::ZERO);
            peer.now = peer.now + Duration::from_secs(5);
        }
        assert!(peer.has("before", &content(20_000)), "{first_instance_id:?}");
        assert_eq!(peer.has("after", &content(20_000)), is_received, "{first_instance_id:?}");
    }
}
