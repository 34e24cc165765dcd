// SPDX-License-Identifier: MPL-2.0

//! Waiting for a file descriptor to become readable, which another thread can end.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

const READABLE: Token = Token(0);
const WOKEN: Token = Token(1);

/// Waits until one file descriptor is readable.
///
/// It tells that something has come, not that something is there: read until there is nothing (`WouldBlock`) before each
/// wait.
#[derive(Debug)]
pub struct Readiness {
    poll: Poll,
    events: Events,
    waker: Waker,
}

impl Readiness {
    /// Of a descriptor that is not blocking and stays open for longer than this.
    pub fn new(source: impl AsFd) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut SourceFd(&source.as_fd().as_raw_fd()), READABLE, Interest::READABLE)?;
        let waker = Waker {
            shared: Arc::new(Shared {
                waker: mio::Waker::new(poll.registry(), WOKEN)?,
                is_awake: AtomicBool::new(false),
            }),
        };
        Ok(Self { poll, events: Events::with_capacity(2), waker })
    }

    /// What ends the waits.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Waits until something may have come, or the time is up, or the waker is used.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if self.waker.is_awake() {
            return Ok(());
        }
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }
}

#[derive(Debug)]
struct Shared {
    waker: mio::Waker,
    is_awake: AtomicBool,
}

/// Ends the waits of a [`Readiness`] from another thread. Clones end the same waits.
#[derive(Clone, Debug)]
pub struct Waker {
    shared: Arc<Shared>,
}

impl Waker {
    /// From now on waits return at once.
    pub fn wake(&self) {
        self.shared.is_awake.store(true, Ordering::Release);
        self.nudge();
    }

    /// The present wait returns at once, or the next.
    pub fn nudge(&self) {
        // It fails only where the descriptor of the waker is not valid, which it is as long as this exists.
        let _ = self.shared.waker.wake();
    }

    /// From now on waits last again.
    pub fn reset(&self) {
        self.shared.is_awake.store(false, Ordering::Release);
    }

    /// Whether all waits return at once.
    pub fn is_awake(&self) -> bool {
        self.shared.is_awake.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn waits_end() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut readiness = Readiness::new(&reader).unwrap();
        let waker = readiness.waker();
        let waiting = std::thread::spawn(move || readiness.wait(None).map(|()| readiness));
        waker.wake();
        let mut readiness = waiting.join().unwrap().unwrap();
        assert!(waker.is_awake());
        readiness.wait(None).unwrap();
        waker.reset();
        assert!(!waker.is_awake());
        waker.nudge();
        readiness.wait(None).unwrap();
        writer.write_all(b"!").unwrap();
        readiness.wait(None).unwrap();
        readiness.wait(Some(Duration::from_millis(1))).unwrap();
    }

    #[test]
    fn what_came_before_the_wait_counts() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"!").unwrap();
        let mut readiness = Readiness::new(&reader).unwrap();
        readiness.wait(None).unwrap();
    }
}
