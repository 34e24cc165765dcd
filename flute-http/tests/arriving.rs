// SPDX-License-Identifier: MPL-2.0

//! Requests for objects that are still being received.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flute_http::{ObjectStore, PrivateServer};
use flute_proto::Time;
use flute_proto::content::{ContentEncoding, encode};
use flute_proto::receiver::{Endpoints, Receiver, ReceiverConfig};
use flute_proto::sender::{Batch, FinishPolicy, Object, Poll, Sender, SenderConfig};
use url::Url;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

fn now() -> Time {
    Time::from_unix(SystemTime::UNIX_EPOCH.elapsed().unwrap())
}

fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i * 7 % 251) as u8).collect()
}

/// A sender whose packets come to a receiver when the test says so.
struct Scenario {
    packets: Vec<Vec<u8>>,
    receiver: Receiver,
    store: Arc<ObjectStore>,
    server: PrivateServer,
}

impl Scenario {
    fn new(max_weight: u64) -> Self {
        Self::with(SenderConfig::default(), max_weight)
    }

    fn with(config: SenderConfig, max_weight: u64) -> Self {
        let mut sender = Sender::new(config, now()).unwrap();
        let mut object = Object::new("a.mp4", content());
        object.content_type = Some("video/mp4".to_owned());
        object.md5 = true;
        sender.add(object, now()).unwrap();
        sender.finish(FinishPolicy::default(), now());
        let (mut packets, mut batch) = (Vec::new(), Batch::new(16));
        loop {
            match sender.poll(now(), &mut batch) {
                Poll::Packets => packets.extend(batch.packets().map(<[u8]>::to_vec)),
                Poll::Wait(until) => std::thread::sleep(until.since(now())),
                Poll::Idle | Poll::Done => break,
            }
        }
        let store = Arc::new(ObjectStore::new(max_weight, None, || ()));
        let receiver = Receiver::with_destinations(ReceiverConfig::default(), {
            let store = store.clone();
            move |object| store.destination(object)
        });
        let server = PrivateServer::start(store.clone(), LONG).unwrap();
        Self { packets, receiver, store, server }
    }

    /// Lets the next packets come.
    fn receive(&mut self, packets: usize) {
        for packet in self.packets.drain(..packets.min(self.packets.len())) {
            self.receiver.push(Endpoints::default(), &packet, now());
        }
        while self.receiver.next_deadline().is_some_and(|deadline| deadline <= now()) {
            self.receiver.handle_timeout(now());
        }
        while self.receiver.poll_event().is_some() {}
    }

    /// Asks for the object, and reads the head of the answer.
    fn ask(&self, fields: &str) -> (String, BufReader<TcpStream>) {
        let url = Url::parse(&self.server.url("a.mp4")).unwrap();
        let stream = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).unwrap();
        write!(&stream, "GET {} HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n", url.path()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        (head, reader)
    }
}

#[test]
fn bytes_flow_before_the_object_is_complete() {
    let mut scenario = Scenario::new(u64::MAX);
    scenario.receive(110);
    let (head, mut body) = scenario.ask("");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("Content-Length: 300000\r\n"), "{head}");
    assert!(head.contains("Content-Type: video/mp4\r\n"), "{head}");
    let mut first = vec![0; 100_000];
    body.read_exact(&mut first).unwrap();
    let (range_head, mut range) = scenario.ask("Range: bytes=90000-\r\n");
    assert!(range_head.contains("Content-Range: bytes 90000-299999/300000\r\n"), "{range_head}");
    scenario.receive(usize::MAX);
    let mut rest = Vec::new();
    body.read_to_end(&mut rest).unwrap();
    assert!([first, rest].concat() == content());
    let mut part = Vec::new();
    range.read_to_end(&mut part).unwrap();
    assert!(part == content()[90_000..]);
    // The same object once it is complete.
    let etag = head.lines().find(|line| line.starts_with("Etag: ")).unwrap();
    let (head, _) = scenario.ask(&format!("If-None-Match: {}\r\n", etag.trim_start_matches("Etag: ")));
    assert!(head.starts_with("HTTP/1.1 304 "), "{head}");
}

#[test]
fn an_object_that_is_lost_breaks_the_answer_off() {
    let mut scenario = Scenario::new(u64::MAX);
    scenario.receive(110);
    let (head, mut body) = scenario.ask("");
    assert!(head.contains("Content-Length: 300000\r\n"), "{head}");
    scenario.packets.drain(..10);
    scenario.receive(usize::MAX);
    scenario.receiver.finish(now());
    let mut bytes = Vec::new();
    // The connection is closed, or reset.
    let _ = body.read_to_end(&mut bytes);
    assert!(bytes.len() < 300_000 && content().starts_with(&bytes));
}

