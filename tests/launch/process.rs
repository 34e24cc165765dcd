// SPDX-License-Identifier: MPL-2.0

//! Programs that use the plugin, and the folders that they fill.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A folder with nothing but the plugin that was built for this test, which lies beside the test's executable.
pub(crate) fn plugin_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let plugin = std::env::current_exe().unwrap().with_file_name("libgstflute.so");
    std::os::unix::fs::symlink(plugin, folder.path().join("libgstflute.so")).unwrap();
    folder
}

/// A program that was started, killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    _plugin: TempDir,
}

impl Process {
    /// Starts a program that finds nothing but the plugin in the folder `plugin`.
    pub(crate) fn start(mut command: Command, plugin: TempDir) -> Self {
        let child = command
            .env("GST_PLUGIN_PATH", plugin.path())
            .env("GST_REGISTRY", plugin.path().join("registry.bin"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Self { child, _plugin: plugin }
    }

    /// Waits until the process has bound `port`, as the kernel's table of UDP sockets says.
    pub(crate) fn wait_for_port(self, port: u16) -> Self {
        let bound = format!(":{port:04X} ");
        wait_until("the receiver binds its port", || {
            ["/proc/net/udp", "/proc/net/udp6"]
                .iter()
                .any(|table| fs::read_to_string(table).is_ok_and(|table| table.contains(&bound)))
        });
        self
    }

    /// Waits for the end of the process, and returns what it printed.
    pub(crate) fn finish(mut self) -> Output {
        wait_until("the program ends", || self.child.try_wait().unwrap().is_some());
        let status = self.child.wait().unwrap();
        let read = |stream: &mut dyn std::io::Read| {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            bytes
        };
        Output {
            status,
            stdout: read(self.child.stdout.as_mut().unwrap()),
            stderr: read(self.child.stderr.as_mut().unwrap()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
pub(crate) fn assert_success(output: &Output) {
    assert!(
        output.status.success(),
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Every file below a folder, by its path from there.
pub(crate) fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[track_caller]
pub(crate) fn assert_same_tree(sent: &Path, received: &Path) {
    let (sent, received) = (tree(sent), tree(received));
    let names = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(names(&sent), names(&received));
    for ((path, sent), (_, received)) in sent.iter().zip(&received) {
        assert!(sent == received, "{} differs", path.display());
    }
}
