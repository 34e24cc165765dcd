// SPDX-License-Identifier: MPL-2.0

//! Packets that no well-meant sender sends, in the form of those that one does.

use arbitrary::{Arbitrary, Result, Unstructured};
use flute_proto::alc::Packet;
use flute_proto::fdt::{FdtInstance, ReadLimits};
use flute_proto::lct::{Extension, FdtExtension, FieldWidths, Header, Revision, Toi, Tsi};

/// Values that an attacker might put where another was.
const VALUES: [&str; 16] = [
    "",
    "0",
    "1",
    "2",
    "-1",
    "65535",
    "65536",
    "4294967295",
    "281474976710655",
    "18446744073709551615",
    "18446744073709551616",
    "AAAAAAAA",
    "/////w==",
    "gzip",
    "../../x",
    "&lt;&#x10FFFF;",
];

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

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Length {
    Short(u8),
    Medium(u16),
    Any(u64),
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
            self.toi % 8,
            self.name % 4,
            self.scheme.id(),
            self.symbol_size,
            self.max_source_block_length,
            self.max_encoding_symbols,
        );
        if let Some(info) = self.scheme_specific_info {
            // Any four characters of the base64 alphabet.
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let info: String = info.iter().map(|&byte| alphabet[usize::from(byte) % 64] as char).collect();
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

/// An FDT Instance with files that may contradict each other and themselves.
pub(crate) fn fdt(input: &mut Unstructured<'_>, tsi: Tsi) -> Result<Vec<u8>> {
    let count = input.int_in_range(0..=4u8)?;
    let files: Vec<File> = (0..count).map(|_| input.arbitrary()).collect::<Result<_>>()?;
    let xml = format!(
        "<FDT-Instance xmlns=\"urn:ietf:params:xml:ns:fdt\" Expires=\"3900000000\">{}</FDT-Instance>",
        files.iter().map(File::xml).collect::<String>()
    );
    fdt_packet(input, tsi, xml.as_bytes())
}

/// The FDT Instance that these packets of a session carry, with some values of attributes replaced.
pub(crate) fn altered_fdt(input: &mut Unstructured<'_>, tsi: Tsi, packets: &[Vec<u8>]) -> Result<Vec<u8>> {
    let Some(xml) = packets.iter().find_map(|datagram| xml_of(datagram)) else { return Ok(Vec::new()) };
    let mut parts: Vec<&str> = xml.split('"').collect();
    for _ in 0..input.int_in_range(1..=3u8)? {
        // Every second part is between quotation marks.
        let value = 2 * input.choose_index(parts.len() / 2 + 1)? + 1;
        let replacement = input.choose(&VALUES)?;
        if let Some(part) = parts.get_mut(value) {
            *part = replacement;
        }
    }
    fdt_packet(input, tsi, parts.join("\"").as_bytes())
}

/// The XML of a packet that holds a whole FDT Instance.
fn xml_of(datagram: &[u8]) -> Option<String> {
    let packet = Packet::decode(datagram, Revision::Rfc5651).ok()?;
    packet.fdt?;
    let symbols = packet.payload?.symbols;
    FdtInstance::from_xml(symbols, &ReadLimits::default()).ok()?;
    String::from_utf8(symbols.to_vec()).ok()
}

/// An FDT Instance in one packet.
fn fdt_packet(input: &mut Unstructured<'_>, tsi: Tsi, xml: &[u8]) -> Result<Vec<u8>> {
    let length = xml.len().min(60_000);
    let mut fti = vec![0, 0];
    fti.extend_from_slice(&(length as u32).to_be_bytes());
    fti.extend_from_slice(&[0, 0]);
    fti.extend_from_slice(&(length as u16).to_be_bytes());
    fti.extend_from_slice(&1u32.to_be_bytes());
    let flute_version = input.int_in_range(0..=3u8)?;
    let instance_id = u32::from(input.arbitrary::<u8>()?);
    let content_encoding: Option<u8> = input.arbitrary()?;
    let mut extensions = vec![Extension::Fdt(FdtExtension { flute_version, instance_id }), Extension::Fti(&fti)];
    extensions.extend(content_encoding.map(Extension::ContentEncoding));
    let cut = usize::from(input.arbitrary::<u8>()?).saturating_sub(128).min(length);
    let mut payload = vec![0; 4];
    payload.extend_from_slice(&xml[..length - cut]);
    Ok(packet(tsi, 0, 0, false, &extensions, &payload))
}

/// Symbols of any object under any FEC Encoding ID.
pub(crate) fn symbols(input: &mut Unstructured<'_>, tsi: Tsi) -> Result<Vec<u8>> {
    let toi = input.int_in_range(0..=7u8)?;
    let codepoint = Scheme::arbitrary(input)?.id();
    let close = input.arbitrary()?;
    let fti_length = input.int_in_range(0..=16usize)?;
    let fti = input.bytes(fti_length.min(input.len()))?.to_vec();
    let extensions: &[_] = if fti.is_empty() { &[] } else { &[Extension::Fti(&fti)] };
    let id: [u8; 8] = input.arbitrary()?;
    let id_length = if codepoint >= 128 { 8 } else { 4 };
    let mut payload = id[..id_length].to_vec();
    payload.resize(id_length + usize::from(input.arbitrary::<u8>()?), input.arbitrary()?);
    Ok(packet(tsi, toi, codepoint, close, extensions, &payload))
}

/// A packet of the session that is attacked.
fn packet(tsi: Tsi, toi: u8, codepoint: u8, close: bool, extensions: &[Extension<'_>], payload: &[u8]) -> Vec<u8> {
    let header = Header {
        psi: 0,
        close_session: false,
        close_object: close,
        codepoint,
        widths: FieldWidths { cci: 32, tsi: 32, toi: 32 },
        congestion_control: 0,
        tsi: Some(tsi),
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
