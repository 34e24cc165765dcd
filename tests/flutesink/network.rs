// SPDX-License-Identifier: MPL-2.0

//! flutesink without a src pad: it sends by itself.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use gst::prelude::*;

use crate::received::Session;
use crate::{content, init};

/// Collects datagrams until it is told that no more come.
struct Listener {
    port: u16,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Vec<u8>>>,
}

impl Listener {
    fn new(group: Option<&str>) -> Self {
        let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
        if let Some(group) = group {
            socket.join_multicast_v4(&group.parse().unwrap(), &"127.0.0.1".parse().unwrap()).unwrap();
        }
        socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let port = socket.local_addr().unwrap().port();
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let is_over = is_over.clone();
            move || {
                let mut packets = Vec::new();
                let mut datagram = [0; 65_536];
                loop {
                    // What was sent before the end was told is in the socket by then.
                    let is_last = is_over.load(Ordering::SeqCst);
                    while let Ok(length) = socket.recv(&mut datagram) {
                        packets.push(datagram[..length].to_vec());
                    }
                    if is_last {
                        return packets;
                    }
                }
            }
        });
        Self { port, is_over, thread }
    }

    fn packets(self) -> Vec<Vec<u8>> {
        self.is_over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// Runs a pipeline to EOS.
fn run(pipeline: &str) {
    init();
    let pipeline = gst::parse::launch(pipeline).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let types = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types);
    pipeline.set_state(gst::State::Null).unwrap();
    let message = message.expect("the pipeline ends");
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
}

fn a_film() -> (tempfile::TempDir, String, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let bytes = content(2_000_000);
    std::fs::write(&path, &bytes).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path, bytes)
}

fn assert_film(listener: Listener, bytes: &[u8]) {
    let session = Session::of(&listener.packets());
    assert_eq!(session.names(), ["film.mp4"]);
    assert_eq!(session.objects[0].content_type.as_deref(), Some("video/mp4"));
    assert!(session.objects[0].bytes == bytes);
    assert!(session.is_complete);
}

#[test]
fn test_flutesink_sends_a_file_by_itself() {
    let (_folder, path, bytes) = a_film();
    let listener = Listener::new(None);
    let port = listener.port;
    run(&format!("filesrc location={path} ! flutesink address=127.0.0.1 port={port} bitrate=200000000"));
    assert_film(listener, &bytes);
}

#[test]
fn test_flutesink_multicasts_by_itself() {
    let (_folder, path, bytes) = a_film();
    let listener = Listener::new(Some("239.255.3.4"));
    let port = listener.port;
    run(&format!(
        "filesrc location={path} ! flutesink address=239.255.3.4 port={port} multicast-iface=lo qos-dscp=10 \
         bitrate=200000000"
    ));
    assert_film(listener, &bytes);
}

#[test]
fn test_flutesink_sends_through_udpsink() {
    let (_folder, path, bytes) = a_film();
    let listener = Listener::new(None);
    let port = listener.port;
    run(&format!("filesrc location={path} ! queue ! flutesink bitrate=200000000 ! udpsink host=127.0.0.1 port={port}"));
    assert_film(listener, &bytes);
}

#[test]
fn test_flutesink_one_object_for_each_file_of_multifilesrc() {
    init();
    let folder = tempfile::tempdir().unwrap();
    for i in 0..3 {
        std::fs::write(folder.path().join(format!("part{i:02}.ts")), content(1000 + i)).unwrap();
    }
    let listener = Listener::new(None);
    let (path, port) = (folder.path().display(), listener.port);
    run(&format!("multifilesrc location={path}/part%02d.ts ! flutesink address=127.0.0.1 port={port}"));
    let session = Session::of(&listener.packets());
    assert_eq!(session.names(), ["part00.ts", "part01.ts", "part02.ts"]);
    assert!(session.objects.iter().enumerate().all(|(i, object)| object.bytes == content(1000 + i)));
    assert_eq!(session.objects[0].content_type.as_deref(), Some("video/mp2t"));
}

#[test]
fn test_flutesink_another_destination_while_it_sends() {
    init();
    let (first, second) = (Listener::new(None), Listener::new(None));
    let element = gst::ElementFactory::make("flutesink")
        .property("address", "127.0.0.1")
        .property("port", i32::from(first.port))
        .build()
        .unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    element.set_state(gst::State::Playing).unwrap();
    let send = |bytes: &'static [u8]| {
        let meta: Option<gst::Structure> = None;
        assert!(element.emit_by_name::<bool>("add-object", &[&gst::Buffer::from_slice(bytes), &meta]));
        loop {
            let message = bus.timed_pop(gst::ClockTime::from_seconds(60)).expect("the object is sent");
            if message.structure().is_some_and(|structure| structure.name() == "flute-object-withdrawn") {
                return;
            }
        }
    };
    send(b"to the first");
    element.set_property("port", i32::from(second.port));
    send(b"to the second");
    // Where it cannot go, it does not.
    element.set_property("multicast-iface", "no-such-if");
    send(b"to the second again");
    element.set_state(gst::State::Null).unwrap();
    element.set_bus(None);
    let bytes = |listener: Listener| {
        let session = Session::of(&listener.packets());
        session.objects.into_iter().map(|object| String::from_utf8(object.bytes).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(bytes(first), ["to the first"]);
    assert_eq!(bytes(second), ["to the second", "to the second again"]);
}
