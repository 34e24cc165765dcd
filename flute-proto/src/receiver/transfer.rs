// SPDX-License-Identifier: MPL-2.0

//! An object on its way from its first symbol to its content.

use std::hash::RandomState;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::ReceiverConfig;
use super::budget::Budget;
use super::content_decoding::ContentSink;
use super::delivery::{Delivery, announced_digest};
use super::destination::{Destination, Place};
use super::event::{Content, Event, Failure, ObjectInfo};
use super::fingerprint::Fingerprint;
use super::reassembly::{Outcome, Placement, Reassembly, Unreceivable};
use crate::Time;
use crate::alc::Payload;
use crate::content::{ContentEncoding, DecodeLimits};
use crate::oti::{FecEncodingId, Oti};
use crate::work::Work;

/// An object of which symbols have arrived.
#[derive(Debug)]
pub(super) struct Transfer {
    object: Reassembly,
    fingerprint: Fingerprint,
    delivery: Delivery,
    telling: Telling,
    last_symbol: Time,
    votes: Votes,
    /// The Codepoint of packets of another FEC scheme than that of the object.
    other_codepoint: Option<u8>,
    /// When so many bytes are there, progress is reported again.
    next_progress: u64,
}

/// What is told of the content that becomes available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    /// Nothing.
    Nothing,
    /// Every range, as it comes.
    AsItComes,
    /// What is there from the start; so many bytes have been told.
    InOrder(u64),
}

/// What the packets of an object say of its FEC OTI: what most of them say counts, since one may be damaged, or late from an
/// earlier version of the object.
#[derive(Debug, Default)]
struct Votes {
    /// Packets that say what the object was begun with.
    agreeing: u8,
    /// What others say, and how many more of them than of those that say something else again.
    rival: Option<(Oti, u8)>,
}

/// What the EXT_FTI of a packet means that says something else than those before it.
#[derive(Debug)]
pub(super) enum Vote {
    /// Most others say otherwise.
    Against,
    /// Most say this by now.
    Outvotes(Box<Oti>),
}

/// Votes that count: a sender that goes on with another object under the TOI has its way after so many packets.
const MAX_VOTES: u8 = 8;

/// An object, and where it goes.
#[derive(Debug)]
pub(super) struct Described<'a> {
    pub(super) info: &'a Arc<ObjectInfo>,
    pub(super) encoding: ContentEncoding,
    pub(super) destination: Destination,
}

impl Transfer {
    /// An object whose first symbol is about to be taken. One that is not described yet goes where one without a choice
    /// does.
    pub(super) fn new(
        oti: Oti,
        described: Option<Described<'_>>,
        config: &ReceiverConfig,
        now: Time,
        budget: &mut Budget,
    ) -> Result<Self, Unreceivable> {
        let length = oti.parameters.transfer_length;
        let Some(Described { info, encoding, destination }) = described else {
            let placement = automatic(length, config);
            let object = Reassembly::new(oti, placement, budget)?;
            return Ok(Self::of(object, Delivery::default(), now));
        };
        let announced = announced_digest(info);
        let Destination { place, in_order, tells_data } = destination;
        let is_readable = matches!(place, Place::ReadableWriter(_));
        let is_encoded = encoding != ContentEncoding::Null;
        let is_contiguous = oti.codec().is_ok_and(|codec| codec.is_contiguous());
        let needs_order = is_encoded || in_order || announced.is_some() || !is_contiguous && is_readable;
        let (placement, delivery) = match place {
            _ if is_encoded => {
                let sink = sink(place, info, config);
                // What waits to be decoded may be long, too.
                let placement = spool(length, config).map_or(Placement::Blocks, Placement::Spool);
                (placement, Delivery::to_sink(announced, encoding, sink, decode_limits(config)))
            }
            Place::ReadableWriter(writer) if !in_order && is_contiguous => {
                (Placement::ReadableWriter(writer), Delivery::of_store(announced))
            }
            Place::Writer(_) | Place::ReadableWriter(_) | Place::Nothing if needs_order => {
                let sink = sink(place, info, config);
                (Placement::Blocks, Delivery::to_sink(announced, encoding, sink, decode_limits(config)))
            }
            Place::Writer(writer) | Place::ReadableWriter(writer) => (Placement::Writer(writer), Delivery::default()),
            Place::Nothing => (Placement::Nothing, Delivery::default()),
            Place::Automatic => (automatic(length, config), Delivery::of_store(announced)),
            Place::Memory => (Placement::Memory, Delivery::of_store(announced)),
            Place::Spool => {
                let folder = config.spool_directory.as_deref();
                (folder.map_or(Placement::Memory, Placement::Spool), Delivery::of_store(announced))
            }
            Place::File(file) => (Placement::File(file), Delivery::of_store(announced)),
        };
        let mut transfer = Self::of(Reassembly::new(oti, placement, budget)?, delivery, now);
        if tells_data {
            transfer.begin_telling(in_order);
        }
        Ok(transfer)
    }

