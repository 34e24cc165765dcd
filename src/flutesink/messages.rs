// SPDX-License-Identifier: MPL-2.0

//! What applications are told of a session.

use flute_proto::lct::{Toi, Tsi};
use flute_proto::sender::{SenderEvent, SenderStats};
use gst::prelude::*;

use super::CAT;

/// Posts what happened, and writes it into the log.
pub(super) fn post(element: &super::FluteSink, tsi: Tsi, event: SenderEvent) {
    let structure = match event {
        SenderEvent::Fdt { instance_id, files } => {
            gst::debug!(CAT, obj = element, "FDT Instance {instance_id} describes {files} files");
            gst::Structure::builder("flute-fdt")
                .field("tsi", tsi.get())
                .field("instance-id", instance_id)
                .field("files", files as u64)
                .build()
        }
        SenderEvent::TransferStarted { toi, location } => {
            gst::debug!(CAT, obj = element, "Sending {location}, TOI {toi}");
            return;
        }
        SenderEvent::TransferEnded { toi, location, transfers, transfer_length } => {
            gst::info!(CAT, obj = element, "Sent {location}, TOI {toi}, {transfer_length} bytes, {transfers} times");
            object("flute-object-sent", tsi, toi, &location)
                .field("transfers", transfers)
                .field("transfer-length", transfer_length)
                .build()
        }
        SenderEvent::Withdrawn { toi, location, transfers } => {
            gst::info!(CAT, obj = element, "{location}, TOI {toi}, is sent no more");
            object("flute-object-withdrawn", tsi, toi, &location).field("transfers", transfers).build()
        }
        SenderEvent::Failed { toi, location, reason } => {
            let details =
                object("flute-object-failed", tsi, toi, &location).field("reason", reason.to_string()).build();
            gst::element_warning!(
                element,
                gst::ResourceError::Read,
                ("{location} could not be sent to its end: {reason}"),
                details: details
            );
            return;
        }
        _ => return,
    };
    // Without a bus nobody wants to know.
    let _ = element.post_message(gst::message::Element::builder(structure).src(element).build());
}

/// Posts that a session was opened or closed.
pub(super) fn post_session(element: &super::FluteSink, name: &str, stats: gst::Structure) {
    let mut structure = stats;
    structure.set_name(name);
    gst::info!(CAT, obj = element, "{structure}");
    let _ = element.post_message(gst::message::Element::builder(structure).src(element).build());
}

/// What the `stats` property says.
pub(super) fn stats(tsi: Tsi, stats: &SenderStats, queued_bytes: u64) -> gst::Structure {
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
        .build()
}

/// What the `stats` property says before the first session.
pub(super) fn no_stats() -> gst::Structure {
    gst::Structure::new_empty("flute-sink-stats")
}

fn object(name: &str, tsi: Tsi, toi: Toi, location: &str) -> gst::structure::Builder {
    let builder = gst::Structure::builder(name).field("tsi", tsi.get()).field("content-location", location);
    match u64::try_from(toi.get()) {
        Ok(toi) => builder.field("toi", toi),
        Err(_) => builder.field("toi", toi.to_string()),
    }
}
