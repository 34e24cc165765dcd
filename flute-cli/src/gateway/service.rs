// SPDX-License-Identifier: MPL-2.0

//! One service: what receives it, what it has brought, and who asks for it.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use flute_http::{Announced, ObjectService, ObjectStore, Piece, Repair, RepairOutcome, StoredObject};
use flute_media::session_configuration::{self, UnicastRepair};
use flute_net::reception::{Listener, SharedReceiver, Statistics};
use flute_proto::content_location::LocationPath;
use flute_proto::receiver::{Content, Event, Failure, ObjectInfo, Receiver};
use tokio::sync::Semaphore;

use super::GatewayArguments;
use super::recent_problems::RecentProblems;
use super::reception::{Nudges, Reception};
use super::source::Input;

/// What a service is made of.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The first segment of its URLs.
    pub(super) name: String,
    pub(super) input: Input,
    /// Where what is lost of it is fetched, as its configuration says.
    pub(super) repair: Option<UnicastRepair>,
}

/// A service that is being received.
#[derive(Debug)]
pub(super) struct Service {
    plan: Mutex<Plan>,
    reception: Mutex<Option<Reception>>,
    nudges: Arc<Nudges>,
    objects: ObjectService,
    shared: Arc<Shared>,
}

/// What the thread that receives notes for others.
#[derive(Debug, Default)]
struct Shared {
    problems: RecentProblems,
    evicted: AtomicU64,
    repaired_objects: AtomicU64,
    repair_bytes: AtomicU64,
    failure: Mutex<Option<String>>,
    /// Configurations of gateways are of interest.
    follows: bool,
    configuration: Mutex<Option<Vec<u8>>>,
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
    pub(super) fn start(plan: Plan, arguments: &GatewayArguments, waiting: Arc<Semaphore>) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared { follows: arguments.follows_configurations(), ..Shared::default() });
        let nudges = Arc::<Nudges>::default();
        let mut store = ObjectStore::new(arguments.max_memory(), Some(arguments.spool_directory()), {
            let nudges = nudges.clone();
            move || nudges.nudge()
        });
        if let Some(config) = arguments.repair_config(plan.repair.as_ref()) {
            let shared = shared.clone();
            let repair =
                Repair::start(config, move |outcome| shared.note_repair(outcome)).context("starting a thread")?;
            store = store.with_repair(Arc::new(repair));
        }
        let objects = ObjectService::new(Arc::new(store), arguments.timeout(), waiting);
        let service = Self { plan: Mutex::new(plan), reception: Mutex::new(None), nudges, objects, shared };
        service.receive(arguments)?;
        Ok(service)
    }

    /// Receives it from where it is now. What has come of it is kept.
    fn receive(&self, arguments: &GatewayArguments) -> anyhow::Result<()> {
        let input = self.plan.lock().unwrap().input.clone();
        let store = self.objects.objects();
        let receiver = Receiver::with_destinations(arguments.receiver_config(&input), {
            let store = store.clone();
            move |object| store.destination(object)
        });
        let silent = match &input {
            Input::Network(endpoints) => (0..endpoints.len()).collect(),
            Input::Capture(_) => BTreeSet::new(),
        };
        let silent = Arc::new(Mutex::new(silent));
        let listener = |receiver, number| ServiceListener {
            number,
            silent: silent.clone(),
            receiver,
            store: store.clone(),
            shared: self.shared.clone(),
            fast_start: arguments.fast_start(),
        };
        let mut reception = self.reception.lock().unwrap();
        // The sockets of before are closed first: the new ones may be the same.
        if let Some(before) = reception.take() {
            let receiver = before.receiver().clone();
            drop(before);
            let mut events = Vec::new();
            receiver.finish(&mut events);
            let mut listener = listener(receiver, 0);
            events.into_iter().for_each(|event| listener.handle_event(event));
        }
        *reception = Some(Reception::start(&input, arguments, receiver, &self.nudges, listener)?);
        Ok(())
    }

    /// Follows it to where it is according to this plan, if it can be followed: only with another repair it is another
    /// service.
    pub(super) fn follow(&self, plan: &Plan, arguments: &GatewayArguments) -> anyhow::Result<bool> {
        {
            let mut present = self.plan.lock().unwrap();
            if present.name != plan.name || present.repair != plan.repair {
                return Ok(false);
            }
            if present.input == plan.input {
                return Ok(true);
            }
            *present = plan.clone();
        }
        tracing::info!("{} moves to {}", plan.name, self.address());
        self.receive(arguments).map(|()| true)
    }

    /// The first segment of its URLs.
    pub(super) fn name(&self) -> String {
        self.plan.lock().unwrap().name.clone()
    }

    /// Where it comes from.
    pub(super) fn address(&self) -> String {
        match &self.plan.lock().unwrap().input {
            Input::Network(endpoints) => {
                let addresses: BTreeSet<String> =
                    endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect();
                addresses.into_iter().collect::<Vec<_>>().join(", ")
            }
            Input::Capture(path) => path.display().to_string(),
        }
    }

    pub(super) fn objects(&self) -> &ObjectService {
        &self.objects
    }

    pub(super) fn problems(&self) -> &RecentProblems {
        &self.shared.problems
    }

    pub(super) fn stats(&self) -> Statistics {
        let reception = self.reception.lock().unwrap();
        reception.as_ref().map(|reception| reception.receiver().stats()).unwrap_or_default()
    }

    /// Objects that made room for others.
    pub(super) fn evicted(&self) -> u64 {
        self.shared.evicted.load(Ordering::Relaxed)
    }

    /// Objects that were lost and fetched from the origin, and the bytes of that.
    pub(super) fn repaired(&self) -> (u64, u64) {
        (self.shared.repaired_objects.load(Ordering::Relaxed), self.shared.repair_bytes.load(Ordering::Relaxed))
    }

    /// The newest configuration that has come and was not taken.
    pub(super) fn take_configuration(&self) -> Option<Vec<u8>> {
        self.shared.configuration.lock().unwrap().take()
    }

    /// Why it cannot be received any more.
    pub(super) fn failure(&self) -> Option<String> {
        self.shared.failure.lock().unwrap().as_ref().map(|error| format!("receiving {}: {error}", self.name()))
    }

    /// Nothing more of it will come.
    pub(super) fn end(&self) {
        drop(self.reception.lock().unwrap().take());
        self.objects.objects().end(None);
    }
}

