// SPDX-License-Identifier: MPL-2.0

//! What a receiver takes, keeps and bounds.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::lct::Tsi;
use crate::setters::setters;

/// Settings of a [`Receiver`](super::Receiver). Begin with [`default`](Self::default) and set what differs: each field has a
/// method of its name that does so.
///
/// One session of one sender, with at most 64 MiB of memory, and longer objects in files:
///
/// ```
/// use flute_proto::lct::Tsi;
/// use flute_proto::receiver::{Filter, Limits, Receiver, ReceiverConfig};
///
/// let filter = Filter::default().tsis(vec![Tsi::new(1).unwrap()]).source("192.0.2.1".parse().ok());
/// let config = ReceiverConfig::default()
///     .filter(filter)
///     .limits(Limits::default().max_memory(64 << 20).spool_threshold(8 << 20))
///     .spool_directory(Some(std::env::temp_dir()));
/// let receiver = Receiver::new(config);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReceiverConfig {
    /// Which sessions are taken.
    pub filter: Filter,
    /// Which objects are taken, and how often.
    pub mode: Mode,
    /// Bounds.
    pub limits: Limits,
    /// Where objects that are too long for memory are kept: as unlinked files in this folder. `None`: all in memory.
    pub spool_directory: Option<PathBuf>,
    /// Whether the XML of each FDT Instance is told, by [`Event::FdtDocument`](super::Event::FdtDocument).
    pub fdt_documents: bool,
}

setters! {
    ReceiverConfig {
        filter: Filter,
        mode: Mode,
        limits: Limits,
        spool_directory: Option<PathBuf>,
        fdt_documents: bool,
    }
}

/// Which packets are taken.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Filter {
    /// Only sessions with one of these TSIs; empty: any.
    pub tsis: Vec<Tsi>,
    /// Only packets of this sender.
    pub source: Option<IpAddr>,
}

setters! {
    Filter {
        tsis: Vec<Tsi>,
        source: Option<IpAddr>,
    }
}

/// Which objects are delivered (TS 26.346 7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Every object, and each new version of it.
    #[default]
    Everything,
    /// The first version of every Content-Location.
    OncePerLocation,
    /// Every new version, a repeated one only if its content or TOI changed.
    KeepUpdated,
}

/// Bounds on what a sender, an honest one or an attacker, can make a receiver do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes that are kept on behalf of one session, content included unless it is spooled to a file.
    pub max_memory: u64,
    /// Sessions at a time.
    pub max_sessions: usize,
    /// Objects of a session that are incomplete or remembered.
    pub max_objects: usize,
    /// FDT Instances of a session that are remembered.
    pub max_fdt_instances: usize,
    /// Bytes of an FDT Instance after content decoding.
    pub max_fdt_size: u64,
    /// Bytes of an object after content decoding; 0 for no other bound than `max_memory`.
    pub max_object_size: u64,
    /// Bytes that content decoding may make of a byte, of an FDT Instance or an object, beyond a mebibyte that any may
    /// become. Text and tables hardly reach 50, DEFLATE ends at 1032.
    pub max_expansion: u32,
    /// Objects longer than this go to a spool file, where there is a folder for it.
    pub spool_threshold: u64,
    /// Units of work, a few nanoseconds each, that an attempt to decode one source block may take, however it is cut into
    /// calls. The largest blocks of RaptorQ are far below it.
    pub max_decoding_work: u64,
    /// A session that is silent for so long is closed.
    pub session_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_memory: 256 << 20,
            max_sessions: 64,
            max_objects: 65_536,
            max_fdt_instances: 4096,
            max_fdt_size: 16 << 20,
            max_object_size: 0,
            max_expansion: 250,
            spool_threshold: 16 << 20,
            max_decoding_work: 1 << 30,
            session_timeout: Duration::from_secs(300),
        }
    }
}

setters! {
    Limits {
        max_memory: u64,
        max_sessions: usize,
        max_objects: usize,
        max_fdt_instances: usize,
        max_fdt_size: u64,
        max_object_size: u64,
        max_expansion: u32,
        spool_threshold: u64,
        max_decoding_work: u64,
        session_timeout: Duration,
    }
}
