// SPDX-License-Identifier: MPL-2.0

//! The loop of the receiver: events in, files out, and what happens told.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::Context;
use flute_folder::FileRange;
use flute_folder::target::{FolderWriter, ObjectDescription, Origin, Written};
use flute_net::reception::{ReceiverThread, SharedReceiver, Statistics};
use flute_proto::receiver::{BlockLoss, Content, Event, Failure, ObjectInfo, SessionId};
use serde_json::{Value, json};

use super::listener::Message;
use super::tally::Tally;
use crate::Outcome;
use crate::interrupt::Interrupt;
use crate::report::{Report, shown, shown_rate};

/// What to do where the kernel drops datagrams.
const BUFFER_ADVICE: &str = "raise net.core.rmem_max and --buffer-size, or lower the rate of the sender";

/// How often the loop looks at the time, at the user, and at the figures.
const LOOK_AROUND: Duration = Duration::from_millis(100);

/// When to end, besides ^C.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// When the senders have closed their sessions.
    pub(super) until_closed: bool,
    /// When no packet has come for so long.
    pub(super) silence: Option<Duration>,
}

/// Writes what is received.
#[derive(Debug)]
pub(super) struct ReceiveSession<'a> {
    receiver: Arc<SharedReceiver>,
    writer: FolderWriter,
    end: End,
    report: &'a Report,
    tally: Tally,
}

impl<'a> ReceiveSession<'a> {
    pub(super) fn new(receiver: Arc<SharedReceiver>, writer: FolderWriter, end: End, report: &'a Report) -> Self {
        Self { receiver, writer, end, report, tally: Tally::default() }
    }

