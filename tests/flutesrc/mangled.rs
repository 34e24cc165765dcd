// SPDX-License-Identifier: MPL-2.0

//! Captures as a bad network would have left them: with packets that were duplicated, reordered, cut off and lost.

use std::path::Path;
use std::time::Duration;

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};

/// What a network does to packets, in percent of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mangling {
    pub(crate) duplicated: u64,
    /// Places by which a packet may be late.
    pub(crate) reordered_within: u64,
    pub(crate) truncated: u64,
    pub(crate) lost: u64,
    /// Another seed is another network of the same kind.
    pub(crate) seed: u64,
}

/// Numbers that look random and are the same every time (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % bound
    }

    fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A datagram of a capture: the frame it came in, and where in it the payload begins.
struct Captured {
    time: Duration,
    frame: Vec<u8>,
    port: u16,
    payload: Vec<u8>,
}

fn read(capture: &Path) -> Vec<Captured> {
    let mut reader = PcapReader::new(std::fs::File::open(capture).unwrap()).unwrap();
    let mut datagrams = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.unwrap();
        let sliced = SlicedPacket::from_ethernet(&packet.data).unwrap();
        let Some(TransportSlice::Udp(udp)) = sliced.transport else { continue };
        datagrams.push(Captured {
            time: packet.timestamp,
            frame: packet.data.to_vec(),
            port: udp.destination_port(),
            payload: udp.payload().to_vec(),
        });
    }
    datagrams
}

/// The same frame with another payload.
fn reframe(frame: &[u8], payload: &[u8]) -> Vec<u8> {
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Udp(udp))) = (sliced.net, sliced.transport) else {
        panic!("not UDP over IPv4")
    };
    let ip = ip.header();
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4(ip.source(), ip.destination(), ip.ttl())
        .udp(udp.source_port(), udp.destination_port());
    let mut frame = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut frame, payload).unwrap();
    frame
}

impl Mangling {
    /// Writes what is left of a capture into another file. Tells the payloads that go to `port`, in order, as they were
    /// and as they are.
    pub(crate) fn mangle(&self, capture: &Path, mangled: &Path, port: u16) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let mut random = Random(self.seed + 1);
        let datagrams = read(capture);
        let mut order = Vec::new();
        for (place, datagram) in datagrams.iter().enumerate() {
            if random.happens(self.lost) {
                continue;
            }
            let copies = if random.happens(self.duplicated) { 2 } else { 1 };
            for _ in 0..copies {
                let is_whole = !random.happens(self.truncated);
                let length = datagram.payload.len();
                let length = if is_whole { length } else { random.below(length as u64) as usize };
                order.push((place as u64 + random.below(self.reordered_within + 1), datagram, length));
            }
        }
        order.sort_by_key(|(place, ..)| *place);

        let mut writer = PcapWriter::new(std::fs::File::create(mangled).unwrap()).unwrap();
        let mut payloads = Vec::new();
        let mut time = Duration::ZERO;
        for (_, datagram, length) in order {
            let payload = &datagram.payload[..length];
            let frame = reframe(&datagram.frame, payload);
            time = time.max(datagram.time);
            let length = frame.len() as u32;
            writer.write_packet(&PcapPacket::new_owned(time, length, frame)).unwrap();
            if datagram.port == port {
                payloads.push(payload.to_vec());
            }
        }
        let sent = datagrams.into_iter().filter(|datagram| datagram.port == port);
        (sent.map(|datagram| datagram.payload).collect(), payloads)
    }
}
