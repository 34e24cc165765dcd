// SPDX-License-Identifier: MPL-2.0

//! What the user sets on the element, and what the core and the socket make of it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use flute_fec::Protection;
use flute_proto::content::ContentEncoding;
use flute_proto::lct::{HeaderWidths, Toi, Tsi};
use flute_proto::sender::{FdtPolicy, FecConfig, FecScheme, Pacing, SenderConfig, TableAttributes};

use super::default_rate::DEFAULT_BITRATE;
use super::enums::{FluteContentEncoding, FluteEosPolicy, FluteFec, FlutePacketOverhead, FluteProfile};
use crate::object_meta::ObjectMeta;
use flute_net::{FluteUri, UriError};
use flute_net::{Host, HostAndPort, SendConfig};

/// Bytes of a packet that are not symbols, at most: an LCT header with the widest CCI that FLUTE uses, TSI and TOI
/// (4 + 4 + 6 + 14), EXT_FDT (4), EXT_CENC (4), EXT_TIME (12), EXT_FTI (16) and a FEC Payload ID (8).
pub(super) const MAX_HEADERS: u32 = 72;

/// Symbols are made a multiple of this many bytes where the user leaves the choice: what every scheme can divide.
const SYMBOL_MULTIPLE: u32 = 8;

/// Percent of repair symbols where there is a code and the user says nothing.
const DEFAULT_REPAIR_PERCENT: f64 = 10.0;

pub(super) const DEFAULT_REPAIR_MIN: u32 = 2;
pub(super) const DEFAULT_TSI: u64 = 1;
pub(super) const DEFAULT_MTU: u32 = 1472;
pub(super) const DEFAULT_RS_FIELD_BITS: u32 = 8;
pub(super) const DEFAULT_FDT_INTERVAL: u64 = 1_000_000_000;
pub(super) const DEFAULT_FDT_LIFETIME: u64 = 3_600_000_000_000;
pub(super) const DEFAULT_MAX_QUEUED_BYTES: u64 = 64 << 20;
pub(super) const DEFAULT_LINGER: u64 = 10_000_000_000;
pub(super) const DEFAULT_PORT: i32 = 3400;
pub(super) const DEFAULT_TTL: i32 = 64;
pub(super) const DEFAULT_TTL_MC: i32 = 1;

