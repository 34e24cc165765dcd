// SPDX-License-Identifier: MPL-2.0

//! What FDT Instances are sent, and when (RFC 6726 §3.3).
//!
//! An object is announced by an instance that has it and others that came up with it, and nothing else: publishing costs
//! what is new. From then on it belongs to a part of the table. Parts are small; together they are the full table, which
//! goes round at intervals, one part after the other. A part that has changed, or whose instance has lived half its life,
//! is published anew; any other is the same instance again.
//!
//! Repetitions in front of a transfer are bounded by what has been sent in between: a table that was just sent does not
//! come again in front of each of a thousand small objects.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use super::block::{Input, Progress, Work};
use super::config::{FecConfig, SenderConfig};
use super::delivered_files::DeliveredFiles;
use super::fdt_instance::{self, Heading, Instance};
use super::instance_id::InstanceIds;
use super::object_table::{Entry, Key, ObjectTable, Phase};
use super::schedule::Ticket;
use super::transfer::{Order, Transfer};
use crate::Time;
use crate::alc::Flags;
use crate::content;
use crate::fdt::FdtInstance;
use crate::lct::FieldWidths;
use crate::oti::OtiAttributes;
use crate::profile::{FdtIdWrap, Feature};

/// Files that an instance describes at most.
const MAX_FILES: usize = 64;
/// Parts of the table that are sent in an interval, unless there are so many that they would expire meanwhile.
const PARTS_PER_INTERVAL: usize = 16;
/// In front of a transfer, an instance is repeated if so many times its own length has been sent since.
const REPETITION_RATIO: u64 = 16;
/// Objects of one priority that are announced and wait, before more of them are announced.
const MAX_WAITING: usize = MAX_FILES;

/// FDT Instances of a session.
#[derive(Debug)]
pub(super) struct Publication {
    config: SenderConfig,
    heading: Heading,
    ids: InstanceIds,
    instances: HashMap<u32, Instance>,
    outgoing: VecDeque<u32>,
    sending: Option<Sending>,
    /// Objects that are due and not described yet, by priority.
    unannounced: BTreeMap<Reverse<u32>, VecDeque<Ticket>>,
    parts: BTreeMap<u32, Part>,
    next_part: u32,
    /// The last part that was sent in its turn.
    cursor: u32,
    next_turn: Option<Time>,
    delivered: DeliveredFiles,
}

/// An instance that is being sent.
#[derive(Debug)]
struct Sending {
    id: u32,
    transfer: Transfer,
    copies_left: u32,
}

/// A part of the table.
#[derive(Debug, Default)]
struct Part {
    members: Vec<Key>,
    /// The instance that describes exactly the members, unless it has changed.
    instance: Option<u32>,
}

/// An instance that was made.
pub(super) struct Published {
    pub(super) id: u32,
    pub(super) files: usize,
}

/// A packet of an instance that was sent.
pub(super) struct SentFdt {
    pub(super) length: usize,
    pub(super) repair: bool,
    /// Objects that were announced by it, if it was the last packet.
    pub(super) announced: Vec<Key>,
}

impl Publication {
    pub(super) fn new(config: &SenderConfig, widths: FieldWidths) -> Self {
        let rules = config.profile.rules();
        let heading = Heading {
            tsi: config.tsi,
            widths,
            profile: config.profile,
            content_encoding: config.fdt.content_encoding,
            sender_current_time: config.sender_current_time,
        };
        Self {
            config: config.clone(),
            heading,
            ids: InstanceIds::new(rules.fdt_id_wrap == FdtIdWrap::SmallestExpired),
            instances: HashMap::new(),
            outgoing: VecDeque::new(),
            sending: None,
            unannounced: BTreeMap::new(),
            parts: BTreeMap::new(),
            next_part: 0,
            cursor: 0,
            next_turn: None,
            delivered: DeliveredFiles::default(),
        }
    }

