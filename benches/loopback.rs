// SPDX-License-Identifier: MPL-2.0

//! What the elements cost on top of UDP, on loopback: `cargo bench --bench loopback`.
//!
//! Every sender and every receiver is a process of its own that runs a real pipeline and tells the processor time it took,
//! by the kernel's account, so that what else the machine does matters little. Packets have 1472 bytes. The variants take
//! turns, and the median of their turns counts.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use gst::prelude::*;
use rustix::time::{ClockId, clock_gettime};

const PACKET: usize = 1472;
/// Packets of a list, as flutesink makes them.
const LIST: usize = 64;
const OBJECT: usize = 1 << 20;
/// Objects of a run.
const OBJECTS: usize = 512;
const TURNS: usize = 5;
/// Bits per second at which udpsrc keeps up.
const SLOW: u64 = 2_000_000_000;
/// Bits per second that the elements are to reach by themselves.
const FAST: u64 = 20_000_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "--role") {
        Some(at) => {
            play(&arguments[at + 1], arguments[at + 2].parse().expect("a port or a rate"), &arguments[at + 3..])
        }
        None => compare(),
    }
}

/// What a process tells at its end.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    packets: u64,
    objects: u64,
    cpu: f64,
    wall: f64,
}

impl Cost {
    fn microseconds_per(&self, packets: u64) -> f64 {
        self.cpu * 1e6 / packets.max(1) as f64
    }
}

// The roles.

