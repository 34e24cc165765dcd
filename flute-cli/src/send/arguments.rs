// SPDX-License-Identifier: MPL-2.0

//! The arguments of `flute send`, with the names and defaults of the elements flutesink and flutedirsrc.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};
use flute_fec::Protection;
use flute_folder::source::{FollowLinks, Rules, TEMPORARY_NAMES};
use flute_net::{DescribedSession, HostAndPort, SendConfig, SessionDescription};
use flute_proto::Time;
use flute_proto::content::ContentEncoding;
use flute_proto::lct::Tsi;
use flute_proto::profile::Profile;
use flute_proto::sender::{
    Carousel, FdtPolicy, FecConfig, FecScheme, Interval, Pacing, PacketOverhead, SenderConfig, TableAttributes,
};

use super::session::ObjectOptions;
use crate::network::Endpoint;
use crate::quantity;

/// Bytes of a packet that are not symbols, at most: an LCT header with the widest CCI that FLUTE uses, TSI and TOI
/// (4 + 4 + 6 + 14), EXT_FDT (4), EXT_CENC (4), EXT_TIME (12), EXT_FTI (16) and a FEC Payload ID (8).
const MAX_HEADERS: u16 = 72;

/// Symbols are made a multiple of this many bytes where the user leaves the choice: what every scheme can divide.
const SYMBOL_MULTIPLE: u16 = 8;

/// Percent of repair symbols where there is a code and the user says nothing.
const DEFAULT_REPAIR: f64 = 10.0;

