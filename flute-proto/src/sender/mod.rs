// SPDX-License-Identifier: MPL-2.0

//! The sender: objects in, batches of packets out.
//!
//! The loop of the program that drives it, written once:
//!
//! 1. change something: [`add`](Sender::add), [`remove`](Sender::remove), [`finish`](Sender::finish) …
//! 2. [`poll`](Sender::poll) with the time and an empty [`Batch`] until it no longer answers [`Poll::Packets`], and send
//!    each batch at its [`due`](Batch::due) time;
//! 3. drain [`poll_event`](Sender::poll_event);
//! 4. wait until the time that [`Poll::Wait`] names, or until there is something to change, and begin again.
//!
//! ```
//! use std::net::UdpSocket;
//! use std::time::SystemTime;
//!
//! use flute_proto::Time;
//! use flute_proto::sender::{Batch, FinishPolicy, Object, Poll, Sender, SenderConfig};
//!
//! let now = || Time::from_unix(SystemTime::UNIX_EPOCH.elapsed().unwrap());
//!
//! # let group = UdpSocket::bind("127.0.0.1:0")?;
//! let socket = UdpSocket::bind("127.0.0.1:0")?;
//! # let address = group.local_addr()?;
//! socket.connect(address)?;
//! let mut sender = Sender::new(SenderConfig::default(), now())?;
//! let mut object = Object::new("http://example.com/hello.txt", b"Hello, world!".to_vec());
//! object.content_type = Some("text/plain".to_owned());
//! sender.add(object, now())?;
//! sender.finish(FinishPolicy::default(), now());
//!
//! let mut batch = Batch::new(64);
//! loop {
//!     match sender.poll(now(), &mut batch) {
//!         Poll::Packets => {
//!             for packet in batch.packets() {
//!                 socket.send(packet)?;
//!             }
//!         }
//!         Poll::Wait(at) => std::thread::sleep(at.since(now())),
//!         Poll::Idle | Poll::Done => break,
//!     }
//!     while let Some(event) = sender.poll_event() {
//!         println!("{event:?}");
//!     }
//! }
//! assert_eq!(sender.stats().transfers, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What goes first
//!
//! FDT Instances, always; then objects by priority: a higher one goes first, and the lower ones pause. Of one priority so
//! many objects as [`multiplex`](SenderConfig::multiplex) says take turns, packet by packet, and within an object so many
//! source blocks as [`interleave`](SenderConfig::interleave) says, symbol by symbol. An object with a
//! [`deadline`](Object::deadline) is sent in time beside them.
//!
//! # What it costs
//!
//! An object waits in a heap or in a queue, and no poll looks at all of them. Bytes of a source in memory are copied once,
//! into the packet; of any other source a window is in memory per active source block, or the block itself if it has
//! repair symbols. Those are made in strips of columns while the source symbols of the block go out.

mod batch;
mod block;
mod closing;
mod config;
mod description;
mod event;
mod fec_config;
mod growing_source;
mod object;
mod object_table;
mod outgoing_object;
mod outline;
mod output;
mod pacing;
mod packetizer;
mod preparation;
mod publication;
mod schedule;
mod source;
mod toi;
mod transfer;
mod transfer_plan;
mod uri_reference;
mod wakeup;

pub use batch::{Batch, Poll};
pub use closing::FinishPolicy;
pub use config::{ConfigError, FdtPolicy, SenderConfig, TableAttributes};
pub use event::{Event, Failure, SenderStats};
pub use fec_config::{FecConfig, FecScheme};
pub use growing_source::{GrowingSource, GrowingWriter};
pub use object::{Carousel, Deadline, Interval, Object, ObjectError, OnChange, Removal};
pub use pacing::{Pacing, PacketOverhead};
pub use source::{FileSource, Source};

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::Time;
use crate::alc::Flags;
use crate::content::ContentEncoding;
use crate::fdt::File;
use crate::lct::{FieldWidths, Toi};
use crate::work::Work;
use closing::{Closing, Step};
use description::ObjectDescriber;
use object_table::ObjectTable;
use outgoing_object::{Appended, OutgoingObject, Prepared};
use outline::Outline;
use output::Output;
use pacing::BATCH_TIME;
use packetizer::Packetizer;
use preparation::Preparation;
use publication::{Announcement, Publication, Published};
use schedule::{ObjectKey, Phase, Schedule, Turn};
use toi::ToiAllocator;
use transfer::Order;
use uri_reference::uri_reference;
use wakeup::{Wakeups, Watch};

