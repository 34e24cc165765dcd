#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Encodes live video and audio, multicasts their segments without a manifest, and plays them: one pad of flutesrc for each.
#
#   pipelines/segments.sh [SECONDS [VIDEO SINK [AUDIO SINK]]]
#
# FLUTE_IFACE names the interface (lo, on which nothing leaves this machine).
# Without a screen: pipelines/segments.sh 10 fakesink fakesink
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${1:-20}
video_sink=${2:-autovideosink}
audio_sink=${3:-autoaudiosink}
network="address=239.255.67.28 port=${SEGMENTS_PORT:-34569} multicast-iface=${FLUTE_IFACE:-lo}"

sender=
trap '[ -z "$sender" ] || kill "$sender" 2>/dev/null || true' EXIT

"$root/pipelines/install.sh"
cargo build --release --manifest-path "$root/Cargo.toml" --package gst-plugin-flute
export GST_PLUGIN_PATH="${CARGO_TARGET_DIR:-$root/target}/release${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"

# A segment a second, with repair symbols. The initialisations are repeated every second by themselves.
# shellcheck disable=SC2086
gst-launch-1.0 -q \
    flutesink name=f $network bitrate=8000000 fec=raptorq repair-percent=20 \
    sink_0::location=video/%05d.m4s sink_1::location=audio/%05d.m4s \
    videotestsrc is-live=true num-buffers=$((seconds * 25)) ! video/x-raw,width=640,height=360,framerate=25/1 \
    ! timeoverlay ! x264enc tune=zerolatency key-int-max=25 option-string=scenecut=0 bitrate=1500 speed-preset=veryfast \
    ! h264parse ! mp4mux fragment-duration=1000 fragment-mode=dash-or-mss ! f.sink_0 \
    audiotestsrc is-live=true wave=ticks samplesperbuffer=1024 num-buffers=$((seconds * 48000 / 1024)) \
    ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse \
    ! mp4mux fragment-duration=1000 fragment-mode=dash-or-mss ! f.sink_1 &
sender=$!

# shellcheck disable=SC2086
gst-launch-1.0 flutesrc name=f $network eos-on-close=true "src_0::location=video*" "src_1::location=audio*" \
    f.src_0 ! queue ! qtdemux ! h264parse ! avdec_h264 ! videoconvert ! queue ! "$video_sink" \
    f.src_1 ! queue ! qtdemux ! aacparse ! avdec_aac ! audioconvert ! audioresample ! queue ! "$audio_sink"
