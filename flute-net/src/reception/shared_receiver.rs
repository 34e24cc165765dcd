// SPDX-License-Identifier: MPL-2.0

//! A receiver with a clock: what a thread of the network, or a chain function, feeds, and where others read the
//! statistics.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use flute_proto::Time;
use flute_proto::receiver::{Event, Receiver, ReceiverConfig, ReceiverStats};

use super::rates::{RateWindow, Rates};
use crate::clock::Clock;

/// The shortest wait for a deadline that is still to come: no timer is more exact than that. One that is due, such as
/// work that the receiver does in slices, is not waited for at all.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// The time of the protocol: the steady clock, or what the timestamps of a capture say.
#[derive(Debug)]
struct SessionClock {
    steady: Clock,
    /// The latest time that was given out.
    latest: Time,
    /// Time is what the timestamps of the packets say: a capture is replayed.
    replayed: bool,
}

impl SessionClock {
    fn new() -> Self {
        Self { steady: Clock::start(), latest: Time::default(), replayed: false }
    }

    fn now(&mut self) -> Time {
        if !self.replayed {
            self.latest = self.latest.max(self.steady.now());
        }
        self.latest
    }

    fn replay(&mut self, time: Time) {
        if !self.replayed {
            self.replayed = true;
            self.latest = time;
        }
        self.latest = self.latest.max(time);
    }
}

#[derive(Debug)]
struct Inner {
    receiver: Receiver,
    clock: SessionClock,
    rates: RateWindow,
    /// Datagrams that the kernel has dropped.
    kernel_dropped: u32,
    /// When another user of the same clock has something to do.
    other_deadline: Option<Time>,
    /// Until when a thread waits for a deadline.
    waiting_until: Option<Time>,
    interrupted: bool,
}

/// What a receiver has done, and what it does at present.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Counters since the start.
    pub receiver: ReceiverStats,
    /// What each of its [sessions](ReceiverStats::sessions) does, in the same order.
    pub rates: Vec<Rates>,
    /// Datagrams that the kernel has dropped since the buffer of the socket was full, as far as it tells.
    pub kernel_dropped: u32,
}

/// A receiver that several threads may use.
#[derive(Debug)]
pub struct SharedReceiver {
    inner: Mutex<Inner>,
    /// There is an earlier deadline, or the wait is over.
    sooner: Condvar,
}

impl SharedReceiver {
    /// One that delivers objects as [`Receiver::new`] says.
    pub fn new(config: ReceiverConfig) -> Self {
        Self::of(Receiver::new(config))
    }

    /// One around a receiver with settings of its own.
    pub fn of(receiver: Receiver) -> Self {
        let clock = SessionClock::new();
        let inner = Inner {
            receiver,
            clock,
            rates: RateWindow::default(),
            kernel_dropped: 0,
            other_deadline: None,
            waiting_until: None,
            interrupted: false,
        };
        Self { inner: Mutex::new(inner), sooner: Condvar::new() }
    }

    /// Does what is due, lets `feed` push datagrams at the time that it is told, and collects what happened. A `capture`
    /// time, if there is one, is when the datagrams were captured, and becomes the time of the session.
    pub fn feed<R>(
        &self,
        capture: Option<Time>,
        events: &mut Vec<Event>,
        feed: impl FnOnce(&mut Receiver, Time) -> R,
    ) -> R {
        let mut inner = self.inner.lock().unwrap();
        let Inner { receiver, clock, rates, waiting_until, .. } = &mut *inner;
        if let Some(capture) = capture {
            clock.replay(capture);
        }
        let now = clock.now();
        if receiver.next_deadline().is_some_and(|deadline| deadline <= now) {
            receiver.handle_timeout(now);
        }
        if rates.is_due(now) {
            rates.note(receiver.stats(), now);
        }
        let fed = feed(receiver, now);
        events.extend(std::iter::from_fn(|| receiver.poll_event()));
        if waiting_until.is_some_and(|until| receiver.next_deadline().is_some_and(|deadline| deadline < until)) {
            self.sooner.notify_all();
        }
        fed
    }

