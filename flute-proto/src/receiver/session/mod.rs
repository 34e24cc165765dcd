// SPDX-License-Identifier: MPL-2.0

//! One session: what its packets, its FDT Instances, its clock and its end do to its objects.

mod close;
mod data;
mod describe;
mod fdt;
mod outcome;
mod room;
mod solve;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::RandomState;
use std::time::Duration;

use super::budget::Budget;
use super::delivery::{Delivery, DeliveryLimits};
use super::early::{EarlySymbols, Group, Key};
use super::event::{Event, Limit, SessionId, SessionStats};
use super::instances::Instances;
use super::object::Terms;
use super::tracked::Tracked;
use super::versions::Versions;
use super::{Mode, ReceiverConfig};
use crate::Time;
use crate::alc::Packet;
use crate::lct::Toi;
use crate::work::Work;
use close::{Closing, Ending};
use describe::Describing;

/// Work that one kind of what is pending gets before the next has its turn.
const TURN: u64 = 2_000_000;
/// Timers that may be there even if nothing is remembered.
const MIN_TIMERS: usize = 64;
/// Work of a timer.
const TIMER: u64 = 1000;

/// What a call needs from outside of the session.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) config: &'a ReceiverConfig,
    pub(super) now: Time,
    pub(super) events: &'a mut VecDeque<Event>,
    /// What may be done in this call.
    pub(super) work: Work,
}

impl Context<'_> {
    fn terms(&self) -> Terms<'_> {
        Terms {
            spool_directory: self.config.spool_directory.as_deref(),
            spool_threshold: self.config.limits.spool_threshold,
        }
    }

    /// Does something for a part of the work.
    fn for_a_turn(&mut self, job: impl FnOnce(&mut Self)) {
        let part = self.work.split(TURN);
        let whole = std::mem::replace(&mut self.work, part);
        job(self);
        let part = std::mem::replace(&mut self.work, whole);
        self.work.spend(part.spent());
    }

    fn delivery_limits(&self) -> DeliveryLimits {
        DeliveryLimits {
            max_size: self.config.limits.max_object_size,
            max_expansion: self.config.limits.max_expansion,
            spool_directory: self.config.spool_directory.clone(),
            spool_threshold: self.config.limits.spool_threshold,
        }
    }
}

/// What is to be done at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A description of an object ends.
    Object(Toi),
    /// An FDT Instance ends.
    Instance(u32),
}

/// How far the sender's clock is ahead of that of this receiver.
#[derive(Clone, Copy, Debug)]
enum Clock {
    /// Nothing is known of the sender's clock.
    Unknown,
    /// By so much.
    Ahead(Duration),
    /// It is behind by so much.
    Behind(Duration),
}

/// One session of one sender.
#[derive(Debug)]
pub(super) struct Session {
    id: SessionId,
    mode: Mode,
    budget: Budget,
    /// Version of FLUTE, from EXT_FDT.
    flute_version: Option<u8>,
    clock: Clock,
    instances: Instances,
    /// An FDT Instance said that no new file will follow.
    complete_announced: bool,
    /// An object could not be completed, and not because a newer one took its place.
    has_losses: bool,
    objects: HashMap<Toi, Tracked>,
    /// Objects that have no description yet, by age; and some that have.
    undescribed: VecDeque<Toi>,
    /// Objects that are completed, by age; and some that have been forgotten since.
    completed: VecDeque<Toi>,
    versions: Versions,
    /// Hashes symbols, so that a sender cannot choose what they hash to.
    hasher: RandomState,
    early: EarlySymbols,
    /// Groups of early symbols that are being taken.
    taking: VecDeque<(Key, Group)>,
    /// Source blocks that are being decoded, one after the other.
    solving: VecDeque<(Key, u32)>,
    /// The instance the files of which are being described.
    describing: Option<Describing>,
    deliveries: VecDeque<(Toi, Delivery)>,
    /// The session is being closed.
    ending: Option<Ending>,
    timers: BinaryHeap<Reverse<(Time, Timer)>>,
    last_packet: Time,
    closing: Closing,
    /// When idle objects may be looked for again to make room.
    next_idle_search: Time,
    reported_limits: Vec<Limit>,
    stats: SessionStats,
}

