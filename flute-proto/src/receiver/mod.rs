// SPDX-License-Identifier: MPL-2.0

//! The receiver: datagrams in, objects out.
//!
//! The loop of whoever drives it, written once:
//!
//! 1. [`push`](Receiver::push) a datagram if there is one;
//! 2. [`handle_timeout`](Receiver::handle_timeout) if the time that [`next_deadline`](Receiver::next_deadline) names has
//!    come: a timer, or work that one call did not finish, which is due at once;
//! 3. drain [`poll_event`](Receiver::poll_event).
//!
//! Symbols are written to their final place as they arrive, whatever their order, and an object is complete with the
//! first packet that makes it decodable. Symbols that come before their FDT Instance are kept.
//!
//! # Limits
//!
//! Each session has its own memory, [`Limits::max_memory`]: content that is not in a spool file, repair symbols, symbols
//! that cannot be read yet, FDT Instances and tables are charged to it before they are kept. What is dropped when it is
//! full, in this order:
//!
//! 1. symbols that cannot be read yet, of the object that has waited longest first; they never take more than a quarter;
//! 2. the bytes of FDT Instances that have been read, oldest first: they only serve to recognise repetitions; then FDT
//!    Instances that are incomplete, oldest first;
//! 3. objects that no FDT Instance describes, oldest first;
//! 4. incomplete objects none of whose symbols has arrived for ten seconds, the longest idle first; they begin again with
//!    their next symbol, where there is room then.
//!
//! An object that does not fit then waits: its packets are dropped until there is room, and it is reported as failed for
//! want of memory if none comes. Objects whose symbols arrive are never dropped for others, and no session for the memory
//! of another.
//!
//! Some bounds have an order of their own:
//!
//! - `max_sessions`: a session too many takes the place of the one that has been closed, or without an FDT Instance, for
//!   longest; if there is none its packets are dropped;
//! - `max_objects`: an object too many takes the place of the oldest that is not described, or of what is remembered of the
//!   one that was completed first, which is delivered again if it is repeated; if there is none its packets are dropped, as
//!   is an FDT Instance with more files. Symbols that cannot be read yet are kept of so many objects, too, and the oldest
//!   give way;
//! - `max_fdt_instances`: an instance too many takes the place of the oldest that has been read. Of those that are
//!   incomplete 64 are kept, of those that wait to be read 16;
//! - `max_fdt_size`, `max_object_size`, `max_expansion`, `max_decoding_work`: what is beyond is given up, the FDT Instance,
//!   the object, the attempt at a source block.
//!
//! Each bound that is reached is told once per session ([`Event::LimitReached`]), and what was dropped for it is counted
//! ([`SessionStats::dropped`]). Other sessions and other objects are not touched.
//!
//! # Slices
//!
//! No call does more than a fixed amount of work, some milliseconds of it, so that no sender holds up the packets of
//! another. Work is counted, not timed ([`ReceiverStats::most_work`]): the same packets are always cut into the same
//! slices. What a packet makes possible happens in the call that takes it, if it fits; the rest goes on when it is due: the
//! decoding of a large source block, the reading of a long FDT Instance and the description of its files, digest and
//! content decoding of a long object, symbols in masses that came before their FDT Instance, the end of a session of many
//! objects. Sessions take turns, and so do those kinds of work in a session and the objects that are being delivered.
//! [`finish`](Receiver::finish) alone does all that is left.

mod blocks;
mod budget;
mod config;
mod decoding;
mod delivery;
mod description;
mod early;
mod event;
mod instances;
mod object;
mod reading;
mod repair;
mod session;
mod solving;
mod store;
mod tracked;
mod versions;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};

pub use config::{Filter, Limits, Mode, ReceiverConfig};
pub use event::{BlockLoss, Content, Event, Failure, Limit, ObjectInfo, Path, ReceiverStats, SessionId, SessionStats};

