// SPDX-License-Identifier: MPL-2.0

//! What is played: encoded and packaged once per process.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use gst::prelude::*;
use tempfile::TempDir;

use crate::{LIMIT, has_elements};

/// Length of the presentations.
pub(crate) const SECONDS: usize = 14;
/// Frames of video in them.
pub(crate) const FRAMES: usize = SECONDS * 25;
/// Length of their segments.
pub(crate) const SEGMENT_SECONDS: usize = 2;

/// What encodes and decodes all of it.
pub(crate) const CODECS: [&str; 6] = ["x264enc", "avenc_aac", "mp4mux", "avdec_h264", "avdec_aac", "playbin"];

/// A DASH presentation of H.264 and AAC, as `pipelines/make-dash.py` makes it.
pub(crate) fn dash() -> &'static Path {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/make-dash.py");
        let status = Command::new("python3").arg(script).arg(folder.path()).arg(SECONDS.to_string()).status();
        assert!(status.unwrap().success());
        folder
    });
    FOLDER.path()
}

/// The same segments as HLS with fragmented MP4: a multivariant playlist, and one per track.
pub(crate) fn hls_of_fragments() -> &'static Path {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        for track in ["video", "audio"] {
            let segments = copy(&dash().join(track), &folder.path().join(track));
            let mut playlist = format!(
                "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:3\n#EXT-X-PLAYLIST-TYPE:VOD\n\
                 #EXT-X-MAP:URI=\"{track}/init.mp4\"\n"
            );
            for segment in segments.iter().filter(|segment| segment.ends_with(".m4s")) {
                write!(playlist, "#EXTINF:{SEGMENT_SECONDS}.0,\n{track}/{segment}\n").unwrap();
            }
            playlist.push_str("#EXT-X-ENDLIST\n");
            fs::write(folder.path().join(format!("{track}.m3u8")), playlist).unwrap();
        }
        let multivariant = "#EXTM3U\n#EXT-X-VERSION:7\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",DEFAULT=YES,AUTOSELECT=YES,URI=\"audio.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\"\nvideo.m3u8\n";
        fs::write(folder.path().join("live.m3u8"), multivariant).unwrap();
        folder
    });
    FOLDER.path()
}

/// HLS with MPEG-TS, of hlssink2; `None` where there is no such element.
pub(crate) fn hls_of_ts() -> Option<&'static Path> {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let pipeline = format!(
            "videotestsrc num-buffers={FRAMES} ! video/x-raw,width=320,height=180,framerate=25/1 \
             ! x264enc key-int-max=50 option-string=scenecut=0 bframes=0 speed-preset=veryfast bitrate=500 ! h264parse \
             ! hlssink2 name=h location={} playlist-location={} target-duration={SEGMENT_SECONDS} max-files=0 \
             playlist-length=0 \
             audiotestsrc num-buffers={} samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse \
             ! h.audio",
            at("%05d.ts"),
            at("live.m3u8"),
            SECONDS * 48_000 / 1024,
        );
        let pipeline = gst::parse::launch(&pipeline).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let end = [gst::MessageType::Eos, gst::MessageType::Error];
        let limit = gst::ClockTime::try_from(LIMIT).unwrap();
        let message = pipeline.bus().unwrap().timed_pop_filtered(limit, &end).expect("it is encoded in time");
        assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
        pipeline.set_state(gst::State::Null).unwrap();
        folder
    });
    has_elements(&["hlssink2", "mpegtsmux", "tsdemux"]).then(|| FOLDER.path())
}

/// Copies the files of a folder, and returns their names in order.
fn copy(from: &Path, to: &Path) -> Vec<String> {
    fs::create_dir(to).unwrap();
    let files: Vec<PathBuf> = fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut names: Vec<String> =
        files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    for (file, name) in files.iter().zip(&names) {
        fs::copy(file, to.join(name)).unwrap();
    }
    names.sort();
    names
}