    /// Receives until the end.
    pub(super) fn run(
        mut self,
        threads: Vec<ReceiverThread>,
        inbox: mpsc::Receiver<Message>,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Outcome> {
        self.report.begin_spinner();
        let mut silence = Silence::new();
        loop {
            match inbox.recv_timeout(LOOK_AROUND) {
                Ok(message) => self.take(message)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => (),
            }
            self.delete_due();
            if silence.is_due() {
                let stats = self.receiver.stats();
                silence.note(stats.receiver.totals.packets);
                self.report.set_message(self.figures(&stats));
            }
            let is_silent = self.end.silence.is_some_and(|longest| silence.length() >= longest);
            let is_closed = self.end.until_closed && self.tally.is_closed();
            if is_silent || is_closed || interrupt.is_requested() {
                break;
            }
        }
        // What the thread tells until its end counts.
        threads.iter().for_each(ReceiverThread::stop);
        for message in inbox {
            self.take(message)?;
        }
        let mut events = Vec::new();
        self.receiver.finish(&mut events);
        events.into_iter().for_each(|event| self.handle(event));
        self.report.end_bar();
        Ok(self.tell_end())
    }

    fn figures(&self, stats: &Statistics) -> String {
        let rate = stats.rates.iter().map(|rates| rates.bits_per_second).sum();
        let active = stats.receiver.totals.active;
        let (files, bytes, lost) = (self.tally.files(), self.tally.bytes(), self.tally.lost());
        format!("{files} files, {bytes} bytes, {active} on their way, {lost} lost, {}", shown_rate(rate))
    }

    fn take(&mut self, message: Message) -> anyhow::Result<()> {
        match message {
            Message::Event(event) => self.handle(event),
            Message::KernelDropped(datagrams) => {
                self.report
                    .problem(format_args!("the kernel has dropped {datagrams} datagrams by now: {BUFFER_ADVICE}"));
                self.report.event(&json!({ "event": "kernel-dropped", "datagrams": datagrams }));
            }
            Message::Failed(error) => return Err(error).context("receiving failed"),
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::SessionOpened(session) => {
                self.tally.open(session);
                self.tell_session("session-opened", &session, json!({}));
            }
            Event::SessionClosed { session, by_sender, complete } => {
                self.tally.close(&session, by_sender);
                self.tell_session("session-closed", &session, json!({ "by-sender": by_sender, "complete": complete }));
            }
            Event::Fdt { session, instance_id, files, complete, .. } => {
                let fields = json!({ "instance-id": instance_id, "files": files, "complete": complete });
                self.tell_session("fdt", &session, fields);
            }
            Event::FdtUnusable { session, instance_id, reason } => {
                self.report
                    .problem(format_args!("FDT Instance {instance_id} of TSI {} is unusable: {reason}", session.tsi));
                self.tell_session("fdt-unusable", &session, json!({ "instance-id": instance_id, "reason": reason }));
            }
            Event::LimitReached { session, limit } => {
                self.report.problem(format_args!(
                    "TSI {}: the limit of {limit:?} is reached, and something was dropped",
                    session.tsi
                ));
                self.tell_session("limit-reached", &session, json!({ "limit": format!("{limit:?}") }));
            }
            Event::ObjectStarted(object) => self.tell_object("object-started", &object, json!({})),
            Event::Completed { object, content } => self.write(&object, content),
            Event::Failed { object, reason, missing } => self.lose(&object, &reason, &missing),
            Event::Withdrawn(object) => {
                self.writer.withdraw(object.location(), origin(&object));
                self.tell_object("object-withdrawn", &object, json!({}));
            }
            event => tracing::trace!("{event:?}"),
        }
    }

    fn write(&mut self, object: &ObjectInfo, content: Content) {
        let description = ObjectDescription {
            content_location: Some(object.location()),
            content_type: object.file.content_type.as_deref(),
            origin: origin(object),
        };
        let written = match content {
            Content::Memory(bytes) => self.writer.write(description, &bytes),
            Content::File { file, length } => self.writer.write(description, &FileRange { file, offset: 0, length }),
            Content::Delivered => return,
        };
        match written {
            Ok(Written { path, size, replaced, .. }) => {
                self.tally.note_written(object.session, object.location(), size);
                if replaced.is_some() {
                    self.report.problem(format_args!("{} of another session was replaced", path.display()));
                }
                tracing::info!("{}: {size} bytes", path.display());
                self.tell_object("object-received", object, json!({ "path": path.to_string_lossy(), "size": size }));
            }
            Err(reason) => {
                self.tally.note_not_written();
                let advice = reason.kind().advice();
                self.report.problem(format_args!("not written: {}: {reason}; {advice}", shown(object.location())));
                self.tell_object("object-not-written", object, json!({ "reason": reason.to_string() }));
            }
        }
    }

    fn lose(&mut self, object: &ObjectInfo, reason: &Failure, missing: &[BlockLoss]) {
        self.tally.note_lost(object.session, object.location());
        let what = missing.first().map_or(String::new(), |loss| {
            let BlockLoss { source_block, missing: lacking, repair, source_symbols } = loss;
            let others = if missing.len() > 1 { ", and others lack symbols too" } else { "" };
            format!(
                " ({lacking} of {source_symbols} source symbols of block {source_block} did not come, and {repair} repair \
                 symbols{others})"
            )
        });
        self.report.problem(format_args!("lost: {}: {reason}{what}", shown(object.location())));
        let missing: Vec<Value> = missing
            .iter()
            .map(|loss| {
                json!({
                    "source-block": loss.source_block,
                    "missing": loss.missing,
                    "repair": loss.repair,
                    "source-symbols": loss.source_symbols,
                })
            })
            .collect();
        self.tell_object("object-lost", object, json!({ "reason": reason.to_string(), "missing": missing }));
    }

    fn delete_due(&mut self) {
        for deleted in self.writer.delete_due(Instant::now()) {
            let (path, reason) = (deleted.path.to_string_lossy(), deleted.reason.property());
            match deleted.error {
                Some(error) => self.report.problem(format_args!("{path} was not deleted: {error}")),
                None => self.report.event(&json!({ "event": "file-deleted", "path": path, "reason": reason })),
            }
        }
    }

    fn tell_session(&self, event: &str, session: &SessionId, fields: Value) {
        tracing::debug!("{event}: TSI {} {fields}", session.tsi);
        let known = json!({
            "event": event,
            "tsi": session.tsi.get(),
            "source": session.source.map(|source| source.to_string()),
        });
        self.report.event(&joined(known, fields));
    }

    fn tell_object(&self, event: &str, object: &ObjectInfo, fields: Value) {
        let known = json!({
            "event": event,
            "tsi": object.session.tsi.get(),
            "toi": object.toi().to_string(),
            "location": object.location(),
            "transfer-length": object.transfer_length,
        });
        self.report.event(&joined(known, fields));
    }

    fn tell_end(&self) -> Outcome {
        let (tally, Statistics { receiver: stats, kernel_dropped, .. }) = (&self.tally, self.receiver.stats());
        let outcome = tally.outcome(self.end.until_closed);
        if kernel_dropped > 0 {
            self.report.problem(format_args!("the kernel dropped {kernel_dropped} datagrams: {BUFFER_ADVICE}"));
        }
        if stats.totals.packets == 0 {
            let advice = "is the group, the port and --iface right, and is something sent?";
            self.report.problem(format_args!("no packet of a session came: {advice}"));
        } else if self.end.until_closed && !tally.is_closed() {
            self.report.problem("the sender has not closed its session: whether that is everything is not known");
        }
        self.report.event(&json!({
            "event": "finished",
            "complete": outcome == Outcome::Complete,
            "objects": tally.files(),
            "bytes": tally.bytes(),
            "lost": tally.lost(),
            "not-written": tally.not_written(),
            "packets": stats.totals.packets,
            "recovered-symbols": stats.totals.recovered,
            "dropped-by-kernel": kernel_dropped,
        }));
        let (files, bytes, lost, refused) = (tally.files(), tally.bytes(), tally.lost(), tally.not_written());
        self.report.note(format_args!("{files} files, {bytes} bytes received; {lost} lost, {refused} not written"));
        outcome
    }
}

/// The session that an object came from.
fn origin(object: &ObjectInfo) -> Origin {
    Origin { tsi: Some(object.session.tsi.get()), source: object.session.source }
}

/// The fields of two objects in one.
fn joined(mut known: Value, fields: Value) -> Value {
    if let (Value::Object(known), Value::Object(fields)) = (&mut known, fields) {
        known.extend(fields);
    }
    known
}

/// Since when nothing has come.
#[derive(Debug)]
struct Silence {
    looked: Instant,
    packets: u64,
    last_packet: Instant,
}

impl Silence {
    fn new() -> Self {
        let now = Instant::now();
        Self { looked: now, packets: 0, last_packet: now }
    }

    fn is_due(&self) -> bool {
        self.looked.elapsed() >= LOOK_AROUND
    }

    /// Takes note of how many packets have come by now.
    fn note(&mut self, packets: u64) {
        self.looked = Instant::now();
        if packets > self.packets {
            self.last_packet = self.looked;
        }
        self.packets = packets;
    }

    fn length(&self) -> Duration {
        self.last_packet.elapsed()
    }
}
