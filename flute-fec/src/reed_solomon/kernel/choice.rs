// SPDX-License-Identifier: MPL-2.0

//! Which kernel this machine gets.

use std::fmt;
use std::sync::LazyLock;

/// The instructions that Reed-Solomon codes are computed with.
///
/// The fastest that the processor has is chosen once per process. The environment variable `FLUTE_FEC_KERNEL` with the
/// [name](Self::name) of another one that it has overrides the choice, to compare them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kernel {
    /// Any processor.
    Scalar,
}

static CHOSEN: LazyLock<Kernel> = LazyLock::new(|| {
    let wanted = std::env::var("FLUTE_FEC_KERNEL").unwrap_or_default();
    Kernel::ALL
        .iter()
        .copied()
        .filter(|kernel| kernel.is_available())
        .find(|kernel| wanted.is_empty() || kernel.name() == wanted)
        .unwrap_or_else(|| Kernel::available().next().unwrap_or(Kernel::Scalar))
});

impl Kernel {
    /// All kernels that were built in, the fastest first.
    const ALL: &[Self] = &[Self::Scalar];

    /// The kernels that this processor has, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|kernel| kernel.is_available())
    }

    /// The kernel that is used.
    pub fn chosen() -> Self {
        *CHOSEN
    }

    /// Its name: lower case, with hyphens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
        }
    }

    fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Evaluates an expression with a name bound to the implementation of a [`Kernel`]; the scalar one stands in for one
/// that the processor does not have.
macro_rules! with_kernel {
    ($kernel:expr, |$name:ident| $body:expr) => {{
        use $crate::reed_solomon::kernel::{Kernel, Scalar};
        match $kernel {
            Kernel::Scalar => {
                let $name = Scalar;
                $body
            }
        }
    }};
}
pub(in crate::reed_solomon) use with_kernel;