fn play(role: &str, port: u16, rest: &[String]) {
    gst::init().expect("GStreamer");
    gstflute::plugin_register_static().expect("the plugin");
    let rate = rest.first().map_or("0", String::as_str);
    let cost = match role {
        "udpsink" => send_lists(port),
        "flutesink-udpsink" => {
            send_objects(&format!("flutesink name=f bitrate=0 ! udpsink host=127.0.0.1 port={port} sync=false"))
        }
        "flutesink" => send_objects(&format!("flutesink name=f address=127.0.0.1 port={port} bitrate={rate}")),
        "udpsrc" => receive(&format!("udpsrc port={port} buffer-size=8388608 ! fakesink name=s sync=false")),
        "udpsrc-flutesrc" => {
            receive(&format!("udpsrc port={port} buffer-size=8388608 ! flutesrc name=f ! fakesink name=s sync=false"))
        }
        "flutesrc" => receive(&format!("flutesrc name=f address=127.0.0.1 port={port} ! fakesink name=s sync=false")),
        role => panic!("no role {role}"),
    };
    println!("cost {} {} {} {}", cost.packets, cost.objects, cost.cpu, cost.wall);
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn run_to_eos(pipeline: &gst::Pipeline, feed: impl FnOnce()) -> (f64, f64) {
    let (cpu, start) = (cpu_seconds(), Instant::now());
    pipeline.set_state(gst::State::Playing).expect("the pipeline starts");
    feed();
    let types = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline.bus().expect("a bus").timed_pop_filtered(gst::ClockTime::from_seconds(120), &types);
    assert_eq!(message.expect("the pipeline ends").type_(), gst::MessageType::Eos);
    (cpu_seconds() - cpu, start.elapsed().as_secs_f64())
}

fn pipeline_after_appsrc(rest: &str) -> (gst::Pipeline, gst_app::AppSrc) {
    let pipeline = gst::parse::launch(&format!("appsrc name=a block=true max-bytes=67108864 ! {rest}"));
    let pipeline = pipeline.expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    let source = pipeline.by_name("a").and_downcast().expect("there is an appsrc");
    (pipeline, source)
}

/// As many packets as the objects have, without FLUTE: each list is written once, as packets are.
fn send_lists(port: u16) -> Cost {
    let (pipeline, source) = pipeline_after_appsrc(&format!("udpsink host=127.0.0.1 port={port} sync=false"));
    let object = vec![1u8; OBJECT];
    let lists = OBJECTS * OBJECT / (PACKET * LIST);
    let (cpu, wall) = run_to_eos(&pipeline, || {
        for _ in 0..lists {
            let memory = gst::Memory::from_mut_slice(object[..PACKET * LIST].to_vec());
            let mut list = gst::BufferList::new_sized(LIST);
            for at in (0..LIST).map(|packet| packet * PACKET) {
                let mut buffer = gst::Buffer::new();
                buffer.make_mut().append_memory(memory.share(at..at + PACKET));
                list.make_mut().add(buffer);
            }
            source.push_buffer_list(list).expect("the list is taken");
        }
        source.end_of_stream().expect("EOS is taken");
    });
    pipeline.set_state(gst::State::Null).expect("the pipeline stops");
    Cost { packets: (lists * LIST) as u64, objects: 0, cpu, wall }
}

fn send_objects(rest: &str) -> Cost {
    let (pipeline, source) = pipeline_after_appsrc(rest);
    let object = gst::Memory::from_slice(vec![1u8; OBJECT]);
    let (cpu, wall) = run_to_eos(&pipeline, || {
        for _ in 0..OBJECTS {
            let mut buffer = gst::Buffer::new();
            buffer.make_mut().append_memory(object.clone());
            source.push_buffer(buffer).expect("the object is taken");
        }
        source.end_of_stream().expect("EOS is taken");
    });
    let stats = pipeline.by_name("f").expect("there is a flutesink").property::<gst::Structure>("stats");
    pipeline.set_state(gst::State::Null).expect("the pipeline stops");
    Cost { packets: stats.get("packets").expect("a counter"), objects: OBJECTS as u64, cpu, wall }
}

/// Receives until the standard input ends.
fn receive(pipeline: &str) -> Cost {
    let pipeline = gst::parse::launch(pipeline).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    pipeline.set_state(gst::State::Playing).expect("the pipeline starts");
    let _ = pipeline.state(gst::ClockTime::from_seconds(10));
    println!("ready");
    let (cpu, start) = (cpu_seconds(), Instant::now());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let (cpu, wall) = (cpu_seconds() - cpu, start.elapsed().as_secs_f64());
    let rendered = pipeline.by_name("s").expect("there is a sink").property::<gst::Structure>("stats");
    let rendered = rendered.get::<u64>("rendered").expect("a counter");
    let (packets, objects) = match pipeline.by_name("f") {
        Some(flutesrc) => (flutesrc.property::<gst::Structure>("stats").get("packets").expect("a counter"), rendered),
        None => (rendered, 0),
    };
    pipeline.set_state(gst::State::Null).expect("the pipeline stops");
    Cost { packets, objects, cpu, wall }
}

// The comparison.

struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Process {
    fn start(role: &str, port: u16, rate: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--role", role, &port.to_string(), &rate.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { stdin: child.stdin.take(), child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("the process speaks").expect("it speaks in UTF-8")
    }

    fn cost(mut self) -> Cost {
        drop(self.stdin.take());
        let line = self.line();
        let numbers: Vec<f64> = line.split(' ').skip(1).map(|number| number.parse().expect("a number")).collect();
        self.child.wait().expect("the process ends");
        Cost { packets: numbers[0] as u64, objects: numbers[1] as u64, cpu: numbers[2], wall: numbers[3] }
    }
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The sender's cost per packet where nothing is read.
fn sending(role: &str) -> f64 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let cost = Process::start(role, socket.local_addr().expect("it is bound").port(), 0).cost();
    black_box(&socket);
    cost.microseconds_per(cost.packets)
}

/// What the sender sent at a rate, and what it cost the receiver.
fn receiving(role: &str, rate: u64) -> (Cost, Cost) {
    let port = free_port();
    let mut receiver = Process::start(role, port, 0);
    assert_eq!(receiver.line(), "ready");
    let sent = Process::start("flutesink", port, rate).cost();
    std::thread::sleep(Duration::from_millis(300));
    (sent, receiver.cost())
}

fn compare() {
    println!("{OBJECTS} objects of 1 MiB, median of {TURNS} turns\n");

    let senders = ["udpsink", "flutesink-udpsink", "flutesink"];
    let mut turns = vec![Vec::new(); senders.len()];
    for _ in 0..TURNS {
        for (role, turns) in senders.iter().zip(&mut turns) {
            turns.push(sending(role));
        }
    }
    println!("sending                                 µs CPU/packet   ratio");
    let medians: Vec<f64> = turns.into_iter().map(median).collect();
    let names = ["appsrc (lists of 64) ! udpsink", "appsrc ! flutesink ! udpsink", "appsrc ! flutesink address=…"];
    for (name, cost) in names.iter().zip(&medians) {
        println!("{name:38}  {cost:>13.3}  {:>6.2}", cost / medians[0]);
    }

    let receivers = ["udpsrc", "udpsrc-flutesrc", "flutesrc"];
    let mut turns = vec![Vec::new(); receivers.len()];
    let mut lost = [0; 3];
    for _ in 0..TURNS {
        for (at, role) in receivers.iter().enumerate() {
            let (sent, received) = receiving(role, SLOW);
            turns[at].push(received.microseconds_per(received.packets));
            lost[at] += sent.packets.saturating_sub(received.packets);
        }
    }
    println!("\nreceiving, {} Gbit/s                     µs CPU/packet   ratio   packets lost", SLOW / 1_000_000_000);
    let medians: Vec<f64> = turns.into_iter().map(median).collect();
    let names = ["udpsrc ! fakesink", "udpsrc ! flutesrc ! fakesink", "flutesrc address=… ! fakesink"];
    for ((name, cost), lost) in names.iter().zip(&medians).zip(lost) {
        println!("{name:38}  {cost:>13.3}  {:>6.2}  {lost:>13}", cost / medians[0]);
    }

    println!("\nflutesink address=… to flutesrc address=…");
    for (name, rate) in [("paced at 20 Gbit/s", FAST), ("as fast as it can", 0)] {
        let runs: Vec<(Cost, Cost)> = (0..TURNS).map(|_| receiving("flutesrc", rate)).collect();
        let goodput = median(runs.iter().map(|(sent, _)| (OBJECTS * OBJECT) as f64 * 8.0 / sent.wall / 1e9).collect());
        let packets = runs.iter().map(|(sent, received)| sent.packets.saturating_sub(received.packets)).sum::<u64>();
        let objects: u64 = runs.iter().map(|(sent, received)| sent.objects.saturating_sub(received.objects)).sum();
        println!(
            "{name:20} {goodput:6.1} Gbit/s of objects, {packets} packets and {objects} objects lost in all turns"
        );
    }
}
