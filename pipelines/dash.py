# SPDX-License-Identifier: MPL-2.0
"""What make-dash.py and make-live.py share: the boxes of fragmented MP4, and adaptation sets of an MPD.

A track is a folder with init.mp4 and numbered segments, 00001.m4s and so on. Video is H.264, audio is AAC-LC.
"""

import struct

FRAME_RATE = 25
SAMPLE_RATE = 48000
SAMPLES_PER_BUFFER = 1024
WIDTH = 640
HEIGHT = 360
SEGMENT_SECONDS = 2

AUDIO_CODEC = "mp4a.40.2"

ADAPTATION_SET = """    <AdaptationSet contentType="{name}" mimeType="{name}/mp4" segmentAlignment="true" startWithSAP="1">
      <SegmentTemplate timescale="{timescale}" initialization="{name}/init.mp4" media="{name}/$Number%05d$.m4s" startNumber="{first}">
        <SegmentTimeline>
{timeline}
        </SegmentTimeline>
      </SegmentTemplate>
      <Representation id="{name}" codecs="{codecs}" bandwidth="{bandwidth}"{attributes}/>
    </AdaptationSet>"""


def adaptation_set(name, moov, bandwidth, durations, first=1, start=0):
    """The adaptation set of a track whose segments from the number `first` on have these durations."""
    codecs, attributes = AUDIO_CODEC, f' audioSamplingRate="{SAMPLE_RATE}"'
    if name == "video":
        codecs, attributes = avc_codec(moov), f' width="{WIDTH}" height="{HEIGHT}" frameRate="{FRAME_RATE}"'
    timeline = "\n".join(
        f'          <S{attribute} d="{duration}"/>'
        for attribute, duration in zip([f' t="{start}"'] + [""] * len(durations), durations)
    )
    return ADAPTATION_SET.format(
        name=name,
        timescale=timescale(moov),
        first=first,
        timeline=timeline,
        codecs=codecs,
        bandwidth=bandwidth,
        attributes=attributes,
    )


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


def fragment_start(moof):
    """The decode time of the first sample of a movie fragment."""
    content, _ = find(moof, "moof/traf/tfdt")
    return struct.unpack_from(">Q" if moof[content] == 1 else ">I", moof, content + 4)[0]


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
