// SPDX-License-Identifier: MPL-2.0

//! How users name a group or a host: an IP address, one with the zone it lies in, or a name.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, ToSocketAddrs};
use std::str::FromStr;

/// Bytes of a host name (RFC 1035 §3.1, without the final dot).
const MAX_NAME: usize = 253;

/// A multicast group or a host.
///
/// It is read from `239.1.1.1`, `ff3e::1`, `[ff3e::1]`, `ff12::1%eth0` (RFC 4007 §11) or `cast.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An IP address.
    Address {
        /// The address.
        ip: IpAddr,
        /// The zone of an IPv6 address that means something on one link only: the name or the index of the interface.
        zone: Option<String>,
    },
    /// A name, which is looked up when a socket is opened.
    Name(String),
}

impl Host {
    /// The address, unless that has to be looked up.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Address { ip, .. } => Some(*ip),
            Self::Name(_) => None,
        }
    }

    /// The zone, if the address has one.
    pub fn zone(&self) -> Option<&str> {
        match self {
            Self::Address { zone, .. } => zone.as_deref(),
            Self::Name(_) => None,
        }
    }

    /// The address, which is looked up if need be. Of several it is the first that is of the same IP version as `like`.
    pub(crate) fn resolve(&self, like: Option<IpAddr>) -> Result<IpAddr, ResolveError> {
        let name = match self {
            Self::Address { ip, .. } => return Ok(*ip),
            Self::Name(name) => name,
        };
        let failed = |error| ResolveError { name: name.clone(), error };
        (name.as_str(), 0)
            .to_socket_addrs()
            .map_err(failed)?
            .map(|address| address.ip())
            .find(|ip| like.is_none_or(|like| like.is_ipv4() == ip.is_ipv4()))
            .ok_or_else(|| failed(io::Error::other("it has no address of the IP version that is wanted")))
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        Self::Address { ip, zone: None }
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let wrong = || HostError(text.to_owned());
        let bare = text.trim();
        let bare = bare.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(bare);
        if let Ok(ip) = bare.parse() {
            return Ok(Self::Address { ip, zone: None });
        }
        if let Some((ip, zone)) = bare.split_once('%') {
            let ip: Ipv6Addr = ip.parse().map_err(|_| wrong())?;
            return match zone {
                "" => Err(wrong()),
                zone => Ok(Self::Address { ip: ip.into(), zone: Some(zone.to_owned()) }),
            };
        }
        let labels = || bare.split('.');
        let is_name = bare.len() <= MAX_NAME
            && labels().all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || "-_".contains(c)))
            // 239.1.1.999 is an address with a mistake, and no name.
            && labels().next_back().is_some_and(|last| !last.chars().all(|c| c.is_ascii_digit()));
        if is_name { Ok(Self::Name(bare.to_owned())) } else { Err(wrong()) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { ip, zone: Some(zone) } => write!(f, "{ip}%{zone}"),
            Self::Address { ip, zone: None } => write!(f, "{ip}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A group or a host, and a UDP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAndPort {
    /// The group or host.
    pub host: Host,
    /// The UDP port.
    pub port: u16,
}

impl HostAndPort {
    /// A port of a host.
    pub fn new(host: impl Into<Host>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl fmt::Display for HostAndPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.ip() {
            Some(IpAddr::V6(_)) => write!(f, "[{}]:{}", self.host, self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A text that names neither an address nor a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is neither an IP address nor the name of a host: it must look like 239.1.1.1, ff3e::1 or ff12::1%eth0")]
pub struct HostError(String);

/// A name of which no address is found.
#[derive(Debug, thiserror::Error)]
#[error("“{name}” is not an IP address, and no host of this name was found: {error}")]
pub struct ResolveError {
    name: String,
    #[source]
    error: io::Error,
}

/// Whether an address says which interface is meant only together with its zone (RFC 4007 §6): those of link scope and
/// of interface scope.
pub(crate) fn needs_zone(ip: IpAddr) -> bool {
    let IpAddr::V6(ip) = ip else { return false };
    let multicast_scope = ip.octets()[1] & 0x0f;
    ip.is_unicast_link_local() || ip.is_multicast() && matches!(multicast_scope, 1 | 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_write() {
        for (text, shown) in [
            ("239.1.1.1", "239.1.1.1:1"),
            (" ff3e::1 ", "[ff3e::1]:1"),
            ("[ff3e::1]", "[ff3e::1]:1"),
            ("ff12::1%eth0", "[ff12::1%eth0]:1"),
            ("[fe80::1%2]", "[fe80::1%2]:1"),
            ("localhost", "localhost:1"),
            ("cast-1.example_x.com", "cast-1.example_x.com:1"),
        ] {
            assert_eq!(HostAndPort::new(text.parse::<Host>().unwrap(), 1).to_string(), shown);
        }
    }

    #[test]
    fn what_is_neither_address_nor_name() {
        let long = "a.".repeat(127) + "a";
        for text in
            ["", "239.1.1.999", "1.2.3", "ff12::1%", "239.1.1.1%eth0", "ff12:::1", "a b", "a..b", "[a]b", "x:1", &long]
        {
            let error = text.parse::<Host>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("“{text}” is neither")), "{error}");
        }
    }

    #[test]
    fn names_are_looked_up() {
        let localhost: Host = "localhost".parse().unwrap();
        let ip = localhost.resolve(Some([127, 0, 0, 1].into())).unwrap();
        assert!(ip.is_ipv4() && ip.is_loopback(), "{ip}");
        let missing: Host = "no-such-host.invalid".parse().unwrap();
        let error = missing.resolve(None).unwrap_err().to_string();
        assert!(error.starts_with("“no-such-host.invalid” is not an IP address, and no host"), "{error}");
    }

    #[test]
    fn scopes() {
        for (ip, is_local) in [
            ("ff01::1", true),
            ("ff02::1", true),
            ("ff12::1", true),
            ("ff32::1", true),
            ("fe80::1", true),
            ("ff05::1", false),
            ("ff1e::1", false),
            ("fd00::1", false),
            ("224.0.0.1", false),
        ] {
            assert_eq!(needs_zone(ip.parse().unwrap()), is_local, "{ip}");
        }
    }
}
