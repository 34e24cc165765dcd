#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Live television in a browser: encodes a test picture with a clock, multicasts it as DASH and HLS with RaptorQ, and serves
# it with flute gateway. Prints the URL to open; ^C ends all of it.
#
#   pipelines/browser.sh [ADDRESS:PORT]      where the gateway listens: 127.0.0.1:8080 by default
#
# FLUTE_IFACE names the interface of the multicast (lo, on which nothing leaves this machine). With another one
# `flute gateway` on other machines serves it as well.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
listen=${1:-127.0.0.1:8080}
iface=${FLUTE_IFACE:-lo}
group=239.255.67.29:${BROWSER_PORT:-34570}

work=$(mktemp -d "${TMPDIR:-/tmp}/flute-browser.XXXXXX")
processes=()
cleanup() {
    trap '' INT TERM
    [ ${#processes[@]} -eq 0 ] || kill "${processes[@]}" 2>/dev/null || true
    wait
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 0' INT TERM

step() { printf '\n== %s\n' "$*"; }

step "Installing what is missing"
"$root/pipelines/install.sh"
# Node.js of others than Debian brings npm along.
command -v npm >/dev/null || "$root/pipelines/install.sh" nodejs npm
player=$root/flute-cli/player
if [ ! "$player/node_modules/.package-lock.json" -nt "$player/package-lock.json" ]; then
    npm --prefix "$player" ci --omit=dev --ignore-scripts --no-audit --no-fund
fi

step "Building the program"
cargo build --release --manifest-path "$root/Cargo.toml" --package flute-cli
flute=${CARGO_TARGET_DIR:-$root/target}/release/flute

step "Serving"
"$flute" gateway "tv=$group" --iface "$iface" --listen "$listen" --player-directory "$player" --quiet &
processes+=($!)
# A gateway that is started again, or later on another machine, gets every file that still counts within ten seconds.
"$flute" send "$work" --to "$group" --iface "$iface" --watch --carousel --repeat-delay 10s --fec raptorq --repair 20% --quiet &
processes+=($!)
/usr/bin/python3 "$root/pipelines/make-live.py" "$work" &
processes+=($!)

printf '\nOpen http://%s/ in a browser, and press tv/live.mpd or tv/live.m3u8. ^C ends it.\n' "$listen"
# The first one that ends, which none does by itself, ends all.
wait -n
echo "something has ended before its time" >&2
exit 1
