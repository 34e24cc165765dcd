// SPDX-License-Identifier: MPL-2.0

//! Whole presentations in a carousel, to their end.

use std::path::Path;

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

/// Plays what is in a folder, to its end.
fn play(factory: &str, folder: &Path, manifest: &str, group: &str) {
    let port = free_port();
    let _sender = Sender::carousel(folder, group, port);
    let uri = format!("flute://{group}:{port}/{manifest}?tsi=1&iface=lo");
    let player = Player::with_factory(factory, &uri, false);
    player.play_to_the_end();
    assert_eq!(player.video.len(), FRAMES);
    player.video.assert_continuous();
    assert_sound(&player);
}

#[test]
fn test_playback_dash() {
    if has_elements(&CODECS) && has_elements(&["dashdemux"]) {
        play("playbin", dash(), "manifest.mpd", "239.255.70.1");
    }
}

#[test]
fn test_playback_hls_of_fragments() {
    if has_elements(&CODECS) && has_elements(&["hlsdemux"]) {
        play("playbin", hls_of_fragments(), "live.m3u8", "239.255.70.2");
    }
}

#[test]
fn test_playback_hls_of_ts() {
    if has_elements(&CODECS)
        && has_elements(&["hlsdemux"])
        && let Some(folder) = hls_of_ts()
    {
        play("playbin", folder, "live.m3u8", "239.255.70.3");
    }
}

#[test]
fn test_playback_dash_by_playbin3() {
    if has_elements(&CODECS) && has_elements(&["playbin3", "dashdemux2"]) {
        play("playbin3", dash(), "manifest.mpd", "239.255.70.6");
    }
}

#[test]
fn test_playback_hls_by_playbin3() {
    if has_elements(&CODECS)
        && has_elements(&["playbin3", "hlsdemux2"])
        && let Some(folder) = hls_of_ts()
    {
        play("playbin3", folder, "live.m3u8", "239.255.70.7");
    }
}
