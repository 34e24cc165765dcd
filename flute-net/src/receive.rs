// SPDX-License-Identifier: MPL-2.0

//! The receiving socket: a UDP port, a multicast group joined on chosen interfaces, datagrams in batches.

use std::array;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

use crate::host::{HostAndPort, ResolveError, needs_zone};
use crate::interface::{Interface, with_zone};
use crate::membership;
use crate::readiness::{Readiness, Waker};
use crate::socket_options;

/// Reads of the kernel that one system call takes, each of them one datagram, or several that it coalesced.
const BATCH: usize = quinn_udp::BATCH_SIZE;

/// Bytes of one read: what the kernel coalesces at most, and more than the longest datagram.
const READ_SIZE: usize = 1 << 16;

/// What a receiving socket listens to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceiveConfig {
    /// A multicast group, or an address of this machine, and the UDP port; 0 for a port of the system's choice.
    pub address: HostAndPort,
    /// Interfaces on which the group is joined, by name, index or IPv4 address; none: the zone of the address, or the
    /// system's choice. A group of link or interface scope lies on exactly one.
    pub interfaces: Vec<String>,
    /// The one sender to listen to (source-specific multicast, RFC 4607).
    pub source: Option<IpAddr>,
    /// Bytes of SO_RCVBUF, as far as the system allows; 0 for its default.
    pub buffer_size: usize,
    /// Join the group, if the address is one.
    pub auto_multicast: bool,
    /// Share the port with other sockets.
    pub reuse: bool,
    /// IP_MULTICAST_LOOP, which some systems apply to the receiving socket.
    pub multicast_loop: bool,
}

impl ReceiveConfig {
    /// Listens to an address, joins it if it is a group, and shares the port.
    pub fn new(address: HostAndPort) -> Self {
        Self {
            address,
            interfaces: Vec::new(),
            source: None,
            buffer_size: 0,
            auto_multicast: true,
            reuse: true,
            multicast_loop: true,
        }
    }
}

/// Why a socket cannot receive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The address is a name that is not found.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
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
    /// The address means another thing on each interface, and none or several are named.
    #[error("{0} is another address on each interface: name one, as in {0}%eth0, or with multicast-iface=eth0")]
    NoZone(IpAddr),
    /// The address is on one interface, and the group is to be joined on others.
    #[error("the address is on the interface {zone}, but is to be joined on {interfaces}: leave one of them out")]
    OtherZone {
        /// The zone of the address.
        zone: String,
        /// Where the group is to be joined.
        interfaces: String,
    },
    /// The system does not join the group.
    #[error("joining {group} on {interface}: {error}; is it the name or the address of an interface that is up?")]
    Join {
        /// The group.
        group: IpAddr,
        /// Where it was to be joined.
        interface: String,
        /// What the system says.
        error: io::Error,
    },
    /// An option of the socket is refused.
    #[error("setting up the socket: {0}")]
    Socket(#[from] io::Error),
}

/// A UDP socket that is bound to a port and has joined a group.
#[derive(Debug)]
pub struct ReceiveSocket {
    socket: Socket,
    state: UdpSocketState,
    local: SocketAddr,
    /// What one system call reads.
    storage: Box<[u8]>,
    readiness: Readiness,
}

