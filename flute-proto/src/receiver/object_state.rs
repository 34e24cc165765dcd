// SPDX-License-Identifier: MPL-2.0

//! One TOI of a session: what is said of it, and what has become of it. Only the methods here change that.
//!
//! ```text
//!            first symbol             all symbols            digest, content decoding
//!  Waiting ---------------> Receiving ------------> Delivering ----------------------> Completed
//!     ^                       |    |                    |                                  |
//!     |   no memory, idle     |    | expired, withdrawn | wrong digest: Waiting            | another object
//!     +-----------------------+    +-> Failed           +-> Failed                         +-> Waiting
//! ```
//!
//! Each of them may be described or not; only what is described is told of. `Unwanted` is what the mode has no use for, or
//! what a newer version has taken the place of.

use std::hash::RandomState;
use std::io;
use std::sync::Arc;

use super::budget::Budget;
use super::description::Description;
use super::event::{BlockLoss, Content, Event, Failure, Limit, ObjectInfo};
use super::fingerprint::Fingerprint;
use super::reassembly::{Outcome, Reassembly};
use super::transfer::{Transfer, Vote};
use crate::Time;
use crate::alc::{Packet, Payload};
use crate::oti::{FecEncodingId, Oti};
use crate::work::Work;

/// A TOI.
#[derive(Debug)]
pub(super) struct ObjectState {
    /// Boxed, so that tables of many objects are small.
    description: Option<Box<Description>>,
    phase: Phase,
    /// That the object is lost has been told, and nothing has changed since.
    loss_is_told: bool,
    /// The object that is described has been delivered.
    is_delivered: bool,
    /// No FDT Instance that the sender still repeats lists it, which has been told.
    is_withdrawn: bool,
    /// Bytes that are charged for the description and the fingerprint of a completed object.
    charged: u64,
}

/// What has become of an object.
#[derive(Debug)]
enum Phase {
    /// No symbol is there: none has arrived, or there is no memory, or it is not known how to read the symbols.
    Waiting {
        /// What it did not fit into.
        refused: Option<Limit>,
    },
    /// Symbols are being taken.
    Receiving(Box<Transfer>),
    /// All symbols are there; the digest is being checked, the content decoded.
    Delivering(Box<Transfer>),
    /// It has been delivered.
    Completed { fingerprint: Option<Fingerprint>, at: Time },
    /// It is given up, and its packets are ignored.
    Failed,
    /// The mode has no use for it, or a newer version has taken its place.
    Unwanted,
}

/// What a packet is to an object.
#[derive(Debug)]
pub(super) enum Taken {
    /// Its symbols have been taken.
    Symbols(io::Result<Outcome>),
    /// No symbol of the object has been taken yet: it is to be begun.
    First,
    /// Its EXT_FTI contradicts what most packets of the object say.
    Contradiction,
    /// Most packets of the object say this by now, and what was received before is of no use.
    Outvoted(Box<Oti>),
    /// It is of another object than the one that was completed under this TOI: a restarted sender uses the TOI again.
    OfAnother {
        /// The description that there is may be that of the new object.
        may_be_described: bool,
    },
    /// It repeats what is complete.
    Repeated {
        /// So many symbols in it are repair symbols.
        repair_symbols: u32,
    },
    /// The object is not wanted any more.
    Ignored,
}

/// A loss that is to be told.
#[derive(Debug)]
pub(super) struct Loss {
    pub(super) object: Arc<ObjectInfo>,
    pub(super) reason: Failure,
    pub(super) missing: Vec<BlockLoss>,
    /// Source symbols that are missing.
    pub(super) symbols: u64,
}

impl From<Loss> for Event {
    fn from(Loss { object, reason, missing, .. }: Loss) -> Self {
        Self::Failed { object, reason, missing }
    }
}

impl ObjectState {
    /// Nothing is known yet but that `charged` bytes are charged for it.
    pub(super) fn new(charged: u64) -> Self {
        Self {
            description: None,
            phase: Phase::Waiting { refused: None },
            loss_is_told: false,
            is_delivered: false,
            is_withdrawn: false,
            charged,
        }
    }

