// SPDX-License-Identifier: MPL-2.0

//! Where the source symbols of an object are while it is incomplete.

mod blocks;
mod file;
mod memory;

use std::io;

use flute_fec::SourceBlock;

use super::budget::{Budget, OverBudget};
use super::destination::OpenWriter;
pub(super) use blocks::{BlockStore, Forgotten};
pub(super) use file::FileStore;
pub(super) use memory::MemoryStore;

/// The source symbols of an object.
#[derive(Debug)]
pub(super) enum Store {
    /// The whole object in memory, blocks are decoded where they lie.
    Memory(MemoryStore),
    /// In a file, that of the application or one without a name; blocks are read back to be decoded.
    File(FileStore),
    /// With the application, that reads them back; blocks are decoded like those of a file.
    Writer(OpenWriter),
    /// Those of blocks that are incomplete or whose turn has not come, in memory.
    Blocks(BlockStore),
    /// They are handed on as they arrive, and not needed any more.
    Nowhere,
}

/// Why symbols are not stored.
#[derive(Debug)]
pub(super) enum StoreError {
    /// There is no memory for them at present.
    OverBudget,
    /// The file takes them not.
    Io(io::Error),
}

impl Store {
    /// Writes bytes of `block` to their place in the object.
    pub(super) fn write(
        &mut self,
        block: &SourceBlock,
        offset: u64,
        data: &[u8],
        budget: &mut Budget,
    ) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => memory.write(offset, data)?,
            Self::File(file) => file.write(offset, data, budget)?,
            Self::Writer(writer) => writer.write_at(offset, data)?,
            Self::Blocks(blocks) => blocks.write(block, offset, data, budget)?,
            Self::Nowhere => {}
        }
        Ok(())
    }

    /// The `length` bytes of a source block as they lie in memory; `None` if they must be [read](Self::read).
    pub(super) fn block_mut(
        &mut self,
        block: &SourceBlock,
        length: usize,
        budget: &mut Budget,
    ) -> Result<Option<&mut [u8]>, OverBudget> {
        match self {
            Self::Memory(memory) => Ok(memory.slice_mut(block.offset, length)),
            Self::Blocks(blocks) => blocks.block_mut(block, budget).map(Some),
            Self::File(_) | Self::Writer(_) | Self::Nowhere => Ok(None),
        }
    }

    /// Bytes of `block` from `offset` on, at least one and at most `length` of those that were written, as they lie in
    /// memory; `None` if they must be [read](Self::read).
    pub(super) fn slice(&self, block: &SourceBlock, offset: u64, length: usize) -> Option<&[u8]> {
        match self {
            Self::Memory(memory) => memory.slice(offset, length),
            Self::Blocks(blocks) => {
                let bytes = blocks.slice(offset, block);
                (!bytes.is_empty()).then(|| &bytes[..bytes.len().min(length)])
            }
            Self::File(_) | Self::Writer(_) | Self::Nowhere => None,
        }
    }

    /// Whether bytes must be [read](Self::read).
    pub(super) fn is_read(&self) -> bool {
        matches!(self, Self::File(_) | Self::Writer(_))
    }

    /// Reads bytes that are in a file, or with the application.
    pub(super) fn read(&mut self, offset: u64, buffer: &mut [u8], budget: &mut Budget) -> io::Result<()> {
        match self {
            Self::File(file) => file.read(offset, buffer, budget),
            Self::Writer(writer) => writer.read_at(offset, buffer),
            Self::Memory(_) | Self::Blocks(_) | Self::Nowhere => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Forgets all, and gives buffers back.
    pub(super) fn discard(self, budget: &mut Budget) {
        match self {
            Self::File(file) => file.discard(budget),
            Self::Blocks(blocks) => blocks.discard(budget),
            Self::Memory(_) | Self::Writer(_) | Self::Nowhere => {}
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<OverBudget> for StoreError {
    fn from(OverBudget: OverBudget) -> Self {
        Self::OverBudget
    }
}

impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OverBudget => io::ErrorKind::OutOfMemory.into(),
            StoreError::Io(error) => error,
        }
    }
}
