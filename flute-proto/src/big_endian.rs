// SPDX-License-Identifier: MPL-2.0

//! Integers in network byte order, of widths that Rust's own types do not have.

/// The integer that at most 16 bytes spell.
pub(crate) fn read(bytes: &[u8]) -> u128 {
    let mut whole = [0; 16];
    whole[16 - bytes.len()..].copy_from_slice(bytes);
    u128::from_be_bytes(whole)
}

/// Appends the lowest `width` bytes of `value`, at most 16.
pub(crate) fn append(value: u128, width: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_be_bytes()[16 - width..]);
}
