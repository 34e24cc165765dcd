// SPDX-License-Identifier: MPL-2.0

//! Errors of the crates below as the exceptions of `flute.errors`.

use std::fmt::Display;

use pyo3::prelude::*;

/// The exceptions, which are classes of Python.
mod exceptions {
    pyo3::import_exception!(flute.errors, ConfigError);
    pyo3::import_exception!(flute.errors, NetworkError);
    pyo3::import_exception!(flute.errors, ObjectError);
    pyo3::import_exception!(flute.errors, PacketError);
}

/// Settings that cannot be.
pub(crate) fn config_error(error: impl Display) -> PyErr {
    exceptions::ConfigError::new_err(error.to_string())
}

/// An object that cannot be sent.
pub(crate) fn object_error(error: impl Display) -> PyErr {
    exceptions::ObjectError::new_err(error.to_string())
}

/// Bytes that are no packet.
pub(crate) fn packet_error(error: impl Display) -> PyErr {
    exceptions::PacketError::new_err(error.to_string())
}

/// A socket that does not do what it is to.
pub(crate) fn network_error(error: impl Display) -> PyErr {
    exceptions::NetworkError::new_err(error.to_string())
}
