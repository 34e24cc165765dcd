// SPDX-License-Identifier: MPL-2.0

//! What properties can be chosen from.

use flute_proto::content::ContentEncoding;
use flute_proto::profile::Profile;
use flute_proto::sender::{FecScheme, FinishPolicy, PacketOverhead};
use gst::glib;

/// The rules that a sender keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFluteProfile")]
pub enum FluteProfile {
    /// FLUTE version 2.
    #[default]
    #[enum_value(name = "FLUTE version 2 (RFC 6726)", nick = "rfc6726")]
    Rfc6726,
    /// FLUTE version 1.
    #[enum_value(name = "FLUTE version 1 (RFC 3926)", nick = "rfc3926")]
    Rfc3926,
    /// MBMS, with the FDT schema of 2005.
    #[enum_value(name = "3GPP MBMS download (TS 26.346 L.4), FDT schema of 2005", nick = "mbms")]
    Mbms,
    /// MBMS, with the FDT schema of 2022.
    #[enum_value(name = "3GPP MBMS download (TS 26.346 L.6), FDT schema of 2022", nick = "mbms-2022")]
    Mbms2022,
    /// DVB multicast ABR.
    #[enum_value(name = "DVB multicast ABR (TS 103 769 Annex F)", nick = "dvb-mabr")]
    DvbMabr,
}

impl From<FluteProfile> for Profile {
    fn from(profile: FluteProfile) -> Self {
        match profile {
            FluteProfile::Rfc6726 => Self::Rfc6726,
            FluteProfile::Rfc3926 => Self::Rfc3926,
            FluteProfile::Mbms => Self::Mbms,
            FluteProfile::Mbms2022 => Self::Mbms2022,
            FluteProfile::DvbMabr => Self::DvbMabr,
        }
    }
}

/// The FEC scheme of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFluteFec")]
pub enum FluteFec {
    /// What the session has; none for the session itself.
    #[enum_value(name = "A pad: as the element. The element: none", nick = "inherit")]
    Inherit,
    /// Compact No-Code.
    #[default]
    #[enum_value(name = "No repair symbols (Compact No-Code, FEC Encoding ID 0)", nick = "none")]
    None,
    /// Reed-Solomon over GF(2^8).
    #[enum_value(name = "Reed-Solomon over GF(2^8) (RFC 5510, FEC Encoding ID 5)", nick = "rs8")]
    Rs8,
    /// Reed-Solomon over GF(2^8) as Small Block Systematic.
    #[enum_value(
        name = "Reed-Solomon over GF(2^8), Small Block Systematic (RFC 5510, FEC Encoding ID 129)",
        nick = "rs8-small-block"
    )]
    Rs8SmallBlock,
    /// Reed-Solomon over GF(2^m).
    #[enum_value(name = "Reed-Solomon over GF(2^m), see rs-field-bits (RFC 5510, FEC Encoding ID 2)", nick = "rs2m")]
    Rs2m,
    /// Raptor.
    #[enum_value(name = "Raptor (RFC 5053, FEC Encoding ID 1)", nick = "raptor")]
    Raptor,
    /// RaptorQ.
    #[enum_value(name = "RaptorQ (RFC 6330, FEC Encoding ID 6)", nick = "raptorq")]
    RaptorQ,
}

impl FluteFec {
    /// The scheme that users write like this.
    pub(crate) fn of_nick(nick: &str) -> Option<Self> {
        let class = glib::EnumClass::new::<Self>();
        let value = class.value_by_nick(nick)?.to_value(&class);
        value.get().ok()
    }

    /// The scheme, with the two numbers that only Reed-Solomon over GF(2^m) has; `None` to inherit it.
    pub(crate) fn scheme(self, field_bits: u8, symbols_per_packet: u8) -> Option<FecScheme> {
        match self {
            Self::Inherit => None,
            Self::None => Some(FecScheme::NoCode),
            Self::Rs8 => Some(FecScheme::ReedSolomon8),
            Self::Rs8SmallBlock => Some(FecScheme::ReedSolomon8SmallBlock),
            Self::Rs2m => Some(FecScheme::ReedSolomon2m { m: field_bits, symbols_per_packet }),
            Self::Raptor => Some(FecScheme::Raptor),
            Self::RaptorQ => Some(FecScheme::RaptorQ),
        }
    }
}

/// How content is encoded on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFluteContentEncoding")]
pub enum FluteContentEncoding {
    /// What the session has; none for the session itself.
    #[enum_value(name = "A pad: as the element. The element: none", nick = "inherit")]
    Inherit,
    /// As it is.
    #[default]
    #[enum_value(name = "As it is", nick = "none")]
    None,
    /// ZLIB.
    #[enum_value(name = "ZLIB (RFC 1950)", nick = "zlib")]
    Zlib,
    /// DEFLATE.
    #[enum_value(
        name = "Objects: deflate as HTTP knows it, which is ZLIB (RFC 2616 3.5). FDT: DEFLATE (RFC 1951)",
        nick = "deflate"
    )]
    Deflate,
    /// GZIP.
    #[enum_value(name = "GZIP (RFC 1952)", nick = "gzip")]
    Gzip,
}