/// How often a source is asked for new bytes that does not tell of them by itself.
const ASK_AGAIN: Duration = Duration::from_millis(10);
/// Timers that one poll looks at, at most.
const TIMERS: usize = 256;

/// A FLUTE sender of one session (one TSI).
#[derive(Debug)]
pub struct Sender {
    config: SenderConfig,
    widths: FieldWidths,
    describer: ObjectDescriber,
    tois: ToiAllocator,
    objects: ObjectTable,
    schedule: Schedule,
    publication: Publication,
    wakeups: Wakeups,
    output: Output,
    is_finishing: bool,
    closing: Closing,
    events: VecDeque<Event>,
}

/// Why no more packets go into a batch.
#[derive(Debug)]
enum Pause {
    /// It is full.
    Full,
    /// Nothing more may be sent before this time.
    Until(Time),
    /// There is more to do, in the next poll.
    Busy,
    /// There is nothing to send now.
    Nothing,
    /// There will never be anything to send.
    Done,
}

/// How a transfer ends its turn.
#[derive(Debug)]
enum TurnEnd {
    Passed,
    Ended,
    Paced(Time),
    Starved,
    Busy,
}

impl Sender {
    /// A sender that starts its session at `now`.
    ///
    /// # Errors
    /// What [`ConfigError`] says: settings that the profile forbids, or that do not go together.
    pub fn new(config: SenderConfig, now: Time) -> Result<Self, ConfigError> {
        let widths = config.check()?;
        let (first_toi, max_toi) = config.toi_range(widths);
        Ok(Self {
            widths,
            describer: ObjectDescriber::new(&config, widths),
            tois: ToiAllocator::new(first_toi, max_toi),
            objects: ObjectTable::default(),
            schedule: Schedule::default(),
            publication: Publication::new(&config, widths, now),
            wakeups: Wakeups::default(),
            output: Output::new(config.pacing, now),
            is_finishing: false,
            closing: Closing::new(&config),
            events: VecDeque::new(),
            config,
        })
    }

    /// Adds an object; it is announced by the next FDT Instance and sent as its priority and carousel say.
    ///
    /// Where it must be read first, for `Content-MD5` or to be encoded, the following polls do that bit by bit.
    ///
    /// # Errors
    /// What [`ObjectError`] says; the session goes on without the object.
    pub fn add(&mut self, mut object: Object, now: Time) -> Result<Toi, ObjectError> {
        object.location = uri_reference(&object.location).into_owned();
        if self.is_finishing {
            return Err(ObjectError::Finished);
        }
        if let Some(toi) = self.toi_of(&object.location) {
            return Err(ObjectError::LocationInUse { location: object.location, toi });
        }
        if object.source.as_slice().is_none() && object.source.available() > 0 {
            object.source.read_at(0, &mut [0])?;
            object.source.rest();
        }
        let toi = self.allocate_toi(object.toi, now)?;
        self.describer
            .outline(&mut object, toi, self.config.fec, self.config.content_encoding)
            .and_then(|outline| self.insert(outline, object.source, now))
            .inspect_err(|_| self.tois.release(toi, None))?;
        Ok(toi)
    }

    /// Replaces the object of the same Content-Location, if there is one, by a new version under a new TOI: the old one
    /// is no longer sent, and later FDT Instances name the new TOI only.
    ///
    /// # Errors
    /// Those of [`add`](Self::add). The old version is gone then, too: it is not what the file is any more.
    pub fn replace(&mut self, object: Object, now: Time) -> Result<Toi, ObjectError> {
        if self.is_finishing {
            return Err(ObjectError::Finished);
        }
        if let Some(key) = self.objects.by_location(&uri_reference(&object.location)) {
            self.withdraw(key, false, now);
        }
        self.add(object, now)
    }