#[test]
fn a_wrong_byte_is_never_the_end_of_an_answer() {
    let mut scenario = Scenario::new(u64::MAX);
    scenario.receive(110);
    let (_, mut body) = scenario.ask("");
    let wrong = scenario.packets[50].last_mut().unwrap();
    *wrong ^= 1;
    scenario.receive(usize::MAX);
    scenario.receiver.finish(now());
    let mut bytes = Vec::new();
    let _ = body.read_to_end(&mut bytes);
    assert!(bytes.len() < 300_000, "the last bytes wait for the digest");
}

#[test]
fn objects_that_are_long_for_the_store_arrive_whole() {
    // A quarter of the memory is less than the object.
    let mut scenario = Scenario::new(1_000_000);
    scenario.receive(usize::MAX);
    assert!(!scenario.store.has(&flute_proto::content_location::LocationPath::of_decoded("a.mp4")));
    scenario.store.end(None);
    assert!(scenario.ask("").0.starts_with("HTTP/1.1 404 "), "the application has it, and has not put it in");
}

#[test]
fn the_header_waits_for_the_first_byte() {
    let mut scenario = Scenario::new(u64::MAX);
    // The first symbol of the object is late.
    let first = scenario.packets.remove(1);
    scenario.receive(50);
    let url = Url::parse(&scenario.server.url("a.mp4")).unwrap();
    let mut stream = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).unwrap();
    write!(&stream, "GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", url.path()).unwrap();
    // Bytes that have come are there for those who want them.
    let (head, mut body) = scenario.ask("Range: bytes=20000-29999\r\n");
    assert!(head.contains("Content-Range: bytes 20000-29999/300000\r\n"), "{head}");
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).unwrap();
    assert!(bytes == content()[20_000..30_000]);
    stream.set_nonblocking(true).unwrap();
    assert!(stream.peek(&mut [0; 1]).is_err(), "no header without a byte");
    stream.set_nonblocking(false).unwrap();
    scenario.packets.insert(0, first);
    scenario.receive(usize::MAX);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(&content()));
}

#[test]
fn what_is_lost_before_its_first_byte_is_not_found() {
    let mut scenario = Scenario::new(u64::MAX);
    scenario.packets.remove(1);
    scenario.receive(50);
    let url = Url::parse(&scenario.server.url("a.mp4")).unwrap();
    let mut stream = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).unwrap();
    write!(&stream, "GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", url.path()).unwrap();
    // Whether the request is there by now or not, the answer is the same.
    std::thread::sleep(Duration::from_millis(50));
    scenario.receiver.finish(now());
    scenario.store.end(None);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

/// What was sent in gzip goes to those who take it as it was sent, and to others decoded.
#[test]
fn gzip_passes_through() {
    let mut scenario = Scenario::with(SenderConfig::default().content_encoding(ContentEncoding::Gzip), u64::MAX);
    scenario.receive(usize::MAX);
    let tag = |head: &str| head.lines().find(|line| line.starts_with("Etag: ")).unwrap().to_owned();
    let body = |mut reader: BufReader<TcpStream>| {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    };
    let (gzip_head, gzip) = scenario.ask("Accept-Encoding: gzip, deflate\r\n");
    assert!(gzip_head.contains("Content-Encoding: gzip\r\nContent-Type: video/mp4\r\n"), "{gzip_head}");
    assert!(body(gzip) == encode(ContentEncoding::Gzip, &content()).unwrap());
    for fields in ["", "Accept-Encoding: gzip;q=0\r\n", "Accept-Encoding: br\r\n"] {
        let (head, decoded) = scenario.ask(fields);
        assert!(!head.contains("Content-Encoding") && head.contains("Content-Length: 300000\r\n"), "{head}");
        assert!(
            head.contains("Vary: Accept-Encoding\r\n") && gzip_head.contains("Vary: Accept-Encoding\r\n"),
            "{head}"
        );
        assert_ne!(tag(&head), tag(&gzip_head));
        assert!(body(decoded) == content());
    }
    // Ranges are those of the content.
    let (head, part) = scenario.ask("Accept-Encoding: gzip\r\nRange: bytes=10-19\r\n");
    assert!(head.contains("Content-Range: bytes 10-19/300000\r\n") && !head.contains("Content-Encoding"), "{head}");
    assert!(body(part) == content()[10..20]);
}
