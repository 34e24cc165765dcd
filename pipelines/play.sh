#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Multicasts a presentation in a carousel, and plays it from its flute:// URI.
#
#   pipelines/play.sh [FOLDER MANIFEST] [-- OPTION OF gst-play-1.0 ...]
#
# Without a folder a DASH presentation of PLAY_SECONDS (20) is made. FLUTE_IFACE names the interface (lo, on which nothing
# leaves this machine). Without a screen:
#
#   pipelines/play.sh -- --videosink=fakevideosink --audiosink=fakesink
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
address=239.255.67.27
port=${PLAY_PORT:-34568}
iface=${FLUTE_IFACE:-lo}

folder= manifest=manifest.mpd
if [ $# -ge 2 ] && [ "$1" != -- ]; then
    folder=$1 manifest=$2
    shift 2
fi
if [ $# -gt 0 ]; then
    [ "$1" = -- ] || { sed -n '3,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
    shift
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/flute-play.XXXXXX")
sender=
cleanup() {
    [ -z "$sender" ] || kill "$sender" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

"$root/pipelines/install.sh"
cargo build --release --manifest-path "$root/Cargo.toml" --package gst-plugin-flute
export GST_PLUGIN_PATH="${CARGO_TARGET_DIR:-$root/target}/release${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"

if [ -z "$folder" ]; then
    folder=$work/presentation
    /usr/bin/python3 "$root/pipelines/make-dash.py" "$folder" "${PLAY_SECONDS:-20}"
fi

# Three per cent of the packets may be lost.
gst-launch-1.0 -q flutedirsrc location="$folder" ! f.sink_0 \
    flutesink name=f address=$address port="$port" multicast-iface="$iface" tsi=1 bitrate=40000000 fec=rs8 repair-percent=20 \
    sink_0::repeat-count=100000 eos-policy=run-to-end &
sender=$!

gst-play-1.0 "$@" "flute://$address:$port/$manifest?tsi=1&interface=$iface"
