// SPDX-License-Identifier: MPL-2.0

//! A receiver's input, put together by hand.

use std::net::SocketAddr;

use flute_proto::Time;
use flute_proto::lct::{Extension, FdtExtension, FieldWidths, Header, Toi, Tsi};
use flute_proto::oti::{FecEncodingId, Oti, OtiAttributes};
use flute_proto::receiver::{Content, Endpoints, Event, Receiver, ReceiverConfig};

/// NTP seconds of `at(0)`.
pub(crate) const START_NTP: u64 = 1_767_225_600 + 2_208_988_800;

/// The FEC OTI attributes of Compact No-Code with `symbol_size` and blocks of 64 symbols.
pub(crate) fn no_code(symbol_size: u16) -> OtiAttributes {
    OtiAttributes {
        encoding_id: Some(FecEncodingId::NO_CODE),
        symbol_size: Some(symbol_size.into()),
        max_source_block_length: Some(64),
        ..OtiAttributes::default()
    }
}

/// EXT_FTI of [`no_code`].
pub(crate) fn no_code_fti(symbol_size: u16, length: usize) -> Vec<u8> {
    Oti::from_attributes(&no_code(symbol_size), length as u64).unwrap().encode_fti().unwrap()
}

/// FEC-OTI attributes of [`no_code`] as XML.
pub(crate) fn no_code_xml(symbol_size: u16) -> String {
    format!(
        r#"FEC-OTI-FEC-Encoding-ID="0" FEC-OTI-Encoding-Symbol-Length="{symbol_size}" FEC-OTI-Maximum-Source-Block-Length="64""#
    )
}

/// An FDT Instance in the namespace of RFC 6726.
pub(crate) fn fdt_xml(expires: u64, attributes: &str, files: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><FDT-Instance xmlns="urn:ietf:params:xml:ns:fdt" Expires="{expires}" {attributes}>{files}</FDT-Instance>"#
    )
}

/// A File element with FEC OTI of symbols of 4 bytes.
pub(crate) fn file_xml(toi: u128, location: &str, length: usize) -> String {
    format!(
        r#"<File TOI="{toi}" Content-Location="{location}" Content-Length="{length}" Transfer-Length="{length}" {}/>"#,
        no_code_xml(4)
    )
}

/// Header of a packet: TSI and TOI of 32 bits, Codepoint 0.
pub(crate) fn header(tsi: u64, toi: u128) -> Header {
    Header {
        psi: 0,
        close_session: false,
        close_object: false,
        codepoint: 0,
        widths: FieldWidths { cci: 32, tsi: 32, toi: 32 },
        congestion_control: 0,
        tsi: Tsi::new(tsi),
        toi: Toi::new(toi),
        sender_current_time: None,
        expected_residual_time: None,
    }
}

/// A packet with a FEC Payload ID of four bytes.
pub(crate) fn packet(header: &Header, extensions: &[Extension<'_>], id: [u8; 4], symbols: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    header.encode(extensions, &mut bytes).unwrap();
    bytes.extend(id);
    bytes.extend(symbols);
    bytes
}

/// A packet that carries all of an FDT Instance.
pub(crate) fn fdt_packet(tsi: u64, flute_version: u8, instance_id: u32, xml: &str, more: &[Extension<'_>]) -> Vec<u8> {
    let fti = no_code_fti(u16::MAX, xml.len());
    let mut extensions = vec![Extension::Fdt(FdtExtension { flute_version, instance_id }), Extension::Fti(&fti)];
    extensions.extend(more);
    packet(&header(tsi, 0), &extensions, [0; 4], xml.as_bytes())
}

/// The packets of an object in symbols of 4 bytes, in one source block.
pub(crate) fn object_packets(tsi: u64, toi: u128, content: &[u8]) -> Vec<Vec<u8>> {
    let symbols = content.chunks(4).enumerate();
    symbols.map(|(esi, symbol)| packet(&header(tsi, toi), &[], [0, 0, 0, esi as u8], symbol)).collect()
}

/// Where packets come from: host `host` of a small network, to one group.
pub(crate) fn path(host: u8) -> Endpoints {
    Endpoints {
        source: Some(SocketAddr::from(([192, 0, 2, host], 40000))),
        destination: Some(SocketAddr::from(([239, 1, 1, 1], 3400))),
    }
}

/// A receiver, and the events it has had.
pub(crate) struct Listener {
    pub(crate) receiver: Receiver,
    pub(crate) events: Vec<Event>,
}

impl Listener {
    pub(crate) fn new() -> Self {
        Self::with(ReceiverConfig::default())
    }

    pub(crate) fn with(config: ReceiverConfig) -> Self {
        Self { receiver: Receiver::new(config), events: Vec::new() }
    }

    /// Takes packets of host 1, all at `now`, after what timers had to do until then.
    pub(crate) fn hear<P: AsRef<[u8]>>(&mut self, now: Time, packets: impl IntoIterator<Item = P>) {
        self.hear_from(1, now, packets);
    }

    pub(crate) fn hear_from<P: AsRef<[u8]>>(&mut self, host: u8, now: Time, packets: impl IntoIterator<Item = P>) {
        self.advance(now);
        for packet in packets {
            self.receiver.push(path(host), packet.as_ref(), now);
            self.events.extend(std::iter::from_fn(|| self.receiver.poll_event()));
        }
    }

    /// Lets time pass until `now`.
    pub(crate) fn advance(&mut self, now: Time) {
        while let Some(deadline) = self.receiver.next_deadline().filter(|deadline| *deadline <= now) {
            self.receiver.handle_timeout(deadline);
            self.events.extend(std::iter::from_fn(|| self.receiver.poll_event()));
            assert_ne!(self.receiver.next_deadline(), Some(deadline), "a deadline that is not met by its timeout");
        }
    }

    /// Location and content of what was delivered since the last call.
    pub(crate) fn completed(&mut self) -> Vec<(String, Vec<u8>)> {
        let events = std::mem::take(&mut self.events);
        let (completed, rest) = events.into_iter().partition(|event| matches!(event, Event::Completed { .. }));
        self.events = rest;
        let completed: Vec<Event> = completed;
        completed
            .into_iter()
            .map(|event| match event {
                Event::Completed { object, content: Content::Memory(bytes) } => {
                    (object.location().to_string(), bytes.to_vec())
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    /// How many FDT Instances were read, since the start.
    pub(crate) fn instances(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Fdt { .. })).count()
    }
}

/// What [`Listener::completed`] has for text.
pub(crate) fn texts<const N: usize>(objects: [(&str, &str); N]) -> Vec<(String, Vec<u8>)> {
    objects.into_iter().map(|(location, content)| (location.to_string(), content.as_bytes().to_vec())).collect()
}
