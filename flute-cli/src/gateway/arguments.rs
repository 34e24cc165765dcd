// SPDX-License-Identifier: MPL-2.0

//! The arguments of `flute gateway`.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use flute_http::RepairConfig;
use flute_proto::receiver::{Filter, Limits, Mode, ReceiverConfig};

use super::hosts::AllowedHosts;
use super::source::Source;
use crate::quantity;
use url::Url;

#[derive(Debug, Args)]
pub(crate) struct GatewayArguments {
    /// What to serve: groups and ports, or flute:// URIs, each with a name in front if it is to have one
    #[arg(required = true, value_name = "[NAME=]ADDRESS:PORT")]
    sources: Vec<Source>,
    /// Where to listen for HTTP
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Network interfaces on which groups are joined, by name or IPv4 address
    #[arg(long, visible_alias = "multicast-iface", value_name = "NAME", value_delimiter = ',')]
    iface: Vec<String>,
    /// Names of this machine in requests, besides those of the loopback interface and the address that was asked
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    allow_host: Vec<String>,
    /// How long a request waits while nothing of its object comes
    #[arg(long, default_value = "60s", value_parser = quantity::duration, value_name = "TIME")]
    timeout: Duration,
    /// Bytes of memory for each service: for objects that are complete, once more for those that are arriving, and once
    /// more for source blocks of each session
    #[arg(long, default_value = "256Mi", value_parser = quantity::bytes, value_name = "BYTES")]
    max_memory: u64,
    /// Folder for objects that are too long for memory, as unlinked files [default: the system's for temporary files]
    #[arg(long, value_name = "FOLDER")]
    spool_directory: Option<PathBuf>,
    /// Where lost objects are fetched over HTTP: what has come of them is completed with a range request
    #[arg(long, value_name = "URL", value_parser = origin)]
    origin: Option<Url>,
    /// The longest random time before an object is asked for at the origin
    #[arg(long, default_value = "1s", value_parser = quantity::duration, value_name = "TIME", requires = "origin")]
    repair_delay: Duration,
    /// Bits per second of each object that is fetched; 0 for no bound
    #[arg(long, default_value = "0", value_parser = quantity::bitrate, value_name = "RATE", requires = "origin")]
    repair_bitrate: u64,
    /// Objects that are fetched at a time
    #[arg(long, default_value_t = 4, value_name = "NUMBER", requires = "origin")]
    repair_parallel: usize,
    /// Connections at a time
    #[arg(long, default_value_t = 512, value_name = "NUMBER")]
    max_connections: usize,
    /// Requests at a time that wait for an object to begin; further ones are answered with 503
    #[arg(long, default_value_t = 256, value_name = "NUMBER")]
    max_waiting: usize,
    /// Folder in which npm has installed the players of the page [default: player beside the program, else
    /// ../share/flute/player from there, if there is one]
    #[arg(long, value_name = "FOLDER")]
    player_directory: Option<PathBuf>,
    /// Bytes of the kernel's receive buffer of each service, as far as the system allows
    #[arg(long, default_value = "8Mi", value_parser = quantity::bytes, value_name = "BYTES")]
    buffer_size: u64,
}

impl GatewayArguments {
    /// The sources, each with a name of its own.
    pub(super) fn sources(&self) -> anyhow::Result<Vec<Source>> {
        let mut names = HashSet::new();
        if let Some(source) = self.sources.iter().find(|source| !names.insert(source.name())) {
            bail!(
                "two services have the name {}: give one of them another, as in news={}",
                source.name(),
                source.name()
            );
        }
        Ok(self.sources.clone())
    }

    pub(super) fn listen(&self) -> SocketAddr {
        self.listen
    }

    pub(super) fn interfaces(&self) -> &[String] {
        &self.iface
    }

    pub(super) fn allowed_hosts(&self) -> AllowedHosts {
        AllowedHosts::new(&self.allow_host)
    }

    pub(super) fn player_directory(&self) -> Option<&Path> {
        self.player_directory.as_deref()
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn max_memory(&self) -> u64 {
        self.max_memory
    }

    pub(super) fn max_connections(&self) -> usize {
        self.max_connections
    }

    pub(super) fn max_waiting(&self) -> usize {
        self.max_waiting
    }

    pub(super) fn buffer_size(&self) -> usize {
        usize::try_from(self.buffer_size).unwrap_or(usize::MAX)
    }

    /// How lost objects are repaired, if they are.
    pub(super) fn repair_config(&self) -> Option<RepairConfig> {
        let mut config = RepairConfig::new(self.origin.clone()?);
        config.back_off = self.repair_delay;
        config.bitrate = self.repair_bitrate;
        config.parallel = self.repair_parallel;
        Some(config)
    }

    /// The settings of the receiver of a service.
    pub(super) fn receiver_config(&self, source: &Source) -> ReceiverConfig {
        let filter =
            Filter::default().tsis(source.endpoint().tsi.into_iter().collect()).source(source.endpoint().source);
        let spool_directory = self.spool_directory.clone().unwrap_or_else(std::env::temp_dir);
        ReceiverConfig::default()
            .filter(filter)
            .mode(Mode::KeepUpdated)
            .limits(Limits::default().max_memory(self.max_memory))
            .spool_directory(Some(spool_directory))
    }
}

fn origin(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text).map_err(|error| format!("{error}: it must look like http://origin.example.com/live/"))?;
    match url.scheme() {
        "http" => Ok(url),
        scheme => Err(format!("there is no {scheme}: name an http:// URL, of a proxy if need be")),
    }
}
