// SPDX-License-Identifier: MPL-2.0

//! Settings of a session that is sent.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use flute_proto::content::ContentEncoding;
use flute_proto::lct::{Toi, Tsi};
use flute_proto::profile::Profile;
use flute_proto::sender::{FdtPolicy, Pacing, SenderConfig as ProtoConfig};
use pyo3::prelude::*;

use crate::errors::config_error;
use crate::oti::Oti;

/// The names that flute-alc has for its two kinds of FDT Instances.
const XML_PROFILES: [(&str, Profile); 2] = [("extended", Profile::Rfc6726), ("ts-126-346-l6", Profile::Mbms2022)];

/// Settings of a session. Set the attributes that differ from the defaults before the sender is made.
///
/// >>> from flute import sender
/// >>> config = sender.Config()
/// >>> config.bitrate = 20_000_000  # bits per second on the wire
/// >>> config.interleave_blocks = 4
/// >>> config.profile = "mbms"
#[pyclass(module = "flute.sender", name = "SenderConfig")]
#[derive(Clone, Debug)]
pub(crate) struct SenderConfig {
    /// Milliseconds for which an FDT Instance is valid.
    #[pyo3(get, set)]
    fdt_duration_ms: u64,
    /// Milliseconds between two FDT Instances that describe all objects.
    #[pyo3(get, set)]
    fdt_interval_ms: u64,
    /// Put EXT_TIME with the time of the sender into the packets of FDT Instances.
    #[pyo3(get, set)]
    fdt_inband_sct: bool,
    /// Objects of one priority that are sent side by side, packet by packet.
    #[pyo3(get, set)]
    multiplex_files: u32,
    /// Source blocks of an object that are sent side by side, symbol by symbol.
    #[pyo3(get, set)]
    interleave_blocks: u32,
    /// Send repair symbols among the source symbols of their block, not behind them.
    #[pyo3(get, set)]
    spread_repair: bool,
    /// Bits per second on the wire, with the headers of UDP and IPv4; 0 is as fast as packets are taken.
    #[pyo3(get, set)]
    bitrate: u64,
    /// Tell receivers at the end that the session is closed.
    #[pyo3(get, set)]
    close_session: bool,
    /// The TOI of the first object; None: a random one, so that a sender that is restarted is not taken for its past.
    #[pyo3(get, set)]
    first_toi: Option<u128>,
    /// The folder of temporary files for encoded objects that are too long for the memory; None: that of the system.
    #[pyo3(get, set)]
    spool_directory: Option<PathBuf>,
    fdt_encoding: ContentEncoding,
    profile: Profile,
}

impl SenderConfig {
    /// The same for the sender.
    pub(crate) fn to_config(&self, tsi: u64, oti: &Oti) -> PyResult<ProtoConfig> {
        let tsi = Tsi::new(tsi).ok_or_else(|| config_error(format_args!("TSI {tsi} has more than 48 bits")))?;
        let fdt = FdtPolicy::default()
            .lifetime(Duration::from_millis(self.fdt_duration_ms))
            .interval(Duration::from_millis(self.fdt_interval_ms))
            .content_encoding(self.fdt_encoding);
        Ok(ProtoConfig::default()
            .tsi(tsi)
            .profile(self.profile)
            .fec(oti.to_config())
            .fti_on_objects(oti.inband_fti)
            .fdt(fdt)
            .sender_current_time(self.fdt_inband_sct)
            .multiplex(self.multiplex_files)
            .interleave(self.interleave_blocks)
            .spread_repair(self.spread_repair)
            .pacing(Pacing::default().bitrate(self.bitrate))
            .close_session(self.close_session)
            .first_toi(self.first_toi.map(toi).transpose()?)
            .spool_directory(self.spool_directory.clone())
            .seed(RandomState::new().build_hasher().finish()))
    }
}

#[pymethods]
impl SenderConfig {
    #[new]
    fn new() -> Self {
        let defaults = ProtoConfig::default();
        Self {
            fdt_duration_ms: milliseconds(defaults.fdt.lifetime),
            fdt_interval_ms: milliseconds(defaults.fdt.interval),
            fdt_inband_sct: defaults.sender_current_time,
            multiplex_files: defaults.multiplex,
            interleave_blocks: defaults.interleave,
            spread_repair: defaults.spread_repair,
            bitrate: defaults.pacing.bitrate,
            close_session: defaults.close_session,
            first_toi: None,
            spool_directory: None,
            fdt_encoding: defaults.fdt.content_encoding,
            profile: defaults.profile,
        }
    }

    /// Content encoding of FDT Instances, as EXT_CENC numbers it: 0 none, 1 ZLIB, 2 DEFLATE, 3 GZIP.
    #[getter]
    fn fdt_cenc(&self) -> u8 {
        self.fdt_encoding.cenc()
    }

    #[setter]
    fn set_fdt_cenc(&mut self, cenc: u8) -> PyResult<()> {
        self.fdt_encoding = encoding(cenc)?;
        Ok(())
    }

    /// The rules to keep: rfc6726, rfc3926, mbms, mbms-2022 or dvb-mabr.
    #[getter]
    fn profile(&self) -> String {
        self.profile.to_string()
    }

    #[setter]
    fn set_profile(&mut self, name: &str) -> PyResult<()> {
        self.profile = name.parse().map_err(config_error)?;
        Ok(())
    }

    /// The profile in the words of flute-alc: "ts-126-346-l6" is mbms-2022, everything else "extended".
    #[getter]
    fn fdt_xml_profile(&self) -> &'static str {
        let [extended, consolidated] = XML_PROFILES;
        if self.profile == consolidated.1 { consolidated.0 } else { extended.0 }
    }

    #[setter]
    fn set_fdt_xml_profile(&mut self, name: &str) -> PyResult<()> {
        let known = XML_PROFILES.iter().find(|(known, _)| *known == name);
        let (_, profile) = known.ok_or_else(|| {
            config_error(format_args!("there is no FDT XML profile {name:?}: use 'extended' or 'ts-126-346-l6'"))
        })?;
        self.profile = *profile;
        Ok(())
    }

    /// The ID of the first FDT Instance: always 0. A sender that is restarted is recognised by its TOIs.
    #[getter]
    fn fdt_start_id(&self) -> u32 {
        0
    }

    #[setter]
    fn set_fdt_start_id(&self, id: u32) -> PyResult<()> {
        match id {
            0 => Ok(()),
            id => Err(config_error(format_args!("FDT Instance IDs begin with 0, not with {id} (RFC 6726 §3.4.1)"))),
        }
    }
}

/// The TOI with this number.
pub(crate) fn toi(number: u128) -> PyResult<Toi> {
    Toi::new(number).ok_or_else(|| config_error(format_args!("TOI {number} has more than 112 bits")))
}

/// The content encoding that EXT_CENC numbers like this.
pub(crate) fn encoding(cenc: u8) -> PyResult<ContentEncoding> {
    let unknown = || config_error(format_args!("no content encoding has the number {cenc}: use 0, 1, 2 or 3"));
    ContentEncoding::from_cenc(cenc).ok_or_else(unknown)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
