// SPDX-License-Identifier: MPL-2.0

//! What the user sets on the element, and what the core and the socket make of it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use flute_proto::lct::Tsi;
use flute_proto::receiver::{Filter, Limits, Mode, ReceiverConfig};
use gst::glib;
use gst::prelude::*;

use crate::registry::Request;
use crate::uri::{FluteUri, UriError};
use flute_net::{Host, HostAndPort, HostError, ReceiveConfig};

const DEFAULT_PORT: i32 = 3400;
const DEFAULT_BUFFER_SIZE: i32 = 8 << 20;
const DEFAULT_TIMEOUT: u64 = 0;
const DEFAULT_AUTO_MULTICAST: bool = true;
const DEFAULT_LOOP: bool = true;
const DEFAULT_REUSE: bool = true;
const DEFAULT_TSI: i64 = -1;
const DEFAULT_EOS_ON_CLOSE: bool = false;
const DEFAULT_SEGMENT_DEADLINE: u64 = 2_000_000_000;

const DEFAULT_LINGER: u64 = 15_000_000_000;

/// GObject hands over no value of another type than the property has.
const CHECKED: &str = "the type was checked";

/// The largest TSI, as a property has it.
const MAX_TSI: i64 = (1 << 48) - 1;

/// Which objects are delivered, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFluteSrcMode")]
#[repr(i32)]
pub(super) enum ReceiveMode {
    /// Every object.
    #[default]
    #[enum_value(name = "Every object and each new version of it", nick = "everything")]
    Everything,
    /// Once per name.
    #[enum_value(name = "The first version of every Content-Location", nick = "once")]
    Once,
    /// What changed.
    #[enum_value(name = "Every version of which the content or the TOI is new", nick = "keep-updated")]
    KeepUpdated,
}

impl From<ReceiveMode> for Mode {
    fn from(mode: ReceiveMode) -> Self {
        match mode {
            ReceiveMode::Everything => Self::Everything,
            ReceiveMode::Once => Self::OncePerLocation,
            ReceiveMode::KeepUpdated => Self::KeepUpdated,
        }
    }
}

