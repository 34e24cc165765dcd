#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Live DASH: dashsink writes its segments and its MPD into streams of flutesink, no file.

    feed-dash.py [ADDRESS [PORT [SECONDS]]]      SECONDS: 0, the default, until ^C

FLUTE_IFACE names the interface that multicast leaves by: lo by default.
"""

import os
import signal
import sys
import tempfile

from bindings import GLib, Gst, interface, launch

# With muxer=mp4, dashsink of GStreamer 1.22 hangs.
PIPELINE = (
    "videotestsrc is-live=true num-buffers={frames} ! video/x-raw,width=640,height=360,framerate=25/1 ! timeoverlay"
    " ! x264enc tune=zerolatency speed-preset=veryfast bitrate=1000 key-int-max=25 option-string=scenecut=0"
    " ! video/x-h264,profile=main ! h264parse"
    " ! dashsink name=dash muxer=ts dynamic=true target-duration=1 mpd-filename=live.mpd"
)


def main(address="239.1.1.1", port="3400", seconds="0"):
    loop = GLib.MainLoop()
    errors = []
    # A pipeline of its own, so that it is still sending when the packager is done.
    sender = launch(f"flutesink name=flute bitrate=8000000 address={address} port={port} multicast-iface={interface()}")
    flute_pipeline = Gst.Pipeline()
    flute_pipeline.add(sender)
    pipeline = launch(PIPELINE.format(frames=int(seconds) * 25 or -1))

    dash = pipeline.get_by_name("dash")
    open_object = lambda dash, location: sender.emit("open-object", location, None)  # noqa: E731
    # dashsink has handlers of its own, which open files: those that are connected after them have the last word.
    dash.connect_after("get-playlist-stream", open_object)
    dash.connect_after("get-fragment-stream", open_object)

    def on_error(bus, message):
        errors.append(message.parse_error()[0].message)
        loop.quit()

    for watched, at_end in ((pipeline, lambda *_: sender.send_event(Gst.Event.new_eos())), (flute_pipeline, lambda *_: loop.quit())):
        bus = watched.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", on_error)
        bus.connect("message::eos", at_end)
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGINT, lambda: pipeline.send_event(Gst.Event.new_eos()))

    flute_pipeline.set_state(Gst.State.PLAYING)
    pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    pipeline.set_state(Gst.State.NULL)
    flute_pipeline.set_state(Gst.State.NULL)
    return "; ".join(errors) or 0


if __name__ == "__main__":
    # Those handlers leave empty files where the program runs.
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        sys.exit(main(*sys.argv[1:]))
