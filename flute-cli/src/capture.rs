// SPDX-License-Identifier: MPL-2.0

//! UDP datagrams of a capture.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use flute_proto::Time;
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::{Block, PcapNgReader};

/// What a file of pcapng begins with: the type of its Section Header Block.
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// What a file of pcap begins with, in the order of bytes of either kind of machine: times in microseconds or nanoseconds.
const PCAP: [[u8; 4]; 4] =
    [[0xa1, 0xb2, 0xc3, 0xd4], [0xd4, 0xc3, 0xb2, 0xa1], [0xa1, 0xb2, 0x3c, 0x4d], [0x4d, 0x3c, 0xb2, 0xa1]];

/// A datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram<'a> {
    pub(crate) time: Time,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) payload: &'a [u8],
}

/// What a capture has besides datagrams.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CaptureFacts {
    pub(crate) frames: u64,
    /// Frames of which the capture has only the beginning.
    pub(crate) cut: u64,
    /// Parts of datagrams that were longer than the link allows, which are not put together.
    pub(crate) fragments: u64,
    /// Frames that are no UDP over IP.
    pub(crate) others: u64,
}

/// Whether a file begins as a capture does.
pub(crate) fn is_capture(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && (magic == PCAPNG || PCAP.contains(&magic))
}

/// Hands the datagrams of a capture over, until there are no more or no more are wanted.
pub(crate) fn read(path: &Path, take: impl FnMut(Datagram<'_>) -> ControlFlow<()>) -> anyhow::Result<CaptureFacts> {
    let mut file = BufReader::new(File::open(path)?);
    let mut magic = [0; 4];
    file.read_exact(&mut magic).context("it is too short for a capture")?;
    file.rewind()?;
    let mut frames = Frames { facts: CaptureFacts::default(), take };
    if magic == PCAPNG {
        read_pcapng(file, &mut frames)?
    } else {
        read_pcap(file, &mut frames)?
    }
    Ok(frames.facts)
}

fn read_pcap(file: impl Read, frames: &mut Frames<impl FnMut(Datagram<'_>) -> ControlFlow<()>>) -> anyhow::Result<()> {
    let mut reader = PcapReader::new(file).context("it is neither pcap nor pcapng")?;
    let link = reader.header().datalink;
    while let Some(packet) = reader.next_packet() {
        let packet = packet.context("a frame is broken")?;
        if frames.take(link, packet.timestamp, &packet.data, packet.orig_len)?.is_break() {
            break;
        }
    }
    Ok(())
}

fn read_pcapng(
    file: impl Read,
    frames: &mut Frames<impl FnMut(Datagram<'_>) -> ControlFlow<()>>,
) -> anyhow::Result<()> {
    let mut reader = PcapNgReader::new(file).context("it is no pcapng")?;
    let mut links = Vec::new();
    while let Some(block) = reader.next_block() {
        match block.context("a block is broken")? {
            Block::SectionHeader(_) => links.clear(),
            Block::InterfaceDescription(interface) => links.push(interface.linktype),
            Block::EnhancedPacket(packet) => {
                let link = links.get(packet.interface_id as usize).context("a packet is of no interface")?;
                if frames.take(*link, packet.timestamp, &packet.data, packet.original_len)?.is_break() {
                    break;
                }
            }
            _ => (),
        }
    }
    Ok(())
}

/// Frames on their way to datagrams.
struct Frames<F> {
    facts: CaptureFacts,
    take: F,
}

impl<F: FnMut(Datagram<'_>) -> ControlFlow<()>> Frames<F> {
    fn take(&mut self, link: DataLink, time: Duration, frame: &[u8], length: u32) -> anyhow::Result<ControlFlow<()>> {
        self.facts.frames += 1;
        if (frame.len() as u64) < u64::from(length) {
            self.facts.cut += 1;
            return Ok(ControlFlow::Continue(()));
        }
        let sliced = match link {
            DataLink::ETHERNET => SlicedPacket::from_ethernet(frame),
            DataLink::LINUX_SLL => SlicedPacket::from_linux_sll(frame),
            DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => SlicedPacket::from_ip(frame),
            other => bail!("frames of the link type {other:?} cannot be read: capture on an Ethernet interface"),
        };
        let is_fragment = sliced.as_ref().is_ok_and(SlicedPacket::is_ip_payload_fragmented);
        let Ok(SlicedPacket { net: Some(net), transport, .. }) = sliced else {
            self.facts.others += 1;
            return Ok(ControlFlow::Continue(()));
        };
        let (source, destination) = match &net {
            NetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            NetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            NetSlice::Arp(_) => {
                self.facts.others += 1;
                return Ok(ControlFlow::Continue(()));
            }
        };
        match transport {
            Some(TransportSlice::Udp(udp)) => {
                return Ok((self.take)(Datagram {
                    time: Time::from_unix(time),
                    source: SocketAddr::new(source, udp.source_port()),
                    destination: SocketAddr::new(destination, udp.destination_port()),
                    payload: udp.payload(),
                }));
            }
            None if is_fragment => self.facts.fragments += 1,
            _ => self.facts.others += 1,
        }
        Ok(ControlFlow::Continue(()))
    }
}
