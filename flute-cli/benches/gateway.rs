// SPDX-License-Identifier: MPL-2.0

//! What serving costs: players that fetch segments at the pace of a live presentation, from `flute gateway` and from nginx
//! with the same files. A table says how many seconds of processor time each takes for a gigabit.
//!
//! `GATEWAY_BENCH` sets players, bits per second of each, and seconds: `200,5M,20` by default.

use std::fmt;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Seconds that a segment lasts.
const SEGMENT_SECONDS: u64 = 2;

/// Segments of the presentation, which each player fetches in turn, beginning with one of its own.
const SEGMENTS: u64 = 10;

/// Clock ticks in a second of `/proc/PID/stat`: it is 100 for every process (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What the players do.
#[derive(Clone, Copy, Debug)]
struct Load {
    players: u64,
    bits_per_second: u64,
    seconds: u64,
}

impl Load {
    fn of_environment() -> Self {
        let text = std::env::var("GATEWAY_BENCH").unwrap_or_else(|_| "200,5M,20".to_owned());
        let numbers = text.split(',').map(|number| match number.strip_suffix('M') {
            Some(millions) => millions.parse::<u64>().unwrap() * 1_000_000,
            None => number.parse().unwrap(),
        });
        let [players, bits_per_second, seconds] = numbers.collect::<Vec<_>>()[..] else {
            panic!("GATEWAY_BENCH must look like 200,5M,20");
        };
        Self { players, bits_per_second, seconds }
    }

    fn segment_bytes(&self) -> u64 {
        self.bits_per_second * SEGMENT_SECONDS / 8
    }
}

/// A process that serves, which is killed when this is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    /// What is in front of the name of a file in its URL.
    prefix: &'static str,
}

impl Server {
    /// Seconds of processor time of the process and of its children so far.
    fn cpu_seconds(&self) -> f64 {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.child.id())).unwrap_or_default();
        let own = self.child.id().to_string();
        children.split_whitespace().chain([&own[..]]).map(cpu_seconds).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx ends its workers when it is asked to end, and not when it is killed.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

fn cpu_seconds(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name in brackets may have blanks; user and system time are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) as f64 / TICKS_PER_SECOND
}

/// A TCP address that was free a moment ago.
fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// A gateway that has received all files of a folder.
fn gateway(folder: &Path) -> Server {
    let address = free_address();
    let to = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_flute"))
        .args(["gateway", &format!("tv={to}"), "--listen", &address.to_string(), "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut serving = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut serving).unwrap();
    let sent = Command::new(env!("CARGO_BIN_EXE_flute"))
        .args(["send", folder.to_str().unwrap(), "--to", &to, "--bitrate", "200M", "--fec", "raptorq", "--quiet"])
        .status();
    assert!(sent.unwrap().success());
    Server { child, address, prefix: "/tv/" }
}

/// nginx with the same folder, as its authors recommend for files. `None` if it is not installed.
fn nginx(folder: &Path, work: &Path) -> Option<Server> {
    let address = free_address();
    let configuration = format!(
        "daemon off; worker_processes 1; pid {work}/pid; error_log {work}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_timeout 75s; keepalive_requests 100000;\n\
         client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;\n\
         uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;\n\
         server {{ listen {address}; root {folder}; }} }}\n",
        work = work.display(),
        folder = folder.display(),
    );
    fs::write(work.join("nginx.conf"), configuration).unwrap();
    let child = Command::new("nginx").arg("-c").arg(work.join("nginx.conf")).stderr(Stdio::null()).spawn().ok()?;
    let server = Server { child, address, prefix: "/" };
    let started = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "nginx does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(server)
}

/// One player: a segment every two seconds, each as fast as it comes, over one connection.
async fn play(address: SocketAddr, prefix: &str, number: u64, load: Load, late: Arc<AtomicU64>) -> io::Result<u64> {
    let period = Duration::from_secs(SEGMENT_SECONDS);
    // Players do not begin at the same time.
    tokio::time::sleep(period.mul_f64(number as f64 / load.players as f64)).await;
    let mut stream = tokio::io::BufReader::with_capacity(256 << 10, TcpStream::connect(address).await?);
    let mut clock = tokio::time::interval(period);
    let (mut bytes, mut line, mut content) = (0, String::new(), vec![0; 256 << 10]);
    for turn in 0..load.seconds / SEGMENT_SECONDS {
        let due = clock.tick().await;
        let path = format!("{prefix}{}.m4s", (number + turn) % SEGMENTS);
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
        let mut length = None;
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse::<u64>().ok();
            }
        }
        let length = length.filter(|length| *length == load.segment_bytes());
        let mut rest = length.ok_or_else(|| io::Error::other(format!("{path} is not what was sent")))?;
        while rest > 0 {
            let wanted = content.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
            let count = stream.read(&mut content[..wanted]).await? as u64;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            rest -= count;
            bytes += count;
        }
        late.fetch_add(u64::from(due.elapsed() > period), Ordering::Relaxed);
    }
    Ok(bytes)
}

/// What became of a load.
struct Outcome {
    gigabits: f64,
    seconds: f64,
    cpu_seconds: f64,
    late: u64,
}

impl Outcome {
    fn cost(&self) -> f64 {
        self.cpu_seconds / self.gigabits
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.gigabits / self.seconds;
        write!(f, "{rate:8.2}  {:10.2}  {:12.3}  {:6}", self.cpu_seconds, self.cost(), self.late)
    }
}

fn measure(server: &Server, load: Load) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let late = Arc::new(AtomicU64::new(0));
    let (before, started) = (server.cpu_seconds(), Instant::now());
    let bytes: u64 = runtime.block_on(async {
        let player = |number| tokio::spawn(play(server.address, server.prefix, number, load, late.clone()));
        let players: Vec<_> = (0..load.players).map(player).collect();
        let mut bytes = 0;
        for player in players {
            bytes += player.await.unwrap().unwrap();
        }
        bytes
    });
    Outcome {
        gigabits: bytes as f64 * 8e-9,
        seconds: started.elapsed().as_secs_f64(),
        cpu_seconds: server.cpu_seconds() - before,
        late: late.load(Ordering::Relaxed),
    }
}

fn main() {
    let load = Load::of_environment();
    let (folder, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for number in 0..SEGMENTS {
        let segment: Vec<u8> = (0..load.segment_bytes()).map(|at| (at * 31 + number) as u8).collect();
        fs::write(folder.path().join(format!("{number}.m4s")), segment).unwrap();
    }
    // The workers of nginx are those of another user.
    Command::new("chmod").args(["-R", "a+rX"]).arg(folder.path()).status().unwrap();
    println!("{} players of {} bit/s each, for {} s", load.players, load.bits_per_second, load.seconds);
    println!("{:8}  {:>8}  {:>10}  {:>12}  {:>6}", "server", "Gbit/s", "CPU s", "CPU s/Gbit", "late");
    let gateway = measure(&gateway(folder.path()), load);
    println!("{:8}  {gateway}", "gateway");
    let Some(nginx) = nginx(folder.path(), work.path()) else {
        println!("nginx is not installed: apt-get install nginx-light");
        return;
    };
    let nginx = measure(&nginx, load);
    println!("{:8}  {nginx}", "nginx");
    println!("the gateway takes {:.2} times the processor time of nginx", gateway.cost() / nginx.cost());
}
