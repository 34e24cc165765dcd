// SPDX-License-Identifier: MPL-2.0

//! Several representations in one session.

use gst::prelude::*;

use crate::init;
use crate::player::{DECODE, Player};
use crate::presentation::{AUDIO, FRAME_RATE, OTHER_VIDEO, SECONDS, VIDEO};
use crate::sender::{File, files, plain};

const ALL_FRAMES: usize = (SECONDS * FRAME_RATE) as usize;

/// First one of each, then another of each.
fn side_by_side(tracks: &[Vec<File>]) -> Vec<File> {
    let longest = tracks.iter().map(Vec::len).max().unwrap();
    (0..longest).flat_map(|index| tracks.iter().filter_map(move |track| track.get(index).cloned())).collect()
}

#[test]
fn test_demux_one_of_several_representations() {
    if !init() {
        return;
    }
    let video = files("v1", "video/mp4", &VIDEO);
    let tracks = [video, files("v2", "video/mp4", &OTHER_VIDEO), files("a", "audio/mp4", &AUDIO)];
    let sent = plain(&side_by_side(&tracks));
    let player = Player::new(&format!("appsrc name=packets ! flutesrc name=f ! qtdemux ! {DECODE}"));
    player.play_all(&sent);
    assert_eq!(player.frames("video").len(), ALL_FRAMES);
    let others = tracks[1].len() + tracks[2].len();
    assert_eq!(player.counters("src").get::<u64>("other-representations"), Ok(others as u64));
    let warnings = player.pipeline.bus().unwrap();
    let warnings: Vec<_> = warnings.iter_filtered(&[gst::MessageType::Warning]).collect();
    assert_eq!(warnings.len(), 1, "it is told once");
    let gst::MessageView::Warning(warning) = warnings[0].view() else { unreachable!() };
    assert!(warning.error().message().contains("set location"), "{warning:?}");
    // A glob chooses, and then there is nothing to warn of.
    let player = Player::new(&format!("appsrc name=packets ! flutesrc name=f location=v2/* ! qtdemux ! {DECODE}"));
    player.play_all(&sent);
    assert_eq!(player.frames("video").len(), ALL_FRAMES);
    assert_eq!(player.counters("src").get::<u64>("other-representations"), Ok(0));
    assert!(player.pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Warning]).is_none());
}
