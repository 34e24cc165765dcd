// SPDX-License-Identifier: MPL-2.0

//! The server over real connections on the loopback interface.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use flute_http::{
    Answering, Handler, ObjectService, ObjectStore, PrivateServer, Retention, Server, ServerLimits, StoredObject,
};
use flute_proto::Time;
use flute_proto::receiver::{Content, Endpoints, Event, ObjectInfo, Receiver, ReceiverConfig};
use flute_proto::sender::{Batch, Object, Poll, Sender, SenderConfig};
use hyper::Request;
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use url::Url;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

fn now() -> Time {
    Time::from_unix(SystemTime::UNIX_EPOCH.elapsed().unwrap())
}

/// An object as a receiver gives it out.
fn received(location: &str, content: Vec<u8>) -> (Arc<ObjectInfo>, Content) {
    let mut object = Object::new(location, content);
    object.content_type = Some("video/mp4".to_owned());
    let mut sender = Sender::new(SenderConfig::default(), now()).unwrap();
    sender.add(object, now()).unwrap();
    let (mut receiver, mut batch) = (Receiver::new(ReceiverConfig::default()), Batch::new(16));
    while let Poll::Packets = sender.poll(now(), &mut batch) {
        for packet in batch.packets() {
            receiver.push(Endpoints { source: None, destination: None }, packet, now());
        }
    }
    let completed = std::iter::from_fn(|| receiver.poll_event()).find_map(|event| match event {
        Event::Completed { object, content } => Some((object, content)),
        _ => None,
    });
    completed.unwrap()
}

fn insert(store: &ObjectStore, (info, content): (Arc<ObjectInfo>, Content)) {
    store.insert(StoredObject::new(info, content, Retention::Media, SystemTime::now()), now());
}

fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i * 7 % 251) as u8).collect()
}

struct Scenario {
    store: Arc<ObjectStore>,
    server: PrivateServer,
}

impl Scenario {
    fn new() -> Self {
        let store = Arc::new(ObjectStore::new(u64::MAX, None, || ()));
        let server = PrivateServer::start(store.clone(), LONG).unwrap();
        Self { store, server }
    }

    fn connect(&self) -> (TcpStream, String) {
        let url = Url::parse(&self.server.url("a.mp4")).unwrap();
        let stream = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).unwrap();
        (stream, url.path().to_owned())
    }

    /// The head and the body of an answer.
    fn ask(&self, method: &str, fields: &str) -> (String, Vec<u8>) {
        let (mut stream, path) = self.connect();
        // A server that has seen too much answers and closes before all of it was written: what counts is the answer.
        let _ = write!(stream, "{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec())
    }
}

/// The value of a field of a head.
fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {head}"))
}

#[test]
fn a_request_waits_for_its_object() {
    let scenario = Scenario::new();
    thread::scope(|scope| {
        let asking = scope.spawn(|| scenario.ask("GET", ""));
        insert(&scenario.store, received("http://h/b.mp4", vec![1]));
        insert(&scenario.store, received("http://h/a.mp4", content()));
        let (head, body) = asking.join().unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(body == content());
    });
}

#[test]
fn versions_are_told_apart() {
    let scenario = Scenario::new();
    insert(&scenario.store, received("a.mp4", content()));
    let (head, body) = scenario.ask("HEAD", "");
    assert!(body.is_empty());
    assert_eq!(field(&head, "Content-Length"), "300000");
    assert_eq!(field(&head, "Content-Type"), "video/mp4");
    assert_eq!(field(&head, "Cache-Control"), "max-age=300");
    assert!(field(&head, "Last-Modified").ends_with(" GMT"));
    let etag = field(&head, "Etag").to_owned();
    let (head, body) = scenario.ask("GET", &format!("If-None-Match: {etag}\r\n"));
    assert!(head.starts_with("HTTP/1.1 304 ") && body.is_empty(), "{head}");
    let range = format!("Range: bytes=10-19\r\nIf-Range: {etag}\r\n");
    let (head, body) = scenario.ask("GET", &range);
    assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
    assert_eq!(body, content()[10..20]);
    insert(&scenario.store, received("a.mp4", vec![9; 100]));
    assert!(scenario.ask("GET", &format!("If-None-Match: {etag}\r\n")).0.starts_with("HTTP/1.1 200 "));
    let (head, body) = scenario.ask("GET", &range);
    assert!(head.starts_with("HTTP/1.1 200 ") && body == [9; 100], "a range of another version: {head}");
}

#[test]
fn what_cannot_come_is_not_found() {
    let scenario = Scenario::new();
    thread::scope(|scope| {
        let asking = scope.spawn(|| scenario.ask("GET", ""));
        scenario.store.end(None);
        assert!(asking.join().unwrap().0.starts_with("HTTP/1.1 404 "));
    });
    let failed = Scenario::new();
    failed.store.end(Some("no network".to_owned()));
    assert!(failed.ask("GET", "").0.starts_with("HTTP/1.1 503 "));
    let (head, _) = failed.ask("DELETE", "");
    assert!(head.starts_with("HTTP/1.1 405 ") && field(&head, "Allow") == "GET, HEAD, OPTIONS", "{head}");
}

