// SPDX-License-Identifier: MPL-2.0

//! From parameters to blocks: where each symbol lies, and which encoder and decoder a block has.

use std::sync::Arc;

use crate::layout::{BlockLayout, SubSymbols};
use crate::no_code::NoCode;
use crate::{BlockDecoder, BlockEncoder, Code, ParameterError, Parameters, Partition, raptor, raptorq, reed_solomon};

/// A source block of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceBlock {
    /// Source block number.
    pub number: u32,
    /// Where the block starts in the object, in bytes.
    pub offset: u64,
    /// Bytes of the object in this block; less than `symbols * symbol_size` where the last symbol is short.
    pub length: u64,
    /// Number of source symbols, k.
    pub symbols: u32,
}

/// A piece of a source symbol that is contiguous in the object.
///
/// A symbol is one run, unless the block has sub-blocks (RFC 5053 §5.3.1.2, RFC 6330 §4.4.1.2): then it is one run per
/// sub-block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where the run starts in the object, in bytes.
    pub object_offset: u64,
    /// Where the run starts in the symbol, in bytes.
    pub symbol_offset: u16,
    /// Length in bytes, without what pads the end of the object; may be 0.
    pub length: u16,
}

/// The shape of one object, checked: made by [`Parameters::codec`].
#[derive(Clone, Debug)]
pub struct ObjectCodec {
    parameters: Parameters,
    partition: Partition,
    sub_symbols: SubSymbols,
}

impl Parameters {
    /// Checks the parameters and lays the object out.
    pub fn codec(&self) -> Result<ObjectCodec, ParameterError> {
        if self.symbol_size == 0 {
            return Err(ParameterError::ZeroSymbolSize);
        }
        let symbols = self.transfer_length.div_ceil(self.symbol_size.into());
        let whole = SubSymbols::whole(self.symbol_size);
        let (partition, sub_symbols) = match self.code {
            Code::NoCode { max_source_block_length } => (
                Partition::by_length(symbols, max_source_block_length).ok_or(ParameterError::ZeroSourceBlockLength)?,
                whole,
            ),
            Code::Raptor { source_blocks, sub_blocks, alignment } => {
                raptor::partition(self, source_blocks, sub_blocks, alignment)?
            }
            Code::RaptorQ { source_blocks, sub_blocks, alignment } => {
                raptorq::partition(self, source_blocks, sub_blocks, alignment)?
            }
            code @ Code::ReedSolomon { .. } => (reed_solomon::partition(code, self.symbol_size, symbols)?, whole),
        };
        Ok(ObjectCodec { parameters: *self, partition, sub_symbols })
    }
}

impl ObjectCodec {
    /// The parameters it was made from.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Number of source blocks; 0 for an empty object.
    pub fn block_count(&self) -> u32 {
        u32::try_from(self.partition.blocks).unwrap_or(u32::MAX)
    }

    /// The source block of that number, `None` where the object has none.
    pub fn block(&self, number: u32) -> Option<SourceBlock> {
        let index = u64::from(number);
        if index >= self.partition.blocks {
            return None;
        }
        let symbol_size = u64::from(self.parameters.symbol_size);
        let offset = self.partition.first_symbol(index) * symbol_size;
        let symbols = self.partition.block_symbols(index);
        Some(SourceBlock {
            number,
            offset,
            length: (symbols * symbol_size).min(self.parameters.transfer_length - offset),
            symbols: u32::try_from(symbols).ok()?,
        })
    }

    /// The source block that source symbol `symbol`, counted over the whole object, is in; `None` behind the last one.
    pub fn block_of_symbol(&self, symbol: u64) -> Option<SourceBlock> {
        self.block(u32::try_from(self.partition.block_of(symbol)?).ok()?)
    }

    /// Where source symbol `esi` of `block` lies in the object, in the order of the symbol's bytes.
    pub fn runs(&self, block: &SourceBlock, esi: u32) -> impl Iterator<Item = Run> + '_ {
        let (block_offset, transfer_length) = (block.offset, self.parameters.transfer_length);
        self.sub_symbols.of(block.symbols, esi).map(move |piece| {
            let object_offset = block_offset + piece.block_offset;
            let left = transfer_length.saturating_sub(object_offset);
            Run { object_offset, symbol_offset: piece.symbol_offset, length: left.min(piece.length.into()) as u16 }
        })
    }

    /// Whether every source symbol is one contiguous run of the object: true unless the blocks have sub-blocks.
    pub fn is_contiguous(&self) -> bool {
        self.sub_symbols.count() == 1
    }

    fn layout(&self, block: &SourceBlock) -> BlockLayout {
        BlockLayout { symbols: block.symbols, symbol_size: self.parameters.symbol_size, sub_symbols: self.sub_symbols }
    }

    /// The encoder of blocks like `block`, for up to `repair_symbols` repair symbols. Encoders are cached and shared.
    pub fn encoder(&self, block: &SourceBlock, repair_symbols: u32) -> Result<Arc<dyn BlockEncoder>, ParameterError> {
        match self.parameters.code {
            Code::NoCode { .. } => {
                Ok(Arc::new(NoCode { source_symbols: block.symbols, symbol_size: self.parameters.symbol_size }))
            }
            Code::Raptor { .. } => Ok(raptor::encoder(self.layout(block))),
            Code::RaptorQ { .. } => raptorq::encoder(self.layout(block)),
            code @ Code::ReedSolomon { .. } => {
                reed_solomon::encoder(code, block.symbols, self.parameters.symbol_size, repair_symbols)
            }
        }
    }

    /// The decoder of blocks like `block`. Decoders are cached and shared.
    pub fn decoder(&self, block: &SourceBlock) -> Result<Arc<dyn BlockDecoder>, ParameterError> {
        match self.parameters.code {
            Code::NoCode { .. } => {
                Ok(Arc::new(NoCode { source_symbols: block.symbols, symbol_size: self.parameters.symbol_size }))
            }
            Code::Raptor { .. } => Ok(raptor::decoder(self.layout(block))),
            Code::RaptorQ { .. } => raptorq::decoder(self.layout(block)),
            code @ Code::ReedSolomon { .. } => reed_solomon::decoder(code, block.symbols, self.parameters.symbol_size),
        }
    }
}
