#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A live encoder: a test picture with a clock and ticks, as DASH (live.mpd) and HLS (live.m3u8) of the same segments.

    make-live.py FOLDER [SECONDS]      SECONDS: 0, the default, until ^C

GStreamer encodes. FOLDER has the manifests, and per track a folder with init.mp4 and the segments of the last 30 s; the
manifests list those of the last 20 s. Every file appears complete.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

from dash import (
    AUDIO_CODEC,
    FRAME_RATE,
    HEIGHT,
    SAMPLE_RATE,
    SAMPLES_PER_BUFFER,
    SEGMENT_SECONDS,
    WIDTH,
    adaptation_set,
    avc_codec,
    fragment_duration,
    fragment_start,
    timescale,
)

# Segments that manifests list, that are kept, and between what is played and the newest: each has to be received and
# repaired first, and GStreamer begins to play live DASH with more than eight seconds in its buffer.
LISTED = 10
KEPT = 15
BEHIND = 7
VIDEO_BITRATE = 800_000
AUDIO_BITRATE = 96_000

PIPELINE = (
    "videotestsrc is-live=true num-buffers={frames} ! video/x-raw,width={width},height={height},framerate={fps}/1"
    " ! timeoverlay halignment=center shaded-background=true"
    " ! x264enc tune=zerolatency speed-preset=superfast key-int-max={gop} option-string=scenecut=0 bitrate={kbps}"
    " ! video/x-h264,profile=main ! h264parse ! {mux} ! fdsink fd={video}"
    "  audiotestsrc is-live=true num-buffers={buffers} samplesperbuffer={size} wave=ticks"
    " ! audio/x-raw,rate={rate},channels=2 ! avenc_aac bitrate={audio_bps} ! aacparse ! {mux} ! fdsink fd={audio}"
)
MUX = "mp4mux fragment-duration={ms} fragment-mode=dash-or-mss"

LIVE = (
    'type="dynamic" availabilityStartTime="{start}" publishTime="{now}" minimumUpdatePeriod="PT{segment}S"\n'
    '     timeShiftBufferDepth="PT{depth}S" suggestedPresentationDelay="PT{delay}S"'
)
ENDED = 'type="static" mediaPresentationDuration="PT{duration:.3f}S"'
MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011"
     {kind} minBufferTime="PT{segment}S">
  <Period id="1" start="PT0S">
{sets}
  </Period>
</MPD>
"""
MASTER_PLAYLIST = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="ticks",DEFAULT=YES,AUTOSELECT=YES,URI="audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION={width}x{height},CODECS="{video},{audio}",AUDIO="audio"
video.m3u8
"""
PLAYLIST = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:{target}
#EXT-X-MEDIA-SEQUENCE:{first}
#EXT-X-MAP:URI="{name}/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:{date}
"""


def write(path, content):
    """Writes a file that is complete as soon as it has its name."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    temporary.rename(path)


def utc(seconds):
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{milliseconds:03}Z"


class Track:
    """One kind of media: its initialisation, and what is known of its last segments."""

    def __init__(self, folder, name, bandwidth):
        self.name = name
        self.bandwidth = bandwidth
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.moov = b""
        self.scale = 1
        self.count = 0
        self.segments = {}

    def set_initialisation(self, init):
        self.moov = init
        self.scale = timescale(init)
        write(self.folder / "init.mp4", init)

    def add(self, fragment):
        self.count += 1
        self.segments[self.count] = (fragment_start(fragment), fragment_duration(fragment))
        write(self.path(self.count), fragment)
        if self.segments.pop(self.count - KEPT, None):
            self.path(self.count - KEPT).unlink()

    def path(self, number):
        return self.folder / f"{number:05}.m4s"

    def listed(self):
        """The numbers of the segments that manifests list, the start of the first, and their durations."""
        numbers = range(max(1, self.count - LISTED + 1), self.count + 1)
        return numbers, self.segments[numbers[0]][0], [self.segments[number][1] for number in numbers]

    def end(self):
        return sum(self.segments[self.count]) / self.scale

    def adaptation_set(self):
        numbers, start, durations = self.listed()
        return adaptation_set(self.name, self.moov, self.bandwidth, durations, first=numbers[0], start=start)

    def playlist(self, epoch, is_ended):
        numbers, start, durations = self.listed()
        date = utc(epoch + start / self.scale)
        text = PLAYLIST.format(target=SEGMENT_SECONDS, first=numbers[0], name=self.name, date=date)
        for number, duration in zip(numbers, durations):
            text += f"#EXTINF:{duration / self.scale:.6f},\n{self.name}/{number:05}.m4s\n"
        return text + ("#EXT-X-ENDLIST\n" if is_ended else "")


