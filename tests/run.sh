#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Installs what is missing and runs every test of the project, formatting and lints included.
#
#   tests/run.sh [--long]      --long: ten minutes of fuzzing per target instead of five seconds, and the soak test for
#                              a minute instead of ten seconds
set -euo pipefail
cd "$(dirname "$0")/.."

long=0
for argument in "$@"; do
    case $argument in
        --long) long=1 ;;
        *)
            echo "usage: tests/run.sh [--long]" >&2
            exit 2
            ;;
    esac
done

step() { printf '\n== %s\n' "$*"; }

step "Packages"
pipelines/install.sh gstreamer1.0-plugins-base-apps meson ninja-build tshark libxml2-utils iproute2 python3-gi \
    gir1.2-gstreamer-1.0
rustup component add rustfmt clippy 2>/dev/null || true

step "Formatting"
cargo fmt --all --check

step "Lints"
cargo clippy --workspace --all-targets -- -D warnings
cargo clippy --package gst-plugin-flute --all-features --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

step "Tests"
if [ "$long" = 1 ]; then export FLUTE_SOAK_SECONDS=60; fi
cargo test --workspace

step "Fuzzing"
fuzz/run.sh $((long ? 600 : 5))

step "Demo"
pipelines/demo.sh

step "Installation by meson"
meson_dir=$(mktemp -d)
trap 'rm -rf "$meson_dir"' EXIT
meson setup "$meson_dir/build" . >/dev/null
CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}" DESTDIR="$meson_dir/root" meson install -C "$meson_dir/build" >/dev/null
plugin_dir=$(pkg-config --variable=pluginsdir gstreamer-1.0)
GST_PLUGIN_PATH="$meson_dir/root$plugin_dir" gst-inspect-1.0 flute

step "All tests passed"