/// In which order a pad delivers objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFluteSrcOrder")]
#[repr(i32)]
pub(super) enum SegmentOrder {
    /// What is downstream decides.
    #[default]
    #[enum_value(name = "As media in front of a demuxer or decodebin, else as they arrive", nick = "auto")]
    Auto,
    /// As they are completed.
    #[enum_value(name = "Every object as soon as it is complete", nick = "arrival")]
    Arrival,
    /// For a demuxer.
    #[enum_value(name = "Initialisation and media segments of one representation in sequence", nick = "media")]
    Media,
}

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
    #[error("address: {0}")]
    Host(#[from] HostError),
    #[error("port {0} is no UDP port: it must be 1 to 65535, or 0 for any")]
    Port(i32),
    #[error("spool-directory {} is not a folder", .0.display())]
    SpoolDirectory(PathBuf),
    #[error("{property}: {error}")]
    Glob { property: &'static str, error: globset::Error },
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
    /// The settings of the core.
    pub(super) fn receiver_config(&self) -> Result<ReceiverConfig, SettingsError> {
        let spool_directory = said(&self.spool_directory).map(PathBuf::from);
        if let Some(folder) = spool_directory.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(SettingsError::SpoolDirectory(folder.clone()));
        }
        Ok(ReceiverConfig {
            filter: Filter {
                tsis: u64::try_from(self.tsi).ok().and_then(Tsi::new).into_iter().collect(),
                source: self.source()?,
            },
            mode: self.mode.into(),
            limits: Limits {
                max_memory: self.max_memory,
                max_sessions: self.max_sessions as usize,
                max_objects: self.max_objects as usize,
                max_object_size: self.max_object_size,
                max_expansion: self.max_expansion,
                max_fdt_instances: self.max_fdt_instances as usize,
                max_fdt_size: self.max_fdt_size,
                max_decoding_work: self.max_decoding_work,
                spool_threshold: self.spool_threshold,
                session_timeout: Duration::from_nanos(self.session_timeout),
            },
            spool_directory,
        })
    }

    /// The settings of the socket.
    pub(super) fn receive_config(&self) -> Result<ReceiveConfig, SettingsError> {
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
    pub(super) fn request(&self) -> Result<Request, SettingsError> {
        Ok(Request {
            network: self.receive_config()?,
            receiver: self.receiver_config()?,
            patience: self.silence(),
            linger: Duration::from_nanos(self.linger),
        })
    }

    /// How long no packet comes before that is told.
    pub(super) fn silence(&self) -> Option<Duration> {
        (self.timeout > 0).then(|| Duration::from_nanos(self.timeout))
    }

    /// Takes everything over that a URI says.
    pub(super) fn set_uri(&mut self, uri: &str) -> Result<(), UriError> {
        let uri: FluteUri = uri.parse()?;
        self.address = Some(uri.address.to_string());
        self.port = uri.port.into();
        self.source_filter = uri.source.map(|source| source.to_string());
        self.multicast_iface = uri.interface;
        self.tsi = uri.tsi.and_then(|tsi| i64::try_from(tsi).ok()).map_or(DEFAULT_TSI, |tsi| tsi.min(MAX_TSI));
        self.timeout = uri.timeout.map_or(DEFAULT_TIMEOUT, gst::ClockTime::nseconds);
        self.path = uri.path;
        Ok(())
    }

    /// The URI that says what is set, if there is an IP address, which is what a URI can have.
    pub(super) fn uri(&self) -> Option<String> {
        let config = self.receive_config().ok()?;
        let HostAndPort { host, port } = &config.address;
        let uri = FluteUri {
            address: host.ip()?,
            port: *port,
            source: config.source,
            path: self.path.clone(),
            tsi: u64::try_from(self.tsi).ok(),
            interface: said(&self.multicast_iface).or(host.zone()).map(str::to_owned),
            timeout: (self.timeout > 0).then(|| gst::ClockTime::from_nseconds(self.timeout)),
        };
        Some(uri.to_string())
    }

    /// Sets one of [`properties`].
    pub(super) fn set(&mut self, name: &str, value: &glib::Value) {
        match name {
            "address" => self.address = value.get().expect(CHECKED),
            "port" => self.port = value.get().expect(CHECKED),
            "multicast-iface" => self.multicast_iface = value.get().expect(CHECKED),
            "source-filter" => self.source_filter = value.get().expect(CHECKED),
            "buffer-size" => self.buffer_size = value.get().expect(CHECKED),
            "timeout" => self.timeout = value.get().expect(CHECKED),
            "auto-multicast" => self.auto_multicast = value.get().expect(CHECKED),
            "loop" => self.multicast_loop = value.get().expect(CHECKED),
            "reuse" => self.reuse = value.get().expect(CHECKED),
            "tsi" => self.tsi = value.get().expect(CHECKED),
            "mode" => self.mode = value.get().expect(CHECKED),
            "eos-on-close" => self.eos_on_close = value.get().expect(CHECKED),
            "order" => self.order = value.get().expect(CHECKED),
            "segment-deadline" => self.segment_deadline = value.get().expect(CHECKED),
            "max-memory" => self.max_memory = value.get().expect(CHECKED),
            "max-sessions" => self.max_sessions = value.get().expect(CHECKED),
            "max-objects" => self.max_objects = value.get().expect(CHECKED),
            "max-object-size" => self.max_object_size = value.get().expect(CHECKED),
            "max-expansion" => self.max_expansion = value.get().expect(CHECKED),
            "max-fdt-instances" => self.max_fdt_instances = value.get().expect(CHECKED),
            "max-fdt-size" => self.max_fdt_size = value.get().expect(CHECKED),
            "max-decoding-work" => self.max_decoding_work = value.get().expect(CHECKED),
            "session-timeout" => self.session_timeout = value.get().expect(CHECKED),
            "spool-directory" => self.spool_directory = value.get().expect(CHECKED),
            "linger" => self.linger = value.get().expect(CHECKED),
            "spool-threshold" => self.spool_threshold = value.get().expect(CHECKED),
            name => unreachable!("property {name}"),
        }
    }

    /// The value of one of [`properties`].
    pub(super) fn get(&self, name: &str) -> glib::Value {
        match name {
            "uri" => self.uri().to_value(),
            "address" => self.address.to_value(),
            "port" => self.port.to_value(),
            "multicast-iface" => self.multicast_iface.to_value(),
            "source-filter" => self.source_filter.to_value(),
            "buffer-size" => self.buffer_size.to_value(),
            "timeout" => self.timeout.to_value(),
            "auto-multicast" => self.auto_multicast.to_value(),
            "loop" => self.multicast_loop.to_value(),
            "reuse" => self.reuse.to_value(),
            "tsi" => self.tsi.to_value(),
            "mode" => self.mode.to_value(),
            "eos-on-close" => self.eos_on_close.to_value(),
            "order" => self.order.to_value(),
            "segment-deadline" => self.segment_deadline.to_value(),
            "max-memory" => self.max_memory.to_value(),
            "max-sessions" => self.max_sessions.to_value(),
            "max-objects" => self.max_objects.to_value(),
            "max-object-size" => self.max_object_size.to_value(),
            "max-expansion" => self.max_expansion.to_value(),
            "max-fdt-instances" => self.max_fdt_instances.to_value(),
            "max-fdt-size" => self.max_fdt_size.to_value(),
            "max-decoding-work" => self.max_decoding_work.to_value(),
            "session-timeout" => self.session_timeout.to_value(),
            "spool-directory" => self.spool_directory.to_value(),
            "linger" => self.linger.to_value(),
            "spool-threshold" => self.spool_threshold.to_value(),
            name => unreachable!("property {name}"),
        }
    }
}

/// The properties of the element.
pub(super) fn properties() -> &'static [glib::ParamSpec] {
    static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
        let mut properties = network_properties();
        properties.extend(session_properties());
        properties.extend(limit_properties());
        properties
    });
    &PROPERTIES
}