class Presentation:
    """The tracks, and the manifests, which are written with each segment of the video."""

    def __init__(self, folder):
        self.folder = folder
        self.video = Track(folder, "video", VIDEO_BITRATE)
        self.audio = Track(folder, "audio", AUDIO_BITRATE)
        self.tracks = [self.video, self.audio]
        self.lock = threading.Lock()
        self.epoch = 0

    def add(self, track, fragment):
        with self.lock:
            # What was captured first is as old as its segment is long.
            self.epoch = self.epoch or time.time() - SEGMENT_SECONDS
            track.add(fragment)
            if track is self.video:
                self.write_manifests()

    def write_manifests(self, is_ended=False):
        if not all(track.count for track in self.tracks):
            return
        if is_ended:
            kind = ENDED.format(duration=self.video.end())
        else:
            kind = LIVE.format(
                start=utc(self.epoch),
                now=utc(time.time()),
                segment=SEGMENT_SECONDS,
                depth=LISTED * SEGMENT_SECONDS,
                delay=BEHIND * SEGMENT_SECONDS,
            )
        sets = "\n".join(track.adaptation_set() for track in self.tracks)
        files = {track.name + ".m3u8": track.playlist(self.epoch, is_ended) for track in self.tracks}
        files["live.mpd"] = MANIFEST.format(kind=kind, segment=SEGMENT_SECONDS, sets=sets)
        if not (self.folder / "live.m3u8").exists():
            files["live.m3u8"] = MASTER_PLAYLIST.format(
                bandwidth=VIDEO_BITRATE + AUDIO_BITRATE,
                width=WIDTH,
                height=HEIGHT,
                video=avc_codec(self.video.moov),
                audio=AUDIO_CODEC,
            )
        for name, text in files.items():
            write(self.folder / name, text.encode())


def read_box(stream):
    """The next box and its type, or None at the end."""
    header = stream.read(8)
    if len(header) < 8:
        return None
    size = int.from_bytes(header[:4], "big")
    kind = header[4:].decode("latin-1")
    return kind, header + stream.read(size - len(header))


def package(stream, presentation, track):
    """Makes segments of what the multiplexer of a track writes."""
    init = moof = b""
    while (box := read_box(stream)) is not None:
        kind, data = box
        if kind in ("ftyp", "moov"):
            init += data
            if kind == "moov":
                track.set_initialisation(init)
        elif kind == "moof":
            moof = data
        elif kind == "mdat":
            presentation.add(track, moof + data)


def main():
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    seconds = int(sys.argv[2]) if len(sys.argv) == 3 else 0
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty")
    launch = shutil.which("gst-launch-1.0")
    if launch is None:
        raise SystemExit("there is no gst-launch-1.0: pipelines/install.sh installs what the pipelines need")

    presentation = Presentation(folder)
    pipes = [os.pipe() for _ in presentation.tracks]
    video, audio = (writing for _, writing in pipes)
    pipeline = PIPELINE.format(
        frames=seconds * FRAME_RATE or -1,
        width=WIDTH,
        height=HEIGHT,
        fps=FRAME_RATE,
        gop=SEGMENT_SECONDS * FRAME_RATE,
        kbps=VIDEO_BITRATE // 1000,
        buffers=seconds * SAMPLE_RATE // SAMPLES_PER_BUFFER or -1,
        size=SAMPLES_PER_BUFFER,
        rate=SAMPLE_RATE,
        audio_bps=AUDIO_BITRATE,
        mux=MUX.format(ms=SEGMENT_SECONDS * 1000),
        video=video,
        audio=audio,
    )
    encoder = subprocess.Popen([launch, "-q", *pipeline.split()], pass_fds=(video, audio))
    threads = []
    for track, (reading, writing) in zip(presentation.tracks, pipes):
        os.close(writing)
        stream = os.fdopen(reading, "rb")
        threads.append(threading.Thread(target=package, args=(stream, presentation, track), daemon=True))
        threads[-1].start()
    try:
        status = encoder.wait()
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        # The encoder got it, too.
        encoder.wait()
        return 0
    presentation.write_manifests(is_ended=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
