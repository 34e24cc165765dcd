// SPDX-License-Identifier: MPL-2.0

//! The loop of the sender: files in, packets out, and what happens told.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use flute_net::{Clock, SendSocket};
use flute_proto::Time;
use flute_proto::sender::{Batch, Carousel, Event, Failure, FinishPolicy, Object, OnChange, Poll, Removal, Sender};
use serde_json::json;

use super::input::{Change, Input, InputFile};
use super::tally::Tally;
use crate::Outcome;
use crate::interrupt::Interrupt;
use crate::report::{Report, shown_rate};

/// How long the loop rests at most before it looks whether the user wants the end.
const LOOK_AROUND: Duration = Duration::from_millis(100);

/// Bytes of a packet at most: how many fit into one call of the system is asked for that.
const LONGEST_PACKET: usize = 1472;

/// How files become objects.
#[derive(Clone, Debug)]
pub(super) struct ObjectOptions {
    /// What is put in front of every Content-Location.
    pub(super) prefix: String,
    pub(super) md5: bool,
    pub(super) carousel: Carousel,
    /// A file that changes, or is there no more, is told again.
    pub(super) is_watched: bool,
    /// Bytes that wait for their first transfer beyond which no file is added.
    pub(super) max_queued_bytes: u64,
}

/// One session, until its end.
#[derive(Debug)]
pub(super) struct SendSession<'a> {
    sender: Sender,
    socket: SendSocket,
    clock: Clock,
    options: ObjectOptions,
    report: &'a Report,
    tally: Tally,
    /// No more files are added.
    is_finishing: bool,
    is_interrupted: bool,
}

impl<'a> SendSession<'a> {
    pub(super) fn new(
        sender: Sender,
        socket: SendSocket,
        clock: Clock,
        options: ObjectOptions,
        report: &'a Report,
    ) -> Self {
        Self {
            sender,
            socket,
            clock,
            options,
            report,
            tally: Tally::default(),
            is_finishing: false,
            is_interrupted: false,
        }
    }

    /// Sends what the input brings.
    pub(super) fn run(mut self, mut input: Input, interrupt: &Interrupt) -> anyhow::Result<Outcome> {
        match input.total() {
            Some(bytes) => self.report.begin_bar(bytes),
            None => self.report.begin_spinner(),
        }
        let started = Instant::now();
        let mut batch = Batch::new(self.socket.max_packets(LONGEST_PACKET));
        loop {
            if interrupt.is_requested() && !self.is_interrupted {
                self.is_interrupted = true;
                self.finish(self.policy_at_interrupt());
            }
            let is_behind = self.take_files(&mut input)?;
            let poll = self.sender.poll(self.clock.now(), &mut batch);
            self.tell_events();
            match poll {
                Poll::Packets => {
                    while batch.due() > self.clock.now() {
                        self.rest_until(batch.due());
                    }
                    self.socket
                        .send(batch.as_bytes(), batch.packet_size(), || false)
                        .with_context(|| format!("sending to {}", self.socket.destination()))?;
                }
                Poll::Done => break,
                Poll::Wait(_) | Poll::Idle if is_behind => (),
                Poll::Wait(until) => self.rest_until(until.min(self.clock.now() + LOOK_AROUND)),
                Poll::Idle => self.rest_until(self.clock.now() + LOOK_AROUND),
            }
        }
        self.report.end_bar();
        Ok(self.tell_end(started.elapsed()))
    }

    /// At ^C the files that are on their way are still sent where the session would last for ever; one that has an end is
    /// given up.
    fn policy_at_interrupt(&self) -> FinishPolicy {
        let is_endless = self.options.is_watched || self.options.carousel.transfers.is_none();
        if is_endless { FinishPolicy::FinishTransfers } else { FinishPolicy::Stop }
    }

    fn finish(&mut self, policy: FinishPolicy) {
        self.is_finishing = true;
        self.sender.finish(policy, self.clock.now());
    }

