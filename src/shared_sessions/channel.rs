// SPDX-License-Identifier: MPL-2.0

//! One channel: what receives, what it has brought, and its end.

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flute_http::{ObjectStore, PrivateServer, StoredObject};
use flute_net::Waker;
use flute_proto::receiver::{Content, Event, ObjectInfo};

use super::{Options, SharedSessions};
use crate::debug::FLUTESESSIONS as CAT;
use flute_net::reception::{Listener, SharedReceiver};

/// How long a user waits for an object of which nothing comes, unless it says otherwise.
const DEFAULT_OBJECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Who uses a channel.
#[derive(Debug)]
struct Usage {
    users: usize,
    last_used: Instant,
    /// How long the channel stays after its last user.
    linger: Duration,
}

/// A socket, its sessions, and what they brought.
#[derive(Debug)]
pub(super) struct Channel {
    options: Options,
    session: Arc<SharedReceiver>,
    waker: Waker,
    object_timeout: Duration,
    objects: Arc<ObjectStore>,
    usage: Mutex<Usage>,
    /// For players that fetch over HTTP, from the first time that one asks.
    server: Mutex<Option<PrivateServer>>,
}

impl Channel {
    pub(super) fn new(
        options: Options,
        session: Arc<SharedReceiver>,
        waker: Waker,
        objects: Arc<ObjectStore>,
        object_timeout: Option<Duration>,
    ) -> Self {
        Self {
            options,
            session,
            waker,
            object_timeout: object_timeout.unwrap_or(DEFAULT_OBJECT_TIMEOUT),
            objects,
            usage: Mutex::new(Usage { users: 0, last_used: Instant::now(), linger: Duration::ZERO }),
            server: Mutex::default(),
        }
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    pub(super) fn session(&self) -> &Arc<SharedReceiver> {
        &self.session
    }

    pub(super) fn object_timeout(&self) -> Duration {
        self.object_timeout
    }

    /// What it has brought.
    pub(super) fn objects(&self) -> &ObjectStore {
        &self.objects
    }

    pub(super) fn last_used(&self) -> Instant {
        self.usage.lock().unwrap().last_used
    }

    pub(super) fn is_used(&self) -> bool {
        self.usage.lock().unwrap().users > 0
    }

    /// A user begins to use it.
    pub(super) fn enter(&self) {
        let mut usage = self.usage.lock().unwrap();
        usage.users += 1;
        usage.last_used = Instant::now();
    }

    /// A user leaves. If it was the last one, the channel ends after `linger`.
    pub(super) fn leave(&self, linger: Duration) {
        let mut usage = self.usage.lock().unwrap();
        usage.users -= 1;
        usage.last_used = Instant::now();
        usage.linger = linger;
        drop(usage);
        self.waker.nudge();
    }

    /// Makes it end.
    pub(super) fn end(&self, error: Option<String>) {
        self.objects.end(error);
        self.waker.nudge();
        let server = self.server.lock().unwrap().take();
        drop(server);
    }

    /// Where an object is found over HTTP, on this machine.
    pub(super) fn http_url(&self, path: &str) -> io::Result<String> {
        let mut server = self.server.lock().unwrap();
        let server = match &mut *server {
            Some(server) => server,
            none => none.insert(PrivateServer::start(self.objects.clone(), self.object_timeout)?),
        };
        Ok(server.url(path))
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.address.fmt(f)
    }
}

/// What the thread of a channel does with what it hears.
#[derive(Debug)]
pub(super) struct ChannelListener {
    channel: Arc<Channel>,
    sessions: Arc<SharedSessions>,
}

impl ChannelListener {
    pub(super) fn new(channel: Arc<Channel>, sessions: Arc<SharedSessions>) -> Self {
        Self { channel, sessions }
    }

    fn put(&self, info: Arc<ObjectInfo>, content: Content) {
        gst::info!(CAT, "{}: received {}, {} bytes", self.channel, info.location(), info.transfer_length);
        if let Content::Delivered = content {
            // It arrived in the store.
            return;
        }
        self.forget(self.channel.objects.insert_received(info, content));
    }

    /// Objects that had to make room are to be received again.
    fn forget(&self, removed: Vec<Arc<StoredObject>>) {
        if !removed.is_empty() {
            self.channel.session.with_receiver(|receiver| {
                for object in removed {
                    gst::info!(CAT, "{}: {} is dropped to make room", self.channel, object.info().location());
                    receiver.receive_again(&object.info().session, object.info().toi());
                }
            });
        }
    }
}

impl Listener for ChannelListener {
    fn handle_event(&mut self, event: Event) {
        let channel = &self.channel;
        match event {
            Event::Completed { object, content } => self.put(object, content),
            Event::ObjectStarted(object) | Event::Progress { object, .. } => {
                channel.objects.note_progress(object.location());
            }
            Event::SessionOpened(session) => gst::info!(CAT, "{channel}: session opened: {session:?}"),
            Event::Fdt { session, instance_id, files, complete, .. } => {
                gst::info!(CAT, "{channel}: TSI {}: FDT Instance {instance_id} of {files} files", session.tsi);
                if complete {
                    channel.objects.set_undecided();
                }
            }
            Event::Failed { object, reason, .. } => {
                gst::info!(CAT, "{channel}: lost {}: {reason}", object.location());
                channel.objects.set_undecided();
            }
            Event::SessionClosed { session, by_sender, .. } => {
                gst::info!(CAT, "{channel}: session closed: {session:?}, by its sender: {by_sender}");
                channel.objects.set_undecided();
            }
            Event::LimitReached { session, limit } => {
                gst::warning!(CAT, "{channel}: TSI {}: {limit:?} is at its limit, something was dropped", session.tsi);
            }
            event => gst::debug!(CAT, "{channel}: not handled: {event:?}"),
        }
    }

    fn handle_dropped(&mut self, datagrams: u32) {
        gst::warning!(CAT, "{}: the kernel has dropped {datagrams} datagrams by now", self.channel);
    }

    fn after_read(&mut self, _datagrams: usize) -> ControlFlow<(), Option<Duration>> {
        self.forget(self.channel.objects.take_evicted());
        // Only this thread can decide: what the receiver has completed is in the store by now.
        self.channel
            .objects
            .decide(|is_meant| self.channel.session.with_receiver(|receiver| receiver.may_bring(is_meant)));
        if self.channel.objects.has_ended() {
            return ControlFlow::Break(());
        }
        let left = {
            let usage = self.channel.usage.lock().unwrap();
            if usage.users > 0 {
                return ControlFlow::Continue(None);
            }
            usage.linger.saturating_sub(usage.last_used.elapsed())
        };
        if left.is_zero() && self.sessions.remove(&self.channel, true) {
            gst::info!(CAT, "{}: ends, it has no users", self.channel);
            self.channel.end(None);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(Some(left))
    }

    fn handle_failure(&mut self, error: io::Error) {
        gst::error!(CAT, "{}: receiving failed: {error}", self.channel);
        self.sessions.remove(&self.channel, false);
        self.channel.end(Some(error.to_string()));
    }
}
