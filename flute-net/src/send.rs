// SPDX-License-Identifier: MPL-2.0

//! The sending socket: runs of packets of one size, cut into datagrams by the kernel or the network card where they can.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use rustix::io::Errno;
use rustix::net::sockopt;
use socket2::{Domain, Protocol, Socket, Type};

use crate::host::{HostAndPort, ResolveError, needs_zone};
use crate::interface::{Interface, with_zone};
use crate::membership;

/// Bytes that one system call takes at most: the longest UDP datagram over IPv4, which bounds a segmented one too.
const MAX_SEND: usize = 65_507;

/// How long the kernel may keep a caller waiting for room in its buffer before the caller may look about.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);

/// Where packets are sent, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendConfig {
    /// A multicast group or a host, and the UDP port.
    pub destination: HostAndPort,
    /// Interface of multicast, by name, index or IPv4 address; `None`: the zone of the destination, or the system's choice.
    pub interface: Option<String>,
    /// Local address; `None`: the system's choice.
    pub bind_address: Option<IpAddr>,
    /// Local port; 0: the system's choice.
    pub bind_port: u16,
    /// Routers that a packet to a host passes at most.
    pub ttl: u8,
    /// Routers that a packet to a group passes at most.
    pub ttl_mc: u8,
    /// Differentiated services code point (RFC 2474); `None`: the system's choice.
    pub dscp: Option<u8>,
    /// Bytes of SO_SNDBUF, as far as the system allows; 0 for its default.
    pub buffer_size: usize,
    /// Receivers on this machine get what is sent to a group.
    pub multicast_loop: bool,
    /// Join the group too, which some switches want before they forward it.
    pub auto_multicast: bool,
    /// Leave it to the kernel or the network card to cut runs of packets into datagrams (UDP segmentation offload), where
    /// they can. A capture made on this machine then shows several packets as one long datagram.
    pub gso: bool,
}

impl SendConfig {
    /// Sends to a destination as the system likes best: from any address, to groups that are not routed.
    pub fn new(destination: HostAndPort) -> Self {
        Self {
            destination,
            interface: None,
            bind_address: None,
            bind_port: 0,
            ttl: 64,
            ttl_mc: 1,
            dscp: None,
            buffer_size: 0,
            multicast_loop: true,
            auto_multicast: false,
            gso: true,
        }
    }
}

/// Why a socket cannot send.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The destination is a name that is not found.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The address means another thing on each interface, and none is named.
    #[error("{0} is another address on each interface: name one, as in {0}%eth0, or with multicast-iface=eth0")]
    NoZone(IpAddr),
    /// The destination is on one interface, and multicast is to leave by another.
    #[error("the address is on the interface {zone}, but multicast-iface is {interface}: leave one of them out")]
    OtherZone {
        /// The zone of the destination.
        zone: String,
        /// The interface of multicast.
        interface: String,
    },
    /// There is no such interface.
    #[error("there is no network interface “{0}”: give the name of one, as `ip link` shows it, or its IPv4 address")]
    NoInterface(String),
    /// The interface of an IPv6 group is named by an IPv4 address.
    #[error("an IPv6 group needs its interface by name, not by the address {0}")]
    InterfaceAddress(Ipv4Addr),
    /// Another program has the local port.
    #[error("UDP port {0} is in use by another program: choose another bind-port, or leave it 0")]
    PortInUse(SocketAddr),
    /// No interface has the local address.
    #[error("bind-address {0} is not an address of this machine")]
    NotLocal(IpAddr),
    /// The local address and the destination do not go together.
    #[error("bind-address {bind} and address {destination} are not of the same IP version")]
    OtherVersion {
        /// The local address.
        bind: IpAddr,
        /// The destination.
        destination: IpAddr,
    },
    /// The system does not bind the socket.
    #[error("binding UDP {0}: {1}")]
    Bind(SocketAddr, #[source] io::Error),
    /// The system knows no way to the destination.
    #[error("there is no route to {0}: set multicast-iface, or add a route")]
    NoRoute(IpAddr),
    /// The system knows no way to the destination over the interface that is named.
    #[error(
        "there is no route to {destination} over {interface}: is the interface up, and has it an address of this IP version?"
    )]
    NoRouteOver {
        /// The destination.
        destination: IpAddr,
        /// The interface of multicast.
        interface: String,
    },
    /// An option of the socket is refused.
    #[error("setting up the socket: {0}")]
    Socket(#[from] io::Error),
}

