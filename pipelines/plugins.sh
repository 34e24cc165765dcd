#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# To be sourced: has GStreamer find flutesink and flutesrc, and builds them if it does not find them yet. With `packagers`
# as its argument the same for cmafmux, hlssink3 and hlscmafsink of gst-plugins-rs. Sets `iface` to the interface that
# FLUTE_IFACE names, or to lo, on which nothing leaves this machine.
#
#   . pipelines/plugins.sh [packagers]

pipelines=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-$pipelines/../target}
# shellcheck disable=SC2034
iface=${FLUTE_IFACE:-lo}

if ! gst-inspect-1.0 flutesink >/dev/null 2>&1; then
    cargo build --release --manifest-path "$pipelines/../Cargo.toml" --package gst-plugin-flute
    export GST_PLUGIN_PATH="$target/release${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"
fi
if [ "${1:-}" = packagers ] && ! gst-inspect-1.0 cmafmux >/dev/null 2>&1; then
    cargo build --manifest-path "$pipelines/packagers/Cargo.toml" --target-dir "$target/packagers" \
        --package gst-plugin-fmp4 --package gst-plugin-hlssink3
    export GST_PLUGIN_PATH="$target/packagers/debug${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"
fi
