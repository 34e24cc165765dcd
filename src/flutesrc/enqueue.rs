// SPDX-License-Identifier: MPL-2.0

//! What the network brings, into the queue of the element.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flute_proto::receiver::Event;

use super::queue::{Notice, Queue};
use flute_net::reception::Listener;

/// Puts what happens into a queue. The queue must be flushing, or be drained, when the thread is to end.
#[derive(Debug)]
pub(super) struct Enqueue {
    queue: Arc<Queue>,
    /// How long no packet comes before a notice of it is given.
    silence: Option<Duration>,
    last_packet: Instant,
}

impl Enqueue {
    pub(super) fn new(queue: Arc<Queue>, silence: Option<Duration>) -> Self {
        Self { queue, silence, last_packet: Instant::now() }
    }
}

impl Listener for Enqueue {
    fn handle_event(&mut self, event: Event) {
        self.queue.push(Notice::Event(event));
    }

    fn after_read(&mut self, datagrams: usize) -> ControlFlow<(), Option<Duration>> {
        if datagrams > 0 {
            self.last_packet = Instant::now();
        }
        let mut left = self.silence.map(|silence| silence.saturating_sub(self.last_packet.elapsed()));
        if left == Some(Duration::ZERO) {
            self.queue.push(Notice::Silence);
            self.last_packet = Instant::now();
            left = self.silence;
        }
        ControlFlow::Continue(left)
    }

    fn handle_dropped(&mut self, datagrams: u32) {
        self.queue.push(Notice::KernelDropped(datagrams));
    }

    fn handle_failure(&mut self, error: io::Error) {
        self.queue.push(Notice::Failed(error));
    }
}
