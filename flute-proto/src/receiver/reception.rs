// SPDX-License-Identifier: MPL-2.0

//! What a session receives: packets go to the FDT or to the objects, and what the FDT says and what becomes of the objects
//! is carried out. When the session ends is the matter of [`session`](super::session).

use std::collections::VecDeque;
use std::hash::RandomState;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hashlink::LinkedHashSet;

use super::Mode;
use super::block_decoder::Solved;
use super::context::Context;
use super::delivery::destination_failure;
use super::description::Description;
use super::event::{Event, Failure, Limit, ObjectInfo, SessionId, SessionStats};
use super::eviction::{Evictable, Eviction};
use super::fdt_reception::{FdtPacket, FdtReception, FdtStatement, NewInstance, ObjectStatement};
use super::ledger::Ledger;
use super::object_state::{ObjectState, Taken};
use super::object_table::{OBJECT_OVERHEAD, ObjectTable};
use super::pending_packets::{Key, PendingPackets};
use super::reassembly::{Outcome, Unreceivable};
use super::transfer::{Described, Transfer, lie_differently};
use super::withdrawals::Withdrawals;
use crate::Time;
use crate::alc::{Packet, Payload};
use crate::lct::Toi;
use crate::oti::{Oti, OtiError};

/// Work of something that is due, and of forgetting an object.
const DUE: u64 = 1000;
pub(super) const FORGET: u64 = 1000;
/// Memory that reading an FDT Instance takes, about: for content decoding, and so many times its length for its files.
const READING_MEMORY: u64 = 128 * 1024;
const READING_FACTOR: u64 = 8;
/// How long a file is still received that a new full table (`FullFDT`) does not list, for packets that are late.
const LATE: Duration = Duration::from_secs(2);
/// An object whose symbols still arrive does not expire by the clock of a sender that does not tell the time.
const STILL_ARRIVING: Duration = Duration::from_secs(10);

/// The FDT Instances and the objects of a session.
#[derive(Debug)]
pub(super) struct Reception {
    ledger: Ledger,
    fdt: FdtReception,
    objects: ObjectTable,
    pending: PendingPackets,
    eviction: Eviction,
    /// Source blocks that are being decoded, one after the other.
    decoding: VecDeque<(Key, u32)>,
    /// Objects that are passed on in the order of their bytes, in turns.
    delivering: LinkedHashSet<Toi>,
    withdrawals: Withdrawals,
    /// Hashes symbols, so that a sender cannot choose what they hash to.
    hasher: RandomState,
}

