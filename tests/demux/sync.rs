// SPDX-License-Identifier: MPL-2.0

//! Video and audio, played in time.

use gst::prelude::*;

use crate::init;
use crate::player::{AUDIO_IN_SYNC, DECODE_IN_SYNC, Frame, Player};
use crate::presentation::{AUDIO, FRAME_RATE, SECONDS, TRANSPORT_STREAM, VIDEO};
use crate::sender::{files, packets, ts_files};

/// A frame is 40 ms of video, or 21 ms of audio.
const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(40);

fn running(frames: &[Frame]) -> Vec<gst::ClockTime> {
    frames.iter().map(|frame| frame.running.expect("it has a running time")).collect()
}

/// Whether frames follow each other without a gap, and end a few seconds after they begin.
fn assert_steady(frames: &[gst::ClockTime]) {
    let seconds = gst::ClockTime::from_seconds(SECONDS.into());
    assert!(frames.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] < 2 * FRAME), "{frames:?}");
    let length = frames[frames.len() - 1] - frames[0];
    assert!(length + 2 * FRAME > seconds && length < seconds + FRAME, "{length}");
}

/// Pushes the objects of a live sender, each in its second.
fn push_live(player: &Player, objects: Vec<Vec<Vec<Vec<u8>>>>) {
    let clock = gst::SystemClock::obtain();
    for second in objects {
        for object in second {
            player.push(&object);
        }
        let id = clock.new_single_shot_id(clock.time() + gst::ClockTime::from_seconds(1));
        let _ = id.wait();
    }
    player.end();
}

/// Checks that nothing was late, and that both are played at the same time.
fn assert_in_sync(player: &Player, started: gst::ClockTime) {
    let (video, audio) = (player.frames("video"), player.frames("audio"));
    assert_eq!(video.len(), (SECONDS * FRAME_RATE) as usize);
    assert!(audio.len() >= 281, "{}", audio.len());
    let (video_times, audio_times) = (running(&video), running(&audio));
    assert_steady(&video_times);
    assert_steady(&audio_times);
    assert!(video_times[0].absdiff(audio_times[0]) < FRAME, "{} and {}", video_times[0], audio_times[0]);
    assert!(video_times[0] >= started, "the stream did not begin before its first segment came");
    // A sink waits for the time of a frame; it cannot wait for one that came too late.
    let lateness = |frame: &Frame| frame.rendered.unwrap().saturating_sub(frame.running.unwrap());
    let late = video.iter().chain(&audio).map(lateness).max().unwrap();
    assert!(late < gst::ClockTime::SECOND, "the latest frame was {late} late");
}

/// What a live pipeline has done when its first packet comes.
fn play_for_a_second(player: &Player) -> gst::ClockTime {
    player.play_live("packets");
    let clock = player.pipeline.clock().unwrap();
    let _ = clock.new_single_shot_id(clock.time() + gst::ClockTime::SECOND).wait();
    player.pipeline.current_running_time().unwrap()
}

#[test]
fn test_demux_video_and_audio_on_two_pads() {
    if !init() {
        return;
    }
    let (video, audio) = (files("v", "video/mp4", &VIDEO), files("a", "audio/mp4", &AUDIO));
    let packets = packets(&[video.as_slice(), &audio].concat(), Default::default());
    let (video, audio) = packets.split_at(video.len());
    let second = |index| [video, audio].iter().filter_map(|track| track.get(index).cloned()).collect::<Vec<_>>();
    let seconds = (0..audio.len()).map(second).collect();
    let player = Player::new(&format!(
        "appsrc name=packets is-live=true do-timestamp=true format=time ! flutesrc name=f src_0::location=v/* src_1::location=a/* \
         f.src_0 ! queue ! qtdemux ! {DECODE_IN_SYNC}  f.src_1 ! queue ! qtdemux ! {AUDIO_IN_SYNC}"
    ));
    let started = play_for_a_second(&player);
    push_live(&player, seconds);
    player.wait_for_end();
    assert_in_sync(&player, started);
}

#[test]
fn test_demux_transport_stream_with_both() {
    if !init() {
        return;
    }
    let packets = packets(&ts_files(&TRANSPORT_STREAM), Default::default());
    let player = Player::new(&format!(
        "appsrc name=packets is-live=true do-timestamp=true format=time ! flutesrc name=f ! tsdemux name=d \
         d. ! queue ! {DECODE_IN_SYNC}  d. ! queue ! {AUDIO_IN_SYNC}"
    ));
    let started = play_for_a_second(&player);
    push_live(&player, packets.into_iter().map(|object| vec![object]).collect());
    player.wait_for_end();
    assert_in_sync(&player, started);
}
