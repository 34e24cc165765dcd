// SPDX-License-Identifier: MPL-2.0

//! Packets from the network, over the loopback interface.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

use super::sender::{object, packets, packets_and_close};
use super::{bus_of, init, next_error};

/// A pipeline that receives by itself, and the port that it listens on.
struct Receiver {
    pipeline: gst::Pipeline,
    element: gst::Element,
    sink: gst_app::AppSink,
    port: u16,
}

impl Receiver {
    fn new(address: &str, properties: &[(&str, &str)]) -> Self {
        init();
        let element = gst::ElementFactory::make("flutesrc")
            .property("address", address)
            .property("port", i32::from(free_port()))
            .property("multicast-iface", "lo")
            .build()
            .unwrap();
        for (name, value) in properties {
            element.set_property_from_str(name, value);
        }
        let sink = gst_app::AppSink::builder().sync(false).build();
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([&element, sink.upcast_ref()]).unwrap();
        element.link(&sink).unwrap();
        let port = element.property::<i32>("port") as u16;
        Self { pipeline, element, sink, port }
    }

    fn play(&self) {
        assert_eq!(self.pipeline.set_state(gst::State::Paused), Ok(gst::StateChangeSuccess::NoPreroll));
        self.pipeline.set_state(gst::State::Playing).unwrap();
    }

    fn pull(&self) -> gst::Sample {
        self.sink.try_pull_sample(gst::ClockTime::from_seconds(20)).expect("an object comes")
    }

    fn stop(&self) {
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A socket that sends to multicast groups over the loopback interface.
fn loopback_sender(source: Ipv4Addr) -> UdpSocket {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.set_multicast_if_v4(&source).unwrap();
    socket.into()
}

fn send(socket: &UdpSocket, to: (&str, u16), packets: &[Vec<u8>]) {
    for packet in packets {
        socket.send_to(packet, to).unwrap();
    }
}

#[test]
fn test_flutesrc_multicast_until_close() {
    let receiver = Receiver::new("239.255.77.1", &[("eos-on-close", "true")]);
    receiver.play();
    let sent = [object("file:///a", "text/plain", 5000), object("file:///b", "text/plain", 20_000)];
    let (packets, close) = packets_and_close(3, &sent);
    let socket = loopback_sender(Ipv4Addr::LOCALHOST);
    send(&socket, ("239.255.77.1", receiver.port), &packets);
    send(&socket, ("239.255.77.1", receiver.port), &[close]);
    for object in &sent {
        let sample = receiver.pull();
        assert!(sample.buffer().unwrap().map_readable().unwrap().as_slice() == object.content);
        assert_eq!(sample.caps().unwrap().to_string(), "text/plain");
    }
    assert!(receiver.sink.try_pull_sample(gst::ClockTime::from_seconds(20)).is_none());
    assert!(receiver.sink.is_eos());
    let stats = receiver.element.property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("packets"), Ok(packets.len() as u64 + 1));
}

#[test]
fn test_flutesrc_session_of_a_socket_knows_its_addresses() {
    let receiver = Receiver::new("239.255.77.2", &[]);
    receiver.play();
    let socket = loopback_sender(Ipv4Addr::LOCALHOST);
    send(&socket, ("239.255.77.2", receiver.port), &packets(3, &[object("file:///a", "text/plain", 10)]));
    receiver.pull();
    let bus = receiver.pipeline.bus().unwrap();
    let opened = bus
        .iter_filtered(&[gst::MessageType::Element])
        .find_map(|message| message.structure().map(|s| s.to_owned()).filter(|s| s.name() == "flute-session-opened"))
        .unwrap();
    assert_eq!(opened.get::<&str>("source"), Ok("127.0.0.1"));
    assert_eq!(opened.get::<&str>("destination").unwrap(), format!("239.255.77.2:{}", receiver.port));
}

#[test]
fn test_flutesrc_unicast() {
    let receiver = Receiver::new("127.0.0.1", &[]);
    receiver.play();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    send(&socket, ("127.0.0.1", receiver.port), &packets(3, &[object("file:///a", "text/plain", 10)]));
    assert_eq!(receiver.pull().buffer().unwrap().size(), 10);
}

#[test]
fn test_flutesrc_one_sender_of_several() {
    // Groups of any source and of one source (RFC 4607), interfaces by address and by name.
    for (group, interface) in [("239.255.77.3", "127.0.0.1"), ("232.255.77.3", "127.0.0.1"), ("232.255.77.4", "lo")] {
        let receiver = Receiver::new(group, &[("source-filter", "127.0.0.2"), ("multicast-iface", interface)]);
        receiver.play();
        let stranger = loopback_sender(Ipv4Addr::LOCALHOST);
        let sender = loopback_sender(Ipv4Addr::new(127, 0, 0, 2));
        send(&stranger, (group, receiver.port), &packets(3, &[object("file:///stranger", "text/plain", 10)]));
        send(&sender, (group, receiver.port), &packets(3, &[object("file:///sender", "text/plain", 10)]));
        let meta = ObjectMeta::of(receiver.pull().buffer().unwrap()).unwrap();
        assert_eq!(meta.content_location.as_deref(), Some("file:///sender"));
        // The kernel has filtered already.
        let stats = receiver.element.property::<gst::Structure>("stats");
        assert_eq!(stats.get::<u64>("filtered"), Ok(0), "{group} on {interface}");
    }
}

#[test]
fn test_flutesrc_one_sender_of_several_without_the_kernel() {
    let receiver = Receiver::new("127.0.0.1", &[("source-filter", "127.0.0.2")]);
    receiver.play();
    let [stranger, sender] =
        [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)].map(|source| UdpSocket::bind((source, 0)).unwrap());
    let strange = packets(3, &[object("file:///stranger", "text/plain", 10)]);
    send(&stranger, ("127.0.0.1", receiver.port), &strange);
    send(&sender, ("127.0.0.1", receiver.port), &packets(3, &[object("file:///sender", "text/plain", 10)]));
    let meta = ObjectMeta::of(receiver.pull().buffer().unwrap()).unwrap();
    assert_eq!(meta.content_location.as_deref(), Some("file:///sender"));
    let stats = receiver.element.property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("filtered"), Ok(strange.len() as u64));
}