impl Reception {
    /// Nothing has arrived yet.
    pub(super) fn new(id: SessionId, max_memory: u64, max_objects: usize) -> Self {
        let ledger = Ledger::new(id, max_memory);
        Self {
            pending: PendingPackets::new(&ledger.budget, max_objects),
            ledger,
            fdt: FdtReception::default(),
            objects: ObjectTable::default(),
            eviction: Eviction::default(),
            decoding: VecDeque::new(),
            delivering: LinkedHashSet::new(),
            withdrawals: Withdrawals::default(),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn session(&self) -> SessionId {
        self.ledger.session()
    }

    /// Version of FLUTE, as far as it is known: it decides how the header is read (RFC 6726 §11.1).
    pub(super) fn flute_version(&self) -> Option<u8> {
        self.fdt.flute_version()
    }

    /// Whether an FDT Instance has been read.
    pub(super) fn is_described(&self) -> bool {
        self.ledger.stats.fdt_instances > 0
    }

    /// Whether an FDT Instance has been read, or a packet of an object has arrived.
    pub(super) fn has_begun(&self) -> bool {
        self.is_described() || !self.objects.is_empty()
    }

    pub(super) fn stats(&self) -> SessionStats {
        SessionStats { active: self.objects.active(), memory: self.ledger.budget.used(), ..self.ledger.stats }
    }

    // What comes in.

    /// Takes a packet of the session, which came with `length` bytes.
    pub(super) fn take(&mut self, packet: &Packet<'_>, length: usize, cx: &mut Context<'_>) {
        self.ledger.stats.packets += 1;
        self.ledger.stats.bytes += length as u64;
        match (packet.header.toi, packet.payload) {
            (Some(Toi::FDT), _) => self.take_fdt(packet, cx),
            (Some(toi), Some(payload)) => self.take_data(toi, packet, payload, cx),
            // Nothing but a header: a hint that the object or the session ends, or a sign of life.
            (Some(_), None) | (None, _) => {}
        }
    }

    /// The size of the symbols of which the last packet had no whole number: nothing of it was taken.
    pub(super) fn take_wrong_cut(&mut self) -> Option<u16> {
        self.ledger.take_wrong_cut()
    }

    /// Counts a packet of which nothing could be taken.
    pub(super) fn note_unusable(&mut self) {
        self.ledger.stats.unusable += 1;
    }

    /// Takes a packet of TOI 0.
    fn take_fdt(&mut self, packet: &Packet<'_>, cx: &mut Context<'_>) {
        let Some(payload) = packet.payload else {
            self.fdt.look_at(packet, &mut self.ledger, cx);
            return;
        };
        self.withdrawals.note_fdt_packet(cx.now);
        let id = match self.fdt.look_at(packet, &mut self.ledger, cx) {
            FdtPacket::Done => return,
            FdtPacket::Pending(id) => return self.keep(Key::Instance(id), packet, payload, cx),
            FdtPacket::Next(id) => id,
            FdtPacket::First(first) => {
                let mut begun = self.fdt.begin(&first, &mut self.ledger, cx);
                if let Err(needed) = begun
                    && self.free_memory(needed, Toi::FDT, cx)
                {
                    begun = self.fdt.begin(&first, &mut self.ledger, cx);
                }
                match begun {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(_) => return self.ledger.drop_for(Limit::Memory, 1, cx.events),
                }
                self.pending.begin(Key::Instance(first.id));
                first.id
            }
        };
        self.take_pending(cx);
        self.insert_into_instance(id, payload, cx);
    }

    fn insert_into_instance(&mut self, id: u32, payload: Payload<'_>, cx: &mut Context<'_>) {
        if let Some(source_block) = self.fdt.insert(id, payload, &mut self.ledger, cx) {
            self.begin_decoding(Key::Instance(id), source_block, cx);
        }
    }

    /// Takes a packet of an object.
    fn take_data(&mut self, toi: Toi, packet: &Packet<'_>, payload: Payload<'_>, cx: &mut Context<'_>) {
        let budget = &mut self.ledger.budget;
        let Some(object) = self.objects.get_mut(toi) else {
            return self.take_first(toi, packet, payload, cx);
        };
        match object.take(packet, payload, &self.hasher, cx.now, budget) {
            Taken::Symbols(outcome) => self.conclude(toi, outcome, cx),
            Taken::First => self.take_first(toi, packet, payload, cx),
            Taken::Contradiction => self.ledger.stats.contradictions += 1,
            Taken::Outvoted(oti) => {
                self.ledger.stats.contradictions += 1;
                self.begin_again(toi);
                if self.begin(toi, *oti, cx) {
                    self.take_data(toi, packet, payload, cx);
                }
            }
            Taken::OfAnother { may_be_described } => {
                if may_be_described {
                    self.begin_again(toi);
                } else {
                    self.forget(toi);
                }
                self.take_first(toi, packet, payload, cx);
            }
            Taken::Repeated { repair_symbols } => self.ledger.count_repeated(repair_symbols),
            Taken::Ignored => {}
        }
    }

    /// Takes a packet of an object of which no symbol has been taken: it is begun if it is known how to read it, and the
    /// packet is kept for later if not.
    fn take_first(&mut self, toi: Toi, packet: &Packet<'_>, payload: Payload<'_>, cx: &mut Context<'_>) {
        let description = self.objects.get(toi).and_then(ObjectState::description);
        // EXT_FTI goes before the FDT (RFC 6726 §5), if more than one packet says so: one may be damaged, or late.
        let from_packet = packet.oti().and_then(Result::ok);
        let from_fdt = description.map(|description| description.oti.clone());
        if let (Some(oti), Some(Ok(described))) = (&from_packet, &from_fdt) {
            let key = Key::Object(toi);
            if !lie_differently(oti, described) {
                self.pending.forget(key, &mut self.ledger.budget);
            } else if !self.pending.has(key) {
                self.ledger.stats.contradictions += 1;
                return self.keep(key, packet, payload, cx);
            }
        }
        let oti = match (from_packet, from_fdt) {
            (Some(oti), _) | (None, Some(Ok(oti))) => oti,
            // EXT_FTI need not be on every packet.
            (None, None | Some(Err(OtiError::Missing(_)))) => {
                return self.keep(Key::Object(toi), packet, payload, cx);
            }
            (None, Some(Err(error))) => return self.fail(toi, Failure::Description(error.to_string()), cx),
        };
        if self.begin(toi, oti, cx) {
            self.pending.begin(Key::Object(toi));
            self.take_pending(cx);
            if let Some(object) = self.objects.get_mut(toi)
                && let Taken::Symbols(outcome) =
                    object.take(packet, payload, &self.hasher, cx.now, &mut self.ledger.budget)
            {
                self.conclude(toi, outcome, cx);
            }
        }
    }

    /// Keeps a packet that cannot be read yet.
    fn keep(&mut self, key: Key, packet: &Packet<'_>, payload: Payload<'_>, cx: &mut Context<'_>) {
        let kept = self.pending.keep(key, packet.encoding_id(), payload, &mut self.ledger.budget);
        let dropped = kept.map_or(1, |groups| groups as u64);
        if dropped > 0 {
            self.ledger.drop_for(Limit::Memory, dropped, cx.events);
        }
    }

    /// Takes packets that can be read by now.
    pub(super) fn take_pending(&mut self, cx: &mut Context<'_>) {
        while !cx.work.is_exhausted()
            && let Some((key, encoding_id, payload)) = self.pending.take_next(&mut self.ledger.budget)
        {
            let taken = match key {
                Key::Instance(id) => {
                    let solvable = self.fdt.insert(id, payload, &mut self.ledger, cx);
                    if let Some(source_block) = solvable {
                        self.begin_decoding(key, source_block, cx);
                    }
                    continue;
                }
                Key::Object(toi) => self.objects.get_mut(toi).and_then(|object| {
                    let budget = &mut self.ledger.budget;
                    Some((toi, object.take_pending(encoding_id, payload, &self.hasher, cx.now, budget)?))
                }),
            };
            match taken {
                Some((toi, outcome)) => self.conclude(toi, outcome, cx),
                None => self.pending.forget(key, &mut self.ledger.budget),
            }
        }
    }

    // What objects become.

    /// Makes an object ready to take symbols. `false` if it cannot be.
    fn begin(&mut self, toi: Toi, oti: Oti, cx: &mut Context<'_>) -> bool {
        if self.objects.get(toi).is_none() && !self.insert(toi, OBJECT_OVERHEAD, cx) {
            return false;
        }
        let max_size = cx.config.limits.max_object_size;
        if max_size > 0 && oti.parameters.transfer_length > max_size {
            self.fail(toi, Failure::Limit(Limit::ObjectSize), cx);
            return false;
        }
        let description = self.objects.get(toi).and_then(ObjectState::description);
        if let Some(Err(error)) = description.map(|description| &description.encoding) {
            let reason = Failure::Description(error.to_string());
            self.fail(toi, reason, cx);
            return false;
        }
        let mut transfer = self.transfer(toi, &oti, cx);
        if let Err(Unreceivable::OverBudget { needed }) = transfer
            && self.free_memory(needed, toi, cx)
        {
            transfer = self.transfer(toi, &oti, cx);
        }
        let transfer = match transfer {
            Ok(transfer) => transfer,
            Err(Unreceivable::OverBudget { .. }) => {
                if let Some(object) = self.objects.get_mut(toi) {
                    object.refuse(Limit::Memory);
                }
                self.ledger.drop_for(Limit::Memory, 1, cx.events);
                return false;
            }
            Err(error) => {
                if matches!(error, Unreceivable::TooLong) {
                    self.ledger.drop_for(Limit::Memory, 1, cx.events);
                }
                self.fail(toi, error.into(), cx);
                return false;
            }
        };
        let Some(object) = self.objects.get_mut(toi) else {
            transfer.discard(&mut self.ledger.budget);
            return false;
        };
        object.begin(transfer);
        if let Some(description) = object.description() {
            cx.events.push_back(Event::ObjectStarted(description.info.clone()));
        }
        true
    }

    fn transfer(&mut self, toi: Toi, oti: &Oti, cx: &mut Context<'_>) -> Result<Transfer, Unreceivable> {
        let description = self.objects.get(toi).and_then(ObjectState::description);
        let described = description.and_then(|description| {
            let encoding = *description.encoding.as_ref().ok()?;
            let destination = cx.destinations.choose(&description.info);
            Some(Described { info: &description.info, encoding, destination })
        });
        Transfer::new(oti.clone(), described, cx.config, cx.now, &mut self.ledger.budget)
    }

    /// Puts a TOI into the table, charged with `bytes`. `false` if there is no place or no memory for it.
    fn insert(&mut self, toi: Toi, bytes: u64, cx: &mut Context<'_>) -> bool {
        let max = cx.config.limits.max_objects;
        let (mut from, _) = self.evictable();
        if !from.make_place(toi, max, cx.events) {
            return false;
        }
        let mut charged = self.ledger.budget.charge(bytes);
        if charged.is_err() {
            self.free_memory(bytes, toi, cx);
            charged = self.ledger.budget.charge(bytes);
        }
        if charged.is_err() {
            self.ledger.drop_for(Limit::Memory, 1, cx.events);
            return false;
        }
        self.objects.insert(toi, bytes);
        true
    }

    fn evictable(&mut self) -> (Evictable<'_>, &mut Eviction) {
        let (pending, objects, ledger) = (&mut self.pending, &mut self.objects, &mut self.ledger);
        (Evictable { pending, fdt: self.fdt.database_mut(), objects, ledger }, &mut self.eviction)
    }

    fn free_memory(&mut self, needed: u64, except: Toi, cx: &mut Context<'_>) -> bool {
        let (mut from, eviction) = self.evictable();
        eviction.free_memory(needed, except, &mut from, cx.now, &mut cx.work, cx.events)
    }

    /// Draws the conclusions of a packet that an object took.
    fn conclude(&mut self, toi: Toi, outcome: io::Result<Outcome>, cx: &mut Context<'_>) {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => return self.fail(toi, destination_failure(error), cx),
        };
        self.ledger.count(&outcome, &mut cx.work, cx.events);
        if let Some(source_block) = outcome.solvable {
            self.begin_decoding(Key::Object(toi), source_block, cx);
        } else if outcome.new > 0 {
            self.advance(toi, cx);
        }
        if outcome.dropped > 0 {
            // Blocks of this object want memory: what can no longer be completed makes way.
            self.free_memory(self.ledger.budget.limit() / 64, toi, cx);
        }
    }

    /// New symbols of an object are there: tells what is to be told of them, and passes on what can be.
    fn advance(&mut self, toi: Toi, cx: &mut Context<'_>) {
        let Some((transfer, description)) = self.objects.get_mut(toi).and_then(ObjectState::transfer_mut) else {
            return;
        };
        transfer.tell(&description.info, &mut |event| cx.events.push_back(event));
        if transfer.object().is_complete() {
            self.all_there(toi, cx);
        } else if transfer.is_delivery_due() {
            self.deliver_in_turn(toi);
        }
    }

    /// Gives an object a turn to be passed on, unless it has one: to be inserted again would put it behind the others.
    fn deliver_in_turn(&mut self, toi: Toi) {
        if !self.delivering.contains(&toi) {
            self.delivering.insert(toi);
        }
    }

    /// All symbols of a described object are there, or it is empty: it goes on to be delivered.
    fn all_there(&mut self, toi: Toi, cx: &mut Context<'_>) {
        let Some(object) = self.objects.get(toi) else { return };
        let Some(description) = object.description() else { return };
        let newest = self.objects.newest_delivered(description.info.location());
        if newest.is_some_and(|newest| newest > description.last_instance) {
            return self.fail(toi, Failure::Superseded, cx);
        }
        if object.object().is_none() {
            let begun = match description.empty_oti().map(|oti| self.transfer(toi, &oti, cx)) {
                Some(Ok(transfer)) => self.objects.get_mut(toi).map(|object| object.begin(transfer)),
                _ => None,
            };
            if begun.is_none() {
                return self.fail(toi, Failure::Limit(Limit::Memory), cx);
            }
        }
        if let Some(object) = self.objects.get_mut(toi) {
            object.all_there();
        }
        self.deliver_in_turn(toi);
    }

    /// Passes objects on in the order of their bytes, in turns where they are long.
    pub(super) fn deliver(&mut self, cx: &mut Context<'_>) {
        while !cx.work.is_exhausted()
            && let Some(toi) = self.delivering.pop_front()
        {
            let Some(object) = self.objects.get_mut(toi) else { continue };
            let info = object.description().map(|description| description.info.clone());
            let result = object.deliver(cx.now, &mut self.ledger.budget, &mut cx.work);
            match (result, info) {
                (Some(Ok(content)), Some(info)) => {
                    self.completed(toi, Event::Completed { object: info, content }, cx);
                }
                (Some(Err(reason)), _) => {
                    if let Failure::Limit(limit) = reason {
                        self.ledger.drop_for(limit, 0, cx.events);
                    }
                    self.fail(toi, reason, cx);
                }
                (None, Some(info)) => {
                    let Some((transfer, _)) = object.transfer_mut() else { continue };
                    transfer.tell(&info, &mut |event| cx.events.push_back(event));
                    if transfer.is_delivery_due() || object.is_delivering() {
                        self.delivering.insert(toi);
                    }
                }
                (_, None) => {}
            }
        }
    }

    /// An object has been delivered.
    fn completed(&mut self, toi: Toi, event: Event, cx: &mut Context<'_>) {
        self.ledger.stats.completed += 1;
        let remember = cx.config.mode == Mode::OncePerLocation;
        self.objects.note_completed(toi, remember, &mut self.ledger.budget);
        cx.events.push_back(event);
        self.supersede_older(toi, cx);
    }

    /// Gives up what an older FDT Instance described under a Content-Location of which a newer version has been
    /// delivered. TS 26.346 9.3 judges only the latest by its completeness. A carousel that keeps both describes both,
    /// and is left alone.
    fn supersede_older(&mut self, toi: Toi, cx: &mut Context<'_>) {
        for other in self.objects.older_versions(toi) {
            self.fail(other, Failure::Superseded, cx);
        }
    }

    /// Gives an object up, and says so once if it is described.
    fn fail(&mut self, toi: Toi, reason: Failure, cx: &mut Context<'_>) {
        let Some(object) = self.objects.get_mut(toi) else { return };
        if let Some(loss) = object.fail(reason, &mut self.ledger.budget) {
            self.ledger.lose(loss, cx.events);
        }
        self.pending.forget(Key::Object(toi), &mut self.ledger.budget);
    }

    /// Forgets all of a TOI.
    fn forget(&mut self, toi: Toi) {
        self.objects.forget(toi, &mut self.ledger.budget);
        self.pending.stop_taking(Key::Object(toi), &mut self.ledger.budget);
    }

    /// Forgets what has been received of a TOI.
    fn begin_again(&mut self, toi: Toi) {
        self.objects.begin_again(toi, &mut self.ledger.budget);
        self.pending.stop_taking(Key::Object(toi), &mut self.ledger.budget);
    }

    // What the FDT says.

    /// Goes on with reading FDT Instances; what the FDT says next.
    pub(super) fn next_statement(&mut self, cx: &mut Context<'_>) -> Option<FdtStatement> {
        // A session whose memory is full of objects must learn which of them are withdrawn.
        if let Some(length) = self.fdt.database().length_to_read() {
            let needed = (READING_MEMORY + READING_FACTOR * length).min(self.ledger.budget.limit() / 4);
            if self.ledger.budget.available() < needed {
                self.free_memory(needed, Toi::FDT, cx);
            }
        }
        self.fdt.next_statement(&mut self.ledger, cx)
    }

    /// Carries out what the FDT says of one object.
    pub(super) fn carry_out(&mut self, statement: ObjectStatement, cx: &mut Context<'_>) {
        match statement {
            ObjectStatement::Forget(toi) => {
                self.forget(toi);
                cx.work.spend(FORGET);
            }
            ObjectStatement::File(description) => self.describe(description, cx),
            ObjectStatement::Full { order } => self.objects.end_before(order, cx.now + LATE),
        }
    }

    /// Begins to describe the files of an instance, after the objects in `past` have been forgotten.
    pub(super) fn describe_files(&mut self, new: NewInstance, past: Vec<Toi>) {
        self.fdt.describe_files(new, past, &self.ledger);
    }

    /// Takes what an FDT Instance says of one object.
    fn describe(&mut self, new: Description, cx: &mut Context<'_>) {
        let toi = new.info.toi();
        if toi == Toi::FDT {
            self.ledger.stats.unusable += 1;
            return;
        }
        if let Some(object) = self.objects.get(toi)
            && let Some(old) = object.description()
        {
            if !old.contradicts(&new) {
                return self.objects.renew(toi, &new);
            }
            if new.last_instance < old.last_instance {
                return;
            }
            // The TOI stands for another object now: the sender was restarted, or uses a TOI again too early.
            if object.is_open() {
                self.fail(toi, Failure::Superseded, cx);
            }
            self.forget(toi);
        }
        self.attach(toi, new, cx);
    }

    /// Describes a TOI that was not described.
    fn attach(&mut self, toi: Toi, new: Description, cx: &mut Context<'_>) {
        let bytes = OBJECT_OVERHEAD + new.memory_use();
        if self.objects.get(toi).is_none() {
            if !self.insert(toi, bytes, cx) {
                return;
            }
        } else if self.ledger.budget.charge(new.memory_use()).is_err() {
            return self.ledger.drop_for(Limit::Memory, 1, cx.events);
        }
        let (info, oti, encoding, is_empty) = (new.info.clone(), new.oti.clone(), new.encoding.clone(), new.is_empty());
        self.objects.describe(toi, new, bytes);
        match cx.config.mode {
            Mode::OncePerLocation if self.objects.was_delivered(info.location()) => {
                if let Some(object) = self.objects.get_mut(toi) {
                    object.set_unwanted(&mut self.ledger.budget);
                }
                return self.pending.stop_taking(Key::Object(toi), &mut self.ledger.budget);
            }
            Mode::KeepUpdated => self.supersede_older(toi, cx),
            _ => {}
        }
        let begun = self.objects.get_mut(toi).and_then(ObjectState::transfer_mut);
        let is_outvoted =
            begun.is_some_and(|(transfer, description)| transfer.is_outvoted_by(description.oti.as_ref().ok()));
        if is_outvoted {
            // The one packet that said how the object is cut contradicts the FDT: those that follow decide.
            self.ledger.stats.contradictions += 1;
            return self.begin_again(toi);
        }
        let begun = self.objects.get_mut(toi).and_then(ObjectState::transfer_mut);
        if let Some((transfer, description)) = begun {
            let encoding = match encoding {
                Ok(encoding) => encoding,
                Err(error) => return self.fail(toi, Failure::Description(error.to_string()), cx),
            };
            let destination = cx.destinations.choose(&description.info);
            transfer.describe(Described { info: &description.info, encoding, destination }, cx.config);
            cx.events.push_back(Event::ObjectStarted(description.info.clone()));
            self.advance(toi, cx);
        } else if is_empty {
            cx.events.push_back(Event::ObjectStarted(info));
            self.all_there(toi, cx);
        } else if self.pending.has(Key::Object(toi)) {
            match oti {
                Ok(oti) => {
                    if self.begin(toi, oti, cx) {
                        self.pending.begin(Key::Object(toi));
                        self.take_pending(cx);
                    }
                }
                Err(OtiError::Missing(_)) => {}
                Err(error) => self.fail(toi, Failure::Description(error.to_string()), cx),
            }
        }
    }

    /// Tells which objects the sender has withdrawn, and forgets those that were completed long ago.
    fn tell_withdrawn(&mut self, cx: &mut Context<'_>) {
        for toi in self.withdrawals.look(&self.objects, self.fdt.database(), cx.now, &mut cx.work) {
            self.withdraw(toi, cx);
        }
        while self.objects.forget_old(cx.now, &mut self.ledger.budget) {
            cx.work.spend(FORGET);
        }
    }

    fn withdraw(&mut self, toi: Toi, cx: &mut Context<'_>) {
        let Some(object) = self.objects.get_mut(toi) else { return };
        let loss = object.withdraw();
        if let Some(description) = object.description() {
            cx.events.push_back(Event::Withdrawn(description.info.clone()));
        }
        if object.is_receiving() {
            self.objects.note_withdrawn(toi);
        }
        if let Some(loss) = loss {
            self.ledger.lose(loss, cx.events);
        }
    }

    // What goes on by itself.

    /// Whether something is to be gone on with.
    pub(super) fn has_work(&self) -> bool {
        self.pending.is_taking() || !self.decoding.is_empty() || self.fdt.has_work() || !self.delivering.is_empty()
    }

    /// Lines up a source block to be decoded, and begins with it if nothing else is in front.
    fn begin_decoding(&mut self, key: Key, source_block: u32, cx: &mut Context<'_>) {
        self.decoding.push_back((key, source_block));
        self.decode(cx);
    }

    /// Decodes source blocks in the order in which they could be, in slices where they are large.
    pub(super) fn decode(&mut self, cx: &mut Context<'_>) {
        while !cx.work.is_exhausted()
            && let Some(&(key, source_block)) = self.decoding.front()
        {
            let solved = match key {
                Key::Instance(id) => Ok(self.fdt.solve(id, source_block, &mut self.ledger, cx)),
                // It may be gone meanwhile.
                Key::Object(toi) => {
                    self.objects.get_mut(toi).and_then(ObjectState::object_mut).map_or(Ok((Solved::Not, 0)), |object| {
                        let max_work = cx.config.limits.max_decoding_work;
                        object.solve(source_block, max_work, &mut self.ledger.budget, &mut cx.work)
                    })
                }
            };
            if matches!(solved, Ok((Solved::NotYet, _))) {
                continue;
            }
            self.decoding.pop_front();
            match (solved, key) {
                (Ok((Solved::All, recovered)), _) => {
                    self.ledger.stats.recovered += u64::from(recovered);
                    if let Key::Object(toi) = key {
                        self.advance(toi, cx);
                    }
                }
                (Ok((Solved::TooExpensive, _)), _) => self.ledger.drop_for(Limit::DecodingWork, 0, cx.events),
                (Ok((Solved::OverBudget, _)), _) => self.ledger.drop_for(Limit::Memory, 0, cx.events),
                (Err(error), Key::Object(toi)) => self.fail(toi, destination_failure(error), cx),
                _ => {}
            }
        }
    }

    /// When something is to be done at the latest.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let deadlines = [self.objects.next_expiry(), self.fdt.database().next_expiry(), self.withdrawals.next_look()];
        deadlines.into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        while !cx.work.is_exhausted()
            && let Some(toi) = self.objects.next_expired(cx.now)
        {
            cx.work.spend(DUE);
            self.expire(toi, cx);
        }
        while !cx.work.is_exhausted() && self.fdt.database_mut().forget_expired(cx.now, &mut self.ledger.budget) {
            cx.work.spend(DUE);
        }
        if self.withdrawals.is_due(cx.now) && !cx.work.is_exhausted() {
            self.tell_withdrawn(cx);
        }
    }

