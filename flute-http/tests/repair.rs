// SPDX-License-Identifier: MPL-2.0

//! Lost objects, and servers that have them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use flute_http::{ObjectStore, PrivateServer, Repair, RepairConfig, RepairOutcome};
use flute_proto::Time;
use flute_proto::receiver::{Endpoints, Event, Receiver, ReceiverConfig};
use flute_proto::sender::{Batch, FinishPolicy, Object, Poll, Sender, SenderConfig};
use url::Url;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

fn now() -> Time {
    Time::from_unix(SystemTime::UNIX_EPOCH.elapsed().unwrap())
}

fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i * 7 % 251) as u8).collect()
}

/// How an origin answers the request with this number for bytes from an offset on: the head without its end, and the body.
type Answer = fn(u32, u64) -> (String, Vec<u8>);

fn part(offset: u64) -> (String, Vec<u8>) {
    let body = content()[offset as usize..].to_vec();
    (
        format!("206 Partial Content\r\nContent-Range: bytes {offset}-299999/300000\r\nContent-Length: {}", body.len()),
        body,
    )
}

fn whole() -> (String, Vec<u8>) {
    ("200 OK\r\nContent-Length: 300000".to_owned(), content())
}

/// Answers on a port of this machine as long as the test lasts, and tells the paths and offsets that were asked for.
fn origin(answer: Answer) -> (Url, mpsc::Receiver<(String, u64)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/live/", listener.local_addr().unwrap())).unwrap();
    let (tell, asked) = mpsc::channel();
    thread::spawn(move || {
        let mut hanging = Vec::new();
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(stream) = stream else { return };
            let mut reader = BufReader::new(&stream);
            let (mut line, mut path, mut offset) = (String::new(), String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
                if let Some(rest) = line.strip_prefix("GET ") {
                    path = rest.split(' ').next().unwrap().to_owned();
                }
                if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
                    offset = range.trim().trim_end_matches('-').parse().unwrap();
                }
                line.clear();
            }
            let (head, body) = answer(number as u32, offset);
            let _ = write!(&stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n")
                .and_then(|()| (&stream).write_all(&body));
            if tell.send((path, offset)).is_err() {
                return;
            }
            if head.contains("X-Hangs") {
                hanging.push(stream);
            }
        }
    });
    (url, asked)
}

/// An object of which all packets but one come, in a session that ends; and a request for it.
struct Scenario {
    outcomes: mpsc::Receiver<RepairOutcome>,
    asked: mpsc::Receiver<(String, u64)>,
    server: PrivateServer,
}

impl Scenario {
    fn new(answer: Answer) -> Self {
        let (url, asked) = origin(answer);
        let mut config = RepairConfig::new(url);
        config.back_off = Duration::from_millis(10);
        config.timeout = Duration::from_millis(500);
        config.min_bitrate = 100_000_000;
        let (tell, outcomes) = mpsc::channel();
        let repair = Repair::start(config, move |outcome| tell.send(outcome).unwrap()).unwrap();
        let (nudge, nudged) = mpsc::channel();
        let store = ObjectStore::new(u64::MAX, None, move || {
            let _ = nudge.send(());
        });
        let store = Arc::new(store.with_repair(Arc::new(repair)));
        thread::spawn({
            let store = Arc::downgrade(&store);
            // Nothing more comes from the receiver.
            move || {
                while nudged.recv().is_ok()
                    && let Some(store) = store.upgrade()
                {
                    store.decide(|_| false);
                }
            }
        });
        let server = PrivateServer::start(store.clone(), LONG).unwrap();
        let mut receiver = Receiver::with_destinations(ReceiverConfig::default(), {
            let store = store.clone();
            move |object| store.destination(object)
        });
        for (number, packet) in packets().iter().enumerate() {
            if number != 150 {
                receiver.push(Endpoints::default(), packet, now());
            }
        }
        receiver.finish(now());
        while let Some(event) = receiver.poll_event() {
            if let Event::Failed { object, .. } = event {
                store.repair(&object, true);
            }
        }
        Self { outcomes, asked, server }
    }

    fn outcome(&self) -> RepairOutcome {
        self.outcomes.recv_timeout(LONG).unwrap()
    }

