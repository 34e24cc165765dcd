// SPDX-License-Identifier: MPL-2.0

//! Whole presentations in a carousel, to their end.

use crate::content::{CODECS, FRAMES, SECONDS, dash, hls_of_fragments, hls_of_ts};
use crate::player::Player;
use crate::sender::Sender;
use crate::{free_port, has_elements};

/// The first and the last frames of AAC are not always decoded.
#[track_caller]
fn assert_sound(player: &Player) {
    let seconds = player.audio.seconds();
    assert!((seconds - SECONDS as f64).abs() < 0.2, "{seconds} s of sound");
}

#[test]
fn test_playback_dash() {
    if !has_elements(&CODECS) || !has_elements(&["dashdemux"]) {
        return;
    }
    let (group, port) = ("239.255.70.1", free_port());
    let _sender = Sender::carousel(dash(), group, port);
    let player = Player::new(&format!("flute://{group}:{port}/manifest.mpd?tsi=1&iface=lo"), false);
    player.play_to_the_end();
    assert_eq!(player.video.len(), FRAMES);
    player.video.assert_continuous();
    assert_sound(&player);
}

#[test]
fn test_playback_hls_of_fragments() {
    if !has_elements(&CODECS) || !has_elements(&["hlsdemux"]) {
        return;
    }
    let (group, port) = ("239.255.70.2", free_port());
    let _sender = Sender::carousel(hls_of_fragments(), group, port);
    let player = Player::new(&format!("flute://{group}:{port}/live.m3u8?interface=lo"), false);
    player.play_to_the_end();
    assert_eq!(player.video.len(), FRAMES);
    player.video.assert_continuous();
    assert_sound(&player);
}

#[test]
fn test_playback_hls_of_ts() {
    if !has_elements(&CODECS) || !has_elements(&["hlsdemux"]) {
        return;
    }
    let Some(folder) = hls_of_ts() else { return };
    let (group, port) = ("239.255.70.3", free_port());
    let _sender = Sender::carousel(folder, group, port);
    let player = Player::new(&format!("flute://{group}:{port}/live.m3u8?iface=lo"), false);
    player.play_to_the_end();
    assert_eq!(player.video.len(), FRAMES);
    player.video.assert_continuous();
    assert_sound(&player);
}
