#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Makes a DASH presentation: H.264 video and AAC audio, encoded by GStreamer, in fragmented MP4.

    make-dash.py FOLDER [SECONDS]

FOLDER gets manifest.mpd, and per track a folder with init.mp4 and numbered segments of about two seconds.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

from dash import (
    FRAME_RATE,
    HEIGHT,
    SAMPLE_RATE,
    SAMPLES_PER_BUFFER,
    SEGMENT_SECONDS,
    WIDTH,
    adaptation_set,
    boxes,
    fragment_duration,
    timescale,
)

VIDEO = (
    "videotestsrc num-buffers={frames} ! video/x-raw,width={width},height={height},framerate={fps}/1"
    " ! timeoverlay ! x264enc key-int-max={gop} option-string=scenecut=0 bitrate=1500 bframes=0 speed-preset=veryfast"
    " ! video/x-h264,profile=main ! h264parse ! {mux} ! filesink location={file}"
)
AUDIO = (
    "audiotestsrc num-buffers={buffers} samplesperbuffer={size} wave=ticks"
    " ! audio/x-raw,rate={rate},channels=2 ! avenc_aac bitrate=128000 ! aacparse ! {mux} ! filesink location={file}"
)
MUX = "mp4mux fragment-duration={ms} fragment-mode=dash-or-mss"

MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static"
     mediaPresentationDuration="PT{duration:.3f}S" minBufferTime="PT{segment}S">
  <Period id="1" start="PT0S">
{sets}
  </Period>
</MPD>
"""


def cut(movie, folder):
    """Cuts a fragmented movie into init.mp4 and segments; returns the moov, the durations and the bytes of media."""
    folder.mkdir(parents=True)
    data = movie.read_bytes()
    init, segments, durations = b"", [], []
    for kind, start, _, end in boxes(data):
        if kind in ("ftyp", "moov"):
            init += data[start:end]
        elif kind == "moof":
            segments.append(data[start:end])
            durations.append(fragment_duration(segments[-1]))
        elif kind == "mdat":
            segments[-1] += data[start:end]
    (folder / "init.mp4").write_bytes(init)
    for number, segment in enumerate(segments, 1):
        (folder / f"{number:05}.m4s").write_bytes(segment)
    return init, durations, sum(map(len, segments))


def main():
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    target = pathlib.Path(sys.argv[1])
    seconds = int(sys.argv[2]) if len(sys.argv) == 3 else 20
    if target.exists() and any(target.iterdir()):
        raise SystemExit(f"{target} is not empty")
    target.mkdir(parents=True, exist_ok=True)

    mux = MUX.format(ms=SEGMENT_SECONDS * 1000)
    with tempfile.TemporaryDirectory() as work:
        movies = {name: pathlib.Path(work) / f"{name}.mp4" for name in ("video", "audio")}
        pipeline = VIDEO.format(
            frames=seconds * FRAME_RATE,
            width=WIDTH,
            height=HEIGHT,
            fps=FRAME_RATE,
            gop=SEGMENT_SECONDS * FRAME_RATE,
            mux=mux,
            file=movies["video"],
        )
        pipeline += "  " + AUDIO.format(
            buffers=seconds * SAMPLE_RATE // SAMPLES_PER_BUFFER,
            size=SAMPLES_PER_BUFFER,
            rate=SAMPLE_RATE,
            mux=mux,
            file=movies["audio"],
        )
        launch = shutil.which("gst-launch-1.0")
        if launch is None or subprocess.run([launch, "-q", *pipeline.split()]).returncode != 0:
            raise SystemExit("gst-launch-1.0 cannot encode: pipelines/install.sh installs what the pipelines need")

        sets, longest = [], 0
        for name, movie in movies.items():
            moov, durations, size = cut(movie, target / name)
            scale = timescale(moov)
            length = sum(durations) / scale
            longest = max(longest, length)
            sets.append(adaptation_set(name, moov, int(size * 8 / length), durations))
    manifest = MANIFEST.format(duration=longest, segment=SEGMENT_SECONDS, sets="\n".join(sets))
    (target / "manifest.mpd").write_text(manifest, encoding="utf-8")


if __name__ == "__main__":
    main()
