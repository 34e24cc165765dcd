// SPDX-License-Identifier: MPL-2.0

//! Channels over the loopback interface, from their first user to their end.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream, UdpSocket};
use std::thread;
use std::time::Instant;

use flute_http::Piece;
use flute_proto::receiver::Filter;
use flute_proto::sender::{Batch, FinishPolicy, Object, Poll, Sender, SenderConfig};
use flute_proto::{Time, lct::Tsi};

use super::*;
use flute_net::reception::Listener;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

struct Source {
    sender: Sender,
    socket: UdpSocket,
    port: u16,
    sent: Vec<Vec<u8>>,
}

impl Source {
    fn new(port: u16, tsi: u64) -> Self {
        let config = SenderConfig::default().tsi(Tsi::new(tsi).unwrap());
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self { sender: Sender::new(config, now()).unwrap(), socket, port, sent: Vec::new() }
    }

    fn send(&mut self, location: &str, content: &[u8]) {
        self.sender.replace(Object::new(location, content.to_vec()), now()).unwrap();
        self.drain();
    }

    /// Says that no more objects come.
    fn finish(&mut self) {
        self.sender.finish(FinishPolicy::Stop, now());
        self.drain();
    }

    fn drain(&mut self) {
        let (mut batch, first) = (Batch::new(16), self.sent.len());
        while let Poll::Packets = self.sender.poll(now(), &mut batch) {
            self.sent.extend(batch.packets().map(<[u8]>::to_vec));
        }
        self.transmit(first);
    }

    /// Sends everything once more.
    fn repeat(&self) {
        self.transmit(0);
    }

    fn transmit(&self, first: usize) {
        for packet in &self.sent[first..] {
            self.socket.send_to(packet, (Ipv4Addr::LOCALHOST, self.port)).unwrap();
        }
    }
}

fn now() -> Time {
    Time::from_unix(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap())
}

fn free_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn request(port: u16) -> Request {
    gst::init().unwrap();
    let network = ReceiveConfig::new(HostAndPort::new(IpAddr::from(Ipv4Addr::LOCALHOST), port));
    Request { network, receiver: ReceiverConfig::default(), object_timeout: Some(LONG), linger: LONG }
}

fn request_tsi(port: u16, tsi: u64) -> Request {
    let filter = Filter::default().tsis(vec![Tsi::new(tsi).unwrap()]).source(None);
    Request { receiver: ReceiverConfig::default().filter(filter), ..request(port) }
}

fn bytes(object: &Arc<StoredObject>) -> Vec<u8> {
    match object.piece(0, usize::MAX).unwrap() {
        Piece::Shared(slice) => slice.as_ref().to_vec(),
        Piece::Read(bytes) => bytes,
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}");
        thread::yield_now();
    }
}

#[test]
fn an_object_is_waited_for_and_kept() {
    let (sessions, port) = (Arc::<SharedSessions>::default(), free_port());
    let name = LocationPath::of_decoded("live.mpd");
    let user = sessions.open(&request(port), &name).unwrap();
    let mut source = Source::new(port, 1);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| bytes(&user.object(&name).unwrap()));
        source.send("http://example.com/live/other.mpd", b"other");
        source.send("http://example.com/live/live.mpd", b"first");
        assert_eq!(waiting.join().unwrap(), b"first");
    });
    // It is there for those who come later, and for those who know less.
    let second = sessions.open(&request(port), &name).unwrap();
    assert_eq!(bytes(&second.object(&LocationPath::of_decoded("live/live.mpd")).unwrap()), b"first");
    source.send("http://example.com/live/live.mpd", b"second");
    eventually("the newest version is given out", || bytes(&second.object(&name).unwrap()) == b"second");
    assert_eq!(sessions.channels.lock().unwrap().len(), 1);
}

