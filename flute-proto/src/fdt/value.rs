// SPDX-License-Identifier: MPL-2.0

//! The XML schema types of attributes and elements, from their text. Whitespace around them does not count (XML Schema
//! Part 2, §4.3.6: `collapse`).

use std::str::FromStr;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::MessageDigest;

/// Standard base64; padding is written, and not missed when it is not there.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An unsigned number in decimal digits; leading zeros and a plus sign are allowed.
pub(super) fn number<T: FromStr>(text: &str) -> Option<T> {
    text.trim_ascii().parse().ok()
}

/// `xs:boolean`: "true", "1", "false" or "0"; in any case of letters.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim_ascii() {
        "1" => Some(true),
        "0" => Some(false),
        word if word.eq_ignore_ascii_case("true") => Some(true),
        word if word.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// NTP seconds modulo 2^32 (RFC 6726 §3.3). A sender that does not wrap in 2036 writes more than 32 bits: the upper ones
/// are the era, which a receiver finds by itself.
pub(super) fn ntp_seconds(text: &str) -> Option<u32> {
    number::<u64>(text).map(|seconds| seconds as u32)
}

/// `xs:base64Binary`, which may have whitespace anywhere.
pub(super) fn base64_binary(text: &str) -> Option<Vec<u8>> {
    let mut digits = text.as_bytes().to_vec();
    digits.retain(|byte| !byte.is_ascii_whitespace());
    BASE64.decode(digits).ok()
}

/// `xs:hexBinary`.
pub(super) fn hex_binary(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_ascii().as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// `MessageDigestType` of TS 103 769 F.2.5: `sha-256=:base64:`.
pub(super) fn message_digest(text: &str) -> Option<MessageDigest> {
    let (algorithm, rest) = text.trim_ascii().split_once("=:")?;
    if !is_digest_algorithm(algorithm) {
        return None;
    }
    Some(MessageDigest { algorithm: algorithm.to_owned(), value: base64_binary(rest.strip_suffix(':')?)? })
}

/// The pattern `[a-z][-_.*a-z0-9]*`.
pub(super) fn is_digest_algorithm(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.*".contains(&byte))
}
