// SPDX-License-Identifier: MPL-2.0

//! Captures of other senders, which lie outside of the repository.

// Each test takes what it needs.
#![allow(dead_code)]

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use pcap_file::pcap::PcapReader;

/// A UDP datagram of a capture.
pub(crate) struct Datagram {
    /// When it was captured, since the Unix epoch.
    pub(crate) time: Duration,
    /// Where it came from.
    pub(crate) source: SocketAddr,
    /// Where it went to.
    pub(crate) destination: SocketAddr,
    /// Its payload.
    pub(crate) payload: Vec<u8>,
}

/// The folder of captures, vectors and specifications: `$FLUTE_SHARED`, or `shared` beside the repository.
pub(crate) fn shared() -> PathBuf {
    std::env::var_os("FLUTE_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from)
}

/// All UDP datagrams of the capture of this name. `None`, which a test is to be skipped for, if it is not there; that
/// is said on stderr.
pub(crate) fn datagrams(capture: &str) -> Option<Vec<Datagram>> {
    let path = shared().join("captures").join(capture).with_extension("pcap");
    let Ok(file) = File::open(&path) else {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    };
    let mut reader = PcapReader::new(file).expect("a pcap file");
    let mut datagrams = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("a whole packet");
        let sliced = SlicedPacket::from_ethernet(&packet.data).expect("an Ethernet frame");
        let (Some(net), Some(TransportSlice::Udp(udp))) = (sliced.net, sliced.transport) else { continue };
        let (source, destination) = match net {
            NetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            NetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            NetSlice::Arp(_) => continue,
        };
        datagrams.push(Datagram {
            time: packet.timestamp,
            source: SocketAddr::new(source, udp.source_port()),
            destination: SocketAddr::new(destination, udp.destination_port()),
            payload: udp.payload().to_vec(),
        });
    }
    Some(datagrams)
}
