// SPDX-License-Identifier: MPL-2.0

//! The FEC-OTI attributes of the FDT (RFC 6726 §3.4.2).

use flute_fec::{Code, Parameters};

use super::{DEFAULT_M, FecEncodingId, Oti, OtiError, reed_solomon};

const MAX_SOURCE_BLOCK_LENGTH: &str = "FEC-OTI-Maximum-Source-Block-Length";
const SYMBOL_LENGTH: &str = "FEC-OTI-Encoding-Symbol-Length";
const MAX_ENCODING_SYMBOLS: &str = "FEC-OTI-Max-Number-of-Encoding-Symbols";

/// The FEC-OTI attributes of an FDT-Instance or File element as they stand (RFC 6726 §3.4.2). Any may be absent: a File
/// inherits from the FDT-Instance, and both from EXT_FTI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtiAttributes {
    /// `FEC-OTI-FEC-Encoding-ID`.
    pub encoding_id: Option<FecEncodingId>,
    /// `FEC-OTI-FEC-Instance-ID`, of under-specified schemes only.
    pub instance_id: Option<u64>,
    /// `FEC-OTI-Maximum-Source-Block-Length`, in symbols.
    pub max_source_block_length: Option<u64>,
    /// `FEC-OTI-Encoding-Symbol-Length`, in bytes.
    pub symbol_size: Option<u64>,
    /// `FEC-OTI-Max-Number-of-Encoding-Symbols`.
    pub max_encoding_symbols: Option<u64>,
    /// `FEC-OTI-Scheme-Specific-Info`, out of its base64.
    pub scheme_specific_info: Option<Vec<u8>>,
}

impl OtiAttributes {
    /// These attributes, with those that are absent taken from `other`: a File's from its FDT-Instance's.
    pub fn or(self, other: &Self) -> Self {
        Self {
            encoding_id: self.encoding_id.or(other.encoding_id),
            instance_id: self.instance_id.or(other.instance_id),
            max_source_block_length: self.max_source_block_length.or(other.max_source_block_length),
            symbol_size: self.symbol_size.or(other.symbol_size),
            max_encoding_symbols: self.max_encoding_symbols.or(other.max_encoding_symbols),
            scheme_specific_info: self.scheme_specific_info.or_else(|| other.scheme_specific_info.clone()),
        }
    }

    fn scheme_specific<const N: usize>(&self, encoding_id: FecEncodingId) -> Result<[u8; N], OtiError> {
        let info = self.scheme_specific_info.as_ref().ok_or(OtiError::Missing("FEC-OTI-Scheme-Specific-Info"))?;
        <[u8; N]>::try_from(info.as_slice()).map_err(|_| OtiError::SchemeSpecificInfo {
            encoding_id,
            actual: info.len(),
            needed: N,
        })
    }
}

