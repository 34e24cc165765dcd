// SPDX-License-Identifier: MPL-2.0

//! The attributes of a `File`, and those that it inherits.

use std::borrow::Cow;

use super::{FileError, shown};
use crate::fdt::{File, value};
use crate::lct::Toi;
use crate::oti::{FecEncodingId, OtiAttributes};

/// Bytes of `FEC-OTI-Scheme-Specific-Info`: every scheme that there is has four at most.
const MAX_SCHEME_SPECIFIC_INFO: usize = 64;

/// TOI 0 is the FDT itself (RFC 6726 §3.3), and no positive integer.
pub(super) fn toi_of(text: &str) -> Result<Toi, FileError> {
    value::number(text).filter(|&toi| toi > 0).and_then(Toi::new).ok_or_else(|| wrong("TOI", text))
}

/// A string that identifies the file, to the letter (RFC 6726 §3.4.2): not even whitespace is taken away.
pub(super) fn location_of(text: Cow<'_, str>) -> Result<String, FileError> {
    if text.trim_ascii().is_empty() { Err(wrong("Content-Location", &text)) } else { Ok(text.into_owned()) }
}

/// Takes the attribute if it is one of a File.
pub(super) fn file_attribute(file: &mut File, name: &str, text: Cow<'_, str>) -> Result<(), FileError> {
    match name {
        "Content-Length" => file.content_length = Some(length("Content-Length", &text)?),
        "Transfer-Length" => file.transfer_length = Some(length("Transfer-Length", &text)?),
        "Content-Type" => file.content_type = Some(text.into_owned()),
        "Content-Encoding" => file.content_encoding = Some(text.into_owned()),
        "Content-MD5" => file.content_md5 = value::base64_binary(&text).and_then(|digest| digest.try_into().ok()),
        "File-ETag" => file.etag = Some(text.into_owned()),
        "Decryption-KEY-URI" => file.decryption_key_uri = Some(text.into_owned()),
        "FEC-Redundancy-Level" => file.fec_redundancy_level = value::number(&text),
        "IndependentUnitPositions" => {
            let positions = text.split_ascii_whitespace().map(value::number).collect::<Option<Vec<_>>>();
            file.independent_unit_positions = positions.unwrap_or_default();
        }
        "Expires" => file.expires = value::ntp_seconds(&text),
        "Content-Digest" => file.content_digest = value::message_digest(&text),
        "Repr-Digest" => file.repr_digest = value::message_digest(&text),
        _ => return oti_attribute(&mut file.oti, name, &text),
    }
    Ok(())
}

/// Takes the attribute if it is one of the FEC-OTI attributes (RFC 6726 §5).
pub(super) fn oti_attribute(oti: &mut OtiAttributes, name: &str, text: &str) -> Result<(), FileError> {
    match name {
        "FEC-OTI-FEC-Encoding-ID" => {
            let id = value::number(text).ok_or_else(|| wrong("FEC-OTI-FEC-Encoding-ID", text))?;
            oti.encoding_id = Some(FecEncodingId(id));
        }
        "FEC-OTI-FEC-Instance-ID" => oti.instance_id = Some(length("FEC-OTI-FEC-Instance-ID", text)?),
        "FEC-OTI-Maximum-Source-Block-Length" => {
            oti.max_source_block_length = Some(length("FEC-OTI-Maximum-Source-Block-Length", text)?);
        }
        "FEC-OTI-Encoding-Symbol-Length" => {
            oti.symbol_size = Some(length("FEC-OTI-Encoding-Symbol-Length", text)?);
        }
        "FEC-OTI-Max-Number-of-Encoding-Symbols" => {
            oti.max_encoding_symbols = Some(length("FEC-OTI-Max-Number-of-Encoding-Symbols", text)?);
        }
        "FEC-OTI-Scheme-Specific-Info" => {
            let info = value::base64_binary(text).filter(|info| info.len() <= MAX_SCHEME_SPECIFIC_INFO);
            let info = info.ok_or_else(|| wrong("FEC-OTI-Scheme-Specific-Info", text))?;
            oti.scheme_specific_info = Some(info);
        }
        _ => {}
    }
    Ok(())
}

fn length(name: &'static str, text: &str) -> Result<u64, FileError> {
    value::number(text).ok_or_else(|| wrong(name, text))
}

pub(super) fn wrong(name: &'static str, text: &str) -> FileError {
    FileError::Value { name, value: shown(text) }
}
