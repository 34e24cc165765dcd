#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Live CMAF from cmafmux: every segment of two seconds is an object, which is spread over the two seconds until the next,
# with a fifth of repair symbols. The initialisation goes out every second.
#
#   pipelines/feed-cmaf.sh [ADDRESS [PORT [SECONDS]]]      SECONDS: 0, the default, until ^C
#
# FLUTE_IFACE names the interface that multicast leaves by: lo by default.
set -euo pipefail
. "$(dirname "$0")/plugins.sh" packagers

address=${1:-239.1.1.1} port=${2:-3400} seconds=${3:-0}

exec gst-launch-1.0 -e \
    videotestsrc is-live=true num-buffers=$((seconds ? seconds * 25 : -1)) \
    ! video/x-raw,width=640,height=360,framerate=25/1 ! timeoverlay \
    ! x264enc tune=zerolatency speed-preset=veryfast bitrate=1000 key-int-max=50 option-string=scenecut=0 ! video/x-h264,profile=main \
    ! h264parse ! cmafmux fragment-duration=2000000000 chunk-duration=500000000 \
    ! flutesink address="$address" port="$port" multicast-iface="$iface" \
        sink_0::location=video/%05d.m4s sink_0::init-location=video/init.mp4 \
        sink_0::fec=rs8 sink_0::repair-percent=20