#[test]
fn test_flutesrc_receives_while_paused_and_pushes_when_playing() {
    let receiver = Receiver::new("127.0.0.1", &[]);
    receiver.play();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    assert_eq!(receiver.pipeline.set_state(gst::State::Paused), Ok(gst::StateChangeSuccess::NoPreroll));
    send(&socket, ("127.0.0.1", receiver.port), &packets(3, &[object("file:///a", "text/plain", 10)]));
    receiver.pipeline.set_state(gst::State::Playing).unwrap();
    assert_eq!(receiver.pull().buffer().unwrap().size(), 10);
}

#[test]
fn test_flutesrc_eos_event_ends_the_stream() {
    let receiver = Receiver::new("127.0.0.1", &[]);
    receiver.play();
    assert!(receiver.pipeline.send_event(gst::event::Eos::new()));
    let bus = receiver.pipeline.bus().unwrap();
    assert!(bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &[gst::MessageType::Eos]).is_some());
}

#[test]
fn test_flutesrc_flush_of_the_network() {
    let receiver = Receiver::new("127.0.0.1", &[]);
    receiver.play();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    send(&socket, ("127.0.0.1", receiver.port), &packets(3, &[object("file:///a", "text/plain", 10)]));
    receiver.pull();
    // A flush is sent to an element under its state lock, which a change of state that still runs takes the other way.
    receiver.pipeline.state(gst::ClockTime::from_seconds(20)).0.unwrap();
    assert!(receiver.element.send_event(gst::event::FlushStart::new()));
    assert!(receiver.element.send_event(gst::event::FlushStop::new(true)));
    send(&socket, ("127.0.0.1", receiver.port), &packets(4, &[object("file:///b", "text/plain", 20)]));
    assert_eq!(receiver.pull().buffer().unwrap().size(), 20);
}

#[test]
fn test_flutesrc_network_states_back_and_forth() {
    let receiver = Receiver::new("127.0.0.1", &[]);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for round in 0..3 {
        receiver.play();
        send(&socket, ("127.0.0.1", receiver.port), &packets(3, &[object("file:///a", "text/plain", 10)]));
        receiver.pull();
        if round == 1 {
            receiver.pipeline.set_state(gst::State::Ready).unwrap();
        } else {
            receiver.stop();
        }
    }
}

#[test]
fn test_flutesrc_silence_is_told() {
    let receiver = Receiver::new("127.0.0.1", &[("timeout", "1000000")]);
    receiver.play();
    let bus = receiver.pipeline.bus().unwrap();
    loop {
        let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &[gst::MessageType::Element]).unwrap();
        if message.structure().is_some_and(|structure| structure.name() == "flute-timeout") {
            break;
        }
    }
}

