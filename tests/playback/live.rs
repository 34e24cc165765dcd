// SPDX-License-Identifier: MPL-2.0

//! Live DASH: segments are sent as they are made, and the player is there from the start.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use gst::glib;

use crate::content::{CODECS, SECONDS, SEGMENT_SECONDS, dash};
use crate::player::Player;
use crate::sender::Studio;
use crate::{LIMIT, free_port, has_elements};

/// Segments that are there when the session begins.
const PAST: usize = 2;

/// How late segments are: later than a player asks for them.
const LATENESS: Duration = Duration::from_millis(700);

/// The manifest of the whole presentation as one of a live presentation that has `segments` of its segments. They are
/// listed, or else computed by the player.
fn manifest(segments: usize, start: &str, listed: bool) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut left = 0;
    for line in fs::read_to_string(dash().join("manifest.mpd")).unwrap().lines() {
        let trimmed = line.trim();
        if trimmed.starts_with("mediaPresentationDuration") {
            lines.push(format!(
                "availabilityStartTime=\"{start}\" minimumUpdatePeriod=\"PT{}S\" minBufferTime=\"PT1S\" \
                 timeShiftBufferDepth=\"PT60S\" suggestedPresentationDelay=\"PT4S\">",
                if listed { 1 } else { 100 }
            ));
        } else if trimmed.starts_with("<SegmentTemplate") && !listed {
            let timescale: usize = trimmed.split('"').nth(1).unwrap().parse().unwrap();
            let duration = format!("<SegmentTemplate duration=\"{}\" ", timescale * SEGMENT_SECONDS);
            lines.push(line.replace("<SegmentTemplate ", &duration));
        } else if trimmed.contains("SegmentTimeline>") {
            left = segments;
            if listed {
                lines.push(line.to_owned());
            }
        } else if trimmed.starts_with("<S ") {
            if listed && left > 0 {
                lines.push(line.to_owned());
            }
            left = left.saturating_sub(1);
        } else {
            lines.push(line.replace("type=\"static\"", "type=\"dynamic\""));
        }
    }
    lines.join("\n").into_bytes()
}

fn send_file(studio: &Studio, name: &str) {
    studio.send(
        name,
        if name.starts_with("video") { "video/mp4" } else { "audio/mp4" },
        fs::read(dash().join(name)).unwrap(),
    );
}

/// Sends the presentation in real time, until all of it is sent or the player has gone.
fn send(studio: &Studio, listed: bool, wanted: impl Fn() -> bool) {
    let past = Duration::from_secs((PAST * SEGMENT_SECONDS) as u64);
    let begin = Instant::now();
    let now = glib::DateTime::now_utc().unwrap();
    let start = now.add_seconds(-past.as_secs_f64()).unwrap().format("%Y-%m-%dT%H:%M:%SZ").unwrap();
    let send_manifest = |segments| {
        studio.send("http://example.com/live.mpd", "application/dash+xml", manifest(segments, &start, listed))
    };
    for track in ["video", "audio"] {
        send_file(studio, &format!("{track}/init.mp4"));
    }
    for number in 1..=SECONDS / SEGMENT_SECONDS {
        let end = Duration::from_secs((number * SEGMENT_SECONDS) as u64);
        let due = if number <= PAST { Duration::ZERO } else { end - past + LATENESS };
        while begin.elapsed() < due {
            if !wanted() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        for track in ["video", "audio"] {
            send_file(studio, &format!("{track}/{number:05}.m4s"));
        }
        if number == PAST || number > PAST && listed {
            send_manifest(number);
        }
    }
}

/// Plays for eight seconds and more.
fn play(group: &str, listed: bool) {
    if !has_elements(&CODECS) || !has_elements(&["dashdemux"]) {
        return;
    }
    let port = free_port();
    dash();
    let player = Player::new(&format!("flute://{group}:{port}/live.mpd?iface=lo&tsi=1"), true).listening_to(port);
    let studio = Studio::new(group, port);
    // From the start of what was there to the end of what comes.
    let frames = 8 * 25;
    let begin = Instant::now();
    thread::scope(|scope| {
        let player = &player;
        let wanted = move || player.video.len() < frames;
        let studio = &studio;
        scope.spawn(move || send(studio, listed, wanted));
        while player.video.len() < frames {
            player.check();
            assert!(begin.elapsed() < LIMIT, "{} frames in time", player.video.len());
            thread::sleep(Duration::from_millis(10));
        }
    });
    player.video.assert_continuous();
    assert!(player.audio.seconds() > 7.0, "{} s of sound", player.audio.seconds());
}

#[test]
fn test_playback_live_dash_of_numbers() {
    play("239.255.70.4", false);
}

#[test]
fn test_playback_live_dash_of_a_growing_timeline() {
    play("239.255.70.5", true);
}
