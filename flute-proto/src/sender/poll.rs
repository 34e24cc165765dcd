// SPDX-License-Identifier: MPL-2.0

//! Filling batches: what goes into the next packet, and when.

use std::sync::Arc;
use std::time::Duration;

use super::batch::Batch;
use super::block::{Input, Progress, Work};
use super::closing::Closing;
use super::event::{Event, Failure};
use super::object::{Deadline, Interval};
use super::object_table::{Key, Phase};
use super::pacing::BATCH_TIME;
use super::publication::Published;
use super::schedule::Turn;
use super::transfer::{Order, Transfer};
use super::{Poll, Sender};
use crate::Time;
use crate::alc::Flags;

/// Timers that one poll looks at, at most.
const TIMERS: usize = 256;

/// Why no more packets go into a batch.
#[derive(Debug)]
enum Pause {
    /// It is full.
    Full,
    /// The rate has nothing more before this time.
    Until(Time),
    /// There is more to do, in the next poll.
    Busy,
    /// There is nothing to send now.
    Nothing,
    /// There will never be anything to send.
    Done,
}

/// Why a transfer lets another one have its turn.
#[derive(Debug)]
enum Rest {
    Passed,
    Ended,
    Paced(Time),
    Starved,
    Busy,
}

impl Sender {
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

    /// When there is something to do, if there is nothing to send now.
    fn next_due(&mut self, now: Time) -> Option<Time> {
        if !self.preparing.is_empty() {
            return Some(now);
        }
        let objects = &self.objects;
        let timer = self.schedule.next_due(|ticket| objects.is_current(ticket));
        timer.into_iter().chain(self.publication.next_due(now)).min()
    }

    /// Takes up what has got bytes.
    fn wake(&mut self) {
        while let Some(key) = self.awakened.pop() {
            let Some(entry) = self.objects.get_mut(key) else { continue };
            entry.is_watched = false;
            let phase = entry.phase;
            self.go_on(key, phase);
        }
    }

    /// Goes on with an object that was starved.
    fn go_on(&mut self, key: Key, phase: Phase) {
        match phase {
            Phase::Starved => self.run(key),
            Phase::Preparing => self.preparing.extend(self.starved_preparations.remove(&key)),
            _ => {}
        }
    }

    fn fire_timers(&mut self, now: Time) {
        for _ in 0..TIMERS {
            let Some(ticket) = self.schedule.pop_due(now) else { return };
            if !self.objects.is_current(ticket) {
                continue;
            }
            match self.objects.get(ticket.key).map(|entry| entry.phase) {
                Some(Phase::Scheduled) => self.fall_due(ticket.key, now),
                Some(Phase::Paced) => self.run(ticket.key),
                Some(phase) => self.go_on(ticket.key, phase),
                None => {}
            }
        }
    }

    /// The next transfer of an object is due: it is announced, if that was not done, or takes its place in its queue.
    pub(super) fn fall_due(&mut self, key: Key, now: Time) {
        let Some(entry) = self.objects.get(key) else { return };
        let (priority, is_described) = (entry.priority, entry.instance.is_some());
        if !is_described {
            if let Some(ticket) = self.objects.enter(key, Phase::Unannounced) {
                self.publication.add(priority, ticket);
            }
        } else if entry.deadline.is_some() {
            // What is spread over time does not wait until others are through.
            self.begin(key, now);
        } else if let Some(ticket) = self.objects.enter(key, Phase::Waiting) {
            self.schedule.wait(priority, ticket);
        }
    }

    /// Lets a transfer take turns.
    fn run(&mut self, key: Key) {
        self.objects.enter(key, Phase::Running);
        if let Some(entry) = self.objects.get(key) {
            self.schedule.run(entry.priority, key, entry.deadline.is_none());
        }
    }

    /// Begins a transfer.
    fn begin(&mut self, key: Key, now: Time) {
        let Some(entry) = self.objects.get_mut(key) else { return };
        let Some(packetizer) = &entry.packetizer else { return };
        let source = &entry.source;
        // The blocks further on of what still grows have no bytes yet.
        let interleave = if source.available() < source.len() { 1 } else { self.config.interleave };
        let order = Order { interleave, spread_repair: self.config.spread_repair };
        entry.transfer = Some(Transfer::new(packetizer, order));
        entry.began = now;
        entry.ends = entry.deadline.map(|deadline| match deadline {
            Deadline::Within(duration) => now + duration,
            Deadline::At(time) => time.max(now),
        });
        entry.nominal_start = entry.next_start.take().unwrap_or(now);
        entry.triggered = false;
        self.run(key);
        let published = self.publication.refresh(&mut self.objects, key, self.stats.bytes, now);
        self.note(published);
    }

