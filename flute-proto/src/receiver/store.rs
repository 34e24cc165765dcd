// SPDX-License-Identifier: MPL-2.0

//! Where the bytes of an object are kept while it is incomplete: in memory, or in an unlinked file.
//!
//! Both are written at any place in any order, and read as zeros where nothing was written.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::event::Content;

/// From here on it is for the system to provide zeros: it has them without writing them.
const LARGE: usize = 32 << 20;
/// Zeros that are written rather than left to the system, in front of the first symbol of a shorter object.
const SMALL_GAP: usize = 4 << 20;

/// The bytes of an object, random access.
#[derive(Debug)]
pub(super) enum Store {
    /// In memory.
    Memory {
        /// The bytes up to the last that was written. Zeros are not written where bytes are about to be: what arrives in
        /// order, or nearly so, is written once.
        bytes: Vec<u8>,
        /// Length in bytes, for which there is room.
        length: usize,
    },
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
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        if length > LARGE {
            // A zeroed allocation that fails aborts the process, one that is only reserved says so: ask first.
            drop(bytes);
            bytes = vec![0; length];
        }
        Ok(Self::Memory { bytes, length })
    }

    /// A store of no byte.
    pub(super) fn empty() -> Self {
        Self::Memory { bytes: Vec::new(), length: 0 }
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
            Self::Memory { length, .. } => *length as u64,
            Self::Spool { length, .. } => *length,
        }
    }

    /// Bytes that it takes of the memory.
    pub(super) fn memory_use(&self) -> u64 {
        match self {
            Self::Memory { length, .. } => *length as u64,
            Self::Spool { .. } => 0,
        }
    }

    /// Writes bytes to their place, which must be inside.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self {
            Self::Memory { bytes, length } => {
                let Range { start, end } = range(offset, data.len(), *length).ok_or(io::ErrorKind::WriteZero)?;
                fill(bytes, start, *length);
                let overlap = bytes.len().min(end) - start;
                bytes[start..start + overlap].copy_from_slice(&data[..overlap]);
                bytes.extend_from_slice(&data[overlap..]);
                Ok(())
            }
            Self::Spool { file, .. } => write_all_at(file, data, offset),
        }
    }

    /// Reads bytes, which must be inside.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Memory { bytes, length } => {
                let Range { start, end } = range(offset, buffer.len(), *length).ok_or(io::ErrorKind::UnexpectedEof)?;
                let there = bytes.get(start..end.min(bytes.len())).unwrap_or_default();
                buffer[..there.len()].copy_from_slice(there);
                buffer[there.len()..].fill(0);
                Ok(())
            }
            Self::Spool { file, .. } => read_exact_at(file, buffer, offset),
        }
    }

    /// The bytes as they lie, where they are in memory and something was written to the last of them or behind it.
    pub(super) fn slice(&self, offset: u64, length: usize) -> Option<&[u8]> {
        match self {
            Self::Memory { bytes, .. } => bytes.get(range(offset, length, bytes.len())?),
            Self::Spool { .. } => None,
        }
    }

    /// The bytes as they lie, where they are in memory.
    pub(super) fn slice_mut(&mut self, offset: u64, length: usize) -> Option<&mut [u8]> {
        match self {
            Self::Memory { bytes, length: total } => {
                let range = range(offset, length, *total)?;
                fill(bytes, range.end, *total);
                bytes.get_mut(range)
            }
            Self::Spool { .. } => None,
        }
    }

    /// Cuts the store off at `new` bytes.
    pub(super) fn truncate(&mut self, new: u64) -> io::Result<()> {
        match self {
            Self::Memory { bytes, length } => {
                *length = usize::try_from(new).unwrap_or(usize::MAX).min(*length);
                bytes.truncate(*length);
            }
            Self::Spool { file, length } => {
                if new < *length {
                    file.set_len(new)?;
                    *length = new;
                }
            }
        }
        Ok(())
    }

    /// The bytes as they are handed out.
    pub(super) fn into_content(self) -> Content {
        match self {
            Self::Memory { mut bytes, length } => {
                fill(&mut bytes, length, length);
                Content::Memory(bytes)
            }
            Self::Spool { file, length } => Content::File { file, length },
        }
    }
}

/// Makes the first `start` bytes of `total` be there, with zeros where there is none yet.
fn fill(bytes: &mut Vec<u8>, start: usize, total: usize) {
    let gap = start.saturating_sub(bytes.len());
    if bytes.is_empty() && gap > SMALL_GAP {
        // The old one goes first, and was asked for successfully.
        *bytes = Vec::new();
        *bytes = vec![0; total];
    } else if gap > 0 {
        bytes.resize(start, 0);
    }
}

fn range(offset: u64, length: usize, total: usize) -> Option<Range<usize>> {
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
