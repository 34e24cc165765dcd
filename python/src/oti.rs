// SPDX-License-Identifier: MPL-2.0

//! FEC Object Transmission Information, as programs ask for it.

use flute_fec::Protection;
use flute_proto::oti::FecEncodingId;
use flute_proto::sender::{FecConfig, FecScheme};
use pyo3::prelude::*;

use crate::errors::config_error;

/// The longest object that an FDT Instance or EXT_FTI can describe: 48 bits (RFC 5052 §5).
const MAX_TRANSFER_LENGTH: u64 = (1 << 48) - 1;

/// How objects are cut into symbols, and how many repair symbols protect them.
///
/// Without an argument: Compact No-Code with symbols of 1400 bytes. A `maximum_source_block_length` of 0 is what suits the
/// scheme.
///
/// >>> from flute import sender
/// >>> oti = sender.Oti.new_raptorq(1400, 64, 0)
/// >>> oti.parity_symbols_percentage = 20.0
/// >>> oti.fec_encoding_id, oti.encoding_symbol_length
/// (6, 1400)
#[pyclass(module = "flute.sender")]
#[derive(Clone, Debug)]
pub(crate) struct Oti {
    /// Bytes of a symbol.
    #[pyo3(get, set)]
    encoding_symbol_length: u16,
    /// Source symbols of a block at most, 0 for what suits the scheme.
    #[pyo3(get, set)]
    maximum_source_block_length: u32,
    /// Repair symbols of each block.
    #[pyo3(get, set)]
    max_number_of_parity_symbols: u32,
    /// Repair symbols in percent of the source symbols, instead of a number.
    #[pyo3(get, set)]
    parity_symbols_percentage: Option<f64>,
    /// Put EXT_FTI into the packets of objects: counts for all objects of a session, as its Oti says.
    #[pyo3(get, set)]
    pub(crate) inband_fti: bool,
    /// Symbols in a packet; FEC Encoding ID 2 only.
    #[pyo3(get, set)]
    symbols_per_packet: u8,
    /// Bits of an element of the finite field; FEC Encoding ID 2 only.
    #[pyo3(get, set)]
    finite_field_bits: u8,
    scheme: Scheme,
}

/// The scheme, without its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scheme(FecEncodingId);

impl Oti {
    fn with_scheme(id: FecEncodingId, symbol_length: u16, block_length: u32, parity_symbols: u32) -> PyResult<Self> {
        if symbol_length == 0 {
            return Err(config_error("symbols of 0 bytes: use 1 to 65535, such as 1400"));
        }
        Ok(Self {
            encoding_symbol_length: symbol_length,
            maximum_source_block_length: block_length,
            max_number_of_parity_symbols: parity_symbols,
            parity_symbols_percentage: None,
            inband_fti: false,
            symbols_per_packet: 1,
            finite_field_bits: 8,
            scheme: Scheme::of(id)?,
        })
    }

    /// The same for the sender.
    pub(crate) fn to_config(&self) -> FecConfig {
        let scheme = match self.scheme.0 {
            FecEncodingId::RAPTOR => FecScheme::Raptor,
            FecEncodingId::RAPTORQ => FecScheme::RaptorQ,
            FecEncodingId::REED_SOLOMON_8 => FecScheme::ReedSolomon8,
            FecEncodingId::SMALL_BLOCK_SYSTEMATIC => FecScheme::ReedSolomon8SmallBlock,
            FecEncodingId::REED_SOLOMON_2M => {
                FecScheme::ReedSolomon2m { m: self.finite_field_bits, symbols_per_packet: self.symbols_per_packet }
            }
            _ => FecScheme::NoCode,
        };
        let parity_symbols = Protection::Symbols(self.max_number_of_parity_symbols);
        FecConfig::default()
            .scheme(scheme)
            .symbol_size(self.encoding_symbol_length)
            .max_source_block_length(Some(self.maximum_source_block_length).filter(|length| *length > 0))
            .protection(self.parity_symbols_percentage.map_or(parity_symbols, Protection::Percent))
    }
}

impl Scheme {
    fn of(id: FecEncodingId) -> PyResult<Self> {
        match id {
            FecEncodingId::NO_CODE
            | FecEncodingId::RAPTOR
            | FecEncodingId::REED_SOLOMON_2M
            | FecEncodingId::REED_SOLOMON_8
            | FecEncodingId::RAPTORQ
            | FecEncodingId::SMALL_BLOCK_SYSTEMATIC => Ok(Self(id)),
            FecEncodingId(id) => {
                Err(config_error(format_args!("no code has FEC Encoding ID {id}: use 0, 1, 2, 5, 6 or 129")))
            }
        }
    }
}

#[pymethods]
impl Oti {
    #[new]
    fn new() -> PyResult<Self> {
        Self::new_no_code(1400, 64)
    }

