// SPDX-License-Identifier: MPL-2.0

//! LCT header extensions (RFC 5651 §5.2, RFC 5775 §2.2, RFC 6726 §3.4, RFC 9223 §2.1).
//!
//! A Header Extension Type (HET) below 128 is followed by a length in words, HEL; one of 128 and above is one word.

use super::{EncodeError, LctError};
use crate::big_endian;
use crate::time::Time;

const NOP: u8 = 0;
const AUTH: u8 = 1;
const TIME: u8 = 2;
const FTI: u8 = 64;
const TOL_48: u8 = 67;
const FDT: u8 = 192;
const CENC: u8 = 193;
const TOL_24: u8 = 194;
/// The first HET of the extensions of one word (RFC 5651 §5.2.1 with its erratum 3843).
const FIRST_FIXED: u8 = 128;

const SCT_HIGH: u16 = 0x8000;
const SCT_LOW: u16 = 0x4000;
const ERT: u16 = 0x2000;
const SLC: u16 = 0x1000;

/// A header extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Extension<'a> {
    /// EXT_NOP: ignored. Its content follows HEL.
    Nop(&'a [u8]),
    /// EXT_AUTH, whose content (RFC 6584, RFC 5776) is not looked into. It follows HEL.
    Auth(&'a [u8]),
    /// EXT_TIME (RFC 5651 §5.2.2).
    Time(TimeExtension),
    /// EXT_FTI (RFC 5775 §2.2): the encoded FEC Object Transmission Information, which [`Oti`](crate::oti::Oti) reads.
    /// It follows HEL.
    Fti(&'a [u8]),
    /// EXT_FDT (RFC 6726 §3.4.1).
    Fdt(FdtExtension),
    /// EXT_CENC (RFC 6726 §3.4.3): the content encoding of an FDT Instance, as
    /// [`ContentEncoding`](crate::content::ContentEncoding) numbers it.
    ContentEncoding(u8),
    /// EXT_TOL of ROUTE (RFC 9223 §2.1): the length of the transport object in bytes, at most 48 bits.
    TransferLength(u64),
    /// Any other: what follows HEL, or the HET of an extension of one word.
    Other {
        /// Header Extension Type.
        het: u8,
        /// Content.
        content: &'a [u8],
    },
}

/// EXT_FDT: which FDT Instance a packet of TOI 0 belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FdtExtension {
    /// Version of FLUTE, four bits: 1 for RFC 3926, 2 for RFC 6726.
    pub flute_version: u8,
    /// FDT Instance ID, 20 bits.
    pub instance_id: u32,
}

/// EXT_TIME.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TimeExtension {
    /// SCT: the sender's wall clock when it sent the packet.
    pub sender_current_time: Option<SenderCurrentTime>,
    /// ERT: seconds until the object has been sent.
    pub expected_residual_time: Option<u32>,
    /// SLC: when an object was last added to the session, modified or removed, in NTP seconds modulo 2^32.
    pub session_last_changed: Option<u32>,
    /// The bits that are left to the protocol above LCT; FLUTE has no use for them.
    pub protocol_specific: u8,
}

/// Sender Current Time, of a sender that keeps NTP time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SenderCurrentTime {
    /// SCT-High: seconds since 1900-01-01, modulo 2^32.
    pub seconds: u32,
    /// SCT-Low: units of 2^-32 s.
    pub fraction: Option<u32>,
}

impl SenderCurrentTime {
    /// This time in the NTP era that brings it nearest to `near`.
    pub fn to_time(self, near: Time) -> Time {
        let nanoseconds = (u64::from(self.fraction.unwrap_or(0)) * 1_000_000_000) >> 32;
        Time::from_ntp_seconds(self.seconds, near) + std::time::Duration::from_nanos(nanoseconds)
    }
}

impl From<Time> for SenderCurrentTime {
    fn from(time: Time) -> Self {
        Self { seconds: time.ntp_seconds(), fraction: Some(time.ntp_fraction()) }
    }
}

impl TimeExtension {
    fn decode(content: &[u8]) -> Result<Self, LctError> {
        let too_short = |needed| LctError::ExtensionContent { het: TIME, actual: content.len(), needed };
        let (use_field, mut words) = content.split_first_chunk().ok_or(too_short(2))?;
        let use_field = u16::from_be_bytes(*use_field);
        let flags = use_field & (SCT_HIGH | SCT_LOW | ERT | SLC);
        let mut word = |flag| {
            if flags & flag == 0 {
                return Ok(None);
            }
            let (word, rest) = words.split_first_chunk().ok_or(too_short(2 + 4 * flags.count_ones() as usize))?;
            words = rest;
            Ok(Some(u32::from_be_bytes(*word)))
        };
        let (high, low) = (word(SCT_HIGH)?, word(SCT_LOW)?);
        if low.is_some() && high.is_none() {
            return Err(LctError::SctLowAlone);
        }
        Ok(Self {
            sender_current_time: high.map(|seconds| SenderCurrentTime { seconds, fraction: low }),
            expected_residual_time: word(ERT)?,
            session_last_changed: word(SLC)?,
            protocol_specific: use_field as u8,
        })
    }

