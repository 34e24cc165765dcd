// SPDX-License-Identifier: MPL-2.0

//! A receiver that has lost something, its store, and a player.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use flute_http::{Announced, ObjectStore, PrivateServer, Repair, RepairConfig, RepairOutcome};
use flute_proto::Time;
use flute_proto::receiver::{Endpoints, Event, Receiver, ReceiverConfig};
use flute_proto::sender::{Batch, FinishPolicy, Object, Poll, Sender, SenderConfig};
use url::Url;

/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

fn now() -> Time {
    Time::from_unix(SystemTime::UNIX_EPOCH.elapsed().unwrap())
}

pub(crate) fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i * 7 % 251) as u8).collect()
}

/// Another version of the content: no byte is the same.
pub(crate) fn other_content() -> Vec<u8> {
    content().into_iter().map(|byte| byte ^ 0xff).collect()
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) has_digest: bool,
    pub(crate) etag: Option<String>,
    pub(crate) base_urls: Vec<String>,
}

impl Default for Sent {
    fn default() -> Self {
        Self { has_digest: true, etag: None, base_urls: Vec::new() }
    }
}

impl Sent {
    /// The packets of a session of one object: the first ones are those of the FDT.
    pub(crate) fn packets(&self) -> Vec<Vec<u8>> {
        let mut config = SenderConfig::default();
        config.table.base_url_1 = self.base_urls.clone();
        let mut sender = Sender::new(config, now()).unwrap();
        let mut object = Object::new("http://example.com/video/a.mp4", content());
        object.md5 = self.has_digest;
        object.etag = self.etag.clone();
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
}

/// A receiver and its store, of which objects that are lost are repaired.
pub(crate) struct Scenario {
    outcomes: mpsc::Receiver<RepairOutcome>,
    pub(crate) store: Arc<ObjectStore>,
    receiver: Receiver,
    server: PrivateServer,
    /// What is given up cannot come any more.
    is_over: Arc<AtomicBool>,
}

impl Scenario {
    pub(crate) fn new(config: RepairConfig) -> Self {
        Self::waiting(config, LONG)
    }

    /// One in which requests wait for so long.
    pub(crate) fn waiting(mut config: RepairConfig, timeout: Duration) -> Self {
        config.back_off = Duration::from_millis(10);
        config.timeout = config.timeout.min(Duration::from_millis(500));
        let (tell, outcomes) = mpsc::channel();
        let repair = Repair::start(config, move |outcome| tell.send(outcome).unwrap_or_default()).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let (nudge, nudged) = mpsc::channel();
        let store = ObjectStore::new(u64::MAX, None, move || nudge.send(()).unwrap_or_default());
        let store = Arc::new(store.with_repair(Arc::new(repair)));
        thread::spawn({
            let (store, is_over) = (Arc::downgrade(&store), is_over.clone());
            move || {
                while nudged.recv().is_ok()
                    && let Some(store) = store.upgrade()
                {
                    store.decide(|_| !is_over.load(Ordering::Relaxed));
                }
            }
        });
        let server = PrivateServer::start(store.clone(), timeout).unwrap();
        let receiver = Receiver::with_destinations(ReceiverConfig::default(), {
            let store = store.clone();
            move |object| store.destination(object)
        });
        Self { outcomes, store, receiver, server, is_over }
    }

    /// The scenario in which everything comes but these packets, and the session ends.
    pub(crate) fn losing(config: RepairConfig, sent: &Sent, lost: impl IntoIterator<Item = usize>) -> Self {
        let mut scenario = Self::new(config);
        let lost: BTreeSet<usize> = lost.into_iter().collect();
        let packets = sent.packets();
        let there = packets.iter().enumerate().filter(|(number, _)| !lost.contains(number));
        scenario.push(there.map(|(_, packet)| packet));
        scenario.finish();
        scenario
    }

    pub(crate) fn push<'a>(&mut self, packets: impl IntoIterator<Item = &'a Vec<u8>>) {
        for packet in packets {
            self.receiver.push(Endpoints::default(), packet, now());
        }
        self.work();
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.receiver.finish(now());
        self.work();
    }

    fn work(&mut self) {
        while self.receiver.next_deadline().is_some_and(|deadline| deadline <= now()) {
            self.receiver.handle_timeout(now());
        }
        while let Some(event) = self.receiver.poll_event() {
            if let Event::Failed { object, .. } = event {
                self.store.repair(&object, true);
            }
        }
    }

    /// Has the origin asked for what is late, as the thread of a receiver does.
    pub(crate) fn fast_start(&self) {
        self.store.fast_start(Duration::from_millis(50), |is_meant| {
            let mut described = self.receiver.described_objects();
            described.retain(|object| is_meant(object.location()));
            match described.pop() {
                Some(object) => Announced::Object(object),
                None if self.receiver.stats().totals.fdt_instances == 0 => Announced::NothingYet,
                None => Announced::Others,
            }
        });
    }

    pub(crate) fn outcome(&self) -> RepairOutcome {
        self.outcomes.recv_timeout(LONG).unwrap()
    }

    /// An outcome, if there is one already.
    pub(crate) fn try_outcome(&self) -> Option<RepairOutcome> {
        self.outcomes.try_recv().ok()
    }

    /// A request that has been sent.
    pub(crate) fn ask(&self) -> TcpStream {
        let url = Url::parse(&self.server.url("a.mp4")).unwrap();
        let stream = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).unwrap();
        write!(&stream, "GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", url.path()).unwrap();
        stream
    }

    /// The head and the body of an answer.
    pub(crate) fn get(&self) -> (String, Vec<u8>) {
        answer(self.ask())
    }
}

/// The head and the body of an answer.
pub(crate) fn answer(mut stream: TcpStream) -> (String, Vec<u8>) {
    let mut answer = Vec::new();
    // It is broken off if the object is lost for good.
    let _ = stream.read_to_end(&mut answer);
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Default::default() };
    (String::from_utf8_lossy(&answer[..end]).into_owned(), answer[end + 4..].to_vec())
}
