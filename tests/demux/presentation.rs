// SPDX-License-Identifier: MPL-2.0

//! Media segments, made once by GStreamer's encoders and multiplexers.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use gst::prelude::*;

/// Seconds of media, and segments: one each.
pub(crate) const SECONDS: u32 = 6;

/// Frames of video in a second, and so in a segment.
pub(crate) const FRAME_RATE: u32 = 25;

/// Frames of audio, of 1024 samples.
const AUDIO_FRAMES: u32 = SECONDS * 48_000 / 1024;

/// An initialisation and its segments.
pub(crate) struct Track {
    pub(crate) init: Vec<u8>,
    pub(crate) segments: Vec<Vec<u8>>,
}

/// H.264 with and without B-frames, and AAC.
pub(crate) static VIDEO: LazyLock<Track> = LazyLock::new(|| fragmented(&video("bframes=0")));
pub(crate) static VIDEO_WITH_B_FRAMES: LazyLock<Track> = LazyLock::new(|| fragmented(&video("bframes=2")));
pub(crate) static OTHER_VIDEO: LazyLock<Track> = LazyLock::new(|| fragmented(&video("bframes=0 bitrate=50")));
pub(crate) static AUDIO: LazyLock<Track> = LazyLock::new(|| fragmented(AUDIO_PIPELINE));

/// A transport stream with both, cut before the key frames.
pub(crate) static TRANSPORT_STREAM: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("%05d.ts");
    run(&format!(
        "splitmuxsink name=s muxer-factory=mpegtsmux max-size-time=1000000000 location={}  {} ! queue ! s.video  {} ! \
         queue ! s.audio_0",
        location.display(),
        video("bframes=0"),
        AUDIO_PIPELINE,
    ));
    files(folder.path())
});

const AUDIO_PIPELINE: &str = "audiotestsrc num-buffers=281 samplesperbuffer=1024 wave=ticks ! \
                              audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse";

fn video(encoder: &str) -> String {
    format!(
        "videotestsrc num-buffers={} pattern=snow ! video/x-raw,width=96,height=64,framerate={FRAME_RATE}/1 ! \
         x264enc key-int-max={FRAME_RATE} option-string=scenecut=0 speed-preset=veryfast bitrate=300 {encoder} ! h264parse",
        SECONDS * FRAME_RATE
    )
}

fn run(description: &str) {
    assert_eq!(AUDIO_FRAMES, 281);
    let pipeline = gst::parse::launch(description).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let end = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(120), &end).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}

/// The files of a folder, by their names.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Cuts the fragments of a stream apart at its top-level boxes.
fn fragmented(encoder: &str) -> Track {
    let folder = tempfile::tempdir().unwrap();
    let movie = folder.path().join("movie.mp4");
    run(&format!(
        "{encoder} ! mp4mux fragment-duration=1000 fragment-mode=dash-or-mss ! filesink location={}",
        movie.display()
    ));
    let movie = fs::read(movie).unwrap();
    let mut track = Track { init: Vec::new(), segments: Vec::new() };
    let mut rest = movie.as_slice();
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        let (one, after) = rest.split_at(length);
        match &one[4..8] {
            b"ftyp" | b"moov" => track.init.extend(one),
            b"moof" => track.segments.push(one.to_vec()),
            b"mdat" => track.segments.last_mut().unwrap().extend(one),
            _ => (),
        }
        rest = after;
    }
    // Frames of audio are not cut, so that a few of them can be left for one more.
    assert!((SECONDS as usize..=SECONDS as usize + 1).contains(&track.segments.len()));
    track
}
