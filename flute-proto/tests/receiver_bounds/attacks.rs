// SPDX-License-Identifier: MPL-2.0

//! What an attacker may send: one row each, as packets.

use flute_fec::{ByteOrder, Code, Points};
use flute_proto::content::{ContentEncoding, encode};
use flute_proto::lct::HeaderWidths;
use flute_proto::oti::{FecEncodingId, Oti, PayloadId};
use flute_proto::receiver::Limit;

use crate::crafted::{NTP, START, Style, content, file, instance, no_code, oti};

/// One attack.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) packets: Box<dyn Iterator<Item = Vec<u8>>>,
    /// The bounds that it reaches.
    pub(crate) limits: &'static [Limit],
}

impl Attack {
    fn new(
        name: &'static str,
        limits: &'static [Limit],
        packets: impl IntoIterator<Item = Vec<u8>, IntoIter: 'static>,
    ) -> Self {
        Self { name, packets: Box::new(packets.into_iter()), limits }
    }
}

/// Every attack.
pub(crate) const ALL: &[fn() -> Attack] = &[
    fdt_that_inflates,
    object_that_inflates,
    deflate_blocks_with_tables,
    deep_xml,
    enormous_xml,
    many_entries,
    many_sessions,
    many_objects,
    many_objects_with_fti,
    many_instances,
    many_beginnings_of_instances,
    reed_solomon_of_repair_symbols,
    raptorq_of_one_byte_symbols,
    source_blocks_that_do_not_exist,
    contradicting_fti,
    changing_fti,
    longest_transfer_lengths,
    zero_divisors,
    early_symbols,
    repair_symbols_backwards,
];

/// Does what is not the receiver's, and not counted as its memory.
pub(crate) fn uncounted<T>(job: impl FnOnce() -> T) -> T {
    let mut result = None;
    allocation_counter::opt_out(|| result = Some(job()));
    result.unwrap()
}

/// Style of the attacks, which come from one address.
pub(crate) fn wide() -> Style {
    Style { widths: HeaderWidths { tsi: 32, toi: 32 }, ..Style::default() }
}

/// A gzip file of 0.94 MB that becomes 900 MiB of `byte`: of many members, so that it need not be made of all that.
fn bomb(byte: u8) -> Vec<u8> {
    encode(ContentEncoding::Gzip, &vec![byte; 1 << 20]).unwrap().repeat(900)
}

/// An FDT Instance of 0.94 MB becomes 900 MB.
pub(crate) fn fdt_that_inflates() -> Attack {
    let packets = wide().fdt_bytes(0, Some(3), &bomb(b' '));
    Attack::new("FDT Instance of 0.94 MB that inflates to 900 MB", &[Limit::Expansion], packets)
}

/// So does an object.
pub(crate) fn object_that_inflates() -> Attack {
    let bomb = bomb(0);
    let oti = no_code(bomb.len() as u64, 1000, 64);
    let mut packets = wide().fdt(0, &instance("", &[file(1, "bomb", &oti, "Content-Encoding=\"gzip\"")]));
    packets.extend(wide().object(1, &oti, &bomb));
    Attack::new("object of 0.94 MB that inflates to 900 MB", &[Limit::Expansion], packets)
}

/// An object of DEFLATE blocks each of which has its own Huffman tables and nothing to decode with them: as much work as a
/// byte of it can be.
pub(crate) fn deflate_blocks_with_tables() -> Attack {
    let mut bits = Bits::default();
    for _ in 0..100_000 {
        // RFC 1951 §3.2.7: BFINAL, BTYPE 2, HLIT 257, HDIST 30, HCLEN 18.
        bits.push(0, 1);
        bits.push(2, 2);
        bits.push(0, 5);
        bits.push(29, 5);
        bits.push(14, 4);
        // Code lengths of the code length alphabet, in its order 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1: 18 and 1 have
        // one bit each.
        for symbol in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1] {
            bits.push(u32::from(symbol == 18 || symbol == 1), 3);
        }
        // One literal, 138 and 117 zeros, the end of the block; a distance, and 29 zeros.
        for (symbol, extra) in [(1, None), (18, Some(138)), (18, Some(117)), (1, None), (1, None), (18, Some(29))] {
            bits.push(u32::from(symbol == 18), 1);
            if let Some(zeros) = extra {
                bits.push(zeros - 11, 7);
            }
        }
        // The end of the block: the second of two codes of one bit.
        bits.push(1, 1);
    }
    let object = bits.bytes;
    let oti = no_code(object.len() as u64, 1000, 64);
    let mut packets = wide().fdt(0, &instance("", &[file(1, "tables", &oti, "Content-Encoding=\"deflate\"")]));
    packets.extend(wide().object(1, &oti, &object));
    Attack::new("DEFLATE blocks of nothing but tables", &[], packets)
}

