#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Several inputs of one session, each with its own names and its own protection: live video with RaptorQ, live audio in
# front of it with Reed-Solomon, and a picture that goes round for ever.
#
#   pipelines/feed-tracks.sh [ADDRESS [PORT [SECONDS]]]      SECONDS: 0, the default, until ^C
#
# FLUTE_IFACE names the interface that multicast leaves by: lo by default.
set -euo pipefail
. "$(dirname "$0")/plugins.sh" packagers

address=${1:-239.1.1.1} port=${2:-3400} seconds=${3:-0}

exec gst-launch-1.0 -e \
    flutesink name=flute address="$address" port="$port" multicast-iface="$iface" \
        sink_0::location=video/%05d.m4s sink_0::init-location=video/init.mp4 sink_0::fec=raptorq sink_0::repair-percent=20 \
        sink_1::location=audio/%05d.m4s sink_1::init-location=audio/init.mp4 sink_1::fec=rs8 sink_1::repair-percent=50 sink_1::priority=1 \
        sink_2::location=poster.jpg sink_2::carousel=all sink_2::repeat-interval=500000000 \
    videotestsrc is-live=true num-buffers=$((seconds ? seconds * 25 : -1)) \
    ! video/x-raw,width=640,height=360,framerate=25/1 ! timeoverlay \
    ! x264enc tune=zerolatency speed-preset=veryfast bitrate=1000 key-int-max=25 option-string=scenecut=0 ! video/x-h264,profile=main \
    ! h264parse ! cmafmux fragment-duration=1000000000 ! flute.sink_0 \
    audiotestsrc is-live=true wave=ticks samplesperbuffer=1920 num-buffers=$((seconds ? seconds * 25 : -1)) \
    ! audio/x-raw,rate=48000,channels=2 ! avenc_aac bitrate=128000 ! aacparse \
    ! cmafmux fragment-duration=1000000000 ! flute.sink_1 \
    videotestsrc num-buffers=1 pattern=ball ! video/x-raw,width=640,height=360 ! jpegenc ! flute.sink_2
