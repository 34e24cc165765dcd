// SPDX-License-Identifier: MPL-2.0

//! The sender: objects in, batches of packets out.
//!
//! The loop of whoever drives it, written once:
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
//! into the packet; of any other source a window is held per active source block, or the block itself if it has repair
//! symbols. Those are made in strips of columns while the source symbols of the block go out.

mod batch;
mod block;
mod closing;
mod config;
mod content_location;
mod delivered_files;
mod event;
mod fdt_instance;
mod growing_source;
mod instance_id;
mod object;
mod object_table;
mod pacing;
mod packetizer;
mod poll;
mod preparation;
mod publication;
mod schedule;
mod source;
mod toi;
mod transfer;

pub use batch::Batch;
pub use config::{ConfigError, FdtPolicy, FecConfig, FecScheme, Pacing, PacketOverhead, SenderConfig, TableAttributes};
pub use event::{Event, Failure, SenderStats};
pub use growing_source::{GrowingSource, GrowingWriter};
pub use object::{Carousel, Deadline, Interval, Object, ObjectError, Removal};
pub use source::{FileSource, Source};

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::Time;
use crate::content::ContentEncoding;
use crate::fdt::File;
use crate::lct::{FieldWidths, Toi};
use crate::oti::OtiError;
use crate::profile::{Feature, TransferLength};
use batch::Held;
use block::Work;
use closing::Closing;
use content_location::uri_reference;
use object_table::{Awakened, Entry, Key, ObjectTable, Phase};
use pacing::Pacer;
use packetizer::{Envelope, Packetizer};
use preparation::{Outcome, Preparation, Prepared};
use publication::Publication;
use schedule::Schedule;
use toi::ToiAllocator;

/// How often a source is asked for new bytes that does not tell of them by itself.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// What [`Sender::poll`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// The batch has packets; poll again.
    Packets,
    /// Nothing is due before this time, which may be the time of the poll: then there was so much to do that the next poll
    /// has to go on with it.
    Wait(Time),
    /// There is nothing to send, now or later, unless an object is added or the source of a growing one gets bytes.
    Idle,
    /// The session was finished, and its last packet has been given out.
    Done,
}

/// A FLUTE sender of one session (one TSI).
#[derive(Debug)]
pub struct Sender {
    config: SenderConfig,
    widths: FieldWidths,
    tois: ToiAllocator,
    objects: ObjectTable,
    schedule: Schedule,
    publication: Publication,
    preparing: VecDeque<Preparing>,
    /// Those of `preparing` that wait for bytes of their sources.
    starved_preparations: HashMap<Key, Preparing>,
    awakened: Arc<Awakened>,
    pacer: Pacer,
    /// A packet that did not fit into the batch before.
    held: Held,
    finishing: bool,
    closing: Closing,
    events: VecDeque<Event>,
    stats: SenderStats,
    queued_bytes: u64,
}

/// An object that has to be read before it can be described.
#[derive(Debug)]
struct Preparing {
    key: Key,
    preparation: Preparation,
    file: File,
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
            publication: Publication::new(&config, widths),
            pacer: Pacer::new(config.pacing, now),
            config,
            widths,
            tois: ToiAllocator::new(first_toi, max_toi),
            objects: ObjectTable::default(),
            schedule: Schedule::default(),
            preparing: VecDeque::new(),
            starved_preparations: HashMap::new(),
            awakened: Arc::default(),
            held: Held::default(),
            finishing: false,
            closing: Closing::NotYet,
            events: VecDeque::new(),
            stats: SenderStats::default(),
            queued_bytes: 0,
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
        if self.finishing {
            return Err(ObjectError::Finished);
        }
        if let Some(entry) = self.objects.by_location(&object.location).and_then(|key| self.objects.get(key)) {
            return Err(ObjectError::LocationInUse { location: object.location, toi: entry.toi });
        }
        if object.source.as_slice().is_none() && object.source.available() > 0 {
            object.source.read_at(0, &mut [0])?;
            object.source.rest();
        }
        let toi = self.allocate_toi(object.toi, now)?;
        self.add_as(object, toi, now).inspect_err(|_| self.tois.release(toi, None))?;
        Ok(toi)
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

