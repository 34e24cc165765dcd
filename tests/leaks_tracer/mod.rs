// SPDX-License-Identifier: MPL-2.0

//! What is alive, by GStreamer's tracer `leaks`. It has to be asked for before the process begins, so that a test runs
//! itself again.

use std::mem::ManuallyDrop;
use std::process::Command;

use gst::prelude::*;

/// Set in the process that is watched.
const WATCHED: &str = "FLUTE_TEST_WATCHED_BY_LEAKS_TRACER";

/// Types of objects that live as long as the process.
const KEPT: [&str; 5] = ["(GstPlugin)", "(GstElementFactory)", "Allocator)", "(GstSystemClock)", "(GstTaskPool)"];

/// In the process that is watched, `watched` is run with the tracer; in any other, the test of this name is run in one.
pub(crate) fn watch(test: &str, watched: impl FnOnce(&gst::Tracer)) {
    if std::env::var_os(WATCHED).is_none() {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env("GST_TRACERS", "leaks")
            .env(WATCHED, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    crate::init();
    let tracers = gst::active_tracers();
    match tracers.iter().find(|tracer| tracer.type_().name() == "GstLeaksTracer") {
        Some(tracer) => watched(tracer),
        None => eprintln!("skipped: there is no tracer leaks"),
    }
}

/// What is alive, but for what the registry and the library of GStreamer keep.
pub(crate) fn live_objects(tracer: &gst::Tracer) -> Vec<String> {
    // The tracer gives references away that it does not own, so they must not be dropped.
    let alive = ManuallyDrop::new(tracer.emit_by_name::<gst::Structure>("get-live-objects", &[]));
    let objects = ManuallyDrop::new(alive.get::<gst::List>("live-objects-list").unwrap());
    objects
        .iter()
        .filter_map(|object| object.get::<&gst::StructureRef>().ok())
        .map(ToString::to_string)
        .filter(|object| !KEPT.iter().any(|kept| object.contains(kept)))
        .collect()
}
