// SPDX-License-Identifier: MPL-2.0

//! A session that is sent.

use std::io;
use std::mem;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flute_net::Clock;
use flute_proto::Time;
use flute_proto::lct::Toi;
use flute_proto::sender::{
    Batch as ProtoBatch, Event, FileSource, FinishPolicy, Object, Pacing, Poll, Removal, Sender as ProtoSender, Source,
};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::byte_input::ByteInput;
use crate::callbacks::{Callbacks, call_all};
use crate::errors::{config_error, network_error, object_error};
use crate::oti::Oti;
use crate::packets::Batch;
use crate::send_socket::SendSocket;
use crate::sender_config::{SenderConfig, encoding};
use crate::sender_event::SenderEvent;
use crate::sender_object::ObjectOptions;
use crate::statistics::SenderStatistics;
use crate::waiting::Patience;

/// Packets that are made at a time: as many as fit into the cache of a core.
const BATCH: usize = 64;

/// A FLUTE sender of one session (one TSI).
///
/// Packets are made by `read`, `read_batch` and `send`, at the rate of the configuration. Each may be called by any thread.
/// What happens is told to `on_event`, by the thread that makes the packets.
///
/// >>> from flute import sender
/// >>> session = sender.Sender(1, sender.Oti(), sender.Config(), on_event=print)
/// >>> session.add_object_from_buffer(b"hello", "text/plain", "hello.txt", toi=1)
/// 1
/// >>> packets = session.read_batch()
/// FdtPublished(instance_id=0, files=1)
/// TransferStarted(toi=1, location='hello.txt')
/// TransferEnded(toi=1, location='hello.txt', transfers=1, transfer_length=5)
/// TransferWithdrawn(toi=1, location='hello.txt', transfers=1)
#[pyclass(module = "flute.sender", frozen)]
#[derive(Debug)]
pub(crate) struct Sender {
    session: Mutex<Session>,
    /// Something was changed that a thread which waits should know of.
    changed: Condvar,
    callbacks: Callbacks,
    clock: Clock,
}

/// What is behind the lock.
#[derive(Debug)]
struct Session {
    sender: ProtoSender,
    batch: ProtoBatch,
    /// The first packet of the batch that was not given out.
    next: usize,
    /// The time, when it was last asked for.
    now: Time,
    state: State,
    events: Vec<Event>,
}

/// What the last poll said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There are packets, or may be.
    Active,
    Waiting(Time),
    Idle,
    Done,
}

impl Session {
    /// The next packet, if it has been made and is due.
    fn take(&mut self) -> Option<&[u8]> {
        if self.batch.due() > self.now {
            return None;
        }
        let packet = self.batch.packets().nth(self.next)?;
        self.next += 1;
        Some(packet)
    }

    /// Makes packets, if those that were made have been given out. Whether there are packets that are due.
    fn advance(&mut self, now: Time) -> bool {
        self.now = now;
        while self.next >= self.batch.len() {
            let poll = self.sender.poll(now, &mut self.batch);
            self.next = 0;
            self.events.extend(std::iter::from_fn(|| self.sender.poll_event()));
            self.state = match poll {
                Poll::Packets => State::Active,
                // There was more to do than fits into one poll.
                Poll::Wait(until) if until <= now => continue,
                Poll::Wait(until) => State::Waiting(until),
                Poll::Idle => State::Idle,
                Poll::Done => State::Done,
            };
            if self.state != State::Active {
                return false;
            }
        }
        self.batch.due() <= now
    }

    /// When to look again, after `advance` has found nothing that is due.
    fn wakeup(&self) -> Option<Time> {
        match self.state {
            State::Active => Some(self.batch.due()),
            State::Waiting(until) => Some(until),
            State::Idle | State::Done => None,
        }
    }

    /// Has a thread that waits look again.
    fn note_change(&mut self) {
        if self.state != State::Done {
            self.state = State::Active;
        }
    }
}

