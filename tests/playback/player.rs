// SPDX-License-Identifier: MPL-2.0

//! A playbin whose sinks count what was decoded.

use std::sync::{Arc, Mutex};

use gst::prelude::*;

use crate::{LIMIT, init, is_bound, wait_until};

/// What a sink got: the timestamp and the duration of each buffer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<(gst::ClockTime, gst::ClockTime)>>>);

impl Heard {
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// All durations together, in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.0.lock().unwrap().iter().map(|(_, duration)| duration.seconds_f64()).sum()
    }

    /// Every frame is there, one 25th of a second after the other.
    pub(crate) fn assert_continuous(&self) {
        let heard = self.0.lock().unwrap();
        for pair in heard.windows(2) {
            let step = pair[1].0.saturating_sub(pair[0].0).mseconds();
            assert!((39..=41).contains(&step), "{} follows {}", pair[1].0, pair[0].0);
        }
    }
}

/// A sink that counts.
fn sink(synchronous: bool) -> (gst::Element, Heard) {
    let sink = gst::ElementFactory::make("fakesink")
        .property("sync", synchronous)
        .property("signal-handoffs", true)
        .build()
        .unwrap();
    let heard = Heard::default();
    let heard_by_sink = heard.clone();
    sink.connect("handoff", false, move |values| {
        let buffer: gst::Buffer = values[1].get().unwrap();
        let times = (buffer.pts().unwrap_or_default(), buffer.duration().unwrap_or_default());
        heard_by_sink.0.lock().unwrap().push(times);
        None
    });
    (sink, heard)
}

/// A player, stopped when it is dropped.
pub(crate) struct Player {
    playbin: gst::Element,
    pub(crate) video: Heard,
    pub(crate) audio: Heard,
}

impl Player {
    /// One that begins to play. `synchronous`: in real time.
    pub(crate) fn new(uri: &str, synchronous: bool) -> Self {
        Self::with_factory("playbin", uri, synchronous)
    }

    /// The same, by the element of this name.
    pub(crate) fn with_factory(factory: &str, uri: &str, synchronous: bool) -> Self {
        init();
        let ((video_sink, video), (audio_sink, audio)) = (sink(synchronous), sink(synchronous));
        let playbin = gst::ElementFactory::make(factory)
            .property("uri", uri)
            .property("video-sink", video_sink)
            .property("audio-sink", audio_sink)
            .build()
            .unwrap();
        // Nothing to hear or see, and nothing to convert for it.
        playbin.set_property_from_str("flags", "audio+video+native-audio+native-video");
        playbin.set_state(gst::State::Playing).unwrap();
        Self { playbin, video, audio }
    }

    /// Waits until it listens to its port.
    pub(crate) fn listening_to(self, port: u16) -> Self {
        wait_until("the player listens", || is_bound(port));
        self
    }

    /// Fails if the player has.
    pub(crate) fn check(&self) {
        if let Some(message) = self.playbin.bus().unwrap().pop_filtered(&[gst::MessageType::Error]) {
            panic!("{:?}", message.view());
        }
    }

    /// Waits for the end.
    pub(crate) fn play_to_the_end(&self) {
        let end = [gst::MessageType::Eos, gst::MessageType::Error];
        let limit = gst::ClockTime::try_from(LIMIT).unwrap();
        let message = self.playbin.bus().unwrap().timed_pop_filtered(limit, &end).expect("it ends");
        assert_eq!(message.type_(), gst::MessageType::Eos, "{:?}", message.view());
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.playbin.set_state(gst::State::Null);
    }
}
