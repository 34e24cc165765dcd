// SPDX-License-Identifier: MPL-2.0

//! What applications are told of a session: by messages on the bus, and of objects by signals too.
#![expect(unused_doc_comments, reason = "GStreamer's documentation has signals described where they are made")]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::debug::FLUTESINK as CAT;
use flute_proto::lct::{Toi, Tsi};
use flute_proto::sender::{Event, ObjectError, SenderStats};
use gst::glib::subclass::Signal;
use gst::prelude::*;

const OBJECT_SENT: &str = "object-sent";
const OBJECT_WITHDRAWN: &str = "object-withdrawn";
const OBJECT_FAILED: &str = "object-failed";

/// The signals that tell of objects. They are emitted by the thread of the session, which waits for their handlers. A
/// handler that takes long should listen to the messages instead, which say the same.
pub(super) fn signals() -> Vec<Signal> {
    let signal = |name| Signal::builder(name).param_types([gst::Structure::static_type()]).build();
    vec![
        /**
         * flutesink::object-sent:
         * @details: the fields of the message `flute-object-sent`: `tsi`, `toi`, `content-location`, `transfers` so far,
         *     `transfer-length` in bytes
         *
         * The last packet of a transfer of an object was given out.
         */
        signal(OBJECT_SENT),
        /**
         * flutesink::object-withdrawn:
         * @details: the fields of the message `flute-object-withdrawn`: `tsi`, `toi`, `content-location`, and `transfers`
         *     that were complete
         *
         * An object was removed, was replaced, or has had all its transfers: it is sent no more, and later FDT Instances
         * do not describe it.
         */
        signal(OBJECT_WITHDRAWN),
        /**
         * flutesink::object-failed:
         * @details: the fields of the message `flute-object-failed`: `tsi`, `toi`, `content-location`, and the `reason` as
         *     a string
         *
         * An object could not be read to its end, and was withdrawn.
         */
        signal(OBJECT_FAILED),
    ]
}

/// Transfers that are over sooner are not worth a progress message.
const PROGRESS_AFTER: Duration = Duration::from_secs(2);

/// The time between two progress messages of a transfer, at least.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// How far a transfer is, as it is told.
#[derive(Debug)]
struct TransferProgress {
    began: Instant,
    /// When the last progress message was posted.
    told: Option<Instant>,
}

/// Tells of the events of a session.
#[derive(Debug)]
pub(super) struct Reporter {
    element: super::FluteSink,
    tsi: Tsi,
    /// Transfers that have begun and not ended.
    transfers: HashMap<Toi, TransferProgress>,
}

impl Reporter {
    pub(super) fn new(element: &super::FluteSink, tsi: Tsi) -> Self {
        Self { element: element.clone(), tsi, transfers: HashMap::new() }
    }

    /// Has this element post the messages from now on.
    pub(super) fn set_element(&mut self, element: &super::FluteSink) {
        self.element = element.clone();
    }

