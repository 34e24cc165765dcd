// SPDX-License-Identifier: MPL-2.0

//! The receiver: datagrams in, objects out.
//!
//! The loop of the program that drives it, written once:
//!
//! 1. [`push`](Receiver::push) a datagram if there is one;
//! 2. [`handle_timeout`](Receiver::handle_timeout) if the time that [`next_deadline`](Receiver::next_deadline) names has
//!    come: a timer, or work that one call did not finish, which is due at once;
//! 3. drain [`poll_event`](Receiver::poll_event).
//!
//! Source symbols go to the [`Destination`] of their object as they arrive, whatever their order; what stays in memory of an
//! object are the source blocks that are incomplete, and what must wait for its turn. An object is complete with the first
//! packet that makes it decodable. Packets that come before their FDT Instance are kept.
//!
//! # Losses
//!
//! A loss is told when it is known ([`Event::Failed`]): when the description of an object expires; when a newer version of it
//! has been delivered; when its sender has withdrawn it, which shows by FDT Instances that do not list it and are repeated, or
//! follow each other, while no symbol of the object comes; when the session ends. An object that its sender takes up again
//! after it was told as withdrawn may still be completed.
//!
//! # Limits
//!
//! Each session has its own memory, [`Limits::max_memory`]: content in memory, source blocks, repair symbols, packets that
//! cannot be read yet, FDT Instances and tables are charged to it before they are kept. What is dropped when it is full, in
//! this order:
//!
//! 1. packets that cannot be read yet, of the object that has waited longest first; they never take more than a quarter;
//! 2. the bytes of FDT Instances that have been read, oldest first: they only serve to recognise repetitions; then FDT
//!    Instances that are incomplete, oldest first;
//! 3. objects that no FDT Instance describes, oldest first;
//! 4. incomplete objects that their sender has withdrawn, the first to be withdrawn first;
//! 5. incomplete objects none of whose symbols has arrived for two seconds, the longest idle first; they begin again with
//!    their next symbol, where there is memory then.
//!
//! An object that does not fit then waits: its packets are dropped until there is memory, and it is reported as failed for
//! want of it if none comes. Objects whose symbols arrive are never dropped for others, and no session for the memory of
//! another.
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

mod block_decoder;
mod budget;
mod config;
mod content_decoding;
mod context;
mod delivery;
mod description;
mod destination;
mod event;
mod eviction;
mod fdt_database;
mod fdt_reader;
mod fdt_reception;
mod file_descriptions;
mod fingerprint;
mod ledger;
mod location_index;
mod object_state;
mod object_table;
mod pending_packets;
mod reassembly;
mod reception;
mod repair_symbols;
mod sender_clock;
mod session;
mod session_end;
mod store;
mod symbol_map;
mod transfer;
mod withdrawals;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use hashlink::LinkedHashSet;

pub use config::{Filter, Limits, Mode, ReceiverConfig};
pub use destination::{Destination, ObjectWriter};
pub use event::{
    BaseUrls, BlockLoss, Content, Endpoints, Event, Failure, Limit, ObjectInfo, ReceiverStats, SessionId, SessionStats,
};

use crate::Time;
use crate::alc::Packet;
use crate::collections::Deadlines;
use crate::lct::{Revision, Toi};
use crate::work::Work;
use context::Context;
use destination::Chooser;
use session::ReceiverSession;

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
    destinations: Chooser,
    serials: HashMap<SessionId, Serial>,
    sessions: BTreeMap<Serial, Entry>,
    /// The session of the last packet, which is likely that of the next.
    last: Option<(SessionId, Serial)>,
    /// Sessions that may give way to new ones, and some that have been described since; the first has been able to for
    /// longest.
    expendable: LinkedHashSet<Serial>,
    next_serial: Serial,
    /// When a session is to be looked after. It may be too early, and too late only for the one that `touched` names.
    deadlines: Deadlines<Serial>,
    /// The session that has taken packets since its deadline was noted: packets come in bursts, and are asked for deadlines
    /// after them.
    touched: Option<Serial>,
    /// Sessions that have something to go on with, each in its turn.
    busy: VecDeque<Serial>,
    events: VecDeque<Event>,
    stats: ReceiverStats,
    is_sessions_limit_reported: bool,
}

