// SPDX-License-Identifier: MPL-2.0

//! Packets of FDT Instances, and what the instances say (RFC 6726 §3.2 to §3.4).

use std::cmp::Reverse;
use std::time::Duration;

use super::room::TRACKED_OVERHEAD;
use super::{Clock, Context, Session, Timer};
use crate::Time;
use crate::alc::{Packet, Payload};
use crate::content::{ContentEncoding, DecodeError, DecodeLimits, decode};
use crate::fdt::{FdtError, FdtInstance, ReadLimits};
use crate::lct::{FdtExtension, Toi};
use crate::oti::{Oti, OtiError};
use crate::receiver::Mode;
use crate::receiver::description::{self, Description};
use crate::receiver::early::Key;
use crate::receiver::event::{Event, Failure, Limit};
use crate::receiver::instances::{Incoming, KNOWN_OVERHEAD, Relation};
use crate::receiver::object::{Object, Terms, Unreceivable};
use crate::receiver::tracked::{Reception, Tracked};

/// `Expires` has whole seconds, cut off or rounded, and clocks are not set more exactly than that.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);
/// How long an instance is valid that has expired when it arrives, by the clock of a sender that does not tell the time.
/// A sender sets `Expires` to a time in its own future (RFC 6726 §3.3), so the two clocks do not agree.
const ASSUMED_LIFETIME: Duration = Duration::from_secs(600);
/// How long a file is still received that a new full table (`FullFDT`) does not list, for packets that are late.
const WITHDRAWAL: Duration = Duration::from_secs(2);

/// When an instance ends.
#[derive(Clone, Copy, Debug)]
struct Validity {
    expires: Time,
    /// For File elements that have their own `Expires`.
    assumed: bool,
}

impl Session {
    /// Takes a packet of TOI 0.
    pub(super) fn take_fdt(&mut self, packet: &Packet<'_>, cx: &mut Context<'_>) {
        self.set_clock(packet, cx.now);
        let (Some(FdtExtension { flute_version, instance_id: id }), Some(payload)) = (packet.fdt, packet.payload)
        else {
            // A packet of an FDT Instance must have EXT_FDT (RFC 6726 §3.3); one without a payload is a sign of life.
            self.stats.unusable += u64::from(packet.payload.is_some());
            return;
        };
        self.flute_version = Some(flute_version);
        let from_packet = match packet.oti() {
            Some(Ok(oti)) => Some(oti),
            // An instance of an unknown FEC scheme must not be decoded (RFC 6726 §3.3).
            Some(Err(_)) => {
                self.stats.unusable += 1;
                return;
            }
            None => None,
        };
        let Some(oti) = from_packet.clone().or_else(|| self.instances.oti(id).cloned()) else {
            return self.keep(Key::Instance(id), packet, payload, cx);
        };
        let relation = self.instances.relation(id, from_packet.as_ref(), payload);
        match relation {
            Relation::Repeated => {
                self.stats.duplicates += 1;
                return;
            }
            // An ID is used again before its instance expired: an error (RFC 6726 §3.4.1), or a restarted sender.
            Relation::Other => self.instances.forget(id, &mut self.budget),
            Relation::Unknown => {}
        }
        if let Some(incoming) = self.instances.incoming(id) {
            let object = &incoming.object;
            if *object.oti() != oti || object.differs(payload) {
                self.drop_incoming(id);
            }
        }
        if self.instances.incoming(id).is_none()
            && !self.begin_instance(id, oti, packet, relation == Relation::Other, cx)
        {
            return;
        }
        if let Some(group) = self.early.take(Key::Instance(id)) {
            for (_, early) in group.packets() {
                self.insert_into_instance(id, early, cx);
            }
            group.discard(&mut self.budget);
        }
        self.insert_into_instance(id, payload, cx);
        if let Some(incoming) = self.instances.incoming(id)
            && incoming.object.is_complete()
            && let Some(incoming) = self.instances.take_incoming(id)
        {
            self.read(id, incoming, cx);
        }
    }

    fn set_clock(&mut self, packet: &Packet<'_>, now: Time) {
        if let Some(sct) = packet.time.and_then(|time| time.sender_current_time) {
            let sender = sct.to_time(now);
            self.clock = if sender >= now { Clock::Ahead(sender.since(now)) } else { Clock::Behind(now.since(sender)) };
        }
    }

