// SPDX-License-Identifier: MPL-2.0

//! One object of the session: what it is, and its transfers.

use std::sync::Arc;

use super::block::{Input, Progress, failure};
use super::event::Failure;
use super::fec_config::FecConfig;
use super::object::{Deadline, OnChange};
use super::outline::Outline;
use super::packetizer::Packetizer;
use super::preparation::{Outcome, Preparation};
use super::schedule::ObjectKey;
use super::source::Source;
use super::transfer::{Order, Transfer};
use super::transfer_plan::TransferPlan;
use super::wakeup::{Wakeup, Wakeups, Watch};
use crate::Time;
use crate::alc::Flags;
use crate::fdt::File;
use crate::lct::Toi;
use crate::work::Work;

/// Versions of an object that are changed while they are sent before the object is given up.
const MAX_CHANGED_VERSIONS: u32 = 4;

/// An object that is sent.
#[derive(Debug)]
pub(super) struct OutgoingObject {
    toi: Toi,
    location: Arc<str>,
    fec: FecConfig,
    /// The bytes that are sent: content encoded, once the object is prepared.
    source: Box<dyn Source>,
    /// What has to be read of it before it can be described.
    preparation: Option<Box<Unprepared>>,
    /// How it is cut and protected, once its transfer length is known.
    packetizer: Option<Packetizer>,
    plan: TransferPlan,
    deadline: Option<Deadline>,
    /// What is sent again when the source is changed.
    again: Option<Box<Outline>>,
    /// The transfer that runs.
    transfer: Option<Transfer>,
    wakeup: Wakeup,
}

/// An object that has to be read before it can be described.
#[derive(Debug)]
struct Unprepared {
    preparation: Preparation,
    /// What is known of it.
    file: Box<File>,
}

/// How far the preparation of an object is.
pub(super) enum Prepared {
    /// It has been read: its description as far as it was known before, and the MD5 digest if that was wanted.
    Done(Box<File>, Option<[u8; 16]>),
    /// The source does not have the bytes yet.
    Starved,
    /// The poll has done enough work.
    Busy,
}

/// What a transfer has appended.
pub(super) enum Appended {
    /// A packet.
    Packet(SentPacket),
    /// Nothing: the source does not have the bytes yet.
    Starved,
    /// Nothing: the poll has done enough work.
    Busy,
}

/// A packet of a transfer.
pub(super) struct SentPacket {
    /// Whether it has repair symbols.
    pub(super) repair: bool,
    /// Bytes of symbols in it.
    pub(super) payload: usize,
    /// Packets of this transfer so far, this one included.
    pub(super) sent: u64,
    /// Packets of this transfer that are left.
    pub(super) left: u64,
    /// It ends another hundredth of a long transfer.
    pub(super) is_milestone: bool,
    /// When the next packet of the transfer is due, where it is spread over time.
    pub(super) next: Option<Time>,
}

impl OutgoingObject {
    /// The object of this outline and these bytes, with the preparation that it needs.
    pub(super) fn new(outline: Outline, source: Box<dyn Source>, preparation: Option<Preparation>) -> Self {
        let again = outline.on_change == OnChange::SendAgain && outline.changed_versions < MAX_CHANGED_VERSIONS;
        let again = again.then(|| Box::new(outline.clone()));
        let Outline { file, fec, carousel, start, deadline, .. } = outline;
        Self {
            toi: file.toi,
            location: file.content_location.as_str().into(),
            fec,
            source,
            preparation: preparation.map(|preparation| Box::new(Unprepared { preparation, file: Box::new(file) })),
            packetizer: None,
            plan: TransferPlan::new(carousel, start),
            deadline,
            again,
            transfer: None,
            wakeup: Wakeup::default(),
        }
    }

    pub(super) fn toi(&self) -> Toi {
        self.toi
    }

    /// Content-Location.
    pub(super) fn location(&self) -> &Arc<str> {
        &self.location
    }

    pub(super) fn fec(&self) -> FecConfig {
        self.fec
    }

    /// Length in bytes, content encoded once the object is prepared.
    pub(super) fn transfer_length(&self) -> u64 {
        self.source.len()
    }

    pub(super) fn plan(&self) -> &TransferPlan {
        &self.plan
    }

    pub(super) fn plan_mut(&mut self) -> &mut TransferPlan {
        &mut self.plan
    }

    /// Whether its transfers are spread over time.
    pub(super) fn is_spread(&self) -> bool {
        self.deadline.is_some()
    }

