// SPDX-License-Identifier: MPL-2.0

//! What FDT Instances say (RFC 6726 §3.2 to §3.4): instances that are complete are read one after the other, and their
//! files described, in slices.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::mem::size_of;
use std::time::Duration;

use super::room::TRACKED_OVERHEAD;
use super::{Clock, Context, Session, Timer};
use crate::Time;
use crate::fdt::{FdtInstance, File};
use crate::lct::Toi;
use crate::oti::OtiError;
use crate::receiver::Mode;
use crate::receiver::description::{self, Description};
use crate::receiver::early::Key;
use crate::receiver::event::{Event, Failure, Limit};
use crate::receiver::instances::KNOWN_OVERHEAD;
use crate::receiver::object::Object;
use crate::receiver::reading::{Read, Reading, Unreadable};
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
/// Work of describing an object, besides what is copied for it.
const DESCRIBE: u64 = 2000;
/// Work of forgetting one.
pub(super) const FORGET: u64 = 1000;

/// An instance that has been read, and the files of which are being described.
#[derive(Debug)]
pub(super) struct Describing {
    id: u32,
    /// The instance without its files.
    instance: FdtInstance,
    order: u64,
    validity: Validity,
    /// Objects of the time before a closed session began anew: they are to be forgotten first.
    past: Vec<Toi>,
    files: VecDeque<Vec<File>>,
    /// Bytes of memory that are charged for the files.
    charged: u64,
}

impl Session {
    /// Reads instances, and describes their files.
    pub(super) fn read(&mut self, cx: &mut Context<'_>) {
        while !cx.work.is_exhausted() && !self.is_ending() {
            if let Some(describing) = self.describing.take() {
                self.describing = self.describe_files(describing, cx);
                continue;
            }
            let Some(mut reading) = self.instances.take_reading() else { return };
            match reading.proceed(&cx.config.limits, &mut self.budget, &mut cx.work) {
                None => self.instances.put_reading_back(reading),
                Some(Ok(read)) => self.interpret(reading, read, cx),
                Some(Err(error)) => self.note_unreadable(reading, error, cx),
            }
        }
    }

    fn note_unreadable(&mut self, reading: Reading, error: Unreadable, cx: &mut Context<'_>) {
        if let Unreadable::Limit(limit) = error {
            self.drop_for(limit, 1, cx);
        }
        self.stats.unusable += 1;
        // Its repetitions need not be read to know that it is wrong.
        self.remember(reading.id, reading.object, None, cx.now + ASSUMED_LIFETIME, cx);
    }

    /// Begins to draw the conclusions of an instance.
    fn interpret(&mut self, reading: Reading, read: Read, cx: &mut Context<'_>) {
        let Reading { id, replaces, object, .. } = reading;
        let Read { parsed, files, charged } = read;
        let instance = parsed.instance;
        let Some(validity) = self.validity(instance.expires, cx.now) else {
            // Expired when it was sent: nothing may be interpreted by it (RFC 6726 §3.3).
            self.stats.unusable += 1;
            object.discard(&mut self.budget);
            self.budget.release(charged);
            return;
        };
        let past = if self.is_closed() { self.reopen(cx) } else { Vec::new() };
        let order = self.instances.place(id, validity.expires, replaces);
        self.remember(id, object, Some(order), validity.expires, cx);
        self.stats.fdt_instances += 1;
        self.complete_announced |= instance.complete;
        cx.events.push_back(Event::Fdt {
            session: self.id,
            instance_id: id,
            files: files.iter().map(Vec::len).sum(),
            rejected: parsed.rejected.len(),
            complete: instance.complete,
        });
        self.describing = Some(Describing { id, instance, order, validity, past, files, charged });
    }

    /// Describes the next files of an instance; returns it if there are more.
    fn describe_files(&mut self, mut describing: Describing, cx: &mut Context<'_>) -> Option<Describing> {
        while let Some(toi) = describing.past.pop() {
            self.forget(toi);
            cx.work.spend(FORGET);
            if cx.work.is_exhausted() {
                return Some(describing);
            }
        }
        let Describing { id, instance, order, validity, files, charged, .. } = &mut describing;
        while let Some(batch) = files.pop_front() {
            let mut batch = batch.into_iter();
            for file in batch.by_ref() {
                let bytes = (size_of::<File>() + file.heap_bytes()) as u64;
                self.budget.release(bytes.min(*charged));
                *charged = charged.saturating_sub(bytes);
                cx.work.spend(DESCRIBE + bytes);
                let own = if validity.assumed { None } else { file.expires };
                let validity = own.map_or(Some(*validity), |expires| self.validity(expires, cx.now));
                if let Some(Validity { expires, .. }) = validity {
                    let context =
                        description::Context { session: self.id, instance, instance_id: *id, order: *order, expires };
                    self.describe(Description::new(file, &context), cx);
                }
                if cx.work.is_exhausted() {
                    break;
                }
            }
            if batch.len() > 0 {
                files.push_front(batch.collect());
            }
            if cx.work.is_exhausted() {
                break;
            }
        }
        if !files.is_empty() {
            return Some(describing);
        }
        self.budget.release(*charged);
        if instance.full_fdt && self.instances.is_newest(*order) {
            self.withdraw_before(*order, cx);
        }
        None
    }

    fn remember(&mut self, id: u32, object: Object, order: Option<u64>, expires: Time, cx: &mut Context<'_>) {
        if self.budget.charge(KNOWN_OVERHEAD).is_err() {
            object.discard(&mut self.budget);
            return;
        }
        let max = cx.config.limits.max_fdt_instances;
        if self.instances.remember(id, object, order, expires, max, &mut self.budget) {
            self.drop_for(Limit::FdtInstances, 0, cx);
        }
        self.schedule(expires, Timer::Instance(id));
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
                    let expires = old.expires;
                    self.schedule(expires, Timer::Object(toi));
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
        tracked.delivered = false;
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
        self.schedule(expires, Timer::Object(toi));

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
                        self.begin_early(Key::Object(toi), cx);
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
