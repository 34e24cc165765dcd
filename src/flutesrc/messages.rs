// SPDX-License-Identifier: MPL-2.0

//! What applications are told: the object meta, the structures of element messages and the statistics.

use flute_net::reception::{Rates, Statistics};
use flute_proto::receiver::{BlockLoss, Failure, ObjectInfo, SessionId, SessionStats};
use gst::glib;
use gst::prelude::*;

use super::FluteSrcPad;
use super::order::Counts;
use crate::object_meta::{Extensions, ObjectMeta};

/// The meta of a received object.
pub(super) fn object_meta(object: &ObjectInfo) -> ObjectMeta {
    let file = &object.file;
    ObjectMeta {
        content_location: Some(file.content_location.clone()),
        content_type: file.content_type.clone(),
        content_encoding: file.content_encoding.clone(),
        tsi: Some(object.session.tsi.get()),
        source: object.session.source,
        toi: Some(file.toi),
        content_length: file.content_length,
        transfer_length: Some(object.transfer_length),
        md5: file.content_md5.map(|md5| glib::base64_encode(&md5).into()),
        etag: file.etag.clone(),
        cache_control: file.cache_control,
        groups: file.groups.clone(),
        extensions: Extensions::of_file(file),
        ..Default::default()
    }
}

/// `flute-object-received`: the fields of the object meta, those of the session, and `size` after decoding.
pub(super) fn received(object: &ObjectInfo, size: u64) -> gst::Structure {
    let mut structure = object_structure("flute-object-received", object);
    structure.set("size", size);
    structure
}

/// `flute-fdt-unusable`: the fields of the session; `instance-id`; and `reason`, in the words of the parser.
pub(super) fn fdt_unusable(session: &SessionId, instance_id: u32, reason: &str) -> gst::Structure {
    let mut structure = session_structure("flute-fdt-unusable", session);
    structure.set("instance-id", instance_id);
    structure.set("reason", reason);
    structure
}

/// `flute-object-lost`: the fields of the object meta and those of the session; `reason`; `missing-symbols`, the source
/// symbols that are missing; and `blocks`, an array of structures with the numbers of those source blocks that lack
/// some.
pub(super) fn lost(object: &ObjectInfo, reason: &Failure, missing: &[BlockLoss]) -> gst::Structure {
    let mut structure = object_structure("flute-object-lost", object);
    structure.set("reason", reason.to_string());
    structure.set("missing-symbols", missing.iter().map(|block| u64::from(block.missing)).sum::<u64>());
    structure.set(
        "blocks",
        gst::Array::new(missing.iter().map(|block| {
            gst::Structure::builder("block")
                .field("source-block", block.source_block)
                .field("missing", block.missing)
                .field("repair", block.repair)
                .field("source-symbols", block.source_symbols)
                .build()
                .to_send_value()
        })),
    );
    structure
}

/// `flute-fdt`: a new FDT Instance.
pub(super) fn fdt(
    session: &SessionId,
    instance_id: u32,
    files: usize,
    rejected: usize,
    complete: bool,
) -> gst::Structure {
    let mut structure = session_structure("flute-fdt", session);
    structure.set("fdt-instance-id", instance_id);
    structure.set("files", u32::try_from(files).unwrap_or(u32::MAX));
    structure.set("rejected", u32::try_from(rejected).unwrap_or(u32::MAX));
    structure.set("complete", complete);
    structure
}

/// `flute-session-opened`.
pub(super) fn session_opened(session: &SessionId) -> gst::Structure {
    session_structure("flute-session-opened", session)
}

/// `flute-session-closed`.
pub(super) fn session_closed(session: &SessionId, by_sender: bool, complete: bool) -> gst::Structure {
    let mut structure = session_structure("flute-session-closed", session);
    structure.set("by-sender", by_sender);
    structure.set("complete", complete);
    structure
}

/// `flute-segments-missing`: a `pad` goes on with the segment at `content-location`, without a `count` of segments that
/// should come before it.
pub(super) fn segments_missing(pad: &str, location: &str, count: u64) -> gst::Structure {
    gst::Structure::builder("flute-segments-missing")
        .field("pad", pad)
        .field("content-location", location)
        .field("count", count)
        .build()
}

