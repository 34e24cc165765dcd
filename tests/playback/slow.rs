// SPDX-License-Identifier: MPL-2.0

//! Segments that take longer to arrive than a player waits without a byte, which is ten seconds in GStreamer.

use std::fs;

use crate::content::{CODECS, FRAMES, SECONDS, SEGMENT_SECONDS, dash};
use crate::player::Player;
use crate::sender::Studio;
use crate::{free_port, has_elements};

/// How long the segment takes.
const TRANSFER: gst::ClockTime = gst::ClockTime::from_seconds(25);

#[test]
fn test_playback_of_a_segment_that_arrives_slowly() {
    if !has_elements(&CODECS) || !has_elements(&["dashdemux2", "playbin3"]) {
        return;
    }
    let (group, port) = ("239.255.70.30", free_port());
    let read = |name: &str| fs::read(dash().join(name)).unwrap();
    let uri = format!("flute://{group}:{port}/manifest.mpd?iface=lo&tsi=1");
    let player = Player::with_factory("playbin3", &uri, false).listening_to(port);
    let studio = Studio::new(group, port);
    studio.send("manifest.mpd", "application/dash+xml", read("manifest.mpd"));
    studio.send("video/init.mp4", "video/mp4", read("video/init.mp4"));
    studio.send("audio/init.mp4", "audio/mp4", read("audio/init.mp4"));
    let slow = "video/00003.m4s";
    studio.send_within(slow, "video/mp4", read(slow), TRANSFER);
    for number in 1..=SECONDS / SEGMENT_SECONDS {
        for track in ["video", "audio"] {
            let name = format!("{track}/{number:05}.m4s");
            if name != slow {
                studio.send(&name, if track == "video" { "video/mp4" } else { "audio/mp4" }, read(&name));
            }
        }
    }
    player.play_to_the_end();
    assert_eq!(player.video.len(), FRAMES);
}