#[test]
fn bounds_are_kept() {
    let scenario = Scenario::new();
    let (head, _) = scenario.ask("GET", &format!("X: {}\r\n", "x".repeat(1 << 20)));
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    // Of more requests than may wait, those that are too many are answered at once.
    let mut requests: Vec<_> = (0..80).map(|_| scenario.connect()).collect();
    for (stream, path) in &mut requests {
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        stream.set_nonblocking(true).unwrap();
    }
    let mut refused = 0;
    while refused < 16 {
        requests.retain_mut(|(stream, _)| {
            let mut status = [0; 13];
            let is_answered = stream.peek(&mut status).is_ok_and(|length| length == status.len());
            assert!(!is_answered || &status == b"HTTP/1.1 503 ");
            refused += u32::from(is_answered);
            !is_answered
        });
        thread::yield_now();
    }
    insert(&scenario.store, received("a.mp4", content()));
    assert_eq!(requests.len(), 64);
    for (stream, _) in &mut requests {
        stream.set_nonblocking(false).unwrap();
        let mut status = [0; 13];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200 ");
    }
}

#[test]
fn the_end_of_the_server_ends_connections() {
    let Scenario { store, server } = Scenario::new();
    let url = Url::parse(&server.url("a.mp4")).unwrap();
    let mut stream = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).unwrap();
    write!(stream, "GET {} HTTP/1.1\r\nHost: a\r\n\r\n", url.path()).unwrap();
    drop(server);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty());
    assert_eq!(Arc::strong_count(&store), 1);
}

/// Objects at the root of a server.
struct Objects(ObjectService);

impl Handler for Objects {
    fn answer(&self, request: Request<Incoming>, _local: SocketAddr) -> Answering<'_> {
        Box::pin(async move { self.0.answer(request.method(), request.uri().path(), request.headers()).await })
    }
}

/// A server with a short patience, and an object that does not fit into the buffers of the kernel.
fn impatient(max_connections: usize, max_waiting: usize) -> (Server, Arc<ObjectStore>) {
    let store = Arc::new(ObjectStore::new(u64::MAX, None, || ()));
    let service = ObjectService::new(store.clone(), LONG, Arc::new(Semaphore::new(max_waiting)));
    let mut limits = ServerLimits::new(max_connections);
    (limits.header_timeout, limits.write_timeout) = (Duration::from_millis(300), Duration::from_millis(300));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    (Server::start(listener, limits, Arc::new(Objects(service))).unwrap(), store)
}

const REQUEST: &str = "GET /a.mp4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// The first line of an answer.
fn status(mut stream: &TcpStream) -> String {
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    String::from_utf8_lossy(&status[9..]).into_owned()
}

#[test]
fn clients_that_take_nothing_are_cut_off() {
    let (server, store) = impatient(1, 1);
    insert(&store, received("a.mp4", vec![7; 64 << 20]));
    let slow = TcpStream::connect(server.address()).unwrap();
    write!(&slow, "{REQUEST}").unwrap();
    assert_eq!(status(&slow), "200");
    // The only connection is free as soon as the server has lost its patience.
    let next = TcpStream::connect(server.address()).unwrap();
    write!(&next, "HEAD /a.mp4 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(status(&next), "200");
    let mut rest = Vec::new();
    let _ = (&slow).read_to_end(&mut rest);
    assert!(rest.len() < 64 << 20, "the rest was not sent");
}

#[test]
fn clients_that_ask_slowly_are_cut_off() {
    let (server, store) = impatient(1, 1);
    insert(&store, received("a.mp4", vec![7]));
    let slow = TcpStream::connect(server.address()).unwrap();
    write!(&slow, "GET /a.mp4 HTTP/1.1\r\nHost:").unwrap();
    let next = TcpStream::connect(server.address()).unwrap();
    write!(&next, "{REQUEST}").unwrap();
    assert_eq!(status(&next), "200", "the only connection is free again");
    let mut answer = Vec::new();
    let _ = (&slow).read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408 "), "it had its time");
}

#[test]
fn headers_of_many_fields_are_refused() {
    let (server, _store) = impatient(1, 1);
    let stream = TcpStream::connect(server.address()).unwrap();
    let fields = "X: y\r\n".repeat(1000);
    // The answer may come before all of it was written.
    let _ = write!(&stream, "GET /a.mp4 HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    assert_eq!(status(&stream), "431");
}

#[test]
fn connections_that_are_too_many_wait_for_others_to_end() {
    let (server, store) = impatient(2, 4);
    let [first, second, third] = std::array::from_fn(|_| {
        let stream = TcpStream::connect(server.address()).unwrap();
        write!(&stream, "{REQUEST}").unwrap();
        stream
    });
    drop(first);
    insert(&store, received("a.mp4", content()));
    for stream in [second, third] {
        assert_eq!(status(&stream), "200");
    }
}

#[test]
fn requests_that_are_too_many_are_told_to_come_again() {
    let (server, store) = impatient(4, 1);
    let waiting = TcpStream::connect(server.address()).unwrap();
    write!(&waiting, "{REQUEST}").unwrap();
    // One of the two waits, and the other one does not.
    let other = TcpStream::connect(server.address()).unwrap();
    write!(&other, "{REQUEST}").unwrap();
    let answers = [waiting, other].map(|mut stream| {
        thread::spawn(move || {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
    });
    while !answers.iter().any(|answer| answer.is_finished()) {
        thread::yield_now();
    }
    insert(&store, received("a.mp4", b"text".to_vec()));
    let mut answers = answers.map(|answer| answer.join().unwrap());
    answers.sort();
    assert!(answers[0].starts_with("HTTP/1.1 200 ") && answers[0].ends_with("text"), "{answers:?}");
    assert!(answers[1].starts_with("HTTP/1.1 503 ") && answers[1].contains("Retry-After: 1\r\n"), "{answers:?}");
}
