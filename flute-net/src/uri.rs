// SPDX-License-Identifier: MPL-2.0

//! URIs of FLUTE sessions: `flute://[source@]address:port[/path][?tsi=1&iface=eth0&timeout=5]`. A sender has no use for
//! source, path and timeout. Where there is a path, further options are those of the object, and say nothing here.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use url::Url;

/// The scheme of URIs of FLUTE sessions.
pub const SCHEME: &str = "flute";

/// What is not written as it is in a path or in the value of an option.
const RESERVED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'&').add(b'+').add(b'<').add(b'>').add(b'?');

/// The parts of a URI.
///
/// ```
/// let uri: flute_net::FluteUri = "flute://239.1.1.1:3400/live.mpd?tsi=7".parse()?;
/// assert_eq!((uri.port, uri.tsi, uri.path.as_deref()), (3400, Some(7), Some("live.mpd")));
/// # Ok::<(), flute_net::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FluteUri {
    /// Multicast group or address of this machine.
    pub address: IpAddr,
    /// UDP port.
    pub port: u16,
    /// The one sender to listen to.
    pub source: Option<IpAddr>,
    /// Content-Location of the one object to deliver, or the end of it.
    pub path: Option<String>,
    /// `tsi`: Transport Session Identifier.
    pub tsi: Option<u64>,
    /// `iface`, or `interface`: where the group is joined.
    pub interface: Option<String>,
    /// `timeout`, in seconds.
    pub timeout: Option<Duration>,
}

/// Why a URI cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// It is no URI.
    #[error("{0}")]
    Syntax(#[from] url::ParseError),
    /// It is a URI of something else.
    #[error("the scheme is {0}, not {SCHEME}")]
    Scheme(String),
    /// There is no IP address where one must be.
    #[error("“{0}” is not an IP address")]
    Address(String),
    /// The UDP port is missing.
    #[error("there is no port")]
    Port,
    /// An option has no such value.
    #[error("the value “{value}” of {option} is not usable")]
    Value {
        /// The option.
        option: String,
        /// What it was to be.
        value: String,
    },
    /// An option that does not exist.
    #[error("there is no option {0}: there are tsi, source, iface and timeout")]
    Option(String),
}

impl FromStr for FluteUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let url = Url::parse(text)?;
        if url.scheme() != SCHEME {
            return Err(UriError::Scheme(url.scheme().to_owned()));
        }
        let address = |text: &str| text.parse().map_err(|_| UriError::Address(text.to_owned()));
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        // The colons of an IPv6 source make the rest of it a password.
        let source = match url.password() {
            Some(password) => format!("{}:{}", decode(url.username()), decode(password)),
            None => decode(url.username()),
        };
        let path = decode(url.path().trim_start_matches('/'));
        let mut uri = Self {
            address: address(url.host_str().unwrap_or_default().trim_matches(['[', ']']))?,
            port: url.port().ok_or(UriError::Port)?,
            source: if source.is_empty() { None } else { Some(address(source.trim_matches(['[', ']']))?) },
            path: (!path.is_empty()).then_some(path),
            tsi: None,
            interface: None,
            timeout: None,
        };
        for (option, value) in url.query_pairs() {
            let unusable = || UriError::Value { option: option.to_string(), value: value.to_string() };
            match option.as_ref() {
                "tsi" => uri.tsi = Some(value.parse().map_err(|_| unusable())?),
                "source" => uri.source = Some(address(&value)?),
                "iface" | "interface" => uri.interface = Some(value.into_owned()),
                "timeout" => {
                    let seconds = value.parse().map_err(|_| unusable())?;
                    uri.timeout = Some(Duration::try_from_secs_f64(seconds).map_err(|_| unusable())?);
                }
                option if uri.path.is_none() => return Err(UriError::Option(option.to_owned())),
                _ => (),
            }
        }
        Ok(uri)
    }
}

impl fmt::Display for FluteUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encode = |text| utf8_percent_encode(text, RESERVED);
        write!(f, "{SCHEME}://")?;
        match self.source {
            Some(IpAddr::V6(source)) => write!(f, "{}@", source.to_string().replace(':', "%3A"))?,
            Some(source) => write!(f, "{source}@")?,
            None => (),
        }
        write!(f, "{}", std::net::SocketAddr::new(self.address, self.port))?;
        if let Some(path) = &self.path {
            write!(f, "/{}", encode(path))?;
        }
        let mut separator = '?';
        let mut option = |f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display| {
            let written = write!(f, "{separator}{name}={value}");
            separator = '&';
            written
        };
        if let Some(tsi) = self.tsi {
            option(f, "tsi", &tsi)?;
        }
        if let Some(interface) = &self.interface {
            option(f, "iface", &encode(interface))?;
        }
        if let Some(timeout) = self.timeout {
            option(f, "timeout", &timeout.as_secs_f64())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part() {
        let text = "flute://10.0.0.1@239.1.1.1:3400/live/my%20movie.mpd?tsi=7&iface=eth0&timeout=2.5";
        let uri: FluteUri = text.parse().unwrap();
        assert_eq!(uri.address, IpAddr::from([239, 1, 1, 1]));
        assert_eq!(uri.port, 3400);
        assert_eq!(uri.source, Some(IpAddr::from([10, 0, 0, 1])));
        assert_eq!(uri.path.as_deref(), Some("live/my movie.mpd"));
        assert_eq!(uri.tsi, Some(7));
        assert_eq!(uri.interface.as_deref(), Some("eth0"));
        assert_eq!(uri.timeout, Some(Duration::from_millis(2500)));
        assert_eq!(uri.to_string(), text);
    }

    #[test]
    fn paths_are_resolved_and_decoded() {
        let path = |text: &str| text.parse::<FluteUri>().unwrap().path;
        assert_eq!(path("flute://239.1.1.1:1/a/./b/../c%2F%C3%BC.ts").as_deref(), Some("a/c/ü.ts"));
        assert_eq!(path("flute://239.1.1.1:1/seg.ts?token=abc").as_deref(), Some("seg.ts"));
        assert_eq!(path("flute://239.1.1.1:1/"), None);
    }

    #[test]
    fn ip_version_6() {
        for text in ["flute://[ff3e::1]:3400", "flute://2001%3Adb8%3A%3A1@[ff3e::1]:3400?tsi=1"] {
            assert_eq!(text.parse::<FluteUri>().unwrap().to_string(), text);
        }
        let uri: FluteUri = "flute://2001:db8::1@[ff3e::1]:3400".parse().unwrap();
        assert_eq!(uri.source, "2001:db8::1".parse().ok());
        let uri: FluteUri = "flute://[ff3e::1]:3400?source=2001:db8::1".parse().unwrap();
        assert_eq!(uri.source, "2001:db8::1".parse().ok());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| text.parse::<FluteUri>().unwrap_err().to_string();
        assert_eq!(error("udp://239.1.1.1:1"), "the scheme is udp, not flute");
        assert_eq!(error("flute://example.com:1"), "“example.com” is not an IP address");
        assert_eq!(error("flute://239.1.1.1"), "there is no port");
        assert_eq!(error("flute://239.1.1.1:1?tsi=x"), "the value “x” of tsi is not usable");
        assert_eq!(error("flute://239.1.1.1:1?timeout=-1"), "the value “-1” of timeout is not usable");
        assert_eq!(error("flute://239.1.1.1:1?a=b"), "there is no option a: there are tsi, source, iface and timeout");
        assert_eq!(error("flute://x@239.1.1.1:1"), "“x” is not an IP address");
        assert!("nonsense".parse::<FluteUri>().is_err());
    }
}
