// SPDX-License-Identifier: MPL-2.0

//! What a receiver tells.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::fdt::File;
use crate::lct::{Toi, Tsi};

/// Base URLs of one kind that are kept.
const MAX_BASE_URLS: usize = 8;

/// Where a datagram came from and went to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// Source address; `None` if it is not known.
    pub source: Option<SocketAddr>,
    /// Destination address; `None` if it is not known.
    pub destination: Option<SocketAddr>,
}

/// What tells sessions apart (RFC 6726 §2: source address and TSI; and destination and port, since two sessions of one
/// sender may share a TSI by mistake).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// Source address without its port, which a sender may change.
    pub source: Option<std::net::IpAddr>,
    /// Destination address.
    pub destination: Option<SocketAddr>,
    /// Transport Session Identifier.
    pub tsi: Tsi,
}

impl SessionId {
    /// The session of packets with this TSI between these endpoints.
    pub fn new(endpoints: Endpoints, tsi: Tsi) -> Self {
        Self { source: endpoints.source.map(|source| source.ip()), destination: endpoints.destination, tsi }
    }
}

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The first packet of a session arrived.
    SessionOpened(SessionId),
    /// A new FDT Instance was read.
    Fdt {
        /// The session.
        session: SessionId,
        /// FDT Instance ID.
        instance_id: u32,
        /// Number of files described.
        files: usize,
        /// File entries that were dropped because something is wrong with them.
        rejected: usize,
        /// No new file will be described after this.
        complete: bool,
    },
    /// The XML of a new FDT Instance, if [`fdt_documents`](super::ReceiverConfig::fdt_documents) asks for it: also of one
    /// that has expired.
    FdtDocument {
        /// The session.
        session: SessionId,
        /// FDT Instance ID.
        instance_id: u32,
        /// The document, without content encoding, as it was sent.
        document: Bytes,
    },
    /// An FDT Instance, or a `File` of one, cannot be used: what it describes may be lost.
    FdtUnusable {
        /// The session.
        session: SessionId,
        /// FDT Instance ID.
        instance_id: u32,
        /// Why, in the words of the parser.
        reason: String,
    },
    /// An object is described, and a symbol of it has arrived.
    ObjectStarted(Arc<ObjectInfo>),
    /// More of an object has arrived: about every hundredth of it, for those who show progress.
    Progress {
        /// The object.
        object: Arc<ObjectInfo>,
        /// Bytes of source symbols that are there.
        received: u64,
    },
    /// Content of an object has become available, of which the [`Destination`](super::Destination) asks to be told: where
    /// its symbols lie, as they arrive or are rebuilt, or how far it is there in order. Ranges that follow each other may
    /// be told as one.
    Data {
        /// The object.
        object: Arc<ObjectInfo>,
        /// Where it begins in the content, in bytes.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// An object is complete, decoded, and its digest is right.
    Completed {
        /// The object.
        object: Arc<ObjectInfo>,
        /// Its bytes, after content decoding.
        content: Content,
    },
    /// An object is lost, told as soon as that is known. If its sender takes it up again it may be complete after all.
    Failed {
        /// The object.
        object: Arc<ObjectInfo>,
        /// Why.
        reason: Failure,
        /// What is missing, per source block; the first of them, where there are many.
        missing: Vec<BlockLoss>,
    },
    /// No FDT Instance describes an object any more: it expired, or the sender has moved on to instances that do not list
    /// it. Whether it had been received or not.
    Withdrawn(Arc<ObjectInfo>),
    /// The session was closed by its sender, timed out, or the input ended.
    SessionClosed {
        /// The session.
        session: SessionId,
        /// The sender closed it with the A flag.
        by_sender: bool,
        /// `Complete` was announced, and every object was received.
        complete: bool,
    },
    /// A bound was reached for the first time in this session, and something was dropped.
    LimitReached {
        /// The session.
        session: SessionId,
        /// Which bound.
        limit: Limit,
    },
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// The session.
    pub session: SessionId,
    /// Its File entry, with what it inherits from the FDT-Instance filled in.
    pub file: File,
    /// FDT Instance that described it first.
    pub fdt_instance_id: u32,
    /// Bytes of the object as it is transferred.
    pub transfer_length: u64,
    /// What its Alternate-Content-Locations are relative to: the base URLs of the same FDT Instance.
    pub base_urls: Arc<BaseUrls>,
}

/// The base URLs of an FDT Instance, for repair (TS 26.346 7.2.10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseUrls {
    /// `Base-URL-1`, which are tried first.
    pub first: Vec<String>,
    /// `Base-URL-2`.
    pub second: Vec<String>,
}

impl BaseUrls {
    /// The first of these URLs, which are kept as long as an object that the instance describes.
    pub(super) fn new(mut first: Vec<String>, mut second: Vec<String>) -> Self {
        first.truncate(MAX_BASE_URLS);
        second.truncate(MAX_BASE_URLS);
        Self { first, second }
    }

    /// Bytes of memory that they hold.
    pub(super) fn heap_bytes(&self) -> usize {
        self.first.iter().chain(&self.second).map(|url| size_of::<String>() + url.capacity()).sum()
    }
}

impl ObjectInfo {
    /// An object that no session has described, for those who get it in another way: its TOI is that of the FDT, which no
    /// object has.
    pub fn undescribed(file: File) -> Self {
        Self {
            session: SessionId { source: None, destination: None, tsi: Tsi::default() },
            transfer_length: file.content_length.unwrap_or(0),
            file: File { toi: Toi::FDT, ..file },
            fdt_instance_id: 0,
            base_urls: Arc::default(),
        }
    }

    /// Transport Object Identifier.
    pub fn toi(&self) -> Toi {
        self.file.toi
    }

