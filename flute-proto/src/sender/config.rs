// SPDX-License-Identifier: MPL-2.0

//! How a session is sent.

use std::time::Duration;

use flute_fec::Protection;

use crate::content::ContentEncoding;
use crate::lct::{HeaderWidths, Toi, Tsi};
use crate::profile::Profile;

/// Settings of a [`Sender`](super::Sender), checked as a whole when it is made.
#[derive(Clone, Debug)]
pub struct SenderConfig {
    /// Transport Session Identifier.
    pub tsi: Tsi,
    /// The rules to keep.
    pub profile: Profile,
    /// FEC of objects that do not have their own.
    pub fec: FecConfig,
    /// Content encoding of objects that do not have their own.
    pub content_encoding: ContentEncoding,
    /// FDT Instances: how often, how long they live, how they are sent.
    pub fdt: FdtPolicy,
    /// Rate.
    pub pacing: Pacing,
    /// The first TOI given to an object; `None`: a random one, so that a restarted sender is not taken for its past.
    pub first_toi: Option<Toi>,
    /// Widths of TSI and TOI in the header.
    pub widths: HeaderWidths,
    /// Source blocks of an object that are sent side by side, symbol by symbol (B1 ES1, B2 ES1 …); 1 for one after the
    /// other.
    pub interleave: u32,
    /// Objects of one priority that are sent side by side, packet by packet.
    pub multiplex: u32,
    /// Repair symbols follow all source symbols of their block (`false`), or are spread among them.
    pub spread_repair: bool,
    /// Put EXT_TIME with the Sender Current Time into FDT packets.
    pub sender_current_time: bool,
    /// Put EXT_FTI into the packets of objects, not only of FDT Instances.
    pub fti_on_objects: bool,
    /// Send close-session packets at the end.
    pub close_session: bool,
    /// Seed of what is random: the first TOI.
    pub seed: u64,
}

impl Default for SenderConfig {
    fn default() -> Self {
        Self {
            tsi: Tsi::default(),
            profile: Profile::default(),
            fec: FecConfig::default(),
            content_encoding: ContentEncoding::default(),
            fdt: FdtPolicy::default(),
            pacing: Pacing::default(),
            first_toi: None,
            widths: HeaderWidths::default(),
            interleave: 1,
            multiplex: 1,
            spread_repair: false,
            sender_current_time: false,
            fti_on_objects: false,
            close_session: true,
            seed: 0,
        }
    }
}

/// The FEC scheme of an object, as users name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FecScheme {
    /// Compact No-Code, FEC Encoding ID 0.
    #[default]
    NoCode,
    /// Raptor, FEC Encoding ID 1.
    Raptor,
    /// Reed-Solomon over GF(2^m), FEC Encoding ID 2.
    ReedSolomon2m {
        /// Bits of a field element, 2 to 16.
        m: u8,
        /// Symbols per packet, G.
        symbols_per_packet: u8,
    },
    /// Reed-Solomon over GF(2^8), FEC Encoding ID 5.
    ReedSolomon8,
    /// RaptorQ, FEC Encoding ID 6.
    RaptorQ,
    /// Small Block Systematic with FEC Instance ID 0, FEC Encoding ID 129.
    ReedSolomon8SmallBlock,
}

/// How an object is protected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FecConfig {
    /// The scheme.
    pub scheme: FecScheme,
    /// Size of an encoding symbol in bytes.
    pub symbol_size: u16,
    /// Source symbols of a block at most; `None`: a default of the scheme.
    pub max_source_block_length: Option<u32>,
    /// Repair symbols of a block.
    pub protection: Protection,
}

impl Default for FecConfig {
    /// Compact No-Code, symbols of 1400 bytes.
    fn default() -> Self {
        Self {
            scheme: FecScheme::NoCode,
            symbol_size: 1400,
            max_source_block_length: None,
            protection: Protection::Symbols(0),
        }
    }
}

/// How FDT Instances are published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FdtPolicy {
    /// Time between two full tables, while there is an object to describe.
    pub interval: Duration,
    /// How long an instance is valid.
    pub lifetime: Duration,
    /// Content encoding of instances, where the profile allows one.
    pub content_encoding: ContentEncoding,
    /// FEC of instances; `None`: the scheme of the objects where the instance is longer than one symbol.
    pub fec: Option<FecConfig>,
}

impl Default for FdtPolicy {
    /// A full table every second, valid for an hour.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            lifetime: Duration::from_secs(3600),
            content_encoding: ContentEncoding::Null,
            fec: None,
        }
    }
}

/// The rate of the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pacing {
    /// Bits per second on the wire, 0 for as fast as the packets are taken.
    pub bitrate: u64,
    /// What is counted for each packet besides its own bytes.
    pub overhead: PacketOverhead,
}

/// Headers below ALC that count for the rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PacketOverhead {
    /// None: ALC packets only.
    None,
    /// UDP and IPv4, 28 bytes.
    #[default]
    UdpIpv4,
    /// UDP and IPv6, 48 bytes.
    UdpIpv6,
}

/// Why a sender cannot be configured like this.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The profile forbids it.
    #[error("{what} is not allowed by {clause}")]
    Profile {
        /// What was asked for.
        what: &'static str,
        /// The clause that forbids it.
        clause: &'static str,
    },
}
