#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Live fragmented MP4 from mp4mux: every fragment of a second is an object, and goes out over a second. The initialisation
# goes out every second.
#
#   pipelines/feed-fragments.sh [ADDRESS [PORT [SECONDS]]]      SECONDS: 0, the default, until ^C
#
# FLUTE_IFACE names the interface that multicast leaves by: lo by default.
set -euo pipefail
. "$(dirname "$0")/plugins.sh"

address=${1:-239.1.1.1} port=${2:-3400} seconds=${3:-0}

exec gst-launch-1.0 -e \
    videotestsrc is-live=true num-buffers=$((seconds ? seconds * 25 : -1)) \
    ! video/x-raw,width=640,height=360,framerate=25/1 ! timeoverlay \
    ! x264enc tune=zerolatency speed-preset=veryfast bitrate=1000 key-int-max=25 option-string=scenecut=0 ! video/x-h264,profile=main \
    ! h264parse ! mp4mux fragment-duration=1000 streamable=true \
    ! flutesink address="$address" port="$port" multicast-iface="$iface" \
        sink_0::location=video/%05d.m4s sink_0::init-location=video/init.mp4