    /// Adds an object that is due, to be announced.
    pub(super) fn add(&mut self, priority: u32, ticket: Ticket) {
        self.unannounced.entry(Reverse(priority)).or_default().push_back(ticket);
    }

    /// Whether there is something to send.
    pub(super) fn is_sending(&self) -> bool {
        self.sending.is_some() || !self.outgoing.is_empty()
    }

    /// When something is to be published: a turn of the table, or an announcement that has to wait for a free ID.
    pub(super) fn next_due(&mut self, now: Time) -> Option<Time> {
        let announcement = (!self.unannounced.is_empty()).then(|| self.ids.next_at(now));
        announcement.into_iter().chain(self.next_turn).min()
    }

    /// Announces objects that are due, the highest priority first, but not more of a priority than `waiting` says are
    /// soon to be sent.
    pub(super) fn announce(
        &mut self,
        objects: &mut ObjectTable,
        waiting: impl Fn(u32) -> usize,
        now: Time,
    ) -> Option<Published> {
        if self.unannounced.is_empty() || self.is_sending() || self.ids.next_at(now) > now {
            return None;
        }
        let mut members = Vec::new();
        for (&Reverse(priority), tickets) in &mut self.unannounced {
            let has_room = waiting(priority) < MAX_WAITING;
            while has_room
                && members.len() < MAX_FILES
                && let Some(ticket) = tickets.pop_front()
            {
                if objects.is_current(ticket) {
                    members.push(ticket.key);
                }
            }
            if members.len() == MAX_FILES || !tickets.is_empty() {
                break;
            }
        }
        self.unannounced.retain(|_, tickets| !tickets.is_empty());
        if members.is_empty() {
            return None;
        }

        // What is announced to an empty table is all of it.
        let full = self.parts.is_empty() && self.unannounced.is_empty();
        let published = self.publish(objects, &members, full, now);
        let mut outstanding = 0;
        for &key in &members {
            objects.enter(key, Phase::Announced);
            let Some(entry) = objects.get_mut(key) else { continue };
            if entry.is_last_transfer() {
                entry.announcement = Some(published.id);
                outstanding += 1;
            }
            self.join(key, entry);
        }
        self.settle(&members, published.id);
        if let Some(instance) = self.instances.get_mut(&published.id) {
            instance.announces = members;
            instance.outstanding = outstanding;
        }
        self.enqueue(published.id);
        self.next_turn.get_or_insert(now + self.interval());
        Some(published)
    }

    /// Puts an object into the last part of the table, or into a new one if that is full.
    fn join(&mut self, key: Key, entry: &mut Entry) {
        let number = match self.parts.last_key_value() {
            Some((&number, part)) if part.members.len() < MAX_FILES => number,
            _ => {
                self.next_part = self.next_part.wrapping_add(1);
                self.next_part
            }
        };
        let part = self.parts.entry(number).or_default();
        part.members.push(key);
        entry.part = Some(number);
        if let Some(instance) = part.instance.take() {
            self.release(instance);
        }
    }

    /// If an instance describes exactly what a part has, it is that part's.
    fn settle(&mut self, members: &[Key], id: u32) {
        if let Some(part) = self.parts.values_mut().next_back()
            && part.members == members
        {
            part.instance = Some(id);
            if let Some(instance) = self.instances.get_mut(&id) {
                instance.users += 1;
            }
        }
    }

