// SPDX-License-Identifier: MPL-2.0

//! Packets made by hand, and a receiver to push them into, in virtual time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flute_fec::{Code, Parameters};
use flute_proto::Time;
use flute_proto::content::{ContentEncoding, encode};
use flute_proto::lct::{Extension, FdtExtension, Header, HeaderWidths, SenderCurrentTime, TimeExtension, Toi, Tsi};
use flute_proto::oti::{FecEncodingId, Oti, PayloadId};
use flute_proto::receiver::{Content, Endpoints, Event, ObjectInfo, Receiver, ReceiverConfig, SessionStats};

/// When every test begins: 2027-01-15 08:00 UTC.
pub(crate) const START: u64 = 1_800_000_000;
/// Unix time in NTP seconds.
pub(crate) const NTP: u64 = 2_208_988_800;

/// How packets look.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) tsi: u64,
    /// Version of FLUTE in EXT_FDT.
    pub(crate) version: u8,
    pub(crate) widths: HeaderWidths,
    /// EXT_FTI on packets of objects.
    pub(crate) fti_on_objects: bool,
    pub(crate) psi: u8,
    /// B on the last packet of an object.
    pub(crate) close_object: bool,
    /// EXT_TIME with a Sender Current Time, on packets of FDT Instances.
    pub(crate) sender_current_time: Option<Time>,
    /// T and R of RFC 3451.
    pub(crate) times: bool,
    /// Symbols in each packet.
    pub(crate) symbols_per_packet: usize,
    /// The last symbol is padded with zeros.
    pub(crate) padded: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            tsi: 7,
            version: 2,
            widths: HeaderWidths { tsi: 16, toi: 16 },
            fti_on_objects: false,
            psi: 0,
            close_object: false,
            sender_current_time: None,
            times: false,
            symbols_per_packet: 1,
            padded: false,
        }
    }
}

impl Style {
    fn header(&self, toi: u128, codepoint: u8) -> Header {
        let (tsi, toi) = (Tsi::new(self.tsi).unwrap(), Toi::new(toi).unwrap());
        Header {
            psi: self.psi,
            close_session: false,
            close_object: false,
            codepoint,
            widths: self.widths.resolve(tsi, toi).unwrap(),
            congestion_control: 0,
            tsi: Some(tsi),
            toi: Some(toi),
            sender_current_time: self.times.then_some(1234),
            expected_residual_time: self.times.then_some(5678),
        }
    }

