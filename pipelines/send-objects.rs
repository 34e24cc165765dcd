// SPDX-License-Identifier: MPL-2.0

//! Sends objects that an application makes: segments through appsrc, described by the object meta, and a manifest beside
//! them, which is repeated until it is taken out.
//!
//! ```sh
//! cargo run --example send-objects 239.1.1.1 3400
//! ```
//!
//! `FLUTE_IFACE` names the interface that multicast leaves by: lo by default.

use std::error::Error;

use gst::prelude::*;
use gstflute::object_meta::{self, ObjectMeta};

/// A segment: its bytes, and what receivers are told of it.
fn segment(number: u32) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(format!("segment {number}"));
    let meta = ObjectMeta {
        content_location: Some(format!("video/seg_{number}.m4s")),
        content_type: Some("video/iso.segment".to_owned()),
        ..Default::default()
    };
    meta.put_on(buffer.make_mut());
    buffer
}

/// Hands over a manifest, in place of the one before. It goes first, is sent for ever, and again two seconds after each
/// transfer.
fn add_manifest(sink: &gst::Element, segments: u32) -> bool {
    let manifest = gst::Buffer::from_slice(format!("<MPD>{segments} segments</MPD>"));
    let meta = gst::Structure::builder(object_meta::NAME)
        .field("content-location", "live.mpd")
        .field("content-type", "application/dash+xml")
        .field("priority", 1u32)
        .field("repeat-count", 0u32)
        .field("repeat-delay", gst::ClockTime::from_seconds(2).nseconds())
        .build();
    sink.emit_by_name("add-object", &[&manifest, &meta])
}

/// Says what happens to objects, in the thread of the session, which waits for it. The messages `flute-object-sent` and
/// `flute-object-withdrawn` on the bus say the same.
fn tell(sink: &gst::Element, signal: &str, what: &'static str) {
    sink.connect(signal, false, move |arguments| {
        let details = arguments[1].get::<gst::Structure>().ok()?;
        println!("{} {what}", details.get::<&str>("content-location").ok()?);
        None
    });
}

fn main() -> Result<(), Box<dyn Error>> {
    gst::init()?;
    // Or GStreamer finds the plugin by itself, where it is installed.
    gstflute::plugin_register_static()?;
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(port)) = (arguments.next(), arguments.next()) else {
        return Err("usage: send-objects ADDRESS PORT".into());
    };
    let source = gst_app::AppSrc::builder().build();
    let sink = gst::ElementFactory::make("flutesink")
        .property("address", address)
        .property("port", port.parse::<i32>()?)
        .property("multicast-iface", std::env::var("FLUTE_IFACE").unwrap_or_else(|_| "lo".to_owned()))
        .property("bitrate", 10_000_000u64)
        .build()?;
    tell(&sink, "object-sent", "was sent");
    tell(&sink, "object-withdrawn", "is sent no more");
    let pipeline = gst::Pipeline::new();
    pipeline.add_many([source.upcast_ref(), &sink])?;
    source.link(&sink)?;

    pipeline.set_state(gst::State::Playing)?;
    for number in 1..=3 {
        source.push_buffer(segment(number))?;
        if !add_manifest(&sink, number) {
            break;
        }
    }
    // A transfer beside those of the carousel, for example because a receiver has just joined.
    sink.emit_by_name::<bool>("send-now", &[&"live.mpd"]);
    // `true` would end a transfer in the middle.
    sink.emit_by_name::<bool>("remove-object", &[&"live.mpd", &false]);
    source.end_of_stream()?;

    let bus = pipeline.bus().expect("a pipeline has a bus");
    let message = bus.timed_pop_filtered(gst::ClockTime::NONE, &[gst::MessageType::Eos, gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null)?;
    match message.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(error.error().into()),
        _ => Ok(()),
    }
}
