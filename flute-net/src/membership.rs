// SPDX-License-Identifier: MPL-2.0

//! Joining multicast groups.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use socket2::{InterfaceIndexOrAddress, Socket};

use crate::interface::Interface;
use crate::socket_options::join_source_group;

/// Joins a group, of any source or of one (RFC 4607), on an interface, or on the one that the system prefers.
pub(crate) fn join(
    socket: &Socket,
    group: IpAddr,
    source: Option<IpAddr>,
    interface: Option<Interface>,
) -> io::Result<()> {
    let index = match interface {
        None => 0,
        Some(Interface::Index(index)) => index,
        Some(Interface::Address(address)) => return join_by_address(socket, group, source, address),
    };
    match (group, source) {
        (_, Some(source)) => join_source_group(socket, group, source, index),
        (IpAddr::V4(group), None) => socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index)),
        (IpAddr::V6(group), None) => socket.join_multicast_v6(&group, index),
    }
}

fn join_by_address(socket: &Socket, group: IpAddr, source: Option<IpAddr>, interface: Ipv4Addr) -> io::Result<()> {
    match (group, source) {
        (IpAddr::V4(group), None) => socket.join_multicast_v4(&group, &interface),
        (IpAddr::V4(group), Some(IpAddr::V4(source))) => socket.join_ssm_v4(&source, &group, &interface),
        _ => Err(io::Error::other("an IPv6 group needs its interface by name, not by an IPv4 address")),
    }
}
