// SPDX-License-Identifier: MPL-2.0

//! Where the bytes of an object are kept while it is incomplete: in memory, or in an unlinked file.
//!
//! Both are written at any place in any order, and read as zeros where nothing was written.

use std::fs::File;
use std::io;
use std::path::Path;

use super::event::Content;

/// The bytes of an object, random access.
#[derive(Debug)]
pub(super) enum Store {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file without a name.
    Spool {
        /// The file, as long as the store.
        file: File,
        /// Length in bytes.
        length: u64,
    },
}

impl Store {
    /// A store of `length` zeros in memory. The system provides the pages when they are first written.
    pub(super) fn memory(length: u64) -> io::Result<Self> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // A zeroed allocation that fails aborts the process; one that is only reserved says so. So ask first.
        Vec::<u8>::new().try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        Ok(Self::Memory(vec![0; length]))
    }

    /// A store of no byte.
    pub(super) fn empty() -> Self {
        Self::Memory(Vec::new())
    }

    /// A store of `length` zeros in an unlinked file in `folder`.
    pub(super) fn spool(folder: &Path, length: u64) -> io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        file.set_len(length)?;
        Ok(Self::Spool { file, length })
    }

    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Spool { length, .. } => *length,
        }
    }

    /// Bytes that it takes of the memory.
    pub(super) fn memory_use(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Spool { .. } => 0,
        }
    }

    /// Writes bytes to their place, which must be inside.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => {
                range(offset, data.len(), bytes.len())
                    .and_then(|range| bytes.get_mut(range))
                    .ok_or(io::ErrorKind::WriteZero)?
                    .copy_from_slice(data);
                Ok(())
            }
            Self::Spool { file, .. } => write_all_at(file, data, offset),
        }
    }

    /// Reads bytes, which must be inside.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Memory(_) => {
                buffer.copy_from_slice(self.slice(offset, buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
            Self::Spool { file, .. } => read_exact_at(file, buffer, offset),
        }
    }

    /// The bytes as they lie, where they are in memory.
    pub(super) fn slice(&self, offset: u64, length: usize) -> Option<&[u8]> {
        match self {
            Self::Memory(bytes) => bytes.get(range(offset, length, bytes.len())?),
            Self::Spool { .. } => None,
        }
    }

    /// The bytes as they lie, where they are in memory.
    pub(super) fn slice_mut(&mut self, offset: u64, length: usize) -> Option<&mut [u8]> {
        match self {
            Self::Memory(bytes) => {
                let range = range(offset, length, bytes.len())?;
                bytes.get_mut(range)
            }
            Self::Spool { .. } => None,
        }
    }

    /// Cuts the store off at `length` bytes.
    pub(super) fn truncate(&mut self, length: u64) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX)),
            Self::Spool { file, length: current } => {
                if length < *current {
                    file.set_len(length)?;
                    *current = length;
                }
            }
        }
        Ok(())
    }

    /// The bytes as they are handed out.
    pub(super) fn into_content(self) -> Content {
        match self {
            Self::Memory(bytes) => Content::Memory(bytes),
            Self::Spool { file, length } => Content::File { file, length },
        }
    }
}

fn range(offset: u64, length: usize, total: usize) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(length)?;
    (end <= total).then_some(start..end)
}

#[cfg(unix)]
fn write_all_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, offset)
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    use std::io::{Seek, Write};
    file.seek(io::SeekFrom::Start(offset))?;
    file.write_all(data)
}

#[cfg(not(unix))]
fn read_exact_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read, Seek};
    file.seek(io::SeekFrom::Start(offset))?;
    file.read_exact(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exercise(mut store: Store) {
        assert_eq!(store.len(), 10);
        store.write(6, b"xyz").unwrap();
        store.write(0, b"ab").unwrap();
        assert!(matches!(&store, Store::Spool { .. }) || store.write(9, b"ab").is_err());
        let mut all = [1; 10];
        store.read(0, &mut all).unwrap();
        assert_eq!(&all, b"ab\0\0\0\0xyz\0");
        store.truncate(8).unwrap();
        assert_eq!(store.len(), 8);
        assert!(store.read(0, &mut all).is_err());
    }

    #[test]
    fn memory_and_spool_alike() {
        exercise(Store::memory(10).unwrap());
        exercise(Store::spool(&std::env::temp_dir(), 10).unwrap());
    }

    #[test]
    fn a_length_that_no_memory_has_is_an_error() {
        assert!(Store::memory(u64::MAX).is_err());
        assert!(Store::memory(1 << 62).is_err());
    }
}
