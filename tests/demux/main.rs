// SPDX-License-Identifier: MPL-2.0

//! `flutesrc` in front of demuxers: media segments that GStreamer's encoders and multiplexers made are sent, received,
//! taken apart and decoded, without a manifest, and what was decoded is counted.

mod player;
mod presentation;
mod sender;

mod live;
mod loss;
mod order;
mod representations;
mod sync;

use std::sync::LazyLock;

/// Whether the elements are there that the tests need. Their plugins are loaded here, by one thread.
fn init() -> bool {
    static IS_COMPLETE: LazyLock<bool> = LazyLock::new(|| {
        gst::init().unwrap();
        gstflute::plugin_register_static().unwrap();
        let needed = [
            "x264enc",
            "avenc_aac",
            "mp4mux",
            "mpegtsmux",
            "splitmuxsink",
            "qtdemux",
            "tsdemux",
            "h264parse",
            "aacparse",
            "avdec_h264",
            "decodebin3",
            "udpsrc",
        ];
        let missing = needed.into_iter().filter(|name| gst::ElementFactory::make(name).build().is_err());
        let missing: Vec<_> = missing.collect();
        if !missing.is_empty() {
            eprintln!("skipped: there is no {missing:?}");
        }
        missing.is_empty()
    });
    *IS_COMPLETE
}
