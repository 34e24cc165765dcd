// SPDX-License-Identifier: MPL-2.0

//! Three of a hundred packets are lost, each object is sent once, and every frame is there.

use std::sync::atomic::{AtomicU32, Ordering};

use gst::prelude::*;

use crate::content::{CODECS, FRAMES, dash};
use crate::player::Player;
use crate::sender::Sender;
use crate::{free_port, has_elements};

/// Loses three of a hundred buffers at random, the same in every run.
fn lose_packets(pad: &gst::Pad) -> std::sync::Arc<AtomicU32> {
    let lost = std::sync::Arc::new(AtomicU32::new(0));
    let counter = lost.clone();
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let random = std::sync::Mutex::new(move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % 100
    });
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        if (random.lock().unwrap())() < 3 {
            counter.fetch_add(1, Ordering::Relaxed);
            return gst::PadProbeReturn::Drop;
        }
        gst::PadProbeReturn::Ok
    });
    lost
}

fn every_frame_is_played(fec: &str) {
    if !has_elements(&CODECS) || !has_elements(&["dashdemux", "udpsink", "identity"]) {
        return;
    }
    let port = free_port();
    let player = Player::new(&format!("flute://127.0.0.1:{port}/manifest.mpd"), false).listening_to(port);
    // Blocks of 32 source symbols and 12 repair symbols: a loss of more than 12 of 44 does not happen. Lists of buffers
    // become single ones in identity.
    let sender = Sender::new(&format!(
        "flutedirsrc location={} manifests-last=false ! flutesink name=f fec={fec} source-block-length=32 \
         repair-symbols=12 bitrate=60000000 fdt-interval=100000000 f.src ! identity name=network \
         ! udpsink host=127.0.0.1 port={port}",
        dash().display()
    ));
    let network = sender.pipeline.by_name("network").unwrap();
    let lost = lose_packets(&network.static_pad("src").unwrap());
    let _sender = sender.play();
    player.play_to_the_end();
    assert_eq!(player.video.len(), FRAMES);
    player.video.assert_continuous();
    assert!(lost.load(Ordering::Relaxed) > 30, "{lost:?} packets were lost");
}

#[test]
fn test_playback_with_losses_reed_solomon() {
    every_frame_is_played("rs8");
}

#[test]
fn test_playback_with_losses_raptorq() {
    every_frame_is_played("raptorq");
}