/// Bits as DEFLATE packs them.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        for bit in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= ((value >> bit & 1) as u8) << (self.used % 8);
            self.used += 1;
        }
    }
}

/// An FDT Instance around this.
fn document(content: &str) -> String {
    format!("<FDT-Instance Expires=\"{}\">{content}</FDT-Instance>", (START + 3600 + NTP) as u32)
}

fn encoded(id: u32, document: &str) -> Vec<Vec<u8>> {
    wide().encoded_fdt(id, ContentEncoding::Gzip, document)
}

/// Elements in elements.
pub(crate) fn deep_xml() -> Attack {
    let depth = 2_000_000;
    let xml = document(&format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth)));
    Attack::new("XML nested two million deep", &[], wide().fdt(0, &xml))
}

/// Documents as long as they may be, of what is slow to read.
pub(crate) fn enormous_xml() -> Attack {
    let length = 15 << 20;
    let attributes: String = (0..63).map(|number| format!(" {}=''", char::from(64 + number))).collect();
    let attributed = format!("<a{}/>", attributes.replace(" @=''", "").replace(['[', '\\', ']', '^', '`'], "_"));
    let contents = [
        "<a/>".to_owned(),
        attributed,
        "<a>&lt;</a>".to_owned(),
        "<!--->".to_owned() + "-->",
        "<File/>".to_owned(),
        "<Group/>".to_owned(),
        " ".to_owned(),
    ];
    let packets = contents
        .into_iter()
        .zip(0..)
        .flat_map(move |(content, id)| encoded(id, &document(&content.repeat(length / content.len()))));
    let long = ["<!--", "<a b='", "<a b=\"'\" c='", "<![CDATA[", "<?", "&lt;&lt;", "<!DOCTYPE [", "<"];
    let long = long.into_iter().zip(100..).flat_map(move |(begin, id)| {
        let rest = if begin.starts_with('&') { "&lt;" } else { "\"-]?" };
        encoded(id, &document(&format!("{begin}{}", rest.repeat(length / 4))))
    });
    Attack::new("XML of 15 MiB, fifteen kinds", &[], packets.chain(long))
}

/// As many files as an FDT Instance has room for, several times, and a packet of each: none fits into the memory.
pub(crate) fn many_entries() -> Attack {
    let oti = no_code(1 << 30, 1000, 60_000);
    let files: Vec<_> = (1..=27_000).map(|toi| file(toi, &format!("file number {toi}"), &oti, "")).collect();
    let xml = instance("", &files);
    let same = instance("", &vec![file(1, "the same", &oti, ""); 27_000]);
    let one_location: Vec<_> = (1..=27_000).map(|toi| file(toi, "one location", &oti, "")).collect();
    let mut packets = Vec::new();
    for id in 0..4 {
        packets.extend(encoded(id, &xml));
    }
    packets.extend(encoded(4, &same));
    packets.extend(encoded(5, &instance("", &one_location)));
    let objects = (1..=27_000).map(move |toi| wide().symbol_packet(toi, &oti, PayloadId::default(), &[1; 1000], false));
    Attack::new("27 000 File entries per instance", &[Limit::Memory], packets.into_iter().chain(objects))
}

