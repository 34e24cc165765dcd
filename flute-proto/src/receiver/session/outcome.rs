// SPDX-License-Identifier: MPL-2.0

//! How objects end: complete, delivered, failed, superseded, expired, forgotten.

use std::sync::Arc;
use std::time::Duration;

use super::{Clock, Context, Session, Timer};
use crate::lct::Toi;
use crate::receiver::Mode;
use crate::receiver::delivery::Delivery;
use crate::receiver::early::Key;
use crate::receiver::event::{Event, Failure, ObjectInfo};
use crate::receiver::object::Object;
use crate::receiver::store::Store;
use crate::receiver::tracked::{Marks, Reception, Tracked};
use crate::receiver::versions::DELIVERED_OVERHEAD;

/// An object whose symbols still arrive does not expire by the clock of a sender that does not tell the time.
const STILL_ARRIVING: Duration = Duration::from_secs(10);

impl Session {
    /// All symbols of a described object are there: it goes on to be delivered.
    pub(super) fn complete(&mut self, toi: Toi, cx: &mut Context<'_>) {
        let Some(tracked) = self.objects.get_mut(&toi) else { return };
        let Some(description) = &tracked.description else { return };
        let info = description.info.clone();
        if self.versions.newest_delivered(info.location()).is_some_and(|newest| newest > description.last_instance) {
            return self.fail(toi, Failure::Superseded, cx);
        }
        let encoding = match &description.encoding {
            Ok(encoding) => *encoding,
            Err(error) => {
                let reason = Failure::Description(error.to_string());
                return self.fail(toi, reason, cx);
            }
        };
        let (store, marks) = match std::mem::replace(&mut tracked.reception, Reception::Waiting { refused: None }) {
            Reception::Receiving(receiving) => {
                let (object, marks) = receiving.into_parts();
                (object.into_store(&mut self.budget), Some(marks))
            }
            // An empty object has no symbol to wait for.
            _ => (Ok(Store::empty()), None),
        };
        match store {
            Ok(store) => {
                tracked.reception = Reception::Delivering(marks);
                self.deliveries.push_back((toi, Delivery::new(info, store, encoding, &cx.delivery_limits())));
            }
            Err(error) => self.fail(toi, Failure::Spool(error.into()), cx),
        }
    }

    /// Works at the objects that are complete, in turns where they are long.
    pub(super) fn deliver(&mut self, cx: &mut Context<'_>) {
        while !cx.work.is_exhausted()
            && let Some((toi, mut delivery)) = self.deliveries.pop_front()
        {
            let Some(result) = delivery.proceed(&mut self.budget, &mut cx.work) else {
                self.deliveries.push_back((toi, delivery));
                continue;
            };
            let info = delivery.info;
            match result {
                Ok(content) => {
                    self.stats.completed += 1;
                    self.delivered(toi);
                    cx.events.push_back(Event::Completed { object: info.clone(), content });
                    self.supersede_older(toi, info.location(), cx);
                }
                Err(reason) => self.undeliverable(toi, info, reason, cx),
            }
        }
    }

    /// Notes that an object has been delivered.
    fn delivered(&mut self, toi: Toi) {
        let Some(tracked) = self.objects.get_mut(&toi) else { return };
        let Reception::Delivering(marks) = &mut tracked.reception else { return };
        let marks = marks.take();
        let bytes = marks.as_ref().map_or(0, |marks| marks.memory_use());
        tracked.failure_reported = false;
        // Without marks a repetition is still one, only another object is not noticed.
        let marks = marks.filter(|_| self.budget.charge(bytes).is_ok());
        tracked.charged += if marks.is_some() { bytes } else { 0 };
        tracked.reception = Reception::Completed(marks);
        tracked.delivered = true;
        self.completed.push_back(toi);
        if let Some(description) = &tracked.description {
            let location = description.info.location();
            self.versions.set_delivered(location, description.first_instance);
            if self.mode == Mode::OncePerLocation
                && self.budget.charge(DELIVERED_OVERHEAD).is_ok()
                && !self.versions.remember_delivered(location)
            {
                self.budget.release(DELIVERED_OVERHEAD);
            }
        }
    }

    /// An object that was all there could not be delivered.
    fn undeliverable(&mut self, toi: Toi, info: Arc<ObjectInfo>, reason: Failure, cx: &mut Context<'_>) {
        // A wrong symbol may have slipped in: the next cycle of a carousel may bring the right one.
        let again = matches!(reason, Failure::Digest);
        if let Failure::Limit(limit) = reason {
            self.drop_for(limit, 0, cx);
        }
        let mut reported = false;
        if let Some(tracked) = self.objects.get_mut(&toi)
            && matches!(tracked.reception, Reception::Delivering(_))
        {
            reported = std::mem::replace(&mut tracked.failure_reported, true);
            tracked.reception = if again { Reception::Waiting { refused: None } } else { Reception::Failed };
        }
        if !reported {
            self.stats.failed += 1;
            self.has_losses = true;
            cx.events.push_back(Event::Failed { object: info, reason, missing: Vec::new() });
        }
    }

    /// Gives up what an older FDT Instance described under a Content-Location of which a newer version has been
    /// delivered. TS 26.346 9.3 judges only the latest by its completeness. A carousel that keeps both describes both,
    /// and is left alone.
    pub(super) fn supersede_older(&mut self, toi: Toi, location: &str, cx: &mut Context<'_>) {
        let Some(newer) = self.objects.get(&toi).and_then(|tracked| tracked.description.as_ref()) else { return };
        let first_instance = newer.first_instance;
        for other in self.versions.others(location, toi) {
            let is_older = self.objects.get(&other).is_some_and(|tracked| {
                let last = tracked.description.as_ref().map(|description| description.last_instance);
                last.is_some_and(|last| last < first_instance) && tracked.is_open()
            });
            if is_older {
                self.fail(other, Failure::Superseded, cx);
            }
        }
    }

