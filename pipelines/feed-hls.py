#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Live HLS: hlssink2, hlssink3 or hlscmafsink writes its segments and playlists into streams of flutesink, no file.

    feed-hls.py [hlssink2|hlssink3|hlscmafsink [ADDRESS [PORT [SECONDS]]]]      SECONDS: 0, the default, until ^C

FLUTE_IFACE names the interface that multicast leaves by: lo by default.

hlssink3 and hlscmafsink are of gst-plugins-rs; pipelines/packagers/Cargo.toml says how to build them.
"""

import signal
import sys

from bindings import GLib, Gst, interface, launch

VIDEO = (
    "videotestsrc is-live=true num-buffers={frames} ! video/x-raw,width=640,height=360,framerate=25/1 ! timeoverlay"
    " ! x264enc tune=zerolatency speed-preset=veryfast bitrate=1000 key-int-max=25 option-string=scenecut=0"
    " ! video/x-h264,profile=main ! h264parse ! {packager}"
)
PACKAGERS = {
    "hlssink2": "hlssink2 name=hls target-duration=1 location=hls/%05d.ts playlist-location=hls/live.m3u8",
    "hlssink3": "hlssink3 name=hls target-duration=1 location=hls/%05d.ts playlist-location=hls/live.m3u8",
    "hlscmafsink": "hlscmafsink name=hls target-duration=1 location=hls/%05d.m4s init-location=hls/init%05d.mp4"
    " playlist-location=hls/live.m3u8",
}


def main(packager="hlssink2", address="239.1.1.1", port="3400", seconds="0"):
    loop = GLib.MainLoop()
    errors = []
    # A pipeline of its own, so that it is still sending when the packager is done.
    sender = launch(f"flutesink name=flute bitrate=8000000 address={address} port={port} multicast-iface={interface()}")
    flute_pipeline = Gst.Pipeline()
    flute_pipeline.add(sender)
    frames = int(seconds) * 25 or -1
    pipeline = launch(VIDEO.format(frames=frames, packager=PACKAGERS[packager]))

    hls = pipeline.get_by_name("hls")
    open_object = lambda hls, location: sender.emit("open-object", location, None)  # noqa: E731
    hls.connect("get-playlist-stream", open_object)
    hls.connect("get-fragment-stream", open_object)
    if packager == "hlscmafsink":
        hls.connect("get-init-stream", open_object)
    # What has left the playlist need not be described any more. hlssink3 wants to know that it is gone.
    hls.connect("delete-fragment", lambda hls, location: sender.emit("remove-object", location, False) or True)

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
    sys.exit(main(*sys.argv[1:]))
