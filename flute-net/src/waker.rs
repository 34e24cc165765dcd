// SPDX-License-Identifier: MPL-2.0

//! Waiting for a file descriptor that another thread can end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Ends waits from another thread. Clones end the same waits.
#[derive(Clone, Debug)]
pub struct Waker {
    shared: Arc<(OwnedFd, AtomicBool)>,
}

impl Waker {
    /// A waker that has not been used.
    pub fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { shared: Arc::new((fd, AtomicBool::new(false))) })
    }

    /// From now on waits return at once.
    pub fn wake(&self) {
        self.shared.1.store(true, Ordering::Release);
        self.nudge();
    }

    /// The present wait returns at once, or the next.
    pub fn nudge(&self) {
        // An eventfd that cannot be written is at its maximum, and readable.
        let _ = rustix::io::write(&self.shared.0, &1u64.to_ne_bytes());
    }

    /// From now on waits last again.
    pub fn reset(&self) {
        self.shared.1.store(false, Ordering::Release);
    }

    /// Whether all waits return at once.
    pub fn is_awake(&self) -> bool {
        self.shared.1.load(Ordering::Acquire)
    }

    /// Waits until there may be something to read, or the time is up, or the waker was used.
    pub fn wait(&self, readable: impl AsFd, timeout: Option<Duration>) -> io::Result<()> {
        if self.is_awake() {
            return Ok(());
        }
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let mut fds = [PollFd::new(&readable, PollFlags::IN), PollFd::new(&self.shared.0, PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => (),
            Err(error) => return Err(error.into()),
        }
        // The nudges are counted together, and there may be none.
        let _ = rustix::io::read(&self.shared.0, &mut [0u8; 8]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_end() {
        let (reader, writer) = std::io::pipe().unwrap();
        let waker = Waker::new().unwrap();
        let other = waker.clone();
        let waiting = std::thread::spawn(move || other.wait(&reader, None).map(|()| reader));
        waker.wake();
        let reader = waiting.join().unwrap().unwrap();
        assert!(waker.is_awake());
        waker.wait(&reader, None).unwrap();
        waker.reset();
        assert!(!waker.is_awake());
        waker.nudge();
        waker.wait(&reader, None).unwrap();
        rustix::io::write(&writer, b"!").unwrap();
        waker.wait(&reader, None).unwrap();
    }
}
