// SPDX-License-Identifier: MPL-2.0

//! What FDT Instances are sent, and when (RFC 6726 §3.3).
//!
//! An object is announced by an instance that has it and others that came up with it, and nothing else: publishing costs
//! what is new. From then on it belongs to a part of the table. Parts are small; together they are the full table, which
//! goes round at intervals, one part after the other. A part that has changed, or whose instance has lived half its life,
//! is published anew; any other is the same instance again.
//!
//! An instance also lists the objects whose transfers have begun and not ended, with the part of the table that it is, or
//! with what it announces. A receiver may have all of such an object while its last packets, repair packets above all, are
//! still to come, and there are receivers that forget a complete object as soon as an instance does not list it: the next
//! packet is then the first of a new object to them, which overwrites the file and never becomes complete.
//!
//! Repetitions in front of a transfer are bounded by what has been sent in between: a table that was just sent does not
//! come again in front of each of a thousand small objects.

mod announcement;
mod delivered_files;
mod fdt_instance;
mod instance_id;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hashlink::LinkedHashSet;
use slotmap::SecondaryMap;

pub(super) use announcement::Announcement;

use announcement::ObjectProtection;
use delivered_files::DeliveredFiles;
use fdt_instance::{Heading, Instance};
pub(super) use instance_id::MAX_INSTANCE_ID;

use instance_id::InstanceIds;

use super::block::{Input, Progress};
use super::config::{FdtPolicy, SenderConfig, TableAttributes};
use super::fec_config::FecConfig;
use super::schedule::{ObjectKey, Phase, Schedule};
use super::transfer::{Order, Transfer};
use crate::Time;
use crate::alc::Flags;
use crate::content;
use crate::fdt::FdtInstance;
use crate::lct::FieldWidths;
use crate::oti::OtiAttributes;
use crate::profile::{FdtIdWrap, Feature, Profile};
use crate::work::Work;

/// Files that a part of the table has, at most, or that an instance announces and lists besides.
const MAX_FILES: usize = 64;
/// Objects in transfer that an instance lists besides, at most: those that have begun first, which are the next to end. A
/// session that spreads thousands of objects over time would otherwise list them all with each new one.
const MAX_IN_TRANSFER: usize = MAX_FILES / 2;
/// Parts of the table that are sent in an interval, unless there are so many that they would expire meanwhile.
const PARTS_PER_INTERVAL: usize = 16;
/// In front of a transfer, an instance is repeated if so many times its own length has been sent since.
const REPETITION_RATIO: u64 = 16;
/// Objects of one priority that are announced and wait, before more of them are announced.
const MAX_WAITING: usize = MAX_FILES;

/// FDT Instances are short: one block after the other, repair symbols last.
const ORDER: Order = Order { interleave: 1, spread_repair: false };

/// FDT Instances of a session.
#[derive(Debug)]
pub(super) struct Publication {
    profile: Profile,
    policy: FdtPolicy,
    table: TableAttributes,
    /// FEC of objects that do not have their own.
    fec: FecConfig,
    heading: Heading,
    ids: InstanceIds,
    instances: HashMap<u32, Instance>,
    outgoing: VecDeque<u32>,
    sending: Option<Sending>,
    announcements: SecondaryMap<ObjectKey, Announcement>,
    /// Objects whose transfers have begun and not ended, in the order in which they began.
    in_transfer: LinkedHashSet<ObjectKey>,
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
    members: Vec<ObjectKey>,
    /// The instance that describes exactly the members, unless it has changed.
    instance: Option<u32>,
}

/// An instance that was made.
pub(super) struct Published {
    pub(super) id: u32,
    pub(super) files: usize,
}

/// What comes of withdrawing an object.
pub(super) struct Withdrawn {
    /// An instance that was made.
    pub(super) published: Option<Published>,
    /// When the last instance that describes the object expires.
    pub(super) described_until: Option<Time>,
}

/// A packet of an instance that was sent.
pub(super) struct SentFdt {
    pub(super) repair: bool,
    /// Objects that were announced by it, if it was the last packet.
    pub(super) announced: Vec<ObjectKey>,
}

