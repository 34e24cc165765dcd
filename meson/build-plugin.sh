#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Builds the plugin with cargo and puts it where meson expects it: CARGO SOURCE TARGET OUTPUT
# CARGO_TARGET_DIR, where it is set, takes the place of TARGET.
set -eu
target=${CARGO_TARGET_DIR:-$3}
"$1" build --release --manifest-path "$2/Cargo.toml" --package gst-plugin-flute --lib --target-dir "$target"
cp "$target/release/libgstflute.so" "$4"