    fn of(object: Reassembly, delivery: Delivery, now: Time) -> Self {
        let fingerprint = Fingerprint::new(&object);
        let next_progress = progress_step(&object);
        Self {
            object,
            fingerprint,
            delivery,
            telling: Telling::Nothing,
            last_symbol: now,
            votes: Votes::default(),
            other_codepoint: None,
            next_progress,
        }
    }

    /// An object that began without a description has got one. What has arrived stays where it is; if it is to go
    /// elsewhere it is handed on from there.
    pub(super) fn describe(&mut self, described: Described<'_>, config: &ReceiverConfig) {
        let Described { info, encoding, destination } = described;
        let announced = announced_digest(info);
        let Destination { place, tells_data, .. } = destination;
        let stays = matches!(place, Place::Automatic | Place::Memory | Place::Spool);
        self.delivery = match place {
            Place::Nothing if encoding == ContentEncoding::Null => Delivery::of_store(announced).dropping_content(),
            _ if stays && encoding == ContentEncoding::Null => Delivery::of_store(announced),
            place => Delivery::to_sink(announced, encoding, sink(place, info, config), decode_limits(config)),
        };
        if tells_data {
            // Some of it is there already.
            self.begin_telling(true);
        }
    }

    /// Tells what becomes available from now on, in order of its bytes or as it comes.
    fn begin_telling(&mut self, in_order: bool) {
        self.object.write_through();
        self.telling = if in_order || self.delivery.written().is_some() {
            Telling::InOrder(0)
        } else {
            self.object.note_news();
            Telling::AsItComes
        };
    }

    /// Takes the symbols of a packet. Those of another scheme than the object's have no place in it: the Codepoint is its
    /// FEC Encoding ID (RFC 6726 §5).
    pub(super) fn take(
        &mut self,
        encoding_id: FecEncodingId,
        payload: Payload<'_>,
        hasher: &RandomState,
        now: Time,
        budget: &mut Budget,
    ) -> io::Result<Outcome> {
        if encoding_id != self.object.oti().encoding_id {
            self.other_codepoint = Some(encoding_id.0);
            return Ok(Outcome { unusable: 1, ..Outcome::default() });
        }
        let outcome = self.object.insert(payload, budget)?;
        if outcome.new > 0 {
            self.last_symbol = now;
            self.fingerprint.note(payload, hasher);
        }
        Ok(outcome)
    }

    /// Hears what the EXT_FTI of a packet says of the object, of which the FDT may say something, too. `None` if it is what
    /// the object was begun with.
    pub(super) fn vote(&mut self, oti: Oti, described: Option<&Oti>) -> Option<Vote> {
        let present = self.object.oti();
        if oti == *present {
            self.votes.agreeing = self.votes.agreeing.saturating_add(1).min(MAX_VOTES);
            return None;
        }
        let rival = match &mut self.votes.rival {
            Some((rival, votes)) if *rival == oti => {
                *votes = votes.saturating_add(1).min(MAX_VOTES + 1);
                *votes
            }
            Some((_, votes)) if *votes > 1 => {
                *votes -= 1;
                return Some(Vote::Against);
            }
            _ => {
                self.votes.rival = Some((oti.clone(), 1));
                1
            }
        };
        let weight = |of: &Oti| u8::from(described == Some(of));
        let is_outvoted = rival + weight(&oti) > self.votes.agreeing.max(1) + weight(present);
        Some(if is_outvoted { Vote::Outvotes(Box::new(oti)) } else { Vote::Against })
    }

    /// Whether a single packet said how the object is cut, and the FDT says otherwise.
    pub(super) fn is_outvoted_by(&self, described: Option<&Oti>) -> bool {
        self.votes.agreeing <= 1 && described.is_some_and(|described| lie_differently(described, self.object.oti()))
    }

    /// Why the object is lost: for the reason given, unless its packets explain it better.
    pub(super) fn explain(&self, reason: Failure) -> Failure {
        let described = self.object.oti().encoding_id.0;
        match self.other_codepoint.filter(|_| self.object.received() == 0) {
            Some(codepoint) => Failure::Codepoint { codepoint, described },
            None => reason,
        }
    }

