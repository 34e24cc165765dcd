#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Installs the package into a new virtual environment, and runs all of its tests there.
#
#   python/run-tests.sh [ARGUMENT OF PYTEST ...]      PYTHON: the interpreter, python3
#
# The first time it builds for some four minutes of one core, then for half a minute; the tests take ten seconds or more.
set -euo pipefail
cd "$(dirname "$0")"

environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
"${PYTHON:-python3}" -m venv "$environment/venv"
pip=("$environment/venv/bin/pip" --quiet --disable-pip-version-check)

# Without the optimisation over all crates, for which most of the time would be spent.
CARGO_PROFILE_RELEASE_LTO=off "${pip[@]}" install .
"${pip[@]}" install 'mypy>=1.19' 'pytest>=9' 'typing_extensions>=4'
# Its package is called flute, too, so it has a folder of its own.
"${pip[@]}" install --no-deps --target "$environment/flute-alc" flute-alc==1.11.7

FLUTE_ALC=$environment/flute-alc "$environment/venv/bin/python" -m pytest "$@"