/// A UDP socket with one destination.
#[derive(Debug)]
pub struct SendSocket {
    socket: Socket,
    state: UdpSocketState,
    destination: SocketAddr,
    gso: bool,
    /// quinn-udp sets the traffic class of every datagram itself, to a code point of 0.
    has_dscp: bool,
}

impl SendSocket {
    /// Opens and binds the socket, and looks whether the destination can be reached at all. A name is looked up, which may
    /// take seconds.
    pub fn open(config: &SendConfig) -> Result<Self, SendError> {
        let ip = config.destination.host.resolve(config.bind_address)?;
        let socket = socket_for(ip)?;
        if config.buffer_size > 0 {
            sockopt::set_socket_send_buffer_size(&socket, config.buffer_size).map_err(io::Error::from)?;
        }
        let route = Route::new(&socket, config, ip)?;
        route.apply(&socket)?;
        if config.auto_multicast {
            route.join(&socket)?;
        }
        route.bind(&socket)?;
        route.probe()?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // A full buffer makes the caller wait, but never for long without a look at whether it is to stop.
        socket.set_nonblocking(false)?;
        socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        Ok(Self { socket, state, destination: route.destination, gso: config.gso, has_dscp: config.dscp.is_some() })
    }

    /// Sends to another destination from now on, from the same local address where it is of the same IP version. A socket
    /// that cannot goes on as before.
    pub fn redirect(&mut self, config: &SendConfig) -> Result<(), SendError> {
        let ip = config.destination.host.resolve(config.bind_address)?;
        if ip.is_ipv4() != self.destination.is_ipv4() {
            *self = Self::open(config)?;
            return Ok(());
        }
        let route = Route::new(&self.socket, config, ip)?;
        route.probe()?;
        route.apply(&self.socket)?;
        if config.auto_multicast {
            route.join(&self.socket)?;
        }
        self.destination = route.destination;
        Ok(())
    }

    /// Where packets go to.
    pub fn destination(&self) -> SocketAddr {
        self.destination
    }

    /// The address and port that packets come from.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }

    /// Packets that one call of [`send`](Self::send) takes without being divided.
    pub fn max_packets(&self, packet_size: usize) -> usize {
        if self.has_dscp || !self.gso {
            return 1;
        }
        self.state.max_gso_segments().min(MAX_SEND / packet_size.max(1)).max(1)
    }

    /// Sends packets that lie one after the other, all of `packet_size` but the last, which may be shorter. `stop` is
    /// asked while the kernel has no room; if it says so, the rest is not sent.
    pub fn send(&self, packets: &[u8], packet_size: usize, stop: impl Fn() -> bool) -> io::Result<()> {
        let packet_size = packet_size.max(1);
        let mut rest = packets;
        while !rest.is_empty() {
            let (run, later) = rest.split_at(rest.len().min(packet_size * self.max_packets(packet_size)));
            match self.send_run(run, packet_size) {
                Ok(()) => rest = later,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if stop() {
                        return Ok(());
                    }
                }
                // The network card cannot segment: quinn-udp has noted it, and the next run is a single packet.
                Err(_) if run.len() > packet_size * self.max_packets(packet_size) => (),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn send_run(&self, run: &[u8], packet_size: usize) -> io::Result<()> {
        if self.has_dscp {
            return self.socket.send_to(run, &self.destination.into()).map(|_| ());
        }
        let transmit = Transmit {
            destination: self.destination,
            ecn: None,
            contents: run,
            segment_size: (run.len() > packet_size).then_some(packet_size),
            src_ip: None,
        };
        self.state.try_send(UdpSockRef::from(&self.socket), &transmit)
    }
}

fn socket_for(destination: IpAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address((destination, 0).into()), Type::DGRAM, Some(Protocol::UDP))
}

/// The way of packets to their destination.
struct Route<'a> {
    config: &'a SendConfig,
    destination: SocketAddr,
    /// Interface of multicast.
    interface: Option<Interface>,
}