    fn add_as(&mut self, mut object: Object, toi: Toi, now: Time) -> Result<(), ObjectError> {
        let profile = self.config.profile;
        let fec = object.fec.unwrap_or(self.config.fec);
        profile.check_fec(fec.scheme.encoding_id())?;
        let encoding = object.content_encoding.unwrap_or(self.config.content_encoding);
        profile.check(Feature::ContentEncoding(encoding))?;
        let file = object.describe(toi, encoding);
        profile.check_file(&file)?;
        // Everything that may be wrong with the description is so before the object is read.
        file.render(profile, &mut String::new())?;

        let applied = if object.is_encoded { ContentEncoding::Null } else { encoding };
        let preparation = Preparation::new(applied, object.md5, self.config.spool_directory.as_deref());
        let described = match preparation {
            Some(_) => None,
            None => Some(self.describe(file.clone(), toi, &fec, object.source.len(), None)?),
        };
        let (packetizer, xml) = described.unzip();
        let unsent = object.source.len();
        let key = self.objects.insert(|key| Entry {
            key,
            toi,
            location: object.location.into(),
            source: object.source,
            fec,
            priority: object.priority,
            carousel: object.carousel,
            start: object.start,
            deadline: object.deadline,
            phase: Phase::Preparing,
            stamp: 0,
            xml: xml.unwrap_or_default(),
            packetizer,
            transfer: None,
            began: now,
            ends: None,
            nominal_start: now,
            next_start: None,
            transfers: 0,
            triggered: false,
            ends_after_transfer: false,
            instance: None,
            announcement: None,
            part: None,
            described_until: None,
            unsent,
            waker: None,
            is_watched: false,
        });
        self.queued_bytes += unsent;
        match preparation {
            Some(preparation) => self.preparing.push_back(Preparing { key, preparation, file }),
            None => self.schedule_at(key, object.start.unwrap_or(now), now),
        }
        Ok(())
    }

    /// How an object of this length is put into packets, and what FDT Instances say of it.
    fn describe(
        &self,
        mut file: File,
        toi: Toi,
        fec: &FecConfig,
        transfer_length: u64,
        md5: Option<[u8; 16]>,
    ) -> Result<(Packetizer, String), OtiError> {
        let oti = fec.oti(transfer_length, self.config.profile)?;
        file.oti = oti.attributes()?;
        file.content_md5 = md5;
        let is_encoded = file.content_encoding.is_some();
        if is_encoded && self.config.profile.rules().transfer_length == TransferLength::WhenEncoded {
            file.transfer_length = Some(transfer_length);
        }
        let envelope = Envelope {
            tsi: self.config.tsi,
            toi,
            widths: self.widths,
            extensions: &[],
            fti: self.config.fti_on_objects,
        };
        let packetizer = Packetizer::new(oti, fec.protection, &envelope)?;
        let mut xml = String::new();
        file.render(self.config.profile, &mut xml).expect("numbers were added to what was rendered before");
        Ok((packetizer, xml))
    }

    /// Reads what has to be read before it can be described.
    fn prepare(&mut self, now: Time) {
        let mut work = Work::of_a_poll();
        while !work.is_done()
            && let Some(mut preparing) = self.preparing.pop_front()
        {
            let key = preparing.key;
            let Some(entry) = self.objects.get_mut(key) else { continue };
            match preparing.preparation.advance(&*entry.source, &mut work) {
                Ok(Outcome::Busy) => self.preparing.push_front(preparing),
                Ok(Outcome::Starved) => {
                    let was_watched = entry.is_watched;
                    if self.watch(key, now) && !was_watched {
                        // Bytes may have come before the source was asked to tell of them.
                        self.preparing.push_back(preparing);
                    } else {
                        self.starved_preparations.insert(key, preparing);
                    }
                }
                Ok(Outcome::Done(prepared)) => {
                    if let Err(reason) = self.prepared(key, preparing.file, prepared, now) {
                        self.fail(key, reason);
                    }
                }
                Err(reason) => self.fail(key, reason),
            }
        }
    }

