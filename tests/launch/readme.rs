// SPDX-License-Identifier: MPL-2.0

//! The command lines of README.md, as they are printed. In a block with receivers (or players) and a sender, each receiver
//! runs with the sender; all others are commands of `tests/run.sh`, or prepare the folder for those that follow.
//!
//! The commands use one group and one port, so they run in a network of their own where one can be made. Sinks for a screen
//! and a loudspeaker alone are replaced: the automatic ones crash on some machines that have neither.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::process::{Process, assert_same_tree, assert_success, plugin_folder};

const README: &str = include_str!("../../README.md");
const RUN_SH: &str = include_str!("../run.sh");
/// The port of all sessions of the README.
const PORT: u16 = 3400;
const IN_NETWORK: &str = "FLUTE_README_IN_NETWORK";

/// What a command line is for, as the comment in front of it says.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Purpose {
    Receive,
    Send,
    Other,
}

#[derive(Debug)]
struct CommandLine {
    purpose: Purpose,
    text: String,
}

impl CommandLine {
    /// Starts it in `folder`, with the plugin that was built for this test.
    fn start(&self, folder: &Path) -> Process {
        let plugin = plugin_folder();
        let text = self.text.replace("gst-play-1.0 ", "gst-play-1.0 --videosink=fakesink --audiosink=fakesink ");
        let text = text.replace(" playbin ", " playbin video-sink=fakesink audio-sink=fakesink ");
        let text = text.replace(" autovideosink", " fakesink sync=true");
        let mut command = Command::new("bash");
        // The shell is replaced by the program, so that killing the process ends the program.
        command.args(["-c", &format!("exec {text}")]).current_dir(folder);
        Process::start(command, plugin)
    }

    /// Whether it sends until it is stopped.
    fn is_endless(&self) -> bool {
        self.text.contains("repeat-count=")
    }
}

/// The command lines of each fenced block.
fn blocks() -> Vec<Vec<CommandLine>> {
    README.split("```").skip(1).step_by(2).map(|block| commands(block.strip_prefix("sh\n").unwrap())).collect()
}

fn commands(block: &str) -> Vec<CommandLine> {
    let mut commands = Vec::new();
    let mut purpose = Purpose::Other;
    for line in block.replace("\\\n", " ").lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            purpose = match comment.split(':').next() {
                Some("receiver" | "player") => Purpose::Receive,
                Some("sender") => Purpose::Send,
                _ => panic!("{comment:?} is neither of a receiver, a player nor a sender"),
            };
            continue;
        }
        let text = line.split(" # ").next().unwrap().trim();
        if !text.is_empty() {
            commands.push(CommandLine { purpose, text: text.to_owned() });
        }
    }
    commands
}

/// Runs this test again in a network of its own. Whether that was possible.
fn runs_in_network_of_its_own() -> bool {
    let script = "ip link set lo up && exec \"$0\" \"$@\"";
    // Root needs no user namespace, which is refused in a changed root.
    let choices: [&[&str]; 2] = [&["--net"], &["--map-root-user", "--net"]];
    let is_possible = |options: &&&[&str]| {
        let trial = Command::new("unshare").args(**options).args(["sh", "-c", script, "true"]).output();
        trial.is_ok_and(|output| output.status.success())
    };
    let Some(options) = choices.iter().find(is_possible) else { return false };
    let status = Command::new("unshare")
        .args(*options)
        .args(["sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "readme::command_lines_run_as_printed", "--nocapture"])
        .env(IN_NETWORK, "1")
        .status()
        .unwrap();
    assert!(status.success(), "it failed in a network of its own");
    true
}

#[test]
fn command_lines_run_as_printed() {
    if std::env::var_os(IN_NETWORK).is_none() && runs_in_network_of_its_own() {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let folder = work.path();
    symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines"), folder.join("pipelines")).unwrap();
    let movie: Vec<u8> = (0..500_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(folder.join("movie.mp4"), &movie).unwrap();

    let mut sessions = 0;
    for block in blocks() {
        let of = |purpose| block.iter().filter(move |command| command.purpose == purpose);
        for command in of(Purpose::Other) {
            if command.text.starts_with("./pipelines/make-dash.py ") {
                assert_success(&command.start(folder).finish());
            } else {
                let is_run = RUN_SH.lines().any(|line| line.trim() == command.text);
                assert!(is_run || command.text == "./tests/run.sh", "tests/run.sh does not run {}", command.text);
            }
        }
        for receiver in of(Purpose::Receive) {
            println!("{}", receiver.text);
            let running = receiver.start(folder).wait_for_port(PORT);
            let Some(sender) = of(Purpose::Send).next() else { panic!("no sender beside {}", receiver.text) };
            println!("{}", sender.text);
            let sending = sender.start(folder);
            if sender.is_endless() {
                assert_success(&running.finish());
                // It is ended when it is dropped.
                drop(sending);
            } else {
                assert_success(&sending.finish());
                assert_success(&running.finish());
                if sender.text.contains("location=presentation") {
                    assert_same_tree(&folder.join("presentation"), &folder.join("received"));
                } else if sender.text.contains("location=movie.mp4") {
                    assert!(fs::read(folder.join("received/movie.mp4")).unwrap() == movie);
                }
            }
            if receiver.text.contains("location=received") {
                fs::remove_dir_all(folder.join("received")).unwrap();
            }
            sessions += 1;
        }
    }
    assert_eq!(sessions, 6);
}

/// What the README names in its text is there; `tests/feeding` runs the programs that feed flutesink.
#[test]
fn files_that_are_named_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let feeding = fs::read_to_string(root.join("tests/feeding/main.rs")).unwrap();
    let prose: String = README.split("```").step_by(2).collect();
    let programs = prose.split('`').skip(1).step_by(2).filter(|span| span.starts_with("pipelines/"));
    let programs: Vec<&str> = programs.map(|span| span.split(' ').next().unwrap()).collect();
    assert!(programs.len() >= 6, "{programs:?}");
    for program in programs {
        assert!(root.join(program).exists(), "{program}");
        let name = program.strip_prefix("pipelines/").unwrap();
        assert!(!name.starts_with("feed-") || feeding.contains(&format!("\"{name}\"")), "tests/feeding runs {name}");
    }
    for link in prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(root.join(link).exists(), "{link}");
    }
}
