// SPDX-License-Identifier: MPL-2.0

//! What all receivers have in common: datagrams in, events out.

use std::convert::Infallible;
use std::sync::Arc;

use flute_net::reception::SharedReceiver;
use flute_proto::receiver::{Endpoints, ReceiverConfig};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::byte_input::ByteInput;
use crate::callbacks::{Callbacks, call_all};
use crate::packets::Packets;
use crate::receiver_event::ReceiverEvent;
use crate::statistics::ReceiverStatistics;
use crate::writer::Writer;

/// A receiver, where its objects go, and who is told of them.
#[derive(Debug)]
pub(crate) struct Reception {
    pub(crate) shared: Arc<SharedReceiver>,
    pub(crate) writer: Writer,
    pub(crate) callbacks: Callbacks,
}

/// What has happened, as Python is told.
pub(crate) type Events<'py> = Vec<Bound<'py, PyAny>>;

impl Reception {
    pub(crate) fn new(config: ReceiverConfig, writer: Writer, on_event: Option<Py<PyAny>>) -> Self {
        // Files are spooled where they are to go, unless the program names another folder.
        let spool_directory = config.spool_directory.clone().or_else(|| writer.spool_directory());
        let shared = Arc::new(SharedReceiver::new(config.spool_directory(spool_directory)));
        Self { shared, writer, callbacks: Callbacks::new(on_event) }
    }

    /// Takes datagrams, does what they make possible and what else is due, and tells what happened.
    pub(crate) fn push<'py>(
        &self,
        py: Python<'py>,
        endpoints: Endpoints,
        datagrams: &Packets<'_>,
    ) -> PyResult<Events<'py>> {
        let events = py.detach(|| {
            let mut events = Vec::new();
            let Ok(()) = self.shared.feed(None, &mut events, |receiver, now| {
                datagrams.try_for_each(|datagram| -> Result<(), Infallible> {
                    receiver.push(endpoints, datagram, now);
                    // What takes long comes in slices, which are due at once.
                    while receiver.next_deadline().is_some_and(|deadline| deadline <= now) {
                        receiver.handle_timeout(now);
                    }
                    Ok(())
                })
            });
            self.settle(events)
        });
        // Most packets make nothing happen.
        if events.is_empty() { Ok(Vec::new()) } else { self.tell(py, events) }
    }

    /// The same for one datagram. The bytes of a `bytes` object are used as they lie, since nobody can change them while the
    /// GIL is released.
    pub(crate) fn push_single<'py>(
        &self,
        py: Python<'py>,
        endpoints: Endpoints,
        datagram: &Bound<'py, PyAny>,
    ) -> PyResult<Events<'py>> {
        match datagram.cast::<PyBytes>() {
            Ok(bytes) => self.push(py, endpoints, &Packets::Single(bytes.as_bytes())),
            Err(_) => self.push(py, endpoints, &Packets::Single(&datagram.extract::<ByteInput>()?)),
        }
    }

    /// No more datagrams will come.
    pub(crate) fn finish<'py>(&self, py: Python<'py>) -> PyResult<Events<'py>> {
        let events = py.detach(|| {
            let mut events = Vec::new();
            self.shared.finish(&mut events);
            self.settle(events)
        });
        self.tell(py, events)
    }

    /// Seconds until something is due without a datagram.
    pub(crate) fn next_timeout(&self, py: Python<'_>) -> Option<f64> {
        py.detach(|| self.shared.next_wait()).map(|wait| wait.as_secs_f64())
    }

    /// Counters, and what the sessions do at present.
    pub(crate) fn stats(&self, py: Python<'_>) -> ReceiverStatistics {
        py.detach(|| self.shared.stats()).into()
    }

    /// Puts objects where they are to go, without the GIL.
    pub(crate) fn settle(&self, events: Vec<flute_proto::receiver::Event>) -> Vec<ReceiverEvent> {
        events.into_iter().filter_map(|event| ReceiverEvent::settle(event, &self.writer)).collect()
    }

    /// Tells what has happened.
    pub(crate) fn tell<'py>(&self, py: Python<'py>, events: Vec<ReceiverEvent>) -> PyResult<Events<'py>> {
        let events: Events<'py> = events.into_iter().map(|event| event.into_pyobject(py)).collect::<Result<_, _>>()?;
        call_all(events.iter().map(|event| self.callbacks.call(py, None, event)))?;
        Ok(events)
    }
}