    /// Asks the source of an object to tell of new bytes; `false` if it does not do that, and a timer was set instead.
    fn watch(&mut self, key: Key, now: Time) -> bool {
        let Some(entry) = self.objects.get_mut(key) else { return false };
        if !entry.is_watched {
            let waker = entry.waker.get_or_insert_with(|| self.awakened.waker(key));
            entry.is_watched = entry.source.wake_on_growth(waker);
        }
        let (is_watched, phase, priority) = (entry.is_watched, entry.phase, entry.priority);
        if !is_watched && let Some(ticket) = self.objects.enter(key, phase) {
            self.schedule.set_timer(now + ASK_AGAIN, priority, ticket);
        }
        is_watched
    }

    /// An object has been read, and is known.
    fn prepared(&mut self, key: Key, file: File, prepared: Prepared, now: Time) -> Result<(), Failure> {
        let Some(entry) = self.objects.get_mut(key) else { return Ok(()) };
        if let Some(encoded) = prepared.encoded {
            entry.source = encoded;
        }
        entry.source.rest();
        let length = entry.source.len();
        self.queued_bytes = self.queued_bytes - entry.unsent + length;
        entry.unsent = length;
        let (toi, fec, start) = (entry.toi, entry.fec, entry.start);
        let (packetizer, xml) = self.describe(file, toi, &fec, length, prepared.md5)?;
        if let Some(entry) = self.objects.get_mut(key) {
            (entry.packetizer, entry.xml) = (Some(packetizer), xml);
        }
        self.schedule_at(key, start.unwrap_or(now), now);
        Ok(())
    }

    /// Replaces the object of the same Content-Location, if there is one, by a new version under a new TOI: the old one
    /// is no longer sent, and later FDT Instances name the new TOI only.
    ///
    /// # Errors
    /// Those of [`add`](Self::add). The old version is gone then, too: it is not what the file is any more.
    pub fn replace(&mut self, object: Object, now: Time) -> Result<Toi, ObjectError> {
        if self.finishing {
            return Err(ObjectError::Finished);
        }
        if let Some(key) = self.objects.by_location(&uri_reference(&object.location)) {
            self.withdraw(key, false);
        }
        self.add(object, now)
    }

    /// Stops sending an object, and describes it no more. `false` if there is no such object.
    pub fn remove(&mut self, toi: Toi, when: Removal, now: Time) -> bool {
        let Some(key) = self.objects.by_toi(toi) else { return false };
        let Some(entry) = self.objects.get_mut(key) else { return false };
        match when {
            Removal::AfterTransfer if entry.phase != Phase::Scheduled => entry.ends_after_transfer = true,
            // An object that is to start later has not been sent at all.
            Removal::AfterTransfer if entry.transfers == 0 && entry.start.is_some_and(|start| start > now) => {
                entry.ends_after_transfer = true;
            }
            _ => {
                let was_sent = entry.transfers > 0;
                self.withdraw(key, was_sent);
            }
        }
        true
    }

    /// Starts the next transfer of an object now, whatever its carousel says, or as soon as the one that runs has ended.
    /// `false` if there is no such object.
    pub fn trigger(&mut self, toi: Toi, now: Time) -> bool {
        let Some(key) = self.objects.by_toi(toi) else { return false };
        let Some(entry) = self.objects.get_mut(key) else { return false };
        match entry.phase {
            Phase::Scheduled => {
                entry.next_start = None;
                self.fall_due(key, now);
            }
            Phase::Preparing => entry.start = None,
            Phase::Running | Phase::Paced | Phase::Starved => entry.triggered = true,
            Phase::Unannounced | Phase::Announced | Phase::Waiting => {}
        }
        true
    }

    /// The TOI under which this Content-Location is sent at present.
    pub fn toi_of(&self, content_location: &str) -> Option<Toi> {
        self.objects
            .by_location(&uri_reference(content_location))
            .and_then(|key| self.objects.get(key))
            .map(|entry| entry.toi)
    }