fn string(name: &'static str, nick: &'static str, blurb: &'static str) -> glib::ParamSpec {
    glib::ParamSpecString::builder(name).nick(nick).blurb(blurb).mutable_ready().build()
}

fn boolean(name: &'static str, nick: &'static str, blurb: &'static str, default: bool) -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder(name).nick(nick).blurb(blurb).default_value(default).mutable_ready().build()
}

fn uint64(name: &'static str, nick: &'static str, blurb: &'static str, default: u64) -> glib::ParamSpec {
    glib::ParamSpecUInt64::builder(name).nick(nick).blurb(blurb).default_value(default).mutable_ready().build()
}

fn network_properties() -> Vec<glib::ParamSpec> {
    vec![
        string(
            "uri",
            "URI",
            "flute://[source@]address:port[/path][?tsi=1&interface=eth0&timeout=5]: sets the properties that say the same; \
             with a path only that object is delivered, and then EOS",
        ),
        string("address", "Address", "Multicast group, or address of this machine, to receive on"),
        glib::ParamSpecInt::builder("port")
            .nick("Port")
            .blurb("UDP port to receive on (0 = any that is free)")
            .minimum(0)
            .maximum(u16::MAX.into())
            .default_value(DEFAULT_PORT)
            .mutable_ready()
            .build(),
        string(
            "multicast-iface",
            "Multicast interface",
            "Interfaces on which the group is joined, by name or IPv4 address, separated by commas (unset = the system's choice)",
        ),
        string(
            "source-filter",
            "Source filter",
            "IP address of the one sender to listen to: joins as source-specific multicast, and ignores packets of others",
        ),
        glib::ParamSpecInt::builder("buffer-size")
            .nick("Buffer size")
            .blurb("Size of the kernel's receive buffer in bytes, as far as the system allows (0 = its default)")
            .minimum(0)
            .default_value(DEFAULT_BUFFER_SIZE)
            .mutable_ready()
            .build(),
        uint64(
            "timeout",
            "Timeout",
            "Post an element message flute-timeout after so many nanoseconds without a packet (0 = never); where the URI has \
             a path, give up after so many without anything of that object (0 = 15 s)",
            DEFAULT_TIMEOUT,
        ),
        boolean("auto-multicast", "Auto multicast", "Join the group, if the address is one", DEFAULT_AUTO_MULTICAST),
        boolean(
            "loop",
            "Multicast loopback",
            "Receive what this machine sends to the group, on systems where the receiver decides that",
            DEFAULT_LOOP,
        ),
        boolean("reuse", "Reuse", "Share the port with other sockets that allow it", DEFAULT_REUSE),
    ]
}

