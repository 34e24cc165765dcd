// SPDX-License-Identifier: MPL-2.0

//! A capture whose packets come as they were captured.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use flute_net::reception::{Listener, SharedReceiver};
use flute_proto::Time;
use flute_proto::receiver::{Endpoints, Event};

use super::service::ServiceListener;
use crate::capture::{self, Datagram};

/// Datagrams that are taken at once if there is no time between them.
const BATCH: usize = 64;

/// A thread that feeds a receiver with a capture, until its end or until this is dropped.
#[derive(Debug)]
pub(super) struct Replay {
    nudge: SyncSender<()>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Replay {
    /// Starts the thread. `is_paced` has packets come at the times of the capture, and else as fast as can be.
    pub(super) fn start(
        path: PathBuf,
        is_paced: bool,
        receiver: Arc<SharedReceiver>,
        listener: ServiceListener,
    ) -> io::Result<Self> {
        let (nudge, nudges) = mpsc::sync_channel(1);
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("flute-replay".to_owned()).spawn({
            let is_over = is_over.clone();
            move || {
                let mut player = Player { receiver, listener, nudges, is_over, is_paced, started: None, fed: 0 };
                match capture::read(&path, |datagram| player.take(datagram)) {
                    Ok(_) => player.end(),
                    Err(error) => {
                        player.listener.handle_failure(io::Error::other(format!("{}: {error:#}", path.display())));
                    }
                }
            }
        })?;
        Ok(Self { nudge, is_over, thread: Some(thread) })
    }

    /// What has the thread look after its listener.
    pub(super) fn nudge(&self) -> impl Fn() + Send + Sync + 'static {
        let nudge = self.nudge.clone();
        move || {
            // One is enough.
            let _ = nudge.try_send(());
        }
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.nudge.try_send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Player {
    receiver: Arc<SharedReceiver>,
    listener: ServiceListener,
    nudges: Receiver<()>,
    is_over: Arc<AtomicBool>,
    is_paced: bool,
    /// When the first datagram was taken, and its time.
    started: Option<(Instant, Time)>,
    /// Datagrams since the listener was looked after.
    fed: usize,
}

impl Player {
    fn take(&mut self, datagram: Datagram<'_>) -> ControlFlow<()> {
        let now = Instant::now();
        let (started, first) = *self.started.get_or_insert((now, datagram.time));
        let due = started + datagram.time.since(first.min(datagram.time));
        if self.is_paced && due > now {
            self.look_after(due)?;
        }
        let endpoints = Endpoints { source: Some(datagram.source), destination: Some(datagram.destination) };
        let mut events = Vec::new();
        self.receiver.feed(Some(datagram.time), &mut events, |core, now| core.push(endpoints, datagram.payload, now));
        self.tell(events);
        self.fed += 1;
        if self.fed >= BATCH { self.look_after(now) } else { ControlFlow::Continue(()) }
    }

    /// Nothing more comes.
    fn end(&mut self) {
        let mut events = Vec::new();
        self.receiver.finish(&mut events);
        self.tell(events);
        self.listener.end();
    }

    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            self.listener.handle_event(event);
        }
    }

    /// Looks after the listener until a time. Breaks if it is enough.
    fn look_after(&mut self, until: Instant) -> ControlFlow<()> {
        self.fed = 0;
        loop {
            let ControlFlow::Continue(within) = self.listener.after_read(1) else { return ControlFlow::Break(()) };
            let left = until.saturating_duration_since(Instant::now());
            let has_waited = self.nudges.recv_timeout(within.map_or(left, |within| within.min(left)));
            if self.is_over.load(Ordering::Relaxed) || has_waited == Err(RecvTimeoutError::Disconnected) {
                return ControlFlow::Break(());
            }
            if Instant::now() >= until {
                return ControlFlow::Continue(());
            }
        }
    }
}
