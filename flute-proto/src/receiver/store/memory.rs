// SPDX-License-Identifier: MPL-2.0

//! An object in memory.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use memmap2::{Advice, MmapMut};

/// From here on the memory is asked of the system by pages, and large ones where it has them: touching a page for the
/// first time costs as much as receiving what fits into it.
const LARGE: usize = 4 << 20;
/// Zeros that are written rather than asked of the system, in front of the first symbol.
const SMALL_GAP: usize = 1 << 20;

/// The bytes of an object, written at any offset in any order, and zero where nothing was written.
#[derive(Debug)]
pub(in crate::receiver) struct MemoryStore {
    bytes: Place,
    /// Length in bytes, for which there is space.
    length: usize,
}

#[derive(Debug)]
enum Place {
    /// The bytes up to the last that was written. Zeros are not written where bytes are about to be: what arrives in
    /// order, or nearly so, is written once.
    Heap(Vec<u8>),
    /// All of them.
    Pages(MmapMut),
}

impl MemoryStore {
    /// `length` zeros. The system provides the pages when they are first written.
    pub(in crate::receiver) fn new(length: u64) -> io::Result<Self> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let bytes = if length < LARGE {
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
            Place::Heap(bytes)
        } else {
            let pages = MmapMut::map_anon(length)?;
            // Where there are no large pages the small ones do.
            #[cfg(target_os = "linux")]
            let _ = pages.advise(Advice::HugePage);
            Place::Pages(pages)
        };
        Ok(Self { bytes, length })
    }

    /// Writes bytes to their place, which must be inside.
    pub(in crate::receiver) fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let Range { start, end } = range(offset, data.len(), self.length).ok_or(io::ErrorKind::WriteZero)?;
        match &mut self.bytes {
            Place::Heap(bytes) => {
                extend(bytes, start, self.length);
                let overlap = bytes.len().min(end) - start;
                bytes[start..start + overlap].copy_from_slice(&data[..overlap]);
                bytes.extend_from_slice(&data[overlap..]);
            }
            Place::Pages(pages) => pages[start..end].copy_from_slice(data),
        }
        Ok(())
    }

    /// The bytes as they lie, as far as something was written there or behind.
    pub(in crate::receiver) fn slice(&self, offset: u64, length: usize) -> Option<&[u8]> {
        let bytes = match &self.bytes {
            Place::Heap(bytes) => &bytes[..],
            Place::Pages(pages) => &pages[..],
        };
        bytes.get(range(offset, length, bytes.len())?)
    }

    /// The bytes as they lie, all of them.
    pub(in crate::receiver) fn slice_mut(&mut self, offset: u64, length: usize) -> Option<&mut [u8]> {
        let range = range(offset, length, self.length)?;
        match &mut self.bytes {
            Place::Heap(bytes) => {
                extend(bytes, range.end, self.length);
                bytes.get_mut(range)
            }
            Place::Pages(pages) => pages.get_mut(range),
        }
    }

    /// The first `length` bytes.
    pub(in crate::receiver) fn into_bytes(self, length: u64) -> Bytes {
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(self.length);
        match self.bytes {
            Place::Heap(mut bytes) => {
                extend(&mut bytes, length, length);
                bytes.truncate(length);
                Bytes::from(bytes)
            }
            Place::Pages(pages) => Bytes::from_owner(pages).slice(..length),
        }
    }
}

/// Makes the first `end` bytes of `total` be there, with zeros where there is none yet.
fn extend(bytes: &mut Vec<u8>, end: usize, total: usize) {
    let gap = end.saturating_sub(bytes.len());
    if bytes.is_empty() && gap > SMALL_GAP {
        // The reserved space goes back first, and was given once already.
        *bytes = Vec::new();
        *bytes = vec![0; total];
    } else if gap > 0 {
        bytes.resize(end, 0);
    }
}

fn range(offset: u64, length: usize, total: usize) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(length)?;
    (end <= total).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_to_their_place() {
        for length in [10, LARGE + 10] {
            let mut store = MemoryStore::new(length as u64).unwrap();
            let tail = length as u64 - 4;
            store.write(tail, b"xyz").unwrap();
            store.write(0, b"ab").unwrap();
            assert!(store.write(length as u64 - 1, b"ab").is_err());
            store.slice_mut(2, 1).unwrap()[0] = b'c';
            let bytes = store.into_bytes(length as u64 - 2);
            assert_eq!(bytes.len(), length - 2);
            assert!(bytes.starts_with(b"abc\0") && bytes.ends_with(b"\0xy"));
        }
    }

    #[test]
    fn what_was_not_written_is_zero() {
        let bytes = MemoryStore::new(100).unwrap().into_bytes(7);
        assert_eq!(&bytes[..], [0; 7]);
        let mut store = MemoryStore::new(3 << 20).unwrap();
        store.write(2 << 20, b"x").unwrap();
        assert_eq!(store.slice(0, 100).unwrap(), [0; 100]);
        assert_eq!(store.into_bytes(3 << 20).len(), 3 << 20);
    }

    #[test]
    fn a_length_that_no_memory_has_is_an_error() {
        assert!(MemoryStore::new(u64::MAX).is_err());
        assert!(MemoryStore::new(1 << 62).is_err());
    }
}
