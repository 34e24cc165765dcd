// SPDX-License-Identifier: MPL-2.0

//! The arguments of `flute receive`, with the names and defaults of the elements flutesrc and flutedirsink.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use flute_folder::target::{Bounds, UrlMapping};
use flute_net::ReceiveConfig;
use flute_proto::lct::Tsi;
use flute_proto::receiver::{Filter, Limits, Mode, ReceiverConfig};

use super::channels::{Channel, Source, SourceName};
use super::session::End;
use crate::quantity;

/// Objects of more bytes than this are written into their file as they come. Shorter ones wait in memory, a few of them
/// for the disk.
const MAX_IN_MEMORY: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct ReceiveArguments {
    /// What to listen to: a multicast group or an address of this machine, and the UDP port; a flute:// URI; or a file
    /// with a session description (SDP)
    #[arg(value_name = "ADDRESS:PORT|FILE.sdp")]
    from: SourceName,
    /// The folder that files are written into; %{tsi} and %{source} in it make a folder for each session
    #[arg(long, value_name = "FOLDER")]
    into: String,
    /// Network interfaces on which the group is joined, by name or IPv4 address
    #[arg(long, visible_alias = "multicast-iface", value_name = "NAME", value_delimiter = ',')]
    iface: Vec<String>,
    /// Only sessions with this Transport Session Identifier
    #[arg(long, value_name = "NUMBER", value_delimiter = ',')]
    tsi: Vec<u64>,
    /// Only packets of this sender (source-specific multicast)
    #[arg(long, value_name = "ADDRESS")]
    source_filter: Option<IpAddr>,
    /// End when the sender has closed its session
    #[arg(long)]
    until_closed: bool,
    /// End when no packet has come for so long
    #[arg(long, value_parser = quantity::duration, value_name = "TIME")]
    timeout: Option<Duration>,
    /// Which objects become files
    #[arg(long, value_enum, default_value_t = Versions::Everything)]
    mode: Versions,
    /// What becomes of the host in a Content-Location that is a URL
    #[arg(long, value_enum, default_value_t = Mapping::HostPath)]
    url_mapping: Mapping,
    /// Sync each file to the disk before it appears under its name
    #[arg(long)]
    fsync: bool,
    /// Files that stay in each folder, of which the oldest are deleted
    #[arg(long, value_name = "NUMBER")]
    max_files: Option<u64>,
    /// Bytes of the files that stay in each folder, of which the oldest are deleted
    #[arg(long, value_parser = quantity::bytes, value_name = "BYTES")]
    max_bytes: Option<u64>,
    /// Time after which a file is deleted
    #[arg(long, value_parser = quantity::duration, value_name = "TIME")]
    max_age: Option<Duration>,
    /// Delete the files of objects that their sender has withdrawn
    #[arg(long)]
    delete_withdrawn: bool,
    /// Time from the withdrawal of an object to the deletion of its file
    #[arg(long, default_value = "30s", value_parser = quantity::duration, value_name = "TIME")]
    delete_delay: Duration,
    /// Bytes of memory for each session
    #[arg(long, default_value = "256Mi", value_parser = quantity::bytes, value_name = "BYTES")]
    max_memory: u64,
    /// Bytes of an object at most; 0 for no bound
    #[arg(long, default_value = "0", value_parser = quantity::bytes, value_name = "BYTES")]
    max_object_size: u64,
    /// Bytes of the kernel's receive buffer, as far as the system allows
    #[arg(long, default_value = "8Mi", value_parser = quantity::bytes, value_name = "BYTES")]
    buffer_size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Versions {
    /// Every object and each new version of it
    Everything,
    /// The first version of every Content-Location
    Once,
    /// Every version of which the content or the TOI is new
    KeepUpdated,
}

impl From<Versions> for Mode {
    fn from(versions: Versions) -> Self {
        match versions {
            Versions::Everything => Self::Everything,
            Versions::Once => Self::OncePerLocation,
            Versions::KeepUpdated => Self::KeepUpdated,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mapping {
    /// //host/a/b is host/a/b
    HostPath,
    /// //host/a/b is a/b
    Path,
}

impl ReceiveArguments {
    pub(super) fn into(&self) -> &str {
        &self.into
    }

    pub(super) fn fsync(&self) -> bool {
        self.fsync
    }

    pub(super) fn url_mapping(&self) -> UrlMapping {
        match self.url_mapping {
            Mapping::HostPath => UrlMapping::HostPath,
            Mapping::Path => UrlMapping::Path,
        }
    }

    /// Which files are deleted.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            max_files: self.max_files,
            max_bytes: self.max_bytes,
            max_age: self.max_age,
            withdrawn_age: self.delete_withdrawn.then_some(self.delete_delay),
        }
    }

    /// When to end.
    pub(super) fn end(&self) -> End {
        End { until_closed: self.until_closed, silence: self.timeout }
    }

    /// What to listen to.
    pub(super) fn source(&self) -> anyhow::Result<Source> {
        self.from.look()
    }

    /// The settings of the socket of a channel.
    pub(super) fn receive_config(&self, source: &Source, channel: &Channel) -> anyhow::Result<ReceiveConfig> {
        let mut config = ReceiveConfig::new(channel.address.clone());
        let with_address = || source.interface().map(str::to_owned).into_iter().collect();
        config.interfaces = if self.iface.is_empty() { with_address() } else { self.iface.clone() };
        config.source = self.source_filter.or(channel.source);
        config.buffer_size =
            usize::try_from(self.buffer_size).context("--buffer-size is too large for this machine")?;
        Ok(config)
    }

    /// The settings of the core; long objects are written into files without a name in `folder`.
    pub(super) fn receiver_config(&self, source: &Source, folder: PathBuf) -> anyhow::Result<ReceiverConfig> {
        let tsis: Option<Vec<Tsi>> = self.tsi.iter().map(|number| Tsi::new(*number)).collect();
        let mut tsis = tsis.context("--tsi: a TSI has at most 48 bits")?;
        if tsis.is_empty() {
            tsis = source.tsis();
        }
        let limits = Limits::default()
            .max_memory(self.max_memory)
            .max_object_size(self.max_object_size)
            .spool_threshold(MAX_IN_MEMORY.min(self.max_memory / 2));
        Ok(ReceiverConfig::default()
            .filter(Filter::default().tsis(tsis).source(self.source_filter.or(source.sender())))
            .mode(self.mode.into())
            .limits(limits)
            .spool_directory(Some(folder)))
    }
}
