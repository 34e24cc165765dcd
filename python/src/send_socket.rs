// SPDX-License-Identifier: MPL-2.0

//! The socket of a sender.

use std::io;
use std::net::IpAddr;

use flute_net::{Host, HostAndPort, SendConfig, SendSocket as NetSocket};
use flute_proto::sender::Batch;
use pyo3::prelude::*;

use crate::errors::network_error;
use crate::packets::Packets;

/// A UDP socket with one destination, a group or a host.
///
/// `interface` is that of multicast, by name or IPv4 address; `ttl` how many routers a packet to a group may pass.
///
/// >>> from flute import network
/// >>> socket = network.SendSocket("127.0.0.1", 3400)
/// >>> socket.destination
/// ('127.0.0.1', 3400)
#[pyclass(module = "flute.network", frozen)]
#[derive(Debug)]
pub(crate) struct SendSocket(NetSocket);

impl SendSocket {
    /// Sends the packets of a batch from the one with this number on.
    pub(crate) fn send_batch(&self, batch: &Batch, first: usize) -> io::Result<()> {
        let packets = batch.as_bytes().get(first * batch.packet_size()..).unwrap_or_default();
        self.0.send(packets, batch.packet_size(), || false)
    }
}

#[pymethods]
impl SendSocket {
    #[new]
    #[pyo3(signature = (address, port, *, interface=None, ttl=1, bind_address=None, buffer_size=0))]
    fn new(
        py: Python<'_>,
        address: &str,
        port: u16,
        interface: Option<String>,
        ttl: u8,
        bind_address: Option<IpAddr>,
        buffer_size: usize,
    ) -> PyResult<Self> {
        let host: Host = address.parse().map_err(network_error)?;
        let mut config = SendConfig::new(HostAndPort::new(host, port));
        config.interface = interface;
        config.ttl_mc = ttl;
        config.bind_address = bind_address;
        config.buffer_size = buffer_size;
        py.detach(|| NetSocket::open(&config)).map(Self).map_err(network_error)
    }

    /// Address and port that packets go to.
    #[getter]
    fn destination(&self) -> (String, u16) {
        let destination = self.0.destination();
        (destination.ip().to_string(), destination.port())
    }

    /// Sends packets: a batch of `Sender.read_batch` in one call of the system where it can be, or any number of `bytes`.
    fn send(&self, py: Python<'_>, packets: Packets<'static>) -> PyResult<()> {
        py.detach(|| match &packets {
            Packets::Run(data, packet_size) => self.0.send(data, *packet_size, || false),
            packets => packets.try_for_each(|packet| self.0.send(packet, packet.len(), || false)),
        })
        .map_err(network_error)
    }
}
