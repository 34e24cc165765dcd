// SPDX-License-Identifier: MPL-2.0

//! Players of others, over HTTP, behind a network that loses packets.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::live::LiveService;
use crate::process::{Program, free_port, listen};
use crate::relay::Relay;
use crate::tools::{has, has_elements, skip};

/// One packet in so many is lost.
const LOSS: u64 = 33;

/// Seconds after which a player has hung.
const TIMEOUT: &str = "120";

/// Seconds of the live service.
const SECONDS: u32 = 45;

/// Frames of the live service that a player has to decode, of 25 a second.
const FRAMES: usize = 300;

/// How long VLC plays, and frames of that which it has to decode.
const VLC_SECONDS: u32 = 12;
const VLC_FRAMES: u64 = 200;

/// The size to which VLC scales what it has decoded.
const VLC_WIDTH: u64 = 160;
const VLC_HEIGHT: u64 = 90;

/// The user who owns nothing.
const NOBODY: u32 = 65_534;

/// Runs a player to its end.
fn play(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new("timeout").args([TIMEOUT, program]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", said(&output));
    output
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A presentation of six seconds.
fn make_presentation() -> TempDir {
    let presentation = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/make-dash.py");
    let made = Command::new("python3").arg(script).arg(presentation.path()).arg("6").status().unwrap();
    assert!(made.success());
    presentation
}

#[test]
fn players_play_what_is_repaired() {
    let elements = ["x264enc", "avenc_aac", "mp4mux", "avdec_h264", "avdec_aac", "souphttpsrc", "dashdemux"];
    if !has_elements(&elements) {
        return;
    }
    let presentation = make_presentation();
    let (listen, to) = (listen(), format!("127.0.0.1:{}", free_port()));
    let mut gateway = Program::start(&["gateway", &to, "--listen", &listen, "--json"]);
    gateway.wait_for("serving");
    let relay = Relay::start(&to, |number, _| number % LOSS == 7);
    let folder = presentation.path().to_str().unwrap();
    let fec = ["--fec", "raptorq", "--repair", "20%", "--carousel"];
    let _sender = Program::start(&[&["send", folder, "--to", relay.address()], &fec[..]].concat());
    let url = format!("http://{listen}/manifest.mpd");
    for player in ["playbin", "playbin3"] {
        let uri = format!("uri={url}");
        let sinks = ["video-sink=fakesink sync=false", "audio-sink=fakesink sync=false"];
        let played = play("gst-launch-1.0", &[&[player, &uri], &sinks[..]].concat());
        assert!(!said(&played).contains("ERROR"), "{player}: {}", said(&played));
    }
    if has("ffmpeg", &["-version"]) {
        let played = play("ffmpeg", &["-v", "error", "-i", &url, "-f", "null", "-"]);
        assert!(played.stderr.is_empty(), "{}", said(&played));
    }
}

/// A segment whose bytes take a minute to come, through a player that gives up when nothing comes for ten seconds. It takes
/// longer than other tests, and runs where `FLUTE_LONG_TESTS` is set.
#[test]
fn playbin3_plays_a_segment_that_takes_a_minute() {
    let elements =
        ["x264enc", "avenc_aac", "mp4mux", "avdec_h264", "avdec_aac", "playbin3", "souphttpsrc", "dashdemux2"];
    if std::env::var_os("FLUTE_LONG_TESTS").is_none() {
        eprintln!("skipped: FLUTE_LONG_TESTS is not set");
        return;
    }
    if !has_elements(&elements) {
        return;
    }
    let presentation = make_presentation();
    let (listen, to) = (listen(), format!("127.0.0.1:{}", free_port()));
    let mut gateway = Program::start(&["gateway", &to, "--listen", &listen, "--json"]);
    gateway.wait_for("serving");
    // One segment apart from all others, at a rate at which it takes a minute.
    let slow = tempfile::tempdir().unwrap();
    let segment = Path::new("video/00003.m4s");
    fs::create_dir(slow.path().join("video")).unwrap();
    let length = fs::metadata(presentation.path().join(segment)).unwrap().len();
    fs::rename(presentation.path().join(segment), slow.path().join(segment)).unwrap();
    let bitrate = (length * 8 / 60).to_string();
    let send = |folder: &Path, tsi: &str, more: &[&str]| {
        let all = ["send", folder.to_str().unwrap(), "--to", &to, "--tsi", tsi, "--quiet"];
        Program::start(&[&all[..], more].concat())
    };
    let _others = send(presentation.path(), "1", &["--carousel"]);
    let _slow = send(slow.path(), "2", &["--bitrate", &bitrate]);
    let uri = format!("uri=http://{listen}/manifest.mpd");
    let sinks = ["video-sink=fakesink sync=false", "audio-sink=fakesink sync=false"];
    let played =
        Command::new("timeout").args(["200", "gst-launch-1.0", "playbin3", &uri]).args(sinks).output().unwrap();
    let said = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success() && !said.contains("ERROR"), "{said}");
}

#[test]
fn players_play_live_to_the_end() {
    let Some(service) = LiveService::start(SECONDS, &[]) else { return };
    service.wait_for_segments(6);
    let elements = ["playbin", "playbin3", "avdec_h264", "avdec_aac", "souphttpsrc", "dashdemux", "hlsdemux"];
    let has_gstreamer = has_elements(&elements);
    let (has_ffmpeg, has_vlc) = (has("ffmpeg", &["-version"]), has_vlc());
    let urls = LiveService::presentations().map(|presentation| format!("{}{presentation}", service.url()));
    std::thread::scope(|players| {
        for url in &urls {
            if has_ffmpeg {
                players.spawn(|| play_with_ffmpeg(url));
            }
            if has_vlc {
                players.spawn(|| play_with_vlc(url));
            }
            if has_gstreamer {
                players.spawn(|| play_with_gstreamer("playbin", url));
            }
            // dashdemux2 of GStreamer 1.22 leaves out segments of live DASH while it fills its buffer.
            if has_gstreamer && url.ends_with(".m3u8") {
                players.spawn(|| play_with_gstreamer("playbin3", url));
            }
        }
    });
}

/// Plays to the end of the service.
fn play_with_gstreamer(player: &str, url: &str) {
    let uri = format!("uri={url}");
    let sinks = ["video-sink=fakesink silent=false sync=true", "audio-sink=fakesink sync=true"];
    let played = said(&play("gst-launch-1.0", &[&["-v", player, &uri], &sinks[..]].concat()));
    // One line for each buffer of the video.
    let frames = played.matches("last-message = chain").count();
    assert!(frames >= FRAMES && !played.contains("ERROR"), "{player} {url}: {frames} frames");
}

/// Plays so many frames: ffmpeg 5 plays the end of a DASH presentation again and again that was live.
fn play_with_ffmpeg(url: &str) {
    let frames = FRAMES.to_string();
    let to_nowhere = ["-f", "null", "-", "-progress", "pipe:1"];
    let arguments = [&["-v", "error", "-nostdin", "-i", url, "-frames:v", &frames], &to_nowhere[..]].concat();
    let played = said(&play("ffmpeg", &arguments));
    assert!(played.contains(&format!("frame={frames}\n")), "{url}: {played}");
}

/// Plays for some seconds: VLC 3 waits for more of a DASH presentation that was live.
fn play_with_vlc(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames");
    let decoded = format!(
        "--sout=#transcode{{vcodec=I420,acodec=none,width={VLC_WIDTH},height={VLC_HEIGHT}}}:\
         std{{access=file,mux=dummy,dst={}}}",
        frames.display()
    );
    let run_time = format!("--run-time={VLC_SECONDS}");
    let output = vlc(folder.path()).args(["--no-sout-audio", &decoded, &run_time, url, "vlc://quit"]).output().unwrap();
    assert!(output.status.success(), "{url}: {}", said(&output));
    // I420 has three bytes for two pixels.
    let decoded = fs::metadata(frames).unwrap().len() / (VLC_WIDTH * VLC_HEIGHT * 3 / 2);
    assert!(decoded >= VLC_FRAMES, "{url}: {decoded} frames");
}

fn has_vlc() -> bool {
    let home = tempfile::tempdir().unwrap();
    let found = vlc(home.path()).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success()) || skip("there is no cvlc")
}

/// VLC without a window, which refuses to run as root.
fn vlc(home: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args([TIMEOUT, "cvlc"]).env("HOME", home);
    if rustix::process::geteuid().is_root() {
        chown(home, Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
