// SPDX-License-Identifier: MPL-2.0

//! Receiving by oneself: a thread that takes datagrams from a socket, feeds a [`SharedReceiver`] with them, and tells a
//! [`Listener`] what happens.

mod rates;
mod shared_receiver;

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use flute_proto::receiver::{Endpoints, Event};

pub use rates::Rates;
pub use shared_receiver::{SharedReceiver, Statistics};

use crate::readiness::Waker;
use crate::receive::ReceiveSocket;

/// How long it takes at most until the thread looks whether the kernel has dropped datagrams, while more come all the time.
const LOOK_FOR_DROPPED: Duration = Duration::from_secs(1);

/// How long it takes at least until the thread tells again that the kernel drops datagrams.
const TELL_DROPPED: Duration = Duration::from_secs(10);

/// Who is told what the thread hears, on that thread.
pub trait Listener: Send + 'static {
    /// Something happened.
    fn handle_event(&mut self, event: Event);

    /// The socket has been read, and what happened has been told. Says how long this may wait at most to be called again
    /// if no datagram comes, or that it is enough.
    fn after_read(&mut self, datagrams: usize) -> ControlFlow<(), Option<Duration>>;

    /// The kernel has dropped so many datagrams by now, since its buffer was full; told within seconds when it has become
    /// more, and then at most every ten seconds.
    fn handle_dropped(&mut self, _datagrams: u32) {}

    /// The socket failed, and the thread ends.
    fn handle_failure(&mut self, error: io::Error);
}

/// A thread that receives until this is dropped, or until its listener has enough.
///
/// A listener must not wait for anything for ever by then: the end of the thread is waited for.
#[derive(Debug)]
pub struct ReceiverThread {
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl ReceiverThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn start(socket: ReceiveSocket, receiver: Arc<SharedReceiver>, listener: impl Listener) -> io::Result<Self> {
        Self::start_channel(socket, None, receiver, listener)
    }

    /// Starts the thread of one channel of a session that has several. All count as sent to the address of the `base`
    /// channel, so that they are one session (RFC 6726 §3.1).
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn start_channel(
        socket: ReceiveSocket,
        base: Option<SocketAddr>,
        receiver: Arc<SharedReceiver>,
        mut listener: impl Listener,
    ) -> io::Result<Self> {
        let waker = socket.waker();
        let thread = thread::Builder::new().name("flute-receive".to_owned()).spawn(move || {
            if let Err(error) = receive(socket, base, &receiver, &mut listener) {
                listener.handle_failure(error);
            }
        })?;
        Ok(Self { waker, thread: Some(thread) })
    }

    /// Asks the thread to end, and does not wait for that.
    pub fn stop(&self) {
        self.waker.wake();
    }

    /// Leaves the end to the listener.
    pub fn detach(mut self) {
        self.thread = None;
    }
}

impl Drop for ReceiverThread {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.waker.wake();
            // A panic of the thread has told its story already.
            let _ = thread.join();
        }
    }
}

fn receive(
    mut socket: ReceiveSocket,
    base: Option<SocketAddr>,
    receiver: &SharedReceiver,
    listener: &mut impl Listener,
) -> io::Result<()> {
    let waker = socket.waker();
    let mut events = Vec::new();
    let (mut dropped, mut told_dropped) = (0, 0);
    let (mut looked, mut told) = (Instant::now(), None::<Instant>);
    while !waker.is_awake() {
        let datagrams = receiver.feed(None, &mut events, |core, now| {
            socket.read(|source, destination, datagram| {
                core.push(Endpoints { source: Some(source), destination: base.or(destination) }, datagram, now);
            })
        })?;
        for event in events.drain(..) {
            listener.handle_event(event);
        }
        let ControlFlow::Continue(within) = listener.after_read(datagrams) else { break };
        // A receiver that is overloaded for long never finds its socket empty, and loses most.
        if datagrams == 0 || looked.elapsed() >= LOOK_FOR_DROPPED {
            looked = Instant::now();
            let dropped_by_now = socket.dropped_datagrams().unwrap_or(0);
            if dropped_by_now > std::mem::replace(&mut dropped, dropped_by_now) {
                receiver.note_kernel_dropped(dropped_by_now);
            }
            if dropped > told_dropped && told.is_none_or(|told| told.elapsed() >= TELL_DROPPED) {
                listener.handle_dropped(dropped);
                (told_dropped, told) = (dropped, Some(looked));
            }
        }
        if datagrams == 0 {
            socket.wait(within.into_iter().chain(receiver.next_wait()).min())?;
        }
    }
    Ok(())
}