#[derive(Debug, Args)]
pub(crate) struct SendArguments {
    /// Folders, with what is below them, and files; a pattern such as 'video/*.m4s' if it is quoted
    #[arg(required = true, value_name = "FOLDER|FILE")]
    paths: Vec<PathBuf>,
    /// Where to send: a multicast group or a host, and the UDP port; or a flute:// URI
    #[arg(long, value_name = "ADDRESS:PORT")]
    to: Endpoint,
    /// Network interface of multicast, by name or IPv4 address
    #[arg(long, visible_alias = "multicast-iface", value_name = "NAME")]
    iface: Option<String>,
    /// Transport Session Identifier [default: 1]
    #[arg(long, value_name = "NUMBER")]
    tsi: Option<u64>,
    /// Bits per second on the wire, such as 20M; 0 is as fast as possible
    #[arg(long, default_value = "20M", value_parser = quantity::bitrate, value_name = "RATE")]
    bitrate: u64,
    /// Code for repair symbols
    #[arg(long, value_enum, default_value_t = Fec::None)]
    fec: Fec,
    /// Repair symbols in percent of the source symbols [default: 10% with a code]
    #[arg(long, visible_alias = "repair-percent", value_parser = quantity::percent, value_name = "PERCENT")]
    repair: Option<f64>,
    /// Repair symbols of each source block, instead of a percentage
    #[arg(long, conflicts_with = "repair", value_name = "NUMBER")]
    repair_symbols: Option<u32>,
    /// Repair symbols of each source block at least, where the percentage gives fewer
    #[arg(long, default_value_t = 2, value_name = "NUMBER")]
    repair_min: u32,
    /// Bytes of an encoding symbol [default: as many as fit into --mtu]
    #[arg(long, value_name = "BYTES")]
    symbol_size: Option<u16>,
    /// Bytes of a packet at most, without UDP and IP headers
    #[arg(long, default_value_t = 1472, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(1..=65_507))]
    mtu: u16,
    /// Source symbols of a block at most [default: what suits the code]
    #[arg(long, value_name = "NUMBER")]
    source_block_length: Option<u32>,
    /// Source blocks of an object that are sent side by side
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    interleave: u32,
    /// The rules to keep: rfc6726, rfc3926, mbms, mbms-2022 or dvb-mabr
    #[arg(long, default_value = "rfc6726", value_name = "NAME")]
    profile: Profile,
    /// How files are encoded on their way
    #[arg(long, value_enum, default_value_t = Encoding::None)]
    content_encoding: Encoding,
    /// Send files as they are written, again when they change, and withdraw those that are deleted, until ^C
    #[arg(long)]
    watch: bool,
    /// Send every file so many times, or until ^C
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "0", value_name = "TIMES")]
    carousel: Option<u64>,
    /// Time from the end of a transfer to the next one of the same file
    #[arg(long, default_value = "0s", value_parser = quantity::duration, value_name = "TIME", requires = "carousel")]
    repeat_delay: Duration,
    /// What is put in front of every Content-Location
    #[arg(long, default_value = "", hide_default_value = true, value_name = "URL|PATH")]
    prefix: String,
    /// Do not send what is in the folders of a folder
    #[arg(long)]
    no_recursive: bool,
    /// Send files too whose names, or those of their folders, begin with a dot
    #[arg(long)]
    hidden: bool,
    /// Which symbolic links are followed
    #[arg(long, value_enum, default_value_t = Links::Inside)]
    follow_links: Links,
    /// Names of files and folders that are not sent, as patterns separated by commas [default: none, and with --watch
    /// *~,*.tmp,*.part]
    #[arg(long, value_name = "PATTERNS")]
    ignore: Option<String>,
    /// With --watch: time for which a file must not have changed whose end of writing was not seen
    #[arg(long, default_value = "1s", value_parser = quantity::duration, value_name = "TIME")]
    settle_time: Duration,
    /// Describe files without a Content-MD5
    #[arg(long)]
    no_md5: bool,
    /// Do not tell receivers at the end that the session is closed
    #[arg(long)]
    no_close_session: bool,
    /// Time between two full FDT Instances
    #[arg(long, default_value = "1s", value_parser = quantity::duration, value_name = "TIME")]
    fdt_interval: Duration,
    /// Time for which an FDT Instance is valid
    #[arg(long, default_value = "1h", value_parser = quantity::duration, value_name = "TIME")]
    fdt_lifetime: Duration,
    /// ID of the first FDT Instance [default: 0], or "time" for one by the time of day: for receivers that ignore a sender
    /// which was killed and started again
    #[arg(long, value_parser = instance_start, default_value = "0", hide_default_value = true, value_name = "NUMBER|time")]
    fdt_instance_start: InstanceStart,
    /// Make the Content-MD5 of encoded files from their content before it is encoded, for receivers that compare it with
    /// what they decode
    #[arg(long)]
    md5_of_content: bool,
    /// Write a description of the session (SDP) into this file before it begins, for receivers
    #[arg(long, value_name = "FILE.sdp")]
    sdp: Option<PathBuf>,
    /// Group that all files belong to, in the FDT (3GPP)
    #[arg(long)]
    group: Option<String>,
    /// Bytes of files that wait for their first transfer, beyond which no further one is opened; 0 for no bound
    #[arg(long, default_value = "64Mi", value_parser = quantity::bytes, value_name = "BYTES")]
    max_queued_bytes: u64,
    /// Routers that a packet to a host passes at most
    #[arg(long, default_value_t = 64, value_name = "NUMBER")]
    ttl: u8,
    /// Routers that a packet to a multicast group passes at most
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    ttl_mc: u8,
    /// Local IP address that packets come from
    #[arg(long, value_name = "ADDRESS")]
    bind_address: Option<IpAddr>,
    /// Differentiated services code point of packets
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(0..=63))]
    qos_dscp: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fec {
    /// No repair symbols (Compact No-Code, FEC Encoding ID 0)
    None,
    /// Reed-Solomon over GF(2^8) (RFC 5510, FEC Encoding ID 5)
    Rs8,
    /// Reed-Solomon over GF(2^8), Small Block Systematic (RFC 5510, FEC Encoding ID 129)
    Rs8SmallBlock,
    /// Reed-Solomon over GF(2^m), with m = 8 (RFC 5510, FEC Encoding ID 2)
    Rs2m,
    /// Raptor (RFC 5053, FEC Encoding ID 1)
    Raptor,
    /// RaptorQ (RFC 6330, FEC Encoding ID 6)
    Raptorq,
}