/// One packet for each of 200 000 TSIs.
pub(crate) fn many_sessions() -> Attack {
    let oti = no_code(2000, 1000, 16);
    let packets = (0..200_000).map(move |tsi| {
        let style = Style { tsi: 1000 + tsi, ..wide() };
        style.symbol_packet(1, &oti, PayloadId::default(), &[1; 1000], false)
    });
    Attack::new("200 000 TSIs", &[Limit::Sessions], packets)
}

fn objects(fti_on_objects: bool) -> impl Iterator<Item = Vec<u8>> {
    let style = Style { fti_on_objects, ..wide() };
    let oti = no_code(1_000_000, 1000, 16);
    (1..=200_000).map(move |toi| style.symbol_packet(toi, &oti, PayloadId::default(), &[1; 1000], false))
}

/// One packet for each of 200 000 TOIs.
pub(crate) fn many_objects() -> Attack {
    Attack::new("200 000 TOIs", &[Limit::Memory], objects(false))
}

/// The same, each with its EXT_FTI.
pub(crate) fn many_objects_with_fti() -> Attack {
    Attack::new("200 000 TOIs with EXT_FTI", &[Limit::Memory], objects(true))
}

/// 200 000 whole FDT Instances.
pub(crate) fn many_instances() -> Attack {
    let packets = (0..200_000).map(|id| {
        let xml = instance("", &[file(1, &format!("a{id}"), &no_code(2000, 1000, 16), "")]);
        wide().fdt(id, &xml).swap_remove(0)
    });
    Attack::new("200 000 FDT Instance IDs", &[Limit::FdtInstances], packets)
}

/// The first packets of 200 000 long FDT Instances.
pub(crate) fn many_beginnings_of_instances() -> Attack {
    let long = instance("", &vec![file(1, "a", &no_code(2000, 1000, 16), ""); 20]);
    let first = wide().fdt(0, &long).swap_remove(0);
    let packets = (0..200_000u32).map(move |id| {
        let mut packet = first.clone();
        // EXT_FDT follows CCI, TSI and TOI.
        packet[17..20].copy_from_slice(&[0x20 | (id >> 16) as u8, (id >> 8) as u8, id as u8]);
        packet
    });
    Attack::new("first packets of 200 000 FDT Instances", &[Limit::FdtInstances], packets)
}

pub(crate) fn reed_solomon(m: u8, k: u32, n: u32) -> Code {
    Code::ReedSolomon {
        m,
        points: Points::Rizzo,
        byte_order: ByteOrder::LittleEndian,
        max_source_block_length: k,
        max_encoding_symbols: n,
    }
}

/// Repair symbols that mean nothing, of the only source block of an object.
fn repair_symbols(oti: Oti, per_packet: u32, packets: u32) -> impl Iterator<Item = Vec<u8>> {
    let style = Style { fti_on_objects: true, ..wide() };
    let symbols = content(per_packet as usize * usize::from(oti.parameters.symbol_size), 5);
    let k = oti.codec().unwrap().block(0).unwrap().symbols;
    (0..packets).map(move |index| {
        let id = PayloadId { source_block: 0, esi: k + index * per_packet, source_block_length: None };
        style.symbol_packet(1, &oti, id, &symbols, false)
    })
}

/// GF(2^16), 32 000 symbols of two bytes in a block, 255 in a packet, all of them repair symbols.
pub(crate) fn reed_solomon_of_repair_symbols() -> Attack {
    let mut oti = oti(FecEncodingId::REED_SOLOMON_2M, reed_solomon(16, 32_000, 65_535), 64_000, 2);
    oti.symbols_per_packet = 255;
    let packets = repair_symbols(oti, 255, 130);
    Attack::new("GF(2^16), k = 32 000, T = 2, G = 255, only repair symbols", &[Limit::DecodingWork], packets)
}

/// RaptorQ, 56 403 symbols of one byte in a block.
pub(crate) fn raptorq_of_one_byte_symbols() -> Attack {
    let code = Code::RaptorQ { source_blocks: 1, sub_blocks: 1, alignment: 1 };
    let oti = oti(FecEncodingId::RAPTORQ, code, 56_403, 1);
    Attack::new("RaptorQ, K = 56 403, T = 1, only repair symbols", &[], repair_symbols(oti, 1000, 100))
}

