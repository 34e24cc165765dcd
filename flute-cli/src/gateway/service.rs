// SPDX-License-Identifier: MPL-2.0

//! One service: what receives it, what it has brought, and who asks for it.

use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use flute_http::{Announced, ObjectService, ObjectStore, Repair, RepairOutcome, StoredObject};
use flute_net::reception::{Listener, ReceiverThread, SharedReceiver, Statistics};
use flute_net::{ReceiveConfig, ReceiveSocket};
use flute_proto::receiver::{Content, Event, Failure, Receiver};
use tokio::sync::Semaphore;

use super::GatewayArguments;
use super::recent_problems::RecentProblems;
use super::source::Source;

/// A service that is being received.
#[derive(Debug)]
pub(super) struct Service {
    source: Source,
    receiver: Arc<SharedReceiver>,
    objects: ObjectService,
    shared: Arc<Shared>,
    _thread: ReceiverThread,
}

/// What the thread that receives notes for others.
#[derive(Debug, Default)]
struct Shared {
    problems: RecentProblems,
    evicted: AtomicU64,
    repaired_objects: AtomicU64,
    repair_bytes: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl Shared {
    fn note_repair(&self, outcome: RepairOutcome) {
        match outcome {
            RepairOutcome::Repaired { location, fetched } => {
                tracing::info!("{location}: repaired with {fetched} bytes of the origin");
                self.repaired_objects.fetch_add(1, Ordering::Relaxed);
                self.repair_bytes.fetch_add(fetched, Ordering::Relaxed);
            }
            RepairOutcome::Failed { location, reason } => {
                self.problems.note(&format!("{location} is not repaired: {reason}"));
            }
            _ => (),
        }
    }
}

impl Service {
    /// Begins to receive.
    pub(super) fn start(source: Source, arguments: &GatewayArguments, waiting: Arc<Semaphore>) -> anyhow::Result<Self> {
        let endpoint = source.endpoint();
        let mut network = ReceiveConfig::new(endpoint.address.clone());
        network.interfaces = match arguments.interfaces() {
            [] => endpoint.interface.iter().cloned().collect(),
            interfaces => interfaces.to_vec(),
        };
        network.source = endpoint.source;
        network.buffer_size = arguments.buffer_size();
        let socket = ReceiveSocket::open(&network).with_context(|| format!("receiving from {}", network.address))?;
        let config = arguments.receiver_config(&source);
        let waker = socket.waker();
        let spool_directory = config.spool_directory.clone();
        let shared = Arc::<Shared>::default();
        let mut store = ObjectStore::new(arguments.max_memory(), spool_directory, move || waker.nudge());
        if let Some(config) = arguments.repair_config() {
            let shared = shared.clone();
            let repair =
                Repair::start(config, move |outcome| shared.note_repair(outcome)).context("starting a thread")?;
            store = store.with_repair(Arc::new(repair));
        }
        let store = Arc::new(store);
        let receiver = Receiver::with_destinations(config, {
            let store = store.clone();
            move |object| store.destination(object)
        });
        let receiver = Arc::new(SharedReceiver::of(receiver));
        let listener = ServiceListener {
            receiver: receiver.clone(),
            store: store.clone(),
            shared: shared.clone(),
            fast_start: arguments.fast_start(),
        };
        let thread = ReceiverThread::start(socket, receiver.clone(), listener).context("starting a thread")?;
        let objects = ObjectService::new(store, arguments.timeout(), waiting);
        Ok(Self { source, receiver, objects, shared, _thread: thread })
    }

    /// The first segment of its URLs.
    pub(super) fn name(&self) -> &str {
        self.source.name()
    }

    /// Where it comes from.
    pub(super) fn address(&self) -> String {
        self.source.endpoint().address.to_string()
    }

    pub(super) fn objects(&self) -> &ObjectService {
        &self.objects
    }

    pub(super) fn problems(&self) -> &RecentProblems {
        &self.shared.problems
    }

    pub(super) fn stats(&self) -> Statistics {
        self.receiver.stats()
    }

    /// Objects that had to make room for others.
    pub(super) fn evicted(&self) -> u64 {
        self.shared.evicted.load(Ordering::Relaxed)
    }

