// SPDX-License-Identifier: MPL-2.0

//! Receivers that are fed by the program.

use std::net::{IpAddr, SocketAddr};

use flute_proto::receiver::Endpoints;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::errors::config_error;
use crate::packets::Packets;
use crate::receiver_config::ReceiverConfig;
use crate::reception::{Events, Reception};
use crate::statistics::ReceiverStatistics;
use crate::writer::ObjectWriterBuilder;

/// Where packets go to, and where they come from if that is known: together with the TSI what tells sessions apart.
///
/// >>> from flute import receiver
/// >>> receiver.UDPEndpoint("239.1.1.1", 3400, "192.0.2.1")
/// UDPEndpoint('239.1.1.1', 3400, '192.0.2.1')
#[pyclass(module = "flute.receiver", name = "UDPEndpoint", frozen)]
#[derive(Debug)]
pub(crate) struct UdpEndpoint(Endpoints);

#[pymethods]
impl UdpEndpoint {
    #[new]
    #[pyo3(signature = (destination_group_address, port, source_address=None))]
    fn new(destination_group_address: &str, port: u16, source_address: Option<&str>) -> PyResult<Self> {
        let source = source_address.map(address).transpose()?;
        Ok(Self(Endpoints {
            // The port of a sender is no part of a session.
            source: source.map(|source| SocketAddr::new(source, 0)),
            destination: Some(SocketAddr::new(address(destination_group_address)?, port)),
        }))
    }

    fn __repr__(&self) -> String {
        let group = self.0.destination.map_or(String::new(), |group| format!("'{}', {}", group.ip(), group.port()));
        let source = self.0.source.map_or(String::new(), |source| format!(", '{}'", source.ip()));
        format!("UDPEndpoint({group}{source})")
    }
}

fn address(text: &str) -> PyResult<IpAddr> {
    text.parse().map_err(|_| config_error(format_args!("{text:?} is no IP address")))
}

/// A receiver of one session.
///
/// What happens is returned by each call, and told to `on_event`. Datagrams that are not of the session, or no packets at
/// all, are counted, and no error.
///
/// >>> from flute import receiver, sender
/// >>> session = sender.Sender(1, sender.Oti(), sender.Config())
/// >>> toi = session.add_object_from_buffer(b"hello", "text/plain", "hello.txt")
/// >>> writer = receiver.ObjectWriterBuilder.new_buffer()
/// >>> endpoint = receiver.UDPEndpoint("239.1.1.1", 3400)
/// >>> incoming = receiver.Receiver(endpoint, 1, writer, receiver.Config())
/// >>> while batch := session.read_batch():
/// ...     for event in incoming.push_batch(batch):
/// ...         match event:
/// ...             case receiver.ReceivedObject():
/// ...                 print(event.location, event.read())
/// hello.txt b'hello'
#[pyclass(module = "flute.receiver", frozen)]
#[derive(Debug)]
pub(crate) struct Receiver {
    endpoints: Endpoints,
    reception: Reception,
}

#[pymethods]
impl Receiver {
    #[new]
    #[pyo3(signature = (endpoint, tsi, writer, config, *, on_event=None))]
    fn new(
        endpoint: &UdpEndpoint,
        tsi: u64,
        writer: &ObjectWriterBuilder,
        config: &ReceiverConfig,
        on_event: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let config = config.to_config(&[tsi], None)?;
        Ok(Self { endpoints: endpoint.0, reception: Reception::new(config, writer.writer(), on_event) })
    }

    /// Takes a datagram, and returns what happened.
    fn push<'py>(&self, py: Python<'py>, data: &Bound<'py, PyAny>) -> PyResult<Events<'py>> {
        self.reception.push_single(py, self.endpoints, data)
    }

    /// Takes datagrams, and returns what happened.
    fn push_batch<'py>(&self, py: Python<'py>, datagrams: Packets<'static>) -> PyResult<Events<'py>> {
        self.reception.push(py, self.endpoints, &datagrams)
    }

    /// Does what is due without a datagram, and returns what happened: descriptions and sessions expire.
    fn handle_timeout<'py>(&self, py: Python<'py>) -> PyResult<Events<'py>> {
        self.reception.push(py, self.endpoints, &Packets::NONE)
    }

    /// No more datagrams will come: objects that are not complete are lost, and the session is closed.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Events<'py>> {
        self.reception.finish(py)
    }

    /// Seconds until `handle_timeout` has something to do; None while there is no session.
    #[getter]
    fn next_timeout(&self, py: Python<'_>) -> Option<f64> {
        self.reception.next_timeout(py)
    }

    /// Counters, and what the session does at present.
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

/// A receiver of any number of sessions. What happens is returned by each call, and told to `on_event`.
#[pyclass(module = "flute.receiver", frozen)]
#[derive(Debug)]
pub(crate) struct MultiReceiver(Reception);

#[pymethods]
impl MultiReceiver {
    #[new]
    #[pyo3(signature = (writer, config, *, tsis=Vec::new(), on_event=None))]
    fn new(
        writer: &ObjectWriterBuilder,
        config: &ReceiverConfig,
        tsis: Vec<u64>,
        on_event: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        Ok(Self(Reception::new(config.to_config(&tsis, None)?, writer.writer(), on_event)))
    }

    /// Takes a datagram, and returns what happened.
    fn push<'py>(&self, py: Python<'py>, endpoint: &UdpEndpoint, data: &Bound<'py, PyAny>) -> PyResult<Events<'py>> {
        self.0.push_single(py, endpoint.0, data)
    }

    /// Takes datagrams, and returns what happened.
    fn push_batch<'py>(
        &self,
        py: Python<'py>,
        endpoint: &UdpEndpoint,
        datagrams: Packets<'static>,
    ) -> PyResult<Events<'py>> {
        self.0.push(py, endpoint.0, &datagrams)
    }

    /// Does what is due without a datagram, and returns what happened: descriptions and sessions expire.
    fn handle_timeout<'py>(&self, py: Python<'py>) -> PyResult<Events<'py>> {
        self.0.push(py, Endpoints::default(), &Packets::NONE)
    }

    /// No more datagrams will come: objects that are not complete are lost, and sessions are closed.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Events<'py>> {
        self.0.finish(py)
    }

    /// Seconds until `handle_timeout` has something to do; None while there is no session.
    #[getter]
    fn next_timeout(&self, py: Python<'_>) -> Option<f64> {
        self.0.next_timeout(py)
    }

    /// Counters, and what each session does at present.
    fn stats(&self, py: Python<'_>) -> ReceiverStatistics {
        self.0.stats(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.callbacks.traverse(&visit)
    }

    fn __clear__(&self) {
        self.0.callbacks.clear();
    }
}
