// SPDX-License-Identifier: MPL-2.0

//! A sender's output, taken apart by the codecs alone.

use std::collections::BTreeMap;

use flute_proto::Time;
use flute_proto::alc::Packet;
use flute_proto::content::{ContentEncoding, DecodeLimits, decode};
use flute_proto::fdt::{FdtInstance, ReadLimits};
use flute_proto::lct::{Revision, Toi};
use flute_proto::oti::{Oti, PayloadId};
use flute_proto::sender::{Batch, FinishPolicy, Object, Poll, Sender, SenderConfig};

use super::at;

/// A packet that a sender gave out.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) due: Time,
    pub(crate) bytes: Vec<u8>,
}

impl Sent {
    pub(crate) fn packet(&self) -> Packet<'_> {
        Packet::decode(&self.bytes, Revision::Rfc5651).unwrap()
    }

    pub(crate) fn toi(&self) -> Option<u128> {
        self.packet().header.toi.map(Toi::get)
    }
}

/// All that a session of these objects consists of.
pub(crate) fn transmit(config: SenderConfig, objects: impl IntoIterator<Item = Object>) -> Vec<Sent> {
    let mut sender = Sender::new(config, at(0)).unwrap();
    for object in objects {
        sender.add(object, at(0)).unwrap();
    }
    sender.finish(FinishPolicy::RunToEnd, at(0));
    drain(&mut sender)
}

/// Everything until the sender is done.
pub(crate) fn drain(sender: &mut Sender) -> Vec<Sent> {
    let (mut now, mut batch, mut sent) = (at(0), Batch::new(16), Vec::new());
    loop {
        match sender.poll(now, &mut batch) {
            Poll::Packets => {
                sent.extend(batch.packets().map(|bytes| Sent { due: batch.due(), bytes: bytes.to_vec() }));
            }
            Poll::Wait(until) => now = until,
            Poll::Idle => panic!("a session that has been finished idles"),
            Poll::Done => return sent,
        }
    }
}

/// An FDT Instance that a sender gave out.
#[derive(Debug)]
pub(crate) struct SentInstance {
    pub(crate) id: u32,
    /// Index of its first and its last packet.
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) due: Time,
    pub(crate) xml: String,
    pub(crate) instance: FdtInstance,
}

/// An FDT Instance that is being put together.
struct Assembly {
    id: u32,
    first: usize,
    oti: Oti,
    encoding: ContentEncoding,
    symbols: BTreeMap<u64, Vec<u8>>,
}

impl Assembly {
    fn new(first: usize, packet: &Packet<'_>) -> Self {
        Self {
            id: packet.fdt.expect("EXT_FDT in every packet of an FDT Instance").instance_id,
            first,
            oti: packet.oti().expect("EXT_FTI").unwrap(),
            encoding: packet.content_encoding.map_or(ContentEncoding::Null, |code| {
                ContentEncoding::from_cenc(code).expect("a content encoding that is assigned")
            }),
            symbols: BTreeMap::new(),
        }
    }

    fn payload_id(&self, packet: &Packet<'_>) -> PayloadId {
        self.oti.payload_id_format().unwrap().decode(packet.payload.expect("a payload").id).unwrap()
    }

    /// Takes the symbol if it is a source symbol.
    fn take(&mut self, packet: &Packet<'_>) {
        let id = self.payload_id(packet);
        let block = self.oti.codec().unwrap().block(id.source_block).unwrap();
        if id.esi < block.symbols {
            let offset = block.offset + u64::from(id.esi) * u64::from(self.oti.parameters.symbol_size);
            self.symbols.insert(offset, packet.payload.expect("a payload").symbols.to_vec());
        }
    }

    /// The document, once all source symbols are there.
    fn document(&self) -> Option<Vec<u8>> {
        let mut bytes: Vec<u8> = self.symbols.values().flatten().copied().collect();
        let length = self.oti.parameters.transfer_length as usize;
        (bytes.len() >= length).then(|| {
            bytes.truncate(length);
            decode(self.encoding, &bytes, DecodeLimits::default()).unwrap()
        })
    }
}

/// The FDT Instances among packets that were sent without loss, put together from their source symbols. One that is sent
/// again is there again.
pub(crate) fn instances(sent: &[Sent]) -> Vec<SentInstance> {
    let mut found: Vec<SentInstance> = Vec::new();
    let mut open: Option<Assembly> = None;
    for (index, packet) in sent.iter().enumerate().filter(|(_, packet)| packet.toi() == Some(0)) {
        let packet = packet.packet();
        let begins = |assembly: &Assembly| {
            let id = packet.fdt.map(|fdt| fdt.instance_id);
            // A repetition begins with the first symbol again.
            let payload_id = assembly.payload_id(&packet);
            id != Some(assembly.id) || payload_id.source_block == 0 && payload_id.esi == 0
        };
        if open.as_ref().is_none_or(begins) {
            open = Some(Assembly::new(index, &packet));
        }
        let Some(assembly) = &mut open else { continue };
        assembly.take(&packet);
        let Some(xml) = assembly.document() else { continue };
        match found.last_mut() {
            // Repair symbols of the same.
            Some(known) if known.first == assembly.first => known.last = index,
            _ => found.push(SentInstance {
                id: assembly.id,
                first: assembly.first,
                last: index,
                due: sent[assembly.first].due,
                instance: FdtInstance::from_xml(&xml, &ReadLimits::default()).unwrap().instance,
                xml: String::from_utf8(xml).unwrap(),
            }),
        }
    }
    found
}