    /// Objects that were lost and fetched from the origin, and the bytes of that.
    pub(super) fn repaired(&self) -> (u64, u64) {
        (self.shared.repaired_objects.load(Ordering::Relaxed), self.shared.repair_bytes.load(Ordering::Relaxed))
    }

    /// Why it cannot be received any more.
    pub(super) fn failure(&self) -> Option<String> {
        self.shared.failure.lock().unwrap().as_ref().map(|error| format!("receiving {}: {error}", self.name()))
    }
}

/// What the thread of a service does with what it hears.
struct ServiceListener {
    receiver: Arc<SharedReceiver>,
    store: Arc<ObjectStore>,
    shared: Arc<Shared>,
    fast_start: Option<Duration>,
}

impl ServiceListener {
    /// Objects that had to make room are to be received again.
    fn forget(&self, evicted: Vec<Arc<StoredObject>>) {
        if evicted.is_empty() {
            return;
        }
        self.shared.evicted.fetch_add(evicted.len() as u64, Ordering::Relaxed);
        self.receiver.with_receiver(|receiver| {
            for object in evicted {
                receiver.receive_again(&object.info().session, object.info().toi());
            }
        });
    }
}

impl ServiceListener {
    /// Has the origin asked for what is late. Returns when it may be so again.
    fn fast_start(&self) -> Option<Duration> {
        self.store.fast_start(self.fast_start?, |is_meant| {
            self.receiver.with_receiver(|receiver| {
                let described = receiver.described_objects();
                match described.into_iter().rev().find(|object| is_meant(object.location())) {
                    Some(object) => Announced::Object(object),
                    None if receiver.stats().totals.fdt_instances == 0 => Announced::NothingYet,
                    None => Announced::Others,
                }
            })
        })
    }
}

impl Listener for ServiceListener {
    fn handle_event(&mut self, event: Event) {
        let problems = &self.shared.problems;
        match event {
            // What is delivered arrived in the store.
            Event::Completed { content: Content::Delivered, .. } => (),
            Event::Completed { object, content } => self.forget(self.store.insert_received(object, content)),
            Event::ObjectStarted(object) | Event::Progress { object, .. } => {
                self.store.note_progress(object.location());
            }
            Event::Fdt { complete, .. } if complete => self.store.set_undecided(),
            Event::FdtUnusable { session, instance_id, reason } => {
                problems.note(&format!("TSI {}: FDT Instance {instance_id} is unusable: {reason}", session.tsi));
            }
            Event::Failed { object, reason, .. } => {
                problems.note(&format!("TSI {}: {} is lost: {reason}", object.session.tsi, object.location()));
                match reason {
                    Failure::Superseded | Failure::Limit(_) | Failure::Description(_) | Failure::Destination(_) => {
                        self.store.forget(&object);
                    }
                    Failure::Digest | Failure::Content(_) => self.store.repair(&object, false),
                    _ => self.store.repair(&object, true),
                }
                self.store.set_undecided();
            }
            Event::SessionOpened(session) => tracing::info!("session opened: {session:?}"),
            Event::SessionClosed { session, by_sender, .. } => {
                tracing::info!("session closed: {session:?}, by its sender: {by_sender}");
                self.store.set_undecided();
            }
            Event::LimitReached { session, limit } => {
                problems.note(&format!("TSI {}: {limit:?} is at its limit, something was dropped", session.tsi));
            }
            event => tracing::trace!("{event:?}"),
        }
    }

    fn handle_dropped(&mut self, datagrams: u32) {
        let advice = "raise net.core.rmem_max and --buffer-size";
        self.shared.problems.note(&format!("the kernel has dropped {datagrams} datagrams: {advice}"));
    }

    fn after_read(&mut self, _datagrams: usize) -> ControlFlow<(), Option<Duration>> {
        self.forget(self.store.take_evicted());
        // Only this thread can decide: what the receiver has completed is in the store by now.
        self.store.decide(|is_meant| self.receiver.with_receiver(|receiver| receiver.may_bring(is_meant)));
        ControlFlow::Continue(self.fast_start())
    }

    fn handle_failure(&mut self, error: io::Error) {
        self.store.end(Some(error.to_string()));
        *self.shared.failure.lock().unwrap() = Some(error.to_string());
    }
}
