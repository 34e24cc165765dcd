// SPDX-License-Identifier: MPL-2.0

//! Which objects can be complete, reckoned from the packets that arrived: by counting the symbols of every source block,
//! after all of them are there. No receiver and no decoder takes part.

use std::collections::{BTreeMap, BTreeSet};

use flute_fec::Code;
use flute_proto::alc::Packet;
use flute_proto::content::{ContentEncoding, DecodeLimits, decode};
use flute_proto::fdt::{FdtInstance, ReadLimits};
use flute_proto::lct::{Revision, Toi};
use flute_proto::oti::{FecEncodingId, Oti};

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every source symbol is there, or enough symbols of every block for its code.
    Complete,
    /// It cannot be told: the code may need a few symbols more than there are source symbols, and has few.
    Open,
    /// Symbols are missing that nothing can make up for.
    Incomplete,
    /// Nothing that is of use arrived.
    Absent,
}

/// Symbols beyond the source symbols with which Raptor and RaptorQ are held to have succeeded: RFC 5053 and RFC 6330
/// promise a failure in some ten thousand to a million blocks with two.
const OVERHEAD: u64 = 3;

/// Everything that arrived.
#[derive(Debug, Default)]
pub(crate) struct Reckoning {
    /// By TSI.
    sessions: BTreeMap<u64, Session>,
}

#[derive(Debug, Default)]
struct Session {
    /// FDT Instances by their IDs, and objects by their TOIs.
    instances: BTreeMap<u32, Object>,
    objects: BTreeMap<u128, Object>,
}

#[derive(Debug, Default)]
struct Object {
    /// What EXT_FTI said, and EXT_CENC.
    fti: Option<Oti>,
    content_encoding: Option<u8>,
    packets: Vec<Payload>,
}

#[derive(Debug)]
struct Payload {
    encoding_id: FecEncodingId,
    id: Vec<u8>,
    /// Length of the symbols, and the symbols of FDT Instances.
    length: usize,
    symbols: Vec<u8>,
}

impl Reckoning {
    /// These packets arrived.
    pub(crate) fn of<'a>(datagrams: impl IntoIterator<Item = &'a Vec<u8>>) -> Self {
        let mut reckoning = Self::default();
        datagrams.into_iter().for_each(|datagram| reckoning.push(datagram));
        reckoning
    }

    /// A packet arrived.
    pub(crate) fn push(&mut self, datagram: &[u8]) {
        let Ok(packet) = Packet::decode(datagram, Revision::Rfc3451) else { return };
        let (Some(tsi), Some(toi)) = (packet.header.tsi, packet.header.toi) else { return };
        let session = self.sessions.entry(tsi.get()).or_default();
        let object = match packet.fdt {
            Some(fdt) if toi == Toi::FDT => session.instances.entry(fdt.instance_id).or_default(),
            _ => session.objects.entry(toi.get()).or_default(),
        };
        if let Some(Ok(oti)) = packet.oti() {
            object.fti.get_or_insert(oti);
        }
        object.content_encoding = object.content_encoding.or(packet.content_encoding);
        let Some(payload) = packet.payload else { return };
        object.packets.push(Payload {
            encoding_id: packet.encoding_id(),
            id: payload.id.to_vec(),
            length: payload.symbols.len(),
            symbols: if toi == Toi::FDT { payload.symbols.to_vec() } else { Vec::new() },
        });
    }

    /// What becomes of every object that an FDT Instance describes which arrived: by TSI, TOI and Content-Location.
    /// `sent` are all packets that were sent, in which FDT Instances can be read without repairing them.
    pub(crate) fn verdicts(&self, sent: &Self) -> BTreeMap<(u64, u128, String), Verdict> {
        let mut verdicts = BTreeMap::new();
        for (tsi, session) in &self.sessions {
            for (instance_id, arrived) in &session.instances {
                let instance = sent.sessions[tsi].instances[instance_id].fdt_instance().expect("a whole FDT Instance");
                let is_described = match arrived.fti.as_ref().map(|oti| arrived.verdict(oti)) {
                    Some(Verdict::Complete) => true,
                    Some(Verdict::Open) => false,
                    _ => continue,
                };
                for file in instance.files {
                    let length = file.transfer_length.or(file.content_length).unwrap_or(0);
                    let from_fdt = Oti::from_attributes(&file.oti.or(&instance.oti), length).ok();
                    let verdict = session.objects.get(&file.toi.get()).map_or(Verdict::Absent, |object| {
                        object.fti.clone().or(from_fdt).map_or(Verdict::Absent, |oti| object.verdict(&oti))
                    });
                    let key = (*tsi, file.toi.get(), file.content_location);
                    if is_described {
                        verdicts.insert(key, verdict);
                    } else {
                        verdicts.entry(key).or_insert(Verdict::Open);
                    }
                }
            }
        }
        verdicts
    }
}