/// `flute-segment-late`: the segment at `content-location` was complete after a `pad` had gone on without it.
pub(super) fn segment_late(pad: &str, location: &str) -> gst::Structure {
    gst::Structure::builder("flute-segment-late").field("pad", pad).field("content-location", location).build()
}

/// The property `stats`: plain structures in each other, which every binding reads.
pub(super) fn stats(stats: &Statistics, pads: &[FluteSrcPad]) -> gst::Structure {
    let mut media = gst::Structure::new_empty("pads");
    for pad in pads {
        if let Some(counts) = pad.counts() {
            media.set(pad.name(), media_counters(&counts));
        }
    }
    let mut sessions = gst::Structure::new_empty("sessions");
    for (index, ((id, counters), rates)) in stats.receiver.sessions.iter().zip(&stats.rates).enumerate() {
        let session = with_counters(session_structure("session", id), counters);
        sessions.set(format!("session-{index}"), with_rates(session, rates));
    }
    gst::Structure::builder("flutesrc-stats")
        .field("packets", stats.receiver.packets)
        .field("bytes", stats.receiver.bytes)
        .field("malformed", stats.receiver.malformed)
        .field("filtered", stats.receiver.filtered)
        .field("merged", stats.receiver.merged)
        .field("kernel-dropped", u64::from(stats.kernel_dropped))
        .field("totals", with_counters(gst::Structure::new_empty("totals"), &stats.receiver.totals))
        .field("pads", media)
        .field("sessions", sessions)
        .build()
}

/// What became of the objects of a pad that delivers media.
fn media_counters(counts: &Counts) -> gst::Structure {
    gst::Structure::builder("media")
        .field("initialisations", counts.initialisations)
        .field("segments", counts.segments)
        .field("missing", counts.missing)
        .field("late", counts.late)
        .field("repeated", counts.repeated)
        .field("other-representations", counts.other_representations)
        .field("no-media", counts.no_media)
        .field("no-room", counts.no_room)
        .field("waiting", counts.waiting)
        .field("waiting-bytes", counts.waiting_bytes)
        .build()
}

fn with_counters(mut structure: gst::Structure, stats: &SessionStats) -> gst::Structure {
    let counters = [
        ("packets", stats.packets),
        ("bytes", stats.bytes),
        ("duplicates", stats.duplicates),
        ("unusable", stats.unusable),
        ("contradictions", stats.contradictions),
        ("unusable-fdt", stats.unusable_fdt),
        ("source-symbols", stats.source_symbols),
        ("source-bytes", stats.source_bytes),
        ("repair-symbols", stats.repair_symbols),
        ("recovered", stats.recovered),
        ("lost-symbols", stats.lost_symbols),
        ("fdt-instances", stats.fdt_instances),
        ("completed", stats.completed),
        ("failed", stats.failed),
        ("active", stats.active),
        ("dropped", stats.dropped),
        ("memory", stats.memory),
    ];
    for (name, value) in counters {
        structure.set(name, value);
    }
    structure
}

/// What a session does at present. What cannot be said is left out.
fn with_rates(mut structure: gst::Structure, rates: &Rates) -> gst::Structure {
    let figures = [
        ("bits-per-second", Some(rates.bits_per_second)),
        ("packets-per-second", Some(rates.packets_per_second)),
        ("loss-percent", Some(rates.loss_percent)),
        ("residual-loss-percent", Some(rates.residual_loss_percent)),
        ("recovered-per-second", Some(rates.recovered_per_second)),
        ("overhead-percent", rates.overhead_percent),
        ("repair-margin-percent", rates.repair_margin_percent),
    ];
    for (name, value) in figures {
        if let Some(value) = value {
            structure.set(name, value);
        }
    }
    structure
}

fn object_structure(name: &str, object: &ObjectInfo) -> gst::Structure {
    let mut structure = session_structure(name, &object.session);
    object_meta(object).write_to(&mut structure);
    structure.set("fdt-instance-id", object.fdt_instance_id);
    structure
}

/// The fields of a session: `tsi`, and `source` and `destination` where they are known.
fn session_structure(name: &str, session: &SessionId) -> gst::Structure {
    gst::Structure::builder(name)
        .field("tsi", session.tsi.get())
        .field_if_some("source", session.source.map(|source| source.to_string()))
        .field_if_some("destination", session.destination.map(|destination| destination.to_string()))
        .build()
}