use crate::Time;
use crate::alc::Packet;
use crate::lct::{Revision, Toi};
use crate::work::Work;
use session::{Context, Session};

/// Work of one call, about: some milliseconds.
const WORK_PER_CALL: u64 = 8_000_000;
/// Work that a packet does at what was begun before it: those that come after it must not wait long.
const WORK_BEHIND: u64 = WORK_PER_CALL / 16;

/// Key of a session in the tables of a receiver: never used again.
type Serial = u64;

/// A FLUTE receiver of any number of sessions.
#[derive(Debug)]
pub struct Receiver {
    config: ReceiverConfig,
    serials: HashMap<SessionId, Serial>,
    sessions: BTreeMap<Serial, Entry>,
    /// The session of the last packet, which is likely that of the next.
    last: Option<(SessionId, Serial)>,
    /// Sessions that may give way to new ones, those first that have been able to for longest; and some that are gone or
    /// must stay.
    expendable: VecDeque<Serial>,
    next_serial: Serial,
    /// When a session is to be looked after, the earliest first; and times that are no longer those of the session.
    deadlines: BinaryHeap<Reverse<(Time, Serial)>>,
    /// Sessions that have something to go on with, each in its turn.
    busy: VecDeque<Serial>,
    events: VecDeque<Event>,
    stats: ReceiverStats,
    sessions_limit_reported: bool,
}

#[derive(Debug)]
struct Entry {
    session: Session,
    /// The time in `deadlines` that counts. It may be too early, never too late.
    deadline: Time,
    /// It is in `busy`.
    is_busy: bool,
    /// It is in `expendable`.
    is_listed: bool,
}

impl Entry {
    /// Notes what the session has become: one that has something to go on with, one that may give way.
    fn list(&mut self, serial: Serial, busy: &mut VecDeque<Serial>, expendable: &mut VecDeque<Serial>) {
        if self.session.has_work() && !std::mem::replace(&mut self.is_busy, true) {
            busy.push_back(serial);
        }
        if self.session.is_closed() && !std::mem::replace(&mut self.is_listed, true) {
            expendable.push_back(serial);
        }
    }
}

impl Receiver {
    /// A receiver that has heard nothing yet.
    pub fn new(config: ReceiverConfig) -> Self {
        Self {
            config,
            serials: HashMap::new(),
            sessions: BTreeMap::new(),
            last: None,
            expendable: VecDeque::new(),
            next_serial: 0,
            deadlines: BinaryHeap::new(),
            busy: VecDeque::new(),
            events: VecDeque::new(),
            stats: ReceiverStats::default(),
            sessions_limit_reported: false,
        }
    }

    /// Takes one datagram. What is wrong with it is counted, never an error.
    pub fn push(&mut self, path: Path, datagram: &[u8], now: Time) {
        self.stats.packets += 1;
        self.stats.bytes += datagram.len() as u64;
        let source = path.source.map(|address| address.ip());
        if self.config.filter.source.is_some_and(|wanted| source != Some(wanted)) {
            self.stats.filtered += 1;
            return;
        }
        // Until the version of FLUTE is known the header is read as RFC 3451 has it: a sender of RFC 5651 leaves the bits
        // alone that announce the two words that only the older one has.
        let decoded = Packet::decode(datagram, Revision::Rfc3451);
        let decoded = decoded.or_else(|_| Packet::decode(datagram, Revision::Rfc5651));
        let Ok(mut packet) = decoded else {
            self.stats.malformed += 1;
            return;
        };
        let Some(tsi) = packet.header.tsi else {
            self.stats.malformed += 1;
            return;
        };
        if !self.config.filter.tsis.is_empty() && !self.config.filter.tsis.contains(&tsi) {
            self.stats.filtered += 1;
            return;
        }
        let id = SessionId { source, destination: path.destination, tsi };
        let Some(serial) = self.serial(id, now) else { return };
        let Some(entry) = self.sessions.get_mut(&serial) else { return };

        let has_times = packet.header.sender_current_time.is_some() || packet.header.expected_residual_time.is_some();
        if has_times && entry.session.flute_version().is_some_and(|version| version >= 2) {
            match Packet::decode(datagram, Revision::Rfc5651) {
                Ok(again) => packet = again,
                Err(_) => {
                    self.stats.malformed += 1;
                    return;
                }
            }
        }
        let work = Work::new(if entry.session.has_work() { WORK_BEHIND } else { WORK_PER_CALL });
        let mut cx = Context { config: &self.config, now, events: &mut self.events, work };
        entry.session.push(&packet, datagram.len(), &mut cx);
        let spent = cx.work.spent();
        let deadline = entry.session.next_deadline(&self.config);
        if deadline < entry.deadline {
            entry.deadline = deadline;
            self.deadlines.push(Reverse((deadline, serial)));
        }
        entry.list(serial, &mut self.busy, &mut self.expendable);
        self.note_work(spent);
    }

