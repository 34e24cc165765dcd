// SPDX-License-Identifier: MPL-2.0

//! A running session: the sender of the core, and the thread that drives it.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flute_proto::Time;
use flute_proto::lct::{Toi, Tsi};
use flute_proto::sender::{
    Batch, ConfigError, FinishPolicy, Object, ObjectError, Poll, Sender, SenderConfig, SenderEvent,
};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::CAT;
use super::clock::SessionClock;
use super::messages::{self, Reporter};
use super::output::Output;

/// A session that runs, shared by the element and its thread.
#[derive(Debug)]
pub(super) struct Session {
    tsi: Tsi,
    clock: SessionClock,
    state: Mutex<State>,
    /// Something changed that the thread must know of.
    changed: Condvar,
    /// Queues became shorter, or waiting for that makes no sense any more.
    room: Condvar,
    is_stopping: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct State {
    sender: Sender,
    is_playing: bool,
    /// What streaming threads get when they bring a buffer.
    flow: Result<gst::FlowSuccess, gst::FlowError>,
    eos_seqnum: Option<gst::Seqnum>,
    queues: Queues,
}

/// Bytes that wait for their first transfer, by the pad that brought them: so that a long film on one pad does not keep
/// another from bringing news.
#[derive(Debug, Default)]
struct Queues {
    objects: HashMap<Toi, (glib::GString, u64)>,
    pads: HashMap<glib::GString, u64>,
}

impl Queues {
    fn add(&mut self, toi: Toi, pad: glib::GString, bytes: u64) {
        *self.pads.entry(pad.clone()).or_default() += bytes;
        self.objects.insert(toi, (pad, bytes));
    }

    /// Whether there was such an object.
    fn remove(&mut self, toi: Toi) -> bool {
        let Some((pad, bytes)) = self.objects.remove(&toi) else { return false };
        if let Some(queued) = self.pads.get_mut(&pad) {
            *queued -= bytes;
            if *queued == 0 {
                self.pads.remove(&pad);
            }
        }
        true
    }

    fn bytes_of(&self, pad: &str) -> u64 {
        self.pads.get(pad).copied().unwrap_or(0)
    }
}

/// Why an object was not taken.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The session ends, fails or is flushed.
    Flow(gst::FlowError),
    /// There is something about the object.
    Object(ObjectError),
}

impl Session {
    /// Opens a session. Its thread sends nothing before [`run`](Self::run).
    pub(super) fn new(config: SenderConfig) -> Result<Arc<Self>, ConfigError> {
        let clock = SessionClock::start();
        Ok(Arc::new(Self {
            tsi: config.tsi,
            clock,
            state: Mutex::new(State {
                sender: Sender::new(config, clock.now())?,
                is_playing: false,
                flow: Ok(gst::FlowSuccess::Ok),
                eos_seqnum: None,
                queues: Queues::default(),
            }),
            changed: Condvar::new(),
            room: Condvar::new(),
            is_stopping: AtomicBool::new(false),
            thread: Mutex::new(None),
        }))
    }

    /// Starts the thread.
    pub(super) fn run(self: &Arc<Self>, element: &super::FluteSink, output: Output, mtu: usize) -> io::Result<()> {
        let (session, element) = (self.clone(), element.clone());
        let thread = thread::Builder::new().name(element.name().to_string()).spawn(move || {
            let imp = element.imp();
            let panicked = || session.end(Err(gst::FlowError::Error));
            imp.catch_panic(panicked, |_| session.drive(&element, output, mtu));
        })?;
        *self.thread.lock().unwrap() = Some(thread);
        Ok(())
    }

