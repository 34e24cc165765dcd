// SPDX-License-Identifier: MPL-2.0

//! What services are made of, as a user names it.

use std::path::{Path, PathBuf};
use std::str::FromStr;

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

/// What to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// One service.
    Service {
        /// The first segment of its URLs.
        name: String,
        /// Where it comes from.
        input: Input,
    },
    /// The services of a DVB-MABR gateway configuration in a file.
    Configuration(PathBuf),
}

/// Why a text names no source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("{0}, and it is no file")]
    Endpoint(#[from] EndpointError),
    #[error("“{0}” is no name for a service: it must have letters, digits, dots, dashes and underscores only")]
    Name(String),
    #[error("the services of a configuration have names of their own: leave “{0}=” out")]
    Named(String),
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        // The options of a URI have equals signs, too.
        let (name, source) = match text.split_once('=') {
            Some((name, source)) if !name.contains("://") => (Some(name), source),
            _ => (None, text),
        };
        let path = Path::new(source);
        let (own_name, input) = if !path.is_file() {
            let endpoint: Endpoint = source.parse()?;
            (endpoint.address.to_string(), Input::Network(vec![endpoint]))
        } else if capture::is_capture(path) {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            (plain_name(&stem), Input::Capture(path.to_owned()))
        } else {
            let configuration = Self::Configuration(path.to_owned());
            return name.map_or(Ok(configuration), |name| Err(SourceError::Named(name.to_owned())));
        };
        let name = name.map_or(own_name, str::to_owned);
        if is_name(&name) { Ok(Self::Service { name, input }) } else { Err(SourceError::Name(name)) }
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

    fn name(text: &str) -> String {
        match text.parse().unwrap() {
            Source::Service { name, .. } => name,
            Source::Configuration(path) => path.display().to_string(),
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
        assert_eq!(configuration.parse::<Source>().unwrap(), Source::Configuration(configuration.clone().into()));
        assert!(format!("tv={configuration}").parse::<Source>().is_err());
        assert!("no-such-file".parse::<Source>().unwrap_err().to_string().ends_with("and it is no file"));
    }

    #[test]
    fn names_of_identifiers() {
        assert_eq!(plain_name("urn:dvb:tv 1"), "urn:dvb:tv-1");
        assert_eq!(plain_name("https://example.com/tv"), "example.com-tv");
        assert_eq!((plain_name(""), plain_name("..")), ("service".to_owned(), "service".to_owned()));
    }
}