#[derive(Debug)]
struct Entry {
    session: ReceiverSession,
    /// It is in `busy`.
    is_busy: bool,
}

impl Receiver {
    /// A receiver that has heard nothing yet, and delivers objects in memory or in
    /// [spool files](ReceiverConfig::spool_directory).
    pub fn new(config: ReceiverConfig) -> Self {
        Self::with_chooser(config, Chooser::default())
    }

    /// A receiver that asks where each object is to go: when it is described and its first symbol has arrived, and again
    /// if it begins anew.
    pub fn with_destinations(
        config: ReceiverConfig,
        choose: impl FnMut(&Arc<ObjectInfo>) -> Destination + Send + 'static,
    ) -> Self {
        Self::with_chooser(config, Chooser::new(choose))
    }

    fn with_chooser(config: ReceiverConfig, destinations: Chooser) -> Self {
        Self {
            config,
            destinations,
            serials: HashMap::new(),
            sessions: BTreeMap::new(),
            last: None,
            expendable: LinkedHashSet::new(),
            next_serial: 0,
            deadlines: Deadlines::default(),
            touched: None,
            busy: VecDeque::new(),
            events: VecDeque::new(),
            stats: ReceiverStats::default(),
            is_sessions_limit_reported: false,
        }
    }

    /// Takes one datagram. What is wrong with it is counted, never an error.
    pub fn push(&mut self, endpoints: Endpoints, datagram: &[u8], now: Time) {
        self.stats.packets += 1;
        self.stats.bytes += datagram.len() as u64;
        let source = endpoints.source.map(|address| address.ip());
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
        let id = SessionId::new(endpoints, tsi);
        let Some(serial) = self.serial(id, now) else { return };
        let Some(entry) = self.sessions.get_mut(&serial) else { return };

        let has_times = packet.header.sender_current_time.is_some() || packet.header.expected_residual_time.is_some();
        if has_times {
            let version = entry.session.reception().flute_version();
            match Packet::decode(datagram, Revision::Rfc5651) {
                // The first FDT Instance says by itself how its header is to be read.
                Ok(again) if version.or(again.fdt.map(|fdt| fdt.flute_version)).is_some_and(|version| version >= 2) => {
                    packet = again;
                }
                Err(_) if version.is_some_and(|version| version >= 2) => {
                    self.stats.malformed += 1;
                    return;
                }
                _ => {}
            }
        }
        let work = Work::new(if entry.session.has_work() { WORK_BEHIND } else { WORK_PER_CALL });
        let (config, destinations, events) = (&self.config, &mut self.destinations, &mut self.events);
        let mut cx = Context { config, destinations, now, events, work };
        entry.session.push(&packet, datagram.len(), &mut cx);
        if let Some(symbol_size) = entry.session.reception_mut().take_wrong_cut() {
            let packets = cut_apart(datagram, &packet, symbol_size);
            if packets.is_empty() {
                entry.session.reception_mut().note_unusable();
            } else {
                self.stats.merged += 1;
            }
            for packet in packets {
                entry.session.push(&packet, 0, &mut cx);
                if entry.session.reception_mut().take_wrong_cut().is_some() {
                    entry.session.reception_mut().note_unusable();
                }
            }
        }
        let spent = cx.work.spent();
        if entry.session.has_work() || entry.session.is_closed() {
            self.list(serial);
        }
        if self.touched != Some(serial) {
            self.note_deadline();
            self.touched = Some(serial);
        }
        self.note_work(spent);
    }