impl Session {
    /// A session whose first packet has arrived.
    pub(super) fn new(id: SessionId, cx: &mut Context<'_>) -> Self {
        cx.events.push_back(Event::SessionOpened(id));
        let budget = Budget::new(cx.config.limits.max_memory);
        Self {
            id,
            mode: cx.config.mode,
            early: EarlySymbols::new(&budget, cx.config.limits.max_objects),
            budget,
            flute_version: None,
            clock: Clock::Unknown,
            instances: Instances::default(),
            complete_announced: false,
            has_losses: false,
            objects: HashMap::new(),
            undescribed: VecDeque::new(),
            completed: VecDeque::new(),
            versions: Versions::default(),
            hasher: RandomState::new(),
            taking: VecDeque::new(),
            solving: VecDeque::new(),
            describing: None,
            deliveries: VecDeque::new(),
            ending: None,
            timers: BinaryHeap::new(),
            last_packet: cx.now,
            closing: Closing::No,
            next_idle_search: Time::default(),
            reported_limits: Vec::new(),
            stats: SessionStats::default(),
        }
    }

    pub(super) fn id(&self) -> SessionId {
        self.id
    }

    /// Version of FLUTE, as far as it is known: it decides how the header is read (RFC 6726 §11.1).
    pub(super) fn flute_version(&self) -> Option<u8> {
        self.flute_version
    }

    /// Whether an FDT Instance has been read.
    pub(super) fn is_described(&self) -> bool {
        self.stats.fdt_instances > 0
    }

    pub(super) fn stats(&self) -> SessionStats {
        let active = self.objects.values().filter(|tracked| tracked.is_active()).count();
        SessionStats { active: active as u64, memory: self.budget.used(), ..self.stats }
    }

    /// Takes a packet of the session.
    pub(super) fn push(&mut self, packet: &Packet<'_>, length: usize, cx: &mut Context<'_>) {
        self.stats.packets += 1;
        self.stats.bytes += length as u64;
        self.last_packet = cx.now;
        if let Some(toi) = packet.header.toi {
            match (toi, packet.payload) {
                (Toi::FDT, _) => self.take_fdt(packet, cx),
                (_, Some(payload)) => self.take_data(toi, packet, payload, cx),
                // Nothing but a header: a hint that the object or the session ends, or a sign of life.
                (_, None) => {}
            }
        }
        self.work(cx);
        self.heed_close_flag(packet.header.close_session, cx);
    }

    /// Whether something is to be gone on with.
    pub(super) fn has_work(&self) -> bool {
        !self.taking.is_empty()
            || !self.solving.is_empty()
            || self.describing.is_some()
            || self.instances.is_reading()
            || !self.deliveries.is_empty()
            || self.is_ending()
    }

    /// Goes on with what is pending, each kind in its turn, so that none waits for all of another.
    pub(super) fn work(&mut self, cx: &mut Context<'_>) {
        while self.has_work() && !cx.work.is_exhausted() {
            for job in [Self::end, Self::solve, Self::take_early, Self::read, Self::deliver] {
                cx.for_a_turn(|cx| job(self, cx));
            }
        }
        self.close_if_complete(cx);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called at the latest.
    pub(super) fn next_deadline(&self, config: &ReceiverConfig) -> Time {
        let timer = self.timers.peek().map_or(Time::MAX, |Reverse((time, _))| *time);
        timer.min(self.end_of_silence(config))
    }

    /// Does what is due. `false` if the session is over and to be forgotten.
    pub(super) fn handle_timeout(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(Reverse((time, timer))) = self.timers.peek().copied()
            && time <= cx.now
            && !cx.work.is_exhausted()
        {
            self.timers.pop();
            cx.work.spend(TIMER);
            match timer {
                Timer::Object(toi) => self.expire(toi, cx),
                Timer::Instance(id) => self.instances.expire(id, cx.now, &mut self.budget),
            }
        }
        self.heed_silence(cx)
    }

    /// Sets a timer. Those that do not count any more go when they are too many.
    fn schedule(&mut self, time: Time, timer: Timer) {
        if self.timers.len() > 2 * (self.objects.len() + self.instances.len()) + MIN_TIMERS {
            self.timers.clear();
            let objects = self.objects.iter().filter_map(|(toi, tracked)| {
                Some(Reverse((tracked.description.as_ref()?.expires, Timer::Object(*toi))))
            });
            self.timers.extend(objects);
            let instances = self.instances.expiries();
            self.timers.extend(instances.map(|(expires, id)| Reverse((expires, Timer::Instance(id)))));
        }
        self.timers.push(Reverse((time, timer)));
    }

    /// Says once that a limit was reached, and counts what was dropped.
    fn drop_for(&mut self, limit: Limit, dropped: u64, cx: &mut Context<'_>) {
        self.stats.dropped += dropped;
        if !self.reported_limits.contains(&limit) {
            self.reported_limits.push(limit);
            cx.events.push_back(Event::LimitReached { session: self.id, limit });
        }
    }
}