    fn begin_instance(
        &mut self,
        id: u32,
        oti: Oti,
        packet: &Packet<'_>,
        reused_id: bool,
        cx: &mut Context<'_>,
    ) -> bool {
        // EXT_CENC of an encoding that is not known: the instance cannot be read.
        let Some(encoding) = ContentEncoding::from_cenc(packet.content_encoding.unwrap_or(0)) else {
            self.stats.unusable += 1;
            return false;
        };
        if oti.parameters.transfer_length > cx.config.limits.max_fdt_size {
            self.drop_for(Limit::FdtSize, 1, cx);
            return false;
        }
        let in_memory = Terms { spool_directory: None, ..cx.terms() };
        let mut object = Object::new(oti.clone(), in_memory, &mut self.budget);
        if let Err(Unreceivable::OverBudget { needed }) = object
            && self.make_room(needed, Toi::FDT, cx)
        {
            object = Object::new(oti, in_memory, &mut self.budget);
        }
        match object {
            Ok(object) => {
                if self.instances.begin(id, object, encoding, reused_id, &mut self.budget) {
                    self.drop_for(Limit::FdtInstances, 1, cx);
                }
                true
            }
            Err(Unreceivable::OverBudget { .. } | Unreceivable::TooLong) => {
                self.drop_for(Limit::Memory, 1, cx);
                false
            }
            Err(_) => {
                self.stats.unusable += 1;
                false
            }
        }
    }

    fn insert_into_instance(&mut self, id: u32, payload: Payload<'_>, cx: &mut Context<'_>) {
        let Some(incoming) = self.instances.incoming(id) else { return };
        let inserted = incoming.object.insert(payload, &mut self.budget);
        // It is in memory, where writing does not fail.
        let Ok(outcome) = inserted else { return self.drop_incoming(id) };
        self.stats.duplicates += u64::from(outcome.duplicate);
        self.stats.recovered += u64::from(outcome.recovered);
        self.stats.unusable += u64::from(outcome.unusable);
        if outcome.dropped > 0 {
            self.drop_for(Limit::Memory, outcome.dropped.into(), cx);
        }
    }

    fn drop_incoming(&mut self, id: u32) {
        if let Some(incoming) = self.instances.take_incoming(id) {
            incoming.object.discard(&mut self.budget);
        }
    }