#[test]
fn a_channel_is_found_by_those_who_leave_options_out() {
    let (sessions, port) = (Arc::<SharedSessions>::default(), free_port());
    let name = LocationPath::of_decoded("a");
    let first = sessions.open(&request_tsi(port, 1), &name).unwrap();
    let second = sessions.open(&request_tsi(port, 2), &name).unwrap();
    assert!(!Arc::ptr_eq(&first.channel, &second.channel));
    let same = sessions.open(&request_tsi(port, 1), &name).unwrap();
    assert!(Arc::ptr_eq(&first.channel, &same.channel));
    // The one that has the object, not the one that was used last.
    let mut source = Source::new(port, 2);
    source.send("b", b"of the second");
    let name = LocationPath::of_decoded("b");
    assert_eq!(bytes(&second.object(&name).unwrap()), b"of the second");
    drop(same);
    let brief = sessions.open(&Request { object_timeout: None, ..request(port) }, &name).unwrap();
    assert!(Arc::ptr_eq(&second.channel, &brief.channel));
    assert_eq!(brief.object_timeout, LONG, "it is inherited");
    // Another port is another channel.
    let other = sessions.open(&request(free_port()), &name).unwrap();
    assert!(!Arc::ptr_eq(&other.channel, &first.channel) && !Arc::ptr_eq(&other.channel, &second.channel));
}

#[test]
fn waits_end() {
    let (sessions, port) = (Arc::<SharedSessions>::default(), free_port());
    let name = LocationPath::of_decoded("a");
    let hasty = Request { object_timeout: Some(Duration::from_millis(1)), ..request(port) };
    let user = sessions.open(&hasty, &name).unwrap();
    assert_eq!(user.object(&name).unwrap_err(), Missing::Late(Duration::from_millis(1)));
    let user = sessions.open(&request(port), &name).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| user.object(&name).unwrap_err());
        user.set_interrupted(true);
        assert_eq!(waiting.join().unwrap(), Missing::Interrupted);
    });
    // The sender says that there is no such object.
    user.set_interrupted(false);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| user.object(&name).unwrap_err());
        let mut source = Source::new(port, 1);
        source.send("b", b"another");
        source.finish();
        assert_eq!(waiting.join().unwrap(), Missing::Never);
    });
    assert_eq!(user.object(&name).unwrap_err(), Missing::Never);
    assert_eq!(bytes(&user.object(&LocationPath::of_decoded("b")).unwrap()), b"another");
}

/// The head and the body of the answer to an HTTP request.
fn http(url: &str, method: &str, header: &str) -> (String, Vec<u8>) {
    let url = url::Url::parse(url).unwrap();
    let mut stream = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).unwrap();
    let request = format!("{method} {} HTTP/1.1\r\nHost: a\r\n{header}Connection: close\r\n\r\n", url.path());
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec())
}

#[test]
fn objects_over_http() {
    let (sessions, port) = (Arc::<SharedSessions>::default(), free_port());
    let name = LocationPath::of_decoded("a movie.mp4");
    let brief = Request { linger: Duration::ZERO, ..request(port) };
    let user = sessions.open(&brief, &name).unwrap();
    let url = user.http_url("http/a movie.mp4").unwrap();
    assert_eq!(url, user.http_url("http/a movie.mp4").unwrap());
    let content: Vec<u8> = (0..100_000u32).map(|i| (i * 7 % 251) as u8).collect();
    let mut source = Source::new(port, 1);
    let (head, body) = thread::scope(|scope| {
        let asking = scope.spawn(|| http(&url, "GET", ""));
        source.send("http/a%20movie.mp4", &content);
        asking.join().unwrap()
    });
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("Content-Length: 100000"), "{head}");
    assert!(body == content);
    let (head, body) = http(&url, "GET", "Range: bytes=1000-1009\r\n");
    assert!(head.starts_with("HTTP/1.1 206 ") && head.contains("Content-Range: bytes 1000-1009/100000"), "{head}");
    assert_eq!(body, content[1000..1010]);
    assert!(http(&url, "GET", "Range: bytes=100000-\r\n").0.starts_with("HTTP/1.1 416 "));
    let (head, body) = http(&url, "HEAD", "");
    assert!(head.contains("Content-Length: 100000") && body.is_empty(), "{head}");
    assert!(http(&url, "POST", "").0.starts_with("HTTP/1.1 405 "));
    let without_secret = url::Url::parse(&url).unwrap().join("/http/a%20movie.mp4").unwrap();
    assert!(http(without_secret.as_str(), "GET", "").0.starts_with("HTTP/1.1 404 "));
    source.finish();
    let missing = user.http_url("none").unwrap();
    assert!(http(&missing, "GET", "").0.starts_with("HTTP/1.1 404 "));
    drop(user);
    let url = url::Url::parse(&url).unwrap();
    eventually("the server ends", || TcpStream::connect(("127.0.0.1", url.port().unwrap())).is_err());
}