    /// Sends the next part of the table, if it is time.
    pub(super) fn turn(
        &mut self,
        objects: &mut ObjectTable,
        duration: impl Fn(u64) -> Duration,
        now: Time,
    ) -> Option<Published> {
        let at = self.next_turn.filter(|at| *at <= now)?;
        let after = self.parts.range(self.cursor.saturating_add(1)..).next();
        let Some((&number, part)) = after.or_else(|| self.parts.first_key_value()) else {
            self.next_turn = None;
            return None;
        };
        self.cursor = number;
        let current = part.instance.and_then(|id| Some((id, self.instances.get(&id)?)));
        let half = self.config.fdt.lifetime / 2;
        let (id, published) = match current.filter(|(_, instance)| instance.expires.since(now) >= half) {
            Some((id, _)) => (Some(id), None),
            None if self.ids.next_at(now) > now => (None, None),
            None => {
                let published = self.publish_part(objects, number, now);
                (Some(published.id), Some(published))
            }
        };
        let bytes = id.and_then(|id| self.instances.get(&id)).map_or(0, |instance| instance.packetizer.bytes());
        if let Some(id) = id {
            self.enqueue(id);
        }
        // On a slow session, repeating the table takes a quarter of the rate at most.
        let pause = (self.interval() / self.parts_per_interval()).max(4 * duration(bytes));
        self.next_turn = Some(if at + pause > now { at + pause } else { now + pause });
        published
    }

    /// Publishes a part anew.
    fn publish_part(&mut self, objects: &mut ObjectTable, number: u32, now: Time) -> Published {
        let members = self.parts.get(&number).map_or_else(Vec::new, |part| part.members.clone());
        let full = self.parts.len() == 1 && self.unannounced.is_empty();
        let published = self.publish(objects, &members, full, now);
        let old = self.parts.get_mut(&number).and_then(|part| part.instance.replace(published.id));
        if let Some(old) = old {
            self.release(old);
        }
        if let Some(instance) = self.instances.get_mut(&published.id) {
            instance.users += 1;
        }
        published
    }

    /// Number of parts that are sent in an interval: so many that none of them expires before it is its turn again.
    fn parts_per_interval(&self) -> u32 {
        let intervals = (self.config.fdt.lifetime.as_nanos() / 4 / self.interval().as_nanos().max(1)).max(1);
        let needed = self.parts.len().div_ceil(intervals.try_into().unwrap_or(usize::MAX));
        let parts = needed.max(PARTS_PER_INTERVAL).min(self.parts.len());
        u32::try_from(parts).unwrap_or(u32::MAX).max(1)
    }

    /// Time in which a short table is sent: as configured, but short enough that instances are renewed in time.
    fn interval(&self) -> Duration {
        self.config.fdt.interval.min(self.config.fdt.lifetime / 4)
    }

    /// Makes an instance of these objects.
    fn publish(&mut self, objects: &mut ObjectTable, members: &[Key], full: bool, now: Time) -> Published {
        let fdt = FdtInstance {
            full_fdt: full && self.config.fdt.full_fdt,
            oti: self.common_oti(objects, members),
            ..self.config.table.instance()
        };
        let entries: Vec<&Entry> = members.iter().filter_map(|&key| objects.get(key)).collect();
        let strongest = entries
            .iter()
            .filter_map(|entry| Some((entry.fec, entry.packetizer.as_ref()?.redundancy())))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let id = self.make(fdt, entries.iter().map(|entry| entry.xml.as_str()), strongest, now);

        let expires = self.instances.get(&id).map(|instance| instance.expires);
        let mut files = 0;
        for &key in members {
            let Some(entry) = objects.get_mut(key) else { continue };
            files += 1;
            entry.described_until = entry.described_until.max(expires);
            let old = entry.instance.replace(id);
            if let Some(instance) = self.instances.get_mut(&id) {
                instance.users += 1;
            }
            if let Some(old) = old {
                self.release(old);
            }
        }
        Published { id, files }
    }

