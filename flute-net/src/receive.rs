// SPDX-License-Identifier: MPL-2.0

//! The receiving socket: a UDP port, a multicast group joined on chosen interfaces, datagrams in batches.

use std::array;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use gio::prelude::*;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

use crate::Waker;

/// Reads of the kernel that one system call takes, each of them one datagram, or several that it coalesced.
const BATCH: usize = quinn_udp::BATCH_SIZE;

/// Bytes of one read: what the kernel coalesces at most, and more than the longest datagram.
const READ_SIZE: usize = 1 << 16;

/// What a receiving socket is to listen to.
#[derive(Clone, Debug)]
pub struct ReceiveConfig {
    /// A multicast group, or an address of this machine.
    pub address: IpAddr,
    /// UDP port.
    pub port: u16,
    /// Interfaces on which the group is joined, by name or IPv4 address; none: the system's choice.
    pub interfaces: Vec<String>,
    /// The one sender to listen to (source-specific multicast, RFC 4607).
    pub source: Option<IpAddr>,
    /// Bytes of SO_RCVBUF, as far as the system allows; 0 for its default.
    pub buffer_size: usize,
    /// Join the group, if the address is one.
    pub auto_multicast: bool,
    /// Share the port with other sockets.
    pub reuse: bool,
    /// IP_MULTICAST_LOOP, which some systems heed on the receiving socket.
    pub multicast_loop: bool,
}

/// Why a socket cannot receive.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// Another program has the port and does not share it.
    #[error("UDP port {0} is in use by another program: choose another port, or let both set reuse=true")]
    PortInUse(SocketAddr),
    /// No interface has the address.
    #[error("{0} is neither a multicast group nor an address of this machine")]
    NotLocal(IpAddr),
    /// The system does not bind the socket.
    #[error("binding UDP {0}: {1}")]
    Bind(SocketAddr, #[source] io::Error),
    /// The source filter and the group do not go together.
    #[error("the sender {sender} and the group {group} are not of the same IP version")]
    OtherVersion {
        /// The one sender to listen to.
        sender: IpAddr,
        /// The group.
        group: IpAddr,
    },
    /// The system does not join the group.
    #[error("joining {group} on {interface}: {reason}; is it the name or the address of an interface that is up?")]
    Join {
        /// The group.
        group: IpAddr,
        /// Where it was to be joined.
        interface: String,
        /// What the system says.
        reason: String,
    },
    /// An option of the socket is refused.
    #[error("setting up the socket: {0}")]
    Socket(#[from] io::Error),
}

/// A bound UDP socket, and room for what one read brings.
#[derive(Debug)]
pub struct ReceiveSocket {
    socket: Socket,
    state: UdpSocketState,
    port: u16,
    storage: Box<[u8]>,
    waker: Waker,
}

impl ReceiveSocket {
    /// Opens, binds and joins.
    pub fn open(config: &ReceiveConfig) -> Result<Self, ReceiveError> {
        if let Some(sender) = config.source
            && sender.is_ipv4() != config.address.is_ipv4()
        {
            return Err(ReceiveError::OtherVersion { sender, group: config.address });
        }
        let address = SocketAddr::new(config.address, config.port);
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(config.reuse)?;
        if address.is_ipv6() {
            // 0.0.0.0 is how IPv4 is asked for.
            socket.set_only_v6(true)?;
        }
        if config.buffer_size > 0 {
            set_buffer_size(&socket, config.buffer_size)?;
        }
        // Bound to the group, and not to any address, a socket gets no datagrams of other groups on the same port.
        socket.bind(&address.into()).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => ReceiveError::PortInUse(address),
            io::ErrorKind::AddrNotAvailable => ReceiveError::NotLocal(config.address),
            _ => ReceiveError::Bind(address, error),
        })?;
        if config.address.is_multicast() && config.auto_multicast {
            join(&socket, config)?;
        }
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let port = socket.local_addr()?.as_socket().map_or(config.port, |local| local.port());
        Ok(Self { socket, state, port, storage: vec![0; BATCH * READ_SIZE].into_boxed_slice(), waker: Waker::new()? })
    }

    /// The port it is bound to: the system's choice, where 0 was asked for.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What ends a wait.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// The bytes that the kernel keeps for this socket.
    pub fn buffer_size(&self) -> usize {
        // Linux tells twice what was asked for, to account for its own overhead (socket(7)).
        self.socket.recv_buffer_size().unwrap_or(0) / 2
    }

    /// Takes the datagrams that are there, up to a batch of them. `take` gets the source and the destination of each, and
    /// its bytes. Returns their number, 0 if there are none.
    pub fn read(&mut self, mut take: impl FnMut(SocketAddr, Option<SocketAddr>, &[u8])) -> io::Result<usize> {
        let mut metas = [RecvMeta::default(); BATCH];
        let mut rest = self.storage.chunks_exact_mut(READ_SIZE);
        let mut slices: [IoSliceMut<'_>; BATCH] = array::from_fn(|_| IoSliceMut::new(rest.next().unwrap_or_default()));
        let reads = match self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas) {
            Ok(reads) => reads,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            Err(error) => return Err(error),
        };
        let mut datagrams = 0;
        for (meta, bytes) in metas[..reads].iter().zip(self.storage.chunks_exact(READ_SIZE)) {
            let destination = meta.dst_ip.map(|ip| SocketAddr::new(ip, self.port));
            for datagram in bytes[..meta.len.min(READ_SIZE)].chunks(meta.stride.max(1)) {
                take(meta.addr, destination, datagram);
                datagrams += 1;
            }
        }
        Ok(datagrams)
    }

    /// Waits until there may be datagrams, or the time is up, or the waker was used.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.waker.wait(&self.socket, timeout)
    }
}

