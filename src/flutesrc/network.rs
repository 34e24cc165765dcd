// SPDX-License-Identifier: MPL-2.0

//! The thread that receives, where the element has its own socket.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use flute_proto::receiver::Path;

use super::queue::{Notice, Queue};
use super::session::Session;
use crate::socket::receive::{ReceiveSocket, Waker};

/// A thread that feeds a session from a socket, and puts what happens into a queue, until this is dropped.
///
/// The queue must be flushing by then, or drained by somebody: a thread that waits for room in it does not end.
#[derive(Debug)]
pub(super) struct Reception {
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Reception {
    /// `silence` is how long no packet comes before a notice of it is given.
    pub(super) fn start(
        socket: ReceiveSocket,
        session: Arc<Session>,
        queue: Arc<Queue>,
        silence: Option<Duration>,
    ) -> io::Result<Self> {
        let waker = socket.waker();
        let thread = thread::Builder::new().name("flute-receive".to_owned()).spawn(move || {
            if let Err(error) = receive(socket, &session, &queue, silence) {
                queue.push(Notice::Failed(error));
            }
        })?;
        Ok(Self { waker, thread: Some(thread) })
    }
}

impl Drop for Reception {
    fn drop(&mut self) {
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has told its story already.
            let _ = thread.join();
        }
    }
}

fn receive(mut socket: ReceiveSocket, session: &Session, queue: &Queue, silence: Option<Duration>) -> io::Result<()> {
    let waker = socket.waker();
    let mut events = Vec::new();
    let mut last_packet = Instant::now();
    while !waker.is_awake() {
        let datagrams = session.feed(None, &mut events, |receiver, now| {
            socket.read(|source, destination, datagram| {
                receiver.push(Path { source: Some(source), destination }, datagram, now);
            })
        })?;
        for event in events.drain(..) {
            queue.push(Notice::Event(event));
        }
        if datagrams > 0 {
            last_packet = Instant::now();
            continue;
        }
        let until_silence = silence.map(|silence| silence.saturating_sub(last_packet.elapsed()));
        if until_silence == Some(Duration::ZERO) {
            queue.push(Notice::Silence);
            last_packet = Instant::now();
            continue;
        }
        let until_deadline = session.next_wait();
        socket.wait(until_silence.into_iter().chain(until_deadline).min())?;
    }
    Ok(())
}