    /// Makes an instance of these File elements, protected like the `strongest` of its objects.
    fn make<'a>(
        &mut self,
        fdt: FdtInstance,
        files: impl Iterator<Item = &'a str>,
        strongest: Option<(FecConfig, f64)>,
        now: Time,
    ) -> u32 {
        // In whole seconds, rounded up.
        let expires = now + self.config.fdt.lifetime + Duration::from_nanos(999_999_999);
        let expires = Time::from_unix(Duration::from_secs(expires.as_unix().as_secs()));
        let profile = self.config.profile;
        let document = FdtInstance { expires: expires.ntp_seconds(), ..fdt }
            .assemble(profile, files)
            .expect("everything in it was written before, when it was configured or added");
        let document = content::encode(self.heading.content_encoding, document.as_bytes())
            .expect("encoding into memory does not fail");
        let length = document.len() as u64;
        let (fec, redundancy) = strongest.unwrap_or((self.config.fec, 0.0));
        let protection = match self.config.fdt.fec {
            Some(fec) => (fec, 1),
            None => {
                let fec = FecConfig { symbol_size: self.config.fec.symbol_size, ..fec };
                fdt_instance::protection(fec, redundancy, length, profile.check_fec(fec.scheme.encoding_id()).is_err())
            }
        };
        let id = self.ids.allocate(expires);
        self.instances.insert(id, Instance::new(id, document, protection, expires, &self.heading, now));
        id
    }

    /// What all of these objects have in common, where the profile wants that in front.
    fn common_oti(&self, objects: &ObjectTable, members: &[Key]) -> OtiAttributes {
        let attributes = |key: &Key| objects.get(*key)?.packetizer.as_ref()?.oti().attributes().ok();
        let Some((first, others)) = members.split_first() else { return Default::default() };
        match attributes(first) {
            Some(oti)
                if self.config.profile.rules().oti_on_instance
                    && others.iter().all(|key| attributes(key).as_ref() == Some(&oti)) =>
            {
                oti
            }
            _ => Default::default(),
        }
    }

    fn enqueue(&mut self, id: u32) {
        if let Some(instance) = self.instances.get_mut(&id)
            && !instance.is_queued
        {
            instance.is_queued = true;
            self.outgoing.push_back(id);
        }
    }

    /// Gives up a reference to an instance.
    fn release(&mut self, id: u32) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.users -= 1;
            self.forget(id);
        }
    }

    /// Drops an instance that has no more use.
    fn forget(&mut self, id: u32) {
        if self
            .instances
            .get(&id)
            .is_some_and(|instance| instance.users == 0 && !instance.is_queued && instance.outstanding == 0)
        {
            self.instances.remove(&id);
        }
    }

    /// Has an object described again in front of a transfer, unless that was done a moment ago.
    pub(super) fn refresh(
        &mut self,
        objects: &mut ObjectTable,
        key: Key,
        session_bytes: u64,
        now: Time,
    ) -> Option<Published> {
        let entry = objects.get(key)?;
        let id = entry.instance?;
        let instance = self.instances.get(&id)?;
        if instance.expires.since(now) < self.config.fdt.lifetime / 4
            && self.ids.next_at(now) <= now
            && let Some(part) = entry.part
        {
            let published = self.publish_part(objects, part, now);
            self.enqueue(published.id);
            return Some(published);
        }
        let is_recent = instance.sent.is_some_and(|(at, bytes)| {
            now.since(at) < self.interval() && session_bytes - bytes < REPETITION_RATIO * instance.packetizer.bytes()
        });
        if !is_recent {
            self.enqueue(id);
        }
        None
    }

    /// Takes note that an object that is sent a single time was sent, or will not be. When that is so of all that an
    /// instance announced, it is repeated: whoever missed it may have their packets, and can use them then.
    pub(super) fn transferred(&mut self, entry: &mut Entry) {
        let Some(id) = entry.announcement.take() else { return };
        if let Some(instance) = self.instances.get_mut(&id)
            && instance.outstanding > 0
        {
            instance.outstanding -= 1;
            if instance.outstanding == 0 {
                self.enqueue(id);
            }
        }
    }

    /// Describes an object no more. `keep`: it was delivered, and belongs to the files of the session.
    pub(super) fn withdraw(&mut self, entry: &mut Entry, keep: bool) {
        self.transferred(entry);
        if let Some(number) = entry.part.take()
            && let Some(part) = self.parts.get_mut(&number)
        {
            part.members.retain(|&key| key != entry.key);
            let instance = part.instance.take();
            if part.members.is_empty() {
                self.parts.remove(&number);
            }
            if let Some(instance) = instance {
                self.release(instance);
            }
        }
        if let Some(instance) = entry.instance.take() {
            self.release(instance);
        }
        if keep {
            let redundancy = entry.packetizer.as_ref().map_or(0.0, |packetizer| packetizer.redundancy());
            self.delivered.push(entry, redundancy);
        }
    }

    /// Publishes the last table of a session all of whose objects are withdrawn: every file that was delivered in it. `None`
    /// if there was none, or too many.
    pub(super) fn publish_last(&mut self, now: Time) -> Option<Published> {
        if self.ids.next_at(now) > now {
            return None;
        }
        let delivered = std::mem::take(&mut self.delivered);
        let files = delivered.files()?;
        let fdt = FdtInstance {
            complete: self.config.profile.check(Feature::Complete).is_ok(),
            ..self.config.table.instance()
        };
        // It says all that the instances say that still wait to be repeated.
        self.outgoing.clear();
        let id = self.make(fdt, files.iter().map(|file| file.xml.as_str()), delivered.strongest(), now);
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.users += 1;
        }
        Some(Published { id, files: files.len() })
    }

    /// Sends an instance again.
    pub(super) fn repeat(&mut self, id: u32) {
        self.enqueue(id);
    }

    /// Drops instances that have expired before they could be sent. What they announce is announced anew.
    pub(super) fn skip_expired(&mut self, objects: &mut ObjectTable, now: Time) {
        while self.sending.is_none()
            && let Some(&id) = self.outgoing.front()
            && let Some(instance) = self.instances.get_mut(&id)
            && instance.expires <= now
        {
            self.outgoing.pop_front();
            instance.is_queued = false;
            for key in std::mem::take(&mut instance.announces) {
                let Some(priority) = objects.get(key).filter(|entry| entry.phase == Phase::Announced) else {
                    continue;
                };
                let priority = priority.priority;
                if let Some(ticket) = objects.enter(key, Phase::Unannounced) {
                    self.add(priority, ticket);
                }
            }
            self.forget(id);
        }
    }

    /// Appends the next packet of an instance that is to be sent.
    pub(super) fn append(
        &mut self,
        flags: Flags,
        session_bytes: u64,
        now: Time,
        work: &mut Work,
        out: &mut Vec<u8>,
    ) -> Option<SentFdt> {
        if self.sending.is_none() {
            let id = self.outgoing.pop_front()?;
            let instance = self.instances.get_mut(&id)?;
            instance.stamp(&self.heading, now);
            let transfer = Transfer::new(&instance.packetizer, ORDER);
            self.sending = Some(Sending { id, transfer, copies_left: instance.copies });
        }
        let sending = self.sending.as_mut()?;
        let instance = self.instances.get_mut(&sending.id)?;
        let start = out.len();
        let input = Input::new(&instance.document);
        let progress = sending.transfer.append(&instance.packetizer, &input, flags, work, out);
        let Ok(Progress::Packet { repair }) = progress else { return None };
        let mut announced = Vec::new();
        if sending.transfer.is_done() {
            sending.copies_left = sending.copies_left.saturating_sub(1);
            if sending.copies_left > 0 {
                sending.transfer = Transfer::new(&instance.packetizer, ORDER);
            } else {
                let id = sending.id;
                instance.is_queued = false;
                instance.sent = Some((now, session_bytes));
                announced = std::mem::take(&mut instance.announces);
                self.sending = None;
                self.forget(id);
            }
        }
        Some(SentFdt { length: out.len() - start, repair, announced })
    }
}

/// FDT Instances are short: one block after the other, repair symbols last.
const ORDER: Order = Order { interleave: 1, spread_repair: false };
