// SPDX-License-Identifier: MPL-2.0

//! The arguments of `flute gateway`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use flute_http::{FdtHosts, Origin, RepairConfig};
use flute_media::session_configuration::UnicastRepair;
use flute_proto::lct::Tsi;
use flute_proto::receiver::{Filter, Limits, Mode, ReceiverConfig};

use super::hosts::AllowedHosts;
use super::source::{Input, Source};
use crate::network::Endpoint;
use crate::quantity;
use url::Url;

#[derive(Debug, Args)]
pub(crate) struct GatewayArguments {
    /// What to serve: groups and ports, flute:// URIs or captures (pcap, pcapng), each with a name in front if it is to
    /// have one; or files with the configuration of a DVB-MABR gateway
    #[arg(required = true, value_name = "[NAME=]ADDRESS:PORT|FILE")]
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
    /// Where objects are fetched over HTTP of which something is lost, or late; may be given several times
    #[arg(long, value_name = "URL", value_parser = origin)]
    origin: Vec<Url>,
    /// Hosts that may be asked for lost objects if the FDT names them and there is no --origin, or `any`: every sender
    /// that reaches the group can then make this machine ask any server
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    repair_from_fdt: Vec<String>,
    /// The longest random time before a lost object is asked for at the origin
    #[arg(long, default_value = "1s", value_parser = quantity::duration, value_name = "TIME")]
    repair_delay: Duration,
    /// How long a request waits for bytes that do not come by multicast before the origin is asked for them; 0 for never
    #[arg(long, default_value = "1s", value_parser = quantity::duration, value_name = "TIME")]
    fast_start: Duration,
    /// Bits per second of all that is fetched for a service; 0 for no bound
    #[arg(long, default_value = "0", value_parser = quantity::bitrate, value_name = "RATE")]
    repair_bitrate: u64,
    /// Objects that are fetched for a service at a time
    #[arg(long, default_value_t = 4, value_name = "NUMBER")]
    repair_parallel: usize,
    /// Take the packets of captures as fast as can be, and not at the pace at which they were captured
    #[arg(long)]
    unpaced: bool,
    /// Serve the services of configurations of DVB-MABR gateways, too, that are received: every sender that reaches the
    /// group can then make this machine join other groups
    #[arg(long)]
    follow_configuration: bool,
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
    pub(super) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Whether captures are replayed at their own pace.
    pub(super) fn is_paced(&self) -> bool {
        !self.unpaced
    }

    /// Whether services of configurations that are received are served.
    pub(super) fn follows_configurations(&self) -> bool {
        self.follow_configuration
    }

    /// Where objects are that are too long for memory.
    pub(super) fn spool_directory(&self) -> PathBuf {
        self.spool_directory.clone().unwrap_or_else(std::env::temp_dir)
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
    ///
    /// Without an origin the servers are asked that a configuration of the service names.
    pub(super) fn repair_config(&self, configured: Option<&UnicastRepair>) -> Option<RepairConfig> {
        let mut config = RepairConfig::default();
        config.origins = self.origin.iter().cloned().map(Origin::new).collect();
        config.back_off = self.repair_delay;
        if let Some(configured) = configured.filter(|_| config.origins.is_empty()) {
            config.origins = configured
                .base_urls
                .iter()
                .filter_map(|(url, weight)| {
                    let origin = Origin::new(origin(url).ok()?).weight(*weight);
                    Some(origin.in_place_of(configured.object_base_uri.clone()))
                })
                .collect();
            (config.fixed_back_off, config.back_off) = (configured.fixed_back_off, configured.random_back_off);
        }
        config.fdt_hosts = match self.repair_from_fdt.as_slice() {
            [] => FdtHosts::None,
            hosts if hosts.iter().any(|host| host == "any") => FdtHosts::Any,
            hosts => FdtHosts::These(hosts.to_vec()),
        };
        if config.origins.is_empty() && config.fdt_hosts == FdtHosts::None {
            return None;
        }
        config.bitrate = self.repair_bitrate;
        config.parallel = self.repair_parallel;
        Some(config)
    }

    /// How long requests wait for multicast before they are repaired.
    pub(super) fn fast_start(&self) -> Option<Duration> {
        Some(self.fast_start).filter(|time| !time.is_zero())
    }

    /// The settings of the receiver of a service.
    pub(super) fn receiver_config(&self, input: &Input) -> ReceiverConfig {
        let endpoints: &[Endpoint] = match input {
            Input::Network(endpoints) => endpoints,
            Input::Capture(_) => &[],
        };
        // Where one endpoint takes all of them, a filter would take them from it.
        let tsis: Option<Vec<Tsi>> = endpoints.iter().map(|endpoint| endpoint.tsi).collect();
        let source = endpoints.first().and_then(|endpoint| endpoint.source);
        let source = source.filter(|source| endpoints.iter().all(|endpoint| endpoint.source == Some(*source)));
        let filter = Filter::default().tsis(tsis.unwrap_or_default()).source(source);
        ReceiverConfig::default()
            .filter(filter)
            .mode(Mode::KeepUpdated)
            .limits(Limits::default().max_memory(self.max_memory))
            .spool_directory(Some(self.spool_directory()))
    }
}

fn origin(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text).map_err(|error| format!("{error}: it must look like http://origin.example.com/live/"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(format!("there is no {scheme}: name an http:// or https:// URL")),
    }
}
