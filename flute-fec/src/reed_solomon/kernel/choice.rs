// SPDX-License-Identifier: MPL-2.0

//! Which kernel this machine gets.

use std::fmt;
use std::sync::LazyLock;

#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx2Gfni, Avx512Gfni, Ssse3};
use super::{Scalar, SumOfProducts};

/// The instructions that Reed-Solomon codes are computed with.
///
/// The fastest that the processor has is chosen once per process. The environment variable `FLUTE_FEC_KERNEL` with the
/// [name](Self::name) of another one that it has overrides the choice, to compare them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kernel {
    /// x86-64 with AVX-512 and GFNI.
    Avx512Gfni,
    /// x86-64 with AVX2 and GFNI.
    Avx2Gfni,
    /// x86-64 with AVX2.
    Avx2,
    /// x86-64 with SSSE3.
    Ssse3,
    /// AArch64 with NEON.
    Neon,
    /// Any processor.
    Scalar,
}

static CHOSEN: LazyLock<Kernel> = LazyLock::new(|| {
    let wanted = std::env::var("FLUTE_FEC_KERNEL").unwrap_or_default();
    let fastest = Kernel::available().next().unwrap_or(Kernel::Scalar);
    Kernel::available().find(|kernel| kernel.name() == wanted).unwrap_or(fastest)
});

/// What can be done with any kernel.
pub(crate) trait WithKernel {
    type Output;

    fn call<K: SumOfProducts>(self, kernel: K) -> Self::Output;
}

impl Kernel {
    const ALL: [Self; 6] = [Self::Avx512Gfni, Self::Avx2Gfni, Self::Avx2, Self::Ssse3, Self::Neon, Self::Scalar];

    /// The kernels that this processor has, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        struct Nothing;
        impl WithKernel for Nothing {
            type Output = ();

            fn call<K: SumOfProducts>(self, _: K) {}
        }
        Self::ALL.into_iter().filter(|kernel| kernel.with(Nothing).is_some())
    }

    /// The kernel that is used.
    pub fn chosen() -> Self {
        *CHOSEN
    }

    /// Its name: lower case, with hyphens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512Gfni => "avx512-gfni",
            Self::Avx2Gfni => "avx2-gfni",
            Self::Avx2 => "avx2",
            Self::Ssse3 => "ssse3",
            Self::Neon => "neon",
            Self::Scalar => "scalar",
        }
    }

    /// Does something with the implementation of this kernel; `None` where the processor does not have it.
    pub(crate) fn with<F: WithKernel>(self, function: F) -> Option<F::Output> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Gfni => Avx512Gfni::detect().map(|kernel| function.call(kernel)),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2Gfni => Avx2Gfni::detect().map(|kernel| function.call(kernel)),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::detect().map(|kernel| function.call(kernel)),
            #[cfg(target_arch = "x86_64")]
            Self::Ssse3 => Ssse3::detect().map(|kernel| function.call(kernel)),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Neon::detect().map(|kernel| function.call(kernel)),
            Self::Scalar => Some(function.call(Scalar)),
            _ => None,
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