    /// Stops sending an object, and describes it no more. `false` if there is no such object.
    pub fn remove(&mut self, toi: Toi, when: Removal, now: Time) -> bool {
        let Some(key) = self.objects.by_toi(toi) else { return false };
        let Some(object) = self.objects.get_mut(key) else { return false };
        // An object that is to start later has not been sent at all.
        let is_resting =
            matches!(self.schedule.phase(key), Some(Phase::Scheduled(_))) && !object.plan().is_before_start(now);
        if when == Removal::AfterTransfer && !is_resting {
            object.plan_mut().end_after_transfer();
        } else {
            let was_sent = object.plan().transfers() > 0;
            self.withdraw(key, was_sent, now);
        }
        true
    }

    /// Starts the next transfer of an object now, whatever its carousel says, or as soon as the one that runs has ended.
    /// `false` if there is no such object.
    pub fn trigger(&mut self, toi: Toi, now: Time) -> bool {
        let Some(key) = self.objects.by_toi(toi) else { return false };
        self.trigger_object(key, now);
        true
    }

    fn trigger_object(&mut self, key: ObjectKey, now: Time) {
        let Some(object) = self.objects.get_mut(key) else { return };
        if object.is_unprepared() {
            object.plan_mut().trigger_first();
        } else if object.is_in_transfer() {
            object.plan_mut().trigger_after_running();
        } else if let Some(Phase::Scheduled(_)) = self.schedule.phase(key) {
            object.plan_mut().trigger_next();
            self.fall_due(key, now);
        }
    }

    /// The TOI under which this Content-Location is sent at present.
    pub fn toi_of(&self, content_location: &str) -> Option<Toi> {
        let key = self.objects.by_location(&uri_reference(content_location))?;
        self.objects.get(key).map(OutgoingObject::toi)
    }

    /// No more objects will be added: running transfers end, then the last FDT (with `Complete`, where the profile
    /// allows it) and the close-session packet follow, and [`Poll::Done`].
    pub fn finish(&mut self, policy: FinishPolicy, now: Time) {
        self.is_finishing = true;
        for key in self.objects.keys() {
            let Some(object) = self.objects.get_mut(key) else { continue };
            let is_running = object.is_in_transfer();
            let was_sent = object.plan().transfers() > 0;
            match policy {
                FinishPolicy::Stop => self.withdraw(key, was_sent, now),
                FinishPolicy::RunToEnd if !object.plan().is_endless() => {}
                FinishPolicy::OnceMore if is_running => object.plan_mut().repeat_running_once(),
                FinishPolicy::OnceMore => {
                    object.plan_mut().end_after_transfer();
                    self.trigger_object(key, now);
                }
                FinishPolicy::FinishTransfers | FinishPolicy::RunToEnd if is_running || !was_sent => {
                    object.plan_mut().end_after_transfer();
                }
                FinishPolicy::FinishTransfers | FinishPolicy::RunToEnd => self.withdraw(key, true, now),
            }
        }
    }

    /// What happened, in order, until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Changes the pacing; it takes effect with the next packet.
    pub fn set_pacing(&mut self, pacing: Pacing, now: Time) {
        self.config.pacing = pacing;
        self.output.set_pacing(pacing, now);
    }

    /// Changes the FEC of objects that are added from now on.
    pub fn set_fec(&mut self, fec: FecConfig) -> Result<(), ConfigError> {
        self.config.check_fec(&fec)?;
        self.config.fec = fec;
        Ok(())
    }

    /// Changes the priority of an object. `false` if there is no such object.
    pub fn set_priority(&mut self, toi: Toi, priority: u32, _now: Time) -> bool {
        let Some(key) = self.objects.by_toi(toi) else { return false };
        self.schedule.set_priority(key, priority);
        true
    }

    /// Bytes of content that wait to be sent for the first time: what a caller bounds to push back on its own source.
    pub fn queued_bytes(&self) -> u64 {
        self.objects.queued_bytes()
    }