/// The properties of the element, as they were set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) tsi: u64,
    pub(super) profile: FluteProfile,
    pub(super) fec: FluteFec,
    pub(super) rs_field_bits: u32,
    pub(super) symbols_per_packet: u32,
    pub(super) symbol_size: u32,
    pub(super) mtu: u32,
    pub(super) source_block_length: u32,
    pub(super) repair_percent: f64,
    pub(super) repair_symbols: i32,
    pub(super) repair_min: u32,
    pub(super) content_encoding: FluteContentEncoding,
    pub(super) fdt_content_encoding: FluteContentEncoding,
    pub(super) fdt_fec: FluteFec,
    pub(super) fdt_repair_percent: f64,
    /// `None`: not set.
    pub(super) bitrate: Option<u64>,
    pub(super) packet_overhead: FlutePacketOverhead,
    pub(super) fdt_interval: u64,
    pub(super) fdt_lifetime: u64,
    pub(super) fdt_instance_start: i32,
    pub(super) md5_of_content: bool,
    pub(super) toi_start: u64,
    pub(super) tsi_bits: u32,
    pub(super) toi_bits: u32,
    pub(super) interleave: u32,
    pub(super) multiplex: u32,
    pub(super) multiplex_by_priority: Option<String>,
    pub(super) spread_repair: bool,
    pub(super) md5: bool,
    pub(super) md5_files: bool,
    pub(super) sender_current_time: bool,
    pub(super) fti_on_objects: bool,
    pub(super) close_session: bool,
    pub(super) close_with_payload: bool,
    pub(super) full_fdt: bool,
    pub(super) group: Option<String>,
    pub(super) base_url_1: Option<String>,
    pub(super) base_url_2: Option<String>,
    pub(super) session_identity_expiry: Option<String>,
    pub(super) spool_directory: Option<String>,
    pub(super) max_queued_bytes: u64,
    pub(super) eos_policy: FluteEosPolicy,
    pub(super) location: Option<String>,
    pub(super) keep_session: bool,
    pub(super) linger: u64,
    /// A URI that could not be used, and why: said when the element starts.
    pub(super) wrong_uri: Option<(String, String)>,
    pub(super) address: Option<String>,
    pub(super) port: i32,
    pub(super) multicast_iface: Option<String>,
    pub(super) ttl: i32,
    pub(super) ttl_mc: i32,
    pub(super) bind_address: Option<String>,
    pub(super) bind_port: i32,
    pub(super) qos_dscp: i32,
    pub(super) buffer_size: i32,
    pub(super) multicast_loop: bool,
    pub(super) auto_multicast: bool,
    pub(super) gso: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tsi: DEFAULT_TSI,
            profile: FluteProfile::default(),
            fec: FluteFec::default(),
            rs_field_bits: DEFAULT_RS_FIELD_BITS,
            symbols_per_packet: 1,
            symbol_size: 0,
            mtu: DEFAULT_MTU,
            source_block_length: 0,
            repair_percent: -1.0,
            repair_symbols: -1,
            repair_min: DEFAULT_REPAIR_MIN,
            content_encoding: FluteContentEncoding::default(),
            fdt_content_encoding: FluteContentEncoding::default(),
            fdt_fec: FluteFec::Inherit,
            fdt_repair_percent: -1.0,
            bitrate: None,
            packet_overhead: FlutePacketOverhead::default(),
            fdt_interval: DEFAULT_FDT_INTERVAL,
            fdt_lifetime: DEFAULT_FDT_LIFETIME,
            fdt_instance_start: 0,
            md5_of_content: false,
            toi_start: 0,
            tsi_bits: 0,
            toi_bits: 0,
            interleave: 1,
            multiplex: 1,
            multiplex_by_priority: None,
            spread_repair: false,
            md5: false,
            md5_files: true,
            sender_current_time: false,
            fti_on_objects: false,
            close_session: true,
            close_with_payload: false,
            full_fdt: false,
            group: None,
            base_url_1: None,
            base_url_2: None,
            session_identity_expiry: None,
            spool_directory: None,
            max_queued_bytes: DEFAULT_MAX_QUEUED_BYTES,
            eos_policy: FluteEosPolicy::default(),
            location: None,
            keep_session: false,
            linger: DEFAULT_LINGER,
            wrong_uri: None,
            address: None,
            port: DEFAULT_PORT,
            multicast_iface: None,
            ttl: DEFAULT_TTL,
            ttl_mc: DEFAULT_TTL_MC,
            bind_address: None,
            bind_port: 0,
            qos_dscp: -1,
            buffer_size: 0,
            multicast_loop: true,
            auto_multicast: false,
            gso: true,
        }
    }
}

/// What is said of the FEC of some objects alone; the rest is as the element has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct OwnFec {
    pub(super) fec: FluteFec,
    pub(super) repair_percent: f64,
    pub(super) repair_symbols: i32,
    pub(super) symbol_size: u32,
    pub(super) source_block_length: u32,
}

impl Default for OwnFec {
    fn default() -> Self {
        Self {
            fec: FluteFec::Inherit,
            repair_percent: -1.0,
            repair_symbols: -1,
            symbol_size: 0,
            source_block_length: 0,
        }
    }
}

impl OwnFec {
    /// The same, but for what the meta of an object says.
    pub(super) fn described(mut self, meta: &ObjectMeta) -> Result<Self, SettingsError> {
        if let Some(nick) = &meta.fec {
            self.fec = FluteFec::of_nick(nick).ok_or_else(|| SettingsError::Fec { value: nick.clone() })?;
        }
        if let Some(percent) = meta.repair_percent {
            (self.repair_percent, self.repair_symbols) = (percent, -1);
        }
        if let Some(symbols) = meta.repair_symbols {
            self.repair_symbols = symbols.try_into().unwrap_or(i32::MAX);
        }
        self.symbol_size = meta.symbol_size.unwrap_or(self.symbol_size);
        self.source_block_length = meta.source_block_length.unwrap_or(self.source_block_length);
        Ok(self)
    }
}

