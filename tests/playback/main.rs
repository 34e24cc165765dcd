// SPDX-License-Identifier: MPL-2.0

//! Presentations that are encoded, packaged, multicast over the loopback interface and played from `flute://` URIs, with
//! every decoded frame counted.

mod complete;
mod content;
mod leaks;
#[path = "../leaks_tracer/mod.rs"]
mod leaks_tracer;
mod live;
mod losses;
mod object;
mod player;
mod sender;
mod slow;
mod tools;

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take on a machine that has other things to do.
const LIMIT: Duration = Duration::from_secs(120);

fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstflute::plugin_register_static().unwrap();
    });
}

/// Whether there is all that a test needs; if not, that is said.
fn has_elements(names: &[&str]) -> bool {
    init();
    let missing: Vec<_> = names.iter().filter(|name| gst::ElementFactory::find(name).is_none()).collect();
    if !missing.is_empty() {
        eprintln!("skipped: there is no element {missing:?}");
    }
    missing.is_empty()
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Whether a socket of this machine is bound to the port, as the kernel's table says.
fn is_bound(port: u16) -> bool {
    let bound = format!(":{port:04X} ");
    std::fs::read_to_string("/proc/net/udp").is_ok_and(|table| table.contains(&bound))
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
