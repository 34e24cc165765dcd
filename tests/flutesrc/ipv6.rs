// SPDX-License-Identifier: MPL-2.0

//! IPv6, of whose multicast the loopback interface has none: each test runs itself again in a network of its own, with a
//! pair of virtual interfaces.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::process::Command;

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

use super::sender::{object, packets};
use super::{bus_of, init, next_error};

/// Set in the process that has the network.
const IN_NETWORK: &str = "FLUTE_TEST_IN_IPV6_NETWORK";

const PORT: u16 = 3400;

/// Makes the network, and runs what the arguments say in it.
const SCRIPT: &str = r#"
ip link add flute0 type veth peer name flute1 || exit 77
ip link set flute0 up && ip link set flute1 up || exit 77
ip link set lo up && ip link add flute2 type veth peer name flute3 || exit 77
ip -6 addr add fd00::1/64 dev flute0 nodad && ip -6 addr add fd00::2/64 dev flute0 nodad || exit 77
ip -6 addr add fe80::77/64 dev flute0 nodad || exit 77
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

/// Runs the test of this name again in a network of its own. Whether this is that network.
fn is_in_network(test: &str) -> bool {
    if std::env::var_os(IN_NETWORK).is_some() {
        init();
        return true;
    }
    let status = Command::new("unshare")
        .args(["--map-root-user", "--net", "sh", "-c", SCRIPT, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("ipv6::{test}"), "--nocapture"])
        .env(IN_NETWORK, "1")
        .status();
    match status.ok().and_then(|status| status.code()) {
        Some(0) => (),
        Some(101) => panic!("it failed in the network"),
        code => eprintln!("skipped: no network could be made for it ({code:?})"),
    }
    false
}

/// Sends an object with the properties `to` of flutesink, and receives it with the properties `from` of flutesrc.
fn transfer(to: &str, from: &str) {
    let receiver = gst::parse::launch(&format!("flutesrc port={PORT} {from} ! appsink name=sink sync=false")).unwrap();
    let receiver = receiver.downcast::<gst::Pipeline>().unwrap();
    let sink = receiver.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
    receiver.set_state(gst::State::Playing).unwrap_or_else(|_| panic!("{from} does not start"));
    let sender =
        gst::parse::launch(&format!("fakesrc num-buffers=1 sizetype=fixed sizemax=5000 ! flutesink port={PORT} {to}"));
    let sender = sender.unwrap();
    sender.set_state(gst::State::Playing).unwrap_or_else(|_| panic!("{to} does not start"));
    let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(20));
    let sample = sample.unwrap_or_else(|| panic!("an object comes from {to} to {from}"));
    assert_eq!(sample.buffer().unwrap().size(), 5000);
    sender.set_state(gst::State::Null).unwrap();
    receiver.set_state(gst::State::Null).unwrap();
}

/// The error of an element that cannot start.
fn start_error(element: &str) -> String {
    let element = gst::parse::launch(element).unwrap();
    let bus = bus_of(&element);
    assert!(element.set_state(gst::State::Paused).is_err());
    let error = next_error(&bus);
    element.set_state(gst::State::Null).unwrap();
    error
}

#[test]
fn test_flutesrc_ipv6_multicast() {
    if !is_in_network("test_flutesrc_ipv6_multicast") {
        return;
    }
    let (received, _) = receive("ff15::77", "flute://[ff15::77]:3400?iface=flute0");
    assert_eq!(received, ["file:///stranger", "file:///sender"]);
    let (received, stats) = receive("ff35::77", "flute://fd00::1@[ff35::77]:3400?iface=flute0");
    assert_eq!(received, ["file:///sender"]);
    assert_eq!(stats.get::<u64>("filtered"), Ok(0), "the kernel has filtered already");
}

#[test]
fn test_flutesrc_ipv6_scopes() {
    if !is_in_network("test_flutesrc_ipv6_scopes") {
        return;
    }
    // Of the interface, of the link, of the site, global; the zone is in the address or said beside it.
    for group in ["ff01::77", "ff02::4242", "ff12::77", "ff15::77", "ff1e::77"] {
        let with_zone = format!("address={group}%flute0");
        let beside = format!("address={group} multicast-iface=flute0");
        transfer(&with_zone, &beside);
        transfer(&beside, &with_zone);
    }
    transfer("address=fe80::77%flute0", "address=[fe80::77%flute0]");
    transfer("uri=flute://[ff12::78]:3400?iface=flute0", "uri=flute://[ff12::78]:3400?iface=flute0");
    // The zone is a part of the URI.
    let element = gst::parse::launch("flutesrc address=ff12::77%flute0 port=3400").unwrap();
    assert_eq!(element.property::<Option<String>>("uri").as_deref(), Some("flute://[ff12::77]:3400?iface=flute0"));
}

#[test]
fn test_flutesrc_ipv6_wrong_scopes() {
    if !is_in_network("test_flutesrc_ipv6_wrong_scopes") {
        return;
    }
    let error = start_error("flutesrc address=ff12::77 port=3400");
    assert!(error.contains("name one, as in ff12::77%eth0"), "{error}");
    let error = start_error("flutesrc address=ff12::77 port=3400 multicast-iface=flute0,flute1");
    assert!(error.contains("name one, as in ff12::77%eth0"), "{error}");
    let error = start_error("flutesrc address=ff12::77%flute0 port=3400 multicast-iface=flute1");
    assert!(error.contains("leave one of them out"), "{error}");
    let error = start_error("flutesrc address=ff12::77%no-such port=3400");
    assert!(error.contains("no-such"), "{error}");
    let error = start_error("flutesink address=ff12::77 port=3400");
    assert!(error.contains("name one, as in ff12::77%eth0"), "{error}");
    // There is no IPv4 here.
    let error = start_error("flutesink address=239.1.1.1 port=3400");
    assert!(error.contains("set multicast-iface"), "{error}");
    let error = start_error("flutesink address=239.1.1.1 port=3400 multicast-iface=flute2");
    assert!(error.contains("no route to 239.1.1.1 over flute2: is the interface up"), "{error}");
}

#[test]
fn test_flutesrc_ipv6_unicast_by_name() {
    if !is_in_network("test_flutesrc_ipv6_unicast_by_name") {
        return;
    }
    transfer("address=localhost", "address=localhost");
    transfer("address=::1", "address=::1");
}
