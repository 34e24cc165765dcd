// SPDX-License-Identifier: MPL-2.0

//! One channel: what it has brought, who waits for what it has not, and its end.

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

use flute_proto::Time;
use flute_proto::content_location::LocationPath;
use flute_proto::receiver::{Event, ObjectInfo};

use super::content::Stored;
use super::gateway::Gateway;
use super::shelf::Shelf;
use super::{Options, Registry};
use crate::debug::FLUTEREGISTRY as CAT;
use crate::reception::{Listener, Session};
use flute_net::Waker;

/// How long an object is waited for of which nothing comes, where nobody says.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(15);

/// Why there is no object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Missing {
    #[error("the wait was interrupted")]
    Interrupted,
    #[error("nothing of it came for {} s", .0.as_secs_f64())]
    Late(Duration),
    #[error("the session is closed or complete, and does not have it")]
    Never,
    #[error("receiving failed: {0}")]
    Failed(String),
}

/// Somebody who waits for an object.
#[derive(Debug)]
struct Waiter {
    number: u64,
    name: LocationPath,
    /// When something of the object came, or the wait began.
    last_news: Instant,
    /// The object will not come.
    is_hopeless: bool,
}

#[derive(Debug)]
struct State {
    shelf: Shelf,
    users: usize,
    last_used: Instant,
    linger: Duration,
    waiters: Vec<Waiter>,
    next_waiter: u64,
    /// It has to be looked whether there is hope for those who wait.
    is_undecided: bool,
    /// It is over, and why if that is an error.
    end: Option<Option<String>>,
}

/// A socket, its sessions, and what they brought.
#[derive(Debug)]
pub(super) struct Channel {
    options: Options,
    session: Arc<Session>,
    waker: Waker,
    patience: Duration,
    state: Mutex<State>,
    changed: Condvar,
    /// For those who only speak HTTP, once somebody did.
    gateway: Mutex<Option<Gateway>>,
}

impl Channel {
    pub(super) fn new(
        options: Options,
        session: Arc<Session>,
        waker: Waker,
        max_memory: u64,
        patience: Option<Duration>,
    ) -> Self {
        let state = State {
            shelf: Shelf::new(max_memory),
            users: 0,
            last_used: Instant::now(),
            linger: Duration::ZERO,
            waiters: Vec::new(),
            next_waiter: 0,
            is_undecided: false,
            end: None,
        };
        let patience = patience.unwrap_or(DEFAULT_PATIENCE);
        Self {
            options,
            session,
            waker,
            patience,
            state: Mutex::new(state),
            changed: Condvar::new(),
            gateway: Mutex::default(),
        }
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    pub(super) fn has(&self, name: &LocationPath) -> bool {
        self.state.lock().unwrap().shelf.has(name)
    }

    pub(super) fn last_used(&self) -> Instant {
        self.state.lock().unwrap().last_used
    }

    pub(super) fn is_used(&self) -> bool {
        self.state.lock().unwrap().users > 0
    }

    /// Somebody begins to use it.
    pub(super) fn enter(&self) {
        let mut state = self.state.lock().unwrap();
        state.users += 1;
        state.last_used = Instant::now();
    }

    /// Somebody uses it no more. It may end after `linger`, if nobody comes.
    pub(super) fn leave(&self, linger: Duration) {
        let mut state = self.state.lock().unwrap();
        state.users -= 1;
        state.last_used = Instant::now();
        state.linger = linger;
        drop(state);
        self.waker.nudge();
    }

    /// Makes it end.
    pub(super) fn end(&self, error: Option<String>) {
        self.state.lock().unwrap().end.get_or_insert(error);
        self.changed.notify_all();
        self.waker.nudge();
        let gateway = self.gateway.lock().unwrap().take();
        drop(gateway);
    }

    /// Where an object is found over HTTP, on this machine.
    pub(super) fn http_url(self: &Arc<Self>, path: &str) -> io::Result<String> {
        let mut gateway = self.gateway.lock().unwrap();
        let gateway = match &mut *gateway {
            Some(gateway) => gateway,
            none => none.insert(Gateway::start(self)?),
        };
        Ok(gateway.url(path))
    }

    /// Does something after which those who wait look again.
    pub(super) fn wake_waiting(&self, change: impl FnOnce()) {
        let _state = self.state.lock().unwrap();
        change();
        self.changed.notify_all();
    }

    /// The newest version of an object, which is waited for while something of it comes at least every `patience`.
    pub(super) fn wait(
        &self,
        name: &LocationPath,
        patience: Duration,
        interrupted: &AtomicBool,
    ) -> Result<Arc<Stored>, Missing> {
        let mut state = self.state.lock().unwrap();
        let number = state.next_waiter;
        state.next_waiter += 1;
        state.waiters.push(Waiter { number, name: name.clone(), last_news: Instant::now(), is_hopeless: false });
        state.is_undecided = true;
        self.waker.nudge();
        let result = loop {
            if interrupted.load(Ordering::Acquire) {
                break Err(Missing::Interrupted);
            }
            if let Some(object) = state.shelf.take(name) {
                break Ok(object);
            }
            if let Some(end) = &state.end {
                break Err(end.clone().map_or(Missing::Never, Missing::Failed));
            }
            let waiter = state.waiters.iter().find(|waiter| waiter.number == number);
            let left = match waiter {
                Some(waiter) if !waiter.is_hopeless => patience.saturating_sub(waiter.last_news.elapsed()),
                _ => break Err(Missing::Never),
            };
            if left.is_zero() {
                break Err(Missing::Late(patience));
            }
            state = self.changed.wait_timeout(state, left).unwrap().0;
        };
        state.waiters.retain(|waiter| waiter.number != number);
        result
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.address.fmt(f)
    }
}

/// What the thread of a channel does with what it hears.
#[derive(Debug)]
pub(super) struct Hearing {
    channel: Arc<Channel>,
    registry: Arc<Registry>,
}

impl Hearing {
    pub(super) fn new(channel: Arc<Channel>, registry: Arc<Registry>) -> Self {
        Self { channel, registry }
    }