impl Publication {
    pub(super) fn new(config: &SenderConfig, widths: FieldWidths, now: Time) -> Self {
        let rules = config.profile.rules();
        let heading = Heading {
            tsi: config.tsi,
            widths,
            profile: config.profile,
            content_encoding: config.fdt.content_encoding,
            sender_current_time: config.sender_current_time,
        };
        Self {
            profile: config.profile,
            policy: config.fdt,
            table: config.table.clone(),
            fec: config.fec,
            heading,
            ids: InstanceIds::new(config.fdt.first_instance_id, rules.fdt_id_wrap == FdtIdWrap::SmallestExpired, now),
            instances: HashMap::new(),
            outgoing: VecDeque::new(),
            sending: None,
            announcements: SecondaryMap::new(),
            in_transfer: LinkedHashSet::new(),
            parts: BTreeMap::new(),
            next_part: 0,
            cursor: 0,
            next_turn: None,
            delivered: DeliveredFiles::default(),
        }
    }

    /// Adds an object that has been prepared.
    pub(super) fn add(&mut self, key: ObjectKey, announcement: Announcement) {
        self.announcements.insert(key, announcement);
    }

    /// Whether an FDT Instance describes the object.
    pub(super) fn describes(&self, key: ObjectKey) -> bool {
        self.announcements.get(key).is_some_and(|announcement| announcement.instance.is_some())
    }

    /// Whether there is something to send.
    pub(super) fn is_sending(&self) -> bool {
        self.sending.is_some() || !self.outgoing.is_empty()
    }

    /// When something is to be published: a turn of the table, or an announcement that has to wait for a free ID.
    pub(super) fn next_due(&mut self, schedule: &Schedule, now: Time) -> Option<Time> {
        let announcement = schedule.has_unannounced().then(|| self.ids.next_at(now));
        announcement.into_iter().chain(self.next_turn).min()
    }

