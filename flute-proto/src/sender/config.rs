// SPDX-License-Identifier: MPL-2.0

//! How a session is sent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::fec_config::FecConfig;
use super::pacing::Pacing;
use super::publication::MAX_INSTANCE_ID;
use crate::content::ContentEncoding;
use crate::fdt::{FdtInstance, WriteError};
use crate::lct::{EncodeError, FieldWidths, HeaderWidths, Toi, Tsi};
use crate::oti::OtiError;
use crate::profile::{Feature, Forbidden, Profile};
use crate::setters::setters;

/// Settings of a [`Sender`](super::Sender), checked as a whole when it is made. Begin with [`default`](Self::default) and
/// set what differs: each field has a method of its name that does so.
///
/// Reed-Solomon codes with a tenth of repair symbols, spread over four source blocks at a time, files compressed, and 20
/// Mbit/s on the wire; of priority 1 one object after the other, of all others three side by side:
///
/// ```
/// use flute_fec::Protection;
/// use flute_proto::Time;
/// use flute_proto::content::ContentEncoding;
/// use flute_proto::lct::Tsi;
/// use flute_proto::sender::{FecConfig, FecScheme, Pacing, PacketOverhead, Sender, SenderConfig};
///
/// let fec = FecConfig::default()
///     .scheme(FecScheme::ReedSolomon8)
///     .symbol_size(1400)
///     .max_source_block_length(Some(100))
///     .protection(Protection::Percent(10.0));
/// let config = SenderConfig::default()
///     .tsi(Tsi::new(1).unwrap())
///     .fec(fec)
///     .interleave(4)
///     .content_encoding(ContentEncoding::Gzip)
///     .pacing(Pacing::default().bitrate(20_000_000).overhead(PacketOverhead::UdpIpv4))
///     .multiplex(3)
///     .multiplex_by_priority([(1, 1)].into());
/// # let now = Time::default();
/// let sender = Sender::new(config, now)?;
/// # Ok::<(), flute_proto::sender::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
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
    /// The same for single priorities.
    pub multiplex_by_priority: BTreeMap<u32, u32>,
    /// Repair symbols follow all source symbols of their block (`false`), or are spread among them.
    pub spread_repair: bool,
    /// Put EXT_TIME with the Sender Current Time into FDT packets.
    pub sender_current_time: bool,
    /// Put EXT_FTI into the packets of objects, not only of FDT Instances.
    pub fti_on_objects: bool,
    /// Say with the flag A that the session is closed, at its end.
    pub close_session: bool,
    /// Set the flag A in the packets of the last FDT Instance, instead of sending packets that have nothing else.
    pub close_with_payload: bool,
    /// Compute `Content-MD5` of the content as it was before its encoding, and not of the transport object as RFC 2616
    /// §14.15 has it: there are receivers that compare it with what they have decoded.
    pub md5_of_content: bool,
    /// What FDT Instances say besides their files.
    pub table: TableAttributes,
    /// The folder of temporary files for encoded objects that are too long for the memory; `None`: where the system keeps
    /// temporary files.
    pub spool_directory: Option<PathBuf>,
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
            multiplex_by_priority: BTreeMap::new(),
            spread_repair: false,
            sender_current_time: false,
            fti_on_objects: false,
            close_session: true,
            close_with_payload: false,
            md5_of_content: false,
            table: TableAttributes::default(),
            spool_directory: None,
            seed: 0,
        }
    }
}

setters! {
    SenderConfig {
        tsi: Tsi,
        profile: Profile,
        fec: FecConfig,
        content_encoding: ContentEncoding,
        fdt: FdtPolicy,
        pacing: Pacing,
        first_toi: Option<Toi>,
        widths: HeaderWidths,
        interleave: u32,
        multiplex: u32,
        multiplex_by_priority: BTreeMap<u32, u32>,
        spread_repair: bool,
        sender_current_time: bool,
        fti_on_objects: bool,
        close_session: bool,
        close_with_payload: bool,
        md5_of_content: bool,
        table: TableAttributes,
        spool_directory: Option<PathBuf>,
        seed: u64,
    }
}

/// How FDT Instances are published.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct FdtPolicy {
    /// Time between two full tables, while there is an object to describe. A table of more than a thousand files takes
    /// several of them to go round, and on a slow session it takes a quarter of the rate at most.
    pub interval: Duration,
    /// How long an instance is valid.
    pub lifetime: Duration,
    /// Content encoding of instances, where the profile allows one.
    pub content_encoding: ContentEncoding,
    /// FEC of instances; `None`: the scheme of the objects where the instance is longer than one symbol.
    pub fec: Option<FecConfig>,
    /// Mark an instance that is the whole table with `FullFDT` (3GPP), where the profile allows it.
    pub full_fdt: bool,
    /// ID of the first instance; `None`: the seconds of the time of day modulo 2^20. IDs begin with 0 (RFC 6726 §3.4.1), but
    /// a sender that was killed and started again within the lifetime of its instances gives IDs again then that are in
    /// use, and there are receivers that ignore them.
    pub first_instance_id: Option<u32>,
}

impl Default for FdtPolicy {
    /// A full table every second, valid for an hour.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            lifetime: Duration::from_secs(3600),
            content_encoding: ContentEncoding::Null,
            fec: None,
            full_fdt: false,
            first_instance_id: Some(0),
        }
    }
}

setters! {
    FdtPolicy {
        interval: Duration,
        lifetime: Duration,
        content_encoding: ContentEncoding,
        fec: Option<FecConfig>,
        full_fdt: bool,
        first_instance_id: Option<u32>,
    }
}

