// SPDX-License-Identifier: MPL-2.0

//! Latency, and both shapes of a live source.

use std::net::{Ipv4Addr, UdpSocket};

use gst::prelude::*;

use crate::init;
use crate::player::{DECODE, Player};
use crate::presentation::{FRAME_RATE, SECONDS};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

const DEADLINE: gst::ClockTime = gst::ClockTime::from_mseconds(1500);

/// What a pad answers: whether it is live, and its least and greatest latency.
fn latency(pipeline: &gst::Pipeline) -> (bool, gst::ClockTime, Option<gst::ClockTime>) {
    let mut query = gst::query::Latency::new();
    assert!(pipeline.by_name("f").unwrap().static_pad("src").unwrap().query(&mut query));
    query.result()
}

#[test]
fn test_demux_latency_and_preroll() {
    if !init() {
        return;
    }
    let demux = "qtdemux ! fakesink";
    let network = format!("flutesrc name=f address=127.0.0.1 port={} segment-deadline=1500000000", free_port());
    let over_pad =
        format!("udpsrc address=127.0.0.1 port={} ! flutesrc name=f segment-deadline=1500000000", free_port());
    let file = "filesrc location=/dev/null ! flutesrc name=f segment-deadline=1500000000".to_owned();
    for (source, is_live, behind, waits) in [
        (&network, true, demux, true),
        (&over_pad, true, demux, true),
        (&over_pad, true, "decodebin3 ! fakesink", true),
        (&over_pad, true, "queue ! identity ! tsdemux ! fakesink", true),
        (&network, true, "fakesink", false),
        (&over_pad, true, "queue ! filesink location=/dev/null", false),
        (&file, false, demux, false),
    ] {
        let player = Player::new(&format!("{source} ! {behind}"));
        let changed = player.pipeline.set_state(gst::State::Paused).unwrap();
        assert_eq!(changed == gst::StateChangeSuccess::NoPreroll, is_live, "{source} ! {behind}");
        let (live, min, max) = latency(&player.pipeline);
        assert_eq!(live, is_live, "{source} ! {behind}");
        assert_eq!(min, if waits { DEADLINE } else { gst::ClockTime::ZERO }, "{source} ! {behind}");
        assert!(max.is_none_or(|max| max >= min), "{source} ! {behind}");
    }
}

/// One pipeline encodes, cuts and sends; another one receives and decodes, in both shapes.
#[test]
fn test_demux_from_sink_to_source_over_multicast() {
    if !init() {
        return;
    }
    for (group, shape) in [("239.255.78.1", "flutesrc name=f"), ("239.255.78.2", "udpsrc")] {
        let port = free_port();
        let network = format!("address={group} port={port} multicast-iface=lo");
        let receiver = if shape == "udpsrc" {
            format!("udpsrc name=udp {network} buffer-size=2000000 ! flutesrc name=f eos-on-close=true")
        } else {
            format!("{shape} {network} eos-on-close=true")
        };
        let player = Player::new(&format!("{receiver} ! qtdemux ! {DECODE}"));
        player.play_live(if shape == "udpsrc" { "udp" } else { "f" });
        let sender = gst::parse::launch(&format!(
            "videotestsrc num-buffers={} ! video/x-raw,width=96,height=64,framerate={FRAME_RATE}/1 ! \
             x264enc key-int-max={FRAME_RATE} option-string=scenecut=0 speed-preset=veryfast bframes=0 ! h264parse ! \
             mp4mux fragment-duration=1000 fragment-mode=dash-or-mss ! \
             flutesink {network} bitrate=4000000 sink_0::location=video/seg_%05d.m4s",
            SECONDS * FRAME_RATE
        ));
        let sender = sender.unwrap();
        sender.set_state(gst::State::Playing).unwrap();
        player.wait_for_end();
        sender.set_state(gst::State::Null).unwrap();
        assert_eq!(player.frames("video").len(), (SECONDS * FRAME_RATE) as usize, "{shape}");
        assert_eq!(player.counters("src").get::<u64>("segments"), Ok(SECONDS.into()));
    }
}