/// Why properties do not fit together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("{uri} cannot be used: {reason}; a URI looks like flute://239.1.1.1:3400?tsi=1&iface=eth0")]
    Uri { uri: String, reason: String },
    #[error(
        "no address to send to: set address, for example address=239.1.1.1, or link the src pad, for example to udpsink"
    )]
    NoAddress,
    #[error("{property} “{value}” is not an IP address: it must look like 239.1.1.1 or ff3e::1")]
    Address { property: &'static str, value: String },
    #[error("port is 0: set the UDP port of the receivers, 1 to 65535")]
    NoPort,
    #[error("repair symbols need a code: set fec, for example fec=rs8, or leave repair-percent and repair-symbols")]
    RepairWithoutCode,
    #[error(
        "{symbols} symbols of {symbol_size} bytes and up to {MAX_HEADERS} bytes of headers do not fit into packets of \
         {mtu} bytes: set a smaller symbol-size, or mtu to the {needed} bytes that they need"
    )]
    SymbolSize { symbols: u32, symbol_size: u32, mtu: u32, needed: u32 },
    #[error(
        "packets of {mtu} bytes have no room for a symbol beside up to {MAX_HEADERS} bytes of headers: set mtu higher"
    )]
    Mtu { mtu: u32 },
    #[error("{property} {value} is not a width that a header can have: {widths}, or 0 for as small as fits")]
    Width { property: &'static str, value: u32, widths: &'static str },
    #[error("fec “{value}” is no FEC scheme: it must be none, rs8, rs8-small-block, rs2m, raptor or raptorq")]
    Fec { value: String },
    #[error("cache-control “{value}” says nothing: it must be no-cache, max-stale, or like expires=3900000000")]
    CacheControl { value: String },
    #[error("{property} “{value}” is not a list of pairs of numbers: it must look like {example}")]
    Pairs { property: &'static str, value: String, example: &'static str },
}

impl Settings {
    /// The settings of the core; `is_ipv6` is what is known of the network.
    pub(super) fn sender_config(&self, is_ipv6: bool) -> Result<SenderConfig, SettingsError> {
        Ok(SenderConfig::default()
            .tsi(Tsi::new(self.tsi).unwrap_or(Tsi::MAX))
            .profile(self.profile.into())
            .fec(self.fec_config()?)
            .content_encoding(self.content_encoding.of_objects().unwrap_or(ContentEncoding::Null))
            .fdt(
                FdtPolicy::default()
                    .interval(Duration::from_nanos(self.fdt_interval))
                    .lifetime(Duration::from_nanos(self.fdt_lifetime))
                    .first_instance_id(u32::try_from(self.fdt_instance_start).ok())
                    .content_encoding(self.fdt_content_encoding.of_fdt())
                    .fec(self.own_fec(OwnFec {
                        fec: self.fdt_fec,
                        repair_percent: self.fdt_repair_percent,
                        ..OwnFec::default()
                    })?)
                    .full_fdt(self.full_fdt),
            )
            .pacing(self.pacing(is_ipv6))
            .first_toi((self.toi_start != 0).then(|| Toi::new(self.toi_start.into())).flatten())
            .widths(self.widths()?)
            .interleave(self.interleave)
            .multiplex(self.multiplex)
            .multiplex_by_priority(pairs("multiplex-by-priority", &self.multiplex_by_priority, "10:4,0:1")?)
            .spread_repair(self.spread_repair)
            .sender_current_time(self.sender_current_time)
            .fti_on_objects(self.fti_on_objects)
            .close_session(self.close_session)
            .close_with_payload(self.close_with_payload)
            .md5_of_content(self.md5_of_content)
            .table(
                TableAttributes::default()
                    .groups(self.group.iter().cloned().collect())
                    .base_url_1(words(&self.base_url_1))
                    .base_url_2(words(&self.base_url_2))
                    .session_identity_expiry(pairs(
                        "session-identity-expiry",
                        &self.session_identity_expiry,
                        "1:3900000000,2:3900003600",
                    )?),
            )
            .spool_directory(self.spool_directory.as_ref().map(PathBuf::from))
            // The standard library's only source of randomness.
            .seed(RandomState::new().build_hasher().finish()))
    }

    /// What cannot change while a session runs; the rest is as it is by default.
    pub(super) fn fixed(&self) -> Self {
        let free = Self::default();
        Self {
            fec: free.fec,
            rs_field_bits: free.rs_field_bits,
            symbols_per_packet: free.symbols_per_packet,
            symbol_size: free.symbol_size,
            mtu: free.mtu,
            source_block_length: free.source_block_length,
            repair_percent: free.repair_percent,
            repair_symbols: free.repair_symbols,
            repair_min: free.repair_min,
            bitrate: free.bitrate,
            packet_overhead: free.packet_overhead,
            md5: free.md5,
            md5_files: free.md5_files,
            max_queued_bytes: free.max_queued_bytes,
            eos_policy: free.eos_policy,
            location: free.location,
            keep_session: free.keep_session,
            linger: free.linger,
            ..self.clone()
        }
    }