    /// Compact No-Code, FEC Encoding ID 0.
    #[staticmethod]
    fn new_no_code(encoding_symbol_length: u16, maximum_source_block_length: u32) -> PyResult<Self> {
        Self::with_scheme(FecEncodingId::NO_CODE, encoding_symbol_length, maximum_source_block_length, 0)
    }

    /// Reed-Solomon over GF(2^8), FEC Encoding ID 5: at most 255 symbols of a block.
    #[staticmethod]
    fn new_reed_solomon_rs28(
        encoding_symbol_length: u16,
        maximum_source_block_length: u8,
        max_number_of_parity_symbols: u8,
    ) -> PyResult<Self> {
        let (length, parity) = (maximum_source_block_length.into(), max_number_of_parity_symbols.into());
        Self::with_scheme(FecEncodingId::REED_SOLOMON_8, encoding_symbol_length, length, parity)
    }

    /// Reed-Solomon over GF(2^8) as Small Block Systematic, FEC Encoding ID 129 with FEC Instance ID 0.
    #[staticmethod]
    fn new_reed_solomon_rs28_under_specified(
        encoding_symbol_length: u16,
        maximum_source_block_length: u16,
        max_number_of_parity_symbols: u16,
    ) -> PyResult<Self> {
        let (length, parity) = (maximum_source_block_length.into(), max_number_of_parity_symbols.into());
        Self::with_scheme(FecEncodingId::SMALL_BLOCK_SYSTEMATIC, encoding_symbol_length, length, parity)
    }

    /// Reed-Solomon over GF(2^m), FEC Encoding ID 2: at most 2^m - 1 symbols of a block.
    #[staticmethod]
    #[pyo3(signature = (
        encoding_symbol_length,
        maximum_source_block_length,
        max_number_of_parity_symbols,
        finite_field_bits=8,
        symbols_per_packet=1,
    ))]
    fn new_reed_solomon_rs2m(
        encoding_symbol_length: u16,
        maximum_source_block_length: u16,
        max_number_of_parity_symbols: u16,
        finite_field_bits: u8,
        symbols_per_packet: u8,
    ) -> PyResult<Self> {
        let (length, parity) = (maximum_source_block_length.into(), max_number_of_parity_symbols.into());
        let oti = Self::with_scheme(FecEncodingId::REED_SOLOMON_2M, encoding_symbol_length, length, parity)?;
        Ok(Self { finite_field_bits, symbols_per_packet, ..oti })
    }

    /// Raptor, FEC Encoding ID 1.
    #[staticmethod]
    fn new_raptor(
        encoding_symbol_length: u16,
        maximum_source_block_length: u32,
        max_number_of_parity_symbols: u32,
    ) -> PyResult<Self> {
        let (length, parity) = (maximum_source_block_length, max_number_of_parity_symbols);
        Self::with_scheme(FecEncodingId::RAPTOR, encoding_symbol_length, length, parity)
    }

    /// RaptorQ, FEC Encoding ID 6.
    #[staticmethod]
    fn new_raptorq(
        encoding_symbol_length: u16,
        maximum_source_block_length: u32,
        max_number_of_parity_symbols: u32,
    ) -> PyResult<Self> {
        let (length, parity) = (maximum_source_block_length, max_number_of_parity_symbols);
        Self::with_scheme(FecEncodingId::RAPTORQ, encoding_symbol_length, length, parity)
    }

    /// FEC Encoding ID: 0, 1, 2, 5, 6 or 129.
    #[getter]
    fn fec_encoding_id(&self) -> u8 {
        self.scheme.0.0
    }

    #[setter]
    fn set_fec_encoding_id(&mut self, id: u8) -> PyResult<()> {
        self.scheme = Scheme::of(FecEncodingId(id))?;
        Ok(())
    }

    /// FEC Instance ID of FEC Encoding ID 129: always 0, Reed-Solomon over GF(2^8) (RFC 5510 §7.2).
    #[getter]
    fn fec_instance_id(&self) -> u16 {
        0
    }

    #[setter]
    fn set_fec_instance_id(&self, id: u16) -> PyResult<()> {
        match id {
            0 => Ok(()),
            id => Err(config_error(format_args!("no code has FEC Instance ID {id}: 0 is the only one"))),
        }
    }

    /// Bytes of the longest object that can be sent like this.
    #[getter]
    fn max_transfer_length(&self) -> u64 {
        let blocks = self.scheme.0.max_source_blocks(self.finite_field_bits).unwrap_or(u64::MAX);
        let block_length = match self.maximum_source_block_length {
            0 => u32::MAX,
            length => length,
        };
        let symbols = blocks.saturating_mul(block_length.into());
        symbols.saturating_mul(self.encoding_symbol_length.into()).min(MAX_TRANSFER_LENGTH)
    }
}
