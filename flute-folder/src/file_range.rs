// SPDX-License-Identifier: MPL-2.0

//! A part of a file, and how it gets into another one.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use flute_proto::sender::Source;
use rustix::io::Errno;

/// A part of a file.
#[derive(Debug)]
pub struct FileRange {
    /// The file, under a descriptor of its own.
    pub file: File,
    /// Where the part begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
}

impl FileRange {
    /// The file that has these bytes and no others, if it has no name: it can be given one, and nothing is copied.
    pub fn unnamed_file(&self) -> Option<&File> {
        let Self { file, offset: 0, length } = self else { return None };
        let metadata = file.metadata().ok()?;
        (metadata.is_file() && metadata.nlink() == 0 && metadata.len() == *length).then_some(file)
    }

    /// Copies it to the end of another file: by the kernel, which shares the blocks where the file system can.
    ///
    /// # Errors
    /// Reading or writing fails, or the file has become shorter.
    pub fn copy_to(&self, target: &mut File) -> io::Result<()> {
        /// Bytes of one system call, so that none lasts for minutes.
        const STEP: u64 = 1 << 30;
        let end = self.offset + self.length;
        let mut offset = self.offset;
        let mut across_file_systems = false;
        while offset < end {
            let count = (end - offset).min(STEP) as usize;
            let copied = if across_file_systems {
                rustix::fs::sendfile(&*target, &self.file, Some(&mut offset), count)
            } else {
                rustix::fs::copy_file_range(&self.file, Some(&mut offset), &*target, None, count)
            };
            match copied {
                Ok(0) => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        format!("the file that is copied is {} bytes shorter than it was", end - offset),
                    ));
                }
                Ok(_) | Err(Errno::INTR) => (),
                Err(Errno::XDEV | Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP) if !across_file_systems => {
                    across_file_systems = true;
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

impl Source for FileRange {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|&end| end <= self.length);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.file.read_exact_at(buffer, self.offset + offset)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;

    #[test]
    fn parts_of_files_are_copied() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        for folder in [std::env::temp_dir(), "/dev/shm".into()] {
            let Ok(mut target) = tempfile::tempfile_in(&folder) else {
                eprintln!("skipped: no files in {}", folder.display());
                continue;
            };
            let source = FileRange { file: file.try_clone().unwrap(), offset: 2, length: 5 };
            source.copy_to(&mut target).unwrap();
            assert_eq!(target.stream_position().unwrap(), 5);
            let mut copied = String::new();
            target.rewind().unwrap();
            target.read_to_string(&mut copied).unwrap();
            assert_eq!(copied, "23456");
        }
    }

    #[test]
    fn short_sources_are_noticed() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        let mut target = tempfile::tempfile().unwrap();
        let error = FileRange { file, offset: 1, length: 3 }.copy_to(&mut target).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn files_that_can_be_given_a_name() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let range = |offset, length| FileRange { file: file.try_clone().unwrap(), offset, length };
        assert!(range(0, 10).unnamed_file().is_some());
        assert!(range(0, 9).unnamed_file().is_none() && range(1, 9).unnamed_file().is_none());
        let named = tempfile::NamedTempFile::new().unwrap();
        let file = named.reopen().unwrap();
        assert!(FileRange { file, offset: 0, length: 0 }.unnamed_file().is_none());
    }
}
