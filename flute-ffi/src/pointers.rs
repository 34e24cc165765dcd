// SPDX-License-Identifier: MPL-2.0

//! Pointers of C as references of Rust.
//!
//! What cannot be checked is the contract of every function in `flute.h`: a pointer that is not null points to what its
//! type says, for as long as the call lasts, and no other thread uses a handle meanwhile.

use std::ffi::{CStr, c_char};

use crate::status::Failure;

/// What is behind a pointer that is read.
///
/// # Safety
/// The contract above.
pub(crate) unsafe fn read<'a, T>(pointer: *const T, name: &'static str) -> Result<&'a T, Failure> {
    // SAFETY: the caller of the function in C keeps the contract.
    unsafe { pointer.as_ref() }.ok_or(Failure::Null(name))
}

/// What is behind a pointer that is written, too.
///
/// # Safety
/// The contract above.
pub(crate) unsafe fn write<'a, T>(pointer: *mut T, name: &'static str) -> Result<&'a mut T, Failure> {
    // SAFETY: the caller of the function in C keeps the contract.
    unsafe { pointer.as_mut() }.ok_or(Failure::Null(name))
}

/// A text that ends with NUL.
///
/// # Safety
/// The contract above.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, name: &'static str) -> Result<&'a str, Failure> {
    if pointer.is_null() {
        return Err(Failure::Null(name));
    }
    // SAFETY: the caller of the function in C keeps the contract, and ends the text with NUL.
    unsafe { CStr::from_ptr(pointer) }.to_str().map_err(|_| Failure::Utf8(name))
}

/// A text that ends with NUL, if there is one.
///
/// # Safety
/// The contract above.
pub(crate) unsafe fn optional_text<'a>(pointer: *const c_char, name: &'static str) -> Result<Option<&'a str>, Failure> {
    // SAFETY: as above.
    if pointer.is_null() { Ok(None) } else { unsafe { text(pointer, name) }.map(Some) }
}

/// So many bytes. Null is right where there are none.
///
/// # Safety
/// The contract above.
pub(crate) unsafe fn bytes<'a>(pointer: *const u8, length: usize, name: &'static str) -> Result<&'a [u8], Failure> {
    match length {
        0 => Ok(&[]),
        _ if pointer.is_null() => Err(Failure::Null(name)),
        // SAFETY: the caller of the function in C keeps the contract, and has so many bytes there.
        length => Ok(unsafe { std::slice::from_raw_parts(pointer, length) }),
    }
}