    /// Content-Location.
    pub fn location(&self) -> &str {
        &self.file.content_location
    }
}

/// The bytes of a completed object.
#[derive(Debug)]
pub enum Content {
    /// In memory.
    Memory(Bytes),
    /// In a file, from its start to its end: one without a name, or that of the [`Destination`](super::Destination).
    File {
        /// The file, open for reading and writing.
        file: fs::File,
        /// Length in bytes.
        length: u64,
    },
    /// The writer of the [`Destination`](super::Destination) has it, or it was to be dropped.
    Delivered,
}

/// How many symbols a source block lacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLoss {
    /// Source block number.
    pub source_block: u32,
    /// Source symbols that are missing.
    pub missing: u32,
    /// Repair symbols that arrived, and were too few.
    pub repair: u32,
    /// Source symbols of the block.
    pub source_symbols: u32,
}

/// Why an object was given up.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The session ended first.
    #[error("the session ended before the object was complete")]
    SessionEnded,
    /// The descriptions of the object expired.
    #[error("its FDT Instances expired before the object was complete")]
    Expired,
    /// The content does not have the digest that was announced.
    #[error("the content does not match the digest that was announced, Content-MD5 or Content-Digest")]
    Digest,
    /// The content could not be decoded.
    #[error("decoding the content: {0}")]
    Content(String),
    /// The object is too long for the bounds.
    #[error("the object does not fit into the limits of this receiver: {0:?}")]
    Limit(Limit),
    /// A later version took its place.
    #[error("a new version of the same Content-Location took its place")]
    Superseded,
    /// The packets of the object are of another FEC scheme than the one that is described (RFC 6726 §5).
    #[error("its packets have Codepoint {codepoint}, but its FEC Encoding ID is {described}")]
    Codepoint {
        /// Codepoint of its packets.
        codepoint: u8,
        /// FEC Encoding ID of the object.
        described: u8,
    },
    /// What is said of the object contradicts itself, or cannot be received.
    #[error("the description of the object is unusable: {0}")]
    Description(String),
    /// The destination failed: a spool file could not be written, a writer of the application returned an error.
    #[error("writing the object: {0}")]
    Destination(Arc<std::io::Error>),
    /// The sender has moved on: later FDT Instances do not list the object, and no symbol of it has come for a while.
    #[error("its sender withdrew the object before it was complete")]
    Withdrawn,
}

/// A bound of [`Limits`](super::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// `max_memory`.
    Memory,
    /// `max_sessions`.
    Sessions,
    /// `max_objects`.
    Objects,
    /// `max_fdt_instances`.
    FdtInstances,
    /// `max_fdt_size`.
    FdtSize,
    /// `max_object_size`.
    ObjectSize,
    /// `max_expansion`.
    Expansion,
    /// `max_decoding_work`.
    DecodingWork,
}

/// Counters of a receiver.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ReceiverStats {
    /// Datagrams pushed.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Datagrams that were several packets in one, as the capture of a sending machine has them, and were cut apart.
    pub merged: u64,
    /// Datagrams that are not ALC.
    pub malformed: u64,
    /// Datagrams of sessions that are not taken.
    pub filtered: u64,
    /// Sessions that are open at present.
    pub sessions: Vec<(SessionId, SessionStats)>,
    /// Work of the longest call of [`push`](super::Receiver::push) or
    /// [`handle_timeout`](super::Receiver::handle_timeout) so far, in units of about a nanosecond.
    pub most_work: u64,
    /// All sessions together, those that have been closed included.
    pub totals: SessionStats,
}

/// Counters of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStats {
    /// Datagrams.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Symbols that were there already.
    pub duplicates: u64,
    /// Symbols that have no place in their object, and FDT Instances that cannot be read.
    pub unusable: u64,
    /// Packets whose EXT_FTI contradicts the FDT, or most other packets of their object.
    pub contradictions: u64,
    /// FDT Instances, packets of them and `File` entries that cannot be used.
    pub unusable_fdt: u64,
    /// Source symbols that arrived, each once.
    pub source_symbols: u64,
    /// Bytes of them, without what pads them.
    pub source_bytes: u64,
    /// Repair symbols that arrived, needed or not.
    pub repair_symbols: u64,
    /// Source symbols rebuilt from repair symbols.
    pub recovered: u64,
    /// Source symbols that were missing of objects when they were given up.
    pub lost_symbols: u64,
    /// FDT Instances read.
    pub fdt_instances: u64,
    /// Objects completed.
    pub completed: u64,
    /// Objects given up.
    pub failed: u64,
    /// Objects that are being received.
    pub active: u64,
    /// Packets dropped because a bound was reached.
    pub dropped: u64,
    /// Bytes kept on behalf of the session.
    pub memory: u64,
}

impl SessionStats {
    /// Adds the counters of another session.
    pub(super) fn add(&mut self, other: &Self) {
        for (counter, more) in [
            (&mut self.packets, other.packets),
            (&mut self.bytes, other.bytes),
            (&mut self.duplicates, other.duplicates),
            (&mut self.unusable, other.unusable),
            (&mut self.contradictions, other.contradictions),
            (&mut self.unusable_fdt, other.unusable_fdt),
            (&mut self.source_symbols, other.source_symbols),
            (&mut self.source_bytes, other.source_bytes),
            (&mut self.repair_symbols, other.repair_symbols),
            (&mut self.recovered, other.recovered),
            (&mut self.lost_symbols, other.lost_symbols),
            (&mut self.fdt_instances, other.fdt_instances),
            (&mut self.completed, other.completed),
            (&mut self.failed, other.failed),
            (&mut self.active, other.active),
            (&mut self.dropped, other.dropped),
            (&mut self.memory, other.memory),
        ] {
            *counter += more;
        }
    }
}