/// As many bytes as asked for, where the user may; otherwise as many as the system grants (net.core.rmem_max).
fn set_buffer_size(socket: &Socket, bytes: usize) -> io::Result<()> {
    rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, bytes)
        .or_else(|_| socket.set_recv_buffer_size(bytes))
}

fn join(socket: &Socket, config: &ReceiveConfig) -> Result<(), ReceiveError> {
    if config.address.is_ipv4() {
        // Without this a socket also gets what other sockets of this machine joined, on other interfaces.
        socket.set_multicast_all_v4(false)?;
        socket.set_multicast_loop_v4(config.multicast_loop)?;
    } else {
        socket.set_multicast_all_v6(false)?;
        socket.set_multicast_loop_v6(config.multicast_loop)?;
    }
    if config.interfaces.is_empty() {
        return join_on(socket, config, None);
    }
    config.interfaces.iter().try_for_each(|interface| join_on(socket, config, Some(interface)))
}

fn join_on(socket: &Socket, config: &ReceiveConfig, interface: Option<&str>) -> Result<(), ReceiveError> {
    let failed = |reason: String| ReceiveError::Join {
        group: config.address,
        interface: interface.unwrap_or("the default interface").to_owned(),
        reason,
    };
    let interface_address = interface.and_then(|interface| interface.parse::<Ipv4Addr>().ok());
    if let (IpAddr::V4(group), Some(interface)) = (config.address, interface_address) {
        return match config.source {
            Some(IpAddr::V4(source)) => socket.join_ssm_v4(&source, &group, &interface),
            _ => socket.join_multicast_v4(&group, &interface),
        }
        .map_err(|error| failed(error.to_string()));
    }
    if let Some(name) = interface {
        // GIO would take the default interface instead of one that is not there.
        rustix::net::netdevice::name_to_index(socket, name).map_err(|errno| failed(errno.to_string()))?;
    }
    // GIO knows interfaces by name and joins one source of a group in both IP versions.
    let join = || {
        let socket = gio::Socket::from_fd(
            socket
                .as_fd()
                .try_clone_to_owned()
                .map_err(|error| gio::glib::Error::new(gio::IOErrorEnum::Failed, &error.to_string()))?,
        )?;
        let group = gio::InetAddress::from(config.address);
        let source = config.source.map(gio::InetAddress::from);
        socket.join_multicast_group_ssm(&group, source.as_ref(), interface)
    };
    join().map_err(|error| failed(error.message().to_owned()))
}