    /// Reads an instance that is complete.
    fn read(&mut self, id: u32, incoming: Incoming, cx: &mut Context<'_>) {
        let Incoming { object, encoding, reused_id, .. } = incoming;
        let limits = &cx.config.limits;
        let document = match object.bytes() {
            Some(bytes) if encoding == ContentEncoding::Null => Ok(bytes.to_vec()),
            Some(bytes) => {
                let max_size = limits.max_fdt_size.min(self.budget.available());
                decode(encoding, bytes, DecodeLimits { max_size, ..DecodeLimits::default() })
            }
            None => Err(DecodeError::Truncated),
        };
        let parsed = match document {
            Ok(document) => {
                let left = self.budget.available().saturating_sub(document.len() as u64);
                let max_memory = usize::try_from(left).unwrap_or(usize::MAX);
                let read_limits = ReadLimits { max_files: limits.max_objects, max_memory };
                FdtInstance::from_xml(&document, &read_limits).map_err(Some)
            }
            Err(DecodeError::TooLong(_)) => {
                self.drop_for(Limit::FdtSize, 1, cx);
                Err(None)
            }
            Err(_) => Err(None),
        };
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                match error {
                    Some(FdtError::TooManyFiles(_)) => self.drop_for(Limit::Objects, 1, cx),
                    Some(FdtError::TooLarge(_)) => self.drop_for(Limit::Memory, 1, cx),
                    _ => {}
                }
                self.stats.unusable += 1;
                // Its repetitions need not be read to know that it is wrong.
                self.remember(id, object, cx.now + ASSUMED_LIFETIME, cx);
                return;
            }
        };
        let mut instance = parsed.instance;
        let Some(validity) = self.validity(instance.expires, cx.now) else {
            // Expired when it was sent: nothing may be interpreted by it (RFC 6726 §3.3).
            self.stats.unusable += 1;
            object.discard(&mut self.budget);
            return;
        };
        if self.is_closed() {
            self.reopen(cx);
        }
        let order = self.instances.place(id, validity.expires, reused_id);
        self.remember(id, object, validity.expires, cx);
        self.stats.fdt_instances += 1;
        self.complete_announced |= instance.complete;

        let files = std::mem::take(&mut instance.files);
        cx.events.push_back(Event::Fdt {
            session: self.id,
            instance_id: id,
            files: files.len(),
            rejected: parsed.rejected.len(),
            complete: instance.complete,
        });
        for file in files {
            let own = if validity.assumed { None } else { file.expires };
            let expires = own.map_or(Some(validity), |expires| self.validity(expires, cx.now));
            let Some(Validity { expires, .. }) = expires else { continue };
            let context =
                description::Context { session: self.id, instance: &instance, instance_id: id, order, expires };
            self.describe(Description::new(file, &context), cx);
        }
        if instance.full_fdt && self.instances.is_newest(order) {
            self.withdraw_before(order, cx);
        }
    }

    fn remember(&mut self, id: u32, object: Object, expires: Time, cx: &mut Context<'_>) {
        if self.budget.charge(KNOWN_OVERHEAD).is_err() {
            object.discard(&mut self.budget);
            return;
        }
        let max = cx.config.limits.max_fdt_instances;
        if self.instances.remember(id, object, expires, max, &mut self.budget) {
            self.drop_for(Limit::FdtInstances, 0, cx);
        }
        self.timers.push(Reverse((expires, Timer::Instance(id))));
    }

    /// Until when something is valid that ends at these NTP seconds by the sender's clock; `None` if it has ended.
    fn validity(&self, expires: u32, now: Time) -> Option<Validity> {
        let sender_now = match self.clock {
            Clock::Unknown => now,
            Clock::Ahead(by) => now + by,
            Clock::Behind(by) => now - by,
        };
        let left = Time::from_ntp_seconds(expires, sender_now).since(sender_now);
        match (left > Duration::ZERO, self.clock) {
            (true, _) => Some(Validity { expires: now + left + CLOCK_TOLERANCE, assumed: false }),
            (false, Clock::Unknown) => Some(Validity { expires: now + ASSUMED_LIFETIME, assumed: true }),
            (false, _) => None,
        }
    }

    /// Takes what an instance says of one object.
    fn describe(&mut self, new: Description, cx: &mut Context<'_>) {
        let toi = new.info.toi();
        if toi == Toi::FDT {
            self.stats.unusable += 1;
            return;
        }
        if let Some(tracked) = self.objects.get_mut(&toi)
            && let Some(old) = &mut tracked.description
        {
            if !old.contradicts(&new) {
                let lapsed = old.expires <= cx.now;
                old.renew(&new);
                if lapsed {
                    self.timers.push(Reverse((old.expires, Timer::Object(toi))));
                }
                return;
            }
            if new.last_instance < old.last_instance {
                return;
            }
            // The TOI stands for another object now: the sender was restarted, or uses a TOI again too early.
            if tracked.is_open() {
                self.fail(toi, Failure::Superseded, cx);
            }
            self.forget(toi);
        }
        self.attach(toi, new, cx);
    }

    /// Describes a TOI that was not described.
    fn attach(&mut self, toi: Toi, new: Description, cx: &mut Context<'_>) {
        let bytes = TRACKED_OVERHEAD + new.memory_use();
        if !self.objects.contains_key(&toi) {
            if !self.insert_tracked(toi, bytes, cx) {
                return;
            }
        } else if self.budget.charge(new.memory_use()).is_err() {
            return self.drop_for(Limit::Memory, 1, cx);
        }
        let Some(tracked) = self.objects.get_mut(&toi) else { return };
        tracked.charged = bytes;
        tracked.failure_reported = false;
        let (location, expires) = (new.info.location().to_owned(), new.expires);
        let is_empty = new.is_empty();
        let encoding = new.encoding.clone();
        let oti = new.oti.clone();
        let description = tracked.description.insert(Box::new(new));
        let begun = match &tracked.reception {
            Reception::Receiving(receiving) => {
                description.set_transfer_length(receiving.object.transfer_length());
                true
            }
            _ => {
                tracked.reception = Reception::Waiting { refused: None };
                false
            }
        };
        let info = description.info.clone();
        self.versions.add(&location, toi);
        self.timers.push(Reverse((expires, Timer::Object(toi))));

        match self.mode {
            Mode::OncePerLocation if self.versions.was_delivered(&location) => {
                self.begin_again(toi);
                if let Some(tracked) = self.objects.get_mut(&toi) {
                    tracked.reception = Reception::Unwanted;
                }
                return;
            }
            Mode::KeepUpdated => self.supersede_older(toi, &location, cx),
            _ => {}
        }
        if begun {
            if let Err(error) = encoding {
                return self.fail(toi, Failure::Description(error.to_string()), cx);
            }
            cx.events.push_back(Event::ObjectStarted(info));
            if let Some(Tracked { reception: Reception::Receiving(receiving), .. }) = self.objects.get(&toi)
                && receiving.object.is_complete()
            {
                self.complete(toi, cx);
            }
        } else if is_empty {
            cx.events.push_back(Event::ObjectStarted(info));
            self.complete(toi, cx);
        } else if self.early.has(Key::Object(toi)) {
            match oti {
                Ok(oti) => {
                    if self.begin(toi, oti, cx) {
                        self.take_early(toi, cx);
                    }
                }
                Err(OtiError::Missing(_)) => {}
                Err(error) => self.fail(toi, Failure::Description(error.to_string()), cx),
            }
        }
    }

    /// A new full table lists all there is: what only older instances describe is not sent any more
    /// (TS 26.346 7.2.10, `FullFDT`).
    fn withdraw_before(&mut self, order: u64, cx: &mut Context<'_>) {
        let end = cx.now + WITHDRAWAL;
        for (toi, tracked) in &mut self.objects {
            if let Some(description) = &mut tracked.description
                && description.last_instance < order
                && description.expires > end
            {
                description.expires = end;
                self.timers.push(Reverse((end, Timer::Object(*toi))));
            }
        }
    }
}
