// SPDX-License-Identifier: MPL-2.0

//! A running session: the sender of the core, and the thread that drives it.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::lct::{Toi, Tsi};
use flute_proto::sender::{
    Batch, ConfigError, Event, FecConfig, FinishPolicy, Object, ObjectError, Pacing, PacketOverhead, Poll, Removal,
    Sender, SenderConfig,
};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::clock::SessionClock;
use super::default_rate::{DefaultRate, needed_bitrate};
use super::held_manifests::{HeldManifest, HeldManifests};
use super::messages::{self, Reporter};
use super::output::Output;
use super::queue_limits::{QueueLimits, Queued};
use crate::debug::FLUTESINK as CAT;
use flute_net::SendConfig;

/// How long the last packets of a session may take whose element is stopped.
const CLOSING_TIME: Duration = Duration::from_secs(1);

/// A session that runs, shared by the element and its thread.
#[derive(Debug)]
pub(super) struct SenderSession {
    tsi: Tsi,
    clock: SessionClock,
    state: Mutex<State>,
    /// Something changed that the thread must know of.
    changed: Condvar,
    /// QueueLimits became shorter, or waiting for that makes no sense any more.
    space_freed: Condvar,
    is_stopping: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct State {
    sender: Sender,
    /// The rate of the user, if there is one.
    bitrate: Option<u64>,
    default_rate: DefaultRate,
    overhead: PacketOverhead,
    /// Repair symbols of objects without a number of their own.
    protection: Protection,
    is_playing: bool,
    /// What streaming threads get for a buffer.
    flow: Result<gst::FlowSuccess, gst::FlowError>,
    eos_seqnum: Option<gst::Seqnum>,
    queue_limits: QueueLimits,
    held_manifests: HeldManifests,
    /// Where packets are to go from now on.
    redirection: Option<SendConfig>,
    /// The session is to end when no manifest is held any more.
    finish: Option<FinishPolicy>,
    is_finishing: bool,
    /// EOS is to be told when every object has been sent, but the session goes on.
    eos_when_sent: Option<Option<gst::Seqnum>>,
    /// Elements that use the session.
    users: usize,
    /// When the session ends if no element uses it until then.
    unused_until: Option<Time>,
    /// The element that posts the messages of the session from now on.
    next_element: Option<super::FluteSink>,
}

/// What hands objects to a session: a pad, or the application.
pub(super) struct Producer<'a> {
    /// Its name, which is that of its queue.
    pub(super) queue: glib::GString,
    /// Bytes of its objects that wait to be sent, at most; 0 for as many as there are.
    pub(super) max_queued: u64,
    /// Whether it waits for that even while nothing is sent because the element is paused.
    pub(super) waits_in_pause: bool,
    /// Whether it must not wait any more.
    pub(super) is_flushing: &'a dyn Fn() -> bool,
}

/// Why an object was not taken.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The session ends, fails or is flushed.
    Flow(gst::FlowError),
    /// There is something about the object.
    Object(ObjectError),
}