impl<'a> Route<'a> {
    /// The destination is at this address.
    fn new(socket: &Socket, config: &'a SendConfig, ip: IpAddr) -> Result<Self, SendError> {
        let zone = config.destination.host.zone();
        let named = match (zone, config.interface.as_deref()) {
            (Some(zone), Some(interface)) if zone != interface => {
                return Err(SendError::OtherZone { zone: zone.to_owned(), interface: interface.to_owned() });
            }
            (zone, interface) => zone.or(interface),
        };
        let find = |name: &str| Interface::find(socket, name).ok_or_else(|| SendError::NoInterface(name.to_owned()));
        let interface = named.map(find).transpose()?;
        if let (IpAddr::V6(_), Some(Interface::Address(address))) = (ip, interface) {
            return Err(SendError::InterfaceAddress(address));
        }
        let mut destination = SocketAddr::new(ip, config.destination.port);
        if needs_zone(ip) {
            let index = interface.and_then(Interface::index).ok_or(SendError::NoZone(ip))?;
            destination = with_zone(destination, index);
        }
        Ok(Self { config, destination, interface })
    }

    /// Sets the options of a socket that decide how packets travel.
    fn apply(&self, socket: &Socket) -> Result<(), SendError> {
        if self.destination.is_ipv4() { self.apply_ipv4(socket) } else { self.apply_ipv6(socket) }
    }

    fn apply_ipv4(&self, socket: &Socket) -> Result<(), SendError> {
        let config = self.config;
        socket.set_ttl_v4(config.ttl.into())?;
        socket.set_multicast_ttl_v4(config.ttl_mc.into())?;
        socket.set_multicast_loop_v4(config.multicast_loop)?;
        if let Some(dscp) = config.dscp {
            socket.set_tos_v4(u32::from(dscp) << 2)?;
        }
        match self.interface {
            None => (),
            Some(Interface::Address(address)) => {
                socket.set_multicast_if_v4(&address).map_err(|_| SendError::NoInterface(address.to_string()))?;
            }
            Some(Interface::Index(index)) => {
                let any = Ipv4Addr::UNSPECIFIED;
                sockopt::set_ip_multicast_if_with_ifindex(socket, &any, &any, index).map_err(io::Error::from)?;
            }
        }
        Ok(())
    }

    fn apply_ipv6(&self, socket: &Socket) -> Result<(), SendError> {
        let config = self.config;
        socket.set_unicast_hops_v6(config.ttl.into())?;
        socket.set_multicast_hops_v6(config.ttl_mc.into())?;
        socket.set_multicast_loop_v6(config.multicast_loop)?;
        if let Some(dscp) = config.dscp {
            sockopt::set_ipv6_tclass(socket, u32::from(dscp) << 2).map_err(io::Error::from)?;
        }
        if let Some(index) = self.interface.and_then(Interface::index) {
            socket.set_multicast_if_v6(index)?;
        }
        Ok(())
    }

    /// Joins the destination, if it is a group.
    fn join(&self, socket: &Socket) -> Result<(), SendError> {
        let group = self.destination.ip();
        if group.is_multicast() {
            membership::join(socket, group, None, self.interface)?;
        }
        Ok(())
    }