    /// The rate.
    pub(super) fn pacing(&self, is_ipv6: bool) -> Pacing {
        let bitrate = self.bitrate.unwrap_or(DEFAULT_BITRATE);
        Pacing::default().bitrate(bitrate).overhead(self.packet_overhead.overhead(is_ipv6))
    }

    /// The FEC of objects that do not have their own.
    pub(super) fn fec_config(&self) -> Result<FecConfig, SettingsError> {
        let scheme = self.scheme(self.fec).unwrap_or(FecScheme::NoCode);
        let protection = protection(self.repair_percent, self.repair_symbols).unwrap_or(default_protection(scheme));
        self.fec_of(scheme, protection, self.symbol_size, self.source_block_length)
    }

    /// The FEC of what has properties of its own: objects of a pad, FDT Instances. `None` if they say nothing.
    pub(super) fn own_fec(&self, own: OwnFec) -> Result<Option<FecConfig>, SettingsError> {
        if own == OwnFec::default() {
            return Ok(None);
        }
        let inherited = self.fec_config()?;
        let scheme = self.scheme(own.fec).unwrap_or(inherited.scheme);
        let protection = protection(own.repair_percent, own.repair_symbols).unwrap_or(match inherited.scheme {
            FecScheme::NoCode => default_protection(scheme),
            _ if scheme == FecScheme::NoCode => Protection::Symbols(0),
            _ => inherited.protection,
        });
        let or = |own: u32, inherited: u32| if own == 0 { inherited } else { own };
        let symbol_size = or(own.symbol_size, self.symbol_size);
        let source_block_length = or(own.source_block_length, self.source_block_length);
        self.fec_of(scheme, protection, symbol_size, source_block_length).map(Some)
    }

    fn fec_of(
        &self,
        scheme: FecScheme,
        protection: Protection,
        symbol_size: u32,
        source_block_length: u32,
    ) -> Result<FecConfig, SettingsError> {
        if scheme == FecScheme::NoCode && protection.repair_symbols(1000) > 0 {
            return Err(SettingsError::RepairWithoutCode);
        }
        Ok(FecConfig::default()
            .scheme(scheme)
            .symbol_size(self.symbol_size_in_packets(scheme, symbol_size)?)
            .max_source_block_length((source_block_length > 0).then_some(source_block_length))
            .protection(protection)
            .min_repair_symbols(self.repair_min))
    }

    fn scheme(&self, fec: FluteFec) -> Option<FecScheme> {
        fec.scheme(self.rs_field_bits as u8, self.symbols_per_packet as u8)
    }

    /// The symbol size that is wanted, or that fills packets where it is 0.
    fn symbol_size_in_packets(&self, scheme: FecScheme, symbol_size: u32) -> Result<u16, SettingsError> {
        let mtu = self.mtu;
        let symbols = match scheme {
            FecScheme::ReedSolomon2m { symbols_per_packet, .. } => symbols_per_packet.into(),
            _ => 1,
        };
        let room = mtu.saturating_sub(MAX_HEADERS) / symbols;
        if symbol_size == 0 {
            let size = room / SYMBOL_MULTIPLE * SYMBOL_MULTIPLE;
            return u16::try_from(size).ok().filter(|&size| size > 0).ok_or(SettingsError::Mtu { mtu });
        }
        let needed = symbol_size * symbols + MAX_HEADERS;
        u16::try_from(symbol_size).ok().filter(|_| symbol_size <= room).ok_or(SettingsError::SymbolSize {
            symbols,
            symbol_size,
            mtu,
            needed,
        })
    }

    fn widths(&self) -> Result<HeaderWidths, SettingsError> {
        if !matches!(self.tsi_bits, 0 | 16 | 32 | 48) {
            let widths = "16, 32 or 48";
            return Err(SettingsError::Width { property: "tsi-bits", value: self.tsi_bits, widths });
        }
        if !(self.toi_bits <= 112 && self.toi_bits.is_multiple_of(16)) {
            let widths = "16, 32, 48, 64, 80, 96 or 112";
            return Err(SettingsError::Width { property: "toi-bits", value: self.toi_bits, widths });
        }
        Ok(HeaderWidths { tsi: self.tsi_bits as u8, toi: self.toi_bits as u8 })
    }