    /// Counters since the start.
    pub fn stats(&self) -> SenderStats {
        SenderStats { objects: self.objects.len() as u64, ..self.output.counted() }
    }

    /// Fills `batch`, which is cleared first, with packets that are due at `now`.
    ///
    /// A poll gives out at most as many packets as the batch takes, and with a bitrate at most about a millisecond of
    /// them. It reads and computes so little that it takes well under a millisecond itself; where that is not enough for a
    /// packet, it answers [`Poll::Wait`] with `now`, and the next poll goes on.
    pub fn poll(&mut self, now: Time, batch: &mut Batch) -> Poll {
        batch.clear();
        self.wake();
        self.fire_timers(now);
        self.prepare(now);
        let pause = self.fill(now, batch);
        match pause {
            _ if !batch.is_empty() => Poll::Packets,
            Pause::Full | Pause::Busy => Poll::Wait(now),
            Pause::Until(at) => Poll::Wait(at),
            Pause::Done => Poll::Done,
            Pause::Nothing => self.next_due(now).map_or(Poll::Idle, Poll::Wait),
        }
    }

    fn allocate_toi(&mut self, wanted: Option<Toi>, now: Time) -> Result<Toi, ObjectError> {
        match wanted {
            None => self.tois.allocate(now).ok_or(ObjectError::NoFreeToi),
            Some(toi) if u128::BITS - toi.get().leading_zeros() > self.widths.toi.into() => {
                Err(ObjectError::ToiTooWide { toi, bits: self.widths.toi })
            }
            Some(toi) if !self.tois.take(toi, now) => Err(ObjectError::ToiInUse(toi)),
            Some(toi) => Ok(toi),
        }
    }

    fn insert(&mut self, outline: Outline, source: Box<dyn Source>, now: Time) -> Result<(), ObjectError> {
        let preparation = Preparation::new(&outline, &self.config);
        // What is only read for its digest keeps its length, so that it is known already whether it can be sent.
        let is_length_known = outline.encoding == ContentEncoding::Null;
        let described = match preparation {
            Some(_) if !is_length_known => None,
            _ => Some(self.describer.describe(outline.file.clone(), &outline.fec, source.len(), None)?),
        };
        let described = described.filter(|_| preparation.is_none());
        let (priority, is_spread) = (outline.priority, outline.deadline.is_some());
        let key = self.objects.insert(OutgoingObject::new(outline, source, preparation));
        self.schedule.add(key, priority, is_spread);
        if let Some((packetizer, xml)) = described {
            self.schedule_first(key, packetizer, &xml, now);
        }
        Ok(())
    }

    /// Has the first transfer of an object begin, now that all is known of it.
    fn schedule_first(&mut self, key: ObjectKey, packetizer: Packetizer, xml: &str, now: Time) {
        let Some(object) = self.objects.get_mut(key) else { return };
        let announcement = Announcement::new(object.toi(), object.location(), xml, object.fec(), &packetizer);
        self.publication.add(key, announcement);
        object.set_packetizer(packetizer);
        let at = object.plan().first_start(now);
        self.schedule_at(key, at, now);
    }

    /// Has the next transfer of an object begin at `at`.
    fn schedule_at(&mut self, key: ObjectKey, at: Time, now: Time) {
        if at <= now {
            self.fall_due(key, now);
        } else {
            self.schedule.enter(key, Phase::Scheduled(at));
        }
    }

    /// The next transfer of an object is due: it is announced, if that was not done, or takes its place in its queue.
    fn fall_due(&mut self, key: ObjectKey, now: Time) {
        let is_spread = self.objects.get(key).is_some_and(OutgoingObject::is_spread);
        if !self.publication.describes(key) {
            self.schedule.enter(key, Phase::Unannounced);
        } else if is_spread {
            // What is spread over time does not wait until others are through.
            self.begin(key, now);
        } else {
            self.schedule.enter(key, Phase::Waiting);
        }
    }

