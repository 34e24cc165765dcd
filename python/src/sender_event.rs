// SPDX-License-Identifier: MPL-2.0

//! What a sender tells.

use flute_proto::lct::Toi;
use flute_proto::sender::{Event, Failure};
use pyo3::prelude::*;

use crate::record::record;

record! {
    /// An FDT Instance was published.
    "flute.sender", FdtPublished {
        /// FDT Instance ID.
        instance_id: u32,
        /// Number of files that it describes.
        files: usize,
    }
}

record! {
    /// The first packet of a transfer was given out.
    "flute.sender", TransferStarted {
        /// The object.
        toi: u128,
        /// Content-Location.
        location: String,
    }
}

record! {
    /// Another hundredth of a transfer of 1000 packets and more was given out.
    "flute.sender", TransferProgress {
        /// The object.
        toi: u128,
        /// Content-Location.
        location: String,
        /// Packets of this transfer so far.
        sent: u64,
        /// Packets of the whole transfer.
        packets: u64,
    }
}

record! {
    /// The last packet of a transfer was given out.
    "flute.sender", TransferEnded {
        /// The object.
        toi: u128,
        /// Content-Location.
        location: String,
        /// Transfers so far.
        transfers: u64,
        /// Bytes of the object on the wire in each, without headers and repair symbols.
        transfer_length: u64,
    }
}

record! {
    /// The object is sent and described no more.
    "flute.sender", TransferWithdrawn {
        /// The object.
        toi: u128,
        /// Content-Location.
        location: String,
        /// Transfers that were complete.
        transfers: u64,
    }
}

record! {
    /// The object could not be read, and was withdrawn.
    "flute.sender", ObjectFailed {
        /// The object.
        toi: u128,
        /// Content-Location.
        location: String,
        /// Why.
        reason: String,
    }
}

/// One of them, on its way to Python.
#[derive(Debug, IntoPyObject)]
pub(crate) enum SenderEvent {
    Fdt(FdtPublished),
    Started(TransferStarted),
    Progress(TransferProgress),
    Ended(TransferEnded),
    Withdrawn(TransferWithdrawn),
    Failed(ObjectFailed),
}

impl SenderEvent {
    /// The event, and the object that it is of; `None` for one that this module does not know.
    pub(crate) fn of(event: Event) -> Option<(Option<Toi>, Self)> {
        let (toi, event) = match event {
            Event::Fdt { instance_id, files } => return Some((None, Self::Fdt(FdtPublished { instance_id, files }))),
            Event::TransferStarted { toi, location } => {
                (toi, Self::Started(TransferStarted { toi: toi.get(), location: location.to_string() }))
            }
            Event::Progress { toi, location, sent, packets } => {
                let location = location.to_string();
                (toi, Self::Progress(TransferProgress { toi: toi.get(), location, sent, packets }))
            }
            Event::TransferEnded { toi, location, transfers, transfer_length } => {
                let location = location.to_string();
                (toi, Self::Ended(TransferEnded { toi: toi.get(), location, transfers, transfer_length }))
            }
            Event::Withdrawn { toi, location, transfers } => {
                let location = location.to_string();
                (toi, Self::Withdrawn(TransferWithdrawn { toi: toi.get(), location, transfers }))
            }
            Event::Failed { toi, location, reason } => (toi, Self::failed(toi, &location, &reason)),
            _ => return None,
        };
        Some((Some(toi), event))
    }

    /// The Content-Location of an object of which this may be the last event.
    pub(crate) fn location_if_last(&self) -> Option<&str> {
        match self {
            Self::Ended(event) => Some(&event.location),
            Self::Withdrawn(event) => Some(&event.location),
            Self::Failed(event) => Some(&event.location),
            Self::Fdt(_) | Self::Started(_) | Self::Progress(_) => None,
        }
    }

    fn failed(toi: Toi, location: &str, reason: &Failure) -> Self {
        Self::Failed(ObjectFailed { toi: toi.get(), location: location.to_owned(), reason: reason.to_string() })
    }
}