impl Oti {
    /// What `attributes` say of an object of `transfer_length` bytes.
    ///
    /// Senders in the field are met half-way: a FEC Instance ID of a fully specified scheme is ignored, as are attributes
    /// that the scheme does not have; a missing maximum number of encoding symbols is that of the finite field.
    ///
    /// The numbers themselves are checked by [`codec`](Self::codec).
    ///
    /// # Errors
    /// [`OtiError`] of what is missing or not supported.
    pub fn from_attributes(attributes: &OtiAttributes, transfer_length: u64) -> Result<Self, OtiError> {
        let encoding_id = attributes.encoding_id.ok_or(OtiError::Missing("FEC-OTI-FEC-Encoding-ID"))?;
        let length_bits = if encoding_id == FecEncodingId::RAPTORQ { 40 } else { 48 };
        check_width(encoding_id, "Transfer-Length", transfer_length, length_bits)?;
        let symbol_size = attributes.symbol_size.ok_or(OtiError::Missing(SYMBOL_LENGTH))?;
        check_width(encoding_id, SYMBOL_LENGTH, symbol_size, 16)?;
        let max_source_block_length = || {
            let value = attributes.max_source_block_length.ok_or(OtiError::Missing(MAX_SOURCE_BLOCK_LENGTH))?;
            check_width(encoding_id, MAX_SOURCE_BLOCK_LENGTH, value, 32).map(|()| value as u32)
        };
        let reed_solomon = |m| {
            let max_n = attributes.max_encoding_symbols;
            check_width(encoding_id, MAX_ENCODING_SYMBOLS, max_n.unwrap_or(0), 32)?;
            reed_solomon(m, max_source_block_length()?, max_n.map(|max_n| max_n as u32))
        };

        let mut symbols_per_packet = 1;
        let code = match encoding_id {
            FecEncodingId::NO_CODE => Code::NoCode { max_source_block_length: max_source_block_length()? },
            // RFC 5053 §3.2.3
            FecEncodingId::RAPTOR => {
                let [z0, z1, sub_blocks, alignment] = attributes.scheme_specific(encoding_id)?;
                Code::Raptor { source_blocks: u16::from_be_bytes([z0, z1]), sub_blocks, alignment }
            }
            // RFC 5510 §4.2.4.2: 0 stands for the default, and so does no attribute at all.
            FecEncodingId::REED_SOLOMON_2M => {
                let [m, g] = match attributes.scheme_specific_info {
                    Some(_) => attributes.scheme_specific(encoding_id)?,
                    None => [0, 0],
                };
                symbols_per_packet = g.max(1);
                reed_solomon(m)?
            }
            FecEncodingId::REED_SOLOMON_8 => reed_solomon(DEFAULT_M)?,
            // RFC 6330 §3.3.3
            FecEncodingId::RAPTORQ => {
                let [z, n0, n1, alignment] = attributes.scheme_specific(encoding_id)?;
                Code::RaptorQ { source_blocks: z.into(), sub_blocks: u16::from_be_bytes([n0, n1]), alignment }
            }
            // RFC 5510 §7. Senders leave the instance out that is the only one.
            FecEncodingId::SMALL_BLOCK_SYSTEMATIC if attributes.instance_id.unwrap_or(0) == 0 => {
                reed_solomon(DEFAULT_M)?
            }
            _ => match attributes.instance_id {
                Some(instance_id) if encoding_id.is_under_specified() => {
                    return Err(OtiError::UnsupportedInstance { encoding_id, instance_id });
                }
                _ => return Err(OtiError::UnsupportedScheme(encoding_id)),
            },
        };
        let parameters = Parameters { code, transfer_length, symbol_size: symbol_size as u16 };
        Ok(Self { encoding_id, instance_id: 0, symbols_per_packet, parameters })
    }

    /// The attributes that say what [`encode_fti`](Self::encode_fti) says, except for the transfer length, which has an
    /// attribute outside of the FEC OTI (RFC 6726 §3.4.2).
    ///
    /// # Errors
    /// Those of [`encode_fti`](Self::encode_fti).
    pub fn attributes(&self) -> Result<OtiAttributes, OtiError> {
        self.encode_fti()?;
        let mut attributes = OtiAttributes {
            encoding_id: Some(self.encoding_id),
            instance_id: self.encoding_id.is_under_specified().then(|| self.instance_id.into()),
            symbol_size: Some(self.parameters.symbol_size.into()),
            ..OtiAttributes::default()
        };
        match self.parameters.code {
            Code::NoCode { max_source_block_length } => {
                attributes.max_source_block_length = Some(max_source_block_length.into());
            }
            Code::ReedSolomon { m, max_source_block_length, max_encoding_symbols, .. } => {
                attributes.max_source_block_length = Some(max_source_block_length.into());
                attributes.max_encoding_symbols = Some(max_encoding_symbols.into());
                if self.encoding_id == FecEncodingId::REED_SOLOMON_2M {
                    attributes.scheme_specific_info = Some(vec![m, self.symbols_per_packet]);
                }
            }
            Code::Raptor { source_blocks, sub_blocks, alignment } => {
                let [z0, z1] = source_blocks.to_be_bytes();
                attributes.scheme_specific_info = Some(vec![z0, z1, sub_blocks, alignment]);
            }
            Code::RaptorQ { source_blocks, sub_blocks, alignment } => {
                let [n0, n1] = sub_blocks.to_be_bytes();
                attributes.scheme_specific_info = Some(vec![source_blocks as u8, n0, n1, alignment]);
            }
        }
        Ok(attributes)
    }
}

fn check_width(encoding_id: FecEncodingId, field: &'static str, value: u64, bits: u8) -> Result<(), OtiError> {
    if value >> bits != 0 { Err(OtiError::Field { encoding_id, field, value, bits }) } else { Ok(()) }
}