    fn packet(
        &self,
        header: &Header,
        extensions: &[Extension<'_>],
        oti: &Oti,
        id: PayloadId,
        symbols: &[u8],
    ) -> Vec<u8> {
        let mut packet = Vec::new();
        header.encode(extensions, &mut packet).unwrap();
        oti.payload_id_format().unwrap().append(id, &mut packet);
        packet.extend_from_slice(symbols);
        packet
    }

    /// The packets of an FDT Instance, Compact No-Code with symbols of 1000 bytes.
    pub(crate) fn fdt(&self, instance_id: u32, xml: &str) -> Vec<Vec<u8>> {
        self.fdt_bytes(instance_id, None, xml.as_bytes())
    }

    /// The packets of an FDT Instance that is content encoded.
    pub(crate) fn encoded_fdt(&self, instance_id: u32, encoding: ContentEncoding, xml: &str) -> Vec<Vec<u8>> {
        self.fdt_bytes(instance_id, Some(encoding.cenc()), &encode(encoding, xml.as_bytes()).unwrap())
    }

    /// The packets of an FDT Instance with these bytes.
    pub(crate) fn fdt_bytes(&self, instance_id: u32, cenc: Option<u8>, bytes: &[u8]) -> Vec<Vec<u8>> {
        let oti = no_code(bytes.len() as u64, 1000, 64);
        let fti = oti.encode_fti().unwrap();
        let mut extensions =
            vec![Extension::Fdt(FdtExtension { flute_version: self.version, instance_id }), Extension::Fti(&fti)];
        extensions.extend(cenc.map(Extension::ContentEncoding));
        extensions.extend(self.sender_current_time.map(|time| {
            let sender_current_time = Some(SenderCurrentTime::from(time));
            Extension::Time(TimeExtension { sender_current_time, ..TimeExtension::default() })
        }));
        let header = self.header(0, 0);
        let symbols = source_symbols(&oti, bytes);
        symbols.into_iter().map(|(id, symbol)| self.packet(&header, &extensions, &oti, id, symbol)).collect()
    }

    /// The packets of the source symbols of an object, in order.
    pub(crate) fn object(&self, toi: u128, oti: &Oti, content: &[u8]) -> Vec<Vec<u8>> {
        let symbols = source_symbols(oti, content);
        let size = usize::from(oti.parameters.symbol_size);
        let mut packets = Vec::new();
        let mut queue: VecDeque<_> = symbols.into();
        while let Some((id, first)) = queue.pop_front() {
            let mut payload = first.to_vec();
            for _ in 1..self.symbols_per_packet {
                if let Some((next, symbol)) = queue.front()
                    && next.source_block == id.source_block
                {
                    payload.extend_from_slice(symbol);
                    queue.pop_front();
                }
            }
            if self.padded {
                payload.resize(payload.len().next_multiple_of(size), 0);
            }
            packets.push(self.symbol_packet(toi, oti, id, &payload, self.close_object && queue.is_empty()));
        }
        packets
    }

    /// The packets of the first `count` repair symbols of every source block.
    pub(crate) fn repair(&self, toi: u128, oti: &Oti, content: &[u8], count: u32) -> Vec<Vec<u8>> {
        let codec = oti.codec().unwrap();
        let size = usize::from(oti.parameters.symbol_size);
        let mut packets = Vec::new();
        for block in (0..codec.block_count()).map(|number| codec.block(number).unwrap()) {
            let encoder = codec.encoder(&block, count).unwrap();
            let mut repair = vec![0; size * count as usize];
            let source = &content[block.offset as usize..][..block.length as usize];
            encoder.encode(source, 0..size, 0, &mut repair).unwrap();
            for (index, symbol) in repair.chunks(size).enumerate() {
                let id = PayloadId {
                    source_block: block.number,
                    esi: block.symbols + index as u32,
                    source_block_length: Some(block.symbols as u16),
                };
                packets.push(self.symbol_packet(toi, oti, id, symbol, false));
            }
        }
        packets
    }

    /// A packet with any symbols.
    pub(crate) fn symbol_packet(&self, toi: u128, oti: &Oti, id: PayloadId, symbols: &[u8], close: bool) -> Vec<u8> {
        let fti = oti.encode_fti().unwrap();
        let extensions: &[_] = if self.fti_on_objects { &[Extension::Fti(&fti)] } else { &[] };
        let header = Header { close_object: close, ..self.header(toi, oti.encoding_id.0) };
        self.packet(&header, extensions, oti, id, symbols)
    }

    /// A packet that closes the session, without a TOI.
    pub(crate) fn close(&self) -> Vec<u8> {
        let tsi = Tsi::new(self.tsi).unwrap();
        let widths = flute_proto::lct::FieldWidths::without_toi(tsi).unwrap();
        let header = Header { close_session: true, widths, toi: None, ..self.header(0, 0) };
        let mut packet = Vec::new();
        header.encode(&[], &mut packet).unwrap();
        packet
    }
}

/// FEC OTI of Compact No-Code.
pub(crate) fn no_code(transfer_length: u64, symbol_size: u16, max_source_block_length: u32) -> Oti {
    let code = Code::NoCode { max_source_block_length };
    oti(FecEncodingId::NO_CODE, code, transfer_length, symbol_size)
}

/// FEC OTI.
pub(crate) fn oti(encoding_id: FecEncodingId, code: Code, transfer_length: u64, symbol_size: u16) -> Oti {
    let parameters = Parameters { code, transfer_length, symbol_size };
    Oti { encoding_id, instance_id: 0, symbols_per_packet: 1, parameters }
}

fn source_symbols<'a>(oti: &Oti, content: &'a [u8]) -> Vec<(PayloadId, &'a [u8])> {
    let codec = oti.codec().unwrap();
    assert!(codec.is_contiguous());
    let mut symbols = Vec::new();
    for block in (0..codec.block_count()).map(|number| codec.block(number).unwrap()) {
        for esi in 0..block.symbols {
            let run = codec.runs(&block, esi).next().unwrap();
            let id = PayloadId { source_block: block.number, esi, source_block_length: Some(block.symbols as u16) };
            symbols.push((id, &content[run.object_offset as usize..][..run.length.into()]));
        }
    }
    symbols
}

