#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Builds the plugin with cargo and puts it where meson expects it: CARGO SOURCE TARGET OUTPUT
set -eu
"$1" build --release --manifest-path "$2/Cargo.toml" --package gst-plugin-flute --lib --target-dir "$3"
cp "$3/release/libgstflute.so" "$4"