/// What the thread of a service does with what it hears.
pub(super) struct ServiceListener {
    /// Which of the endpoints it listens to.
    number: usize,
    /// The endpoints of which nothing has come.
    silent: Arc<Mutex<BTreeSet<usize>>>,
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
    /// Nothing more comes.
    pub(super) fn end(&mut self) {
        self.forget(self.store.take_evicted());
        self.store.end(None);
    }

    /// Keeps a configuration that has come.
    fn keep_configuration(&self, object: &ObjectInfo) {
        let content_type = object.file.content_type.as_deref().unwrap_or_default();
        if !self.shared.follows || !content_type.eq_ignore_ascii_case(session_configuration::MEDIA_TYPE) {
            return;
        }
        let path = LocationPath::of_location(object.location());
        let Ok(stored) = self.store.wait(&path, Duration::ZERO, &AtomicBool::new(false)) else { return };
        let Ok(length) = usize::try_from(stored.len().min(session_configuration::MAX_SIZE)) else { return };
        let Ok(piece) = stored.piece(0, length) else { return };
        let bytes = match &piece {
            Piece::Shared(slice) => slice.as_ref().to_vec(),
            Piece::Read(bytes) => bytes.clone(),
        };
        *self.shared.configuration.lock().unwrap() = Some(bytes);
    }

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
            Event::Completed { object, content } => {
                // What is delivered arrived in the store.
                if !matches!(content, Content::Delivered) {
                    self.forget(self.store.insert_received(object.clone(), content));
                }
                self.keep_configuration(&object);
            }
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

    fn after_read(&mut self, datagrams: usize) -> ControlFlow<(), Option<Duration>> {
        self.forget(self.store.take_evicted());
        let is_silent = {
            let mut silent = self.silent.lock().unwrap();
            if datagrams > 0 {
                silent.remove(&self.number);
            }
            !silent.is_empty()
        };
        // Only such a thread can decide: what the receiver has completed is in the store by now.
        self.store.decide(|is_meant| is_silent || self.receiver.with_receiver(|receiver| receiver.may_bring(is_meant)));
        ControlFlow::Continue(self.fast_start())
    }

    fn handle_failure(&mut self, error: io::Error) {
        self.store.end(Some(error.to_string()));
        *self.shared.failure.lock().unwrap() = Some(error.to_string());
    }
}