    /// Ends the thread and waits for it. Everything that the session still had to send is dropped.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        self.end(Err(gst::FlowError::Flushing));
        self.changed.notify_all();
        if let Some(thread) = self.thread.lock().unwrap().take() {
            // A panic of the thread was posted as an error when it happened.
            let _ = thread.join();
        }
    }

    /// Lets nobody wait any more; stopping comes first.
    pub(super) fn unblock(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        self.end(Err(gst::FlowError::Flushing));
        self.changed.notify_all();
    }

    /// Wakes streaming threads, so that they look at whether their pad is being flushed.
    pub(super) fn wake_pads(&self) {
        drop(lock(&self.state));
        self.room.notify_all();
    }

    /// PLAYING, or not.
    pub(super) fn set_playing(&self, is_playing: bool) {
        lock(&self.state).is_playing = is_playing;
        self.changed.notify_all();
    }

    /// Hands an object over, in place of one of the same name. Waits first until no more than `max_queued` bytes of the
    /// same pad wait to be sent, 0 for as many as there are.
    pub(super) fn add(
        &self,
        object: Object,
        pad: &gst::Pad,
        max_queued: u64,
        is_flushing: &AtomicBool,
    ) -> Result<Toi, Refusal> {
        let name = pad.name();
        let bytes = object.source.len();
        let mut state = lock(&self.state);
        loop {
            state.flow.map_err(Refusal::Flow)?;
            if is_flushing.load(Ordering::SeqCst) {
                return Err(Refusal::Flow(gst::FlowError::Flushing));
            }
            let queued = state.queues.bytes_of(&name);
            if max_queued == 0 || queued == 0 || queued.saturating_add(bytes) <= max_queued {
                break;
            }
            state = self.room.wait(state).unwrap();
        }
        let toi = state.sender.replace(object, self.clock.now()).map_err(Refusal::Object)?;
        state.queues.add(toi, name, bytes);
        drop(state);
        self.changed.notify_all();
        Ok(toi)
    }

    /// No more objects come.
    pub(super) fn finish(&self, policy: FinishPolicy, seqnum: Option<gst::Seqnum>) {
        let mut state = lock(&self.state);
        state.eos_seqnum = seqnum;
        state.sender.finish(policy, self.clock.now());
        drop(state);
        self.changed.notify_all();
    }

    /// Changes something about the sender.
    pub(super) fn with_sender<T>(&self, change: impl FnOnce(&mut Sender, Time) -> T) -> T {
        let result = change(&mut lock(&self.state).sender, self.clock.now());
        self.changed.notify_all();
        result
    }

    /// What streaming threads get.
    pub(super) fn flow(&self) -> Result<gst::FlowSuccess, gst::FlowError> {
        lock(&self.state).flow
    }

    /// Counters.
    pub(super) fn stats(&self) -> gst::Structure {
        let state = lock(&self.state);
        messages::stats(self.tsi, &state.sender.stats(), state.sender.queued_bytes())
    }

    /// The loop of the sender, as its module says it.
    fn drive(&self, element: &super::FluteSink, mut output: Output, mtu: usize) {
        let mut reporter = Reporter::new(element, self.tsi);
        reporter.report_session("flute-session-opened", self.stats());
        let mut batch = Batch::new(output.max_packets(mtu));
        loop {
            let mut state = lock(&self.state);
            if output.waits_for_playing() {
                state = self.changed.wait_while(state, |state| !state.is_playing && !self.is_stopping()).unwrap();
            }
            if self.is_stopping() {
                break;
            }
            let now = self.clock.now();
            let poll = state.sender.poll(now, &mut batch);
            let events = self.drain_events(&mut state);
            let is_playing = state.is_playing;
            match poll {
                Poll::Wait(time) if events.is_empty() => {
                    drop(self.changed.wait_timeout(state, time.since(now)).unwrap());
                    continue;
                }
                Poll::Idle if events.is_empty() => {
                    drop(self.changed.wait(state).unwrap());
                    continue;
                }
                _ => drop(state),
            }
            for event in events {
                reporter.report(event);
            }
            match poll {
                Poll::Packets => {
                    self.wait_until(batch.due());
                    let pts = self.running_time(element, is_playing, batch.due());
                    if let Err(error) = output.send(element, &mut batch, pts, || self.is_stopping()) {
                        self.fail(element, error);
                        break;
                    }
                }
                Poll::Done => {
                    reporter.report_session("flute-session-closed", self.stats());
                    self.end(Err(gst::FlowError::Eos));
                    let seqnum = lock(&self.state).eos_seqnum;
                    output.end(element, seqnum);
                    break;
                }
                Poll::Wait(_) | Poll::Idle => (),
            }
        }
    }

    /// Has the thread look whether there is something to send.
    pub(super) fn wake(&self) {
        // Not between its last look and its waiting.
        drop(lock(&self.state));
        self.changed.notify_all();
    }

    fn drain_events(&self, state: &mut State) -> Vec<SenderEvent> {
        let mut events = Vec::new();
        let mut has_room = false;
        while let Some(event) = state.sender.poll_event() {
            has_room |= match &event {
                SenderEvent::TransferEnded { toi, .. }
                | SenderEvent::Withdrawn { toi, .. }
                | SenderEvent::Failed { toi, .. } => state.queues.remove(*toi),
                _ => false,
            };
            events.push(event);
        }
        if has_room {
            self.room.notify_all();
        }
        events
    }

    fn wait_until(&self, due: Time) {
        let mut state = lock(&self.state);
        while !self.is_stopping() {
            let left = due.since(self.clock.now());
            if left.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// The running time at which something is due. It stands still while the element is paused.
    fn running_time(&self, element: &super::FluteSink, is_playing: bool, due: Time) -> gst::ClockTime {
        let running = if is_playing { element.current_running_time() } else { element.start_time() };
        let now = self.clock.now();
        let nanoseconds = |duration: Duration| gst::ClockTime::try_from(duration).unwrap_or(gst::ClockTime::ZERO);
        running
            .unwrap_or(gst::ClockTime::ZERO)
            .saturating_add(nanoseconds(due.since(now)))
            .saturating_sub(nanoseconds(now.since(due)))
    }

    fn fail(&self, element: &super::FluteSink, error: gst::FlowError) {
        gst::debug!(CAT, obj = element, "Downstream says {error}");
        self.end(Err(error));
        // Whoever says Error has posted one; at EOS and while flushing there is none.
        if matches!(error, gst::FlowError::NotLinked | gst::FlowError::NotNegotiated) {
            gst::element_error!(
                element,
                gst::StreamError::Failed,
                ("Packets go nowhere: {error}"),
                ["streaming stopped, reason {error}"]
            );
        }
    }

    fn end(&self, flow: Result<gst::FlowSuccess, gst::FlowError>) {
        lock(&self.state).flow = flow;
        self.room.notify_all();
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }
}

/// The state even of a session whose thread panicked: what ends it must not panic too.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