    /// No more objects will be added: running transfers end, then the last FDT (with `Complete`, where the profile
    /// allows it) and the close-session packet follow, and [`Poll::Done`].
    pub fn finish(&mut self, policy: FinishPolicy, now: Time) {
        self.finishing = true;
        for key in self.objects.keys() {
            let Some(entry) = self.objects.get_mut(key) else { continue };
            let is_running = entry.transfer.is_some();
            let is_endless = entry.carousel.transfers.is_none();
            match policy {
                FinishPolicy::Stop => {
                    let was_sent = entry.transfers > 0;
                    self.withdraw(key, was_sent);
                }
                FinishPolicy::RunToEnd if !is_endless => {}
                FinishPolicy::OnceMore if is_running => {
                    entry.carousel.transfers = Some(entry.transfers + 2);
                    entry.triggered = true;
                }
                FinishPolicy::OnceMore => {
                    entry.ends_after_transfer = true;
                    if let Some(toi) = self.objects.get(key).map(|entry| entry.toi) {
                        self.trigger(toi, now);
                    }
                }
                FinishPolicy::FinishTransfers | FinishPolicy::RunToEnd if is_running || entry.transfers == 0 => {
                    entry.ends_after_transfer = true;
                }
                FinishPolicy::FinishTransfers | FinishPolicy::RunToEnd => {
                    self.withdraw(key, true);
                }
            }
        }
    }

    /// Takes an object out of the session. `keep`: it belongs to the files that were delivered.
    fn withdraw(&mut self, key: Key, keep: bool) {
        if let Some(entry) = self.take_out(key, keep) {
            self.events.push_back(Event::Withdrawn {
                toi: entry.toi,
                location: entry.location,
                transfers: entry.transfers,
            });
        }
    }

    /// An object could not be sent.
    fn fail(&mut self, key: Key, reason: Failure) {
        if let Some(entry) = self.take_out(key, false) {
            self.stats.failed += 1;
            self.events.push_back(Event::Failed { toi: entry.toi, location: entry.location, reason });
        }
    }

    fn take_out(&mut self, key: Key, keep: bool) -> Option<Box<Entry>> {
        let entry = self.objects.get(key)?;
        match entry.phase {
            Phase::Waiting => self.schedule.forget_waiting(entry.priority),
            Phase::Running => self.schedule.stop(entry.priority, key),
            _ => {}
        }
        self.starved_preparations.remove(&key);
        let mut entry = self.objects.remove(key)?;
        self.publication.withdraw(&mut entry, keep);
        self.tois.release(entry.toi, entry.described_until);
        self.queued_bytes -= entry.unsent;
        Some(entry)
    }

    /// What happened, in order, until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Changes the pacing; it takes effect with the next packet.
    pub fn set_pacing(&mut self, pacing: Pacing, now: Time) {
        self.config.pacing = pacing;
        self.pacer.set(pacing, now);
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
        let Some(entry) = self.objects.get_mut(key) else { return false };
        let old = std::mem::replace(&mut entry.priority, priority);
        let (phase, counts) = (entry.phase, entry.deadline.is_none());
        if old == priority {
            return true;
        }
        match phase {
            Phase::Waiting => {
                self.schedule.forget_waiting(old);
                if let Some(ticket) = self.objects.enter(key, phase) {
                    self.schedule.wait(priority, ticket);
                }
            }
            Phase::Running => {
                self.schedule.stop(old, key);
                self.schedule.run(priority, key, counts);
            }
            Phase::Unannounced => {
                if let Some(ticket) = self.objects.enter(key, phase) {
                    self.publication.add(priority, ticket);
                }
            }
            Phase::Preparing | Phase::Scheduled | Phase::Announced | Phase::Paced | Phase::Starved => {}
        }
        true
    }

    /// Bytes of content that wait to be sent for the first time: what a caller bounds to push back on its own source.
    pub fn queued_bytes(&self) -> u64 {
        self.queued_bytes
    }

    /// Counters since the start.
    pub fn stats(&self) -> SenderStats {
        SenderStats { objects: self.objects.len() as u64, ..self.stats }
    }
}

/// What becomes of carousels when the session is finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FinishPolicy {
    /// Running and outstanding first transfers end; repetitions that have not begun are dropped.
    #[default]
    FinishTransfers,
    /// Every object is sent once more from the start.
    OnceMore,
    /// Finite carousels run to their end; endless ones as [`FinishTransfers`](Self::FinishTransfers).
    RunToEnd,
    /// Nothing more is sent but the last FDT and the close of the session.
    Stop,
}

#[cfg(test)]
mod tests;
