// SPDX-License-Identifier: MPL-2.0

//! EXT_FTI (RFC 5775 §2.2): FEC Object Transmission Information in a header extension.
//!
//! All integers are big-endian. The content begins behind HEL, at byte 2 of the extension, with the Transfer Length (48
//! bits, of RaptorQ 40); what follows is the scheme's own.

use flute_fec::{Code, Parameters};

use super::{DEFAULT_M, FecEncodingId, Oti, OtiError, reed_solomon};
use crate::big_endian;

/// Bytes of content of an EXT_FTI of four words, which all schemes here have except FEC Encoding ID 5.
const FOUR_WORDS: usize = 14;

impl Oti {
    /// Reads the content of EXT_FTI, as [`Extension::Fti`](crate::lct::Extension::Fti) has it. What follows the fields
    /// of the scheme is ignored.
    ///
    /// The numbers themselves are checked by [`codec`](Self::codec).
    pub fn decode_fti(encoding_id: FecEncodingId, content: &[u8]) -> Result<Self, OtiError> {
        let needed = if encoding_id == FecEncodingId::REED_SOLOMON_8 { 10 } else { FOUR_WORDS };
        let content =
            content.get(..needed).ok_or(OtiError::FtiLength { encoding_id, actual: content.len(), needed })?;
        let number = |start: usize, bytes: usize| big_endian::read(&content[start..start + bytes]) as u64;
        let byte = |at: usize| content[at];
        let half = |at: usize| number(at, 2) as u16;

        let mut oti = Self {
            encoding_id,
            instance_id: 0,
            symbols_per_packet: 1,
            parameters: Parameters {
                code: Code::NoCode { max_source_block_length: 0 },
                transfer_length: number(0, 6),
                symbol_size: 0,
            },
        };
        (oti.parameters.code, oti.parameters.symbol_size) = match encoding_id {
            // RFC 5445 §3.2.2.2
            FecEncodingId::NO_CODE => (Code::NoCode { max_source_block_length: number(10, 4) as u32 }, half(8)),
            // RFC 5053 §3.2
            FecEncodingId::RAPTOR => {
                let code = Code::Raptor { source_blocks: half(10), sub_blocks: byte(12), alignment: byte(13) };
                (code, half(8))
            }
            // RFC 5510 §4.2.4.1
            FecEncodingId::REED_SOLOMON_2M => {
                oti.symbols_per_packet = byte(7).max(1);
                (reed_solomon(byte(6), half(10).into(), Some(half(12).into()))?, half(8))
            }
            // RFC 5510 §5.2.4.1
            FecEncodingId::REED_SOLOMON_8 => (reed_solomon(DEFAULT_M, byte(8).into(), Some(byte(9).into()))?, half(6)),
            // RFC 6330 §3.3
            FecEncodingId::RAPTORQ => {
                oti.parameters.transfer_length = number(0, 5);
                let code = Code::RaptorQ { source_blocks: byte(8).into(), sub_blocks: half(9), alignment: byte(11) };
                (code, half(6))
            }
            // RFC 5445 §5.2.2.2, RFC 5510 §7
            FecEncodingId::SMALL_BLOCK_SYSTEMATIC if half(6) == 0 => {
                (reed_solomon(DEFAULT_M, half(10).into(), Some(half(12).into()))?, half(8))
            }
            _ if encoding_id.is_under_specified() => {
                return Err(OtiError::UnsupportedInstance { encoding_id, instance_id: half(6).into() });
            }
            _ => return Err(OtiError::UnsupportedScheme(encoding_id)),
        };
        Ok(oti)
    }

    /// The content of EXT_FTI, whole words with HET and HEL in front of it.
    ///
    /// # Errors
    /// [`OtiError::CodeMismatch`] where the code is not of the FEC Encoding ID, [`OtiError::Field`] where a number is
    /// wider than its field.
    pub fn encode_fti(&self) -> Result<Vec<u8>, OtiError> {
        let Self { encoding_id, symbols_per_packet, .. } = *self;
        let Parameters { code, transfer_length, symbol_size } = self.parameters;
        let mut content = Vec::with_capacity(FOUR_WORDS);
        let mut append = |field, value: u64, bytes: usize| {
            if value >> (8 * bytes) != 0 {
                return Err(OtiError::Field { encoding_id, field, value, bits: 8 * bytes as u8 });
            }
            big_endian::append(value.into(), bytes, &mut content);
            Ok(())
        };
        append("transfer length", transfer_length, if encoding_id == FecEncodingId::RAPTORQ { 5 } else { 6 })?;
        match (encoding_id, code) {
            (FecEncodingId::NO_CODE, Code::NoCode { max_source_block_length }) => {
                append("reserved", 0, 2)?;
                append("encoding symbol length", symbol_size.into(), 2)?;
                append("maximum source block length", max_source_block_length.into(), 4)?;
            }
            (FecEncodingId::RAPTOR, Code::Raptor { source_blocks, sub_blocks, alignment }) => {
                append("reserved", 0, 2)?;
                append("encoding symbol length", symbol_size.into(), 2)?;
                append("number of source blocks", source_blocks.into(), 2)?;
                append("number of sub-blocks", sub_blocks.into(), 1)?;
                append("symbol alignment", alignment.into(), 1)?;
            }
            (
                FecEncodingId::REED_SOLOMON_2M,
                Code::ReedSolomon { m, max_source_block_length, max_encoding_symbols, .. },
            ) => {
                append("m", m.into(), 1)?;
                append("G", symbols_per_packet.into(), 1)?;
                append("encoding symbol length", symbol_size.into(), 2)?;
                append("maximum source block length", max_source_block_length.into(), 2)?;
                append("maximum number of encoding symbols", max_encoding_symbols.into(), 2)?;
            }
            (
                FecEncodingId::REED_SOLOMON_8,
                Code::ReedSolomon { m: DEFAULT_M, max_source_block_length, max_encoding_symbols, .. },
            ) => {
                append("encoding symbol length", symbol_size.into(), 2)?;
                append("maximum source block length", max_source_block_length.into(), 1)?;
                append("maximum number of encoding symbols", max_encoding_symbols.into(), 1)?;
            }
            (FecEncodingId::RAPTORQ, Code::RaptorQ { source_blocks, sub_blocks, alignment }) => {
                append("reserved", 0, 1)?;
                append("symbol size", symbol_size.into(), 2)?;
                append("number of source blocks", source_blocks.into(), 1)?;
                append("number of sub-blocks", sub_blocks.into(), 2)?;
                append("symbol alignment", alignment.into(), 1)?;
                append("padding", 0, 2)?;
            }
            (
                FecEncodingId::SMALL_BLOCK_SYSTEMATIC,
                Code::ReedSolomon { m: DEFAULT_M, max_source_block_length, max_encoding_symbols, .. },
            ) => {
                append("FEC Instance ID", self.instance_id.into(), 2)?;
                append("encoding symbol length", symbol_size.into(), 2)?;
                append("maximum source block length", max_source_block_length.into(), 2)?;
                append("maximum number of encoding symbols", max_encoding_symbols.into(), 2)?;
            }
            _ => return Err(OtiError::CodeMismatch { encoding_id, code }),
        }
        Ok(content)
    }
}
