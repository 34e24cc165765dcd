// SPDX-License-Identifier: MPL-2.0

//! Packets of objects: where their symbols go.

use super::{Context, Session};
use crate::alc::{Packet, Payload};
use crate::lct::Toi;
use crate::oti::{Oti, OtiError};
use crate::receiver::budget::OverBudget;
use crate::receiver::early::Key;
use crate::receiver::event::{Event, Failure, Limit};
use crate::receiver::object::{Object, Outcome, Unreceivable};
use crate::receiver::tracked::{Receiving, Reception, Tracked};

impl Session {
    /// Takes a packet of an object.
    pub(super) fn take_data(&mut self, toi: Toi, packet: &Packet<'_>, payload: Payload<'_>, cx: &mut Context<'_>) {
        let Some(tracked) = self.objects.get_mut(&toi) else {
            return self.take_first(toi, packet, payload, cx);
        };
        match &mut tracked.reception {
            Reception::Receiving(receiving) => {
                let outcome = receiving.take(packet.encoding_id(), payload, &self.hasher, cx.now, &mut self.budget);
                self.heed(toi, outcome, cx);
            }
            Reception::Waiting { .. } => self.take_first(toi, packet, payload, cx),
            Reception::Completed(Some(marks)) if marks.differ(packet, payload, &self.hasher) => {
                // A restarted sender uses the TOI again. What its FDT says of it may have arrived already, but another
                // FEC OTI shows that it has not.
                let is_described_anew = packet.oti().is_none_or(|oti| oti.as_ref() == Ok(marks.oti()));
                if is_described_anew {
                    self.begin_again(toi);
                } else {
                    self.forget(toi);
                }
                self.take_first(toi, packet, payload, cx);
            }
            Reception::Delivering(_) | Reception::Completed(_) => self.stats.duplicates += 1,
            Reception::Failed | Reception::Unwanted => {}
        }
    }

    /// Takes a packet of an object of which no symbol has been taken: it is begun if it is known how to read it, and the
    /// packet is kept for later if not.
    fn take_first(&mut self, toi: Toi, packet: &Packet<'_>, payload: Payload<'_>, cx: &mut Context<'_>) {
        let description = self.objects.get(&toi).and_then(|tracked| tracked.description.as_ref());
        // EXT_FTI goes before the FDT (RFC 6726 §5).
        let from_packet = packet.oti().and_then(Result::ok);
        let from_fdt = description.map(|description| description.oti.clone());
        let oti = match (from_packet, from_fdt) {
            (Some(oti), _) | (None, Some(Ok(oti))) => oti,
            // EXT_FTI need not be on every packet.
            (None, None | Some(Err(OtiError::Missing(_)))) => {
                return self.keep(Key::Object(toi), packet, payload, cx);
            }
            (None, Some(Err(error))) => return self.fail(toi, Failure::Description(error.to_string()), cx),
        };
        if self.begin(toi, oti, cx) {
            self.begin_early(Key::Object(toi), cx);
            if let Some(tracked) = self.objects.get_mut(&toi)
                && let Reception::Receiving(receiving) = &mut tracked.reception
            {
                let outcome = receiving.take(packet.encoding_id(), payload, &self.hasher, cx.now, &mut self.budget);
                self.heed(toi, outcome, cx);
            }
        }
    }

    /// Keeps a packet that cannot be read yet.
    pub(super) fn keep(&mut self, key: Key, packet: &Packet<'_>, payload: Payload<'_>, cx: &mut Context<'_>) {
        match self.early.keep(key, packet.encoding_id(), payload, &mut self.budget) {
            Ok(0) => {}
            Ok(dropped) => self.drop_for(Limit::Memory, dropped as u64, cx),
            Err(OverBudget) => self.drop_for(Limit::Memory, 1, cx),
        }
    }