    /// Notes when the session is to be looked after that has taken packets, if that is earlier than known.
    fn note_deadline(&mut self) {
        if let Some(serial) = self.touched.take()
            && let Some(entry) = self.sessions.get(&serial)
        {
            self.deadlines.set_earlier(serial, entry.session.next_deadline(&self.config));
        }
    }

    /// Notes what a session has become: one that has something to go on with, one that may give way.
    fn list(&mut self, serial: Serial) {
        let Some(entry) = self.sessions.get_mut(&serial) else { return };
        if entry.session.has_work() && !std::mem::replace(&mut entry.is_busy, true) {
            self.busy.push_back(serial);
        }
        if entry.session.is_closed() && !self.expendable.contains(&serial) {
            self.expendable.insert(serial);
        }
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
        let touched = self.touched.and_then(|serial| self.sessions.get(&serial));
        let touched = touched.map(|entry| entry.session.next_deadline(&self.config));
        self.deadlines.next().into_iter().chain(touched).min()
    }

    /// Does what is due at `now`, as much of it as fits into one call: [`next_deadline`](Self::next_deadline) says whether
    /// that was all.
    pub fn handle_timeout(&mut self, now: Time) {
        self.note_deadline();
        let mut work = Work::new(WORK_PER_CALL);
        let due: Vec<Serial> = std::iter::from_fn(|| self.deadlines.pop_due(now)).collect();
        for serial in due {
            let Some(entry) = self.sessions.get_mut(&serial) else { continue };
            let (config, destinations, events) = (&self.config, &mut self.destinations, &mut self.events);
            let mut cx = Context { config, destinations, now, events, work: work.split(u64::MAX) };
            let goes_on = entry.session.handle_timeout(&mut cx);
            work.spend(cx.work.spent());
            if goes_on {
                self.deadlines.set(serial, entry.session.next_deadline(&self.config));
                self.list(serial);
            } else {
                self.forget(serial);
            }
        }
        while !work.is_exhausted()
            && let Some(serial) = self.busy.pop_front()
        {
            let Some(entry) = self.sessions.get_mut(&serial) else { continue };
            let (config, destinations, events) = (&self.config, &mut self.destinations, &mut self.events);
            let mut cx = Context { config, destinations, now, events, work: work.split(WORK_PER_CALL / 4) };
            entry.session.work(&mut cx);
            work.spend(cx.work.spent());
            entry.is_busy = false;
            self.list(serial);
        }
        self.note_work(work.spent());
    }

