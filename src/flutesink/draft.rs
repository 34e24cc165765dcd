// SPDX-License-Identifier: MPL-2.0

//! An object while it is being written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use flute_proto::sender::Source;

use super::source::{SPOOL_THRESHOLD, spool_file};
use crate::fd_memory::FileRange;

/// Bytes that are written to a file together.
const BLOCK: usize = 64 << 10;

/// Bytes that come in any portions, and at any place: in memory, or in an unlinked file when there are many of them.
#[derive(Debug, Default)]
pub(super) struct Draft {
    directory: Option<PathBuf>,
    /// All of it, or what follows at `written` in the file.
    memory: Vec<u8>,
    file: Option<File>,
    written: u64,
    length: u64,
}

impl Draft {
    /// A draft whose file, if it comes to one, is in this folder, or in that of the system.
    pub(super) fn new(directory: Option<PathBuf>) -> Self {
        Self { directory, ..Self::default() }
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// Writes at the end.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_at(bytes, self.length)
    }

    /// Writes over what is there, or behind it; what is left out reads as zeros.
    pub(super) fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(bytes.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        if end > SPOOL_THRESHOLD && self.file.is_none() {
            self.file = Some(spool_file(self.directory.as_deref())?);
        }
        match &self.file {
            None => {
                let (start, end) = (offset as usize, end as usize);
                if self.memory.len() < end {
                    self.memory.resize(end, 0);
                }
                self.memory[start..end].copy_from_slice(bytes);
            }
            Some(_) if offset == self.written + self.memory.len() as u64 => {
                self.memory.extend_from_slice(bytes);
                if self.memory.len() >= BLOCK {
                    self.flush()?;
                }
            }
            Some(_) => {
                self.flush()?;
                if let Some(file) = &self.file {
                    file.write_all_at(bytes, offset)?;
                }
                self.written = end;
            }
        }
        self.length = self.length.max(end);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.write_all_at(&self.memory, self.written)?;
            self.written += self.memory.len() as u64;
            self.memory.clear();
            self.memory.shrink_to(BLOCK * 2);
        }
        Ok(())
    }

    /// The object that was written.
    pub(super) fn into_source(mut self) -> io::Result<Box<dyn Source>> {
        self.flush()?;
        Ok(match self.file {
            Some(file) => Box::new(FileRange { file, offset: 0, length: self.length }),
            None => Box::new(self.memory),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &dyn Source, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        source.read_at(offset, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn portions_of_any_length() {
        let mut draft = Draft::default();
        for portion in [&b"abc"[..], b"", b"defg"] {
            draft.append(portion).unwrap();
        }
        draft.write_at(b"BC", 1).unwrap();
        draft.write_at(b"xy", 9).unwrap();
        draft.append(b"z").unwrap();
        assert_eq!(draft.len(), 12);
        assert_eq!(draft.into_source().unwrap().as_slice(), Some(&b"aBCdefg\0\0xyz"[..]));
        assert!(Draft::default().write_at(b"ab", u64::MAX).is_err());
    }

    #[test]
    fn what_is_long_goes_to_a_file() {
        let mut draft = Draft::default();
        let portion: Vec<u8> = (0..188).collect();
        let portions = SPOOL_THRESHOLD / 188 + 1000;
        for _ in 0..portions {
            draft.append(&portion).unwrap();
        }
        assert!(draft.memory.len() < BLOCK, "{} bytes in memory", draft.memory.len());
        // As muxers do it, which write the length at the beginning when they know it.
        draft.write_at(b"header", 0).unwrap();
        draft.append(b"tail").unwrap();
        let length = portions * 188 + 4;
        assert_eq!(draft.len(), length);
        let source = draft.into_source().unwrap();
        assert_eq!(source.len(), length);
        assert_eq!(read(&*source, 0, 8), b"header\x06\x07");
        assert_eq!(read(&*source, (portions - 1) * 188, 188), portion);
        assert_eq!(read(&*source, length - 4, 4), b"tail");
    }
}