    /// What happened, in order, until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The earliest time at which something is to be done without a packet: the expiry of an FDT Instance, of a session. A
    /// time that is long past while there is work that one call did not finish.
    pub fn next_deadline(&self) -> Option<Time> {
        if !self.busy.is_empty() {
            return Some(Time::default());
        }
        self.deadlines.peek().map(|Reverse((time, _))| *time)
    }

    /// Does what is due at `now`, as much of it as fits into one call: [`next_deadline`](Self::next_deadline) says whether
    /// that was all.
    pub fn handle_timeout(&mut self, now: Time) {
        let mut work = Work::new(WORK_PER_CALL);
        let mut due = Vec::new();
        while let Some(Reverse((time, serial))) = self.deadlines.peek().copied()
            && time <= now
        {
            self.deadlines.pop();
            if self.sessions.get(&serial).is_some_and(|entry| entry.deadline == time) {
                due.push(serial);
            }
        }
        for serial in due {
            let Some(entry) = self.sessions.get_mut(&serial) else { continue };
            let work_of_session = work.split(u64::MAX);
            let mut cx = Context { config: &self.config, now, events: &mut self.events, work: work_of_session };
            let goes_on = entry.session.handle_timeout(&mut cx);
            work.spend(cx.work.spent());
            if goes_on {
                entry.deadline = entry.session.next_deadline(&self.config);
                self.deadlines.push(Reverse((entry.deadline, serial)));
                entry.list(serial, &mut self.busy, &mut self.expendable);
            } else {
                self.forget(serial);
            }
        }
        self.drop_stale_deadlines();
        while !work.is_exhausted()
            && let Some(serial) = self.busy.pop_front()
        {
            let Some(entry) = self.sessions.get_mut(&serial) else { continue };
            let turn = work.split(WORK_PER_CALL / 4);
            let mut cx = Context { config: &self.config, now, events: &mut self.events, work: turn };
            entry.session.work(&mut cx);
            work.spend(cx.work.spent());
            entry.is_busy = false;
            entry.list(serial, &mut self.busy, &mut self.expendable);
        }
        self.note_work(work.spent());
    }

    /// No more datagrams will come: every object that is not complete is reported as failed, every session as closed. What
    /// was left to do is done, however long it takes.
    pub fn finish(&mut self, now: Time) {
        let serials: Vec<Serial> = self.sessions.keys().copied().collect();
        for serial in serials {
            if let Some(entry) = self.sessions.get_mut(&serial) {
                let work = Work::unlimited();
                entry.session.finish(&mut Context { config: &self.config, now, events: &mut self.events, work });
            }
            self.forget(serial);
        }
        self.deadlines.clear();
        self.busy.clear();
    }

    fn note_work(&mut self, spent: u64) {
        self.stats.most_work = self.stats.most_work.max(spent);
    }

