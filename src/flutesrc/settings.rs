// SPDX-License-Identifier: MPL-2.0

//! What the user sets on the element, and what the core and the socket make of it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use flute_proto::lct::Tsi;
use flute_proto::receiver::{Filter, Limits, ReceiverConfig};

use super::enums::{OnLoss, ReceiveMode, SegmentOrder};
use crate::shared_sessions::Request;
use flute_net::{FluteUri, UriError};
use flute_net::{Host, HostAndPort, HostError, ReceiveConfig};

pub(super) const DEFAULT_PORT: i32 = 3400;
pub(super) const DEFAULT_BUFFER_SIZE: i32 = 8 << 20;
pub(super) const DEFAULT_TIMEOUT: u64 = 0;
pub(super) const DEFAULT_AUTO_MULTICAST: bool = true;
pub(super) const DEFAULT_LOOP: bool = true;
pub(super) const DEFAULT_REUSE: bool = true;
pub(super) const DEFAULT_TSI: i64 = -1;
pub(super) const DEFAULT_EOS_ON_CLOSE: bool = false;
pub(super) const DEFAULT_SEGMENT_DEADLINE: u64 = 2_000_000_000;

pub(super) const DEFAULT_LINGER: u64 = 15_000_000_000;

/// The largest TSI, as a property has it.
pub(super) const MAX_TSI: i64 = (1 << 48) - 1;

/// The properties of the element, as they were set. Those of the pad `src` are in the pad.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) address: Option<String>,
    pub(super) port: i32,
    pub(super) multicast_iface: Option<String>,
    pub(super) source_filter: Option<String>,
    pub(super) buffer_size: i32,
    pub(super) timeout: u64,
    pub(super) auto_multicast: bool,
    pub(super) multicast_loop: bool,
    pub(super) reuse: bool,
    pub(super) tsi: i64,
    pub(super) mode: ReceiveMode,
    pub(super) eos_on_close: bool,
    pub(super) on_loss: OnLoss,
    pub(super) order: SegmentOrder,
    pub(super) segment_deadline: u64,
    pub(super) max_memory: u64,
    pub(super) max_sessions: u32,
    pub(super) max_objects: u32,
    pub(super) max_object_size: u64,
    pub(super) max_expansion: u32,
    pub(super) max_fdt_instances: u32,
    pub(super) max_fdt_size: u64,
    pub(super) max_decoding_work: u64,
    pub(super) session_timeout: u64,
    pub(super) spool_directory: Option<String>,
    pub(super) spool_threshold: u64,
    pub(super) linger: u64,
    /// The path of the URI: the one object to deliver.
    pub(super) path: Option<String>,
    /// A URI that could not be taken, and why: said when the element starts, since setting a property cannot fail.
    pub(super) wrong_uri: Option<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            address: None,
            port: DEFAULT_PORT,
            multicast_iface: None,
            source_filter: None,
            buffer_size: DEFAULT_BUFFER_SIZE,
            timeout: DEFAULT_TIMEOUT,
            auto_multicast: DEFAULT_AUTO_MULTICAST,
            multicast_loop: DEFAULT_LOOP,
            reuse: DEFAULT_REUSE,
            tsi: DEFAULT_TSI,
            mode: ReceiveMode::default(),
            eos_on_close: DEFAULT_EOS_ON_CLOSE,
            on_loss: OnLoss::default(),
            order: SegmentOrder::default(),
            segment_deadline: DEFAULT_SEGMENT_DEADLINE,
            max_memory: limits.max_memory,
            max_sessions: u32::try_from(limits.max_sessions).unwrap_or(u32::MAX),
            max_objects: u32::try_from(limits.max_objects).unwrap_or(u32::MAX),
            max_object_size: limits.max_object_size,
            max_expansion: limits.max_expansion,
            max_fdt_instances: u32::try_from(limits.max_fdt_instances).unwrap_or(u32::MAX),
            max_fdt_size: limits.max_fdt_size,
            max_decoding_work: limits.max_decoding_work,
            session_timeout: u64::try_from(limits.session_timeout.as_nanos()).unwrap_or(u64::MAX),
            spool_directory: None,
            spool_threshold: limits.spool_threshold,
            linger: DEFAULT_LINGER,
            path: None,
            wrong_uri: None,
        }
    }
}