impl ReceiveSocket {
    /// Opens, binds and joins. A name is looked up, which may take seconds.
    pub fn open(config: &ReceiveConfig) -> Result<Self, ReceiveError> {
        let HostAndPort { host, port } = &config.address;
        let ip = host.resolve(config.source)?;
        if let Some(sender) = config.source
            && sender.is_ipv4() != ip.is_ipv4()
        {
            return Err(ReceiveError::OtherVersion { sender, group: ip });
        }
        let address = SocketAddr::new(ip, *port);
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        let interfaces = interfaces(&socket, config, ip)?;
        let address = match interfaces.as_slice() {
            _ if !needs_zone(ip) => address,
            [(_, Interface::Index(index))] => with_zone(address, *index),
            _ => return Err(ReceiveError::NoZone(ip)),
        };
        socket.set_reuse_address(config.reuse)?;
        if ip.is_ipv6() {
            // 0.0.0.0 is how IPv4 is asked for.
            socket.set_only_v6(true)?;
        }
        if config.buffer_size > 0 {
            set_buffer_size(&socket, config.buffer_size)?;
        }
        // Bound to the group, and not to any address, a socket gets no datagrams of other groups on the same port.
        socket.bind(&address.into()).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => ReceiveError::PortInUse(address),
            io::ErrorKind::AddrNotAvailable => ReceiveError::NotLocal(ip),
            _ => ReceiveError::Bind(address, error),
        })?;
        if ip.is_multicast() && config.auto_multicast {
            join(&socket, config, ip, &interfaces)?;
        }
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?.as_socket().unwrap_or(address);
        let readiness = Readiness::new(&socket)?;
        Ok(Self { socket, state, local, storage: vec![0; BATCH * READ_SIZE].into_boxed_slice(), readiness })
    }

    /// The address and the port it is bound to, which is the system's choice where 0 was asked for.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// What ends a wait.
    pub fn waker(&self) -> Waker {
        self.readiness.waker()
    }

    /// The bytes that the kernel keeps for this socket.
    pub fn buffer_size(&self) -> usize {
        // Linux tells twice what was asked for, to account for its own overhead (socket(7)).
        self.socket.recv_buffer_size().unwrap_or(0) / 2
    }

    /// Datagrams that the kernel has dropped since the socket was opened, because its buffer was full. `None` where the
    /// system does not tell.
    pub fn dropped_datagrams(&self) -> Option<u32> {
        socket_options::dropped_datagrams(&self.socket)
    }

    /// Takes the datagrams that are there, up to a batch of them. `take` gets the source and the destination of each, and
    /// its bytes. Returns their number, 0 if there are none.
    pub fn read(&mut self, mut take: impl FnMut(SocketAddr, Option<SocketAddr>, &[u8])) -> io::Result<usize> {
        let mut metas = [RecvMeta::default(); BATCH];
        let mut rest = self.storage.chunks_exact_mut(READ_SIZE);
        let mut slices: [IoSliceMut<'_>; BATCH] = array::from_fn(|_| IoSliceMut::new(rest.next().unwrap_or_default()));
        let reads = loop {
            match self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas) {
                Ok(reads) => break reads,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        };
        let mut datagrams = 0;
        for (meta, bytes) in metas[..reads].iter().zip(self.storage.chunks_exact(READ_SIZE)) {
            let destination = meta.dst_ip.map(|ip| SocketAddr::new(ip, self.local.port()));
            for datagram in bytes[..meta.len.min(READ_SIZE)].chunks(meta.stride.max(1)) {
                take(meta.addr, destination, datagram);
                datagrams += 1;
            }
        }
        Ok(datagrams)
    }

    /// Waits until there may be datagrams, or the time is up, or the waker is used. [`read`](Self::read) must have said
    /// before that there are none.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.readiness.wait(timeout)
    }
}

/// As many bytes as asked for, where the user may; otherwise as many as the system grants (net.core.rmem_max).
fn set_buffer_size(socket: &Socket, bytes: usize) -> io::Result<()> {
    rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, bytes)
        .or_else(|_| socket.set_recv_buffer_size(bytes))
}

/// The interfaces that the user names, by those names.
fn interfaces<'a>(
    socket: &Socket,
    config: &'a ReceiveConfig,
    group: IpAddr,
) -> Result<Vec<(&'a str, Interface)>, ReceiveError> {
    let named = || config.interfaces.iter().map(String::as_str);
    let zone = config.address.host.zone();
    if let Some(zone) = zone
        && named().any(|interface| interface != zone)
    {
        return Err(ReceiveError::OtherZone { zone: zone.to_owned(), interfaces: config.interfaces.join(", ") });
    }
    let names = zone.into_iter().chain(named().filter(|_| zone.is_none()));
    names
        .map(|name| match Interface::find(socket, name) {
            Some(interface) => Ok((name, interface)),
            None => Err(ReceiveError::Join {
                group,
                interface: name.to_owned(),
                error: io::Error::other("there is no such interface"),
            }),
        })
        .collect()
}

