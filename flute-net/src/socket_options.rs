// SPDX-License-Identifier: MPL-2.0

//! The options of sockets that no crate offers without `unsafe`.

#![expect(unsafe_code, reason = "the kernel is handed a pointer to the value of the option and its length")]

use std::io;
use std::mem::{self, size_of};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use socket2::{SockAddr, SockAddrStorage};

/// MCAST_JOIN_SOURCE_GROUP of `linux/in.h`.
const MCAST_JOIN_SOURCE_GROUP: libc::c_int = 46;

/// `struct group_source_req` of `linux/in.h` (RFC 3678 §5.1).
#[repr(C)]
struct GroupSourceRequest {
    interface: u32,
    group: SockAddrStorage,
    source: SockAddrStorage,
}

/// Joins one source of a group, in both IP versions, on the interface of this index; 0: the system's choice.
pub(crate) fn join_source_group(socket: impl AsFd, group: IpAddr, source: IpAddr, interface: u32) -> io::Result<()> {
    let storage = |ip| SockAddr::from(SocketAddr::new(ip, 0)).as_storage();
    let request = GroupSourceRequest { interface, group: storage(group), source: storage(source) };
    let level = if group.is_ipv4() { libc::IPPROTO_IP } else { libc::IPPROTO_IPV6 };
    // SAFETY: the descriptor is open, and the kernel reads as many bytes as the request has, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            MCAST_JOIN_SOURCE_GROUP,
            (&raw const request).cast(),
            size_of::<GroupSourceRequest>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How many datagrams the kernel has dropped because the buffer of the socket was full (SO_MEMINFO of socket(7)). `None`
/// where the kernel does not tell.
pub(crate) fn dropped_datagrams(socket: impl AsFd) -> Option<u32> {
    /// SK_MEMINFO_VARS of `linux/sock_diag.h`; the last of them counts drops.
    const VARIABLES: usize = 9;
    let mut variables = [0u32; VARIABLES];
    let mut length = mem::size_of_val(&variables) as libc::socklen_t;
    // SAFETY: the descriptor is open, and the kernel writes at most `length` bytes, which the array has.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            variables.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    (result == 0 && length as usize >= mem::size_of_val(&variables)).then_some(variables[VARIABLES - 1])
}
