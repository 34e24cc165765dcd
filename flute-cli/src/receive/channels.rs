// SPDX-License-Identifier: MPL-2.0

//! What is listened to: one address, or the channels of the sessions that a file describes.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use flute_net::{HostAndPort, SessionDescription};
use flute_proto::lct::Tsi;

use crate::network::{Endpoint, EndpointError};

/// What a file of a session description ends with.
const SDP: &str = "sdp";

/// What a user names to be received.
#[derive(Clone, Debug)]
pub(super) enum SourceName {
    Address(Endpoint),
    /// A file with a session description.
    File(PathBuf),
}

/// What is to be received.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Address(Endpoint),
    Description(SessionDescription),
}

/// A socket that is to be opened.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) address: HostAndPort,
    /// The first channel of its session, if it is another one.
    pub(super) base: Option<SocketAddr>,
    /// The one sender to listen to.
    pub(super) source: Option<IpAddr>,
}

impl FromStr for SourceName {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let path = Path::new(text);
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(SDP)) {
            return Ok(Self::File(path.to_owned()));
        }
        Ok(Self::Address(text.parse()?))
    }
}

impl SourceName {
    /// What it is the name of.
    pub(super) fn look(&self) -> anyhow::Result<Source> {
        match self {
            Self::Address(endpoint) => Ok(Source::Address(endpoint.clone())),
            Self::File(path) => {
                let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
                let description = text.parse::<SessionDescription>().with_context(|| path.display().to_string())?;
                Ok(Source::Description(description))
            }
        }
    }
}

impl Source {
    /// The sockets to open, each address once.
    pub(super) fn channels(&self) -> Vec<Channel> {
        let sessions = match self {
            Self::Address(endpoint) => {
                return vec![Channel { address: endpoint.address.clone(), base: None, source: endpoint.source }];
            }
            Self::Description(description) => &description.sessions,
        };
        let mut opened: Vec<SocketAddr> = Vec::new();
        let mut channels = Vec::new();
        for session in sessions {
            let [first, ..] = session.channels[..] else { continue };
            for &channel in &session.channels {
                if !opened.contains(&channel) {
                    opened.push(channel);
                    let address = HostAndPort::new(channel.ip(), channel.port());
                    channels.push(Channel {
                        address,
                        base: (channel != first).then_some(first),
                        source: session.source,
                    });
                }
            }
        }
        channels
    }

    /// Only these sessions are meant; empty for all.
    pub(super) fn tsis(&self) -> Vec<Tsi> {
        match self {
            Self::Address(endpoint) => endpoint.tsi.into_iter().collect(),
            Self::Description(description) => {
                description.sessions.iter().filter_map(|session| Tsi::new(session.tsi)).collect()
            }
        }
    }

    /// The one sender of all sessions, if there is one.
    pub(super) fn sender(&self) -> Option<IpAddr> {
        match self {
            Self::Address(endpoint) => endpoint.source,
            Self::Description(description) => {
                let first = description.sessions.first()?.source;
                first.filter(|_| description.sessions.iter().all(|session| session.source == first))
            }
        }
    }

    /// The interface that is named with the address.
    pub(super) fn interface(&self) -> Option<&str> {
        match self {
            Self::Address(endpoint) => endpoint.interface.as_deref(),
            Self::Description(_) => None,
        }
    }
}
