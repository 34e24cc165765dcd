// SPDX-License-Identifier: MPL-2.0

//! A whole session as somebody might play it who means harm: FDT Instances, symbols of a few objects under any of the
//! schemes, closes, pauses, and datagrams that are none. The receiver keeps within its memory whatever comes.

#![no_main]

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use flute_proto::Time;
use flute_proto::lct::{Extension, FdtExtension, FieldWidths, Header, Toi, Tsi};
use flute_proto::receiver::{Event, Limits, Path, Receiver, ReceiverConfig};
use libfuzzer_sys::fuzz_target;

const MAX_MEMORY: u64 = 1 << 20;

#[derive(Arbitrary, Debug)]
enum Step {
    /// Nothing but bytes.
    Datagram(Vec<u8>),
    /// An FDT Instance in one packet.
    Fdt { instance: u8, version: u8, files: Vec<File>, cenc: Option<u8>, truncated: u8 },
    /// Symbols.
    Symbols { toi: u8, codepoint: Scheme, close: bool, fti: Option<Vec<u8>>, payload_id: [u8; 8], fill: u8, size: u8 },
    /// Close-session.
    Close,
    /// Time passes.
    Pause { seconds: u16 },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Scheme {
    NoCode,
    Raptor,
    ReedSolomon2m,
    ReedSolomon8,
    RaptorQ,
    SmallBlock,
    Other(u8),
}

impl Scheme {
    fn id(self) -> u8 {
        match self {
            Self::NoCode => 0,
            Self::Raptor => 1,
            Self::ReedSolomon2m => 2,
            Self::ReedSolomon8 => 5,
            Self::RaptorQ => 6,
            Self::SmallBlock => 129,
            Self::Other(id) => id,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct File {
    toi: u8,
    name: u8,
    length: Length,
    scheme: Scheme,
    symbol_size: u8,
    max_source_block_length: u16,
    max_encoding_symbols: u16,
    scheme_specific_info: Option<[u8; 4]>,
    encoding: Option<u8>,
    md5: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Length {
    Short(u8),
    Medium(u16),
    Any(u64),
}

impl File {
    fn xml(&self) -> String {
        let length = match self.length {
            Length::Short(length) => length.into(),
            Length::Medium(length) => length.into(),
            Length::Any(length) => length,
        };
        let mut xml = format!(
            "<File TOI=\"{}\" Content-Location=\"f{}\" Content-Length=\"{length}\" FEC-OTI-FEC-Encoding-ID=\"{}\" \
             FEC-OTI-Encoding-Symbol-Length=\"{}\" FEC-OTI-Maximum-Source-Block-Length=\"{}\" \
             FEC-OTI-Max-Number-of-Encoding-Symbols=\"{}\"",
            self.toi % 4,
            self.name % 4,
            self.scheme.id(),
            self.symbol_size,
            self.max_source_block_length,
            self.max_encoding_symbols,
        );
        if let Some([a, b, c, d]) = self.scheme_specific_info {
            // Any four characters of the base64 alphabet.
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let info: String = [a, b, c, d].iter().map(|&byte| alphabet[usize::from(byte) % 64] as char).collect();
            xml += &format!(" FEC-OTI-Scheme-Specific-Info=\"{info}\"");
        }
        if let Some(encoding) = self.encoding {
            let name = ["gzip", "deflate", "zlib", "other"][usize::from(encoding) % 4];
            xml += &format!(" Content-Encoding=\"{name}\" Transfer-Length=\"{length}\"");
        }
        if self.md5 {
            xml += " Content-MD5=\"AAAAAAAAAAAAAAAAAAAAAA==\"";
        }
        xml + "/>"
    }
}

/// A packet of the session under test.
fn packet(toi: u8, codepoint: u8, close_object: bool, extensions: &[Extension<'_>], payload: &[u8]) -> Vec<u8> {
    let header = Header {
        psi: 0,
        close_session: false,
        close_object,
        codepoint,
        widths: FieldWidths { cci: 32, tsi: 32, toi: 32 },
        congestion_control: 0,
        tsi: Tsi::new(1),
        toi: Toi::new(toi.into()),
        sender_current_time: None,
        expected_residual_time: None,
    };
    let mut datagram = Vec::new();
    // Extensions that do not fit a header leave the datagram as far as it came.
    let _ = header.encode(extensions, &mut datagram);
    datagram.extend_from_slice(payload);
    datagram
}

fn fdt(instance: u8, version: u8, files: &[File], cenc: Option<u8>, truncated: u8) -> Vec<u8> {
    let xml = format!(
        "<FDT-Instance xmlns=\"urn:ietf:params:xml:ns:fdt\" Expires=\"3900000000\">{}</FDT-Instance>",
        files.iter().map(File::xml).collect::<String>()
    );
    let length = xml.len().min(60_000);
    let mut fti = vec![0, 0];
    fti.extend_from_slice(&(length as u32).to_be_bytes());
    fti.extend_from_slice(&[0, 0]);
    fti.extend_from_slice(&(length as u16).to_be_bytes());
    fti.extend_from_slice(&1u32.to_be_bytes());
    let mut extensions = vec![
        Extension::Fdt(FdtExtension { flute_version: version % 4, instance_id: instance.into() }),
        Extension::Fti(&fti),
    ];
    extensions.extend(cenc.map(Extension::ContentEncoding));
    let mut payload = vec![0; 4];
    payload.extend_from_slice(&xml.as_bytes()[..length - usize::from(truncated).min(length)]);
    packet(0, 0, false, &extensions, &payload)
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(steps) = Vec::<Step>::arbitrary_take_rest(Unstructured::new(bytes)) else { return };
    let limits = Limits { max_memory: MAX_MEMORY, max_objects: 64, max_fdt_instances: 16, ..Limits::default() };
    let mut receiver = Receiver::new(ReceiverConfig { limits, ..ReceiverConfig::default() });
    let path = Path { source: None, destination: None };
    let mut now = Time::from_unix(Duration::from_secs(1_650_000_000));
    for step in steps {
        match step {
            Step::Datagram(datagram) => receiver.push(path, &datagram, now),
            Step::Fdt { instance, version, files, cenc, truncated } => {
                receiver.push(path, &fdt(instance, version, &files, cenc, truncated), now);
            }
            Step::Symbols { toi, codepoint, close, fti, payload_id, fill, size } => {
                let extensions: Vec<_> = fti.as_deref().map(Extension::Fti).into_iter().collect();
                let id_length = if codepoint.id() >= 128 { 8 } else { 4 };
                let mut payload = payload_id[..id_length].to_vec();
                payload.resize(id_length + usize::from(size), fill);
                receiver.push(path, &packet(toi % 4, codepoint.id(), close, &extensions, &payload), now);
            }
            Step::Close => receiver.push(path, &[0x10, 0x82, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1], now),
            Step::Pause { seconds } => {
                now = now + Duration::from_secs(seconds.into());
                receiver.handle_timeout(now);
            }
        }
        while let Some(event) = receiver.poll_event() {
            if let Event::Completed { content: flute_proto::receiver::Content::Memory(content), .. } = event {
                assert!(content.len() as u64 <= MAX_MEMORY);
            }
        }
        for (session, stats) in receiver.stats().sessions {
            assert!(stats.memory <= MAX_MEMORY, "{session:?} keeps {} bytes", stats.memory);
        }
    }
    receiver.finish(now);
    while receiver.poll_event().is_some() {}
});
