// SPDX-License-Identifier: MPL-2.0

//! Classes that only hold values: events and statistics.

use pyo3::prelude::*;

/// A class whose fields can be read and matched, and are shown by `repr`.
macro_rules! record {
    (
        $(#[$meta:meta])*
        $module:literal, $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }
    ) => {
        $(#[$meta])*
        #[pyclass(module = $module, frozen, get_all)]
        #[derive(Clone, Debug)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $kind,)*
        }

        #[pymethods]
        impl $name {
            #[classattr]
            fn __match_args__(py: Python<'_>) -> PyResult<Bound<'_, pyo3::types::PyTuple>> {
                pyo3::types::PyTuple::new(py, [$(stringify!($field)),*])
            }

            fn __repr__(record: &Bound<'_, Self>) -> PyResult<String> {
                $crate::record::shown(record.as_any(), stringify!($name), &[$(stringify!($field)),*])
            }
        }
    };
}

pub(crate) use record;

/// `Name(field=value, …)`.
pub(crate) fn shown(record: &Bound<'_, PyAny>, name: &str, fields: &[&str]) -> PyResult<String> {
    let fields: Vec<String> = fields
        .iter()
        .map(|field| Ok(format!("{field}={}", record.getattr(*field)?.repr()?)))
        .collect::<PyResult<_>>()?;
    Ok(format!("{name}({})", fields.join(", ")))
}
