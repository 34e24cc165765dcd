// SPDX-License-Identifier: MPL-2.0

//! The equations of a code.

use std::fmt::Debug;
use std::ops::Range;

use super::Rows;
use crate::Scheme;

/// A Raptor or RaptorQ code with a certain number of source symbols.
pub(crate) trait FountainCode: Copy + Debug + Send + Sync + 'static {
    /// Which of the two it is.
    fn scheme(&self) -> Scheme;

    /// Number of source symbols, K.
    fn source_symbols(&self) -> u32;

    /// How many encoding symbols there are.
    fn max_encoding_symbols(&self) -> u32;

    /// What the intermediate symbols have to fulfil.
    fn precode(&self) -> Precode;

    /// The intermediate symbols that add up to an encoding symbol, each once.
    fn encoding_symbol(&self, esi: u32) -> impl Iterator<Item = u32> + Clone;
}

/// What the intermediate symbols have to fulfil, whatever the data.
#[derive(Clone, Debug)]
pub(crate) struct Precode {
    /// Number of intermediate symbols, L.
    pub(crate) symbols: usize,
    /// Sums of a few intermediate symbols that are zero.
    pub(crate) zero_sums: Rows,
    /// Sums of many intermediate symbols that are zero.
    pub(crate) running_sums: RunningSums,
    /// Intermediate symbols that occur in so many sums that they are best left to elimination.
    pub(crate) inactive: Range<u32>,
}

/// The dense equations: Half symbols (RFC 5053 §5.4.2.3) and HDPC symbols (RFC 6330 §5.3.3.3).
///
/// The last H intermediate symbols are sums of all symbols C\[0\], C\[1\] … before them, with coefficients that are best
/// told by a running sum s: after each step s = s + C\[j\], or s = α s + C\[j\], it is added to two of the H. After the
/// last one it is added to each of the H with a factor.
#[derive(Clone, Debug)]
pub(crate) struct RunningSums {
    /// Whether each step multiplies with α. If not, all factors are 0 or 1 and the code is one over GF(2).
    pub(crate) multiply: bool,
    /// The two of the H that the running sum is added to after each step but the last.
    pub(crate) taps: Vec<[u8; 2]>,
    /// The factors after the last step, one for each of the H.
    pub(crate) last: Vec<u8>,
}
