#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Installs what is missing and runs every test of the project, formatting and lints included.
#
#   tests/run.sh [--long]      --long: ten minutes of fuzzing per target, where the short run has only the inputs that a
#                              fuzzer begins with, and the soak tests for a minute instead of ten seconds
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

step() { printf '\n== %s (after %d s)\n' "$*" "$SECONDS"; }

step "Packages"
pipelines/install.sh binutils meson ninja-build tshark libxml2-utils iproute2 util-linux valgrind python3-venv \
    chromium ffmpeg vlc-bin vlc-plugin-base
# Node.js of others than Debian brings npm along.
command -v npm >/dev/null || pipelines/install.sh nodejs npm
npm --prefix flute-cli/player ci --ignore-scripts --no-audit --no-fund
rustup component add rustfmt clippy 2>/dev/null || true

# Built behind everything else: it runs for a second, and takes minutes to build. Without optimisation for the same reason.
deny_version=0.20.2
deny_log=$(mktemp)
if [ "$(cargo deny --version 2>/dev/null)" != "cargo-deny $deny_version" ]; then
    CARGO_PROFILE_DEV_DEBUG=0 nice -n 19 \
        cargo install --quiet --locked --debug --version "$deny_version" cargo-deny >"$deny_log" 2>&1 &
    deny_build=$!
fi

step "Formatting"
cargo fmt --all --check

step "Lints"
cargo clippy --workspace --all-targets -- -D warnings
cargo clippy --package gst-plugin-flute --all-features --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

step "Tests"
if [ "$long" = 1 ]; then export FLUTE_SOAK_SECONDS=60 FLUTE_LONG_TESTS=1; fi
# All that tests need has been installed.
export FLUTE_SKIP_NOTHING=1
cargo test --workspace

step "Licences and sources of the libraries"
if [ -n "${deny_build:-}" ] && ! wait "$deny_build"; then
    cat "$deny_log" >&2
    exit 1
fi
rm "$deny_log"
cargo deny check bans licenses sources
if timeout 60 cargo deny fetch db >/dev/null 2>&1; then
    cargo deny check advisories
else
    echo "The database of advisories cannot be reached; they are not checked."
fi

step "Python"
python/run-tests.sh --quiet

if [ "$long" = 1 ]; then
    step "Fuzzing"
    fuzz/run.sh 600
fi

step "Build and demo of the README"
(
    unset CARGO_TARGET_DIR
    cargo build --release
    export GST_PLUGIN_PATH=$PWD/target/release
    ./pipelines/demo.sh
)

step "Installation by meson"
meson_dir=$(mktemp -d)
trap 'rm -rf "$meson_dir" target/meson' EXIT
rm -rf target/meson
(
    export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}" DESTDIR="$meson_dir"
    meson setup target/meson
    meson install -C target/meson
)
installed=$meson_dir$(pkg-config --variable=pluginsdir gstreamer-1.0)
GST_PLUGIN_PATH=$installed gst-inspect-1.0 flute
# Debuggers find the debug information by the link in the plugin, which has none itself.
readelf --string-dump=.gnu_debuglink "$installed/libgstflute.so" | grep -q libgstflute.so.debug
if readelf --sections "$installed/libgstflute.so" | grep -q debug_info; then exit 1; fi
readelf --sections "$installed/.debug/libgstflute.so.debug" | grep -q debug_info
find "$meson_dir" -name LICENSE -printf 'licence in %P\n' | grep licence

step "All tests passed"