/// What the FDT-Instance element says, in every instance of the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableAttributes {
    /// `Group` (3GPP), of all files.
    pub groups: Vec<String>,
    /// `Base-URL-1` (3GPP 2012).
    pub base_url_1: Vec<String>,
    /// `Base-URL-2` (3GPP 2012).
    pub base_url_2: Vec<String>,
    /// `MBMS-Session-Identity-Expiry` (3GPP 2005): an identity and its NTP seconds.
    pub session_identity_expiry: Vec<(u8, u32)>,
}

setters! {
    TableAttributes {
        groups: Vec<String>,
        base_url_1: Vec<String>,
        base_url_2: Vec<String>,
        session_identity_expiry: Vec<(u8, u32)>,
    }
}

impl TableAttributes {
    /// An instance that says this, without files.
    pub(super) fn instance(&self) -> FdtInstance {
        FdtInstance {
            groups: self.groups.clone(),
            base_url_1: self.base_url_1.clone(),
            base_url_2: self.base_url_2.clone(),
            session_identity_expiry: self.session_identity_expiry.clone(),
            ..FdtInstance::default()
        }
    }
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
    /// The FEC does not work with these numbers.
    #[error("FEC: {0}")]
    Fec(#[from] OtiError),
    /// There is no header with these widths, or it does not hold the TSI or the first TOI.
    #[error(transparent)]
    Widths(#[from] EncodeError),
    /// 0 is the TOI of FDT Instances.
    #[error("the first TOI is 0, which is that of FDT Instances: begin with 1")]
    FirstToi,
    /// FDT Instances would expire before anyone can use them: `Expires` is in seconds.
    #[error("FDT Instances that live for {0:?}: a second is the least")]
    FdtLifetime(Duration),
    /// FDT Instances would leave no time for objects.
    #[error("an FDT Instance every {0:?}: a millisecond is the least")]
    FdtInterval(Duration),
    /// FDT Instance IDs have 20 bits (RFC 6726 §3.4.1).
    #[error("the first FDT Instance ID {0} is larger than 1048575")]
    FirstInstanceId(u32),
    /// Something that XML cannot carry, or that the schema of the profile has no words for.
    #[error(transparent)]
    Fdt(#[from] WriteError),
}

impl From<Forbidden> for ConfigError {
    fn from(Forbidden { what, clause }: Forbidden) -> Self {
        Self::Profile { what, clause }
    }
}

impl SenderConfig {
    /// Checks everything, and chooses the widths of TSI and TOI.
    pub(super) fn check(&self) -> Result<FieldWidths, ConfigError> {
        let profile = self.profile;
        let used = [
            (true, Feature::ContentEncoding(self.content_encoding)),
            (self.fdt.content_encoding != ContentEncoding::Null, Feature::FdtContentEncoding),
            (self.fdt.full_fdt, Feature::FullFdt),
            (self.sender_current_time, Feature::SenderCurrentTime),
            (self.fti_on_objects, Feature::FtiOnObjects),
        ];
        used.into_iter().filter(|(used, _)| *used).try_for_each(|(_, feature)| profile.check(feature))?;
        let table = self.table.instance();
        profile.check_instance(&table)?;
        table.assemble(profile, [""])?;
        self.check_fec(&self.fec)?;
        self.fdt.fec.iter().try_for_each(|fec| self.check_fec(fec))?;
        if self.fdt.lifetime < Duration::from_secs(1) {
            return Err(ConfigError::FdtLifetime(self.fdt.lifetime));
        }
        if self.fdt.interval < Duration::from_millis(1) {
            return Err(ConfigError::FdtInterval(self.fdt.interval));
        }
        if let Some(id) = self.fdt.first_instance_id.filter(|id| *id > MAX_INSTANCE_ID) {
            return Err(ConfigError::FirstInstanceId(id));
        }
        if self.first_toi == Some(Toi::FDT) {
            return Err(ConfigError::FirstToi);
        }
        Ok(profile.widths(self.widths, self.tsi)?.resolve(self.tsi, self.largest_toi())?)
    }

    /// Whether the scheme is one of the profile, and works with its numbers.
    pub(super) fn check_fec(&self, fec: &FecConfig) -> Result<(), ConfigError> {
        self.profile.check_fec(fec.scheme.encoding_id())?;
        // A short object shows whether the numbers go together; whether a long one fits is another question.
        fec.oti(u64::from(fec.symbol_size) * 4, self.profile)?.codec()?;
        Ok(())
    }

    /// The largest TOI that the header has to hold where no width is asked for: 32 bits, so that they last and that a
    /// random first one tells two sessions apart; 16 bits where a profile keeps the headers small.
    fn largest_toi(&self) -> Toi {
        let usual = if self.widths.toi != 0 {
            1
        } else if self.profile.rules().tsi_width.is_some() {
            0xffff
        } else {
            0xffff_ffff
        };
        self.first_toi.max(Toi::new(usual)).unwrap_or_default()
    }

    /// The first TOI and the largest that fits into the header.
    pub(super) fn toi_range(&self, widths: FieldWidths) -> (Toi, Toi) {
        let max = Toi::MAX.get() >> (112 - u32::from(widths.toi.clamp(1, 112)));
        // In a header wider than 64 bits it is as if it had 64 bits: random enough.
        let random = 1 + u128::from(split_mix(self.seed)) % max.min(u64::MAX.into());
        let first = self.first_toi.or(Toi::new(random)).unwrap_or_default();
        (first, Toi::new(max).unwrap_or(Toi::MAX))
    }

    /// Objects of this priority that are sent side by side.
    pub(super) fn multiplex_of(&self, priority: u32) -> u32 {
        self.multiplex_by_priority.get(&priority).copied().unwrap_or(self.multiplex).max(1)
    }
}

/// A number that looks random, of one that may not (the finalizer of SplitMix64).
fn split_mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