impl SenderSession {
    /// Opens a session. Its thread sends nothing before [`run`](Self::run).
    ///
    /// `bitrate` is what the user sets, if anything.
    pub(super) fn new(config: SenderConfig, bitrate: Option<u64>) -> Result<Arc<Self>, ConfigError> {
        let clock = SessionClock::start();
        let (overhead, protection) = (config.pacing.overhead, config.fec.protection);
        Ok(Arc::new(Self {
            tsi: config.tsi,
            clock,
            state: Mutex::new(State {
                sender: Sender::new(config, clock.now())?,
                bitrate,
                default_rate: DefaultRate::default(),
                overhead,
                protection,
                is_playing: false,
                flow: Ok(gst::FlowSuccess::Ok),
                eos_seqnum: None,
                queue_limits: QueueLimits::default(),
                held_manifests: HeldManifests::default(),
                redirection: None,
                finish: None,
                is_finishing: false,
                eos_when_sent: None,
                users: 1,
                unused_until: None,
                next_element: None,
            }),
            changed: Condvar::new(),
            space_freed: Condvar::new(),
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

    /// Ends all waiting, of the streaming threads and of the thread of the session; the session is not to go on.
    pub(super) fn unblock(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        self.end(Err(gst::FlowError::Flushing));
        self.changed.notify_all();
    }

    /// Wakes the producers that wait, so that each looks at whether it still may.
    pub(super) fn wake_producers(&self) {
        drop(lock(&self.state));
        self.space_freed.notify_all();
    }

    /// Has an element use a session that runs already, and post its messages. `false` if the session is ending.
    pub(super) fn attach(&self, element: &super::FluteSink) -> bool {
        let mut state = lock(&self.state);
        if state.flow.is_err() || state.is_finishing {
            return false;
        }
        state.users += 1;
        state.unused_until = None;
        state.next_element = Some(element.clone());
        true
    }

    /// An element uses the session no more; the last one leaves it to itself for this time. `true` if it was the last.
    pub(super) fn detach(&self, linger: Duration) -> bool {
        let mut state = lock(&self.state);
        state.users = state.users.saturating_sub(1);
        if state.users > 0 {
            return false;
        }
        state.unused_until = Some(self.clock.now() + linger);
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Ends a session that has nothing to send any more, and waits a moment for its last packets to go out.
    pub(super) fn close(&self) {
        let state = lock(&self.state);
        if state.users > 1 || state.flow.is_err() || !state.is_sent() {
            return;
        }
        drop(state);
        self.finish(FinishPolicy::Stop, None);
        // Its last packets are sent even if it was paused on its way here.
        self.set_playing(true);
        let state = lock(&self.state);
        drop(self.space_freed.wait_timeout_while(state, CLOSING_TIME, |state| state.flow.is_ok()).unwrap());
    }

    /// Has EOS told when every object has been sent, while the session goes on.
    pub(super) fn tell_eos_when_sent(&self, seqnum: Option<gst::Seqnum>) {
        lock(&self.state).eos_when_sent = Some(seqnum);
        self.changed.notify_all();
    }

    /// PLAYING, or not.
    pub(super) fn set_playing(&self, is_playing: bool) {
        lock(&self.state).is_playing = is_playing;
        self.changed.notify_all();
        self.space_freed.notify_all();
    }

    /// Hands an object over, in place of one of the same name. Waits first until it fits into the queue of its producer. A
    /// manifest is held until what the producer handed over before it has been sent; until then it has no TOI.
    pub(super) fn add(&self, object: Object, producer: &Producer<'_>) -> Result<Option<Toi>, Refusal> {
        let bytes = object.source.len();
        let mut state = lock(&self.state);
        loop {
            state.flow.map_err(Refusal::Flow)?;
            if (producer.is_flushing)() {
                return Err(Refusal::Flow(gst::FlowError::Flushing));
            }
            let queued = state.queue_limits.bytes_of(&producer.queue);
            let fits = producer.max_queued == 0 || queued == 0 || queued.saturating_add(bytes) <= producer.max_queued;
            if fits || !(state.is_playing || producer.waits_in_pause) {
                break;
            }
            state = self.space_freed.wait(state).unwrap();
        }
        if state.is_finishing {
            return Err(Refusal::Object(ObjectError::Finished));
        }
        let waits_for = state.what_goes_before(&object, &producer.queue);
        if !waits_for.is_empty() {
            state.held_manifests.hold(object, producer.queue.clone(), waits_for);
            return Ok(None);
        }
        let toi = state.send(object, producer.queue.clone(), self.clock.now()).map_err(Refusal::Object)?;
        drop(state);
        self.changed.notify_all();
        Ok(Some(toi))
    }

    /// Sends an object no more. `false` if there is none of this name.
    pub(super) fn remove(&self, location: &str, when: Removal) -> bool {
        let mut state = lock(&self.state);
        let was_held = match when {
            Removal::Now => state.held_manifests.forget(location),
            Removal::AfterTransfer => state.held_manifests.end_after_transfer(location),
        };
        let toi = state.sender.toi_of(location);
        let is_removed = toi.is_some_and(|toi| state.sender.remove(toi, when, self.clock.now()));
        drop(state);
        self.changed.notify_all();
        was_held || is_removed
    }

    /// No more objects come.
    pub(super) fn finish(&self, policy: FinishPolicy, seqnum: Option<gst::Seqnum>) {
        let mut state = lock(&self.state);
        state.eos_seqnum = seqnum;
        state.finish(policy, self.clock.now());
        drop(state);
        self.changed.notify_all();
    }

    /// Sends to another destination from the next packets on.
    pub(super) fn redirect(&self, config: SendConfig) {
        lock(&self.state).redirection = Some(config);
        self.changed.notify_all();
    }

    /// Changes the priority of an object. `false` if there is none of this name.
    pub(super) fn set_priority(&self, location: &str, priority: u32) -> bool {
        let mut state = lock(&self.state);
        let is_held = state.held_manifests.set_priority(location, priority);
        let toi = state.sender.toi_of(location);
        let is_sent = toi.is_some_and(|toi| state.sender.set_priority(toi, priority, self.clock.now()));
        drop(state);
        self.changed.notify_all();
        is_held || is_sent
    }

    /// Changes the rate; without one of the user it is the default.
    pub(super) fn set_pacing(&self, bitrate: Option<u64>, overhead: PacketOverhead) {
        let mut state = lock(&self.state);
        (state.bitrate, state.overhead) = (bitrate, overhead);
        state.pace(self.clock.now());
        drop(state);
        self.changed.notify_all();
    }

    /// Changes the FEC of objects that come later and have none of their own.
    pub(super) fn set_fec(&self, fec: FecConfig) -> Result<(), ConfigError> {
        let mut state = lock(&self.state);
        let protection = fec.protection;
        state.sender.set_fec(fec)?;
        state.protection = protection;
        Ok(())
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
        messages::stats(self.tsi, &state.sender.stats(), state.sender.queued_bytes(), state.bitrate())
    }

    /// The loop of the sender, as its module says it.
    fn drive(&self, element: &super::FluteSink, mut output: Output, mtu: usize) {
        let mut element = element.clone();
        let mut reporter = Reporter::new(&element, self.tsi);
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
            if let Some(next_element) = state.next_element.take() {
                element = next_element;
                reporter.set_element(&element);
            }
            if let Some(config) = state.redirection.take() {
                drop(state);
                output.redirect(&element, &config);
                continue;
            }
            let now = self.clock.now();
            if state.unused_until.take_if(|until| *until <= now).is_some() {
                state.finish(FinishPolicy::FinishTransfers, now);
            }
            let poll = state.sender.poll(now, &mut batch);
            let (events, refused) = self.drain_events(&mut state);
            let is_playing = state.is_playing;
            let eos = if state.is_sent() { state.eos_when_sent.take() } else { None };
            let idle_until = match poll {
                _ if !events.is_empty() || eos.is_some() => Some(now),
                Poll::Wait(time) => Some(state.unused_until.map_or(time, |until| time.min(until))),
                Poll::Idle => state.unused_until,
                Poll::Packets | Poll::Done => Some(now),
            };
            match idle_until {
                None => {
                    drop(self.changed.wait(state).unwrap());
                    continue;
                }
                Some(time) if time > now => {
                    drop(self.changed.wait_timeout(state, time.since(now)).unwrap());
                    continue;
                }
                Some(_) => drop(state),
            }
            for event in events {
                reporter.report(event);
            }
            for (location, error) in refused {
                reporter.report_refused(&location, &error);
            }
            match poll {
                Poll::Packets => {
                    self.wait_until(batch.due());
                    let pts = self.running_time(&element, is_playing, batch.due());
                    if let Err(error) = output.send(&element, &mut batch, pts, || self.is_stopping()) {
                        self.fail(&element, error);
                        break;
                    }
                }
                Poll::Done => {
                    reporter.report_session("flute-session-closed", self.stats());
                    self.end(Err(gst::FlowError::Eos));
                    let seqnum = lock(&self.state).eos_seqnum;
                    output.end(&element, seqnum);
                    break;
                }
                Poll::Wait(_) | Poll::Idle => (),
            }
            if let Some(seqnum) = eos {
                output.end(&element, seqnum);
            }
        }
    }

    /// Has the thread look whether there is something to send.
    pub(super) fn wake(&self) {
        // Not between its last look and its waiting.
        drop(lock(&self.state));
        self.changed.notify_all();
    }

    /// What happened, and the manifests that were held and are not taken.
    fn drain_events(&self, state: &mut State) -> (Vec<Event>, Vec<(String, ObjectError)>) {
        let mut events = Vec::new();
        let mut refused = Vec::new();
        let mut is_space_freed = false;
        while let Some(event) = state.sender.poll_event() {
            if let Event::Withdrawn { toi, .. } | Event::Failed { toi, .. } = &event
                && state.default_rate.remove(*toi)
            {
                state.pace(self.clock.now());
            }
            if let Event::TransferEnded { toi, .. } | Event::Withdrawn { toi, .. } | Event::Failed { toi, .. } = &event
                && state.queue_limits.remove(*toi)
            {
                is_space_freed = true;
                refused.extend(state.release(*toi, self.clock.now()));
            }
            events.push(event);
        }
        if is_space_freed {
            self.space_freed.notify_all();
        }
        (events, refused)
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
        gst::debug!(CAT, obj = element, "downstream says {error}");
        self.end(Err(error));
        // An element that answers Error has posted one; at EOS and while flushing there is none.
        let reason = match error {
            gst::FlowError::NotLinked => {
                "the src pad is not linked: link it, for example to udpsink, or do not request it"
            }
            gst::FlowError::NotNegotiated => "what is linked to the src pad does not take application/x-flute",
            _ => return,
        };
        gst::element_error!(element, gst::StreamError::Failed, ("{reason}"), ["streaming stopped, reason {error}"]);
    }

    fn end(&self, flow: Result<gst::FlowSuccess, gst::FlowError>) {
        lock(&self.state).flow = flow;
        self.space_freed.notify_all();
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }
}

impl State {
    /// Tells the sender at which rate to send.
    fn pace(&mut self, now: Time) {
        self.sender.set_pacing(Pacing::default().bitrate(self.bitrate()).overhead(self.overhead), now);
    }

    /// Bits per second on the wire.
    fn bitrate(&self) -> u64 {
        self.bitrate.unwrap_or_else(|| self.default_rate.bitrate())
    }

    fn send(&mut self, object: Object, queue: glib::GString, now: Time) -> Result<Toi, ObjectError> {
        let queued = Queued {
            queue,
            bytes: object.source.len(),
            priority: object.priority,
            is_scheduled: object.start.is_some_and(|start| start > now),
        };
        let needed = needed_bitrate(&object, self.protection, now);
        let toi = self.sender.replace(object, now)?;
        self.queue_limits.add(toi, queued);
        if let Some(bitrate) = needed {
            self.default_rate.add(toi, bitrate);
            self.pace(now);
        }
        Ok(toi)
    }

    /// What has to be sent before this object can be: objects of the same queue, if it is a manifest, which may name them.
    fn what_goes_before(&self, object: &Object, queue: &str) -> HashSet<Toi> {
        if !flute_media::is_manifest(object.content_type.as_deref(), &object.location) {
            return HashSet::new();
        }
        let mut before = self.queue_limits.before(queue, object.priority);
        // An older version of itself is replaced.
        if let Some(toi) = self.sender.toi_of(&object.location) {
            before.remove(&toi);
        }
        before
    }

    /// Sends the manifests that have waited for this object alone. Gives those that are not taken.
    fn release(&mut self, settled: Toi, now: Time) -> Vec<(String, ObjectError)> {
        let mut refused = Vec::new();
        for HeldManifest { object, queue, .. } in self.held_manifests.settle(settled) {
            let location = object.location.clone();
            refused.extend(self.send(object, queue, now).err().map(|error| (location, error)));
        }
        self.finish_if_none_is_held(now);
        refused
    }

    fn finish(&mut self, policy: FinishPolicy, now: Time) {
        if policy == FinishPolicy::Stop {
            self.held_manifests.clear();
        }
        self.is_finishing = true;
        self.finish = Some(policy);
        self.finish_if_none_is_held(now);
    }

    /// Whether every object has had its first transfer.
    fn is_sent(&self) -> bool {
        self.queue_limits.is_empty() && self.held_manifests.is_empty()
    }

    fn finish_if_none_is_held(&mut self, now: Time) {
        if self.held_manifests.is_empty()
            && let Some(policy) = self.finish.take()
        {
            self.sender.finish(policy, now);
        }
    }
}

/// The state even of a session whose thread panicked: what ends it must not panic too.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
