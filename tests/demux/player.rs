// SPDX-License-Identifier: MPL-2.0

//! A pipeline that plays packets, and what comes out of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gst_base::prelude::*;

/// A buffer at a sink.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// In the segment.
    pub(crate) running: Option<gst::ClockTime>,
    /// On the clock when it was rendered, without the latency of the pipeline.
    pub(crate) rendered: Option<gst::ClockTime>,
}

/// Decodes H.264 of the element before, and counts as `video`.
pub(crate) const DECODE: &str = "h264parse ! avdec_h264 ! fakesink name=video sync=false signal-handoffs=true";

/// The same, in time.
pub(crate) const DECODE_IN_SYNC: &str =
    "h264parse ! avdec_h264 ! queue ! fakesink name=video sync=true signal-handoffs=true";

/// Counts frames of AAC as `audio`, in time.
pub(crate) const AUDIO_IN_SYNC: &str = "aacparse ! queue ! fakesink name=audio sync=true signal-handoffs=true";

/// A pipeline that ends in sinks named `video` and `audio`.
pub(crate) struct Player {
    pub(crate) pipeline: gst::Pipeline,
    frames: Arc<Mutex<BTreeMap<String, Vec<Frame>>>>,
}

impl Player {
    pub(crate) fn new(description: &str) -> Self {
        let pipeline = gst::parse::launch(description).unwrap().downcast::<gst::Pipeline>().unwrap();
        let frames: Arc<Mutex<BTreeMap<String, Vec<Frame>>>> = Arc::default();
        for name in ["video", "audio"] {
            let Some(sink) = pipeline.by_name(name) else { continue };
            let frames = frames.clone();
            sink.connect("handoff", false, move |values| {
                let sink = values[0].get::<gst::Element>().unwrap();
                let buffer = values[1].get::<gst::Buffer>().unwrap();
                let pad = values[2].get::<gst::Pad>().unwrap();
                let segment = pad.sticky_event::<gst::event::Segment>(0);
                let segment = segment.and_then(|event| event.segment().downcast_ref::<gst::ClockTime>().cloned());
                let running = segment.and_then(|segment| segment.to_running_time(buffer.pts()));
                let latency = sink.downcast_ref::<gst_base::BaseSink>().unwrap().latency();
                let rendered = sink.current_running_time().map(|now| now.saturating_sub(latency));
                let frame = Frame { running, rendered };
                frames.lock().unwrap().entry(sink.name().to_string()).or_default().push(frame);
                None
            });
        }
        Self { pipeline, frames }
    }

    /// Pushes packets into the element `packets`, an appsrc.
    pub(crate) fn push(&self, packets: &[Vec<u8>]) {
        let source = self.pipeline.by_name("packets").unwrap().downcast::<gst_app::AppSrc>().unwrap();
        for packet in packets {
            source.push_buffer(gst::Buffer::from_slice(packet.clone())).unwrap();
        }
    }

    pub(crate) fn play(&self) {
        self.pipeline.set_state(gst::State::Playing).unwrap();
    }

    /// Plays what is live: it runs before anything has come to its sinks.
    pub(crate) fn play_live(&self, source: &str) {
        self.play();
        let source = self.pipeline.by_name(source).unwrap();
        let (changed, state, _) = source.state(gst::ClockTime::from_seconds(60));
        changed.unwrap();
        assert_eq!(state, gst::State::Playing);
    }

    /// Waits for the end of the stream; an error is a failure.
    pub(crate) fn wait_for_end(&self) {
        let end = [gst::MessageType::Eos, gst::MessageType::Error];
        let bus = self.pipeline.bus().unwrap();
        let mut kept = Vec::new();
        loop {
            let message = bus.timed_pop(gst::ClockTime::from_seconds(120)).expect("the pipeline ends");
            if end.contains(&message.type_()) {
                assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
                break;
            }
            kept.push(message);
        }
        // For those who look for them.
        for message in kept {
            let _ = bus.post(message);
        }
    }

    /// Plays packets to the end.
    pub(crate) fn play_all(&self, packets: &[Vec<u8>]) {
        self.play();
        self.push(packets);
        self.end();
        self.wait_for_end();
    }

    /// No more packets.
    pub(crate) fn end(&self) {
        let source = self.pipeline.by_name("packets").unwrap().downcast::<gst_app::AppSrc>().unwrap();
        source.end_of_stream().unwrap();
    }

    /// The frames that a sink got so far.
    pub(crate) fn frames(&self, sink: &str) -> Vec<Frame> {
        self.frames.lock().unwrap().get(sink).cloned().unwrap_or_default()
    }

    /// The counters of a pad of the element `f`.
    pub(crate) fn counters(&self, pad: &str) -> gst::Structure {
        let stats = self.pipeline.by_name("f").unwrap().property::<gst::Structure>("stats");
        let pads = stats.get::<gst::Structure>("pads").unwrap();
        pads.get::<gst::Structure>(pad).expect("the pad delivers media")
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