    /// The description of an object ends: so does the object (RFC 6726 §3.3).
    fn expire(&mut self, toi: Toi, cx: &mut Context<'_>) {
        let Some(object) = self.objects.get_mut(toi) else { return };
        let Some(description) = object.description() else { return };
        let mut due = description.expires;
        if let Some(last_symbol) = object.last_symbol().filter(|_| !self.fdt.knows_time()) {
            due = due.max(last_symbol + STILL_ARRIVING);
        }
        if object.is_delivering() {
            due = due.max(cx.now + STILL_ARRIVING);
        }
        if due > cx.now {
            return self.objects.expire_at(toi, due);
        }
        let was_withdrawn = object.is_withdrawn();
        if object.is_open() {
            self.fail(toi, Failure::Expired, cx);
        }
        let Some(object) = self.objects.get_mut(toi) else { return };
        if !was_withdrawn {
            object.withdraw();
            if let Some(description) = object.description() {
                cx.events.push_back(Event::Withdrawn(description.info.clone()));
            }
        }
        // That it has been delivered is remembered, for those who repeat it under a late FDT Instance.
        if !object.is_completed() {
            self.forget(toi);
        }
    }

    // How the session ends, and begins anew.

    /// The objects that are described and may still be completed.
    pub(super) fn open_objects(&self) -> impl Iterator<Item = Toi> {
        self.objects.iter().filter(|(_, object)| object.is_open()).map(|(toi, _)| toi)
    }

