// SPDX-License-Identifier: MPL-2.0

//! The bytes of an object while they come: in memory, and when there are many of them in an unlinked file.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::PathBuf;

use flute_proto::sender::Source;
use tempfile::{SpooledData, SpooledTempFile};

use flute_folder::FileRange;

/// Bytes of one object that are kept in memory; longer ones are written to an unlinked file.
pub(super) const MAX_IN_MEMORY: u64 = 32 << 20;

/// Bytes that are written to a file together.
const BLOCK: usize = 64 << 10;

/// Bytes that come in any portions, and at any place.
#[derive(Debug)]
pub(super) struct Spool {
    writer: BufWriter<SpooledTempFile>,
    /// Where the writer is.
    position: u64,
    length: u64,
}

impl Spool {
    /// A spool whose file, if it needs one, is in this folder, or in that of the system.
    pub(super) fn new(directory: Option<PathBuf>) -> Self {
        let file = match directory {
            Some(directory) => tempfile::spooled_tempfile_in(MAX_IN_MEMORY as usize, directory),
            None => tempfile::spooled_tempfile(MAX_IN_MEMORY as usize),
        };
        Self { writer: BufWriter::with_capacity(BLOCK, file), position: 0, length: 0 }
    }

    /// A spool that is in a file from the start.
    pub(super) fn in_file(directory: Option<PathBuf>) -> io::Result<Self> {
        let mut spool = Self::new(directory);
        spool.writer.get_mut().roll()?;
        Ok(spool)
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
        if end > MAX_IN_MEMORY && !self.writer.get_ref().is_rolled() {
            self.writer.flush()?;
            self.writer.get_mut().roll()?;
        }
        if offset != self.position {
            self.writer.seek(SeekFrom::Start(offset))?;
        }
        self.writer.write_all(bytes)?;
        self.position = end;
        self.length = self.length.max(end);
        Ok(())
    }

    /// The object that was written.
    pub(super) fn into_source(self) -> io::Result<Box<dyn Source>> {
        let length = self.length;
        Ok(match self.writer.into_inner()?.into_inner() {
            SpooledData::InMemory(bytes) => Box::new(bytes.into_inner()),
            SpooledData::OnDisk(file) => Box::new(FileRange { file, offset: 0, length }),
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
        let mut spool = Spool::new(None);
        for portion in [&b"abc"[..], b"", b"defg"] {
            spool.append(portion).unwrap();
        }
        spool.write_at(b"BC", 1).unwrap();
        spool.write_at(b"xy", 9).unwrap();
        spool.append(b"z").unwrap();
        assert_eq!(spool.len(), 12);
        assert_eq!(spool.into_source().unwrap().as_slice(), Some(&b"aBCdefg\0\0xyz"[..]));
        assert!(Spool::new(None).write_at(b"ab", u64::MAX).is_err());
    }

    #[test]
    fn what_is_long_goes_to_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(Some(folder.path().to_owned()));
        let portion: Vec<u8> = (0..188).collect();
        let portions = MAX_IN_MEMORY / 188 + 1000;
        for _ in 0..portions {
            spool.append(&portion).unwrap();
        }
        assert!(spool.writer.get_ref().is_rolled());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
        // As muxers do it, which write the length at the beginning when they know it.
        spool.write_at(b"header", 0).unwrap();
        spool.append(b"tail").unwrap();
        let length = portions * 188 + 4;
        assert_eq!(spool.len(), length);
        let source = spool.into_source().unwrap();
        assert_eq!(source.len(), length);
        assert!(source.as_slice().is_none());
        assert_eq!(read(&*source, 0, 8), b"header\x06\x07");
        assert_eq!(read(&*source, (portions - 1) * 188, 188), portion);
        assert_eq!(read(&*source, length - 4, 4), b"tail");
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(Spool::in_file(Some("/nowhere/at/all".into())).is_err());
    }
}