    /// The object as far as it is there.
    pub(super) fn object(&self) -> &Reassembly {
        &self.object
    }

    /// The object, for its source blocks to be decoded.
    pub(super) fn object_mut(&mut self) -> &mut Reassembly {
        &mut self.object
    }

    /// When the last symbol arrived.
    pub(super) fn last_symbol(&self) -> Time {
        self.last_symbol
    }

    /// Whether bytes are there that can be passed on.
    pub(super) fn is_delivery_due(&self) -> bool {
        self.delivery.is_due(&self.object)
    }

    /// Whether all bytes have been passed on.
    pub(super) fn is_delivered(&self) -> bool {
        self.delivery.is_done(&self.object)
    }

    /// Passes bytes on, as many as the work allows.
    pub(super) fn deliver(&mut self, budget: &mut Budget, work: &mut Work) -> Result<(), Failure> {
        self.delivery.proceed(&mut self.object, budget, work)
    }

    /// The content of an object all bytes of which have been passed on, and its fingerprint unless it is empty.
    pub(super) fn into_content(self, budget: &mut Budget) -> (Result<Content, Failure>, Option<Fingerprint>) {
        let fingerprint = Some(self.fingerprint).filter(|_| self.object.transfer_length() > 0);
        (self.delivery.finish(self.object, budget), fingerprint)
    }

    /// What is to be told of the progress of the object.
    pub(super) fn tell(&mut self, info: &Arc<ObjectInfo>, tell: &mut impl FnMut(Event)) {
        let mut data = |Range { start: offset, end }: Range<u64>| {
            tell(Event::Data { object: info.clone(), offset, length: end - offset });
        };
        match &mut self.telling {
            Telling::Nothing => {}
            Telling::AsItComes => self.object.take_news().for_each(data),
            Telling::InOrder(told) => {
                let there = self.delivery.written().unwrap_or_else(|| self.object.available());
                if there > *told {
                    data(*told..there);
                    *told = there;
                }
            }
        }
        if self.object.received() >= self.next_progress && !self.object.is_complete() {
            self.next_progress = self.object.received() + progress_step(&self.object);
            tell(Event::Progress { object: info.clone(), received: self.object.received() });
        }
    }

    /// Forgets the object.
    pub(super) fn discard(self, budget: &mut Budget) {
        self.delivery.discard(budget);
        self.object.discard(budget);
    }
}

/// Whether symbols lie differently in an object by one FEC OTI than by another. Implementations are known that put another
/// number of encoding symbols into the FDT than into EXT_FTI, which does not matter for that.
pub(super) fn lie_differently(one: &Oti, other: &Oti) -> bool {
    let layout = |oti: &Oti| {
        let blocks = oti.codec().map(|codec| codec.block_count()).ok();
        (oti.encoding_id, oti.parameters.transfer_length, oti.parameters.symbol_size, blocks)
    };
    layout(one) != layout(other)
}

/// A hundredth of the object, and no less than what a few packets bring.
fn progress_step(object: &Reassembly) -> u64 {
    (object.transfer_length() / 100).max(64 * 1024)
}

/// The folder of a spool file for an object of this length, if it is to have one.
fn spool(length: u64, config: &ReceiverConfig) -> Option<&Path> {
    config.spool_directory.as_deref().filter(|_| length > config.limits.spool_threshold)
}

/// Where an object goes whose content is what is transferred, if nothing else is chosen.
fn automatic(length: u64, config: &ReceiverConfig) -> Placement<'_> {
    spool(length, config).map_or(Placement::Memory, Placement::Spool)
}

/// What takes the content in order.
fn sink(place: Place, info: &ObjectInfo, config: &ReceiverConfig) -> ContentSink {
    let announced = info.file.content_length;
    let spooled = |threshold| match config.spool_directory.clone() {
        Some(folder) => ContentSink::spooled(announced, folder, threshold),
        None => ContentSink::memory(announced),
    };
    match place {
        Place::Automatic => spooled(config.limits.spool_threshold),
        Place::Memory => ContentSink::memory(announced),
        Place::Spool => spooled(0),
        Place::File(file) => ContentSink::file(file),
        Place::Writer(writer) | Place::ReadableWriter(writer) => ContentSink::writer(writer),
        Place::Nothing => ContentSink::nothing(),
    }
}

fn decode_limits(config: &ReceiverConfig) -> DecodeLimits {
    let max_size = if config.limits.max_object_size == 0 { u64::MAX } else { config.limits.max_object_size };
    DecodeLimits { max_size, max_ratio: config.limits.max_expansion }
}
