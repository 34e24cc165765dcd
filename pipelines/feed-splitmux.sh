#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Whole files from splitmuxsink: it stops flutesink after each of them and starts it again under another name, and the
# session goes on all the while.
#
#   pipelines/feed-splitmux.sh [ADDRESS [PORT [SECONDS]]]      SECONDS: 0, the default, until ^C
#
# FLUTE_IFACE names the interface that multicast leaves by: lo by default.
set -euo pipefail
. "$(dirname "$0")/plugins.sh"

address=${1:-239.1.1.1} port=${2:-3400} seconds=${3:-0}

exec gst-launch-1.0 -e \
    videotestsrc is-live=true num-buffers=$((seconds ? seconds * 25 : -1)) \
    ! video/x-raw,width=640,height=360,framerate=25/1 ! timeoverlay \
    ! x264enc tune=zerolatency speed-preset=veryfast bitrate=1000 key-int-max=25 option-string=scenecut=0 ! video/x-h264,profile=main \
    ! h264parse ! splitmuxsink location=clip_%05d.mp4 max-size-time=1000000000 \
        sink="flutesink address=$address port=$port multicast-iface=$iface fec=rs8"
