// SPDX-License-Identifier: MPL-2.0

//! A receiver with a socket and a thread of its own.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flute_net::reception::{Listener, ReceiverThread};
use flute_net::{Host, HostAndPort, ReceiveConfig, ReceiveSocket};
use flute_proto::receiver::Event;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::errors::network_error;
use crate::receiver_config::ReceiverConfig;
use crate::receiver_event::{KernelDropped, ReceiverEvent};
use crate::reception::{Events, Reception};
use crate::statistics::ReceiverStatistics;
use crate::waiting::Patience;
use crate::writer::{ObjectWriterBuilder, Writer};

/// Events that may wait until the program takes them. The contents of objects in memory are among them.
const MAX_WAITING: usize = 64;

/// Receives from a group or an address of this machine, and keeps what happens until the program takes it. Where it does
/// not, nothing more is received, and the kernel drops packets when its buffer is full.
///
/// `fileno` can be read from when there is something to take, or when there will be nothing more.
#[pyclass(module = "flute.network", frozen)]
#[derive(Debug)]
pub(crate) struct EventListener {
    reception: Reception,
    inbox: Arc<Inbox>,
    thread: Mutex<Option<ReceiverThread>>,
    address: (String, u16),
}

/// What the thread hands over.
#[derive(Debug)]
struct Inbox {
    state: Mutex<InboxState>,
    /// Something came, or nothing more will come.
    came: Condvar,
    /// There is room again, or nobody takes anything any more.
    room: Condvar,
    /// Two ends of a connection: it can be read from while there is something to take.
    readable: UnixStream,
    signal: UnixStream,
}

#[derive(Debug, Default)]
struct InboxState {
    messages: VecDeque<Message>,
    is_closed: bool,
}

#[derive(Debug)]
enum Message {
    Event(Event),
    KernelDropped(u32),
    Failed(io::Error),
}

impl Inbox {
    fn new() -> io::Result<Self> {
        let (readable, signal) = UnixStream::pair()?;
        readable.set_nonblocking(true)?;
        signal.set_nonblocking(true)?;
        Ok(Self { state: Mutex::default(), came: Condvar::new(), room: Condvar::new(), readable, signal })
    }

    fn lock(&self) -> MutexGuard<'_, InboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, message: Message) {
        let mut state = self.lock();
        while state.messages.len() >= MAX_WAITING && !state.is_closed {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.is_closed {
            state.messages.push_back(message);
            self.wake();
        }
    }

    /// Takes what there is, or waits for it so long; `None` if nothing came.
    fn take(&self, time: Duration) -> Option<VecDeque<Message>> {
        let nothing = |state: &mut InboxState| state.messages.is_empty() && !state.is_closed;
        let waited = self.came.wait_timeout_while(self.lock(), time, nothing);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return None;
        }
        let messages = std::mem::take(&mut state.messages);
        if !state.is_closed {
            // Nothing is left to be told by the descriptor. It has a byte for each message at most.
            let _ = (&self.readable).read(&mut [0; MAX_WAITING]);
        }
        self.room.notify_all();
        Some(messages)
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.wake();
        self.room.notify_all();
    }

    fn wake(&self) {
        self.came.notify_all();
        // It is full only if there is something to be read already.
        let _ = (&self.signal).write(&[0]);
    }
}

/// The end of the inbox that the thread has.
#[derive(Debug)]
struct ToInbox(Arc<Inbox>);

impl Listener for ToInbox {
    fn handle_event(&mut self, event: Event) {
        self.0.put(Message::Event(event));
    }

    fn after_read(&mut self, _datagrams: usize) -> ControlFlow<(), Option<Duration>> {
        if self.0.lock().is_closed { ControlFlow::Break(()) } else { ControlFlow::Continue(None) }
    }

    fn handle_dropped(&mut self, datagrams: u32) {
        self.0.put(Message::KernelDropped(datagrams));
    }

    fn handle_failure(&mut self, error: io::Error) {
        self.0.put(Message::Failed(error));
    }
}