impl From<Fec> for FecScheme {
    fn from(fec: Fec) -> Self {
        match fec {
            Fec::None => Self::NoCode,
            Fec::Rs8 => Self::ReedSolomon8,
            Fec::Rs8SmallBlock => Self::ReedSolomon8SmallBlock,
            Fec::Rs2m => Self::ReedSolomon2m { m: 8, symbols_per_packet: 1 },
            Fec::Raptor => Self::Raptor,
            Fec::Raptorq => Self::RaptorQ,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Encoding {
    /// As they are
    None,
    /// ZLIB (RFC 1950)
    Zlib,
    /// deflate as HTTP knows it, which is ZLIB (RFC 2616 3.5)
    Deflate,
    /// GZIP (RFC 1952)
    Gzip,
}

impl From<Encoding> for ContentEncoding {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::None => Self::Null,
            Encoding::Zlib | Encoding::Deflate => Self::Zlib,
            Encoding::Gzip => Self::Gzip,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Links {
    /// None
    None,
    /// Those to what is in the folder, and not hidden
    Inside,
    /// All of them, also out of the folder: what they lead to is sent to every receiver
    All,
}

impl From<Links> for FollowLinks {
    fn from(links: Links) -> Self {
        match links {
            Links::None => Self::None,
            Links::Inside => Self::Inside,
            Links::All => Self::All,
        }
    }
}

impl SendArguments {
    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    pub(super) fn destination(&self) -> &HostAndPort {
        &self.to.address
    }

    /// How long files settle, if they are watched.
    pub(super) fn watch(&self) -> Option<Duration> {
        self.watch.then_some(self.settle_time)
    }

    /// What is sent of a folder.
    pub(super) fn rules(&self) -> Rules {
        Rules { recursive: !self.no_recursive, hidden: self.hidden, follow_links: self.follow_links.into() }
    }

    /// Names that are not sent.
    pub(super) fn ignored(&self) -> &str {
        self.ignore.as_deref().unwrap_or(if self.watch { TEMPORARY_NAMES } else { "" })
    }

    /// How files become objects.
    pub(super) fn objects(&self) -> ObjectOptions {
        let transfers = self.carousel.unwrap_or(1);
        ObjectOptions {
            prefix: self.prefix.clone(),
            md5: !self.no_md5,
            carousel: Carousel {
                transfers: (transfers > 0).then_some(transfers),
                interval: Interval::Delay(self.repeat_delay),
            },
            is_watched: self.watch,
            max_queued_bytes: if self.max_queued_bytes == 0 { u64::MAX } else { self.max_queued_bytes },
        }
    }

    /// The file that the session is described in, if it is.
    pub(super) fn sdp(&self) -> Option<&Path> {
        self.sdp.as_deref()
    }

    /// The session for those who are to receive it, which is sent from `source` to `destination`.
    pub(super) fn description(
        &self,
        tsi: Tsi,
        source: Option<IpAddr>,
        destination: SocketAddr,
        now: Time,
    ) -> SessionDescription {
        let scheme = FecScheme::from(self.fec).encoding_id();
        let session = DescribedSession {
            tsi: tsi.get(),
            source: source.filter(|source| !source.is_unspecified()),
            channels: vec![destination],
            fec: vec![(scheme.0, scheme.is_under_specified().then_some(0))],
            bitrate: (self.bitrate > 0).then_some(self.bitrate),
        };
        let names = self.paths.iter().filter_map(|path| path.file_name()?.to_str());
        let name: Vec<&str> = names.take(1).collect();
        SessionDescription { name: name.concat(), time: (ntp_seconds(now), 0), sessions: vec![session] }
    }

    /// The settings of the core.
    pub(super) fn sender_config(&self) -> anyhow::Result<SenderConfig> {
        let tsi = match self.tsi {
            Some(number) => {
                Some(Tsi::new(number).ok_or_else(|| anyhow::anyhow!("--tsi {number}: it has at most 48 bits"))?)
            }
            None => self.to.tsi,
        };
        let is_ipv6 = self.destination().host.ip().is_some_and(|ip| ip.is_ipv6());
        let overhead = if is_ipv6 { PacketOverhead::UdpIpv6 } else { PacketOverhead::UdpIpv4 };
        Ok(SenderConfig::default()
            .tsi(tsi.or(Tsi::new(1)).unwrap_or_default())
            .profile(self.profile)
            .fec(self.fec_config()?)
            .content_encoding(self.content_encoding.into())
            .fdt(
                FdtPolicy::default()
                    .interval(self.fdt_interval)
                    .lifetime(self.fdt_lifetime)
                    .first_instance_id(self.fdt_instance_start.0),
            )
            .pacing(Pacing::default().bitrate(self.bitrate).overhead(overhead))
            .interleave(self.interleave)
            .close_session(!self.no_close_session)
            .md5_of_content(self.md5_of_content)
            .table(TableAttributes::default().groups(self.group.iter().cloned().collect()))
            // The standard library's only source of randomness.
            .seed(RandomState::new().build_hasher().finish()))
    }

    fn fec_config(&self) -> anyhow::Result<FecConfig> {
        let protection = match (self.repair, self.repair_symbols) {
            (Some(percent), _) => Protection::Percent(percent),
            (None, Some(symbols)) => Protection::Symbols(symbols),
            (None, None) if self.fec == Fec::None => Protection::Symbols(0),
            (None, None) => Protection::Percent(DEFAULT_REPAIR),
        };
        if self.fec == Fec::None && protection.repair_symbols(1000) > 0 {
            bail!("repair symbols need a code: add --fec, for example --fec raptorq, or leave --repair out");
        }
        let room = self.mtu.saturating_sub(MAX_HEADERS);
        let symbol_size = self.symbol_size.unwrap_or(room / SYMBOL_MULTIPLE * SYMBOL_MULTIPLE);
        if symbol_size == 0 || symbol_size > room {
            bail!(
                "symbols of {symbol_size} bytes and up to {MAX_HEADERS} bytes of headers do not fit into packets of {} \
                 bytes: choose a smaller --symbol-size or a larger --mtu",
                self.mtu
            );
        }
        Ok(FecConfig::default()
            .scheme(self.fec.into())
            .symbol_size(symbol_size)
            .max_source_block_length(self.source_block_length)
            .protection(protection)
            .min_repair_symbols(self.repair_min))
    }

    /// The settings of the socket.
    pub(super) fn send_config(&self) -> anyhow::Result<SendConfig> {
        if self.to.source.is_some() {
            bail!(
                "--to {}: a sender has no use for a source in the URI; --bind-address is where packets come from",
                self.to.address
            );
        }
        let mut config = SendConfig::new(self.to.address.clone());
        config.interface = self.iface.clone().or_else(|| self.to.interface.clone());
        config.bind_address = self.bind_address;
        config.ttl = self.ttl;
        config.ttl_mc = self.ttl_mc;
        config.dscp = self.qos_dscp;
        Ok(config)
    }
}

/// The first FDT Instance ID, or none for one by the time of day.
#[derive(Clone, Copy, Debug)]
struct InstanceStart(Option<u32>);

fn instance_start(text: &str) -> Result<InstanceStart, String> {
    match text {
        "time" => Ok(InstanceStart(None)),
        number => match number.parse() {
            Ok(id @ 0..=0xf_ffff) => Ok(InstanceStart(Some(id))),
            _ => Err("it must be a number up to 1048575, or time".to_owned()),
        },
    }
}

/// Seconds since 1900, as SDP counts them (RFC 8866 §5.9).
fn ntp_seconds(time: Time) -> u64 {
    const UNIX_EPOCH: u64 = 2_208_988_800;
    time.as_unix().as_secs() + UNIX_EPOCH
}
