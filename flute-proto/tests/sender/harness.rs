// SPDX-License-Identifier: MPL-2.0

//! Drives a sender in virtual time, and reads what it sends.

use std::collections::HashMap;
use std::time::Duration;

use flute_proto::Time;
use flute_proto::alc::Packet;
use flute_proto::content::{self, ContentEncoding, DecodeLimits};
use flute_proto::fdt::{FdtInstance, ReadLimits};
use flute_proto::lct::Revision;
use flute_proto::oti::PayloadIdFormat;
use flute_proto::sender::{Batch, Event, FecConfig, FecScheme, Poll, Sender, SenderConfig};

/// A packet that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Time,
    pub(crate) bytes: Vec<u8>,
}

impl Sent {
    pub(crate) fn packet(&self) -> Packet<'_> {
        Packet::decode(&self.bytes, Revision::Rfc5651).expect("the sender sends ALC packets")
    }

    /// TOI, `None` where there is none.
    pub(crate) fn toi(&self) -> Option<u128> {
        self.packet().header.toi.map(|toi| toi.get())
    }

    pub(crate) fn is_fdt(&self) -> bool {
        self.packet().fdt.is_some()
    }

    /// Source block number and encoding symbol ID.
    pub(crate) fn symbol(&self) -> (u32, u32) {
        let packet = self.packet();
        let format = PayloadIdFormat::of(packet.encoding_id(), 8).unwrap();
        let id = format.decode(packet.payload.unwrap().id).unwrap();
        (id.source_block, id.esi)
    }
}

/// A sender and its clock.
pub(crate) struct Session {
    pub(crate) sender: Sender,
    pub(crate) now: Time,
    pub(crate) events: Vec<Event>,
    batch: Batch,
}

/// When sessions start.
pub(crate) fn start() -> Time {
    Time::from_unix(Duration::from_secs(1_800_000_000))
}

/// Compact No-Code with symbols and blocks of these sizes.
pub(crate) fn no_code(symbol_size: u16, block: u32) -> FecConfig {
    FecConfig::default().scheme(FecScheme::NoCode).symbol_size(symbol_size).max_source_block_length(Some(block))
}

/// Bytes that differ from place to place, and do not get shorter when they are compressed.
pub(crate) fn content(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(step).collect()
}

impl Session {
    pub(crate) fn new(config: SenderConfig) -> Self {
        Self { sender: Sender::new(config, start()).unwrap(), now: start(), events: Vec::new(), batch: Batch::new(64) }
    }

    pub(crate) fn with_batches_of(mut self, packets: usize) -> Self {
        self.batch = Batch::new(packets);
        self
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now.since(start())
    }

    /// Polls at the present time until there are no more packets, and returns them.
    pub(crate) fn drain(&mut self) -> (Vec<Sent>, Poll) {
        let mut sent = Vec::new();
        loop {
            let poll = self.sender.poll(self.now, &mut self.batch);
            while let Some(event) = self.sender.poll_event() {
                self.events.push(event);
            }
            match poll {
                Poll::Packets => {
                    assert!(!self.batch.is_empty());
                    sent.extend(self.batch.packets().map(|packet| Sent { at: self.now, bytes: packet.to_vec() }));
                }
                Poll::Wait(at) if at <= self.now => {}
                poll => return (sent, poll),
            }
        }
    }

    /// Lets time go by until `end`, or until there is nothing to wait for.
    pub(crate) fn run_until(&mut self, end: Time) -> Vec<Sent> {
        let mut sent = Vec::new();
        loop {
            let (packets, poll) = self.drain();
            sent.extend(packets);
            match poll {
                Poll::Wait(at) if at <= end => self.now = at,
                _ => {
                    self.now = end;
                    return sent;
                }
            }
        }
    }

    pub(crate) fn run_for(&mut self, duration: Duration) -> Vec<Sent> {
        self.run_until(self.now + duration)
    }

    /// Lets time go by until the session is done.
    pub(crate) fn run_to_end(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        loop {
            let (packets, poll) = self.drain();
            sent.extend(packets);
            match poll {
                Poll::Wait(at) => self.now = at,
                Poll::Done => return sent,
                poll => panic!("{poll:?} after {:?}", self.elapsed()),
            }
        }
    }
}

/// The packets of objects, FDT Instances and closing packets left out.
pub(crate) fn objects(sent: &[Sent]) -> Vec<Sent> {
    sent.iter().filter(|sent| !sent.is_fdt() && sent.toi().is_some()).cloned().collect()
}

/// Each FDT Instance as often as it was sent, with its ID and the time of its last packet. Only source symbols are used.
pub(crate) fn tables(sent: &[Sent]) -> Vec<(u32, FdtInstance, Time)> {
    let mut tables = Vec::new();
    let mut symbols: HashMap<u32, Vec<u8>> = HashMap::new();
    for sent in sent.iter().filter(|sent| sent.is_fdt()) {
        let packet = sent.packet();
        let id = packet.fdt.unwrap().instance_id;
        let oti = packet.oti().unwrap().unwrap();
        let codec = oti.codec().unwrap();
        let (sbn, esi) = sent.symbol();
        let block = codec.block(sbn).unwrap();
        if esi >= block.symbols {
            continue;
        }
        let document = symbols.entry(id).or_default();
        document.extend_from_slice(packet.payload.unwrap().symbols);
        if document.len() as u64 == oti.parameters.transfer_length {
            let encoding = ContentEncoding::from_cenc(packet.content_encoding.unwrap_or(0)).unwrap();
            let xml = content::decode(encoding, document, DecodeLimits::default()).unwrap();
            let parsed = FdtInstance::from_xml(&xml, &ReadLimits::default()).unwrap();
            assert_eq!(parsed.rejected, []);
            tables.push((id, parsed.instance, sent.at));
            symbols.remove(&id);
        }
    }
    assert!(symbols.is_empty(), "an FDT Instance was not sent to its end");
    tables
}