    /// Adds files as long as not too many bytes wait. `true` if there may be more at once.
    fn take_files(&mut self, input: &mut Input) -> anyhow::Result<bool> {
        if self.is_finishing {
            return Ok(false);
        }
        if self.sender.queued_bytes() < self.options.max_queued_bytes
            && let Some(change) = input.next()
        {
            match change {
                Change::File(file, about_name) => {
                    about_name.iter().for_each(|text| self.report.problem(text));
                    self.add(file);
                }
                Change::Gone(name) => self.remove(&name),
                Change::Unreadable(reason) => {
                    self.tally.note_unreadable();
                    self.report.problem(format_args!("not sent: {reason}"));
                    self.report.event(&json!({ "event": "file-not-sent", "reason": reason }));
                }
                Change::Failed(reason) => anyhow::bail!("watching failed: {reason}"),
            }
            return Ok(true);
        }
        // What never ends is finished by the user.
        if input.is_exhausted() && self.options.carousel.transfers.is_some() {
            self.finish(FinishPolicy::RunToEnd);
        }
        Ok(false)
    }

    fn add(&mut self, file: InputFile) {
        let location = format!("{}{}", self.options.prefix, file.name);
        let length = file.source.len();
        let mut object = Object::new(&*location, Vec::new());
        object.source = file.source;
        object.content_type = flute_media::content_type_of_name(&file.name).map(str::to_owned);
        object.md5 = self.options.md5;
        object.carousel = self.options.carousel;
        object.on_change = if self.options.is_watched { OnChange::Withdraw } else { OnChange::SendAgain };
        self.tally.add(&location, length);
        if let Err(error) = self.sender.replace(object, self.clock.now()) {
            self.tell_failure(&location, &error.to_string());
        }
    }

    fn remove(&mut self, name: &str) {
        let location = format!("{}{name}", self.options.prefix);
        if let Some(toi) = self.sender.toi_of(&location) {
            self.sender.remove(toi, Removal::Now, self.clock.now());
        }
        self.tally.forget(&location);
        self.report.note(format_args!("{location} is deleted, and withdrawn"));
        self.report.event(&json!({ "event": "object-withdrawn", "location": location }));
    }

    fn tell_events(&mut self) {
        while let Some(event) = self.sender.poll_event() {
            match event {
                Event::TransferStarted { toi, location } => {
                    self.report.set_message(location.to_string());
                    tracing::debug!("TOI {toi}: {location} begins");
                }
                Event::Progress { location, sent, packets, .. } => {
                    let part = sent as f64 / packets.max(1) as f64;
                    self.report.set_position(self.tally.bytes_with(&location, part));
                }
                Event::TransferEnded { toi, location, transfers, transfer_length } => {
                    self.tally.note_sent(&location);
                    self.report.set_position(self.tally.sent_bytes());
                    self.report.event(&json!({
                        "event": "object-sent",
                        "location": &*location,
                        "toi": toi.to_string(),
                        "transfer-length": transfer_length,
                        "transfers": transfers,
                    }));
                }
                Event::Failed { location, reason: Failure::SourceChanged { sent_again_as: Some(_) }, .. } => {
                    self.report.problem(format_args!("{location} was changed while it was sent, and is sent again"));
                }
                Event::Failed { location, reason, .. } => self.tell_failure(&location, &reason.to_string()),
                event => tracing::trace!("{event:?}"),
            }
        }
    }

    fn tell_failure(&mut self, location: &str, reason: &str) {
        self.tally.note_failed(location);
        self.report.problem(format_args!("not sent: {location}: {reason}"));
        self.report.event(&json!({ "event": "file-not-sent", "location": location, "reason": reason }));
    }

    fn tell_end(&self, took: Duration) -> Outcome {
        let (tally, stats) = (&self.tally, self.sender.stats());
        let rate = stats.bytes as f64 * 8.0 / took.as_secs_f64().max(0.001);
        self.report.event(&json!({
            "event": "finished",
            "complete": tally.outcome() == Outcome::Complete,
            "objects": tally.sent(),
            "not-sent": tally.missing(),
            "bytes": tally.sent_bytes(),
            "packets": stats.packets,
            "repair-packets": stats.repair_packets,
            "seconds": took.as_secs_f64(),
        }));
        let missing = match tally.missing() {
            0 => String::new(),
            missing => format!("; {missing} were not sent"),
        };
        let (sent, bytes, seconds) = (tally.sent(), tally.sent_bytes(), took.as_secs_f64());
        self.report
            .note(format_args!("{sent} files, {bytes} bytes sent in {seconds:.1} s, {}{missing}", shown_rate(rate)));
        tally.outcome()
    }

    /// A watched folder that changes ends the rest.
    fn rest_until(&self, until: Time) {
        let left = until.since(self.clock.now());
        if !left.is_zero() {
            thread::park_timeout(left);
        }
    }
}