    /// Whether an object with a Content-Location that is `wanted` may still be completed: one that is described and not
    /// complete, or one that a session may yet describe, since its sender has neither closed it nor said that no new file
    /// follows (`Complete`, RFC 6726 §3.4.1). Before the first packet anything may come.
    pub fn may_bring(&self, wanted: impl Fn(&str) -> bool) -> bool {
        self.sessions.is_empty() || self.sessions.values().any(|entry| entry.session.may_bring(&wanted))
    }

    /// Takes an object anew that was completed, should it be repeated: whoever kept its content has it no more.
    pub fn receive_again(&mut self, session: &SessionId, toi: Toi) {
        let entry = self.serials.get(session).and_then(|serial| self.sessions.get_mut(serial));
        if let Some(entry) = entry {
            entry.session.receive_again(toi);
        }
    }

    /// Counters since the start.
    pub fn stats(&self) -> ReceiverStats {
        let mut stats = self.stats.clone();
        for Entry { session, .. } in self.sessions.values() {
            let counters = session.stats();
            stats.totals.add(&counters);
            if !session.is_closed() {
                stats.sessions.push((session.id(), counters));
            }
        }
        stats
    }

    /// The session with this ID, opened if need be; `None` if there is no room for it.
    fn serial(&mut self, id: SessionId, now: Time) -> Option<Serial> {
        if let Some((_, serial)) = self.last.filter(|(last, _)| *last == id) {
            return Some(serial);
        }
        if let Some(serial) = self.serials.get(&id) {
            self.last = Some((id, *serial));
            return Some(*serial);
        }
        if self.sessions.len() >= self.config.limits.max_sessions {
            let has_room = self.shed_session(now);
            if !std::mem::replace(&mut self.sessions_limit_reported, true) {
                self.events.push_back(Event::LimitReached { session: id, limit: Limit::Sessions });
            }
            if !has_room {
                self.stats.filtered += 1;
                return None;
            }
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        let session = Session::new(
            id,
            &mut Context { config: &self.config, now, events: &mut self.events, work: Work::new(WORK_PER_CALL) },
        );
        self.serials.insert(id, serial);
        self.sessions.insert(serial, Entry { session, deadline: Time::MAX, is_busy: false, is_listed: true });
        self.expendable.push_back(serial);
        Some(serial)
    }

    /// Forgets a session that has had no FDT Instance, or is closed: the one of which that has been true for longest.
    fn shed_session(&mut self, now: Time) -> bool {
        while let Some(serial) = self.expendable.pop_front() {
            let Some(entry) = self.sessions.get_mut(&serial) else { continue };
            entry.is_listed = false;
            if entry.session.is_described() && !entry.session.is_closed() {
                continue;
            }
            let work = Work::unlimited();
            entry.session.abandon(&mut Context { config: &self.config, now, events: &mut self.events, work });
            self.forget(serial);
            return true;
        }
        false
    }

    fn forget(&mut self, serial: Serial) {
        if let Some(entry) = self.sessions.remove(&serial) {
            self.serials.remove(&entry.session.id());
            self.last = self.last.filter(|(_, last)| *last != serial);
            let last = SessionStats { active: 0, memory: 0, ..entry.session.stats() };
            self.stats.totals.add(&last);
        }
        let (sessions, most) = (&self.sessions, 2 * self.sessions.len() + 64);
        if self.expendable.len() > most {
            self.expendable.retain(|serial| sessions.contains_key(serial));
        }
        if self.deadlines.len() > most {
            self.deadlines
                .retain(|Reverse((time, serial))| sessions.get(serial).is_some_and(|entry| entry.deadline == *time));
        }
    }

    /// Drops times from the top of the heap that are no longer those of a session.
    fn drop_stale_deadlines(&mut self) {
        while let Some(Reverse((time, serial))) = self.deadlines.peek()
            && self.sessions.get(serial).is_none_or(|entry| entry.deadline != *time)
        {
            self.deadlines.pop();
        }
    }
}
