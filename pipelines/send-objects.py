#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Sends objects that an application makes: segments through appsrc, described by the object meta, and a manifest beside
them, which is repeated until it is taken out.

    send-objects.py ADDRESS PORT

FLUTE_IFACE names the interface that multicast leaves by: lo by default.
"""

import sys

from bindings import Gst, interface, launch


def describe(**fields):
    """What receivers are told of an object. The table in the documentation of the object meta has all fields."""
    structure = Gst.Structure.new_empty("FluteObjectMeta")
    for name, value in fields.items():
        structure.set_value(name.replace("_", "-"), value)
    return structure


def segment(sink, number):
    """A buffer for appsrc. PyGObject cannot write into the meta of a buffer, so flutesink does it."""
    buffer = Gst.Buffer.new_wrapped(b"segment %d" % number)
    meta = describe(content_location=f"video/seg_{number}.m4s", content_type="video/iso.segment")
    return sink.emit("describe-object", buffer, meta)


def add_manifest(sink, segments):
    """Hands over a manifest, in place of the one before. It goes first, is sent for ever, and again two seconds after each
    transfer."""
    manifest = Gst.Buffer.new_wrapped(b"<MPD>%d segments</MPD>" % segments)
    meta = describe(
        content_location="live.mpd",
        content_type="application/dash+xml",
        priority=1,
        repeat_count=0,
        repeat_delay=2 * Gst.SECOND,
    )
    return sink.emit("add-object", manifest, meta)


def on_object(sink, details, what):
    """In the thread of the session, which waits for it. The messages flute-object-sent and flute-object-withdrawn on the
    bus say the same."""
    print(details.get_string("content-location"), what)


def main():
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} ADDRESS PORT")
    pipeline = launch("appsrc name=source ! flutesink name=sink")
    source, sink = pipeline.get_by_name("source"), pipeline.get_by_name("sink")
    sink.set_property("address", sys.argv[1])
    sink.set_property("port", int(sys.argv[2]))
    sink.set_property("multicast-iface", interface())
    sink.set_property("bitrate", 10_000_000)
    sink.connect("object-sent", on_object, "was sent")
    sink.connect("object-withdrawn", on_object, "is sent no more")

    pipeline.set_state(Gst.State.PLAYING)
    try:
        for number in range(1, 4):
            if source.emit("push-buffer", segment(sink, number)) != Gst.FlowReturn.OK or not add_manifest(sink, number):
                break
        # A transfer beside those of the carousel, for example because a receiver has just joined.
        sink.emit("send-now", "live.mpd")
        # True would end a transfer in the middle.
        sink.emit("remove-object", "live.mpd", False)
        source.emit("end-of-stream")

        message = pipeline.get_bus().timed_pop_filtered(
            Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR
        )
        if message.type == Gst.MessageType.ERROR:
            sys.exit(message.parse_error()[0].message)
    finally:
        pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