    /// Whether an object with a location that is `wanted` is described and may still be completed.
    pub(super) fn has_open(&self, wanted: impl Fn(&str) -> bool) -> bool {
        self.objects.has_open(wanted)
    }

    /// Gives an object up that may still be completed: the session ends.
    pub(super) fn end_object(&mut self, toi: Toi, cx: &mut Context<'_>) {
        if self.objects.get(toi).is_some_and(ObjectState::is_open) {
            self.fail(toi, Failure::SessionEnded, cx);
        }
    }

    /// Drops packets that cannot be read yet, of the object that has waited longest. `false` if there are none.
    pub(super) fn drop_pending(&mut self) -> bool {
        self.pending.drop_oldest(&mut self.ledger.budget)
    }

    /// Whether an object was lost since the session was opened.
    pub(super) fn has_losses(&self) -> bool {
        self.ledger.has_losses()
    }

    /// A closed session goes on: what could not be completed may be now, what was delivered is not delivered again.
    pub(super) fn resume(&mut self) {
        self.ledger.forgive_losses();
        let failed = self.objects.iter().filter(|(_, object)| object.is_failed());
        let failed: Vec<Toi> = failed.map(|(toi, _)| toi).collect();
        for toi in failed {
            self.begin_again(toi);
        }
    }

    /// The sender of a closed session begins anew. What is to be forgotten of what was received before.
    pub(super) fn begin_anew(&mut self) -> Vec<Toi> {
        self.ledger.forgive_losses();
        self.objects.past()
    }

    /// The objects that are described, in the order in which they were.
    pub(super) fn described_objects(&self) -> Vec<Arc<ObjectInfo>> {
        let described = self.objects.iter().filter_map(|(toi, object)| Some((toi, object.description()?)));
        let mut described: Vec<_> = described.map(|(toi, known)| ((known.first_instance, toi), &known.info)).collect();
        described.sort_unstable_by_key(|(order, _)| *order);
        described.into_iter().map(|(_, info)| info.clone()).collect()
    }

    /// Takes a completed object anew, should it be repeated.
    pub(super) fn receive_again(&mut self, toi: Toi) {
        if self.objects.get(toi).is_some_and(ObjectState::is_completed) {
            self.begin_again(toi);
        }
    }
}
