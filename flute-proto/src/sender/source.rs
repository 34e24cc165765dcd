// SPDX-License-Identifier: MPL-2.0

//! Where the bytes of an object come from: random access, so that nothing is read before it is put into a packet.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

/// The bytes of an object.
pub trait Source: Debug + Send {
    /// Length in bytes; constant.
    fn len(&self) -> u64;

    /// Whether there is no byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` from `offset`; `UnexpectedEof` where the bytes end before.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// The bytes as they lie in memory, where they do.
    fn as_slice(&self) -> Option<&[u8]> {
        None
    }

    /// How many bytes from the start are there already: all of them, except of a source that grows.
    fn available(&self) -> u64 {
        self.len()
    }
}

impl Source for Vec<u8> {
    fn len(&self) -> u64 {
        Vec::len(self) as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_slice(self, offset, buffer)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self)
    }
}

impl Source for Arc<[u8]> {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_slice(self, offset, buffer)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self)
    }
}

fn read_slice(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
    let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
    buffer.copy_from_slice(bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
    Ok(())
}

/// A file, read at offsets.
#[derive(Debug)]
pub struct FileSource {}

/// An object whose length is known but whose bytes still arrive; a [`GrowingWriter`] delivers them.
#[derive(Debug)]
pub struct GrowingSource {}

/// The end of a [`GrowingSource`] that takes the bytes.
#[derive(Debug)]
pub struct GrowingWriter {}