    /// What is said of it.
    pub(super) fn description(&self) -> Option<&Description> {
        self.description.as_deref()
    }

    /// Whether it is described and being received.
    pub(super) fn is_active(&self) -> bool {
        self.description.is_some() && matches!(self.phase, Phase::Receiving(_) | Phase::Delivering(_))
    }

    /// Whether it is described and may still be completed.
    pub(super) fn is_open(&self) -> bool {
        self.description.is_some()
            && matches!(self.phase, Phase::Waiting { .. } | Phase::Receiving(_) | Phase::Delivering(_))
    }

    /// Whether its symbols are being taken.
    pub(super) fn is_receiving(&self) -> bool {
        matches!(self.phase, Phase::Receiving(_))
    }

    /// Whether it has been delivered and is remembered for that.
    pub(super) fn is_completed(&self) -> bool {
        matches!(self.phase, Phase::Completed { .. })
    }

    /// When it was completed, if it was.
    pub(super) fn completed_at(&self) -> Option<Time> {
        match &self.phase {
            Phase::Completed { at, .. } => Some(*at),
            _ => None,
        }
    }

    /// Whether all its symbols are there and it is being delivered.
    pub(super) fn is_delivering(&self) -> bool {
        matches!(self.phase, Phase::Delivering(_))
    }

    /// Whether it is given up.
    pub(super) fn is_failed(&self) -> bool {
        matches!(self.phase, Phase::Failed)
    }

