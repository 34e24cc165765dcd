// SPDX-License-Identifier: MPL-2.0

//! What a sender tells.

use std::sync::Arc;

use crate::lct::Toi;
use crate::oti::OtiError;

/// Something that happened to an object or to the session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// An FDT Instance was published.
    Fdt {
        /// FDT Instance ID.
        instance_id: u32,
        /// Number of files it describes.
        files: usize,
    },
    /// The first packet of a transfer was given out.
    TransferStarted {
        /// The object.
        toi: Toi,
        /// Content-Location.
        location: Arc<str>,
    },
    /// Another hundredth of a long transfer was given out, for those who show progress: one of 1000 packets and more.
    Progress {
        /// The object.
        toi: Toi,
        /// Content-Location.
        location: Arc<str>,
        /// Packets of this transfer so far.
        sent: u64,
        /// Packets of the whole transfer.
        packets: u64,
    },
    /// The last packet of a transfer was given out.
    TransferEnded {
        /// The object.
        toi: Toi,
        /// Content-Location.
        location: Arc<str>,
        /// Transfers so far.
        transfers: u64,
        /// Bytes of the object on the wire in each, without headers and repair symbols.
        transfer_length: u64,
    },
    /// The object is sent and described no more.
    Withdrawn {
        /// The object.
        toi: Toi,
        /// Content-Location.
        location: Arc<str>,
        /// Transfers that were complete.
        transfers: u64,
    },
    /// The object could not be read, and was withdrawn.
    Failed {
        /// The object.
        toi: Toi,
        /// Content-Location.
        location: Arc<str>,
        /// Why.
        reason: Failure,
    },
}

/// Why an object could not be sent to its end.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Its source failed.
    #[error("reading at byte {offset}: {error}")]
    Read {
        /// Where.
        offset: u64,
        /// What the source said.
        error: Arc<std::io::Error>,
    },
    /// Its source was changed while it was sent or read: receivers may have parts of two versions.
    #[error(
        "the source was changed while it was sent{}",
        if sent_again_as.is_some() { ": it is sent again as it is now" } else { "" }
    )]
    SourceChanged {
        /// The TOI of the new version that is sent instead, where [`Object::on_change`](super::Object::on_change) asks for
        /// it.
        sent_again_as: Option<Toi>,
    },
    /// Its source ended before the length that was announced.
    #[error("the source ended before its announced length of {announced} bytes")]
    Truncated {
        /// Bytes announced.
        announced: u64,
    },
    /// Its encoded content could not be written to a temporary file.
    #[error("writing the encoded content to a temporary file: {0}")]
    Spool(Arc<std::io::Error>),
    /// Content encoded, it cannot be coded like this.
    #[error(transparent)]
    Fec(#[from] OtiError),
}

/// Counters of a sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SenderStats {
    /// Packets given out.
    pub packets: u64,
    /// Bytes of ALC packets given out.
    pub bytes: u64,
    /// Packets of FDT Instances among them.
    pub fdt_packets: u64,
    /// Packets of repair symbols among them.
    pub repair_packets: u64,
    /// FDT Instances published.
    pub fdt_instances: u64,
    /// Objects known at present.
    pub objects: u64,
    /// Transfers that ended.
    pub transfers: u64,
    /// Objects that failed.
    pub failed: u64,
}

impl SenderStats {
    pub(super) fn count_packet(&mut self, length: usize, repair: bool) {
        self.packets += 1;
        self.bytes += length as u64;
        self.repair_packets += u64::from(repair);
    }
}
