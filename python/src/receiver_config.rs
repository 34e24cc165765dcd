// SPDX-License-Identifier: MPL-2.0

//! Settings of a receiver.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use flute_proto::lct::Tsi;
use flute_proto::receiver::{Filter, Limits, Mode, ReceiverConfig as ProtoConfig};
use pyo3::prelude::*;

use crate::errors::config_error;

/// Settings of a receiver. Set the attributes that differ from the defaults before the receiver is made.
///
/// >>> from flute import receiver
/// >>> config = receiver.Config()
/// >>> config.max_memory = 64 << 20
/// >>> config.mode = "keep-updated"
#[pyclass(module = "flute.receiver", name = "ReceiverConfig")]
#[derive(Clone, Debug)]
pub(crate) struct ReceiverConfig {
    /// Objects of a session that are incomplete or remembered.
    #[pyo3(get, set)]
    max_objects_error: usize,
    /// Milliseconds of silence after which a session is closed; None: never.
    #[pyo3(get, set)]
    session_timeout_ms: Option<u64>,
    /// Has no effect: a loss is told as soon as it is known, whatever the time. It is for programs that were made for
    /// flute-alc.
    #[pyo3(get, set)]
    object_timeout_ms: Option<u64>,
    /// Bytes that are kept on behalf of a session, content in memory included.
    #[pyo3(get, set)]
    max_memory: u64,
    /// Bytes of an object; 0 for no other bound than max_memory.
    #[pyo3(get, set)]
    max_object_size: u64,
    /// Sessions at a time.
    #[pyo3(get, set)]
    max_sessions: usize,
    /// Where objects longer than spool_threshold are kept, as files without a name; None: all in memory.
    #[pyo3(get, set)]
    spool_directory: Option<PathBuf>,
    /// Bytes of the longest object that is kept in memory, if there is a spool_directory.
    #[pyo3(get, set)]
    spool_threshold: u64,
    mode: Mode,
}

impl ReceiverConfig {
    /// The same for a receiver of these sessions.
    pub(crate) fn to_config(&self, tsis: &[u64], source: Option<IpAddr>) -> PyResult<ProtoConfig> {
        let tsi = |tsi| Tsi::new(tsi).ok_or_else(|| config_error(format_args!("TSI {tsi} has more than 48 bits")));
        let tsis = tsis.iter().copied().map(tsi).collect::<PyResult<_>>()?;
        let limits = Limits::default()
            .max_objects(self.max_objects_error)
            .session_timeout(self.session_timeout_ms.map_or(Duration::MAX, Duration::from_millis))
            .max_memory(self.max_memory)
            .max_object_size(self.max_object_size)
            .max_sessions(self.max_sessions)
            .spool_threshold(self.spool_threshold);
        Ok(ProtoConfig::default()
            .filter(Filter::default().tsis(tsis).source(source))
            .mode(self.mode)
            .limits(limits)
            .spool_directory(self.spool_directory.clone()))
    }
}

#[pymethods]
impl ReceiverConfig {
    #[new]
    pub(crate) fn new() -> Self {
        let limits = Limits::default();
        Self {
            max_objects_error: limits.max_objects,
            session_timeout_ms: Some(limits.session_timeout.as_millis() as u64),
            object_timeout_ms: None,
            max_memory: limits.max_memory,
            max_object_size: limits.max_object_size,
            max_sessions: limits.max_sessions,
            spool_directory: None,
            spool_threshold: limits.spool_threshold,
            mode: Mode::default(),
        }
    }

    /// Which objects are delivered: "everything", each new version; "once-per-location", the first version;
    /// "keep-updated", new versions whose content or TOI has changed.
    #[getter]
    fn mode(&self) -> &'static str {
        match self.mode {
            Mode::Everything => "everything",
            Mode::OncePerLocation => "once-per-location",
            Mode::KeepUpdated => "keep-updated",
        }
    }

    #[setter]
    fn set_mode(&mut self, mode: &str) -> PyResult<()> {
        self.mode = match mode {
            "everything" => Mode::Everything,
            "once-per-location" => Mode::OncePerLocation,
            "keep-updated" => Mode::KeepUpdated,
            mode => {
                return Err(config_error(format_args!(
                    "there is no mode {mode:?}: use 'everything', 'once-per-location' or 'keep-updated'"
                )));
            }
        };
        Ok(())
    }
}