    /// Begins a transfer.
    fn begin(&mut self, key: ObjectKey, now: Time) {
        self.schedule.enter(key, Phase::Running);
        if let Some(object) = self.objects.get_mut(key) {
            let order = Order { interleave: self.config.interleave, spread_repair: self.config.spread_repair };
            object.begin_transfer(order, now);
        }
        let published = self.publication.begin_transfer(&self.schedule, key, self.output.bytes(), now);
        self.note(published);
    }

    /// Takes an object out of the session. `was_delivered`: it belongs to the files that were delivered.
    fn withdraw(&mut self, key: ObjectKey, was_delivered: bool, now: Time) {
        if let Some(object) = self.take_out(key, was_delivered, now) {
            self.events.push_back(Event::Withdrawn {
                toi: object.toi(),
                location: Arc::clone(object.location()),
                transfers: object.plan().transfers(),
            });
        }
    }

    /// An object could not be sent. One that was changed is sent again, if that is wanted.
    fn fail(&mut self, key: ObjectKey, mut reason: Failure, now: Time) {
        let Some(mut object) = self.take_out(key, false, now) else { return };
        self.output.stats().failed += 1;
        // A source that ends too early was changed, too.
        if matches!(reason, Failure::SourceChanged { .. } | Failure::Truncated { .. })
            && let Some((outline, source)) = object.next_version()
            && let Some(toi) = self.insert_version(outline, source, now)
        {
            reason = Failure::SourceChanged { sent_again_as: Some(toi) };
        }
        let location = Arc::clone(object.location());
        self.events.push_back(Event::Failed { toi: object.toi(), location, reason });
    }

    /// Adds another version of an object under a new TOI, if that is possible.
    fn insert_version(&mut self, outline: Outline, source: Box<dyn Source>, now: Time) -> Option<Toi> {
        let toi = self.tois.allocate(now)?;
        let mut outline = outline.next_version(toi, source.len());
        if self.is_finishing {
            outline.carousel = Carousel::default();
        }
        match self.insert(outline, source, now) {
            Ok(()) => Some(toi),
            Err(_) => {
                self.tois.release(toi, None);
                None
            }
        }
    }

    fn take_out(&mut self, key: ObjectKey, was_delivered: bool, now: Time) -> Option<Box<OutgoingObject>> {
        let object = self.objects.remove(key)?;
        self.schedule.remove(key);
        let withdrawn = self.publication.withdraw(key, was_delivered, now);
        self.note(withdrawn.published);
        self.tois.release(object.toi(), withdrawn.described_until);
        Some(object)
    }

    /// When there is something to do, if there is nothing to send now.
    fn next_due(&mut self, now: Time) -> Option<Time> {
        if self.schedule.to_prepare().is_some() {
            return Some(now);
        }
        let timer = self.schedule.next_due();
        timer.into_iter().chain(self.publication.next_due(&self.schedule, now)).min()
    }

    /// Goes on with objects whose sources have got bytes.
    fn wake(&mut self) {
        while let Some(key) = self.wakeups.pop() {
            let Some(object) = self.objects.get_mut(key) else { continue };
            object.wake();
            if let Some(Phase::Starved(_)) = self.schedule.phase(key) {
                self.resume(key);
            }
        }
    }

    /// Goes on with an object that was starved or paced.
    fn resume(&mut self, key: ObjectKey) {
        let is_unprepared = self.objects.get(key).is_some_and(OutgoingObject::is_unprepared);
        self.schedule.enter(key, if is_unprepared { Phase::Preparing } else { Phase::Running });
    }

    /// An object has to wait for bytes of its source.
    fn starve(&mut self, key: ObjectKey, now: Time) {
        let Some(object) = self.objects.get_mut(key) else { return };
        match object.watch(key, &self.wakeups) {
            // Bytes may have come before the source was asked to tell of them: the next turn finds out.
            Watch::Begun => self.resume(key),
            Watch::Running => self.schedule.enter(key, Phase::Starved(None)),
            Watch::Unsupported => self.schedule.enter(key, Phase::Starved(Some(now + ASK_AGAIN))),
        }
    }

