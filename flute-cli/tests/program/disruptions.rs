// SPDX-License-Identifier: MPL-2.0

//! For ten seconds, or as many as `FLUTE_SOAK_SECONDS` says, clients go away in the midst of an answer, or while they wait
//! for one, and senders are killed in the midst of an object: the gateway goes on, with as much memory and as many open
//! descriptors as before.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Program, group, listen};

/// Files of the sender, and their length.
const FILES: usize = 8;
const LENGTH: usize = 400_000;

/// Clients at a time.
const CLIENTS: usize = 16;

/// How long a sender lives: shorter than it takes for all files at its rate.
const SENDER_LIFE: Duration = Duration::from_millis(700);

/// Longer than a gateway takes to see that a client has gone.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes by which the process may be larger at the end than after a third of the time: what an allocator keeps for itself.
const MAX_GROWTH: u64 = 16 << 20;

#[test]
fn clients_and_senders_that_go_away_leave_nothing_behind() {
    let seconds = std::env::var("FLUTE_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let third = Duration::from_secs(seconds) / 3;
    let (folder, group, address) = (tempfile::tempdir().unwrap(), group(), listen());
    for number in 0..FILES {
        fs::write(folder.path().join(format!("{number}.m4s")), vec![number as u8; LENGTH]).unwrap();
    }
    let folder = folder.path().to_str().unwrap();
    let memory = ["--max-memory", "32Mi"];
    let mut gateway = Program::start(
        &[&["gateway", &format!("tv={group}"), "--iface", "lo", "--listen", &address, "--json"], &memory[..]].concat(),
    );
    gateway.wait_for("serving");
    let idle = descriptors(&gateway);

    disturb(&address, folder, &group, third);
    wait_until_idle(&gateway, idle);
    let before = resident(&gateway);
    disturb(&address, folder, &group, third * 2);
    wait_until_idle(&gateway, idle);
    let growth = resident(&gateway).saturating_sub(before);
    assert!(growth <= MAX_GROWTH, "{growth} bytes more than {before}");

    // All is as it was: what is sent is served, and the program ends when it is asked to.
    let _sender = sender(folder, &group);
    for number in 0..FILES {
        let started = Instant::now();
        // What a killed sender had begun is broken off when the next one begins it anew: players ask again.
        while !answer(&address, &format!("{number}.m4s")).ends_with(&vec![number as u8; LENGTH]) {
            assert!(started.elapsed() < TIMEOUT, "{number} is not served");
        }
    }
    gateway.interrupt();
    assert_eq!(gateway.end().status, Some(0));
}

fn sender(folder: &str, group: &str) -> Program {
    Program::start(&["send", folder, "--to", group, "--iface", "lo", "--carousel", "--bitrate", "40M"])
}

fn request(address: &str, name: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    write!(&stream, "GET /tv/{name} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

/// What is answered, as far as it comes.
fn answer(address: &str, name: &str) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = request(address, name).read_to_end(&mut answer);
    answer
}

/// Kills senders, one after the other, and lets clients go away, for so long.
fn disturb(address: &str, folder: &str, group: &str, time: Duration) {
    let (is_over, broken_off) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|threads| {
        for client in 0..CLIENTS {
            let (is_over, broken_off) = (&is_over, &broken_off);
            threads.spawn(move || {
                for turn in client.. {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    // One in five waits for what does not come.
                    let name = if turn % 5 == 0 { "none.m4s".to_owned() } else { format!("{}.m4s", turn % FILES) };
                    let mut stream = request(address, &name);
                    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
                    let mut some = vec![0; 1 + turn * 7919 % LENGTH];
                    let is_broken_off = stream.read_exact(&mut some).is_ok();
                    broken_off.fetch_add(is_broken_off.into(), Ordering::Relaxed);
                }
            });
        }
        let started = Instant::now();
        while started.elapsed() < time {
            let sender = sender(folder, group);
            thread::sleep(SENDER_LIFE);
            drop(sender);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(broken_off.into_inner() > CLIENTS, "answers were broken off");
}

/// Waits until the gateway has no more open descriptors than when it had no clients.
fn wait_until_idle(gateway: &Program, idle: usize) {
    let started = Instant::now();
    while descriptors(gateway) > idle {
        assert!(started.elapsed() < TIMEOUT, "{} descriptors instead of {idle}", descriptors(gateway));
        thread::sleep(Duration::from_millis(50));
    }
}

fn descriptors(program: &Program) -> usize {
    fs::read_dir(format!("/proc/{}/fd", program.id())).unwrap().count()
}

/// Bytes of memory of a process.
fn resident(program: &Program) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")).unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}