    /// Something of an object came.
    fn note(&self, object: &ObjectInfo) {
        let mut state = self.channel.state.lock().unwrap();
        if state.waiters.is_empty() {
            return;
        }
        let name = LocationPath::of_location(object.location());
        for waiter in state.waiters.iter_mut().filter(|waiter| name.is_meant_by(&waiter.name)) {
            waiter.last_news = Instant::now();
        }
    }

    fn put(&self, object: Stored) {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        gst::info!(CAT, "{}: received {}, {} bytes", self.channel, object.info().location(), object.len());
        let gone = self.channel.state.lock().unwrap().shelf.put(object, Time::from_unix(since_epoch));
        self.channel.changed.notify_all();
        if !gone.is_empty() {
            self.channel.session.with_receiver(|receiver| {
                for object in gone {
                    gst::info!(CAT, "{}: {} goes to make room", self.channel, object.info().location());
                    receiver.receive_again(&object.info().session, object.info().toi());
                }
            });
        }
    }

    /// Tells those who wait for what will not come.
    ///
    /// Only this thread can judge: what the receiver has completed has been put on the shelf by now.
    fn decide(&self, state: &mut State) {
        state.is_undecided = false;
        self.channel.session.with_receiver(|receiver| {
            for waiter in &mut state.waiters {
                let wanted = |location: &str| LocationPath::of_location(location).is_meant_by(&waiter.name);
                waiter.is_hopeless = !receiver.may_bring(wanted);
            }
        });
        self.channel.changed.notify_all();
    }
}

impl Listener for Hearing {
    fn take(&mut self, event: Event) {
        let channel = &self.channel;
        match event {
            Event::Completed { object, content } => self.put(Stored::new(object, content)),
            Event::ObjectStarted(object) | Event::Progress { object, .. } => self.note(&object),
            Event::SessionOpened(session) => gst::info!(CAT, "{channel}: session opened: {session:?}"),
            Event::Fdt { session, instance_id, files, complete, .. } => {
                gst::info!(CAT, "{channel}: TSI {}: FDT Instance {instance_id} of {files} files", session.tsi);
                channel.state.lock().unwrap().is_undecided |= complete;
            }
            Event::Failed { object, reason, .. } => {
                gst::info!(CAT, "{channel}: lost {}: {reason}", object.location());
                channel.state.lock().unwrap().is_undecided = true;
            }
            Event::SessionClosed { session, by_sender, .. } => {
                gst::info!(CAT, "{channel}: session closed: {session:?}, by its sender: {by_sender}");
                channel.state.lock().unwrap().is_undecided = true;
            }
            Event::LimitReached { session, limit } => {
                gst::warning!(CAT, "{channel}: TSI {}: {limit:?} is at its limit, something was dropped", session.tsi);
            }
            event => gst::debug!(CAT, "{channel}: not handled: {event:?}"),
        }
    }

    fn attend(&mut self, _datagrams: usize) -> ControlFlow<(), Option<Duration>> {
        let mut state = self.channel.state.lock().unwrap();
        if state.is_undecided {
            self.decide(&mut state);
        }
        if state.end.is_some() {
            return ControlFlow::Break(());
        }
        if state.users > 0 {
            return ControlFlow::Continue(None);
        }
        let left = state.linger.saturating_sub(state.last_used.elapsed());
        drop(state);
        if left.is_zero() && self.registry.remove(&self.channel, true) {
            gst::info!(CAT, "{}: ends, nobody uses it", self.channel);
            self.channel.end(None);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(Some(left))
    }

    fn fail(&mut self, error: io::Error) {
        gst::error!(CAT, "{}: receiving failed: {error}", self.channel);
        self.registry.remove(&self.channel, false);
        self.channel.end(Some(error.to_string()));
    }
}
