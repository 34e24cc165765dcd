# SPDX-License-Identifier: MPL-2.0
"""GStreamer for the programs here, or a word on what is missing."""

import os
import sys

INSTALL = "pipelines/install.sh installs what the pipelines need"

try:
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import GLib, Gst
except (ImportError, ValueError) as error:
    sys.exit(f"{error}, for {sys.executable}: {INSTALL}, for /usr/bin/python3")

Gst.init(None)


def interface():
    """The interface that multicast leaves by: what FLUTE_IFACE names, or lo, on which nothing leaves this machine."""
    return os.environ.get("FLUTE_IFACE") or "lo"


def launch(description):
    """The pipeline of a description as gst-launch-1.0 takes it."""
    try:
        return Gst.parse_launch(description)
    except GLib.Error as error:
        hint = INSTALL
        if "flutesink" in error.message:
            hint = "set GST_PLUGIN_PATH to target/release, after cargo build --release"
        sys.exit(f"{error.message}: {hint}")