impl FluteContentEncoding {
    /// The encoding of objects, by the names of HTTP, where deflate is ZLIB (RFC 2616 §3.5); `None` to inherit it.
    pub(crate) fn of_objects(self) -> Option<ContentEncoding> {
        match self {
            Self::Inherit => None,
            Self::None => Some(ContentEncoding::Null),
            Self::Zlib | Self::Deflate => Some(ContentEncoding::Zlib),
            Self::Gzip => Some(ContentEncoding::Gzip),
        }
    }

    /// The encoding of FDT Instances, by the numbers of EXT_CENC (RFC 6726 §3.4.3).
    pub(crate) fn of_fdt(self) -> ContentEncoding {
        match self {
            Self::Deflate => ContentEncoding::Deflate,
            _ => self.of_objects().unwrap_or(ContentEncoding::Null),
        }
    }
}

/// What counts for the rate besides the packets themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFlutePacketOverhead")]
pub enum FlutePacketOverhead {
    /// By the address.
    #[default]
    #[enum_value(name = "UDP and IP headers, of the version of the address (IPv4 if it is not known)", nick = "auto")]
    Auto,
    /// Nothing.
    #[enum_value(name = "Nothing: the rate of FLUTE packets alone", nick = "none")]
    None,
    /// IPv4.
    #[enum_value(name = "UDP and IPv4 headers, 28 bytes", nick = "udp-ipv4")]
    UdpIpv4,
    /// IPv6.
    #[enum_value(name = "UDP and IPv6 headers, 48 bytes", nick = "udp-ipv6")]
    UdpIpv6,
}

impl FlutePacketOverhead {
    pub(crate) fn overhead(self, is_ipv6: bool) -> PacketOverhead {
        match self {
            Self::None => PacketOverhead::None,
            Self::Auto if is_ipv6 => PacketOverhead::UdpIpv6,
            Self::Auto | Self::UdpIpv4 => PacketOverhead::UdpIpv4,
            Self::UdpIpv6 => PacketOverhead::UdpIpv6,
        }
    }
}

/// What becomes of carousels at EOS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFluteEosPolicy")]
pub enum FluteEosPolicy {
    /// First transfers and running ones end.
    #[default]
    #[enum_value(
        name = "Transfers that run or have not happened yet end, repetitions do not",
        nick = "finish-transfers"
    )]
    FinishTransfers,
    /// Everything once more.
    #[enum_value(name = "Every object is sent once more", nick = "once-more")]
    OnceMore,
    /// Finite carousels run out.
    #[enum_value(name = "Carousels with a repeat-count run to their end, endless ones stop", nick = "run-to-end")]
    RunToEnd,
    /// At once.
    #[enum_value(name = "Nothing more is sent but the end of the session", nick = "stop")]
    Stop,
}

impl From<FluteEosPolicy> for FinishPolicy {
    fn from(policy: FluteEosPolicy) -> Self {
        match policy {
            FluteEosPolicy::FinishTransfers => Self::FinishTransfers,
            FluteEosPolicy::OnceMore => Self::OnceMore,
            FluteEosPolicy::RunToEnd => Self::RunToEnd,
            FluteEosPolicy::Stop => Self::Stop,
        }
    }
}

/// Which objects are repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFluteCarousel")]
pub enum FluteCarousel {
    /// What receivers need before anything else.
    #[default]
    #[enum_value(name = "Manifests (MPD, M3U8) and initialisations of MP4, every second", nick = "auto")]
    Auto,
    /// None.
    #[enum_value(name = "None", nick = "off")]
    Off,
    /// All.
    #[enum_value(name = "All, one transfer after the other", nick = "all")]
    All,
}

/// What becomes an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFluteNextObject")]
pub enum FluteNextObject {
    /// By what comes in.
    #[default]
    #[enum_value(
        name = "By what comes in: stream for bytes of a seekable source, fragment for fragmented MP4, else buffer",
        nick = "auto"
    )]
    Auto,
    /// Buffers.
    #[enum_value(name = "Every buffer", nick = "buffer")]
    Buffer,
    /// Streams.
    #[enum_value(name = "Everything up to the end of the stream", nick = "stream")]
    Stream,
    /// Fragments.
    #[enum_value(name = "Every fragment of fragmented MP4, and its initialisation", nick = "fragment")]
    Fragment,
}
