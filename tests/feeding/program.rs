// SPDX-License-Identifier: MPL-2.0

//! Runs a program of `pipelines/` and receives what it sends.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use flute_proto::alc::Packet;
use flute_proto::lct::{Revision, Toi};
use tempfile::TempDir;

use crate::received::Session;

/// How long a program may take that sends for a few seconds.
const TIMEOUT: Duration = Duration::from_secs(180);

/// What a program sent.
pub(crate) struct Sent {
    /// What a receiver makes of it.
    pub(crate) session: Session,
    pub(crate) packets: Vec<Vec<u8>>,
}

/// A process that is killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program with its own arguments, and with the address, the port and the number of seconds that all of them take.
pub(crate) fn run(program: &str, arguments: &[&str], seconds: u32) -> Sent {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
    let path = folder.join(program);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let port = socket.local_addr().unwrap().port().to_string();

    let plugins = plugins();
    let mut command = if program.ends_with(".py") {
        let mut python = Command::new(python());
        python.arg(&path);
        python
    } else {
        Command::new(&path)
    };
    let child = command
        .args(arguments)
        .args(["127.0.0.1", &port, &seconds.to_string()])
        .env("GST_PLUGIN_PATH", plugins.path())
        .env("GST_REGISTRY", plugins.path().join("registry.bin"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut running = Running(child);

    let start = Instant::now();
    let mut packets = Vec::new();
    let mut datagram = [0; 65_536];
    loop {
        match socket.recv(&mut datagram) {
            Ok(length) => packets.push(datagram[..length].to_vec()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                // What was sent before the end is received before that is looked at.
                if let Some(status) = running.0.try_wait().unwrap() {
                    assert!(status.success(), "{program}: {status}");
                    break;
                }
            }
            Err(error) => panic!("{program}: {error}"),
        }
        assert!(start.elapsed() < TIMEOUT, "{program} takes too long");
    }
    let session = Session::of(&packets);
    // A version of a manifest may be described, and be replaced before it is sent.
    let lost = |failed: &&String| !failed.ends_with("a new version of the same Content-Location took its place");
    assert_eq!(session.failed.iter().filter(lost).collect::<Vec<_>>(), Vec::<&String>::new());
    Sent { session, packets }
}

/// How often an object was transferred: how often its first packet came.
pub(crate) fn transfers(packets: &[Vec<u8>], toi: Toi) -> usize {
    let of_object = packets.iter().filter(|packet| decoded(packet).header.toi == Some(toi));
    let ids: Vec<_> =
        of_object.filter_map(|packet| decoded(packet).payload.map(|payload| payload.id.to_vec())).collect();
    ids.iter().filter(|&id| *id == ids[0]).count()
}

/// The IDs of the FDT Instances, in the order in which they came.
pub(crate) fn instance_ids(packets: &[Vec<u8>]) -> Vec<u32> {
    packets.iter().filter_map(|packet| decoded(packet).fdt.map(|fdt| fdt.instance_id)).collect()
}

fn decoded(packet: &[u8]) -> Packet<'_> {
    Packet::decode(packet, Revision::Rfc5651).unwrap()
}

/// A folder with the plugin that was built for this test, which lies beside the test's executable, and the packagers.
fn plugins() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let plugin = std::env::current_exe().unwrap().with_file_name("libgstflute.so");
    for plugin in [plugin, packagers().join("libgstfmp4.so"), packagers().join("libgsthlssink3.so")] {
        std::os::unix::fs::symlink(&plugin, folder.path().join(plugin.file_name().unwrap())).unwrap();
    }
    folder
}

/// Where the packagers of gst-plugins-rs are, which are built the first time.
fn packagers() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // From target/debug/deps.
        let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("packagers");
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/packagers/Cargo.toml");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--locked", "--package", "gst-plugin-fmp4", "--package", "gst-plugin-hlssink3"])
            .arg("--manifest-path")
            .arg(manifest)
            .arg("--target-dir")
            .arg(&target)
            .status();
        assert!(status.is_ok_and(|status| status.success()), "the packagers could not be built");
        target.join("debug")
    })
}

/// A Python that has the bindings of GStreamer.
fn python() -> &'static str {
    let has_bindings = |python: &&str| {
        let import = Command::new(python).args(["-c", "import gi"]).stderr(Stdio::null()).status();
        import.is_ok_and(|status| status.success())
    };
    ["python3", "/usr/bin/python3"].into_iter().find(has_bindings).expect("python3-gi is installed")
}