    /// Gives an object up, and says so once if it is described.
    pub(super) fn fail(&mut self, toi: Toi, reason: Failure, cx: &mut Context<'_>) {
        let Some(tracked) = self.objects.get_mut(&toi) else { return };
        let superseded = matches!(reason, Failure::Superseded);
        let next = if superseded { Reception::Unwanted } else { Reception::Failed };
        let reception = std::mem::replace(&mut tracked.reception, next);
        let description = tracked.description.as_ref();
        let (missing, reason) = match reception {
            Reception::Receiving(receiving) => {
                let (object, _) = receiving.into_parts();
                let missing = object.losses();
                object.discard(&mut self.budget);
                (missing, reason)
            }
            Reception::Waiting { refused } => {
                let oti = description.and_then(|description| description.oti.as_ref().ok());
                let reason = match (refused, reason) {
                    (Some(limit), Failure::SessionEnded | Failure::Expired) => Failure::Limit(limit),
                    (_, reason) => reason,
                };
                (oti.map(Object::losses_of_all).unwrap_or_default(), reason)
            }
            Reception::Delivering(_) => {
                if let Some(index) = self.deliveries.iter().position(|(other, _)| *other == toi)
                    && let Some((_, mut delivery)) = self.deliveries.remove(index)
                {
                    delivery.release(&mut self.budget);
                }
                (Vec::new(), reason)
            }
            _ => (Vec::new(), reason),
        };
        // What took the place of an object that had been delivered looked like a repetition of it until now.
        let reported = std::mem::replace(&mut tracked.failure_reported, true) || superseded && tracked.delivered;
        if let Some(description) = description
            && !reported
        {
            self.stats.failed += 1;
            self.has_losses |= !superseded;
            cx.events.push_back(Event::Failed { object: description.info.clone(), reason, missing });
        }
        if let Some(group) = self.early.take(Key::Object(toi)) {
            group.discard(&mut self.budget);
        }
    }

    /// A timer of an object is due: it ends with its last description (RFC 6726 §3.3).
    pub(super) fn expire(&mut self, toi: Toi, cx: &mut Context<'_>) {
        let Some(tracked) = self.objects.get(&toi) else { return };
        let Some(description) = &tracked.description else { return };
        let mut due = description.expires;
        if let (Reception::Receiving(receiving), Clock::Unknown) = (&tracked.reception, self.clock) {
            due = due.max(receiving.last_symbol + STILL_ARRIVING);
        }
        if matches!(tracked.reception, Reception::Delivering(_)) {
            due = due.max(cx.now + STILL_ARRIVING);
        }
        if due > cx.now {
            self.schedule(due, Timer::Object(toi));
            return;
        }
        if tracked.is_open() {
            self.fail(toi, Failure::Expired, cx);
        }
        match self.objects.get_mut(&toi) {
            // That it has been delivered is remembered, for those who repeat it under a late FDT Instance.
            Some(Tracked { reception: Reception::Completed(_), .. }) => {}
            _ => self.forget(toi),
        }
    }

    /// Forgets all of a TOI.
    pub(super) fn forget(&mut self, toi: Toi) {
        let Some(tracked) = self.objects.remove(&toi) else { return };
        self.budget.release(tracked.charged);
        if let Reception::Receiving(receiving) = tracked.reception {
            receiving.into_parts().0.discard(&mut self.budget);
        }
        if let Some(description) = tracked.description {
            self.versions.remove(description.info.location(), toi);
        }
        self.stop_taking(toi);
    }

    /// Forgets the early symbols of an object that are being taken.
    fn stop_taking(&mut self, toi: Toi) {
        if let Some(index) = self.taking.iter().position(|(key, _)| *key == Key::Object(toi))
            && let Some((_, group)) = self.taking.remove(index)
        {
            group.discard(&mut self.budget);
        }
    }

    /// Whether an object with a location that is `wanted` may still be completed.
    pub(in crate::receiver) fn may_bring(&self, wanted: &impl Fn(&str) -> bool) -> bool {
        if self.is_closed() {
            return false;
        }
        let is_wanted = |tracked: &Tracked| {
            tracked.is_open()
                && tracked.description.as_ref().is_some_and(|description| wanted(description.info.location()))
        };
        !self.complete_announced || self.has_work() || self.objects.values().any(is_wanted)
    }

    /// Takes a completed object anew, should it be repeated.
    pub(in crate::receiver) fn receive_again(&mut self, toi: Toi) {
        let Some(tracked) = self.objects.get_mut(&toi) else { return };
        let Reception::Completed(marks) = &tracked.reception else { return };
        let bytes = marks.as_ref().map_or(0, Marks::memory_use);
        tracked.charged -= bytes;
        self.budget.release(bytes);
        self.begin_again(toi);
        self.completed.retain(|completed| *completed != toi);
    }

    /// Forgets what has been received of a described TOI.
    pub(super) fn begin_again(&mut self, toi: Toi) {
        let Some(tracked) = self.objects.get_mut(&toi) else { return };
        tracked.failure_reported = false;
        let reception = std::mem::replace(&mut tracked.reception, Reception::Waiting { refused: None });
        if let Reception::Receiving(receiving) = reception {
            receiving.into_parts().0.discard(&mut self.budget);
        }
        self.stop_taking(toi);
    }
}
