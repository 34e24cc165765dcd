// SPDX-License-Identifier: MPL-2.0

//! Configurations of DVB-MABR gateways (TS 103 769), and the services that they name.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use flute_media::session_configuration::{MAX_SIZE, SessionConfiguration, TransportSession};
use flute_net::{Host, HostAndPort};
use flute_proto::lct::Tsi;

use super::service::Plan;
use super::source::{Input, plain_name};
use crate::network::Endpoint;

/// The services of a configuration. The sessions that carry the configuration have manifests and initialisation segments of
/// all of them (TS 103 769 clause 8.3), and belong to each.
pub(super) fn plans(document: &[u8]) -> anyhow::Result<Vec<Plan>> {
    let configuration = SessionConfiguration::from_xml(document)?;
    let mut names = BTreeSet::new();
    let plans = configuration.services.iter().filter(|service| !service.transport_sessions.is_empty()).map(|service| {
        let base = plain_name(&service.identifier);
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let mut free = std::iter::once(base.clone()).chain(numbered).filter(|name| !names.contains(name));
        let name = free.next().unwrap_or_default();
        names.insert(name.clone());
        let sessions = service.transport_sessions.iter().chain(&configuration.configuration_sessions);
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for endpoint in sessions.flat_map(endpoints_of) {
            if !endpoints.contains(&endpoint) {
                endpoints.push(endpoint);
            }
        }
        let repair = service.transport_sessions.iter().find_map(|session| session.repair.clone());
        Plan { name, input: Input::Network(endpoints), repair }
    });
    Ok(plans.collect())
}

fn endpoints_of(session: &TransportSession) -> impl Iterator<Item = Endpoint> {
    session.endpoints.iter().map(|endpoint| Endpoint {
        address: HostAndPort::new(Host::from(endpoint.group), endpoint.port),
        source: endpoint.source,
        tsi: endpoint.tsi.and_then(Tsi::new),
        interface: None,
    })
}

/// A configuration in a file, which is read again when it has changed.
#[derive(Debug)]
pub(super) struct ConfigurationFile {
    path: PathBuf,
    content: Vec<u8>,
}

impl ConfigurationFile {
    /// The file, and the services that it names.
    pub(super) fn open(path: PathBuf) -> anyhow::Result<(Self, Vec<Plan>)> {
        let content = read(&path)?;
        let plans = plans(&content).with_context(|| format!("reading {}", path.display()))?;
        Ok((Self { path, content }, plans))
    }

    /// What tells it from other configurations.
    pub(super) fn owner(&self) -> String {
        self.path.display().to_string()
    }

    /// The services, if the file has changed. While it is being written, or is gone, it stays what it was.
    pub(super) fn changes(&mut self) -> Option<anyhow::Result<Vec<Plan>>> {
        let content = read(&self.path).ok().filter(|content| *content != self.content)?;
        let plans = plans(&content).with_context(|| format!("reading {}", self.path.display()));
        self.content = content;
        Some(plans)
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut content = Vec::new();
    // One byte more shows that it is too long.
    file.take(MAX_SIZE + 1).read_to_end(&mut content).with_context(|| format!("reading {}", path.display()))?;
    Ok(content)
}