    fn fire_timers(&mut self, now: Time) {
        for _ in 0..TIMERS {
            match self.schedule.due(now) {
                Some((key, Phase::Scheduled(_))) => self.fall_due(key, now),
                Some((key, _)) => self.resume(key),
                None => return,
            }
        }
    }

    /// Reads what has to be read before it can be described.
    fn prepare(&mut self, now: Time) {
        let mut work = block::work_of_a_poll();
        while !work.is_exhausted()
            && let Some(key) = self.schedule.to_prepare()
            && let Some(object) = self.objects.get_mut(key)
        {
            match object.prepare(&mut work) {
                Ok(Prepared::Busy) => return,
                Ok(Prepared::Starved) => self.starve(key, now),
                Ok(Prepared::Done(file, md5)) => {
                    if let Err(reason) = self.prepared(key, *file, md5, now) {
                        self.fail(key, reason, now);
                    }
                }
                Err(reason) => self.fail(key, reason, now),
            }
        }
    }

    /// An object has been read, and is known.
    fn prepared(&mut self, key: ObjectKey, file: File, md5: Option<[u8; 16]>, now: Time) -> Result<(), Failure> {
        self.objects.measure_again(key);
        let Some(object) = self.objects.get(key) else { return Ok(()) };
        let (packetizer, xml) = self.describer.describe(file, &object.fec(), object.transfer_length(), md5)?;
        self.schedule_first(key, packetizer, &xml, now);
        Ok(())
    }

    /// Announces what is due, and the table.
    fn publish(&mut self, now: Time) {
        let objects = &self.objects;
        let is_last = |key| objects.get(key).is_some_and(|object| object.plan().is_last());
        let announced = self.publication.announce(&mut self.schedule, is_last, now);
        self.note(announced);
        let pacer = self.output.pacer();
        let repeated = self.publication.turn(&self.schedule, |bytes| pacer.duration(bytes), now);
        self.note(repeated);
    }

    /// Tells of an FDT Instance.
    fn note(&mut self, published: Option<Published>) {
        if let Some(Published { id, files }) = published {
            self.output.stats().fdt_instances += 1;
            self.events.push_back(Event::Fdt { instance_id: id, files });
        }
    }

    fn fill(&mut self, now: Time, batch: &mut Batch) -> Pause {
        let mut work = block::work_of_a_poll();
        self.output.begin(batch);
        loop {
            let due = self.output.next(now);
            if batch.is_empty() {
                if due > now {
                    return Pause::Until(due);
                }
                batch.due = due;
            } else if batch.is_closed() || due > batch.due + BATCH_TIME {
                return Pause::Full;
            }
            let is_closing = self.is_finishing && self.objects.is_empty();
            if is_closing && !self.closing.has_begun() {
                let last = self.publication.publish_last(now);
                self.closing.begin(last.as_ref().map(|table| table.id), now);
                self.note(last);
            }
            self.publish(now);
            if self.publication.is_sending() {
                if !self.send_fdt(now, &mut work, batch) {
                    return Pause::Busy;
                }
                continue;
            }
            let config = &self.config;
            match self.schedule.turn(|priority| config.multiplex_of(priority)) {
                Some((_, Turn::Begin(key))) => self.begin(key, now),
                Some((priority, Turn::Continue(key))) => {
                    if !self.take_turn(priority, key, now, &mut work, batch) {
                        return Pause::Busy;
                    }
                }
                None if is_closing => match self.closing.step(now) {
                    Step::RepeatTable(id) => self.publication.repeat(id),
                    Step::SendFlag => self.send_flag(now, batch),
                    Step::Wait(at) => return Pause::Until(at),
                    Step::Done => return Pause::Done,
                },
                None => return Pause::Nothing,
            }
        }
    }