/// A source block number that does not exist, in every packet.
pub(crate) fn source_blocks_that_do_not_exist() -> Attack {
    let oti = no_code(5000, 1000, 2);
    let packets = wide().fdt(0, &instance("", &[file(1, "a", &oti, "")]));
    let symbols = (3..50_000).map(move |source_block| {
        let id = PayloadId { source_block, ..PayloadId::default() };
        wide().symbol_packet(1, &oti, id, &[1; 1000], false)
    });
    Attack::new("source blocks that do not exist", &[], packets.into_iter().chain(symbols))
}

/// EXT_FTI that says another thing of an object than its File entry.
pub(crate) fn contradicting_fti() -> Attack {
    let (said, sent) = (no_code(5_000_000, 1000, 64), no_code(9_000_000, 500, 7));
    let files: Vec<_> = (1..=100).map(|toi| file(toi, &format!("{toi}"), &said, "")).collect();
    let packets = wide().fdt(0, &instance("", &files));
    let style = Style { fti_on_objects: true, ..wide() };
    let symbols = (0..50_000u32).map(move |index| {
        let oti = if index % 2 == 0 { &sent } else { &said };
        let id = PayloadId { source_block: index / 200, esi: index % 7, source_block_length: None };
        let symbol = vec![index as u8; oti.parameters.symbol_size.into()];
        style.symbol_packet(u128::from(index % 100) + 1, oti, id, &symbol, false)
    });
    Attack::new("EXT_FTI that contradicts the FDT", &[], packets.into_iter().chain(symbols))
}

/// EXT_FTI that is another one in every packet of an object, and of an FDT Instance.
pub(crate) fn changing_fti() -> Attack {
    let style = Style { fti_on_objects: true, ..wide() };
    let packets = (0..50_000u32).flat_map(move |index| {
        let oti = match index % 3 {
            0 => no_code(1_000_000 + u64::from(index), 1000, 64),
            1 => oti(FecEncodingId::REED_SOLOMON_8, reed_solomon(8, 100, 120), 500_000, 1000 + (index % 100) as u16),
            _ => oti(
                FecEncodingId::RAPTORQ,
                Code::RaptorQ { source_blocks: 1 + index as u16 % 200, sub_blocks: 1, alignment: 4 },
                3_000_000,
                1200,
            ),
        };
        let id = PayloadId { source_block: 0, esi: index % 150, source_block_length: None };
        let object = style.symbol_packet(1, &oti, id, &vec![7; oti.parameters.symbol_size.into()], false);
        let instance = wide().fdt_bytes(0, None, &vec![b' '; 2000 + index as usize % 3000]).swap_remove(0);
        [object, instance]
    });
    Attack::new("EXT_FTI that changes in every packet", &[], packets)
}

/// Transfer lengths of 2^48 - 1.
pub(crate) fn longest_transfer_lengths() -> Attack {
    let longest = (1 << 48) - 1;
    let style = Style { fti_on_objects: true, ..wide() };
    let shapes = [(1, 1), (1, u32::MAX), (65_000, 1), (65_000, u32::MAX), (1400, 64)];
    let packets = shapes.into_iter().zip(0..).flat_map(move |((symbol_size, max), id)| {
        let oti = no_code(longest, symbol_size, max);
        let mut packets = style.fdt(id, &instance("", &[file(1, "a", &oti, ""), file(2, "b", &oti, "")]));
        for toi in 1..4 {
            packets.push(style.symbol_packet(toi, &oti, PayloadId::default(), &vec![1; symbol_size.into()], false));
            packets.push(wide().symbol_packet(toi, &oti, PayloadId::default(), &vec![1; symbol_size.into()], false));
        }
        packets
    });
    Attack::new("transfer lengths of 2^48 - 1", &[], packets)
}