impl Object {
    /// The FDT Instance that this is, if all its source symbols are there.
    fn fdt_instance(&self) -> Option<FdtInstance> {
        let oti = self.fti.as_ref()?;
        let geometry = Geometry::of(oti);
        let mut bytes = vec![0; geometry.length as usize];
        for payload in &self.packets {
            let id = oti.payload_id_format().ok()?.decode(&payload.id)?;
            if u64::from(id.esi) >= geometry.source_symbols(id.source_block.into())? {
                continue;
            }
            let start = geometry.first_symbol(id.source_block.into()) + u64::from(id.esi);
            let start = (start * geometry.symbol_size) as usize;
            let end = (start + payload.length).min(bytes.len());
            bytes.get_mut(start..end)?.copy_from_slice(payload.symbols.get(..end - start)?);
        }
        let encoding = self.content_encoding.map_or(Some(ContentEncoding::Null), ContentEncoding::from_cenc)?;
        let document = decode(encoding, &bytes, DecodeLimits { max_size: 1 << 20, max_ratio: 1000 }).ok()?;
        Some(FdtInstance::from_xml(&document, &ReadLimits::default()).ok()?.instance)
    }

    fn verdict(&self, oti: &Oti) -> Verdict {
        let geometry = Geometry::of(oti);
        let Ok(format) = oti.payload_id_format() else { return Verdict::Absent };
        let mut symbols: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for payload in self.packets.iter().filter(|payload| payload.encoding_id == oti.encoding_id) {
            let Some(id) = format.decode(&payload.id) else { continue };
            let block = u64::from(id.source_block);
            let Some(source_symbols) = geometry.source_symbols(block) else { continue };
            let mut rest = payload.length as u64;
            for esi in u64::from(id.esi).. {
                let needed = if esi < source_symbols {
                    geometry
                        .symbol_size
                        .min(geometry.length - (geometry.first_symbol(block) + esi) * geometry.symbol_size)
                } else {
                    geometry.symbol_size
                };
                if rest < needed {
                    break;
                }
                symbols.entry(block).or_default().insert(esi);
                rest = rest.saturating_sub(geometry.symbol_size);
                if rest == 0 {
                    break;
                }
            }
        }
        if symbols.is_empty() && geometry.blocks > 0 {
            return Verdict::Absent;
        }
        let has_overhead = matches!(oti.parameters.code, Code::Raptor { .. } | Code::RaptorQ { .. });
        let of_block = |block| {
            let source_symbols = geometry.source_symbols(block).expect("there is such a block");
            let there = symbols.get(&block);
            let count = there.map_or(0, |symbols| symbols.len() as u64);
            if there.is_some_and(|symbols| symbols.range(..source_symbols).count() as u64 == source_symbols) {
                Verdict::Complete
            } else if count < source_symbols {
                Verdict::Incomplete
            } else if has_overhead && count < source_symbols + OVERHEAD {
                Verdict::Open
            } else {
                Verdict::Complete
            }
        };
        let verdicts: Vec<_> = (0..geometry.blocks).map(of_block).collect();
        [Verdict::Incomplete, Verdict::Open]
            .into_iter()
            .find(|verdict| verdicts.contains(verdict))
            .unwrap_or(Verdict::Complete)
    }
}

/// How an object is cut into blocks (RFC 5052 §9.1; RFC 5053 §5.3.1.2 and RFC 6330 §4.4.1.2 cut likewise).
struct Geometry {
    length: u64,
    symbol_size: u64,
    symbols: u64,
    blocks: u64,
}

impl Geometry {
    fn of(oti: &Oti) -> Self {
        let (length, symbol_size) = (oti.parameters.transfer_length, u64::from(oti.parameters.symbol_size));
        let symbols = length.div_ceil(symbol_size);
        let blocks = match oti.parameters.code {
            Code::Raptor { source_blocks, .. } | Code::RaptorQ { source_blocks, .. } => source_blocks.into(),
            Code::NoCode { max_source_block_length } | Code::ReedSolomon { max_source_block_length, .. } => {
                symbols.div_ceil(max_source_block_length.into())
            }
        };
        Self { length, symbol_size, symbols, blocks }
    }

    /// Source symbols of a block.
    fn source_symbols(&self, block: u64) -> Option<u64> {
        let (short, longer) = (self.symbols / self.blocks.max(1), self.symbols % self.blocks.max(1));
        (block < self.blocks).then_some(short + u64::from(block < longer))
    }

    /// Source symbols of the blocks before this one.
    fn first_symbol(&self, block: u64) -> u64 {
        (0..block).filter_map(|block| self.source_symbols(block)).sum()
    }
}
