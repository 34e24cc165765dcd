// SPDX-License-Identifier: MPL-2.0

//! The default LCT header (RFC 5651 §5.1, RFC 3451 §5.1).

use super::{EncodeError, Extension, Extensions, FieldWidths, LctError, Toi, Tsi};
use crate::big_endian;

const VERSION: u8 = 1;
/// T of RFC 3451: a Sender Current Time follows the TOI.
const T: u8 = 0x08;
/// R of RFC 3451: an Expected Residual Time follows the TOI.
const R: u8 = 0x04;
/// Close Session.
pub(crate) const A: u8 = 0x02;
/// Close Object.
pub(crate) const B: u8 = 0x01;

/// Which of its two meanings bits 4 and 5 of a header's second byte have. The version number is 1 in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Revision {
    /// RFC 3451, that FLUTE v1 stands on (RFC 6726 §11.1): T and R, each of which announces a word.
    ///
    /// The choice for a session whose FLUTE version is not known yet: a sender of RFC 5651 leaves both at 0.
    #[default]
    Rfc3451,
    /// RFC 5651: reserved, ignored.
    Rfc5651,
}

/// An LCT header without its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Protocol-Specific Indication, two bits; the upper one is SPI of RFC 5775 §2.1.
    pub psi: u8,
    /// A: the sender is about to stop sending to the session.
    pub close_session: bool,
    /// B: the sender is about to stop sending the object.
    pub close_object: bool,
    /// Codepoint: in FLUTE the FEC Encoding ID (RFC 6726 §5).
    pub codepoint: u8,
    /// Widths of the three fields that follow.
    pub widths: FieldWidths,
    /// Congestion Control Information.
    pub congestion_control: u128,
    /// Transport Session Identifier, `None` where its field has no bit.
    pub tsi: Option<Tsi>,
    /// Transport Object Identifier, `None` where its field has no bit.
    pub toi: Option<Toi>,
    /// RFC 3451 only: milliseconds since the start of the session, modulo 2^32.
    pub sender_current_time: Option<u32>,
    /// RFC 3451 only: milliseconds until the object, or without a TOI the session, has been sent.
    pub expected_residual_time: Option<u32>,
}

impl Header {
    /// Reads the header at the start of a datagram.
    ///
    /// Returns it with its extensions, which are looked at as they are iterated over, and with what follows HDR_LEN.
    ///
    /// # Errors
    /// Whatever [`LctError`] says of the header; of the extensions nothing is checked here.
    pub fn decode(datagram: &[u8], revision: Revision) -> Result<(Self, Extensions<'_>, &[u8]), LctError> {
        let truncated = |needed| LctError::Truncated { actual: datagram.len(), needed };
        let &[byte0, byte1, words, codepoint] = datagram.first_chunk().ok_or(truncated(4))?;
        if byte0 >> 4 != VERSION {
            return Err(LctError::Version(byte0 >> 4));
        }
        let widths = FieldWidths::from_flags([byte0, byte1]);
        let times = if revision == Revision::Rfc3451 { byte1 & (T | R) } else { 0 };
        let fields_end = 4 + widths.bytes() + 4 * times.count_ones() as usize;
        let length = 4 * usize::from(words);
        if length < fields_end {
            return Err(LctError::HeaderLength { actual: words, needed: (fields_end / 4) as u8 });
        }
        let (header, rest) = datagram.split_at_checked(length).ok_or(truncated(length))?;
        let (fields, extensions) = header.split_at(fields_end);

        let mut fields = &fields[4..];
        let mut field = |bits: u8| {
            let (value, rest) = fields.split_at(usize::from(bits / 8));
            fields = rest;
            (bits > 0).then(|| big_endian::read(value))
        };
        let header = Self {
            psi: byte0 & 3,
            close_session: byte1 & A != 0,
            close_object: byte1 & B != 0,
            codepoint,
            widths,
            congestion_control: field(widths.cci).unwrap_or_default(),
            tsi: field(widths.tsi).and_then(|tsi| Tsi::new(tsi as u64)),
            toi: field(widths.toi).and_then(Toi::new),
            sender_current_time: field(if times & T != 0 { 32 } else { 0 }).map(|time| time as u32),
            expected_residual_time: field(if times & R != 0 { 32 } else { 0 }).map(|time| time as u32),
        };
        Ok((header, Extensions::new(extensions), rest))
    }

    /// Appends the header and its extensions to `out`, which is left as it was on an error.
    ///
    /// T and R are set where their times are given, which RFC 5651 does not allow.
    pub fn encode(&self, extensions: &[Extension<'_>], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        self.append(extensions, out).inspect_err(|_| out.truncate(start))
    }

    fn append(&self, extensions: &[Extension<'_>], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let FieldWidths { cci, tsi, toi } = self.widths;
        let [byte0, byte1] = self.widths.to_flags()?;
        let fits = |value: u128, width: u8| u128::BITS - value.leading_zeros() <= width.into();
        if self.psi > 3 {
            return Err(EncodeError::Psi(self.psi));
        }
        if !fits(self.congestion_control, cci) {
            return Err(EncodeError::CongestionControl(cci));
        }
        let tsi_value = self.tsi.map_or(0, Tsi::get).into();
        if self.tsi.is_some() != (tsi > 0) || !fits(tsi_value, tsi) {
            return Err(EncodeError::Tsi(tsi));
        }
        let toi_value = self.toi.map_or(0, Toi::get);
        if self.toi.is_some() != (toi > 0) || !fits(toi_value, toi) {
            return Err(EncodeError::Toi(toi));
        }

        let start = out.len();
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.extend([
            VERSION << 4 | byte0 | self.psi,
            byte1
                | flag(self.sender_current_time.is_some(), T)
                | flag(self.expected_residual_time.is_some(), R)
                | flag(self.close_session, A)
                | flag(self.close_object, B),
            0,
            self.codepoint,
        ]);
        big_endian::append(self.congestion_control, usize::from(cci / 8), out);
        big_endian::append(tsi_value, usize::from(tsi / 8), out);
        big_endian::append(toi_value, usize::from(toi / 8), out);
        for time in [self.sender_current_time, self.expected_residual_time].into_iter().flatten() {
            out.extend(time.to_be_bytes());
        }
        for extension in extensions {
            extension.append(out)?;
        }
        let words = (out.len() - start) / 4;
        out[start + 2] = u8::try_from(words).map_err(|_| EncodeError::HeaderLength(words))?;
        Ok(())
    }
}
