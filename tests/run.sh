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

step() { printf '\n== %s (after %d s)\n' "$*" "$SECONDS"; }

step "Packages"
pipelines/install.sh binutils meson ninja-build tshark libxml2-utils iproute2 util-linux valgrind python3-venv
rustup component add rustfmt clippy 2>/dev/null || true

step "Formatting"
cargo fmt --all --check

step "Lints"
cargo clippy --workspace --all-targets -- -D warnings
cargo clippy --package gst-plugin-flute --all-features --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

step "Licences and sources of the libraries"
deny_version=0.20.2
# Without optimisation: it runs for a second, and is built for minutes.
[ "$(cargo deny --version 2>/dev/null)" = "cargo-deny $deny_version" ] ||
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --version "$deny_version" cargo-deny
cargo deny check bans licenses sources
if timeout 60 cargo deny fetch db >/dev/null 2>&1; then
    cargo deny check advisories
else
    echo "The database of advisories cannot be reached; they are not checked."
fi

step "Tests"
if [ "$long" = 1 ]; then export FLUTE_SOAK_SECONDS=60; fi
cargo test --workspace

step "Python"
python/run-tests.sh --quiet

step "Fuzzing"
fuzz/run.sh $((long ? 600 : 5))

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