/// FEC Object Transmission Information with zeros, and other numbers that a code cannot have.
pub(crate) fn impossible_oti() -> Vec<Oti> {
    use FecEncodingId as Id;
    vec![
        oti(Id::NO_CODE, Code::NoCode { max_source_block_length: 0 }, 5000, 1000),
        oti(Id::NO_CODE, Code::NoCode { max_source_block_length: 0 }, 0, 0),
        oti(Id::NO_CODE, Code::NoCode { max_source_block_length: 16 }, 5000, 0),
        oti(Id::RAPTOR, Code::Raptor { source_blocks: 0, sub_blocks: 0, alignment: 0 }, 5000, 1000),
        oti(Id::RAPTOR, Code::Raptor { source_blocks: 1, sub_blocks: 0, alignment: 4 }, 5000, 1000),
        oti(Id::RAPTOR, Code::Raptor { source_blocks: 1, sub_blocks: 1, alignment: 0 }, 5000, 1000),
        oti(Id::RAPTORQ, Code::RaptorQ { source_blocks: 0, sub_blocks: 0, alignment: 0 }, 5000, 1000),
        oti(Id::RAPTORQ, Code::RaptorQ { source_blocks: 255, sub_blocks: 65_535, alignment: 255 }, 5000, 1000),
        oti(Id::REED_SOLOMON_8, reed_solomon(8, 0, 0), 5000, 1000),
        oti(Id::REED_SOLOMON_8, reed_solomon(8, 200, 100), 5000, 1000),
        oti(Id::REED_SOLOMON_2M, reed_solomon(1, 60, 80), 5000, 1000),
        oti(Id::REED_SOLOMON_2M, reed_solomon(255, 60, 80), 5000, 1000),
        oti(Id::SMALL_BLOCK_SYSTEMATIC, reed_solomon(8, 65_535, 65_535), 5000, 1000),
    ]
}

/// Zero where a divisor is expected.
pub(crate) fn zero_divisors() -> Attack {
    let packets = impossible_oti().into_iter().enumerate().flat_map(|(index, oti)| {
        let mut packets = Vec::new();
        // A Payload ID is four or eight bytes, and need not make sense.
        for payload in [&[0; 12][..], &[0; 1008], &[255; 1008]] {
            let fti = oti.encode_fti().unwrap();
            let mut packet = vec![0x10, 0xA0, 0, oti.encoding_id.0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, index as u8 + 1];
            packet.extend([64, (fti.len() / 4 + 1) as u8]);
            packet.extend(&fti);
            packet[2] = (packet.len() / 4) as u8;
            packet.extend(payload);
            packets.push(packet);
        }
        let xml = format!(
            "<File TOI=\"{}\" Content-Location=\"{index}\" Transfer-Length=\"{}\"/>",
            index + 1,
            oti.parameters.transfer_length
        );
        packets.extend(wide().fdt(index as u32, &instance("", &[xml])));
        packets
    });
    Attack::new("zero where a divisor is expected", &[], packets)
}

/// As many packets as are kept of an object that cannot be read yet, as short as they can be; then how to read them.
pub(crate) fn early_symbols() -> Attack {
    let oti = no_code(2_000_000, 1, 60_000);
    let early = {
        let oti = oti.clone();
        (0..1_200_000u32).map(move |index| {
            let id = PayloadId { source_block: index / 50_000, esi: index % 50_000, source_block_length: None };
            wide().symbol_packet(1, &oti, id, &[1], false)
        })
    };
    let fdt = wide().fdt(0, &instance("", &[file(1, "early", &oti, "")]));
    Attack::new("a million packets before their FDT Instance", &[Limit::Memory], early.chain(fdt))
}

/// Long packets of one-byte repair symbols, the last of them first.
pub(crate) fn repair_symbols_backwards() -> Attack {
    let code = Code::RaptorQ { source_blocks: 1, sub_blocks: 1, alignment: 1 };
    let oti = oti(FecEncodingId::RAPTORQ, code, 56_403, 1);
    let style = Style { fti_on_objects: true, ..wide() };
    let symbols = content(60_000, 6);
    let packets = (0..200u32).map(move |index| {
        let id = PayloadId { source_block: 0, esi: (1 << 24) - (index + 2) * 60_000, source_block_length: None };
        style.symbol_packet(1, &oti, id, &symbols, false)
    });
    Attack::new("packets of 60 000 repair symbols, backwards", &[], packets)
}