fn join(
    socket: &Socket,
    config: &ReceiveConfig,
    group: IpAddr,
    interfaces: &[(&str, Interface)],
) -> Result<(), ReceiveError> {
    if group.is_ipv4() {
        // Without this a socket also gets what other sockets of this machine joined, on other interfaces.
        socket.set_multicast_all_v4(false)?;
        socket.set_multicast_loop_v4(config.multicast_loop)?;
    } else {
        socket.set_multicast_all_v6(false)?;
        socket.set_multicast_loop_v6(config.multicast_loop)?;
    }
    let join_on = |name: &str, interface| {
        membership::join(socket, group, config.source, interface).map_err(|error| ReceiveError::Join {
            group,
            interface: name.to_owned(),
            error,
        })
    };
    if interfaces.is_empty() {
        return join_on("the default interface", None);
    }
    interfaces.iter().try_for_each(|&(name, interface)| join_on(name, Some(interface)))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::host::Host;
    use crate::send::{SendConfig, SendSocket};

    fn config(host: &str) -> ReceiveConfig {
        ReceiveConfig::new(HostAndPort::new(host.parse::<Host>().unwrap(), 0))
    }

    fn sender_to(socket: &ReceiveSocket) -> SendSocket {
        let destination = HostAndPort::new(socket.local_address().ip(), socket.local_address().port());
        SendSocket::open(&SendConfig::new(destination)).unwrap()
    }

    #[test]
    fn datagrams_come_as_they_were_sent() {
        let mut receiver = ReceiveSocket::open(&config("localhost")).unwrap();
        let sender = sender_to(&receiver);
        let packets: Vec<u8> = (0..30 * 700 + 5).map(|i| (i % 251) as u8).collect();
        sender.send(&packets, 700, || false).unwrap();
        let mut received = Vec::new();
        while received.len() < packets.len() {
            let datagrams = receiver.read(|source, _, datagram| {
                assert_eq!(source.port(), sender.local_address().unwrap().port());
                assert_eq!(datagram.len(), 700.min(packets.len() - received.len()));
                received.extend_from_slice(datagram);
            });
            if datagrams.unwrap() == 0 {
                receiver.wait(None).unwrap();
            }
        }
        assert_eq!(received, packets);
        assert_eq!(receiver.dropped_datagrams(), Some(0));
    }

    #[test]
    fn what_the_kernel_drops_is_counted() {
        let mut small = config("127.0.0.1");
        small.buffer_size = 1;
        let mut receiver = ReceiveSocket::open(&small).unwrap();
        let sender = sender_to(&receiver);
        for _ in 0..100 {
            sender.send(&[0; 1400], 1400, || false).unwrap();
        }
        let mut received = 0;
        while receiver.read(|_, _, _| received += 1).unwrap() > 0 {}
        assert!(received < 100);
        assert_eq!(receiver.dropped_datagrams(), Some(100 - received));
    }

    #[test]
    fn waits_end() {
        let mut receiver = ReceiveSocket::open(&config("127.0.0.1")).unwrap();
        let waker = receiver.waker();
        let waiting = std::thread::spawn(move || receiver.wait(None));
        waker.wake();
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn what_is_wrong_is_said() {
        let open = |config: ReceiveConfig| ReceiveSocket::open(&config).map(|_| ()).unwrap_err().to_string();
        let error = open(config("192.0.2.1"));
        assert_eq!(error, "192.0.2.1 is neither a multicast group nor an address of this machine");
        let error = open(config("no-such-host.invalid"));
        assert!(error.starts_with("“no-such-host.invalid” is not an IP address, and no host"), "{error}");
        let error = open(config("ff12::1"));
        assert_eq!(
            error,
            "ff12::1 is another address on each interface: name one, as in ff12::1%eth0, or with multicast-iface=eth0"
        );
        let error = open(ReceiveConfig { interfaces: vec!["other".to_owned()], ..config("ff12::1%lo") });
        assert!(error.contains("on the interface lo, but is to be joined on other"), "{error}");
        let error = open(ReceiveConfig { interfaces: vec!["no-such-if".to_owned()], ..config("239.255.7.7") });
        assert!(error.starts_with("joining 239.255.7.7 on no-such-if: there is no such interface"), "{error}");
        let error = open(ReceiveConfig { source: "::1".parse().ok(), ..config("239.255.7.7") });
        assert_eq!(error, "the sender ::1 and the group 239.255.7.7 are not of the same IP version");
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut in_use = config("127.0.0.1");
        in_use.address.port = taken.local_addr().unwrap().port();
        assert!(open(in_use).contains("in use by another program"));
    }
}