    /// The status and the body of an answer.
    fn get(&self) -> (String, Vec<u8>) {
        let url = Url::parse(&self.server.url("a.mp4")).unwrap();
        let mut stream = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).unwrap();
        write!(stream, "GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", url.path()).unwrap();
        let mut answer = Vec::new();
        // It is broken off if the object is lost for good.
        let _ = stream.read_to_end(&mut answer);
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Default::default() };
        (String::from_utf8_lossy(&answer[9..12]).into_owned(), answer[end + 4..].to_vec())
    }
}

fn packets() -> Vec<Vec<u8>> {
    let mut sender = Sender::new(SenderConfig::default(), now()).unwrap();
    let mut object = Object::new("http://example.com/video/a.mp4", content());
    object.md5 = true;
    sender.add(object, now()).unwrap();
    sender.finish(FinishPolicy::default(), now());
    let (mut packets, mut batch) = (Vec::new(), Batch::new(16));
    loop {
        match sender.poll(now(), &mut batch) {
            Poll::Packets => packets.extend(batch.packets().map(<[u8]>::to_vec)),
            Poll::Wait(until) => thread::sleep(until.since(now())),
            Poll::Idle | Poll::Done => return packets,
        }
    }
}

#[test]
fn what_follows_the_loss_is_fetched() {
    let scenario = Scenario::new(|_, offset| part(offset));
    let (status, body) = scenario.get();
    assert!(status == "200" && body == content());
    let RepairOutcome::Repaired { fetched, .. } = scenario.outcome() else { panic!("it is repaired") };
    let (path, offset) = scenario.asked.recv().unwrap();
    assert_eq!((path.as_str(), offset + fetched), ("/live/video/a.mp4", 300_000));
    assert!(offset > 150_000, "what has come is not fetched");
}

#[test]
fn servers_without_ranges() {
    let scenario = Scenario::new(|_, _| whole());
    assert!(matches!(scenario.outcome(), RepairOutcome::Repaired { .. }));
    assert!(scenario.get().1 == content());
}

#[test]
fn servers_that_break_off_or_are_busy_are_asked_again() {
    let scenario = Scenario::new(|number, offset| match number {
        0 => ("503 Service Unavailable\r\nContent-Length: 0".to_owned(), Vec::new()),
        1 => {
            let (head, body) = part(offset);
            (head, body[..10_000].to_vec())
        }
        _ => part(offset),
    });
    assert!(matches!(scenario.outcome(), RepairOutcome::Repaired { .. }));
    let offsets: Vec<u64> = scenario.asked.try_iter().map(|(_, offset)| offset).collect();
    assert_eq!((offsets[1], offsets[2]), (offsets[0], offsets[0] + 10_000));
    assert!(scenario.get().1 == content());
}

#[test]
fn servers_that_hang_are_asked_again() {
    let scenario = Scenario::new(|number, offset| {
        let (head, body) = part(offset);
        match number {
            0 => (head + "\r\nX-Hangs: yes", body[..10_000].to_vec()),
            _ => (head, body),
        }
    });
    assert!(matches!(scenario.outcome(), RepairOutcome::Repaired { .. }));
    assert!(scenario.get().1 == content());
}

#[test]
fn what_does_not_fit_is_never_served_as_a_whole() {
    let answers: [(Answer, &str); 5] = [
        (|_, _| ("404 Not Found\r\nContent-Length: 0".to_owned(), Vec::new()), "the origin answers 404"),
        (
            |_, offset| {
                let (head, mut body) = part(offset);
                body[7] ^= 1;
                (head, body)
            },
            "what the origin has does not fit the announced digest",
        ),
        (|_, offset| part(offset + 1), "the origin answers with another range than was asked for"),
        (
            |_, _| ("200 OK\r\nContent-Length: 300001".to_owned(), [content(), vec![0]].concat()),
            "what the origin has does not fit the announced digest",
        ),
        (
            |_, _| ("302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0".to_owned(), Vec::new()),
            "the origin answers 302",
        ),
    ];
    for (answer, expected) in answers {
        let scenario = Scenario::new(answer);
        let (_, body) = scenario.get();
        assert!(body.len() < 300_000, "{expected}");
        let RepairOutcome::Failed { reason, .. } = scenario.outcome() else { panic!("{expected}") };
        assert_eq!(reason, expected);
    }
}