    /// Announces objects that are due, the highest priority first, but not more of a priority than are soon to be sent.
    /// `is_last` says of an object whether its next transfer is its last one.
    pub(super) fn announce(
        &mut self,
        schedule: &mut Schedule,
        is_last: impl Fn(ObjectKey) -> bool,
        now: Time,
    ) -> Option<Published> {
        if !schedule.has_unannounced() || self.is_sending() || self.ids.next_at(now) > now {
            return None;
        }
        let in_transfer = self.in_transfer.len().min(MAX_IN_TRANSFER);
        let members = schedule.announce(MAX_FILES - in_transfer, MAX_WAITING);
        if members.is_empty() {
            return None;
        }

        // What is announced to an empty table is all of it.
        let full = self.parts.is_empty() && !schedule.has_unannounced();
        let published = self.publish(&members, full, now);
        let mut outstanding = 0;
        for &key in &members {
            if is_last(key)
                && let Some(announcement) = self.announcements.get_mut(key)
            {
                announcement.announced_by = Some(published.id);
                outstanding += 1;
            }
            self.join(key);
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
    fn join(&mut self, key: ObjectKey) {
        let number = match self.parts.last_key_value() {
            Some((&number, part)) if part.members.len() < MAX_FILES => number,
            _ => {
                self.next_part = self.next_part.wrapping_add(1);
                self.next_part
            }
        };
        let part = self.parts.entry(number).or_default();
        part.members.push(key);
        let changed = part.instance.take();
        if let Some(announcement) = self.announcements.get_mut(key) {
            announcement.part = Some(number);
        }
        if let Some(changed) = changed {
            self.release(changed);
        }
    }

    /// If an instance describes exactly what a part has, it is that part's.
    fn settle(&mut self, members: &[ObjectKey], id: u32) {
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
        schedule: &Schedule,
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
        let half = self.policy.lifetime / 2;
        let usable = |instance: &Instance| instance.expires.since(now) >= half && self.lists_transfers(instance);
        let (id, published) = match current.filter(|(_, instance)| usable(instance)) {
            Some((id, _)) => (Some(id), None),
            None if self.ids.next_at(now) > now => (None, None),
            None => {
                let published = self.publish_part(schedule, number, now);
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
    fn publish_part(&mut self, schedule: &Schedule, number: u32, now: Time) -> Published {
        let members = self.parts.get(&number).map_or_else(Vec::new, |part| part.members.clone());
        let full = self.parts.len() == 1 && !schedule.has_unannounced();
        let published = self.publish(&members, full, now);
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
        let intervals = (self.policy.lifetime.as_nanos() / 4 / self.interval().as_nanos().max(1)).max(1);
        let needed = self.parts.len().div_ceil(intervals.try_into().unwrap_or(usize::MAX));
        let parts = needed.max(PARTS_PER_INTERVAL).min(self.parts.len());
        u32::try_from(parts).unwrap_or(u32::MAX).max(1)
    }

    /// Time in which a short table is sent: as configured, but short enough that instances are renewed in time.
    fn interval(&self) -> Duration {
        self.policy.interval.min(self.policy.lifetime / 4)
    }

    /// Makes an instance of these objects.
    fn publish(&mut self, members: &[ObjectKey], full: bool, now: Time) -> Published {
        let fdt = FdtInstance {
            full_fdt: full && self.policy.full_fdt,
            oti: self.common_oti(members),
            ..self.table.instance()
        };
        let (id, files) = self.list(fdt, members, &[], now);
        for &key in members {
            let Some(announcement) = self.announcements.get_mut(key) else { continue };
            let old = announcement.instance.replace(id);
            if let Some(instance) = self.instances.get_mut(&id) {
                instance.users += 1;
            }
            if let Some(old) = old {
                self.release(old);
            }
        }
        Published { id, files }
    }

    /// Makes an instance of these objects, of those in transfer and of the File elements `others`. Returns its ID and the
    /// number of files.
    fn list(&mut self, fdt: FdtInstance, members: &[ObjectKey], others: &[Arc<str>], now: Time) -> (u32, usize) {
        let mut listed = members.to_vec();
        listed.sort_unstable();
        let in_transfer = self.in_transfer.iter().take(MAX_IN_TRANSFER);
        let in_transfer: Vec<_> = in_transfer.filter(|key| listed.binary_search(key).is_err()).copied().collect();
        let described = || members.iter().chain(&in_transfer).filter_map(|&key| self.announcements.get(key));
        let mut files: Vec<Arc<str>> = described().map(|announcement| Arc::clone(&announcement.xml)).collect();
        files.extend_from_slice(others);
        let strongest = ObjectProtection::strongest(described().map(|announcement| announcement.protection));
        let id = self.make(fdt, &files, strongest, now);
        listed.extend(in_transfer);
        listed.sort_unstable();
        let expires = self.instances.get(&id).map(|instance| instance.expires);
        for &key in &listed {
            if let Some(announcement) = self.announcements.get_mut(key) {
                announcement.described_until = announcement.described_until.max(expires);
            }
        }
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.listed = listed;
        }
        (id, files.len())
    }

    /// Whether an instance lists all objects in transfer that it has to.
    fn lists_transfers(&self, instance: &Instance) -> bool {
        self.in_transfer.iter().take(MAX_IN_TRANSFER).all(|key| instance.listed.binary_search(key).is_ok())
    }

    /// Makes an instance of these File elements, protected like the `strongest` of its objects.
    fn make(&mut self, fdt: FdtInstance, files: &[Arc<str>], strongest: Option<ObjectProtection>, now: Time) -> u32 {
        // In whole seconds, rounded up.
        let expires = now + self.policy.lifetime + Duration::from_nanos(999_999_999);
        let expires = Time::from_unix(Duration::from_secs(expires.as_unix().as_secs()));
        let profile = self.profile;
        let document = FdtInstance { expires: expires.ntp_seconds(), ..fdt }
            .assemble(profile, files.iter().map(|file| &**file))
            .expect("everything in it was written before, when it was configured or added");
        let document = content::encode(self.heading.content_encoding, document.as_bytes())
            .expect("encoding into memory does not fail");
        let length = document.len() as u64;
        let protection = match self.policy.fec {
            Some(fec) => (fec, 1),
            None => {
                let strongest = strongest.unwrap_or(ObjectProtection { fec: self.fec, redundancy: 0.0 });
                let fec = FecConfig { symbol_size: self.fec.symbol_size, ..strongest.fec };
                let repeat_only = profile.check_fec(fec.scheme.encoding_id()).is_err();
                fdt_instance::protection(ObjectProtection { fec, ..strongest }, length, repeat_only)
            }
        };
        let id = self.ids.allocate(expires);
        self.instances.insert(id, Instance::new(id, document, protection, expires, &self.heading, now));
        id
    }

    /// What all of these objects have in common, where the profile wants that in front.
    fn common_oti(&self, members: &[ObjectKey]) -> OtiAttributes {
        let mut attributes = members.iter().filter_map(|&key| self.announcements.get(key)).map(|file| &file.oti);
        match attributes.next() {
            Some(first) if self.profile.rules().oti_on_instance && attributes.all(|oti| oti == first) => first.clone(),
            _ => OtiAttributes::default(),
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

    /// The transfer of an object begins: it is described again in front of it, unless that was done a moment ago.
    pub(super) fn begin_transfer(
        &mut self,
        schedule: &Schedule,
        key: ObjectKey,
        session_bytes: u64,
        now: Time,
    ) -> Option<Published> {
        self.in_transfer.insert(key);
        let announcement = self.announcements.get(key)?;
        let id = announcement.instance?;
        let instance = self.instances.get(&id)?;
        let is_recent = instance.sent.is_some_and(|(at, bytes)| {
            now.since(at) < self.interval() && session_bytes - bytes < REPETITION_RATIO * instance.packetizer.bytes()
        });
        let expires_soon = instance.expires.since(now) < self.policy.lifetime / 4;
        let is_missing_others = !is_recent && !self.lists_transfers(instance);
        if (expires_soon || is_missing_others)
            && self.ids.next_at(now) <= now
            && let Some(part) = announcement.part
        {
            let published = self.publish_part(schedule, part, now);
            self.enqueue(published.id);
            return Some(published);
        }
        if !is_recent {
            self.enqueue(id);
        }
        None
    }

    /// The transfer of an object has ended.
    pub(super) fn end_transfer(&mut self, key: ObjectKey, now: Time) -> Option<Published> {
        self.in_transfer.remove(&key);
        self.settle_announcement(key, true, now)
    }

    /// An object that is sent a single time was sent, or will not be. When that is so of all that an instance announced,
    /// it is repeated: a receiver that missed it may have their packets, and can use them then.
    fn settle_announcement(&mut self, key: ObjectKey, was_sent: bool, now: Time) -> Option<Published> {
        let announcement = self.announcements.get_mut(key)?;
        let id = announcement.announced_by.take()?;
        let xml = Arc::clone(&announcement.xml);
        let instance = self.instances.get_mut(&id)?;
        if was_sent {
            instance.transferred.push(xml);
        }
        instance.outstanding -= 1;
        if instance.outstanding > 0 {
            return None;
        }
        let files = std::mem::take(&mut instance.transferred);
        let instance = self.instances.get(&id)?;
        if self.lists_transfers(instance) || self.ids.next_at(now) > now {
            self.enqueue(id);
            return None;
        }
        let (again, files) = self.list(self.table.instance(), &[], &files, now);
        self.enqueue(again);
        self.forget(id);
        Some(Published { id: again, files })
    }

    /// Describes an object no more. `was_delivered`: it belongs to the files of the session.
    pub(super) fn withdraw(&mut self, key: ObjectKey, was_delivered: bool, now: Time) -> Withdrawn {
        self.in_transfer.remove(&key);
        let published = self.settle_announcement(key, false, now);
        let Some(announcement) = self.announcements.remove(key) else {
            return Withdrawn { published, described_until: None };
        };
        if let Some(number) = announcement.part
            && let Some(part) = self.parts.get_mut(&number)
        {
            part.members.retain(|&member| member != key);
            let changed = part.instance.take();
            if part.members.is_empty() {
                self.parts.remove(&number);
            }
            if let Some(changed) = changed {
                self.release(changed);
            }
        }
        if let Some(instance) = announcement.instance {
            self.release(instance);
        }
        let described_until = announcement.described_until;
        if was_delivered {
            self.delivered.push(announcement);
        }
        Withdrawn { published, described_until }
    }

    /// Publishes the last table of a session all of whose objects are withdrawn: every file that was delivered in it. `None`
    /// if there was none, or too many.
    pub(super) fn publish_last(&mut self, now: Time) -> Option<Published> {
        if self.ids.next_at(now) > now {
            return None;
        }
        let (files, strongest) = self.delivered.take()?;
        let fdt = FdtInstance { complete: self.profile.check(Feature::Complete).is_ok(), ..self.table.instance() };
        // It says all that the instances say that still wait to be repeated.
        self.outgoing.clear();
        let id = self.make(fdt, &files, strongest, now);
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
    pub(super) fn skip_expired(&mut self, schedule: &mut Schedule, now: Time) {
        while self.sending.is_none()
            && let Some(&id) = self.outgoing.front()
            && let Some(instance) = self.instances.get_mut(&id)
            && instance.expires <= now
        {
            self.outgoing.pop_front();
            instance.is_queued = false;
            for key in std::mem::take(&mut instance.announces) {
                if schedule.phase(key) == Some(Phase::Announced) {
                    schedule.enter(key, Phase::Unannounced);
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
        Some(SentFdt { repair, announced })
    }
}