    /// No more datagrams will come: every object that is not complete is reported as failed, every session as closed. What
    /// was left to do is done, however long it takes.
    pub fn finish(&mut self, now: Time) {
        let serials: Vec<Serial> = self.sessions.keys().copied().collect();
        for serial in serials {
            if let Some(entry) = self.sessions.get_mut(&serial) {
                let (config, destinations, events) = (&self.config, &mut self.destinations, &mut self.events);
                entry.session.finish(&mut Context { config, destinations, now, events, work: Work::unlimited() });
            }
            self.forget(serial);
        }
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

    /// Takes an object anew that was completed, should it be repeated: the application no longer has its content.
    pub fn receive_again(&mut self, session: &SessionId, toi: Toi) {
        let entry = self.serials.get(session).and_then(|serial| self.sessions.get_mut(serial));
        if let Some(entry) = entry {
            entry.session.reception_mut().receive_again(toi);
        }
    }

    /// Counters since the start.
    pub fn stats(&self) -> ReceiverStats {
        let mut stats = self.stats.clone();
        for Entry { session, .. } in self.sessions.values() {
            let counters = session.reception().stats();
            stats.totals.add(&counters);
            if !session.is_closed() {
                stats.sessions.push((session.reception().session(), counters));
            }
        }
        stats
    }

    /// The objects that FDT Instances describe at present, complete or not, of sessions that are not closed: session by
    /// session, in the order in which they were described.
    pub fn described_objects(&self) -> Vec<Arc<ObjectInfo>> {
        let open = self.sessions.values().filter(|entry| !entry.session.is_closed());
        open.flat_map(|entry| entry.session.reception().described_objects()).collect()
    }

    /// Datagrams so far that are not ALC: the counter of [`stats`](Self::stats), for those that look at it often.
    pub fn malformed_datagrams(&self) -> u64 {
        self.stats.malformed
    }

    /// The session with this ID, opened if need be; `None` if there is no place for it.
    fn serial(&mut self, id: SessionId, now: Time) -> Option<Serial> {
        if let Some((_, serial)) = self.last.filter(|(last, _)| *last == id) {
            return Some(serial);
        }
        if let Some(serial) = self.serials.get(&id) {
            self.last = Some((id, *serial));
            return Some(*serial);
        }
        if self.sessions.len() >= self.config.limits.max_sessions {
            let has_place = self.forget_expendable(now);
            if !std::mem::replace(&mut self.is_sessions_limit_reported, true) {
                self.events.push_back(Event::LimitReached { session: id, limit: Limit::Sessions });
            }
            if !has_place {
                self.stats.filtered += 1;
                return None;
            }
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        let (config, destinations, events) = (&self.config, &mut self.destinations, &mut self.events);
        let session = ReceiverSession::new(
            id,
            &mut Context { config, destinations, now, events, work: Work::new(WORK_PER_CALL) },
        );
        self.serials.insert(id, serial);
        self.sessions.insert(serial, Entry { session, is_busy: false });
        self.expendable.insert(serial);
        Some(serial)
    }

    /// Forgets a session that has had no FDT Instance, or is closed: the one of which that has been true for longest.
    fn forget_expendable(&mut self, now: Time) -> bool {
        while let Some(serial) = self.expendable.pop_front() {
            let Some(entry) = self.sessions.get_mut(&serial) else { continue };
            if entry.session.reception().is_described() && !entry.session.is_closed() {
                continue;
            }
            let (config, destinations, events) = (&self.config, &mut self.destinations, &mut self.events);
            entry.session.abandon(&mut Context { config, destinations, now, events, work: Work::unlimited() });
            self.forget(serial);
            return true;
        }
        false
    }

    fn forget(&mut self, serial: Serial) {
        self.expendable.remove(&serial);
        self.deadlines.remove(serial);
        self.touched = self.touched.filter(|touched| *touched != serial);
        if let Some(entry) = self.sessions.remove(&serial) {
            self.serials.remove(&entry.session.reception().session());
            self.last = self.last.filter(|(_, last)| *last != serial);
            let last = SessionStats { active: 0, memory: 0, ..entry.session.reception().stats() };
            self.stats.totals.add(&last);
        }
    }
}

/// The packets that were merged into one datagram, of which `first` was read: a capture on the sending machine has what
/// segmentation offload has not cut yet, packets of one length after each other, the last one maybe shorter. None if it is
/// not that.
fn cut_apart<'a>(datagram: &'a [u8], first: &Packet<'a>, symbol_size: u16) -> Vec<Packet<'a>> {
    let symbols = first.payload.map_or(0, |payload| payload.symbols.len());
    let length = datagram.len() - symbols + usize::from(symbol_size);
    if length >= datagram.len() {
        return Vec::new();
    }
    let revision = if first.header.sender_current_time.is_some() { Revision::Rfc3451 } else { Revision::Rfc5651 };
    let packets = datagram.chunks(length).map(|packet| Packet::decode(packet, revision));
    let is_like_first = |packet: &Packet<'_>| {
        (packet.header.tsi, packet.header.codepoint) == (first.header.tsi, first.header.codepoint)
            && packet.payload.is_some()
    };
    packets.collect::<Result<Vec<_>, _>>().ok().filter(|all| all.iter().all(is_like_first)).unwrap_or_default()
}