/// Why properties cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error(
        "no address to listen to: set address, for example address=239.1.1.1, or 0.0.0.0 for unicast, or link the sink \
         pad, for example to udpsrc"
    )]
    NoAddress,
    #[error("{property} “{value}” is not an IP address: it must look like 239.1.1.1 or ff3e::1")]
    Address { property: &'static str, value: String },
    #[error("{uri} cannot be used: {reason}; a URI looks like flute://239.1.1.1:3400/live.mpd?tsi=1&iface=eth0")]
    Uri { uri: String, reason: String },
    #[error("address: {0}")]
    Host(#[from] HostError),
    #[error("port {0} is no UDP port: it must be 1 to 65535, or 0 for any")]
    Port(i32),
    #[error("spool-directory {} is not a folder", .0.display())]
    SpoolDirectory(PathBuf),
}

fn parse_ip(property: &'static str, value: &str) -> Result<IpAddr, SettingsError> {
    let bare = value.trim().trim_start_matches('[').trim_end_matches(']');
    bare.parse().map_err(|_| SettingsError::Address { property, value: value.to_owned() })
}

/// A string that says something.
fn said(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

impl Settings {
    /// The settings of the core. Where no spool folder is set, objects that would take more than half of the memory go to
    /// `default_spool_directory`.
    pub(super) fn receiver_config(&self, default_spool_directory: PathBuf) -> Result<ReceiverConfig, SettingsError> {
        let spool_directory = said(&self.spool_directory).map(PathBuf::from);
        if let Some(folder) = spool_directory.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(SettingsError::SpoolDirectory(folder.clone()));
        }
        let filter = Filter::default()
            .tsis(u64::try_from(self.tsi).ok().and_then(Tsi::new).into_iter().collect())
            .source(self.source()?);
        let spool_threshold = match &spool_directory {
            // The temporary folder may be in memory, too.
            None if self.spool_threshold == Self::default().spool_threshold => self.max_memory / 2,
            _ => self.spool_threshold,
        };
        let limits = Limits::default()
            .max_memory(self.max_memory)
            .max_sessions(self.max_sessions as usize)
            .max_objects(self.max_objects as usize)
            .max_object_size(self.max_object_size)
            .max_expansion(self.max_expansion)
            .max_fdt_instances(self.max_fdt_instances as usize)
            .max_fdt_size(self.max_fdt_size)
            .max_decoding_work(self.max_decoding_work)
            .spool_threshold(spool_threshold)
            .session_timeout(Duration::from_nanos(self.session_timeout));
        Ok(ReceiverConfig::default()
            .filter(filter)
            .mode(self.mode.into())
            .limits(limits)
            .spool_directory(spool_directory.or(Some(default_spool_directory))))
    }

    /// The settings of the socket.
    pub(super) fn receive_config(&self) -> Result<ReceiveConfig, SettingsError> {
        if let Some((uri, reason)) = self.wrong_uri.clone() {
            return Err(SettingsError::Uri { uri, reason });
        }
        let address = said(&self.address).ok_or(SettingsError::NoAddress)?;
        let interfaces = said(&self.multicast_iface).unwrap_or_default().split(',').map(str::trim);
        let port = u16::try_from(self.port).map_err(|_| SettingsError::Port(self.port))?;
        let mut config = ReceiveConfig::new(HostAndPort::new(address.parse::<Host>()?, port));
        config.interfaces = interfaces.filter(|interface| !interface.is_empty()).map(str::to_owned).collect();
        config.source = self.source()?;
        config.buffer_size = usize::try_from(self.buffer_size).unwrap_or(0);
        config.auto_multicast = self.auto_multicast;
        config.reuse = self.reuse;
        config.multicast_loop = self.multicast_loop;
        Ok(config)
    }

    fn source(&self) -> Result<Option<IpAddr>, SettingsError> {
        said(&self.source_filter).map(|source| parse_ip("source-filter", source)).transpose()
    }

    /// What is asked of the registry of sessions for one object.
    pub(super) fn request(&self, receiver: ReceiverConfig) -> Result<Request, SettingsError> {
        Ok(Request {
            network: self.receive_config()?,
            receiver,
            object_timeout: self.silence(),
            linger: Duration::from_nanos(self.linger),
        })
    }

    /// How long no packet comes before that is told.
    pub(super) fn silence(&self) -> Option<Duration> {
        (self.timeout > 0).then(|| Duration::from_nanos(self.timeout))
    }

    /// Takes everything over that a URI says.
    pub(super) fn set_uri(&mut self, uri: &str) -> Result<(), UriError> {
        let uri = uri.parse::<FluteUri>().inspect_err(|error| {
            self.wrong_uri = Some((uri.to_owned(), error.to_string()));
        })?;
        self.wrong_uri = None;
        self.address = Some(uri.address.to_string());
        self.port = uri.port.into();
        self.source_filter = uri.source.map(|source| source.to_string());
        self.multicast_iface = uri.interface;
        self.tsi = uri.tsi.and_then(|tsi| i64::try_from(tsi).ok()).map_or(DEFAULT_TSI, |tsi| tsi.min(MAX_TSI));
        self.timeout =
            uri.timeout.map_or(DEFAULT_TIMEOUT, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
        self.path = uri.path;
        Ok(())
    }

    /// The URI that says what is set, if there is an IP address, which is what a URI can have.
    pub(super) fn uri(&self) -> Option<String> {
        self.uri_of(self.path.clone())
    }

    /// The same with another path.
    pub(super) fn uri_of(&self, path: Option<String>) -> Option<String> {
        let config = self.receive_config().ok()?;
        let HostAndPort { host, port } = &config.address;
        let uri = FluteUri {
            address: host.ip()?,
            port: *port,
            source: config.source,
            path,
            tsi: u64::try_from(self.tsi).ok(),
            interface: said(&self.multicast_iface).or(host.zone()).map(str::to_owned),
            timeout: (self.timeout > 0).then(|| Duration::from_nanos(self.timeout)),
        };
        Some(uri.to_string())
    }
}
