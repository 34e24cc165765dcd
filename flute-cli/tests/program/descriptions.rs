// SPDX-License-Identifier: MPL-2.0

//! Sessions that are described by SDP.

use std::fs;
use std::net::UdpSocket;
use std::time::SystemTime;

use flute_proto::Time;
use flute_proto::lct::Tsi;
use flute_proto::sender::{Batch, FinishPolicy, Object, Poll, Sender, SenderConfig};

use crate::process::{Program, free_port, group, run};

/// What the sender writes is all that a receiver needs.
#[test]
fn what_the_sender_describes_is_received() {
    let (folder, group) = (tempfile::tempdir().unwrap(), group());
    let (sdp, file, into) =
        (folder.path().join("session.sdp"), folder.path().join("a.txt"), folder.path().join("received"));
    fs::write(&file, "text").unwrap();
    let mut sender = Program::start(&[
        "send",
        file.to_str().unwrap(),
        "--to",
        &group,
        "--iface",
        "lo",
        "--tsi",
        "9",
        "--carousel",
        "--repeat-delay",
        "100ms",
        "--fec",
        "raptorq",
        "--sdp",
        sdp.to_str().unwrap(),
        "--json",
    ]);
    sender.wait_for("session-opened");
    let description = fs::read_to_string(&sdp).unwrap();
    let (address, port) = group.rsplit_once(':').unwrap();
    for line in [
        "a=flute-tsi:9\r\n",
        "a=FEC-declaration:0 encoding-id=6\r\n",
        &format!("m=application {port} FLUTE/UDP 0\r\nc=IN IP4 {address}/64\r\nb=AS:20000\r\n"),
    ] {
        assert!(description.contains(line), "{line} in {description}");
    }
    let mut receiver = Program::receive(sdp.to_str().unwrap(), into.to_str().unwrap(), &[]);
    let received = receiver.wait_for("object-received");
    assert_eq!((&received["location"], &received["tsi"]), (&"a.txt".into(), &9.into()), "{received}");
    receiver.interrupt();
    sender.interrupt();
    assert_eq!(receiver.end().status, Some(0));
    assert_eq!(sender.end().status, Some(0));
    assert_eq!(fs::read_to_string(into.join("a.txt")).unwrap(), "text");
}

/// A session of two channels (RFC 6726 §3.1): each has every second packet, and together they are everything.
#[test]
fn a_session_of_two_channels() {
    let folder = tempfile::tempdir().unwrap();
    let (sdp, into) = (folder.path().join("session.sdp"), folder.path().join("received"));
    let ports = [free_port(), free_port()];
    let channels = ports.map(|port| format!("m=application {port} FLUTE/UDP *\r\nc=IN IP4 127.0.0.1\r\n"));
    let head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=two\r\nt=0 0\r\na=flute-tsi:3\r\na=flute-ch:2\r\n";
    fs::write(&sdp, format!("{head}{}", channels.concat())).unwrap();
    let mut receiver = Program::receive(sdp.to_str().unwrap(), into.to_str().unwrap(), &["--until-closed"]);
    // The first is waited for.
    assert_eq!(receiver.wait_for("listening")["address"], format!("127.0.0.1:{}", ports[1]));

    let now = Time::from_unix(SystemTime::UNIX_EPOCH.elapsed().unwrap());
    let mut sender = Sender::new(SenderConfig::default().tsi(Tsi::new(3).unwrap()), now).unwrap();
    let content: Vec<u8> = (0..200_000_u32).map(|index| (index ^ (index >> 7)) as u8).collect();
    sender.add(Object::new("a.bin", content.clone()), now).unwrap();
    sender.finish(FinishPolicy::default(), now);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (mut batch, mut now) = (Batch::new(8), now);
    let mut channels = ports.iter().cycle();
    loop {
        match sender.poll(now, &mut batch) {
            Poll::Packets => {
                for packet in batch.packets() {
                    socket.send_to(packet, ("127.0.0.1", *channels.next().unwrap())).unwrap();
                }
            }
            Poll::Wait(at) => now = at,
            Poll::Idle | Poll::Done => break,
        }
    }
    let ended = receiver.end();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(ended.events("session-opened").len(), 1, "{ended:?}");
    assert!(fs::read(into.join("a.bin")).unwrap() == content);
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let sdp = folder.path().join("session.sdp");
    let receive = || run(&["receive", sdp.to_str().unwrap(), "--into", folder.path().to_str().unwrap()]);
    assert!(receive().stderr.contains("reading "), "{:?}", receive());
    fs::write(&sdp, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 5004 RTP/AVP 96\r\n").unwrap();
    assert!(receive().stderr.contains("there is no m= line with the protocol FLUTE/UDP"), "{:?}", receive());
}