/// A File element with the attributes of Compact No-Code, and more as given.
pub(crate) fn file(toi: u128, location: &str, oti: &Oti, more: &str) -> String {
    let Code::NoCode { max_source_block_length } = oti.parameters.code else { panic!("{oti:?}") };
    let Parameters { transfer_length, symbol_size, .. } = oti.parameters;
    format!(
        "<File TOI=\"{toi}\" Content-Location=\"{location}\" Transfer-Length=\"{transfer_length}\" \
         FEC-OTI-FEC-Encoding-ID=\"0\" FEC-OTI-Maximum-Source-Block-Length=\"{max_source_block_length}\" \
         FEC-OTI-Encoding-Symbol-Length=\"{symbol_size}\" {more}/>"
    )
}

/// An FDT Instance that is valid for an hour from [`START`].
pub(crate) fn instance(more: &str, files: &[String]) -> String {
    instance_until(START + 3600, more, files)
}

/// An FDT Instance that is valid until a Unix time.
pub(crate) fn instance_until(expires: u64, more: &str, files: &[String]) -> String {
    format!(
        "<?xml version=\"1.0\"?><FDT-Instance xmlns=\"urn:ietf:params:xml:ns:fdt\" Expires=\"{}\" {more}>{}</FDT-Instance>",
        (expires + NTP) as u32,
        files.concat()
    )
}

/// Bytes that differ from place to place and from seed to seed.
pub(crate) fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed.wrapping_mul(2) + 1);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Numbers that look random and are the same every time (xorshift64*).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index as u64 + 1) as usize);
        }
    }
}

/// A receiver and what it told.
pub(crate) struct Harness {
    pub(crate) receiver: Receiver,
    pub(crate) now: Time,
    /// Completed objects.
    pub(crate) objects: Vec<(Arc<ObjectInfo>, Vec<u8>)>,
    /// All other events.
    pub(crate) events: Vec<Event>,
}

impl Default for Harness {
    fn default() -> Self {
        Self::new(ReceiverConfig::default())
    }
}

impl Harness {
    pub(crate) fn new(config: ReceiverConfig) -> Self {
        Self::starting_at(config, START)
    }

    pub(crate) fn starting_at(config: ReceiverConfig, unix: u64) -> Self {
        let now = Time::from_unix(Duration::from_secs(unix));
        Self { receiver: Receiver::new(config), now, objects: Vec::new(), events: Vec::new() }
    }

    pub(crate) fn push(&mut self, packet: &[u8]) {
        self.push_from("192.0.2.1:5000", packet);
    }

    pub(crate) fn push_from(&mut self, source: &str, packet: &[u8]) {
        let endpoints =
            Endpoints { source: source.parse().ok(), destination: "239.1.1.1:3400".parse::<SocketAddr>().ok() };
        self.receiver.push(endpoints, packet, self.now);
        self.drain();
        self.settle();
    }

    /// Lets the receiver finish what one call did not.
    fn settle(&mut self) {
        while self.receiver.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            self.receiver.handle_timeout(self.now);
            self.drain();
        }
    }

    pub(crate) fn push_all<'a>(&mut self, packets: impl IntoIterator<Item = &'a Vec<u8>>) {
        for packet in packets {
            self.push(packet);
        }
    }

    /// Lets time pass, and the receiver do what is due meanwhile.
    pub(crate) fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(deadline) = self.receiver.next_deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.receiver.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    pub(crate) fn finish(&mut self) {
        self.receiver.finish(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(event) = self.receiver.poll_event() {
            match event {
                Event::Completed { object, content: Content::Memory(bytes) } => {
                    self.objects.push((object, bytes.to_vec()))
                }
                other => self.events.push(other),
            }
        }
    }

    /// Takes out what was completed.
    pub(crate) fn take(&mut self) -> Vec<Vec<u8>> {
        self.objects.drain(..).map(|(_, bytes)| bytes).collect()
    }

    /// Counters of the only session.
    pub(crate) fn stats(&self) -> SessionStats {
        let stats = self.receiver.stats();
        assert_eq!(stats.sessions.len(), 1);
        stats.sessions[0].1.clone()
    }

    /// TOIs and reasons of what failed.
    pub(crate) fn failures(&self) -> Vec<(u128, String)> {
        let failed = self.events.iter().filter_map(|event| match event {
            Event::Failed { object, reason, .. } => Some((object.toi().get(), format!("{reason:?}"))),
            _ => None,
        });
        failed.collect()
    }

    pub(crate) fn closed(&self) -> Vec<(bool, bool)> {
        let closed = self.events.iter().filter_map(|event| match event {
            Event::SessionClosed { by_sender, complete, .. } => Some((*by_sender, *complete)),
            _ => None,
        });
        closed.collect()
    }
}