    /// Posts what happened, and writes it into the log.
    pub(super) fn report(&mut self, event: Event) {
        let element = &self.element;
        match event {
            Event::Fdt { instance_id, files } => {
                gst::debug!(CAT, obj = element, "FDT Instance {instance_id} describes {files} files");
                self.post(
                    gst::Structure::builder("flute-fdt")
                        .field("tsi", self.tsi.get())
                        .field("instance-id", instance_id)
                        .field("files", files as u64)
                        .build(),
                );
            }
            Event::TransferStarted { toi, location } => {
                gst::debug!(CAT, obj = element, "sending {location}, TOI {toi}");
                self.transfers.insert(toi, TransferProgress { began: Instant::now(), told: None });
            }
            Event::Progress { toi, location, sent, packets } => {
                let Some(transfer) = self.transfers.get_mut(&toi) else { return };
                let now = Instant::now();
                let (since, pause) = match transfer.told {
                    Some(told) => (told, PROGRESS_INTERVAL),
                    None => (transfer.began, PROGRESS_AFTER),
                };
                if now.duration_since(since) < pause {
                    return;
                }
                // Applications wait in PAUSED for what is in progress, and a transfer there waits for PLAYING.
                if transfer.told.is_none() && element.current_state() != gst::State::Playing {
                    return;
                }
                let is_first = transfer.told.replace(now).is_none();
                let kind = if is_first { gst::ProgressType::Start } else { gst::ProgressType::Continue };
                self.post_progress(kind, toi, &format!("{location}: {} %", sent * 100 / packets.max(1)));
            }
            Event::TransferEnded { toi, location, transfers, transfer_length } => {
                gst::info!(
                    CAT,
                    obj = element,
                    "sent {location}, TOI {toi}, {transfer_length} bytes, {transfers} times"
                );
                self.end_progress(gst::ProgressType::Complete, toi, &format!("{location}: sent"));
                let sent = self.object(OBJECT_SENT, toi, &location).field("transfers", transfers);
                self.tell(OBJECT_SENT, &sent.field("transfer-length", transfer_length).build());
            }
            Event::Withdrawn { toi, location, transfers } => {
                gst::info!(CAT, obj = element, "{location}, TOI {toi}, is sent no more");
                self.end_progress(gst::ProgressType::Canceled, toi, &format!("{location}: withdrawn"));
                let withdrawn = self.object(OBJECT_WITHDRAWN, toi, &location).field("transfers", transfers);
                self.tell(OBJECT_WITHDRAWN, &withdrawn.build());
            }
            Event::Failed { toi, location, reason } => {
                self.end_progress(gst::ProgressType::Error, toi, &format!("{location}: {reason}"));
                let failed = self.object(OBJECT_FAILED, toi, &location).field("reason", reason.to_string()).build();
                gst::element_warning!(
                    self.element,
                    gst::ResourceError::Read,
                    ("{location} could not be sent to its end: {reason}"),
                    details: failed.clone()
                );
                self.tell(OBJECT_FAILED, &failed);
            }
            _ => (),
        }
    }

    /// Tells of an object that the session did not take when its time had come.
    pub(super) fn report_refused(&self, location: &str, error: &ObjectError) {
        gst::element_warning!(self.element, gst::ResourceError::Settings, ("{location} is not sent: {error}"));
    }

    /// Posts that the session was opened or closed, with its counters.
    pub(super) fn report_session(&self, name: &str, mut stats: gst::Structure) {
        stats.set_name(name);
        gst::info!(CAT, obj = self.element, "{stats}");
        self.post(stats);
    }

    fn end_progress(&mut self, kind: gst::ProgressType, toi: Toi, text: &str) {
        if self.transfers.remove(&toi).is_some_and(|transfer| transfer.told.is_some()) {
            self.post_progress(kind, toi, text);
        }
    }

    fn post_progress(&self, kind: gst::ProgressType, toi: Toi, text: &str) {
        let code = format!("flute-object-{toi}");
        let progress = gst::message::Progress::builder(kind, &code, text).src(&self.element).build();
        let _ = self.element.post_message(progress);
    }

    /// The message that belongs to a signal, with what is said of every object.
    fn object(&self, signal: &str, toi: Toi, location: &str) -> gst::structure::Builder {
        let name = format!("flute-{signal}");
        let builder = gst::Structure::builder(name).field("tsi", self.tsi.get()).field("content-location", location);
        match u64::try_from(toi.get()) {
            Ok(toi) => builder.field("toi", toi),
            Err(_) => builder.field("toi", toi.to_string()),
        }
    }

    /// Emits a signal, and posts the message of the same name.
    fn tell(&self, signal: &str, details: &gst::Structure) {
        self.element.emit_by_name::<()>(signal, &[details]);
        self.post(details.clone());
    }

    /// Posts an element message. An element without a bus cannot post one.
    fn post(&self, structure: gst::Structure) {
        let _ = self.element.post_message(gst::message::Element::builder(structure).src(&self.element).build());
    }
}

/// What the `stats` property says: plain numbers, all of them `guint64`.
pub(super) fn stats(tsi: Tsi, stats: &SenderStats, queued_bytes: u64, bitrate: u64) -> gst::Structure {
    gst::Structure::builder("flute-sink-stats")
        .field("tsi", tsi.get())
        .field("packets", stats.packets)
        .field("bytes", stats.bytes)
        .field("fdt-packets", stats.fdt_packets)
        .field("repair-packets", stats.repair_packets)
        .field("fdt-instances", stats.fdt_instances)
        .field("objects", stats.objects)
        .field("transfers", stats.transfers)
        .field("failed", stats.failed)
        .field("queued-bytes", queued_bytes)
        .field("bitrate", bitrate)
        .build()
}

/// What the `stats` property says before the first session.
pub(super) fn no_stats() -> gst::Structure {
    gst::Structure::new_empty("flute-sink-stats")
}