    fn append(&self, out: &mut Vec<u8>) {
        let words = [
            (SCT_HIGH, self.sender_current_time.map(|time| time.seconds)),
            (SCT_LOW, self.sender_current_time.and_then(|time| time.fraction)),
            (ERT, self.expected_residual_time),
            (SLC, self.session_last_changed),
        ];
        let present = words.iter().filter(|(_, word)| word.is_some());
        let flags: u16 = present.clone().map(|(flag, _)| flag).sum();
        out.extend([TIME, 1 + flags.count_ones() as u8]);
        out.extend((flags | u16::from(self.protocol_specific)).to_be_bytes());
        present.filter_map(|(_, word)| *word).for_each(|word| out.extend(word.to_be_bytes()));
    }
}

impl<'a> Extension<'a> {
    fn decode(het: u8, content: &'a [u8]) -> Result<Self, LctError> {
        Ok(match (het, content) {
            (NOP, _) => Self::Nop(content),
            (AUTH, _) => Self::Auth(content),
            (TIME, _) => Self::Time(TimeExtension::decode(content)?),
            (FTI, _) => Self::Fti(content),
            (TOL_48, &[_, _, _, _, _, _]) | (TOL_24, _) => Self::TransferLength(big_endian::read(content) as u64),
            (TOL_48, _) => return Err(LctError::ExtensionContent { het, actual: content.len(), needed: 6 }),
            (FDT, &[byte0, byte1, byte2]) => Self::Fdt(FdtExtension {
                flute_version: byte0 >> 4,
                instance_id: u32::from_be_bytes([0, byte0 & 0x0f, byte1, byte2]),
            }),
            (CENC, &[algorithm, _, _]) => Self::ContentEncoding(algorithm),
            _ => Self::Other { het, content },
        })
    }

    /// Appends the whole extension, HET included.
    pub(super) fn append(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut fixed = |het, content: u32| out.extend((u32::from(het) << 24 | content).to_be_bytes());
        match *self {
            Self::Nop(content) => append_raw(NOP, content, out)?,
            Self::Auth(content) => append_raw(AUTH, content, out)?,
            Self::Time(time) => time.append(out),
            Self::Fti(content) => append_raw(FTI, content, out)?,
            Self::Fdt(FdtExtension { flute_version, instance_id }) => {
                check_field(FDT, 4, flute_version.into())?;
                check_field(FDT, 20, instance_id.into())?;
                fixed(FDT, u32::from(flute_version) << 20 | instance_id);
            }
            Self::ContentEncoding(algorithm) => fixed(CENC, u32::from(algorithm) << 16),
            Self::TransferLength(length) if length < 1 << 24 => fixed(TOL_24, length as u32),
            Self::TransferLength(length) => {
                check_field(TOL_48, 48, length)?;
                out.extend([TOL_48, 2]);
                big_endian::append(length.into(), 6, out);
            }
            Self::Other { het, content } => append_raw(het, content, out)?,
        }
        Ok(())
    }
}

fn check_field(het: u8, bits: u8, value: u64) -> Result<(), EncodeError> {
    if value >> bits != 0 { Err(EncodeError::ExtensionField { het, bits, value }) } else { Ok(()) }
}

fn append_raw(het: u8, content: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let wrong = EncodeError::ExtensionContent { het, length: content.len() };
    if het >= FIRST_FIXED {
        if content.len() != 3 {
            return Err(wrong);
        }
        out.push(het);
    } else {
        if content.len() % 4 != 2 {
            return Err(wrong);
        }
        out.extend([het, u8::try_from(content.len() / 4 + 1).map_err(|_| wrong)?]);
    }
    out.extend_from_slice(content);
    Ok(())
}

/// The header extensions of one packet, in their order. After an error there are no more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extensions<'a> {
    bytes: &'a [u8],
}

impl<'a> Extensions<'a> {
    /// `bytes` are whole words, at most 255.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, LctError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = std::mem::take(&mut self.bytes);
        let &[het, hel, ..] = bytes else { return None };
        let (words, content_start) = if het >= FIRST_FIXED { (1, 1) } else { (hel, 2) };
        let available = (bytes.len() / 4) as u8;
        if words == 0 || words > available {
            return Some(Err(LctError::ExtensionLength { het, words, available }));
        }
        let (extension, rest) = bytes.split_at(4 * usize::from(words));
        let decoded = Extension::decode(het, &extension[content_start..]);
        if decoded.is_ok() {
            self.bytes = rest;
        }
        Some(decoded)
    }
}
