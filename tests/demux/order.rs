// SPDX-License-Identifier: MPL-2.0

//! Segments in an order in which they are not sent.

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

use crate::init;
use crate::player::{DECODE, Player};
use crate::presentation::{FRAME_RATE, SECONDS, TRANSPORT_STREAM, VIDEO, VIDEO_WITH_B_FRAMES};
use crate::sender::{File, files, manifest, plain, ts_files};

const ALL_FRAMES: usize = (SECONDS * FRAME_RATE) as usize;

/// How many frames of video come out of files, behind this demuxer.
fn frames(demuxer: &str, files: &[File]) -> usize {
    let player = Player::new(&format!("appsrc name=packets ! flutesrc name=f ! {demuxer} ! {DECODE}"));
    player.play_all(&plain(files));
    player.frames("video").len()
}

#[test]
fn test_demux_mp4_in_order() {
    if !init() {
        return;
    }
    for track in [&VIDEO, &VIDEO_WITH_B_FRAMES] {
        let mut sent = files("video", "video/mp4", track);
        sent.insert(1, manifest());
        assert_eq!(frames("qtdemux", &sent), ALL_FRAMES);
    }
}

#[test]
fn test_demux_mp4_out_of_order() {
    if !init() {
        return;
    }
    // Pairs are exchanged, and the initialisation comes as the last but one: as to a late joiner, by a carousel.
    let mut sent = files("video", "video/mp4", &VIDEO);
    let init = sent.remove(0);
    for pair in sent.chunks_exact_mut(2) {
        pair.swap(0, 1);
    }
    sent.insert(5, init);
    assert_eq!(frames("qtdemux", &sent), ALL_FRAMES);
}

#[test]
fn test_demux_transport_stream_out_of_order() {
    if !init() {
        return;
    }
    let mut sent = ts_files(&TRANSPORT_STREAM);
    assert_eq!(frames("tsdemux", &sent), ALL_FRAMES);
    sent.swap(2, 3);
    assert_eq!(frames("tsdemux", &sent), ALL_FRAMES);
}

#[test]
fn test_demux_decodebin3() {
    if !init() {
        return;
    }
    let mut sent = files("video", "video/mp4", &VIDEO);
    sent.swap(0, 3);
    sent.insert(2, manifest());
    for files in [sent, ts_files(&TRANSPORT_STREAM)] {
        for first in ["", "queue ! "] {
            let player = Player::new(&format!(
                "appsrc name=packets ! flutesrc name=f ! {first}decodebin3 ! video/x-raw ! \
                 fakesink name=video sync=false signal-handoffs=true"
            ));
            player.play_all(&plain(&files));
            assert_eq!(player.frames("video").len(), ALL_FRAMES);
            assert_eq!(player.counters("src").get::<u64>("segments"), Ok(SECONDS.into()));
        }
    }
}

/// The names of the objects that come out of a pad in front of an element that takes everything.
fn names(properties: &str, files: &[File]) -> Vec<String> {
    let player =
        Player::new(&format!("appsrc name=packets ! flutesrc name=f {properties} ! appsink name=sink sync=false"));
    player.play();
    player.push(&plain(files));
    player.end();
    let sink = player.pipeline.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
    let pull = || sink.try_pull_sample(gst::ClockTime::from_seconds(60));
    let samples = std::iter::from_fn(pull);
    samples.map(|sample| ObjectMeta::of(sample.buffer().unwrap()).unwrap().content_location.unwrap()).collect()
}

#[test]
fn test_demux_only_in_front_of_demuxers() {
    if !init() {
        return;
    }
    let mut sent = files("v", "video/mp4", &VIDEO);
    sent.truncate(3);
    sent.insert(0, manifest());
    sent.swap(2, 3);
    let arrival = ["live.mpd", "v/init.mp4", "v/seg_00002.m4s", "v/seg_00001.m4s"];
    assert_eq!(names("", &sent), arrival);
    assert_eq!(names("order=arrival", &sent), arrival);
    assert_eq!(names("order=media", &sent), ["v/init.mp4", "v/seg_00001.m4s", "v/seg_00002.m4s"]);
}
