// SPDX-License-Identifier: MPL-2.0

//! Bytes that a program hands over.

use std::ops::Deref;

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

/// The bytes of a `bytes` object as they lie, since nobody can change them while the GIL is released; a copy of anything
/// else that has bytes, such as a `bytearray` or a `memoryview`.
#[derive(Debug)]
pub(crate) enum ByteInput {
    Shared(PyBackedBytes),
    Copied(Vec<u8>),
}

impl Deref for ByteInput {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Copied(bytes) => bytes,
        }
    }
}

impl FromPyObject<'_, '_> for ByteInput {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match object.cast::<PyBytes>() {
            Ok(bytes) => Ok(Self::Shared(bytes.to_owned().into())),
            Err(_) => Ok(Self::Copied(PyBuffer::<u8>::get(&object)?.to_vec(object.py())?)),
        }
    }
}
