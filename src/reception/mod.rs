// SPDX-License-Identifier: MPL-2.0

//! Receiving by oneself: a thread that takes datagrams from a socket, feeds a [`Session`] with them, and tells a
//! [`Listener`] what happens.

mod session;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flute_proto::receiver::{Endpoints, Event};

pub(crate) use session::Session;

use flute_net::ReceiveSocket;
use flute_net::Waker;

/// Who is told what the thread hears, on that thread.
pub(crate) trait Listener: Send + 'static {
    /// Something happened.
    fn take(&mut self, event: Event);

    /// The socket has been read, and what happened has been told. Says how long this may wait at most to be called again
    /// if no datagram comes, or that it is enough.
    fn attend(&mut self, datagrams: usize) -> ControlFlow<(), Option<Duration>>;

    /// The socket failed, and the thread ends.
    fn fail(&mut self, error: io::Error);
}

/// A thread that receives until this is dropped, or until its listener has enough.
///
/// A listener must not wait for anything for ever by then: the end of the thread is waited for.
#[derive(Debug)]
pub(crate) struct Reception {
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Reception {
    pub(crate) fn start(socket: ReceiveSocket, session: Arc<Session>, mut listener: impl Listener) -> io::Result<Self> {
        let waker = socket.waker();
        let thread = thread::Builder::new().name("flute-receive".to_owned()).spawn(move || {
            if let Err(error) = receive(socket, &session, &mut listener) {
                listener.fail(error);
            }
        })?;
        Ok(Self { waker, thread: Some(thread) })
    }

    /// Leaves the end to the listener.
    pub(crate) fn detach(mut self) {
        self.thread = None;
    }
}

impl Drop for Reception {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.waker.wake();
            // A panic of the thread has told its story already.
            let _ = thread.join();
        }
    }
}

fn receive(mut socket: ReceiveSocket, session: &Session, listener: &mut impl Listener) -> io::Result<()> {
    let waker = socket.waker();
    let mut events = Vec::new();
    while !waker.is_awake() {
        let datagrams = session.feed(None, &mut events, |receiver, now| {
            socket.read(|source, destination, datagram| {
                receiver.push(Endpoints { source: Some(source), destination }, datagram, now);
            })
        })?;
        for event in events.drain(..) {
            listener.take(event);
        }
        let ControlFlow::Continue(within) = listener.attend(datagrams) else { break };
        if datagrams == 0 {
            socket.wait(within.into_iter().chain(session.next_wait()).min())?;
        }
    }
    Ok(())
}
