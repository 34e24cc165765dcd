// SPDX-License-Identifier: MPL-2.0

//! What plain gst-launch-1.0 shows of losses, in processes of their own.

use std::path::Path;
use std::process::{Command, Output};

use crate::process::{Process, plugin_folder, tree};

/// Runs a pipeline to its end.
fn launch(pipeline: &str) -> Output {
    let mut command = Command::new("gst-launch-1.0");
    command.args(pipeline.split_whitespace());
    Process::start(command, plugin_folder()).finish()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A folder with files of 100 000 bytes.
fn files(count: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..count {
        let content: Vec<u8> = (0..100_000_u32).map(|byte| ((byte * (2 * file + 1)) >> 5) as u8).collect();
        std::fs::write(folder.path().join(format!("file-{file}.bin")), content).unwrap();
    }
    folder
}

fn lossy(from: &Path, to: &Path, options: &str) -> Output {
    launch(&format!(
        "flutedirsrc location={} ! flutesink bitrate=0 ! identity drop-probability=0.03 ! flutesrc {options} ! \
         flutedirsink location={}",
        from.display(),
        to.display()
    ))
}

/// Every object that is missing is named on the console, and how many they are.
#[test]
fn test_launch_names_what_is_lost() {
    let (sent, received) = (files(8), tempfile::tempdir().unwrap());
    let output = lossy(sent.path(), received.path(), "");
    let told = text(&output);
    assert!(output.status.success(), "{told}");
    let arrived = tree(received.path());
    let lost: Vec<_> = tree(sent.path()).into_iter().filter(|file| !arrived.contains(file)).collect();
    // 72 packets each: that one of them arrives whole has a chance of one in nine.
    assert!(lost.len() >= 2, "{told}");
    for (path, _) in &lost {
        let line = format!("lost {}: ", path.display());
        assert!(told.contains("WARNING") && told.contains(&line), "{line} in {told}");
    }
    assert!(told.contains("source symbols of") && told.contains("repair-percent"), "{told}");
    assert!(told.contains(&format!("{} objects were lost", lost.len())), "{told}");
}

/// With on-loss=error the program fails.
#[test]
fn test_launch_fails_for_a_loss() {
    let (sent, received) = (files(8), tempfile::tempdir().unwrap());
    let output = lossy(sent.path(), received.path(), "on-loss=error");
    let told = text(&output);
    assert!(!output.status.success() && told.contains("ERROR") && told.contains("lost file-"), "{told}");
}

/// What does not fit is told with its length and the property to set.
#[test]
fn test_launch_tells_what_does_not_fit() {
    let (sent, received) = (files(2), tempfile::tempdir().unwrap());
    let output = lossless(sent.path(), received.path(), "max-object-size=50000");
    let told = text(&output);
    assert!(told.contains("its 100000 bytes are more than max-object-size allows"), "{told}");
    // Neither memory nor files: an object of more than max-memory with a threshold that it does not reach.
    let output = lossless(sent.path(), received.path(), "max-memory=65536 spool-threshold=1000000");
    let told = text(&output);
    assert!(told.contains("its 100000 bytes are more than max-memory allows"), "{told}");
    assert!(told.contains("spool-directory"), "{told}");
}

fn lossless(from: &Path, to: &Path, options: &str) -> Output {
    launch(&format!(
        "flutedirsrc location={} ! flutesink bitrate=0 ! flutesrc {options} ! flutedirsink location={}",
        from.display(),
        to.display()
    ))
}

/// Datagrams that the kernel drops are told while the session goes on, not only as losses of objects.
#[test]
fn test_launch_tells_that_the_kernel_drops() {
    let sent = files(8);
    // Of both elements: a session on the loopback interface that nothing else uses.
    let network = format!("address=239.255.77.3 port={} multicast-iface=lo", 20_000 + std::process::id() % 10_000);
    let mut command = Command::new("timeout");
    command.args(["--signal=INT", "3", "gst-launch-1.0"]);
    // A receive buffer of two packets.
    let pipeline = format!(
        "flutesrc {network} buffer-size=2048 ! fakesink async=false sync=false \
         flutedirsrc location={} ! flutesink {network} bitrate=0",
        sent.path().display()
    );
    command.args(pipeline.split_whitespace());
    let told = text(&Process::start(command, plugin_folder()).finish());
    assert!(told.contains("WARNING") && told.contains("the kernel has dropped"), "{told}");
    assert!(told.contains("raise buffer-size and net.core.rmem_max"), "{told}");
}
