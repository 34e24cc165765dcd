// SPDX-License-Identifier: MPL-2.0

//! Methods that set one field of a configuration each, so that fields can be added without breaking its users.

/// Gives a configuration one method per field, named after it, that takes and returns the whole.
macro_rules! setters {
    ($config:ty { $($field:ident: $kind:ty,)* }) => {
        impl $config {
            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](Self#structfield.", stringify!($field), ").")]
                #[must_use]
                pub fn $field(mut self, $field: $kind) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }
    };
}

pub(crate) use setters;