#[test]
fn a_channel_ends_after_its_last_user() {
    let (sessions, port) = (Arc::<SharedSessions>::default(), free_port());
    let name = LocationPath::of_decoded("a");
    let first = sessions.open(&request(port), &name).unwrap();
    let channel = Arc::downgrade(&first.channel);
    let brief = Request { linger: Duration::ZERO, ..request(port) };
    drop(sessions.open(&brief, &name).unwrap());
    assert_eq!(sessions.channels.lock().unwrap().len(), 1, "another uses it");
    drop(first);
    assert!(channel.upgrade().is_some(), "it lingers");
    drop(sessions.open(&brief, &name).unwrap());
    eventually("table, thread and memory are given back", || {
        sessions.channels.lock().unwrap().is_empty() && channel.strong_count() == 0
    });
    // The port is free, for those who do not share it.
    eventually("the socket is closed", || UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
}

#[test]
fn a_channel_too_many_takes_the_place_of_one_that_lingers() {
    let (sessions, port) = (Arc::<SharedSessions>::default(), free_port());
    let name = LocationPath::of_decoded("a");
    let open = |tsi| sessions.open(&request_tsi(port, tsi), &name);
    let mut users: Vec<User> = (1..=MAX_CHANNELS as u64).map(|tsi| open(tsi).unwrap()).collect();
    assert!(matches!(open(1000), Err(OpenError::Full)));
    let lingering = Arc::downgrade(&users.pop().unwrap().channel);
    users.push(open(1000).unwrap());
    eventually("it ends", || lingering.strong_count() == 0);
    assert_eq!(sessions.channels.lock().unwrap().len(), MAX_CHANNELS);
}

#[test]
fn what_failed_is_opened_again() {
    let (sessions, port) = (Arc::<SharedSessions>::default(), free_port());
    let name = LocationPath::of_decoded("a");
    let user = sessions.open(&request(port), &name).unwrap();
    ChannelListener::new(user.channel.clone(), sessions.clone()).handle_failure(std::io::Error::other("no network"));
    assert_eq!(user.object(&name).unwrap_err(), Missing::Failed("no network".to_owned()));
    let again = sessions.open(&request(port), &name).unwrap();
    assert!(!Arc::ptr_eq(&again.channel, &user.channel));
    Source::new(port, 1).send("a", b"content");
    assert_eq!(bytes(&again.object(&name).unwrap()), b"content");
}

#[test]
fn what_made_room_is_received_again() {
    let (sessions, port) = (Arc::<SharedSessions>::default(), free_port());
    let limits = flute_proto::receiver::Limits::default().max_memory(100_000);
    let receiver = ReceiverConfig::default().limits(limits);
    let user = sessions.open(&Request { receiver, ..request(port) }, &LocationPath::of_decoded("a")).unwrap();
    let mut source = Source::new(port, 1);
    source.send("a", &[1; 60_000]);
    source.send("b", &[2; 60_000]);
    for (name, byte) in [("a", 1), ("b", 2), ("a", 1), ("b", 2)] {
        let name = LocationPath::of_decoded(name);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| bytes(&user.object(&name).unwrap()));
            while !waiting.is_finished() {
                source.repeat();
            }
            assert_eq!(waiting.join().unwrap(), [byte; 60_000]);
        });
    }
}
