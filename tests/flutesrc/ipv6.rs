// SPDX-License-Identifier: MPL-2.0

//! IPv6 multicast, which the loopback interface does not have: the test runs itself again in a network of its own, with
//! a pair of virtual interfaces.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::process::Command;

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

use super::init;
use super::sender::{object, packets};

/// Set in the process that has the network.
const IN_NETWORK: &str = "FLUTE_TEST_IN_IPV6_NETWORK";

const PORT: u16 = 3400;

/// Makes the network, and runs what the arguments say in it.
const SCRIPT: &str = r#"
ip link add flute0 type veth peer name flute1 || exit 77
ip link set flute0 up && ip link set flute1 up || exit 77
ip -6 addr add fd00::1/64 dev flute0 nodad && ip -6 addr add fd00::2/64 dev flute0 nodad || exit 77
exec "$@"
"#;

fn send(source: &str, group: Ipv6Addr, interface: u32, packets: &[Vec<u8>]) {
    let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None).unwrap();
    socket.bind(&SocketAddr::new(source.parse().unwrap(), 0).into()).unwrap();
    socket.set_multicast_if_v6(interface).unwrap();
    let socket = UdpSocket::from(socket);
    for packet in packets {
        socket.send_to(packet, (group, PORT)).unwrap();
    }
}

/// Two senders in one group, of which the URI names one, or takes both.
fn receive(group: &str, uri: &str) -> (Vec<String>, gst::Structure) {
    let pipeline = gst::parse::launch(&format!("flutesrc name=f uri={uri} ! appsink name=sink sync=false")).unwrap();
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let interface = interface_index("flute0");
    let group = group.parse().unwrap();
    send("fd00::2", group, interface, &packets(1, &[object("file:///stranger", "text/plain", 10)]));
    send("fd00::1", group, interface, &packets(1, &[object("file:///sender", "text/plain", 10)]));
    let mut received = Vec::new();
    while received.last().is_none_or(|location| location != "file:///sender") {
        let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(20)).expect("an object comes");
        received.push(ObjectMeta::of(sample.buffer().unwrap()).unwrap().content_location.unwrap());
    }
    let stats = pipeline.by_name("f").unwrap().property("stats");
    pipeline.set_state(gst::State::Null).unwrap();
    (received, stats)
}

/// The index of an interface that has an IPv6 address.
fn interface_index(name: &str) -> u32 {
    let interfaces = fs::read_to_string("/proc/net/if_inet6").unwrap();
    let line = interfaces.lines().find(|line| line.ends_with(name)).unwrap();
    u32::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
}

#[test]
fn test_flutesrc_ipv6_multicast() {
    if std::env::var_os(IN_NETWORK).is_none() {
        let status = Command::new("unshare")
            .args(["--map-root-user", "--net", "sh", "-c", SCRIPT, "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "ipv6::test_flutesrc_ipv6_multicast", "--nocapture"])
            .env(IN_NETWORK, "1")
            .status();
        match status.ok().and_then(|status| status.code()) {
            Some(0) => (),
            Some(101) => panic!("it failed in the network"),
            code => eprintln!("skipped: no network could be made for it ({code:?})"),
        }
        return;
    }
    init();
    let (received, _) = receive("ff15::77", "flute://[ff15::77]:3400?iface=flute0");
    assert_eq!(received, ["file:///stranger", "file:///sender"]);
    let (received, stats) = receive("ff35::77", "flute://fd00::1@[ff35::77]:3400?iface=flute0");
    assert_eq!(received, ["file:///sender"]);
    assert_eq!(stats.get::<u64>("filtered"), Ok(0), "the kernel has filtered already");
}