/// How `Sender::send_until` ended.
#[derive(Debug)]
enum Sent {
    /// There is nothing to send until something is added, or ever.
    All,
    Failed(io::Error),
}

impl Sender {
    fn lock(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, without the GIL.
    fn change<R: Send>(&self, py: Python<'_>, change: impl FnOnce(&mut ProtoSender, Time) -> R + Send) -> R {
        py.detach(|| {
            let mut session = self.lock();
            let result = change(&mut session.sender, self.clock.now());
            session.note_change();
            self.changed.notify_all();
            result
        })
    }

    fn add(
        &self,
        py: Python<'_>,
        mut object: Object,
        content_type: &str,
        oti: Option<&Oti>,
        mut options: ObjectOptions,
    ) -> PyResult<u128> {
        object.content_type = Some(content_type.to_owned()).filter(|content_type| !content_type.is_empty());
        object.fec = oti.map(Oti::to_config);
        let (replace, on_event) = (options.replace, options.on_event.take());
        options.apply(&mut object, self.clock.now())?;
        let added = self.change(py, |sender, now| match replace {
            true => sender.replace(object, now),
            false => sender.add(object, now),
        });
        let toi = added.map_err(object_error)?;
        if let Some(on_event) = on_event {
            self.callbacks.set(toi, on_event);
        }
        Ok(toi.get())
    }

    /// Tells what has happened.
    fn tell(&self, py: Python<'_>) -> PyResult<()> {
        let events = py.detach(|| mem::take(&mut self.lock().events));
        if events.is_empty() || self.callbacks.is_empty() {
            return Ok(());
        }
        let mut ended = Vec::new();
        let told = call_all(events.into_iter().filter_map(SenderEvent::of).map(|(toi, event)| {
            ended.extend(toi.zip(event.location_if_last().map(str::to_owned)));
            self.callbacks.call(py, toi, &event.into_pyobject(py)?)
        }));
        self.forget_gone(py, ended);
        told
    }

    /// Forgets who is told of objects of which there is nothing more to tell.
    fn forget_gone(&self, py: Python<'_>, mut objects: Vec<(Toi, String)>) {
        py.detach(|| {
            let session = self.lock();
            objects.retain(|(toi, location)| session.sender.toi_of(location) != Some(*toi));
        });
        objects.into_iter().for_each(|(toi, _)| self.callbacks.forget(toi));
    }

    /// Sends what is due for so long, and waits in between.
    fn send_for(&self, socket: &SendSocket, time: Duration) -> Option<Sent> {
        let end = self.clock.now() + time;
        let mut session = self.lock();
        loop {
            if session.advance(self.clock.now()) {
                let first = mem::replace(&mut session.next, usize::MAX);
                if let Err(error) = socket.send_batch(&session.batch, first) {
                    return Some(Sent::Failed(error));
                }
                // Whoever else wants the session has it between two batches.
                drop(session);
                session = self.lock();
            } else {
                let Some(wakeup) = session.wakeup() else { return Some(Sent::All) };
                let left = wakeup.min(end).since(self.clock.now());
                session = self.changed.wait_timeout(session, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            if self.clock.now() >= end {
                return None;
            }
        }
    }
}

#[pymethods]
impl Sender {
    #[new]
    #[pyo3(signature = (tsi, oti, config, *, on_event=None))]
    fn new(tsi: u64, oti: &Oti, config: &SenderConfig, on_event: Option<Py<PyAny>>) -> PyResult<Self> {
        let clock = Clock::start();
        let now = clock.now();
        let sender = ProtoSender::new(config.to_config(tsi, oti)?, now).map_err(config_error)?;
        let batch = ProtoBatch::new(BATCH);
        let session = Session { sender, batch, next: 0, now, state: State::Idle, events: Vec::new() };
        let (session, callbacks) = (Mutex::new(session), Callbacks::new(on_event));
        Ok(Self { session, changed: Condvar::new(), callbacks, clock })
    }

    /// Adds a file, which is read while it is sent, and returns its TOI.
    ///
    /// `cenc` is the content encoding: 0 none, 1 ZLIB, 3 GZIP. The Content-Location is the name of the file, if none is
    /// given. `flute.options.ObjectOptions` has the keyword arguments.
    #[pyo3(signature = (filepath, cenc, content_type, content_location=None, oti=None, **options))]
    #[expect(clippy::too_many_arguments, reason = "the method of flute-alc has them")]
    fn add_file(
        &self,
        py: Python<'_>,
        filepath: std::path::PathBuf,
        cenc: u8,
        content_type: &str,
        content_location: Option<&str>,
        oti: Option<&Oti>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<u128> {
        let options = ObjectOptions::new(options)?;
        let encoding = encoding(cenc)?;
        let location = content_location.map_or_else(|| name_of(&filepath), |location| Ok(location.to_owned()))?;
        let source = py.detach(|| FileSource::open(&filepath))?;
        let mut object = Object::new(location, source);
        object.content_encoding = Some(encoding);
        self.add(py, object, content_type, oti, options)
    }

    /// Adds an object with these bytes, and returns its TOI. `flute.options.ObjectOptions` has the keyword arguments.
    #[pyo3(signature = (content, content_type, content_location, oti=None, **options))]
    fn add_object_from_buffer(
        &self,
        py: Python<'_>,
        content: ByteInput,
        content_type: &str,
        content_location: &str,
        oti: Option<&Oti>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<u128> {
        let options = ObjectOptions::new(options)?;
        self.add(py, Object::new(content_location, ContentSource(content)), content_type, oti, options)
    }

    /// Stops sending an object, and describes it no more; `after_transfer` when the transfer that runs has ended. False if
    /// there is no such object.
    #[pyo3(signature = (toi, *, after_transfer=false))]
    fn remove_object(&self, py: Python<'_>, toi: u128, after_transfer: bool) -> bool {
        let when = if after_transfer { Removal::AfterTransfer } else { Removal::Now };
        Toi::new(toi).is_some_and(|toi| self.change(py, |sender, now| sender.remove(toi, when, now)))
    }

    /// Starts the next transfer of a carousel now. False if there is no such object.
    fn trigger(&self, py: Python<'_>, toi: u128) -> bool {
        Toi::new(toi).is_some_and(|toi| self.change(py, |sender, now| sender.trigger(toi, now)))
    }

    /// Changes the priority of an object: a higher one goes first. False if there is no such object.
    fn set_priority(&self, py: Python<'_>, toi: u128, priority: u32) -> bool {
        Toi::new(toi).is_some_and(|toi| self.change(py, |sender, now| sender.set_priority(toi, priority, now)))
    }

    /// Changes the rate, in bits per second on the wire; 0 is as fast as packets are taken.
    fn set_bitrate(&self, py: Python<'_>, bitrate: u64) {
        self.change(py, |sender, now| sender.set_pacing(Pacing::default().bitrate(bitrate), now));
    }

    /// Number of objects that are sent or will be.
    fn nb_objects(&self, py: Python<'_>) -> u64 {
        self.stats(py).objects
    }

    /// There is no need to call this, and it does nothing: every object is described by an FDT Instance before its first
    /// packet. It is for programs that were made for flute-alc.
    fn publish(&self) {}

    /// No more objects will be added: the session ends, and is closed.
    ///
    /// `policy` says what becomes of objects: "finish-transfers" ends those that run or have not been sent, "once-more"
    /// sends every object once more, "run-to-end" ends finite carousels, "stop" gives up everything.
    #[pyo3(signature = (policy="finish-transfers"))]
    fn finish(&self, py: Python<'_>, policy: &str) -> PyResult<()> {
        let policy = match policy {
            "finish-transfers" => FinishPolicy::FinishTransfers,
            "once-more" => FinishPolicy::OnceMore,
            "run-to-end" => FinishPolicy::RunToEnd,
            "stop" => FinishPolicy::Stop,
            policy => {
                return Err(PyValueError::new_err(format!(
                    "there is no policy {policy:?}: use 'finish-transfers', 'once-more', 'run-to-end' or 'stop'"
                )));
            }
        };
        self.change(py, |sender, now| sender.finish(policy, now));
        Ok(())
    }

    /// The next packet, or None if none is due.
    fn read<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        loop {
            if let Ok(mut session) = self.session.try_lock()
                && let Some(packet) = session.take()
            {
                return Ok(Some(PyBytes::new(py, packet)));
            }
            let is_ready = py.detach(|| self.lock().advance(self.clock.now()));
            self.tell(py)?;
            if !is_ready {
                return Ok(None);
            }
        }
    }

    /// Packets that are due, as many as are made at a time: at most 64. Empty if none is due.
    fn read_batch(&self, py: Python<'_>) -> PyResult<Batch> {
        let batch = loop {
            let is_ready = py.detach(|| self.lock().advance(self.clock.now()));
            if !is_ready {
                break Batch::of(py, &ProtoBatch::default(), 0);
            }
            // Another thread may have taken the packets meanwhile.
            if let Ok(mut session) = self.session.try_lock()
                && session.next < session.batch.len()
            {
                let first = mem::replace(&mut session.next, usize::MAX);
                break Batch::of(py, &session.batch, first);
            }
        };
        self.tell(py)?;
        Ok(batch)
    }

    /// Sends packets when they are due, until there is nothing more to send, or for so many seconds. True if everything was
    /// sent.
    ///
    /// A carousel has no end, so that this does not return without `timeout` or `finish` in another thread.
    #[pyo3(signature = (socket, timeout=None))]
    fn send(&self, py: Python<'_>, socket: &Bound<'_, SendSocket>, timeout: Option<f64>) -> PyResult<bool> {
        let socket = socket.get();
        let sent = Patience::new(timeout)?.wait(py, |time| self.send_for(socket, time), || self.tell(py))?;
        match sent {
            Some(Sent::Failed(error)) => Err(network_error(error)),
            sent => Ok(sent.is_some()),
        }
    }

    /// Seconds until a packet is due: 0 if there may be one now, None if there is nothing to send.
    #[getter]
    fn next_due(&self, py: Python<'_>) -> Option<f64> {
        py.detach(|| {
            let mut session = self.lock();
            let now = self.clock.now();
            match session.advance(now) {
                true => Some(0.0),
                false => session.wakeup().map(|wakeup| wakeup.since(now).as_secs_f64()),
            }
        })
    }

    /// Whether the session was finished, and its last packet has been given out.
    #[getter]
    fn is_done(&self, py: Python<'_>) -> bool {
        py.detach(|| self.lock().state == State::Done)
    }

    /// Bytes of content that wait to be sent for the first time.
    #[getter]
    fn queued_bytes(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.lock().sender.queued_bytes())
    }

    /// Counters since the start.
    fn stats(&self, py: Python<'_>) -> SenderStatistics {
        py.detach(|| self.lock().sender.stats()).into()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.callbacks.traverse(&visit)
    }

    fn __clear__(&self) {
        self.callbacks.clear();
    }
}

/// The bytes that a program has handed over.
#[derive(Debug)]
struct ContentSource(ByteInput);

impl Source for ContentSource {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let rest = self.0.get(start..).unwrap_or_default();
        buffer.copy_from_slice(rest.get(..buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(&self.0)
    }
}

/// The name of a file, for its Content-Location.
fn name_of(path: &Path) -> PyResult<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    let no_name = || object_error(format_args!("{} has no Unicode name: give a content_location", path.display()));
    name.map(str::to_owned).ok_or_else(no_name)
}
