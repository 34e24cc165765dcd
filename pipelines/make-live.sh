#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# A live encoder: writes a test picture with a clock, and a tick each second, into FOLDER as DASH (live.mpd) and HLS
# (live.m3u8) of the same fragmented MP4, in segments of two seconds. The last 20 s stay there.
#
#   pipelines/make-live.sh FOLDER [SECONDS]      SECONDS: 0, the default, until ^C
#
# GStreamer encodes, ffmpeg packages: dashsink of GStreamer 1.22 makes no fragmented MP4.
set -euo pipefail

folder=${1:?"usage: pipelines/make-live.sh FOLDER [SECONDS]"} seconds=${2:-0}
mkdir -p "$folder"
cd "$folder"

encode() {
    exec gst-launch-1.0 -q \
        matroskamux name=mux streamable=true ! fdsink \
        videotestsrc is-live=true pattern=ball num-buffers=$((seconds ? seconds * 25 : -1)) \
        ! video/x-raw,width=640,height=360,framerate=25/1 ! timeoverlay halignment=center font-desc="Sans 36" \
        ! x264enc tune=zerolatency speed-preset=superfast bitrate=800 key-int-max=50 option-string=scenecut=0 \
        ! video/x-h264,profile=main ! h264parse ! queue ! mux. \
        audiotestsrc is-live=true wave=ticks samplesperbuffer=1024 num-buffers=$((seconds ? seconds * 48000 / 1024 : -1)) \
        ! audio/x-raw,rate=48000,channels=2 ! avenc_aac bitrate=96000 ! aacparse ! queue ! mux.
}

# When one of the two ends, so does the other, since the pipe between them breaks.
exec ffmpeg -v error -nostdin -i <(encode) -c copy -f dash \
    -seg_duration 2 -window_size 10 -extra_window_size 5 -use_timeline 1 -use_template 1 \
    -adaptation_sets "id=0,streams=v id=1,streams=a" \
    -init_seg_name 'init-$RepresentationID$.mp4' -media_seg_name '$RepresentationID$-$Number%05d$.m4s' \
    -hls_playlist 1 -hls_master_name live.m3u8 live.mpd