    /// Announces what is due, and the table.
    fn publish(&mut self, now: Time) {
        let schedule = &self.schedule;
        let announced = self.publication.announce(&mut self.objects, |priority| schedule.waiting(priority), now);
        self.note(announced);
        let pacer = &self.pacer;
        let repeated = self.publication.turn(&mut self.objects, |bytes| pacer.duration(bytes), now);
        self.note(repeated);
    }

    /// Tells of an FDT Instance.
    pub(super) fn note(&mut self, published: Option<Published>) {
        if let Some(Published { id, files }) = published {
            self.stats.fdt_instances += 1;
            self.events.push_back(Event::Fdt { instance_id: id, files });
        }
    }

    fn fill(&mut self, now: Time, batch: &mut Batch) -> Pause {
        let mut work = Work::of_a_poll();
        if let Some(due) = self.held.due.take() {
            batch.due = due;
            batch.put(&self.held.packet);
        }
        loop {
            let due = self.pacer.next(now);
            if batch.is_empty() {
                if due > now {
                    return Pause::Until(due);
                }
                batch.due = due;
            } else if batch.is_closed() || due > batch.due + BATCH_TIME {
                return Pause::Full;
            }
            if self.is_closing() && matches!(self.closing, Closing::NotYet) {
                self.start_closing(now);
            }
            self.publish(now);
            if self.publication.is_sending() {
                if !self.send_fdt(now, &mut work, batch) {
                    return Pause::Busy;
                }
                continue;
            }
            let objects = &self.objects;
            let config = &self.config;
            match self.schedule.turn(|priority| config.multiplex_of(priority), |ticket| objects.is_current(ticket)) {
                Some((_, Turn::Begin(ticket))) => self.begin(ticket.key, now),
                Some((priority, Turn::Continue(key))) => {
                    if !self.take_turn(priority, key, now, &mut work, batch) {
                        return Pause::Busy;
                    }
                }
                None if self.is_closing() => match self.close(now, batch) {
                    Poll::Packets => {}
                    Poll::Wait(at) => return Pause::Until(at),
                    Poll::Idle | Poll::Done => return Pause::Done,
                },
                None => return Pause::Nothing,
            }
        }
    }

    /// Sends one packet of an FDT Instance. `false` if that needs another poll.
    fn send_fdt(&mut self, now: Time, work: &mut Work, batch: &mut Batch) -> bool {
        let flags = Flags { close_session: self.closes_with_payload(), close_object: false };
        let start = batch.data.len();
        self.publication.skip_expired(&mut self.objects, now);
        let Some(sent) = self.publication.append(flags, self.stats.bytes, now, work, &mut batch.data) else {
            return !self.publication.is_sending();
        };
        self.held.admit(batch, start, self.pacer.next(now));
        self.pacer.charge(sent.length);
        self.stats.count_packet(sent.length, sent.repair);
        self.stats.fdt_packets += 1;
        for key in sent.announced {
            if self.objects.get(key).is_some_and(|entry| entry.phase == Phase::Announced) {
                self.fall_due(key, now);
            }
        }
        true
    }

    /// Lets one transfer send a packet, or several if no other one of its priority takes turns with it. `false` if that
    /// needs another poll.
    fn take_turn(&mut self, priority: u32, key: Key, now: Time, work: &mut Work, batch: &mut Batch) -> bool {
        match self.send_packets(priority, key, now, work, batch) {
            Ok(Rest::Passed) => self.schedule.pass_on(priority),
            Ok(Rest::Ended) => self.end(key, now),
            Ok(Rest::Paced(at)) => {
                self.schedule.stop(priority, key);
                if let Some(ticket) = self.objects.enter(key, Phase::Paced) {
                    self.schedule.set_timer(at, priority, ticket);
                }
            }
            Ok(Rest::Starved) => self.starve(priority, key, now),
            Ok(Rest::Busy) => return false,
            Err(reason) => self.fail(key, reason),
        }
        true
    }