    /// Where packets go to, if an address is set.
    pub(super) fn destination(&self) -> Result<HostAndPort, SettingsError> {
        if let Some((uri, reason)) = self.wrong_uri.clone() {
            return Err(SettingsError::Uri { uri, reason });
        }
        let address = self.address.as_deref().ok_or(SettingsError::NoAddress)?;
        let port = u16::try_from(self.port).ok().filter(|&port| port > 0).ok_or(SettingsError::NoPort)?;
        let wrong = || SettingsError::Address { property: "address", value: address.to_owned() };
        Ok(HostAndPort::new(address.parse::<Host>().map_err(|_| wrong())?, port))
    }

    /// Whether packets go over IPv6, as far as that is known before a name is looked up.
    pub(super) fn is_ipv6(&self) -> bool {
        self.destination().is_ok_and(|destination| destination.host.ip().is_some_and(|ip| ip.is_ipv6()))
    }

    /// Sets the properties that a URI says.
    pub(super) fn set_uri(&mut self, text: &str) -> Result<(), UriError> {
        let uri = text.parse::<FluteUri>().inspect_err(|error| {
            self.wrong_uri = Some((text.to_owned(), error.to_string()));
        })?;
        self.wrong_uri = None;
        self.address = Some(uri.address.to_string());
        self.port = uri.port.into();
        self.tsi = uri.tsi.unwrap_or(DEFAULT_TSI);
        self.multicast_iface = uri.interface;
        Ok(())
    }

    /// The properties as a URI, if there is an address.
    pub(super) fn uri(&self) -> Option<String> {
        let destination = self.destination().ok()?;
        let uri = FluteUri {
            address: destination.host.ip()?,
            port: destination.port,
            source: None,
            path: None,
            tsi: Some(self.tsi),
            interface: self.multicast_iface.as_deref().or(destination.host.zone()).map(str::to_owned),
            timeout: None,
        };
        Some(uri.to_string())
    }

    /// The settings of the socket.
    pub(super) fn send_config(&self) -> Result<SendConfig, SettingsError> {
        let mut config = SendConfig::new(self.destination()?);
        config.interface = self.multicast_iface.clone().filter(|interface| !interface.is_empty());
        let bind_address = self.bind_address.as_deref().filter(|address| !address.is_empty());
        config.bind_address = bind_address.map(|address| parse_ip("bind-address", address)).transpose()?;
        config.bind_port = self.bind_port as u16;
        config.ttl = self.ttl as u8;
        config.ttl_mc = self.ttl_mc as u8;
        config.dscp = u8::try_from(self.qos_dscp).ok();
        config.buffer_size = usize::try_from(self.buffer_size).unwrap_or(0);
        config.multicast_loop = self.multicast_loop;
        config.auto_multicast = self.auto_multicast;
        config.gso = self.gso;
        Ok(config)
    }
}

fn parse_ip(property: &'static str, value: &str) -> Result<IpAddr, SettingsError> {
    let bare = value.trim().trim_start_matches('[').trim_end_matches(']');
    bare.parse().map_err(|_| SettingsError::Address { property, value: value.to_owned() })
}

/// What a list like `10:4,0:1` says.
fn pairs<K: FromStr, V: FromStr, C: FromIterator<(K, V)>>(
    property: &'static str,
    value: &Option<String>,
    example: &'static str,
) -> Result<C, SettingsError> {
    let value = value.as_deref().unwrap_or_default();
    let pairs = value.split(',').filter(|pair| !pair.trim().is_empty()).map(|pair| {
        let (key, value) = pair.split_once(':')?;
        Some((key.trim().parse().ok()?, value.trim().parse().ok()?))
    });
    pairs.collect::<Option<C>>().ok_or_else(|| SettingsError::Pairs { property, value: value.to_owned(), example })
}

/// What is separated by spaces, which no URI has.
fn words(value: &Option<String>) -> Vec<String> {
    value.as_deref().unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect()
}

/// What the two properties that say it alike ask for; a number of symbols goes before a percentage.
fn protection(percent: f64, symbols: i32) -> Option<Protection> {
    match u32::try_from(symbols) {
        Ok(symbols) => Some(Protection::Symbols(symbols)),
        Err(_) => (percent >= 0.0).then_some(Protection::Percent(percent)),
    }
}

