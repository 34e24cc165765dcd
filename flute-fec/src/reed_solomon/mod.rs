// SPDX-License-Identifier: MPL-2.0

//! Reed-Solomon codes over GF(2^m) (RFC 5510): FEC Encoding IDs 2 and 5, and 129 with Instance ID 0.
//!
//! What the RFC leaves open is settled as follows.
//!
//! - The points of the generator matrix: [`Points`](crate::Points).
//! - The place of elements in a symbol: [`symbol`], and [`ByteOrder`] for m = 16. Its default is little-endian, because
//!   the codes in use, Rizzo's and NORM's, take symbols for arrays of the machine's 16-bit integers.
//! - n is at most 2^m − 1 (§8.2.1) with either kind of points, though Rizzo's would suffice for one more.

mod chunk;
mod decode;
mod derive;
mod encode;
mod field;
mod group;
mod job;
mod kernel;
mod lagrange;
mod multiply;
mod scratch;
mod symbol;
#[cfg(test)]
mod tests;
mod toeplitz;

use std::sync::{Arc, Mutex};

use self::decode::Decoder;
pub(crate) use self::derive::{derive, partition};
use self::encode::Encoder;
pub use self::kernel::Kernel;
use self::kernel::{Scalar, SumOfProducts, WithKernel};
use self::lagrange::Geometry;
use crate::cache::{Cache, lock};
use crate::{BlockDecoder, BlockEncoder, ByteOrder, Code, ParameterError};

/// Bytes that the matrix of an encoder may take to be kept.
const KEPT_MATRIX_BYTES: usize = 8 << 20;

/// Bytes of all encoders, and of all decoders, that are kept for the next block.
const CACHED_BYTES: usize = 32 << 20;

/// The shape of a block: what an encoder or decoder is made for.
#[derive(Clone, Copy, Debug)]
struct Shape {
    geometry: Geometry,
    byte_order: ByteOrder,
    symbol_size: u16,
    max_encoding_symbols: u32,
}

/// What a cached encoder or decoder was made for.
type Key = (Code, u32, u16, u32);

static ENCODERS: Mutex<Cache<Key, Arc<dyn BlockEncoder>>> = Mutex::new(Cache::new(CACHED_BYTES));
static DECODERS: Mutex<Cache<Key, Arc<dyn BlockDecoder>>> = Mutex::new(Cache::new(CACHED_BYTES));

/// The encoder of blocks of `source_symbols`, which keeps what it needs for `repair_symbols` of each.
pub(crate) fn encoder(
    code: Code,
    source_symbols: u32,
    symbol_size: u16,
    repair_symbols: u32,
) -> Result<Arc<dyn BlockEncoder>, ParameterError> {
    let shape = Shape::new(code, source_symbols, symbol_size)?;
    let make = || new_encoder(Kernel::chosen(), &shape, repair_symbols);
    Ok(lock(&ENCODERS).get_or_insert_with((code, source_symbols, symbol_size, repair_symbols), make))
}

/// The decoder of blocks of `source_symbols`.
pub(crate) fn decoder(
    code: Code,
    source_symbols: u32,
    symbol_size: u16,
) -> Result<Arc<dyn BlockDecoder>, ParameterError> {
    let shape = Shape::new(code, source_symbols, symbol_size)?;
    let make = || new_decoder(Kernel::chosen(), &shape);
    Ok(lock(&DECODERS).get_or_insert_with((code, source_symbols, symbol_size, 0), make))
}

fn new_encoder(kernel: Kernel, shape: &Shape, repair_symbols: u32) -> (Arc<dyn BlockEncoder>, usize) {
    let new = NewEncoder { shape, repair_symbols };
    kernel.with(new).unwrap_or_else(|| new.call(Scalar))
}

#[derive(Clone, Copy)]
struct NewEncoder<'a> {
    shape: &'a Shape,
    repair_symbols: u32,
}

impl WithKernel for NewEncoder<'_> {
    /// The encoder, and the bytes it takes.
    type Output = (Arc<dyn BlockEncoder>, usize);

    fn call<K: SumOfProducts>(self, kernel: K) -> Self::Output {
        let encoder = Encoder::new(kernel, self.shape, self.repair_symbols);
        let bytes = encoder.bytes();
        (Arc::new(encoder), bytes)
    }
}

fn new_decoder(kernel: Kernel, shape: &Shape) -> (Arc<dyn BlockDecoder>, usize) {
    let new = NewDecoder { shape };
    kernel.with(new).unwrap_or_else(|| new.call(Scalar))
}

#[derive(Clone, Copy)]
struct NewDecoder<'a> {
    shape: &'a Shape,
}

impl WithKernel for NewDecoder<'_> {
    /// The decoder, and the bytes it takes.
    type Output = (Arc<dyn BlockDecoder>, usize);

    fn call<K: SumOfProducts>(self, kernel: K) -> Self::Output {
        let decoder = Decoder::new(kernel, self.shape);
        let bytes = decoder.bytes();
        (Arc::new(decoder), bytes)
    }
}

impl Shape {
    /// The shape of blocks of `source_symbols`, of a code whose parameters may contradict each other or be absurd.
    fn new(code: Code, source_symbols: u32, symbol_size: u16) -> Result<Self, ParameterError> {
        let (field, points, byte_order, max_encoding_symbols) = derive::check(code, symbol_size)?;
        if source_symbols == 0 {
            return Err(ParameterError::ZeroSourceBlockLength);
        }
        if source_symbols > max_encoding_symbols {
            return Err(ParameterError::SourceBlockLength { source_symbols, encoding_symbols: max_encoding_symbols });
        }
        let geometry = Geometry { field, points, k: source_symbols };
        Ok(Self { geometry, byte_order, symbol_size, max_encoding_symbols })
    }
}
