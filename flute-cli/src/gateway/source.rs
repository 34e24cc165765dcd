// SPDX-License-Identifier: MPL-2.0

//! What services are made of, as a user names it.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::bail;

use crate::capture;
use crate::network::{Endpoint, EndpointError};

/// Where the packets of a service come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// From the network: groups and ports.
    Network(Vec<Endpoint>),
    /// Out of a capture.
    Capture(PathBuf),
}

/// What to serve, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A service from the network.
    Network {
        /// The first segment of its URLs.
        name: String,
        /// Where it comes from.
        endpoint: Endpoint,
    },
    /// A file.
    File {
        /// The name that its service is to have.
        name: Option<String>,
        path: PathBuf,
        /// Why it is no address.
        reason: String,
    },
}

/// What is to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// A service with this name.
    Service(String, Input),
    /// The services of a DVB-MABR gateway configuration in a file.
    Configuration(PathBuf),
}

/// Why a text names no source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("“{0}” is no name for a service: it must have letters, digits, dots, dashes and underscores only")]
    Name(String),
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        // The options of a URI have equals signs, too.
        let (name, source) = match text.split_once('=') {
            Some((name, source)) if !name.contains("://") => (Some(name.to_owned()), source),
            _ => (None, text),
        };
        if let Some(name) = name.as_ref().filter(|name| !is_name(name)) {
            return Err(SourceError::Name(name.clone()));
        }
        match source.parse::<Endpoint>() {
            Ok(endpoint) => {
                let name = name.unwrap_or_else(|| endpoint.address.to_string());
                if is_name(&name) { Ok(Self::Network { name, endpoint }) } else { Err(SourceError::Name(name)) }
            }
            Err(error) if source.is_empty() => Err(error.into()),
            Err(error) => Ok(Self::File { name, path: PathBuf::from(source), reason: error.to_string() }),
        }
    }
}

impl Source {
    /// What it is, by the first bytes of a file.
    pub(super) fn look(&self) -> anyhow::Result<Served> {
        let (name, path) = match self {
            Self::Network { name, endpoint } => {
                return Ok(Served::Service(name.clone(), Input::Network(vec![endpoint.clone()])));
            }
            Self::File { path, reason, .. } if !path.is_file() => {
                bail!("{} is no file, and no address: {reason}", path.display())
            }
            Self::File { name, path, .. } => (name, path),
        };
        if capture::is_capture(path) {
            let stem = || plain_name(&path.file_stem().unwrap_or_default().to_string_lossy());
            return Ok(Served::Service(name.clone().unwrap_or_else(stem), Input::Capture(path.clone())));
        }
        if let Some(name) = name {
            bail!("{}: the services of a configuration have names of their own: leave “{name}=” out", path.display());
        }
        Ok(Served::Configuration(path.clone()))
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-:[]%".contains(c)
}

fn is_name(name: &str) -> bool {
    // `_flute` is where the program's own pages are.
    !matches!(name, "" | "." | ".." | "_flute") && name.chars().all(is_plain)
}

/// A name for a service out of any text, such as an identifier.
pub(super) fn plain_name(text: &str) -> String {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let name: String = text.chars().take(64).map(|c| if is_plain(c) && c != '%' { c } else { '-' }).collect();
    if is_name(&name) { name } else { "service".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &str) -> anyhow::Result<Served> {
        text.parse::<Source>()?.look()
    }

    fn name(text: &str) -> String {
        match look(text).unwrap() {
            Served::Service(name, _) => name,
            Served::Configuration(path) => path.display().to_string(),
        }
    }

    #[test]
    fn names() {
        assert_eq!(name("239.1.1.1:3400"), "239.1.1.1:3400");
        assert_eq!(name("news=239.1.1.1:3400"), "news");
        assert_eq!(name("flute://239.1.1.1:3400?tsi=1"), "239.1.1.1:3400");
        assert_eq!(name("tv-1=flute://239.1.1.1:3400?tsi=1"), "tv-1");
        for wrong in ["a/b=239.1.1.1:3400", "=239.1.1.1:3400", "_flute=239.1.1.1:3400", "..=239.1.1.1:3400", "news="] {
            assert!(wrong.parse::<Source>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn files() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let capture = path("my tv.pcap", b"\xd4\xc3\xb2\xa1\x02");
        assert_eq!((name(&capture).as_str(), name(&format!("tv={capture}")).as_str()), ("my-tv", "tv"));
        let configuration = path("configuration.xml", b"<MulticastGatewayConfiguration/>");
        assert_eq!(look(&configuration).unwrap(), Served::Configuration(configuration.clone().into()));
        assert!(look(&format!("tv={configuration}")).is_err());
        let error = look("no-such-file").unwrap_err().to_string();
        assert!(error.starts_with("no-such-file is no file, and no address: there is no port"), "{error}");
    }

    #[test]
    fn names_of_identifiers() {
        assert_eq!(plain_name("urn:dvb:tv 1"), "urn:dvb:tv-1");
        assert_eq!(plain_name("https://example.com/tv"), "example.com-tv");
        assert_eq!((plain_name(""), plain_name("..")), ("service".to_owned(), "service".to_owned()));
    }
}