    /// Sends one packet of an FDT Instance. `false` if that needs another poll.
    fn send_fdt(&mut self, now: Time, work: &mut Work, batch: &mut Batch) -> bool {
        let flags = Flags { close_session: self.closing.closes_with_payload(), close_object: false };
        let start = batch.data.len();
        self.publication.skip_expired(&mut self.schedule, now);
        let Some(sent) = self.publication.append(flags, self.output.bytes(), now, work, &mut batch.data) else {
            return !self.publication.is_sending();
        };
        self.output.add(batch, start, sent.repair, now);
        self.output.stats().fdt_packets += 1;
        for key in sent.announced {
            if self.schedule.phase(key) == Some(Phase::Announced) {
                self.fall_due(key, now);
            }
        }
        true
    }

    /// Sends a packet that closes the session and carries nothing.
    fn send_flag(&mut self, now: Time, batch: &mut Batch) {
        let start = batch.data.len();
        self.closing.append_packet(&mut batch.data);
        self.output.add(batch, start, false, now);
    }

    /// Lets one transfer send a packet, or several if no other one of its priority takes turns with it. `false` if that
    /// needs another poll.
    fn take_turn(&mut self, priority: u32, key: ObjectKey, now: Time, work: &mut Work, batch: &mut Batch) -> bool {
        match self.send_packets(priority, key, now, work, batch) {
            Ok(TurnEnd::Passed) => self.schedule.pass_on(priority),
            Ok(TurnEnd::Ended) => self.end(key, now),
            Ok(TurnEnd::Paced(at)) => self.schedule.enter(key, Phase::Paced(at)),
            Ok(TurnEnd::Starved) => self.starve(key, now),
            Ok(TurnEnd::Busy) => return false,
            Err(reason) => self.fail(key, reason, now),
        }
        true
    }

    fn send_packets(
        &mut self,
        priority: u32,
        key: ObjectKey,
        now: Time,
        work: &mut Work,
        batch: &mut Batch,
    ) -> Result<TurnEnd, Failure> {
        let is_alone = self.schedule.is_alone(priority);
        let Some(object) = self.objects.get_mut(key) else { return Ok(TurnEnd::Ended) };
        let first_due = batch.due;
        let mut source_bytes = 0;
        let end = loop {
            let start = batch.data.len();
            if start == 0 {
                let (size, left) = object.packets_left();
                self.output.reserve(batch, size, left);
            }
            let packet = match object.append(work, &mut batch.data)? {
                Appended::Packet(packet) => packet,
                Appended::Starved => break TurnEnd::Starved,
                Appended::Busy => break TurnEnd::Busy,
            };
            self.output.add(batch, start, packet.repair, now);
            if packet.sent == 1 {
                let location = Arc::clone(object.location());
                self.events.push_back(Event::TransferStarted { toi: object.toi(), location });
            }
            if packet.is_milestone {
                let (location, sent) = (Arc::clone(object.location()), packet.sent);
                let packets = sent + packet.left;
                self.events.push_back(Event::Progress { toi: object.toi(), location, sent, packets });
            }
            if !packet.repair {
                source_bytes += packet.payload as u64;
            }
            match packet.next {
                _ if packet.left == 0 => break TurnEnd::Ended,
                Some(next) if next > now + BATCH_TIME => break TurnEnd::Paced(next),
                _ if !is_alone || batch.is_closed() || self.output.next(now) > first_due + BATCH_TIME => {
                    break TurnEnd::Passed;
                }
                _ => {}
            }
        };
        self.objects.count_sent(key, source_bytes);
        Ok(end)
    }

    /// A transfer has ended.
    fn end(&mut self, key: ObjectKey, now: Time) {
        let Some(object) = self.objects.get_mut(key) else { return };
        if let Err(reason) = object.check_source() {
            self.fail(key, reason, now);
            return;
        }
        let next = object.end_transfer(now);
        let transfer_length = object.transfer_length();
        self.output.stats().transfers += 1;
        self.events.push_back(Event::TransferEnded {
            toi: object.toi(),
            location: Arc::clone(object.location()),
            transfers: object.plan().transfers(),
            transfer_length,
        });
        self.objects.count_sent(key, transfer_length);
        let published = self.publication.end_transfer(key, now);
        self.note(published);
        match next {
            Some(at) => self.schedule_at(key, at, now),
            None => self.withdraw(key, true, now),
        }
    }
}

#[cfg(test)]
mod tests;