    fn bind(&self, socket: &Socket) -> Result<(), SendError> {
        let destination = self.destination.ip();
        let any: IpAddr =
            if destination.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let bind = self.config.bind_address.unwrap_or(any);
        if bind.is_ipv4() != destination.is_ipv4() {
            return Err(SendError::OtherVersion { bind, destination });
        }
        let mut address = SocketAddr::new(bind, self.config.bind_port);
        if needs_zone(bind) {
            address = with_zone(address, self.interface.and_then(Interface::index).ok_or(SendError::NoZone(bind))?);
        }
        socket.bind(&address.into()).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => SendError::PortInUse(address),
            io::ErrorKind::AddrNotAvailable => SendError::NotLocal(bind),
            _ => SendError::Bind(address, error),
        })
    }

    /// Asks the kernel for a route, by connecting a second socket with the same settings, which sends nothing.
    fn probe(&self) -> Result<(), SendError> {
        let destination = self.destination.ip();
        let probe = socket_for(destination)?;
        self.apply(&probe)?;
        let Err(error) = probe.connect(&self.destination.into()) else { return Ok(()) };
        let is_unreachable = matches!(
            error.raw_os_error().map(Errno::from_raw_os_error),
            Some(Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::ADDRNOTAVAIL)
        );
        Err(match self.config.interface.clone().or(self.config.destination.host.zone().map(str::to_owned)) {
            _ if !is_unreachable => SendError::Socket(error),
            Some(interface) if destination.is_multicast() => SendError::NoRouteOver { destination, interface },
            _ => SendError::NoRoute(destination),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn config(destination: SocketAddr) -> SendConfig {
        SendConfig::new(HostAndPort::new(destination.ip(), destination.port()))
    }

    fn receiver() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    fn datagrams_arrive_whole(dscp: Option<u8>, gso: bool) {
        let (receiver, address) = receiver();
        let sender = SendSocket::open(&SendConfig { dscp, gso, ..config(address) }).unwrap();
        // More than one segmented send takes, and a shorter packet at the end.
        let packets: Vec<u8> = (0..100 * 700 + 5).map(|i| (i % 251) as u8).collect();
        let mut received = Vec::new();
        let mut buffer = [0; 2000];
        for run in packets.chunks(50 * 700) {
            sender.send(run, 700, || false).unwrap();
            for expected in run.chunks(700) {
                let length = receiver.recv(&mut buffer).unwrap();
                assert_eq!(length, expected.len());
                received.extend_from_slice(&buffer[..length]);
            }
        }
        assert_eq!(received, packets);
    }

    #[test]
    fn datagrams_arrive_whole_segmented() {
        datagrams_arrive_whole(None, true);
    }

    #[test]
    fn datagrams_arrive_whole_one_by_one() {
        datagrams_arrive_whole(Some(46), true);
        datagrams_arrive_whole(None, false);
    }

    #[test]
    fn another_destination() {
        let ((first, address), (second, other)) = (receiver(), receiver());
        let mut sender = SendSocket::open(&config(address)).unwrap();
        let from = sender.local_address();
        sender.send(b"1", 1, || false).unwrap();
        sender.redirect(&config(other)).unwrap();
        sender.send(b"2", 1, || false).unwrap();
        let wrong = SendConfig { interface: Some("no-such-if".into()), ..config(address) };
        assert!(sender.redirect(&wrong).is_err());
        sender.send(b"3", 1, || false).unwrap();
        let mut buffer = [0; 2];
        for (receiver, expected) in [(&first, b'1'), (&second, b'2'), (&second, b'3')] {
            assert_eq!((receiver.recv(&mut buffer).unwrap(), buffer[0]), (1, expected));
        }
        assert_eq!(sender.local_address(), from);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let group: SocketAddr = "239.1.1.1:3400".parse().unwrap();
        let open = |config: SendConfig| SendSocket::open(&config).map(|_| ()).unwrap_err().to_string();
        let wrong = open(SendConfig { interface: Some("no-such-if".into()), ..config(group) });
        assert!(wrong.contains("no network interface “no-such-if”"), "{wrong}");
        let wrong = open(SendConfig { bind_address: Some("198.51.100.7".parse().unwrap()), ..config(group) });
        assert!(wrong.contains("not an address of this machine"), "{wrong}");
        let wrong = open(SendConfig { bind_address: Some("::1".parse().unwrap()), ..config(group) });
        assert!(wrong.contains("not of the same IP version"), "{wrong}");
        let (_taken, address) = receiver();
        let wrong = open(SendConfig {
            bind_address: Some(address.ip()),
            bind_port: address.port(),
            ..config("127.0.0.1:9".parse().unwrap())
        });
        assert!(wrong.contains("in use"), "{wrong}");
    }

    #[test]
    fn multicast_by_the_name_and_by_the_address_of_an_interface() {
        let group: SocketAddr = "239.255.7.7:3400".parse().unwrap();
        for interface in ["lo", "127.0.0.1"] {
            let config = SendConfig { interface: Some(interface.into()), auto_multicast: true, ..config(group) };
            SendSocket::open(&config).unwrap().send(b"hello", 5, || false).unwrap();
        }
    }
}
