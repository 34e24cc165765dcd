// SPDX-License-Identifier: MPL-2.0

//! Packets of FDT Instances (RFC 6726 §3.3).

use super::{Clock, Context, Session};
use crate::Time;
use crate::alc::{Packet, Payload};
use crate::content::ContentEncoding;
use crate::lct::{FdtExtension, Toi};
use crate::oti::Oti;
use crate::receiver::early::Key;
use crate::receiver::event::Limit;
use crate::receiver::instances::{Incoming, Relation};
use crate::receiver::object::{Object, Terms, Unreceivable};
use crate::receiver::reading::Reading;

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
        let replaces = match relation {
            Relation::Repeated => {
                self.stats.duplicates += 1;
                return;
            }
            // An ID is used again before its instance expired: an error (RFC 6726 §3.4.1), or a restarted sender.
            Relation::Other => self.instances.forget(id, &mut self.budget),
            Relation::Unknown => None,
        };
        if let Some(incoming) = self.instances.incoming(id) {
            let object = &incoming.object;
            if *object.oti() != oti || object.differs(payload) {
                self.drop_incoming(id);
            }
        }
        if self.instances.incoming(id).is_none() && !self.begin_instance(id, oti, packet, replaces, cx) {
            return;
        }
        self.begin_early(Key::Instance(id), cx);
        self.insert_into_instance(id, payload, cx);
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
        replaces: Option<u64>,
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
                if self.instances.begin(id, object, encoding, replaces, &mut self.budget) {
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

    /// Gives symbols to an instance, which goes on to be read when it is complete.
    pub(super) fn insert_into_instance(&mut self, id: u32, payload: Payload<'_>, cx: &mut Context<'_>) {
        let Some(incoming) = self.instances.incoming(id) else { return };
        let inserted = incoming.object.insert(payload, &mut self.budget);
        // It is in memory, where writing does not fail.
        let Ok(outcome) = inserted else { return self.drop_incoming(id) };
        self.count(&outcome, cx);
        match outcome.solvable {
            Some(source_block) => self.begin_solving(Key::Instance(id), source_block, cx),
            None => self.read_if_complete(id, cx),
        }
    }

    /// Takes an instance on to be read, if all symbols are there.
    pub(super) fn read_if_complete(&mut self, id: u32, cx: &mut Context<'_>) {
        if self.instances.incoming(id).is_some_and(|incoming| incoming.object.is_complete())
            && let Some(incoming) = self.instances.take_incoming(id)
        {
            self.begin_reading(id, incoming, cx);
        }
    }

    fn begin_reading(&mut self, id: u32, incoming: Incoming, cx: &mut Context<'_>) {
        let reading = Reading::new(id, incoming, &cx.config.limits);
        if !self.instances.begin_reading(reading, &mut self.budget) {
            self.drop_for(Limit::FdtInstances, 1, cx);
        }
    }

    pub(super) fn drop_incoming(&mut self, id: u32) {
        if let Some(incoming) = self.instances.take_incoming(id) {
            incoming.object.discard(&mut self.budget);
        }
    }
}
