// SPDX-License-Identifier: MPL-2.0

//! Lost packets: repaired, or left out.

use std::sync::{Arc, Mutex};

use flute_fec::Protection;
use flute_proto::sender::{FecConfig, FecScheme};
use gst::prelude::*;

use crate::init;
use crate::player::{DECODE, Player};
use crate::presentation::{FRAME_RATE, SECONDS, TRANSPORT_STREAM, VIDEO};
use crate::sender::{files, packets, ts_files};

const ALL_FRAMES: usize = (SECONDS * FRAME_RATE) as usize;
const SEGMENT_FRAMES: usize = FRAME_RATE as usize;

/// Without three of a hundred packets, in no regular order.
fn lose(packets: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let count = packets.len();
    let is_kept = |index: &usize| (*index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & 0x3ff >= 31;
    let kept: Vec<_> = packets.into_iter().enumerate().filter(|(index, _)| is_kept(index)).collect();
    assert!((count - kept.len()) * 100 >= count * 2, "{} of {count} lost", count - kept.len());
    kept.into_iter().map(|(_, packet)| packet).collect()
}

#[test]
fn test_demux_every_frame_with_repair_symbols() {
    if !init() {
        return;
    }
    for scheme in [FecScheme::ReedSolomon8, FecScheme::RaptorQ, FecScheme::Raptor] {
        let fec = FecConfig::default().scheme(scheme).protection(Protection::Percent(30.0));
        for (demuxer, files) in
            [("qtdemux", files("video", "video/mp4", &VIDEO)), ("tsdemux", ts_files(&TRANSPORT_STREAM))]
        {
            let player = Player::new(&format!("appsrc name=packets ! flutesrc name=f ! {demuxer} ! {DECODE}"));
            player.play_all(&lose(packets(&files, fec).concat()));
            assert_eq!(player.frames("video").len(), ALL_FRAMES, "{demuxer} {scheme:?}");
            assert_eq!(player.counters("src").get::<u64>("missing"), Ok(0));
        }
    }
}

/// Sizes and DISCONT of the buffers that leave flutesrc.
fn watch(player: &Player) -> Arc<Mutex<Vec<bool>>> {
    let flags: Arc<Mutex<Vec<bool>>> = Arc::default();
    let pad = player.pipeline.by_name("f").unwrap().static_pad("src").unwrap();
    let seen = flags.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let flags = info.buffer().unwrap().flags();
        seen.lock().unwrap().push(flags.contains(gst::BufferFlags::DISCONT));
        gst::PadProbeReturn::Ok
    });
    flags
}

#[test]
fn test_demux_a_lost_segment_is_left_out() {
    if !init() {
        return;
    }
    for (demuxer, files, lost) in
        [("qtdemux", files("video", "video/mp4", &VIDEO), 3), ("tsdemux", ts_files(&TRANSPORT_STREAM), 2)]
    {
        // One packet is enough, where there is no code.
        let mut packets = packets(&files, FecConfig::default());
        let middle = packets[lost].len() / 2;
        packets[lost].remove(middle);
        let player = Player::new(&format!(
            "appsrc name=packets is-live=true ! flutesrc name=f segment-deadline=100000000 ! {demuxer} ! {DECODE}"
        ));
        let discontinuities = watch(&player);
        player.play();
        let (end, packets) = packets.split_last().unwrap();
        player.push(&packets.concat());
        // The deadline comes without another packet, and before the end.
        let bus = player.pipeline.bus().unwrap();
        let missing = loop {
            let message = bus.timed_pop_filtered(
                gst::ClockTime::from_seconds(60),
                &[gst::MessageType::Element, gst::MessageType::Error],
            );
            let message = message.expect("the segment is left out");
            assert_eq!(message.type_(), gst::MessageType::Element, "{message:?}");
            let structure = message.structure().unwrap();
            if structure.name() == "flute-segments-missing" {
                break structure.to_owned();
            }
        };
        assert_eq!(missing.get::<u64>("count"), Ok(1));
        assert_eq!(missing.get::<&str>("pad"), Ok("src"));
        assert_eq!(missing.get::<&str>("content-location"), Ok(files[lost + 1].0.as_str()));
        player.push(end);
        player.end();
        player.wait_for_end();
        assert_eq!(player.frames("video").len(), ALL_FRAMES - SEGMENT_FRAMES, "{demuxer}");
        let discontinuities = discontinuities.lock().unwrap();
        let where_they_are: Vec<_> = (0..discontinuities.len()).filter(|&index| discontinuities[index]).collect();
        assert_eq!(where_they_are, [0, lost]);
        assert_eq!(discontinuities.len(), files.len() - 1);
    }
}
