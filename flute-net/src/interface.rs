// SPDX-License-Identifier: MPL-2.0

//! The network interfaces that users name.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;

use rustix::net::netdevice;

/// An interface of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interface {
    /// By its index, which is never 0.
    Index(u32),
    /// By one of its addresses, which says it for IPv4 only.
    Address(Ipv4Addr),
}

impl Interface {
    /// The interface of this name, index or IPv4 address. `None` if there is none of this name or index.
    pub(crate) fn find(socket: impl AsFd, name: &str) -> Option<Self> {
        if let Ok(address) = name.parse() {
            return Some(Self::Address(address));
        }
        let index = match name.parse() {
            Ok(index) => netdevice::index_to_name(socket, index).ok().map(|_| index),
            Err(_) => netdevice::name_to_index(socket, name).ok(),
        };
        index.filter(|&index| index > 0).map(Self::Index)
    }

    /// The index, if it is named by that.
    pub(crate) fn index(self) -> Option<u32> {
        match self {
            Self::Index(index) => Some(index),
            Self::Address(_) => None,
        }
    }
}

/// The address with this zone, if it is one of IPv6.
pub(crate) fn with_zone(mut address: SocketAddr, index: u32) -> SocketAddr {
    if let SocketAddr::V6(address) = &mut address {
        address.set_scope_id(index);
    }
    address
}
