// SPDX-License-Identifier: MPL-2.0

//! A gateway whose origin, sender and clients go away again and again. It runs for ten seconds, or as many as
//! `FLUTE_SOAK_SECONDS` says.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::gateway::{Gateway, content, quiet_carousel};
use crate::process::{Program, free_port, group};
use crate::relay::Relay;

const DEFAULT_SECONDS: u64 = 10;

/// Files of a megabyte, of which the gateway has room for some.
const MOVIES: u32 = 16;

/// Memory that may come and go: objects, what arrives, buffers of connections.
const SLACK_KIB: u64 = 48 << 10;

/// Descriptors that may come and go.
const SLACK_DESCRIPTORS: usize = 24;

/// Resident memory of a process in KiB, and its open descriptors.
fn usage(process: u32) -> (u64, usize) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    (line.trim().trim_end_matches(" kB").trim().parse().unwrap(), descriptors)
}

/// An answer to a request for a file, and whether it is right if it is complete.
fn ask(gateway: &Gateway, number: u32, expected: &[u8]) -> bool {
    let mut answer = Vec::new();
    let mut stream = TcpStream::connect(&gateway.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "GET /{number}.mp4 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    // It may be broken off, but it does not hang.
    let read = stream.read_to_end(&mut answer);
    assert!(!read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "the gateway hangs");
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(&[][..], |end| &answer[end + 4..]);
    assert!(body.len() < expected.len() || body == expected, "what is complete is right");
    body == expected
}

#[test]
fn everything_goes_away_again_and_again() {
    let seconds = std::env::var("FLUTE_SOAK_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let duration = Duration::from_secs(seconds.unwrap_or(DEFAULT_SECONDS));
    let folder = tempfile::tempdir().unwrap();
    let movie = content(1_000_000);
    for number in 0..MOVIES {
        fs::write(folder.path().join(format!("{number}.mp4")), &movie).unwrap();
    }
    let (to, origin_group) = (format!("127.0.0.1:{}", free_port()), group());
    let _origin_sender = quiet_carousel(folder.path(), &origin_group);
    let mut origin = Gateway::start(&[&origin_group]);
    let url = format!("http://{}/", origin.address);
    let listen = origin.address.clone();
    let options = ["--origin", &url, "--repair-delay", "50ms", "--fast-start", "200ms", "--timeout", "3s"];
    let gateway = Gateway::start(&[&[to.as_str(), "--max-memory", "4M"], &options[..]].concat());
    let relay = Relay::start(&to, |number, _| number % 50 == 7);
    let start_sender = || {
        Program::start(&[
            "send",
            folder.path().to_str().unwrap(),
            "--to",
            relay.address(),
            "--carousel",
            "--quiet",
            "--bitrate",
            "100M",
        ])
    };
    let mut sender = Some(start_sender());
    let (started, mut round, mut complete) = (Instant::now(), 0, 0);
    let mut first = None;
    while started.elapsed() < duration {
        // Clients that ask and go.
        for _ in 0..8 {
            let stream = TcpStream::connect(&gateway.address).unwrap();
            write!(&stream, "GET /{}.mp4 HTTP/1.1\r\nHost: localhost\r\n\r\n", (round + 3) % MOVIES).unwrap();
        }
        complete += u32::from(ask(&gateway, round % MOVIES, &movie));
        match round % 4 {
            0 => sender = None,
            1 => sender = Some(start_sender()),
            2 => {
                origin = Gateway::start(&[&origin_group]);
            }
            _ => {
                drop(origin);
                origin = Gateway::start_at(listen.clone(), &[&origin_group], &[]);
            }
        }
        round += 1;
        if started.elapsed() * 3 > duration {
            first.get_or_insert_with(|| usage(gateway.program.id()));
        }
    }
    drop((sender, origin));
    let (memory, descriptors) = usage(gateway.program.id());
    let (first_memory, first_descriptors) = first.unwrap();
    eprintln!(
        "{round} rounds, {complete} answers complete: {first_memory} -> {memory} KiB, \
         {first_descriptors} -> {descriptors} descriptors"
    );
    assert!(complete > 0);
    assert!(memory < first_memory + SLACK_KIB, "{first_memory} -> {memory} KiB");
    assert!(descriptors < first_descriptors + SLACK_DESCRIPTORS, "{first_descriptors} -> {descriptors}");
    gateway.program.interrupt();
    assert_eq!(gateway.program.end().status, Some(0));
}