    /// No more datagrams will come.
    pub fn finish(&self, events: &mut Vec<Event>) {
        self.feed(None, events, |receiver, now| receiver.finish(now));
    }

    /// How long until there is something to do without a datagram; zero if there is already.
    pub fn next_wait(&self) -> Option<Duration> {
        let mut inner = self.inner.lock().unwrap();
        let deadline = inner.receiver.next_deadline()?;
        let now = inner.clock.now();
        Some(if deadline <= now { Duration::ZERO } else { deadline.since(now).max(SHORTEST_WAIT) })
    }

    /// The time of the protocol.
    pub fn now(&self) -> Time {
        self.inner.lock().unwrap().clock.now()
    }

    /// Until when [`wait_for_deadline`](Self::wait_for_deadline) waits at most, whatever the receiver has to do.
    pub fn set_other_deadline(&self, deadline: Option<Time>) {
        let mut inner = self.inner.lock().unwrap();
        inner.other_deadline = deadline;
        if inner.waiting_until.is_some_and(|until| deadline.is_some_and(|deadline| deadline < until)) {
            self.sooner.notify_all();
        }
    }

    /// Waits until something is due without a datagram; then [`feed`](Self::feed) does it. `false` if the wait was
    /// interrupted.
    pub fn wait_for_deadline(&self) -> bool {
        let mut inner = self.inner.lock().unwrap();
        while !inner.interrupted {
            let now = inner.clock.now();
            let deadlines = inner.receiver.next_deadline().into_iter().chain(inner.other_deadline);
            let deadline = deadlines.min().unwrap_or(Time::MAX);
            if deadline <= now {
                inner.waiting_until = None;
                return true;
            }
            inner.waiting_until = Some(deadline);
            let wait = deadline.since(now).max(SHORTEST_WAIT);
            inner = self.sooner.wait_timeout(inner, wait).unwrap().0;
        }
        false
    }

    /// Ends [`wait_for_deadline`](Self::wait_for_deadline), for good.
    pub fn interrupt(&self) {
        self.inner.lock().unwrap().interrupted = true;
        self.sooner.notify_all();
    }

    /// Asks the receiver something, or asks something of it for later.
    pub fn with_receiver<R>(&self, ask: impl FnOnce(&mut Receiver) -> R) -> R {
        ask(&mut self.inner.lock().unwrap().receiver)
    }

    /// The kernel has dropped so many datagrams by now.
    pub(super) fn note_kernel_dropped(&self, datagrams: u32) {
        self.inner.lock().unwrap().kernel_dropped = datagrams;
    }

    /// Counters since the start, and what the sessions do at present.
    pub fn stats(&self) -> Statistics {
        let mut inner = self.inner.lock().unwrap();
        let now = inner.clock.now();
        let receiver = inner.receiver.stats();
        let rates = receiver.sessions.iter().map(|(id, stats)| inner.rates.rates(id, stats, now)).collect();
        Statistics { receiver, rates, kernel_dropped: inner.kernel_dropped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_goes_back() {
        let mut clock = SessionClock::new();
        let first = clock.now();
        assert!(clock.now() >= first);
        let captured = Time::from_unix(Duration::from_secs(1_500_000_000));
        clock.replay(captured);
        assert_eq!(clock.now(), captured);
        clock.replay(captured - Duration::from_secs(1));
        assert_eq!(clock.now(), captured);
        clock.replay(captured + Duration::from_secs(1));
        assert_eq!(clock.now(), captured + Duration::from_secs(1));
    }

    #[test]
    fn waits_end_when_interrupted() {
        let session = std::sync::Arc::new(SharedReceiver::new(ReceiverConfig::default()));
        let waiting = {
            let session = session.clone();
            std::thread::spawn(move || session.wait_for_deadline())
        };
        session.interrupt();
        assert!(!waiting.join().unwrap());
    }
}
