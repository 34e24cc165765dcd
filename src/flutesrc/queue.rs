// SPDX-License-Identifier: MPL-2.0

//! What the thread of the network hands to the thread that pushes downstream.
//!
//! A slow element downstream must not make the socket overflow, so objects wait here, up to a bound. Then the network
//! waits, too: completed objects are not thrown away.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use flute_proto::receiver::{Content, Event};

/// What a notice counts without its content: with its descriptions and the place in the queue.
const NOTICE_WEIGHT: u64 = 1 << 10;

/// What a file counts that holds content: there are not many descriptors in a process.
const FILE_WEIGHT: u64 = 1 << 20;

/// Something for the pushing thread.
#[derive(Debug)]
pub(super) enum Notice {
    /// The receiver tells something.
    Event(Event),
    /// No packet came for the time of the property `timeout`.
    Silence,
    /// The kernel has dropped so many datagrams by now.
    KernelDropped(u32),
    /// The socket failed.
    Failed(std::io::Error),
    /// The application wants the stream to end.
    Eos,
}

impl Notice {
    /// Bytes of memory that it holds, about.
    fn weight(&self) -> u64 {
        let content = match self {
            Self::Event(Event::Completed { content: Content::Memory(bytes), .. }) => bytes.len() as u64,
            Self::Event(Event::Completed { content: Content::File { .. }, .. }) => FILE_WEIGHT,
            _ => 0,
        };
        NOTICE_WEIGHT + content
    }
}

/// What comes out of the queue.
#[derive(Debug)]
pub(super) enum Popped {
    Notice(Notice),
    /// Nothing came in the time given.
    Nothing,
    Flushing,
}

#[derive(Debug)]
struct Inner {
    notices: VecDeque<Notice>,
    weight: u64,
    flushing: bool,
    playing: bool,
}

/// A queue with one thread at each end.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
    max_weight: u64,
}

impl Queue {
    /// A queue that takes this many bytes of objects, or one object that is longer. It hands nothing out before it is
    /// playing.
    pub(super) fn new(max_weight: u64) -> Self {
        let inner = Inner { notices: VecDeque::new(), weight: 0, flushing: false, playing: false };
        Self { inner: Mutex::new(inner), changed: Condvar::new(), max_weight }
    }

    /// Appends a notice, as soon as there is room for it. Returns whether it was taken: it is not while flushing.
    pub(super) fn push(&self, notice: Notice) -> bool {
        let weight = notice.weight();
        let inner = self.inner.lock().unwrap();
        let full = |inner: &mut Inner| {
            !inner.flushing && inner.weight > 0 && inner.weight.saturating_add(weight) > self.max_weight
        };
        let mut inner = self.changed.wait_while(inner, full).unwrap();
        if inner.flushing {
            return false;
        }
        inner.weight += weight;
        inner.notices.push_back(notice);
        drop(inner);
        self.changed.notify_all();
        true
    }

    /// Takes the first notice, as soon as there is one and the queue is playing; or tells that there was none for so long.
    pub(super) fn pop(&self, wait: Option<Duration>) -> Popped {
        let mut inner = self.inner.lock().unwrap();
        loop {
            if inner.flushing {
                return Popped::Flushing;
            }
            let idle = |inner: &mut Inner| !inner.flushing && (!inner.playing || inner.notices.is_empty());
            inner = match wait.filter(|_| inner.playing) {
                Some(wait) => {
                    let (inner, waited) = self.changed.wait_timeout_while(inner, wait, idle).unwrap();
                    if waited.timed_out() && inner.playing {
                        return Popped::Nothing;
                    }
                    inner
                }
                None => self.changed.wait_while(inner, idle).unwrap(),
            };
            if !inner.playing || inner.flushing {
                continue;
            }
            if let Some(notice) = inner.notices.pop_front() {
                inner.weight -= notice.weight();
                drop(inner);
                self.changed.notify_all();
                return Popped::Notice(notice);
            }
        }
    }

    /// While flushing nothing is taken and nothing handed out; what is there is dropped.
    pub(super) fn set_flushing(&self, flushing: bool) {
        let mut inner = self.inner.lock().unwrap();
        inner.flushing = flushing;
        let dropped = std::mem::take(&mut inner.notices);
        inner.weight = 0;
        drop(inner);
        self.changed.notify_all();
        drop(dropped);
    }

    pub(super) fn set_playing(&self, playing: bool) {
        self.inner.lock().unwrap().playing = playing;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn is_silence(popped: Popped) -> bool {
        matches!(popped, Popped::Notice(Notice::Silence))
    }

    fn is_end(popped: Popped) -> bool {
        matches!(popped, Popped::Notice(Notice::Eos))
    }

    #[test]
    fn notices_come_in_order_when_playing() {
        let queue = Arc::new(Queue::new(u64::MAX));
        assert!(queue.push(Notice::Silence));
        assert!(queue.push(Notice::Eos));
        let popping = {
            let queue = queue.clone();
            thread::spawn(move || (queue.pop(None), queue.pop(None)))
        };
        queue.set_playing(true);
        let (first, second) = popping.join().unwrap();
        assert!(is_silence(first));
        assert!(is_end(second));
    }

    #[test]
    fn a_full_queue_waits_for_room() {
        let queue = Arc::new(Queue::new(NOTICE_WEIGHT));
        queue.set_playing(true);
        assert!(queue.push(Notice::Silence));
        let pushing = {
            let queue = queue.clone();
            thread::spawn(move || queue.push(Notice::Eos))
        };
        assert!(is_silence(queue.pop(None)));
        assert!(pushing.join().unwrap());
        assert!(is_end(queue.pop(None)));
        assert_eq!(queue.inner.lock().unwrap().weight, 0);
    }

    #[test]
    fn one_notice_always_fits() {
        let queue = Queue::new(0);
        assert!(queue.push(Notice::Silence));
    }

    #[test]
    fn waits_end_when_their_time_is_over() {
        let queue = Queue::new(u64::MAX);
        queue.set_playing(true);
        assert!(matches!(queue.pop(Some(Duration::from_millis(1))), Popped::Nothing));
        assert!(queue.push(Notice::Eos));
        assert!(is_end(queue.pop(Some(Duration::ZERO))));
    }

    #[test]
    fn flushing_ends_every_wait() {
        let queue = Arc::new(Queue::new(0));
        assert!(queue.push(Notice::Silence));
        let (pushing, popping) = {
            let (first, second) = (queue.clone(), queue.clone());
            (thread::spawn(move || first.push(Notice::Eos)), thread::spawn(move || second.pop(None)))
        };
        queue.set_flushing(true);
        assert!(!pushing.join().unwrap());
        assert!(matches!(popping.join().unwrap(), Popped::Flushing));
        queue.set_flushing(false);
        queue.set_playing(true);
        assert!(queue.push(Notice::Eos));
        assert!(is_end(queue.pop(None)));
    }
}
