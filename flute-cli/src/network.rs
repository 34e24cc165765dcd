// SPDX-License-Identifier: MPL-2.0

//! How a user names a session on the network.

use std::net::IpAddr;
use std::str::FromStr;

use flute_net::{FluteUri, Host, HostAndPort, HostError, SCHEME, UriError};
use flute_proto::lct::Tsi;

/// A group or a host, and a UDP port, and what else a `flute://` URI says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) address: HostAndPort,
    /// The one sender to listen to.
    pub(crate) source: Option<IpAddr>,
    pub(crate) tsi: Option<Tsi>,
    pub(crate) interface: Option<String>,
}

/// Why a text names no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error("there is no port: write it like 239.1.1.1:3400 or [ff3e::1]:3400")]
    NoPort,
    #[error("“{0}” is no UDP port: it must be 1 to 65535")]
    Port(String),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Uri(#[from] UriError),
    #[error("there is no TSI {0}: it has at most 48 bits")]
    Tsi(u64),
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text.starts_with(SCHEME) && text.contains("://") {
            let uri: FluteUri = text.parse()?;
            let tsi = uri.tsi.map(|tsi| Tsi::new(tsi).ok_or(EndpointError::Tsi(tsi))).transpose()?;
            let address = HostAndPort::new(uri.address, uri.port);
            return Ok(Self { address, source: uri.source, tsi, interface: uri.interface });
        }
        let (host, port) = text.rsplit_once(':').ok_or(EndpointError::NoPort)?;
        // The last part of an IPv6 address is no port.
        if host.contains(':') && !host.ends_with(']') {
            return Err(EndpointError::NoPort);
        }
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(|| EndpointError::Port(port.to_owned()))?;
        Ok(Self { address: HostAndPort::new(host.parse::<Host>()?, port), source: None, tsi: None, interface: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_write() {
        for (text, address) in [
            ("239.1.1.1:3400", "239.1.1.1:3400"),
            ("[ff3e::1]:3400", "[ff3e::1]:3400"),
            ("[ff12::1%eth0]:1", "[ff12::1%eth0]:1"),
            ("localhost:3400", "localhost:3400"),
            ("flute://239.1.1.1:3400", "239.1.1.1:3400"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().address.to_string(), address);
        }
        let endpoint: Endpoint = "flute://192.0.2.1@239.1.1.1:3400?tsi=7&iface=eth0".parse().unwrap();
        assert_eq!((endpoint.source, endpoint.tsi), ("192.0.2.1".parse().ok(), Tsi::new(7)));
        assert_eq!(endpoint.interface.as_deref(), Some("eth0"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| text.parse::<Endpoint>().unwrap_err().to_string();
        assert!(error("239.1.1.1").starts_with("there is no port"));
        assert!(error("ff3e::1").starts_with("there is no port"));
        assert_eq!(error("239.1.1.1:70000"), "“70000” is no UDP port: it must be 1 to 65535");
        assert_eq!(error("239.1.1.1:0"), "“0” is no UDP port: it must be 1 to 65535");
        assert!(error("239.1.1.999:1").contains("neither an IP address"));
        assert_eq!(error("flute://239.1.1.1"), "there is no port");
    }
}
