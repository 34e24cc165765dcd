#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The main job, end to end: makes a DASH presentation, multicasts it with flutesink, receives
# it with flutesrc into another folder, compares the two, and plays what was received.
#
#   pipelines/demo.sh [FLUTESINK PROPERTY=VALUE ...]      for example: pipelines/demo.sh fec=rs8 repair-percent=20
#
# DEMO_SECONDS sets the length of the presentation (20), DEMO_BITRATE the rate on the wire in bit/s (40000000), FLUTE_IFACE
# the interface (lo, on which nothing leaves this machine).
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
address=239.255.67.26
port=${DEMO_PORT:-34567}
bitrate=${DEMO_BITRATE:-40000000}
iface=${FLUTE_IFACE:-lo}

work=$(mktemp -d "${TMPDIR:-/tmp}/flute-demo.XXXXXX")
receiver=
cleanup() {
    [ -z "$receiver" ] || kill "$receiver" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

step() { printf '\n== %s\n' "$*"; }
fail() {
    printf '\nFAILED: %s\n' "$1" >&2
    for log in "$work"/*.log; do
        [ ! -s "$log" ] || { printf -- '-- last lines of %s\n' "$(basename "$log")"; tail -n 15 "$log"; } >&2
    done
    exit 1
}

step "Installing what is missing"
"$root/pipelines/install.sh"

step "Building the plugin"
cargo build --release --manifest-path "$root/Cargo.toml" --package gst-plugin-flute
export GST_PLUGIN_PATH="${CARGO_TARGET_DIR:-$root/target}/release${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"
gst-inspect-1.0 flute >/dev/null || fail "GStreamer does not find the plugin"

step "Encoding ${DEMO_SECONDS:-20} s of H.264 and AAC as DASH"
sent=$work/sent received=$work/received
/usr/bin/python3 "$root/pipelines/make-dash.py" "$sent" "${DEMO_SECONDS:-20}"
objects=$(find "$sent" -type f | wc -l)
bytes=$(find "$sent" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }')
echo "$objects files, $bytes bytes"

step "Multicasting to $address:$port on the interface $iface"
mkdir "$received"
gst-launch-1.0 flutesrc address=$address port="$port" multicast-iface="$iface" eos-on-close=true \
    ! flutedirsink location="$received" >"$work/receiver.log" 2>&1 &
receiver=$!
for _ in $(seq 100); do
    grep -q PLAYING "$work/receiver.log" && break
    kill -0 "$receiver" 2>/dev/null || fail "the receiver did not start"
    sleep 0.1
done

started=$(date +%s%N)
gst-launch-1.0 flutedirsrc location="$sent" ! flutesink address=$address port="$port" multicast-iface="$iface" \
    bitrate="$bitrate" "$@" >"$work/sender.log" 2>&1 &
sender=$!
arrived() { find "$received" -type f ! -name '.*' -printf '%s\n' | awk '{ sum += $1 } END { print NR, sum + 0 }'; }
progress() {
    local count size
    read -r count size < <(arrived)
    printf '\r%4d of %d files, %10d of %d bytes (%d %%)' "$count" "$objects" "$size" "$bytes" $((size * 100 / bytes))
}
while kill -0 "$receiver" 2>/dev/null; do
    progress
    if [ $(($(date +%s%N) - started)) -gt 120000000000 ]; then
        kill "$sender" 2>/dev/null || true
        fail "not everything arrived within two minutes"
    fi
    sleep 0.2
done
finished=$(date +%s%N)
progress
echo
wait "$sender" || fail "flutesink ended with an error"
wait "$receiver" || fail "flutesrc ended with an error"
receiver=

step "Comparing the two folders"
diff -r "$sent" "$received" || fail "what was received differs from what was sent"
echo "identical"

step "Playing the received manifest"
timeout 120 gst-launch-1.0 playbin uri="file://$received/manifest.mpd" video-sink=fakesink audio-sink=fakesink \
    >"$work/player.log" 2>&1 || fail "playback failed"
grep -q 'Got EOS' "$work/player.log" || fail "playback did not reach the end"
! grep -q 'ERROR' "$work/player.log" || fail "playback had an error"
echo "played to the end"

seconds=$(awk -v ns=$((finished - started)) 'BEGIN { printf "%.2f", ns / 1e9 }')
rate=$(awk -v bytes="$bytes" -v s="$seconds" 'BEGIN { printf "%.2f", bytes * 8 / s / 1e6 }')
printf '\n%-8s  %10s  %8s  %8s  %s\n' objects bytes seconds Mbit/s result
printf '%-8s  %10s  %8s  %8s  %s\n' "$objects" "$bytes" "$seconds" "$rate" "identical, played to EOS"