    /// Whether the sender has moved on without it.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.is_withdrawn
    }

    /// When the last symbol of an object arrived that is being received.
    pub(super) fn last_symbol(&self) -> Option<Time> {
        match &self.phase {
            Phase::Receiving(transfer) => Some(transfer.last_symbol()),
            _ => None,
        }
    }

    /// The object as far as it is there.
    pub(super) fn object(&self) -> Option<&Reassembly> {
        match &self.phase {
            Phase::Receiving(transfer) | Phase::Delivering(transfer) => Some(transfer.object()),
            _ => None,
        }
    }

    /// The object that is being received, for its source blocks to be decoded.
    pub(super) fn object_mut(&mut self) -> Option<&mut Reassembly> {
        match &mut self.phase {
            Phase::Receiving(transfer) => Some(transfer.object_mut()),
            _ => None,
        }
    }

    /// Takes a packet.
    pub(super) fn take(
        &mut self,
        packet: &Packet<'_>,
        payload: Payload<'_>,
        hasher: &RandomState,
        now: Time,
        budget: &mut Budget,
    ) -> Taken {
        match &mut self.phase {
            Phase::Receiving(transfer) => {
                let described = self.description.as_ref().and_then(|description| description.oti.as_ref().ok());
                match packet.fti.and_then(|_| transfer.vote(packet.oti()?.ok()?, described)) {
                    None => Taken::Symbols(transfer.take(packet.encoding_id(), payload, hasher, now, budget)),
                    Some(Vote::Against) => Taken::Contradiction,
                    Some(Vote::Outvotes(oti)) => Taken::Outvoted(oti),
                }
            }
            Phase::Waiting { .. } => Taken::First,
            Phase::Completed { fingerprint: Some(fingerprint), .. } if fingerprint.differs(packet, payload, hasher) => {
                // What the FDT says of the new object may have arrived already, but another FEC OTI shows that it has not.
                let same_oti = packet.oti().is_none_or(|oti| oti.as_ref() == Ok(fingerprint.oti()));
                Taken::OfAnother { may_be_described: same_oti }
            }
            Phase::Delivering(transfer) => {
                Taken::Repeated { repair_symbols: transfer.object().repair_symbols(payload) }
            }
            Phase::Completed { fingerprint, .. } => {
                let repair_symbols = fingerprint.as_ref().map_or(0, |known| known.repair_symbols(payload));
                Taken::Repeated { repair_symbols }
            }
            Phase::Failed | Phase::Unwanted => Taken::Ignored,
        }
    }

    /// Takes symbols that came before it was known how to read them.
    pub(super) fn take_pending(
        &mut self,
        encoding_id: FecEncodingId,
        payload: Payload<'_>,
        hasher: &RandomState,
        now: Time,
        budget: &mut Budget,
    ) -> Option<io::Result<Outcome>> {
        match &mut self.phase {
            Phase::Receiving(transfer) => Some(transfer.take(encoding_id, payload, hasher, now, budget)),
            _ => None,
        }
    }

    /// The first symbol is about to be taken.
    pub(super) fn begin(&mut self, transfer: Transfer) {
        let transfer_length = transfer.object().transfer_length();
        self.phase = Phase::Receiving(Box::new(transfer));
        if let Some(description) = &mut self.description {
            description.set_transfer_length(transfer_length);
        }
    }

    /// There is no memory for it at present.
    pub(super) fn refuse(&mut self, limit: Limit) {
        if let Phase::Waiting { refused } = &mut self.phase {
            *refused = Some(limit);
        }
    }

    /// Describes an object that was not described. What is charged for it is `charged` bytes from now on.
    pub(super) fn describe(&mut self, description: Description, charged: u64) {
        self.charged = charged;
        self.loss_is_told = false;
        self.is_delivered = false;
        self.is_withdrawn = false;
        let description = self.description.insert(Box::new(description));
        match &self.phase {
            Phase::Receiving(transfer) => description.set_transfer_length(transfer.object().transfer_length()),
            _ => self.phase = Phase::Waiting { refused: None },
        }
    }

    /// The transfer of an object that is being received, and what is said of it.
    pub(super) fn transfer_mut(&mut self) -> Option<(&mut Transfer, &Description)> {
        match (&mut self.phase, &self.description) {
            (Phase::Receiving(transfer) | Phase::Delivering(transfer), Some(description)) => {
                Some((transfer, description))
            }
            _ => None,
        }
    }

    /// Another FDT Instance says the same. When the description ends now.
    pub(super) fn renew(&mut self, other: &Description) -> Option<Time> {
        let description = self.description.as_mut()?;
        description.renew(other);
        self.is_withdrawn = false;
        Some(description.expires)
    }

    /// Shortens the validity of the description. `true` if it was longer.
    pub(super) fn shorten(&mut self, end: Time) -> bool {
        let Some(description) = &mut self.description else { return false };
        let is_longer = description.expires > end;
        description.expires = description.expires.min(end);
        is_longer
    }

    /// All symbols are there: they go on to be delivered.
    pub(super) fn all_there(&mut self) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Failed) {
            Phase::Receiving(transfer) => Phase::Delivering(transfer),
            other => other,
        };
    }

    /// Goes on with delivering, as far as the object is there. Its content when it is all done.
    pub(super) fn deliver(
        &mut self,
        now: Time,
        budget: &mut Budget,
        work: &mut Work,
    ) -> Option<Result<Content, Failure>> {
        let (Phase::Receiving(transfer) | Phase::Delivering(transfer)) = &mut self.phase else { return None };
        if let Err(failure) = transfer.deliver(budget, work) {
            return Some(Err(failure));
        }
        if !(self.is_delivering() && self.transfer_mut().is_some_and(|(transfer, _)| transfer.is_delivered())) {
            return None;
        }
        let Phase::Delivering(transfer) = std::mem::replace(&mut self.phase, Phase::Waiting { refused: None }) else {
            return None;
        };
        let (content, fingerprint) = transfer.into_content(budget);
        self.phase = Phase::Failed;
        if content.is_ok() {
            // Without a fingerprint a repetition is still one, only another object is not noticed.
            let fingerprint = fingerprint.filter(|known| budget.charge(known.memory_use()).is_ok());
            self.charged += fingerprint.as_ref().map_or(0, Fingerprint::memory_use);
            self.phase = Phase::Completed { fingerprint, at: now };
            self.is_delivered = true;
            self.loss_is_told = false;
        }
        Some(content)
    }

    /// What is complete is not delivered, or the object cannot be completed: it is given up. The loss, if it is to be told.
    pub(super) fn fail(&mut self, reason: Failure, budget: &mut Budget) -> Option<Loss> {
        let is_superseded = matches!(reason, Failure::Superseded);
        let next = match reason {
            Failure::Superseded => Phase::Unwanted,
            // A wrong symbol may have slipped in: the next cycle of a carousel may bring the right one.
            Failure::Digest => Phase::Waiting { refused: None },
            _ => Phase::Failed,
        };
        let phase = std::mem::replace(&mut self.phase, next);
        let (missing, symbols, reason) = self.lacks(&phase, reason);
        if let Phase::Receiving(transfer) | Phase::Delivering(transfer) = phase {
            transfer.discard(budget);
        }
        // What took the place of an object that had been delivered looked like a repetition of it until now.
        let is_told = std::mem::replace(&mut self.loss_is_told, true) || is_superseded && self.is_delivered;
        let object = self.description.as_ref().filter(|_| !is_told)?.info.clone();
        Some(Loss { object, reason, missing, symbols })
    }

    /// The sender has moved on without the object. What has arrived of it stays until the memory is wanted, should the
    /// sender come back to it. The loss, if it is to be told.
    pub(super) fn withdraw(&mut self) -> Option<Loss> {
        self.is_withdrawn = true;
        if !self.is_open() || self.is_delivering() || std::mem::replace(&mut self.loss_is_told, true) {
            return None;
        }
        let object = self.description.as_ref()?.info.clone();
        let (missing, symbols, reason) = self.lacks(&self.phase, Failure::Withdrawn);
        Some(Loss { object, reason, missing, symbols })
    }

    /// What an object lacks in this phase that is given up for this reason: blocks, source symbols, and the reason, if it is
    /// known better.
    fn lacks(&self, phase: &Phase, reason: Failure) -> (Vec<BlockLoss>, u64, Failure) {
        match phase {
            Phase::Receiving(transfer) | Phase::Delivering(transfer) => {
                let object = transfer.object();
                (object.losses(), object.missing(), transfer.explain(reason))
            }
            Phase::Waiting { refused } => {
                let oti = self.description.as_ref().and_then(|description| description.oti.as_ref().ok());
                let (missing, symbols) = oti.map(Reassembly::losses_of_all).unwrap_or_default();
                (missing, symbols, reason_of_waiting(*refused, reason))
            }
            _ => (Vec::new(), 0, reason),
        }
    }

    /// Forgets what has been received. A completed object is received once more if it is repeated.
    pub(super) fn begin_again(&mut self, budget: &mut Budget) {
        self.loss_is_told = false;
        self.clear(Phase::Waiting { refused: None }, budget);
    }

    /// Gives the memory of an incomplete object to others. It begins again with its next symbol.
    pub(super) fn evict(&mut self, budget: &mut Budget) {
        self.clear(Phase::Waiting { refused: Some(Limit::Memory) }, budget);
    }

    /// The mode has no use for it.
    pub(super) fn set_unwanted(&mut self, budget: &mut Budget) {
        self.clear(Phase::Unwanted, budget);
    }

    fn clear(&mut self, next: Phase, budget: &mut Budget) {
        match std::mem::replace(&mut self.phase, next) {
            Phase::Receiving(transfer) | Phase::Delivering(transfer) => transfer.discard(budget),
            Phase::Completed { fingerprint: Some(fingerprint), .. } => {
                self.charged -= fingerprint.memory_use();
                budget.release(fingerprint.memory_use());
            }
            _ => {}
        }
    }

    /// Forgets all, and says what was said of the object.
    pub(super) fn discard(mut self, budget: &mut Budget) -> Option<Box<Description>> {
        self.clear(Phase::Failed, budget);
        budget.release(self.charged);
        self.description
    }
}

/// An object for which there was no memory is lost for that.
fn reason_of_waiting(refused: Option<Limit>, reason: Failure) -> Failure {
    match (refused, reason) {
        (Some(limit), Failure::SessionEnded | Failure::Expired | Failure::Withdrawn) => Failure::Limit(limit),
        (_, reason) => reason,
    }
}
