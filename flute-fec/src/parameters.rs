// SPDX-License-Identifier: MPL-2.0

//! Which code an object is protected with, and in what shape: the scheme-independent content of the FEC Object
//! Transmission Information (RFC 5052 §6.2).

/// The erasure code, with the numbers that only it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// Compact No-Code (RFC 5445 §3): source symbols only.
    NoCode {
        /// Source symbols in a block, at most.
        max_source_block_length: u32,
    },
    /// Reed-Solomon over GF(2^m) (RFC 5510).
    ReedSolomon {
        /// Bits of a finite field element, 2 to 16.
        m: u8,
        /// Which generator matrix.
        points: Points,
        /// How an element of more than 8 bits lies in a symbol.
        byte_order: ByteOrder,
        /// Source symbols in a block, at most: B.
        max_source_block_length: u32,
        /// Encoding symbols of a block, at most: max_n.
        max_encoding_symbols: u32,
    },
    /// Raptor (RFC 5053).
    Raptor {
        /// Number of source blocks, Z.
        source_blocks: u16,
        /// Number of sub-blocks of each, N.
        sub_blocks: u8,
        /// Symbol alignment in bytes, Al.
        alignment: u8,
    },
    /// RaptorQ (RFC 6330).
    RaptorQ {
        /// Number of source blocks, Z: 1 to 256.
        source_blocks: u16,
        /// Number of sub-blocks of each, N.
        sub_blocks: u16,
        /// Symbol alignment in bytes, Al.
        alignment: u8,
    },
}

/// Where the Vandermonde matrix of a Reed-Solomon code is evaluated. RFC 5510 contradicts itself: the abstract promises
/// compatibility with Rizzo's code, §8.2.1 prints other points. All known implementations are Rizzo's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Points {
    /// 0, 1, α, α² …: Rizzo's code, as zfec, OpenFEC and NORM have it.
    #[default]
    Rizzo,
    /// 1, α, α² …: §8.2.1 to the letter.
    Literal,
}

/// The order of the two bytes of an element of GF(2^16) in a symbol. RFC 5510 does not say it; no other field has it.
///
/// The codes in use, Rizzo's and NORM's, take symbols for arrays of the machine's 16-bit integers: little-endian on
/// every machine they run on today. That is the default, as it is with [`Points`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Less significant byte first: NORM on x86 and ARM.
    #[default]
    LittleEndian,
    /// More significant byte first: network byte order.
    BigEndian,
}

/// All that encoder and decoder must agree on for one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parameters {
    /// The code.
    pub code: Code,
    /// Length of the object as it is transferred, in bytes: at most 2^48 − 1.
    pub transfer_length: u64,
    /// Size of an encoding symbol in bytes.
    pub symbol_size: u16,
}

/// Why an object cannot be coded with these parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// The scheme is not built into this version.
    #[error("{0:?} is not supported")]
    Unsupported(crate::Scheme),
    /// Symbols of no byte.
    #[error("the symbol size is 0")]
    ZeroSymbolSize,
    /// A finite field that the scheme does not have.
    #[error("GF(2^{m}): RFC 5510 has fields of 2 to 16 bits")]
    Field {
        /// Bits of an element.
        m: u8,
    },
    /// More encoding symbols in a block than the code has.
    #[error("{encoding_symbols} encoding symbols in a block: this code has at most {max}")]
    TooManyEncodingSymbols {
        /// Encoding symbols of a block, source and repair.
        encoding_symbols: u64,
        /// What the code has.
        max: u64,
    },
    /// Blocks of more source symbols than encoding symbols.
    #[error("{source_symbols} source symbols in a block of {encoding_symbols} encoding symbols")]
    SourceBlockLength {
        /// Source symbols of a block.
        source_symbols: u32,
        /// Encoding symbols of a block, source and repair.
        encoding_symbols: u32,
    },
    /// Symbols that do not hold whole units, such as elements of a finite field.
    #[error("a symbol size of {symbol_size}: it must be a multiple of {multiple}")]
    SymbolSize {
        /// Size of a symbol in bytes.
        symbol_size: u16,
        /// What it must be a multiple of.
        multiple: u16,
    },
    /// Blocks of no symbol.
    #[error("the maximum source block length is 0")]
    ZeroSourceBlockLength,
    /// The object is longer than the scheme can say or number.
    #[error("an object of {length} bytes: this scheme, with such source blocks and symbols, carries at most {max}")]
    ObjectTooLong {
        /// Bytes of the object.
        length: u64,
        /// Bytes that would fit.
        max: u64,
    },
    /// A symbol alignment of 0.
    #[error("the symbol alignment is 0")]
    ZeroAlignment,
    /// The symbol size is not a multiple of the symbol alignment, Al.
    #[error("the symbol size {symbol_size} is not a multiple of the symbol alignment {alignment}")]
    UnalignedSymbolSize {
        /// Bytes of a symbol.
        symbol_size: u16,
        /// What it should be a multiple of.
        alignment: u8,
    },
    /// No sub-block, or more than a symbol has aligned pieces.
    #[error("{sub_blocks} sub-blocks where 1 to {max} are possible")]
    SubBlocks {
        /// How many sub-blocks, N.
        sub_blocks: u16,
        /// How many there can be at most.
        max: u16,
    },
    /// No source block, or more than the object has symbols or the scheme has numbers for.
    #[error("{source_blocks} source blocks where 1 to {max} are possible")]
    SourceBlocks {
        /// How many source blocks, Z.
        source_blocks: u16,
        /// How many there can be at most.
        max: u64,
    },
    /// A source block of more symbols than the scheme can have.
    #[error("a source block of {symbols} symbols: this scheme has at most {max}")]
    SourceBlockTooLong {
        /// Source symbols of the largest block, k.
        symbols: u64,
        /// How many there can be at most.
        max: u32,
    },
    /// Sub-blocks that cannot be so small.
    #[error("sub-blocks of at most {max_sub_block_size} bytes: symbols of this size need at least {min}")]
    SubBlockSize {
        /// Bytes that were wanted at most.
        max_sub_block_size: u64,
        /// Bytes of the smallest sub-block.
        min: u64,
    },
}
