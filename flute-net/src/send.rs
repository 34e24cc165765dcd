// SPDX-License-Identifier: MPL-2.0

//! The sending socket: runs of packets of one size, cut into datagrams by the kernel or the network card where they can.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use rustix::io::Errno;
use rustix::net::{netdevice, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

/// Bytes that one system call takes at most: the longest UDP datagram over IPv4, which bounds a segmented one too.
const MAX_SEND: usize = 65_507;

/// How long the kernel may keep a caller waiting for room in its buffer before the caller may look about.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);

/// Where packets are sent, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendConfig {
    /// A multicast group or a host, and the port.
    pub destination: SocketAddr,
    /// Interface of multicast, by name or IPv4 address; `None`: the system's choice.
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
}

/// Why a socket cannot send.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
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
    /// quinn-udp sets the traffic class of every datagram itself, to a code point of 0.
    has_dscp: bool,
}

impl SendSocket {
    /// Opens and binds the socket, and looks whether the destination can be reached at all.
    pub fn open(config: &SendConfig) -> Result<Self, SendError> {
        let destination = config.destination;
        let socket = Socket::new(Domain::for_address(destination), Type::DGRAM, Some(Protocol::UDP))?;
        if config.buffer_size > 0 {
            sockopt::set_socket_send_buffer_size(&socket, config.buffer_size).map_err(io::Error::from)?;
        }
        if config.destination.is_ipv4() {
            set_ipv4(&socket, config)?
        } else {
            set_ipv6(&socket, config)?
        }
        bind(&socket, config)?;
        probe_route(config)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // A full buffer makes the caller wait, but never for long without a look at whether it is to stop.
        socket.set_nonblocking(false)?;
        socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        Ok(Self { socket, state, destination, has_dscp: config.dscp.is_some() })
    }

    /// Sends to another destination from now on, from the same local address where it is of the same IP version. A socket
    /// that cannot goes on as before.
    pub fn redirect(&mut self, config: &SendConfig) -> Result<(), SendError> {
        if config.destination.is_ipv4() != self.destination.is_ipv4() {
            *self = Self::open(config)?;
            return Ok(());
        }
        probe_route(config)?;
        if config.destination.is_ipv4() {
            set_ipv4(&self.socket, config)?
        } else {
            set_ipv6(&self.socket, config)?
        }
        self.destination = config.destination;
        Ok(())
    }

    /// The address and port that packets come from.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }

    /// Packets that one call of [`send`](Self::send) takes without being divided.
    pub fn max_packets(&self, packet_size: usize) -> usize {
        if self.has_dscp {
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

fn set_ipv4(socket: &Socket, config: &SendConfig) -> Result<(), SendError> {
    socket.set_ttl_v4(config.ttl.into())?;
    socket.set_multicast_ttl_v4(config.ttl_mc.into())?;
    socket.set_multicast_loop_v4(config.multicast_loop)?;
    if let Some(dscp) = config.dscp {
        socket.set_tos_v4(u32::from(dscp) << 2)?;
    }
    let mut joined_on = Ipv4Addr::UNSPECIFIED;
    let mut index = 0;
    match config.interface.as_deref().map(|interface| (interface, interface.parse::<Ipv4Addr>())) {
        None => (),
        Some((interface, Ok(address))) => {
            socket.set_multicast_if_v4(&address).map_err(|_| SendError::NoInterface(interface.to_owned()))?;
            joined_on = address;
        }
        Some((interface, Err(_))) => {
            index = interface_index(socket, interface)?;
            let any = Ipv4Addr::UNSPECIFIED;
            sockopt::set_ip_multicast_if_with_ifindex(socket, &any, &any, index).map_err(io::Error::from)?;
        }
    }
    if let (true, IpAddr::V4(group)) = (config.auto_multicast, config.destination.ip())
        && group.is_multicast()
    {
        if index > 0 {
            socket.join_multicast_v4_n(&group, &socket2::InterfaceIndexOrAddress::Index(index))?;
        } else {
            socket.join_multicast_v4(&group, &joined_on)?;
        }
    }
    Ok(())
}

fn set_ipv6(socket: &Socket, config: &SendConfig) -> Result<(), SendError> {
    socket.set_unicast_hops_v6(config.ttl.into())?;
    socket.set_multicast_hops_v6(config.ttl_mc.into())?;
    socket.set_multicast_loop_v6(config.multicast_loop)?;
    if let Some(dscp) = config.dscp {
        sockopt::set_ipv6_tclass(socket, u32::from(dscp) << 2).map_err(io::Error::from)?;
    }
    let mut index = 0;
    if let Some(interface) = &config.interface {
        if let Ok(address) = interface.parse::<Ipv4Addr>() {
            return Err(SendError::InterfaceAddress(address));
        }
        index = interface_index(socket, interface)?;
        socket.set_multicast_if_v6(index)?;
    }
    if let (true, IpAddr::V6(group)) = (config.auto_multicast, config.destination.ip())
        && group.is_multicast()
    {
        socket.join_multicast_v6(&group, index)?;
    }
    Ok(())
}

fn interface_index(socket: &Socket, name: &str) -> Result<u32, SendError> {
    netdevice::name_to_index(socket, name).map_err(|_| SendError::NoInterface(name.to_owned()))
}

fn bind(socket: &Socket, config: &SendConfig) -> Result<(), SendError> {
    let destination = config.destination.ip();
    let any: IpAddr = if destination.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let bind = config.bind_address.unwrap_or(any);
    if bind.is_ipv4() != destination.is_ipv4() {
        return Err(SendError::OtherVersion { bind, destination });
    }
    let address = SocketAddr::new(bind, config.bind_port);
    socket.bind(&address.into()).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => SendError::PortInUse(address),
        io::ErrorKind::AddrNotAvailable => SendError::NotLocal(bind),
        _ => SendError::Bind(address, error),
    })
}

/// Asks the kernel for a route, by connecting a second socket with the same settings, which sends nothing.
fn probe_route(config: &SendConfig) -> Result<(), SendError> {
    let probe = Socket::new(Domain::for_address(config.destination), Type::DGRAM, Some(Protocol::UDP))?;
    let alone = SendConfig { auto_multicast: false, ..config.clone() };
    if config.destination.is_ipv4() {
        set_ipv4(&probe, &alone)?
    } else {
        set_ipv6(&probe, &alone)?
    }
    probe.connect(&config.destination.into()).map_err(|error| {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::ADDRNOTAVAIL) => {
                SendError::NoRoute(config.destination.ip())
            }
            _ => SendError::Socket(error),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn config(destination: SocketAddr) -> SendConfig {
        SendConfig {
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
        }
    }

    fn receiver() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    fn datagrams_arrive_whole(dscp: Option<u8>) {
        let (receiver, address) = receiver();
        let sender = SendSocket::open(&SendConfig { dscp, ..config(address) }).unwrap();
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
        datagrams_arrive_whole(None);
    }

    #[test]
    fn datagrams_arrive_whole_one_by_one() {
        datagrams_arrive_whole(Some(46));
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
