// SPDX-License-Identifier: MPL-2.0

//! The examples in C, compiled by the compiler of the system, over the loopback interface, and under valgrind.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any of these programs takes on a machine that has other things to do.
const LONG: Duration = Duration::from_secs(120);

/// The folder of the library: cargo builds it before the tests.
fn library_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folders = test.ancestors().skip(1).map(Path::to_path_buf);
    folders.take(2).find(|folder| folder.join("libflute_ffi.so").exists()).expect("cargo has built the library")
}

/// Compiles an example against the shared library, with every warning an error.
fn compile(name: &str, into: &Path) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let libraries = library_folder();
    let program = into.join(name);
    let status = Command::new("cc")
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-g", "-I"])
        .arg(folder.join("include"))
        .arg(folder.join("examples").join(name).with_extension("c"))
        .arg("-L")
        .arg(&libraries)
        .arg(format!("-Wl,-rpath,{}", libraries.display()))
        .arg("-lflute_ffi")
        .arg("-o")
        .arg(&program)
        .status()
        .unwrap();
    assert!(status.success());
    program
}

/// A program that is killed when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(mut command: Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits for the end, which must be a good one.
    fn end(mut self) {
        let end = Instant::now() + LONG;
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "the program does not end");
            thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "{status}");
    }
}

/// Sends a file of so many bytes from one program to another, each run by `launcher`.
fn transfer(length: usize, launcher: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let words = (0..length as u32 / 4).map(|number| number.wrapping_mul(2_654_435_761));
    let content: Vec<u8> = words.flat_map(u32::to_be_bytes).collect();
    std::fs::write(folder.path().join("movie.bin"), &content).unwrap();
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let run = |name: &str, arguments: &[&str]| {
        let program = compile(name, folder.path());
        let words = launcher.iter().map(OsStr::new).chain([program.as_os_str()]);
        let words: Vec<&OsStr> = words.chain(arguments.iter().map(OsStr::new)).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(folder.path());
        Running::start(command)
    };

    let mut receiver = run("receive", &["127.0.0.1", &port]);
    let (mut stdout, stderr) = (receiver.0.stdout.take().unwrap(), receiver.0.stderr.take().unwrap());
    let mut lines = BufReader::new(stderr).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line == "listening"));
    let received = thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let told = thread::spawn(move || lines.collect::<Vec<_>>().join("\n"));
    let mut sender = run("send", &["127.0.0.1", &port, "movie.bin"]);
    let mut complaints = sender.0.stderr.take().unwrap();
    let complaints = thread::spawn(move || {
        let mut text = String::new();
        complaints.read_to_string(&mut text).unwrap();
        text
    });
    sender.end();
    receiver.end();
    let (told, complaints) = (told.join().unwrap(), complaints.join().unwrap());
    assert!(told.contains(&format!("movie.bin: {length} bytes")), "{told}\n{complaints}");
    assert!(received.join().unwrap() == content);
}

#[test]
fn a_file_goes_from_one_program_to_another() {
    transfer(800_000, &["env"]);
}

/// No access that is wrong, and no memory without an owner when the program ends. The codes keep what they have computed as
/// long as the process lasts; that is still reachable.
#[test]
fn valgrind_finds_nothing() {
    let options =
        ["--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible"];
    let launcher: Vec<&str> = ["valgrind"].into_iter().chain(options).collect();
    // As much as the buffer of a socket takes, since a receiver is slow like that.
    transfer(40_000, &launcher);
}

/// What is wrong is an error with a text, and no crash.
#[test]
fn a_file_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(compile("send", folder.path())).args(["127.0.0.1", "9", "/nonesuch"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("/nonesuch: "));
}
