// SPDX-License-Identifier: MPL-2.0

//! A live service, from the encoder to the gateway, behind a network that loses packets.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{Program, free_port, listen};
use crate::relay::Relay;
use crate::tools::has_elements;

/// The part of the packets that is lost.
pub(crate) const LOSS: f64 = 0.03;

/// The name of the service.
const NAME: &str = "tv";

/// Elements that the encoder is made of.
const ELEMENTS: [&str; 7] = ["videotestsrc", "timeoverlay", "x264enc", "h264parse", "avenc_aac", "aacparse", "mp4mux"];

/// Longer than the encoder takes for some segments on a machine that has other things to do.
const TIMEOUT: Duration = Duration::from_secs(120);

/// An encoder, a sender with RaptorQ, a network and a gateway.
pub(crate) struct LiveService {
    address: String,
    // In the order in which they end.
    _encoder: Encoder,
    _sender: Program,
    _relay: Relay,
    _gateway: Program,
    folder: TempDir,
}

impl LiveService {
    /// Starts a service of this many seconds, 0 for one without an end, with further arguments of the gateway. `None` where
    /// nothing can encode it.
    pub(crate) fn start(seconds: u32, arguments: &[&str]) -> Option<Self> {
        if !has_elements(&ELEMENTS) {
            return None;
        }
        let (folder, address) = (tempfile::tempdir().unwrap(), listen());
        let to = format!("127.0.0.1:{}", free_port());
        let source = format!("{NAME}={to}");
        let mut gateway = Program::start(&[&["gateway", &source, "--listen", &address, "--json"], arguments].concat());
        gateway.wait_for("serving");
        let relay = Relay::start(&to, |number, _| is_lost(number));
        let path = folder.path().to_str().unwrap();
        let fec = ["--fec", "raptorq", "--repair", "20%"];
        let sender = Program::start(&[&["send", path, "--to", relay.address(), "--watch"], &fec[..]].concat());
        let encoder = Encoder::start(folder.path(), seconds);
        Some(Self { address, _encoder: encoder, _sender: sender, _relay: relay, _gateway: gateway, folder })
    }

    /// Waits until so many segments have been written.
    pub(crate) fn wait_for_segments(&self, count: u32) {
        let (last, started) = (self.folder.path().join(format!("video/{count:05}.m4s")), Instant::now());
        while !last.exists() {
            assert!(started.elapsed() < TIMEOUT, "the encoder writes nothing");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The page.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The presentations, as the page calls them.
    pub(crate) fn presentations() -> [String; 2] {
        ["live.mpd", "live.m3u8"].map(|manifest| format!("{NAME}/{manifest}"))
    }
}

/// Losses without a pattern, the same ones in each run: the high bits of a number that was mixed (SplitMix64).
fn is_lost(number: u64) -> bool {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (((mixed ^ (mixed >> 31)) >> 32) as f64) < LOSS * f64::from(u32::MAX)
}

/// Writes segments and manifests into a folder.
struct Encoder(Child);

impl Encoder {
    fn start(folder: &Path, seconds: u32) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/make-live.py");
        let mut command = Command::new("/usr/bin/python3");
        Self(command.arg(script).arg(folder).arg(seconds.to_string()).stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
