// SPDX-License-Identifier: MPL-2.0

//! Runs the program, reads what it prints, and never leaves it behind.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longer than any of these processes takes on a machine that has other things to do.
const LONG: Duration = Duration::from_secs(120);

/// A group that is no other test's, by its port.
pub(crate) fn group() -> String {
    format!("239.255.80.1:{}", free_port())
}

/// A UDP port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A TCP address that was free a moment ago.
pub(crate) fn listen() -> String {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().to_string()
}

/// A running program, which is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: Option<JoinHandle<String>>,
}

/// What is left of a program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) events: Vec<Value>,
    pub(crate) stderr: String,
}

impl Ended {
    /// The events of this name.
    pub(crate) fn events(&self, name: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == name).collect()
    }
}

impl Program {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// One with variables of the environment.
    pub(crate) fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flute"))
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = Some(collect(child.stderr.take().unwrap()));
        Self { child, stdout, stderr }
    }

    /// A receiver of which it is known that it listens.
    pub(crate) fn receive(address: &str, folder: &str, arguments: &[&str]) -> Self {
        let all = [&["receive", address, "--iface", "lo", "--into", folder, "--json"], arguments].concat();
        let mut program = Self::start(&all);
        program.wait_for("listening");
        program
    }

    /// Reads events up to the first one of this name.
    pub(crate) fn wait_for(&mut self, name: &str) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the program ended before {name}");
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Its process ID.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn interrupt(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).unwrap();
    }

    /// All that it prints until its end.
    pub(crate) fn text(mut self) -> String {
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).unwrap();
        text
    }

    /// Waits for the end. Every line of standard output must be an event.
    pub(crate) fn end(mut self) -> Ended {
        let mut output = String::new();
        self.stdout.read_to_string(&mut output).unwrap();
        let started = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status.code(),
                None if started.elapsed() > LONG => panic!("the program does not end"),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let events = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let stderr = self.stderr.take().unwrap().join().unwrap();
        Ended { status, events, stderr }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    Program::start(arguments).end()
}

fn collect(mut stderr: ChildStderr) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    })
}