    fn send_packets(
        &mut self,
        priority: u32,
        key: Key,
        now: Time,
        work: &mut Work,
        batch: &mut Batch,
    ) -> Result<Rest, Failure> {
        let is_alone = self.schedule.is_alone(priority);
        let Some(entry) = self.objects.get_mut(key) else { return Ok(Rest::Ended) };
        let is_last = entry.is_last_transfer();
        let (Some(packetizer), Some(transfer)) = (&entry.packetizer, &mut entry.transfer) else {
            return Ok(Rest::Ended);
        };
        let input = Input::new(&*entry.source);
        let flags = Flags { close_session: false, close_object: is_last };
        let first_due = batch.due;
        loop {
            let start = batch.data.len();
            if start == 0 {
                let burst = self.pacer.packets_within(BATCH_TIME, packetizer.packet_size());
                batch.reserve(packetizer.packet_size(), transfer.packets_left().min(burst));
            }
            let repair = match transfer.append(packetizer, &input, flags, work, &mut batch.data)? {
                Progress::Packet { repair } => repair,
                Progress::Starved => return Ok(Rest::Starved),
                Progress::Busy => return Ok(Rest::Busy),
            };
            let length = batch.data.len() - start;
            let due = self.pacer.next(now);
            self.pacer.charge(length);
            self.stats.count_packet(length, repair);
            if transfer.packets_sent() == 1 {
                let location = Arc::clone(&entry.location);
                self.events.push_back(Event::TransferStarted { toi: entry.toi, location });
            }
            if transfer.is_milestone() {
                let (location, sent) = (Arc::clone(&entry.location), transfer.packets_sent());
                let packets = sent + transfer.packets_left();
                self.events.push_back(Event::Progress { toi: entry.toi, location, sent, packets });
            }
            if entry.unsent > 0 && !repair {
                let sent = ((length - packetizer.overhead()) as u64).min(entry.unsent);
                entry.unsent -= sent;
                self.queued_bytes -= sent;
            }
            let is_done = transfer.is_done();
            let next = entry.ends.map(|ends| {
                let time = ends.since(entry.began).as_nanos();
                let share = time * u128::from(transfer.bytes_sent()) / u128::from(packetizer.bytes().max(1));
                entry.began + Duration::from_nanos(share as u64)
            });
            self.held.admit(batch, start, due);
            match next {
                _ if is_done => return Ok(Rest::Ended),
                Some(next) if next > now + BATCH_TIME => return Ok(Rest::Paced(next)),
                _ if !is_alone || batch.is_closed() || self.pacer.next(now) > first_due + BATCH_TIME => {
                    return Ok(Rest::Passed);
                }
                _ => {}
            }
        }
    }

    /// A transfer has to wait for bytes of its source.
    fn starve(&mut self, priority: u32, key: Key, now: Time) {
        let Some(entry) = self.objects.get_mut(key) else { return };
        let was_watched = entry.is_watched;
        self.objects.enter(key, Phase::Starved);
        self.schedule.stop(priority, key);
        if self.watch(key, now) && !was_watched {
            // Bytes may have come before the source was asked to tell of them: the next turn finds out.
            self.run(key);
        }
    }

    /// A transfer has ended.
    fn end(&mut self, key: Key, now: Time) {
        let Some(entry) = self.objects.get_mut(key) else { return };
        let is_last = entry.is_last_transfer();
        let priority = entry.priority;
        entry.transfer = None;
        entry.transfers += 1;
        entry.source.rest();
        self.queued_bytes -= std::mem::take(&mut entry.unsent);
        self.stats.transfers += 1;
        self.events.push_back(Event::TransferEnded {
            toi: entry.toi,
            location: Arc::clone(&entry.location),
            transfers: entry.transfers,
            transfer_length: entry.source.len(),
        });
        self.publication.transferred(entry);
        let at = match entry.carousel.interval {
            _ if entry.triggered => now,
            Interval::Delay(delay) => now + delay,
            Interval::Start(period) => (entry.nominal_start + period).max(now),
        };
        entry.next_start = Some(at);
        self.schedule.stop(priority, key);
        if is_last {
            self.withdraw(key, true);
        } else {
            self.schedule_at(key, at, now);
        }
    }

    /// Has the next transfer of an object begin at `at`.
    pub(super) fn schedule_at(&mut self, key: Key, at: Time, now: Time) {
        if at <= now {
            self.fall_due(key, now);
        } else if let Some(ticket) = self.objects.enter(key, Phase::Scheduled) {
            let priority = self.objects.get(key).map_or(0, |entry| entry.priority);
            self.schedule.set_timer(at, priority, ticket);
            let objects = &self.objects;
            self.schedule.sweep(objects.len(), |ticket| objects.is_current(ticket));
        }
    }
}
