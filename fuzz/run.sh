#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Runs every fuzz target for a while, each from the inputs of seeds.py and from what earlier runs have found.
#
#   fuzz/run.sh [SECONDS PER TARGET]      10 by default
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-10}
command -v cargo-fuzz >/dev/null || cargo install --quiet --locked cargo-fuzz
# The sanitizers are unstable options, which the stable compiler takes where it is told so.
export RUSTC_BOOTSTRAP=1

fuzz/seeds.py
# As fast as it can be, and with lines in what is told of a crash.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_STRIP=none
for target in $(cargo fuzz list); do
    echo "fuzzing $target for $seconds s"
    log=$(mktemp)
    if ! cargo fuzz run --release --debug-assertions --features libfuzzer "$target" -- -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 \
        -verbosity=0 -print_final_stats=1 >"$log" 2>&1; then
        tail -n 60 "$log"
        echo "the input is in fuzz/artifacts/$target; make it a test before mending the code" >&2
        exit 1
    fi
    grep -a 'number_of_executed_units' "$log"
    rm "$log"
done
