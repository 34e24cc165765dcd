// SPDX-License-Identifier: MPL-2.0

//! An object in a file.
//!
//! Symbols are gathered in a few buffers before they are written: a call of the system costs as much as ten symbols.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::receiver::budget::{Budget, Buffer};

/// Bytes that are gathered at most before they are written.
const GATHERED: usize = 64 * 1024;
/// Places of the file at which bytes are gathered at the same time: as many source blocks may be interleaved.
const MAX_GATHERINGS: usize = 8;

/// The bytes of an object, written at any offset in any order. What was not written reads as zeros in a new file.
#[derive(Debug)]
pub(in crate::receiver) struct FileStore {
    file: File,
    /// Length in bytes, padded to whole symbols; the file may be shorter.
    length: u64,
    /// The last was begun last.
    gatherings: Vec<Gathering>,
    /// Nothing is gathered.
    writes_through: bool,
}

/// Bytes that are to be written in one go.
#[derive(Debug)]
struct Gathering {
    offset: u64,
    filled: usize,
    buffer: Buffer,
}

impl FileStore {
    /// A store of `length` bytes in a file without a name in `folder`.
    pub(in crate::receiver) fn unlinked(folder: &Path, length: u64) -> io::Result<Self> {
        Ok(Self::new(tempfile::tempfile_in(folder)?, length))
    }

    /// A store of `length` bytes in a file that is there.
    pub(in crate::receiver) fn new(file: File, length: u64) -> Self {
        Self { file, length, gatherings: Vec::new(), writes_through: false }
    }

    /// From now on every symbol is written when it comes, for those who read the file meanwhile.
    pub(in crate::receiver) fn write_through(&mut self) {
        self.writes_through = true;
    }

    /// Writes bytes to their place, at once or later.
    pub(in crate::receiver) fn write(&mut self, offset: u64, data: &[u8], budget: &mut Budget) -> io::Result<()> {
        if offset.checked_add(data.len() as u64).is_none_or(|end| end > self.length) {
            return Err(io::ErrorKind::WriteZero.into());
        }
        if self.writes_through {
            return write_all_at(&self.file, data, offset);
        }
        let continues = |gathering: &Gathering| gathering.offset + gathering.filled as u64 == offset;
        let index = match self.gatherings.iter().position(continues) {
            Some(index) => index,
            None => {
                if self.gatherings.len() == MAX_GATHERINGS {
                    self.write_gathering(0, budget)?;
                }
                let Ok(buffer) = budget.buffer(GATHERED) else { return write_all_at(&self.file, data, offset) };
                self.gatherings.push(Gathering { offset, filled: 0, buffer });
                self.gatherings.len() - 1
            }
        };
        let gathering = &mut self.gatherings[index];
        let Some(space) = gathering.buffer.get_mut(gathering.filled..gathering.filled + data.len()) else {
            // It is full. What continues it begins the next.
            self.write_gathering(index, budget)?;
            return if data.len() > GATHERED {
                write_all_at(&self.file, data, offset)
            } else {
                self.write(offset, data, budget)
            };
        };
        space.copy_from_slice(data);
        gathering.filled += data.len();
        Ok(())
    }

    /// Writes what is gathered.
    pub(in crate::receiver) fn flush(&mut self, budget: &mut Budget) -> io::Result<()> {
        while !self.gatherings.is_empty() {
            self.write_gathering(0, budget)?;
        }
        Ok(())
    }

    fn write_gathering(&mut self, index: usize, budget: &mut Budget) -> io::Result<()> {
        let Gathering { offset, filled, buffer } = self.gatherings.remove(index);
        let written = write_all_at(&self.file, &buffer[..filled], offset);
        budget.give_back(buffer);
        written
    }

    /// Reads bytes that have been written, those that are gathered included.
    pub(in crate::receiver) fn read(&mut self, offset: u64, buffer: &mut [u8], budget: &mut Budget) -> io::Result<()> {
        self.flush(budget)?;
        let mut read = 0;
        while read < buffer.len() {
            match read_at(&self.file, &mut buffer[read..], offset + read as u64) {
                // Behind the end of the file nothing has been written yet.
                Ok(0) => {
                    buffer[read..].fill(0);
                    break;
                }
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The file, with its first `length` bytes.
    pub(in crate::receiver) fn into_file(mut self, length: u64, budget: &mut Budget) -> io::Result<File> {
        let flushed = self.flush(budget);
        let gatherings = std::mem::take(&mut self.gatherings);
        gatherings.into_iter().for_each(|gathering| budget.give_back(gathering.buffer));
        flushed?;
        if self.file.metadata()?.len() != length {
            self.file.set_len(length)?;
        }
        Ok(self.file)
    }

    /// Forgets what is gathered.
    pub(in crate::receiver) fn discard(self, budget: &mut Budget) {
        self.gatherings.into_iter().for_each(|gathering| budget.give_back(gathering.buffer));
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, offset)
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    use std::io::{Seek, Write};
    file.seek(io::SeekFrom::Start(offset))?;
    file.write_all(data)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::io::{Read, Seek};
    file.seek(io::SeekFrom::Start(offset))?;
    file.read(buffer)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn bytes_go_to_their_place() {
        let mut budget = Budget::new(1 << 20);
        let mut store = FileStore::unlinked(&std::env::temp_dir(), 10).unwrap();
        store.write(6, b"xyz", &mut budget).unwrap();
        store.write(0, b"ab", &mut budget).unwrap();
        assert!(store.write(9, b"ab", &mut budget).is_err());
        let mut all = [1; 10];
        store.read(0, &mut all, &mut budget).unwrap();
        assert_eq!(&all, b"ab\0\0\0\0xyz\0");
        let mut bytes = Vec::new();
        store.into_file(8, &mut budget).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!((&bytes[..], budget.used()), (&b"ab\0\0\0\0xy"[..], 0));
    }

    #[test]
    fn many_places_at_a_time_and_long_runs() {
        let mut budget = Budget::new(8 << 20);
        let length = 40 * GATHERED;
        let content: Vec<u8> = (0..length).map(|index| (index * 7 + index / 251) as u8).collect();
        let mut store = FileStore::unlinked(&std::env::temp_dir(), length as u64).unwrap();
        // Twelve places, more than are gathered for, each in symbols of 1000 bytes.
        for symbol in 0..content.len().div_ceil(12_000) {
            for place in 0..12 {
                let part = content.len().div_ceil(12).next_multiple_of(1000);
                let start = place * part + symbol * 1000;
                let end = (start + 1000).min((place + 1) * part).min(content.len());
                if start < end {
                    store.write(start as u64, &content[start..end], &mut budget).unwrap();
                }
            }
        }
        assert!(budget.used() > 0);
        let mut bytes = Vec::new();
        store.into_file(length as u64, &mut budget).unwrap().read_to_end(&mut bytes).unwrap();
        assert!(bytes == content);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn without_memory_bytes_are_written_at_once() {
        let mut budget = Budget::new(100);
        let mut store = FileStore::unlinked(&std::env::temp_dir(), 2000).unwrap();
        store.write(1000, &[7; 1000], &mut budget).unwrap();
        assert_eq!(budget.used(), 0);
        let mut all = [1; 2000];
        store.read(0, &mut all, &mut budget).unwrap();
        assert_eq!((all[999], all[1000]), (0, 7));
    }
}