#[test]
fn test_flutesrc_latency_is_live() {
    let receiver = Receiver::new("127.0.0.1", &[]);
    receiver.play();
    let mut latency = gst::query::Latency::new();
    assert!(receiver.element.static_pad("src").unwrap().query(&mut latency));
    assert_eq!(latency.result(), (true, gst::ClockTime::ZERO, gst::ClockTime::NONE));
    assert!(receiver.element.element_flags().contains(gst::ElementFlags::SOURCE));
}

/// The error of an element that cannot go to PAUSED.
fn start_error(properties: &[(&str, &str)]) -> String {
    init();
    let element = gst::ElementFactory::make("flutesrc").build().unwrap();
    for (name, value) in properties {
        element.set_property_from_str(name, value);
    }
    let bus = bus_of(&element);
    assert!(element.set_state(gst::State::Paused).is_err());
    let error = next_error(&bus);
    element.set_state(gst::State::Null).unwrap();
    error
}

#[test]
fn test_flutesrc_errors_at_the_start_say_what_to_do() {
    assert!(start_error(&[]).contains("set address"));
    assert!(start_error(&[("address", "example")]).contains("“example” is not an IP address"));
    assert!(
        start_error(&[("address", "192.0.2.1")]).contains("neither a multicast group nor an address of this machine")
    );
    assert!(start_error(&[("address", "239.1.1.1"), ("multicast-iface", "no-such")]).contains("no-such"));
    assert!(start_error(&[("address", "239.1.1.1"), ("source-filter", "::1")]).contains("IP version"));
    assert!(start_error(&[("address", "127.0.0.1"), ("spool-directory", "/no-such")]).contains("/no-such"));
    let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let error = start_error(&[("address", "127.0.0.1"), ("port", &port)]);
    assert!(error.contains("in use by another program"), "{error}");
}

#[test]
fn test_flutesrc_sink_pad_decides_the_shape() {
    init();
    let element =
        gst::ElementFactory::make("flutesrc").property("address", "127.0.0.1").property("port", 0).build().unwrap();
    assert!(element.element_flags().contains(gst::ElementFlags::SOURCE));
    let pad = element.request_pad_simple("sink").unwrap();
    assert!(!element.element_flags().contains(gst::ElementFlags::SOURCE));
    element.release_request_pad(&pad);
    assert!(element.element_flags().contains(gst::ElementFlags::SOURCE));
    assert_eq!(element.set_state(gst::State::Paused), Ok(gst::StateChangeSuccess::NoPreroll));
    assert!(element.request_pad_simple("sink").is_none(), "it comes too late");
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn test_flutesrc_udpsrc_until_close() {
    init();
    if gst::ElementFactory::find("udpsrc").is_none() {
        eprintln!("skipped: there is no element udpsrc");
        return;
    }
    let port = free_port();
    let description = format!(
        "udpsrc address=127.0.0.1 port={port} ! flutesrc eos-on-close=true ! appsink name=sink sync=false async=false"
    );
    let pipeline = gst::parse::launch(&description).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    pipeline.state(gst::ClockTime::from_seconds(20)).0.unwrap();
    let sent = object("file:///a", "text/plain", 5000);
    let (packets, close) = packets_and_close(3, std::slice::from_ref(&sent));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // An object is left incomplete, so that the session lingers after its close, without another packet.
    send(&socket, ("127.0.0.1", port), &packets[..packets.len() - 1]);
    send(&socket, ("127.0.0.1", port), &[close]);
    let message = pipeline
        .bus()
        .unwrap()
        .timed_pop_filtered(gst::ClockTime::from_seconds(20), &[gst::MessageType::Eos, gst::MessageType::Error]);
    assert_eq!(message.unwrap().type_(), gst::MessageType::Eos);
    assert!(sink.is_eos());
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn test_flutesrc_errors_downstream_stop_the_stream() {
    init();
    let port = free_port();
    let description = format!("flutesrc address=127.0.0.1 port={port} ! identity error-after=1 ! fakesink async=false");
    let pipeline = gst::parse::launch(&description).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let sent = [object("file:///a", "text/plain", 10), object("file:///b", "text/plain", 10)];
    send(&socket, ("127.0.0.1", port), &packets(3, &sent));
    let bus = pipeline.bus().unwrap();
    // First that of identity, then ours.
    next_error(&bus);
    assert_eq!(next_error(&bus), "the stream was stopped downstream");
    pipeline.set_state(gst::State::Null).unwrap();
}