    /// Whether it must be read before it can be described.
    pub(super) fn is_unprepared(&self) -> bool {
        self.preparation.is_some()
    }

    /// Whether a transfer has begun and not ended.
    pub(super) fn is_in_transfer(&self) -> bool {
        self.transfer.is_some()
    }

    /// Reads on what has to be read before the object can be described.
    pub(super) fn prepare(&mut self, work: &mut Work) -> Result<Prepared, Failure> {
        let Some(mut unprepared) = self.preparation.take() else { return Ok(Prepared::Busy) };
        match unprepared.preparation.advance(&*self.source, work)? {
            Outcome::Busy => {
                self.preparation = Some(unprepared);
                Ok(Prepared::Busy)
            }
            Outcome::Starved => {
                self.preparation = Some(unprepared);
                Ok(Prepared::Starved)
            }
            Outcome::Done { encoded, md5 } => {
                if let Some(encoded) = encoded {
                    self.source = encoded;
                }
                self.source.rest();
                Ok(Prepared::Done(unprepared.file, md5))
            }
        }
    }

    /// Sets how the object is cut and protected.
    pub(super) fn set_packetizer(&mut self, packetizer: Packetizer) {
        self.packetizer = Some(packetizer);
    }

    /// Asks the source to tell of new bytes.
    pub(super) fn watch(&mut self, key: ObjectKey, wakeups: &Wakeups) -> Watch {
        self.wakeup.watch(&*self.source, key, wakeups)
    }

    /// The source has told of new bytes.
    pub(super) fn wake(&mut self) {
        self.wakeup.came();
    }

    /// Begins a transfer.
    pub(super) fn begin_transfer(&mut self, order: Order, now: Time) {
        let Some(packetizer) = &self.packetizer else { return };
        // The blocks further on of a source that still grows have no bytes yet.
        let is_growing = self.source.available() < self.source.len();
        let order = if is_growing { Order { interleave: 1, ..order } } else { order };
        let end = self.deadline.map(|deadline| match deadline {
            Deadline::Within(duration) => now + duration,
            Deadline::At(time) => time.max(now),
        });
        self.transfer = Some(Transfer::new(packetizer, order).spread(now, end));
        self.plan.begin(now);
    }

    /// Size of the largest packet, and the number of packets that the transfer has left.
    pub(super) fn packets_left(&self) -> (usize, u64) {
        let size = self.packetizer.as_ref().map_or(0, Packetizer::packet_size);
        (size, self.transfer.as_ref().map_or(0, Transfer::packets_left))
    }

    /// Appends the next packet of the transfer, if there is one now.
    pub(super) fn append(&mut self, work: &mut Work, out: &mut Vec<u8>) -> Result<Appended, Failure> {
        let flags = Flags { close_session: false, close_object: self.plan.is_last() };
        let (Some(packetizer), Some(transfer)) = (&self.packetizer, &mut self.transfer) else {
            return Ok(Appended::Busy);
        };
        let start = out.len();
        let input = Input::new(&*self.source);
        let repair = match transfer.append(packetizer, &input, flags, work, out)? {
            Progress::Packet { repair } => repair,
            Progress::Starved => return Ok(Appended::Starved),
            Progress::Busy => return Ok(Appended::Busy),
        };
        Ok(Appended::Packet(SentPacket {
            repair,
            payload: out.len() - start - packetizer.overhead(),
            sent: transfer.packets_sent(),
            left: transfer.packets_left(),
            is_milestone: transfer.is_milestone(),
            next: transfer.next_due(packetizer),
        }))
    }

    /// Checks, at the end of a transfer, that the source has been the same all the time.
    pub(super) fn check_source(&self) -> Result<(), Failure> {
        match self.source.has_changed() {
            Ok(false) => Ok(()),
            Ok(true) => Err(Failure::SourceChanged { sent_again_as: None }),
            Err(error) => Err(failure(error, self.source.len(), self.source.len())),
        }
    }

    /// The outline and the bytes of the version that is to be sent instead, where that is wanted and possible.
    pub(super) fn next_version(&mut self) -> Option<(Outline, Box<dyn Source>)> {
        let outline = self.again.take()?;
        let source = self.source.reopen()?.ok()?;
        Some((*outline, source))
    }

    /// The transfer has ended; returns when the next one is due, `None` after the last.
    pub(super) fn end_transfer(&mut self, now: Time) -> Option<Time> {
        self.transfer = None;
        self.source.rest();
        self.plan.end(now)
    }
}