#[pymethods]
impl EventListener {
    #[new]
    #[pyo3(signature = (
        address, port, *, interface=None, source=None, tsis=Vec::new(), writer=None, config=None, buffer_size=0,
        on_event=None,
    ))]
    #[expect(clippy::too_many_arguments, reason = "Python programs name them")]
    fn new(
        py: Python<'_>,
        address: &str,
        port: u16,
        interface: Option<String>,
        source: Option<IpAddr>,
        tsis: Vec<u64>,
        writer: Option<&ObjectWriterBuilder>,
        config: Option<&ReceiverConfig>,
        buffer_size: usize,
        on_event: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let receiver_config = match config {
            Some(config) => config.to_config(&tsis, source)?,
            None => ReceiverConfig::new().to_config(&tsis, source)?,
        };
        let writer = writer.map_or(Writer::Buffers, ObjectWriterBuilder::writer);
        let reception = Reception::new(receiver_config, writer, on_event);
        let host: Host = address.parse().map_err(network_error)?;
        let mut network = ReceiveConfig::new(HostAndPort::new(host, port));
        network.interfaces = interface.into_iter().collect();
        network.source = source;
        network.buffer_size = buffer_size;
        let socket = py.detach(|| ReceiveSocket::open(&network)).map_err(network_error)?;
        let local = socket.local_address();
        let inbox = Arc::new(Inbox::new().map_err(network_error)?);
        let thread = ReceiverThread::start(socket, reception.shared.clone(), ToInbox(inbox.clone()));
        let thread = Mutex::new(Some(thread.map_err(network_error)?));
        Ok(Self { reception, inbox, thread, address: (local.ip().to_string(), local.port()) })
    }

    /// What has happened since the last call; waits so many seconds for something to happen, for ever if that is None.
    /// Empty if nothing did, or if the listener is closed.
    #[pyo3(signature = (timeout=None))]
    fn take<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Events<'py>> {
        let taken = Patience::new(timeout)?.wait(py, |time| self.inbox.take(time), || Ok(()))?;
        let (mut failure, mut events) = (None, Vec::new());
        py.detach(|| {
            for message in taken.into_iter().flatten() {
                match message {
                    Message::Event(event) => events.extend(ReceiverEvent::settle(event, &self.reception.writer)),
                    Message::KernelDropped(datagrams) => {
                        events.push(ReceiverEvent::KernelDropped(KernelDropped { datagrams }));
                    }
                    Message::Failed(error) => failure = Some(error),
                }
            }
        });
        let events = self.reception.tell(py, events)?;
        match failure {
            Some(error) if events.is_empty() => {
                self.close(py);
                Err(network_error(error))
            }
            // What came before is handed out first.
            Some(error) => {
                self.inbox.put(Message::Failed(error));
                Ok(events)
            }
            None => Ok(events),
        }
    }

    /// Receives no more. What was not taken is dropped.
    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            self.inbox.close();
            self.inbox.lock().messages.clear();
            let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Its end is waited for.
            drop(thread);
        });
    }

    /// Whether it was closed.
    #[getter]
    fn is_closed(&self) -> bool {
        self.inbox.lock().is_closed
    }

    /// Address and port that it listens to.
    #[getter]
    fn address(&self) -> (String, u16) {
        self.address.clone()
    }

    /// A descriptor for `select` that can be read from while there is something to take. Only `take` reads from it.
    fn fileno(&self) -> RawFd {
        self.inbox.readable.as_raw_fd()
    }

    /// Counters, and what each session does at present.
    fn stats(&self, py: Python<'_>) -> ReceiverStatistics {
        self.reception.stats(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.reception.callbacks.traverse(&visit)
    }

    fn __clear__(&self) {
        self.reception.callbacks.clear();
    }
}

impl Drop for EventListener {
    /// Lets the thread end, which must not wait for room for ever, and does not wait for it with the GIL.
    fn drop(&mut self) {
        self.inbox.close();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            thread.stop();
            thread.detach();
        }
    }
}
