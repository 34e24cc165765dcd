#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Makes a DASH presentation: H.264 video and AAC audio, encoded by GStreamer, in fragmented MP4.

    make-dash.py FOLDER [SECONDS]

FOLDER gets manifest.mpd, and per track a folder with init.mp4 and numbered segments of about two seconds.
"""

import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

FRAME_RATE = 25
SAMPLE_RATE = 48000
SAMPLES_PER_BUFFER = 1024
SEGMENT_SECONDS = 2

VIDEO = (
    "videotestsrc num-buffers={frames} ! video/x-raw,width=640,height=360,framerate={fps}/1"
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
ADAPTATION_SET = """    <AdaptationSet contentType="{name}" mimeType="{name}/mp4" segmentAlignment="true" startWithSAP="1">
      <SegmentTemplate timescale="{timescale}" initialization="{name}/init.mp4" media="{name}/$Number%05d$.m4s" startNumber="1">
        <SegmentTimeline>
{timeline}
        </SegmentTimeline>
      </SegmentTemplate>
      <Representation id="{name}" codecs="{codecs}" bandwidth="{bandwidth}"{attributes}/>
    </AdaptationSet>"""


def boxes(data, start=0, end=None):
    """The boxes (ISO/IEC 14496-12 §4.2) from start to end, as (type, first byte, first byte of content, end)."""
    end = len(data) if end is None else end
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1:
            size, header = struct.unpack_from(">Q", data, start + 8)[0], 16
        elif size == 0:
            size = end - start
        yield kind.decode("latin-1"), start, start + header, start + size
        start += size


def find(data, path, start=0, end=None):
    """The content of the first box at a path such as moov/trak/mdia."""
    name, _, rest = path.partition("/")
    for kind, _, content, stop in boxes(data, start, end):
        if kind == name:
            return find(data, rest, content, stop) if rest else (content, stop)
    raise SystemExit(f"the multiplexer made no {name} box")


def timescale(moov):
    content, _ = find(moov, "moov/trak/mdia/mdhd")
    return struct.unpack_from(">I", moov, content + (20 if moov[content] == 1 else 12))[0]


def avc_codec(moov):
    """The codecs parameter of RFC 6381: the three bytes after the version of the avcC box."""
    where = moov.index(b"avcC") + 5
    return "avc1." + moov[where : where + 3].hex()


def fragment_duration(moof):
    """Sum of the sample durations of a movie fragment."""
    tfhd, _ = find(moof, "moof/traf/tfhd")
    flags = int.from_bytes(moof[tfhd + 1 : tfhd + 4], "big")
    at, default = tfhd + 8, 0
    for bit, size in ((0x1, 8), (0x2, 4), (0x8, 4)):
        if flags & bit:
            if bit == 0x8:
                default = struct.unpack_from(">I", moof, at)[0]
            at += size
    trun, _ = find(moof, "moof/traf/trun")
    flags = int.from_bytes(moof[trun + 1 : trun + 4], "big")
    count = struct.unpack_from(">I", moof, trun + 4)[0]
    if not flags & 0x100:
        return count * default
    at = trun + 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
    step = 4 * bin(flags & 0xF00).count("1")
    return sum(struct.unpack_from(">I", moof, at + step * index)[0] for index in range(count))


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
            frames=seconds * FRAME_RATE, fps=FRAME_RATE, gop=SEGMENT_SECONDS * FRAME_RATE, mux=mux, file=movies["video"]
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
            codecs, attributes = "mp4a.40.2", f' audioSamplingRate="{SAMPLE_RATE}"'
            if name == "video":
                codecs, attributes = avc_codec(moov), f' width="640" height="360" frameRate="{FRAME_RATE}"'
            timeline = "\n".join(
                f'          <S{" t=" + chr(34) + "0" + chr(34) if first else ""} d="{duration}"/>'
                for first, duration in zip([True] + [False] * len(durations), durations)
            )
            sets.append(
                ADAPTATION_SET.format(
                    name=name,
                    timescale=scale,
                    timeline=timeline,
                    codecs=codecs,
                    bandwidth=int(size * 8 / length),
                    attributes=attributes,
                )
            )
    manifest = MANIFEST.format(duration=longest, segment=SEGMENT_SECONDS, sets="\n".join(sets))
    (target / "manifest.mpd").write_text(manifest, encoding="utf-8")


if __name__ == "__main__":
    main()