    /// Makes an object ready to take symbols. `false` if it cannot be.
    pub(super) fn begin(&mut self, toi: Toi, oti: Oti, cx: &mut Context<'_>) -> bool {
        if !self.objects.contains_key(&toi) && !self.insert_undescribed(toi, cx) {
            return false;
        }
        let max_size = cx.config.limits.max_object_size;
        if max_size > 0 && oti.parameters.transfer_length > max_size {
            self.fail(toi, Failure::Limit(Limit::ObjectSize), cx);
            return false;
        }
        let mut object = Object::new(oti.clone(), cx.terms(), &mut self.budget);
        if let Err(Unreceivable::OverBudget { needed }) = object
            && self.make_room(needed, toi, cx)
        {
            object = Object::new(oti, cx.terms(), &mut self.budget);
        }
        let object = match object {
            Ok(object) => object,
            Err(Unreceivable::OverBudget { .. }) => {
                if let Some(tracked) = self.objects.get_mut(&toi) {
                    tracked.reception = Reception::Waiting { refused: Some(Limit::Memory) };
                }
                self.drop_for(Limit::Memory, 1, cx);
                return false;
            }
            Err(Unreceivable::TooLong) => {
                self.drop_for(Limit::Memory, 1, cx);
                self.fail(toi, Failure::Limit(Limit::Memory), cx);
                return false;
            }
            Err(Unreceivable::Oti(error)) => {
                self.fail(toi, Failure::Description(error.to_string()), cx);
                return false;
            }
            Err(Unreceivable::Store(error)) => {
                self.fail(toi, Failure::Spool(error.into()), cx);
                return false;
            }
        };
        let Some(tracked) = self.objects.get_mut(&toi) else {
            object.discard(&mut self.budget);
            return false;
        };
        let transfer_length = object.transfer_length();
        tracked.reception = Reception::Receiving(Box::new(Receiving::new(object, cx.now)));
        if let Some(description) = &mut tracked.description {
            description.set_transfer_length(transfer_length);
            if let Err(error) = &description.encoding {
                let reason = Failure::Description(error.to_string());
                self.fail(toi, reason, cx);
                return false;
            }
            cx.events.push_back(Event::ObjectStarted(description.info.clone()));
        }
        true
    }

    /// Begins to take the symbols of an object or FDT Instance that arrived before it could be begun.
    pub(super) fn begin_early(&mut self, key: Key, cx: &mut Context<'_>) {
        if let Some(group) = self.early.take(key) {
            self.taking.push_back((key, group));
            self.take_early(cx);
        }
    }

    /// Takes symbols that arrived early.
    pub(super) fn take_early(&mut self, cx: &mut Context<'_>) {
        while !cx.work.is_exhausted()
            && let Some((key, mut group)) = self.taking.pop_front()
        {
            while let Some((encoding_id, payload)) = group.next(&mut self.budget) {
                match key {
                    Key::Instance(id) => self.insert_into_instance(id, payload, cx),
                    Key::Object(toi) => {
                        let Some(Tracked { reception: Reception::Receiving(receiving), .. }) =
                            self.objects.get_mut(&toi)
                        else {
                            break;
                        };
                        let outcome = receiving.take(encoding_id, payload, &self.hasher, cx.now, &mut self.budget);
                        self.heed(toi, outcome, cx);
                    }
                }
                if cx.work.is_exhausted() {
                    return self.taking.push_front((key, group));
                }
            }
            group.discard(&mut self.budget);
        }
    }

    /// Draws the conclusions of a packet that an object took.
    fn heed(&mut self, toi: Toi, outcome: std::io::Result<Outcome>, cx: &mut Context<'_>) {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => return self.fail(toi, Failure::Spool(error.into()), cx),
        };
        self.count(&outcome, cx);
        if let Some(source_block) = outcome.solvable {
            self.begin_solving(Key::Object(toi), source_block, cx);
        } else if outcome.new > 0 {
            self.complete_if_all_there(toi, cx);
        }
    }

    /// Counts what a packet did.
    pub(super) fn count(&mut self, outcome: &Outcome, cx: &mut Context<'_>) {
        cx.work.spend(outcome.work());
        self.stats.duplicates += u64::from(outcome.duplicate);
        self.stats.unusable += u64::from(outcome.unusable);
        if outcome.dropped > 0 {
            self.drop_for(Limit::Memory, outcome.dropped.into(), cx);
        }
    }

    /// Takes an object on to be delivered if all symbols are there and it is described, or says how far it is.
    pub(super) fn complete_if_all_there(&mut self, toi: Toi, cx: &mut Context<'_>) {
        let Some(Tracked { description: Some(description), reception: Reception::Receiving(receiving), .. }) =
            self.objects.get_mut(&toi)
        else {
            return;
        };
        if receiving.object.is_complete() {
            self.complete(toi, cx);
        } else if receiving.is_progress_due() {
            let received = receiving.object.received();
            cx.events.push_back(Event::Progress { object: description.info.clone(), received });
        }
    }
}