fn session_properties() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecInt64::builder("tsi")
            .nick("TSI")
            .blurb("Take only the session with this Transport Session Identifier (-1 = any)")
            .minimum(-1)
            .maximum(MAX_TSI)
            .default_value(DEFAULT_TSI)
            .mutable_ready()
            .build(),
        glib::ParamSpecEnum::builder_with_default("mode", ReceiveMode::default())
            .nick("Mode")
            .blurb("Which objects are delivered, and how often")
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("location")
            .nick("Location")
            .blurb("Glob on the Content-Location of the objects that the src pad delivers, e.g. *.{mpd,m4s} (unset = all)")
            .mutable_playing()
            .build(),
        glib::ParamSpecString::builder("content-type")
            .nick("Content type")
            .blurb("Glob on the Content-Type of the objects that the src pad delivers, e.g. video/* (unset = all)")
            .mutable_playing()
            .build(),
        glib::ParamSpecBoolean::builder("eos-on-close")
            .nick("EOS on close")
            .blurb("End the stream when the sender has closed every session that was open")
            .default_value(DEFAULT_EOS_ON_CLOSE)
            .mutable_playing()
            .build(),
        glib::ParamSpecEnum::builder_with_default("order", SegmentOrder::default())
            .nick("Order")
            .blurb("In which order the pads deliver objects")
            .mutable_ready()
            .build(),
        uint64(
            "segment-deadline",
            "Segment deadline",
            "Nanoseconds for which a media segment waits for one before it that is missing: the latency of media",
            DEFAULT_SEGMENT_DEADLINE,
        ),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb("Packets and bytes, and in all and per session: duplicates, symbols recovered, objects completed and failed, memory; per pad that delivers media: segments")
            .read_only()
            .build(),
    ]
}

fn limit_properties() -> Vec<glib::ParamSpec> {
    let defaults = Settings::default();
    let count = |name, nick, blurb, default| {
        glib::ParamSpecUInt::builder(name)
            .nick(nick)
            .blurb(blurb)
            .minimum(1)
            .default_value(default)
            .mutable_ready()
            .build()
    };
    vec![
        uint64(
            "max-memory",
            "Max. memory",
            "Bytes that are kept on behalf of one session, and of completed objects that wait for downstream",
            defaults.max_memory,
        ),
        count("max-sessions", "Max. sessions", "Sessions at a time", defaults.max_sessions),
        count(
            "max-objects",
            "Max. objects",
            "Objects of a session that are incomplete or remembered",
            defaults.max_objects,
        ),
        uint64(
            "max-object-size",
            "Max. object size",
            "Bytes of an object after content decoding (0 = no other bound than the memory)",
            defaults.max_object_size,
        ),
        count(
            "max-expansion",
            "Max. expansion",
            "Bytes that content decoding may make of a byte, beyond the first MiB",
            defaults.max_expansion,
        ),
        count(
            "max-fdt-instances",
            "Max. FDT Instances",
            "FDT Instances of a session that are remembered",
            defaults.max_fdt_instances,
        ),
        uint64(
            "max-fdt-size",
            "Max. FDT size",
            "Bytes of an FDT Instance after content decoding",
            defaults.max_fdt_size,
        ),
        uint64(
            "max-decoding-work",
            "Max. decoding work",
            "Units of work, of some nanoseconds each, that an attempt to decode one source block may take",
            defaults.max_decoding_work,
        ),
        uint64(
            "session-timeout",
            "Session timeout",
            "A session that is silent for so many nanoseconds is closed",
            defaults.session_timeout,
        ),
        uint64(
            "linger",
            "Linger",
            "Where the URI has a path: nanoseconds that the session goes on being received after its last user has gone",
            DEFAULT_LINGER,
        ),
        string(
            "spool-directory",
            "Spool folder",
            "Folder for long objects, which are kept as files without a name (unset = in memory)",
        ),
        uint64(
            "spool-threshold",
            "Spool threshold",
            "Objects of more bytes than this are kept in the spool folder, if there is one",
            defaults.spool_threshold,
        ),
    ]
}
