#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Builds the plugin with cargo, and separates its debug information: CARGO OBJCOPY SOURCE TARGET PLUGIN DEBUG-FILE
# CARGO_TARGET_DIR, where it is set, takes the place of TARGET.
set -eu
cargo=$1 objcopy=$2 source=$3 target=${CARGO_TARGET_DIR:-$4} plugin=$5 debug_file=$6

# Only the last link differs from `cargo build --release`: it strips nothing.
"$cargo" rustc --release --manifest-path "$source/Cargo.toml" --package gst-plugin-flute --lib --crate-type cdylib \
    --target-dir "$target" -- -C strip=none
"$objcopy" --only-keep-debug "$target/release/libgstflute.so" "$debug_file"
"$objcopy" --strip-unneeded --add-gnu-debuglink="$debug_file" "$target/release/libgstflute.so" "$plugin"