fn default_protection(scheme: FecScheme) -> Protection {
    match scheme {
        FecScheme::NoCode => Protection::Symbols(0),
        _ => Protection::Percent(DEFAULT_REPAIR_PERCENT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_fill_packets() {
        let symbol_size = |mtu| Settings { mtu, ..Default::default() }.fec_config().map(|fec| fec.symbol_size);
        assert_eq!(symbol_size(1472), Ok(1400));
        assert_eq!(symbol_size(1452), Ok(1376));
        assert_eq!(symbol_size(80), Ok(8));
        assert_eq!(symbol_size(79), Err(SettingsError::Mtu { mtu: 79 }));
        let wanted = Settings { symbol_size: 1401, ..Default::default() };
        let wrong = wanted.fec_config().unwrap_err();
        assert_eq!(wrong, SettingsError::SymbolSize { symbols: 1, symbol_size: 1401, mtu: 1472, needed: 1473 });
        assert!(Settings { mtu: 1473, ..wanted }.fec_config().is_ok());
    }

    #[test]
    fn several_symbols_of_a_packet_share_it() {
        let settings = Settings { fec: FluteFec::Rs2m, symbols_per_packet: 3, ..Default::default() };
        assert_eq!(settings.fec_config().unwrap().symbol_size, 464);
        let settings = Settings { symbols_per_packet: 3, ..Default::default() };
        let of_pad = settings.own_fec(OwnFec { fec: FluteFec::Rs2m, ..Default::default() }).unwrap().unwrap();
        assert_eq!((settings.fec_config().unwrap().symbol_size, of_pad.symbol_size), (1400, 464));
    }

    #[test]
    fn repair_needs_a_code() {
        let settings = Settings { repair_percent: 5.0, ..Default::default() };
        assert_eq!(settings.fec_config(), Err(SettingsError::RepairWithoutCode));
        assert!(Settings { repair_percent: 0.0, ..Default::default() }.fec_config().is_ok());
        let settings = Settings { fec: FluteFec::Rs8, ..settings };
        assert_eq!(settings.fec_config().unwrap().protection, Protection::Percent(5.0));
        let settings = Settings { repair_symbols: 7, ..settings };
        assert_eq!(settings.fec_config().unwrap().protection, Protection::Symbols(7));
    }

    #[test]
    fn what_is_not_said_is_inherited() {
        let own = |fec| OwnFec { fec, ..Default::default() };
        let session = Settings { fec: FluteFec::Rs8, repair_percent: 30.0, ..Default::default() };
        assert_eq!(session.own_fec(own(FluteFec::Inherit)), Ok(None));
        let fec = session.own_fec(own(FluteFec::RaptorQ)).unwrap().unwrap();
        assert_eq!((fec.scheme, fec.protection), (FecScheme::RaptorQ, Protection::Percent(30.0)));
        let half = OwnFec { repair_percent: 50.0, ..Default::default() };
        let fec = session.own_fec(half).unwrap().unwrap();
        assert_eq!((fec.scheme, fec.protection), (FecScheme::ReedSolomon8, Protection::Percent(50.0)));
        let fec = session.own_fec(own(FluteFec::None)).unwrap().unwrap();
        assert_eq!((fec.scheme, fec.protection), (FecScheme::NoCode, Protection::Symbols(0)));
        let plain = Settings::default();
        let fec = plain.own_fec(own(FluteFec::Rs8)).unwrap().unwrap();
        assert_eq!(fec.protection, Protection::Percent(DEFAULT_REPAIR_PERCENT));
        assert_eq!(plain.own_fec(half), Err(SettingsError::RepairWithoutCode));
    }

    #[test]
    fn the_meta_goes_before_the_pad() {
        let pad = OwnFec { fec: FluteFec::RaptorQ, repair_symbols: 5, symbol_size: 600, ..Default::default() };
        assert_eq!(pad.described(&ObjectMeta::default()), Ok(pad));
        let meta = ObjectMeta { fec: Some("rs8".into()), repair_percent: Some(40.0), ..Default::default() };
        let fec = Settings::default().own_fec(pad.described(&meta).unwrap()).unwrap().unwrap();
        assert_eq!((fec.scheme, fec.protection), (FecScheme::ReedSolomon8, Protection::Percent(40.0)));
        assert_eq!(fec.symbol_size, 600);
        let meta = ObjectMeta { repair_symbols: Some(7), source_block_length: Some(9), ..meta };
        let fec = Settings::default().own_fec(pad.described(&meta).unwrap()).unwrap().unwrap();
        assert_eq!((fec.protection, fec.max_source_block_length), (Protection::Symbols(7), Some(9)));
        let meta = ObjectMeta { fec: Some("rs9".into()), ..Default::default() };
        let wrong = pad.described(&meta).unwrap_err().to_string();
        assert!(wrong.starts_with("fec “rs9” is no FEC scheme"), "{wrong}");
    }

    #[test]
    fn objects_are_cut_in_their_own_way() {
        let sizes = |settings: &Settings, own| {
            settings.own_fec(own).map(|fec| fec.map(|fec| (fec.symbol_size, fec.max_source_block_length)))
        };
        let session = Settings { symbol_size: 1000, source_block_length: 40, ..Default::default() };
        let own = OwnFec { symbol_size: 500, ..Default::default() };
        assert_eq!(sizes(&session, own), Ok(Some((500, Some(40)))));
        let own = OwnFec { source_block_length: 20, ..Default::default() };
        assert_eq!(sizes(&session, own), Ok(Some((1000, Some(20)))));
        let too_large = OwnFec { symbol_size: 1401, ..Default::default() };
        assert!(matches!(sizes(&session, too_large), Err(SettingsError::SymbolSize { symbol_size: 1401, .. })));
        // Several symbols share the packets of what has such a scheme, and only those.
        let several = Settings { symbols_per_packet: 3, ..Default::default() };
        let own = |fec| OwnFec { fec, ..Default::default() };
        assert_eq!(sizes(&several, own(FluteFec::Rs2m)), Ok(Some((464, None))));
        let several = Settings { fec: FluteFec::Rs2m, ..several };
        assert_eq!(sizes(&several, own(FluteFec::Rs8)), Ok(Some((1400, None))));
    }

    #[test]
    fn destinations() {
        let destination =
            |address: &str, port| Settings { address: Some(address.into()), port, ..Default::default() }.destination();
        assert_eq!(destination("239.1.1.1", 3400).unwrap().to_string(), "239.1.1.1:3400");
        assert_eq!(destination("[ff3e::1]", 3400).unwrap().to_string(), "[ff3e::1]:3400");
        assert_eq!(destination("239.1.1.1", 0), Err(SettingsError::NoPort));
        let wrong = destination("239.1.1.999", 3400).unwrap_err().to_string();
        assert_eq!(wrong, "address “239.1.1.999” is not an IP address: it must look like 239.1.1.1 or ff3e::1");
        assert_eq!(Settings::default().destination(), Err(SettingsError::NoAddress));
    }

    #[test]
    fn uris() {
        let mut settings = Settings::default();
        assert_eq!(settings.uri(), None);
        settings.set_uri("flute://[ff3e::1]:3401?tsi=7&iface=eth0").unwrap();
        assert_eq!((settings.tsi, settings.multicast_iface.as_deref()), (7, Some("eth0")));
        assert_eq!(settings.uri().as_deref(), Some("flute://[ff3e::1]:3401?tsi=7&iface=eth0"));
        assert!(settings.set_uri("udp://239.1.1.1:1").is_err());
        assert!(settings.destination().unwrap_err().to_string().starts_with("udp://239.1.1.1:1 cannot be used"));
        settings.set_uri("flute://239.1.1.1:1").unwrap();
        assert_eq!(settings.destination().unwrap().to_string(), "239.1.1.1:1");
    }

    #[test]
    fn widths() {
        assert!(Settings { toi_bits: 112, tsi_bits: 48, ..Default::default() }.sender_config(false).is_ok());
        let wrong = Settings { toi_bits: 40, ..Default::default() }.sender_config(false).unwrap_err().to_string();
        assert!(wrong.starts_with("toi-bits 40 is not a width"), "{wrong}");
    }

    #[test]
    fn lists_of_pairs() {
        let multiplex = |text: &str| {
            let settings = Settings { multiplex_by_priority: Some(text.into()), ..Default::default() };
            settings.sender_config(false).map(|config| Vec::from_iter(config.multiplex_by_priority))
        };
        assert_eq!(multiplex("7:4, 0:1").unwrap(), [(0, 1), (7, 4)]);
        assert_eq!(multiplex("").unwrap(), []);
        let wrong = multiplex("7=4").unwrap_err().to_string();
        assert_eq!(wrong, "multiplex-by-priority “7=4” is not a list of pairs of numbers: it must look like 10:4,0:1");
    }
}
