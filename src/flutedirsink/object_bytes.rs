// SPDX-License-Identifier: MPL-2.0

//! Where the bytes of an object are, and how they get into a file.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;

use rustix::io::Errno;

use crate::fd_memory::{self, FileRange};
use crate::object_meta::ObjectMeta;

/// The bytes of an object.
#[derive(Debug)]
pub(super) enum ObjectBytes<'a> {
    /// A part of a file: that of the buffer's memory, or one that the object meta names.
    File(FileRange),
    /// In memory.
    Buffer(&'a gst::BufferRef),
}

impl<'a> ObjectBytes<'a> {
    /// Those of a buffer.
    pub(super) fn of(buffer: &'a gst::BufferRef, meta: &ObjectMeta) -> io::Result<Self> {
        if let Some(path) = meta.file.as_deref().filter(|_| buffer.size() == 0) {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            return Ok(Self::File(FileRange { file, offset: 0, length }));
        }
        match fd_memory::file_of_buffer(buffer) {
            Some(range) => Ok(Self::File(range?)),
            None => Ok(Self::Buffer(buffer)),
        }
    }

    /// How many they are.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::File(range) => range.length,
            Self::Buffer(buffer) => buffer.size() as u64,
        }
    }

    /// The file that has these bytes and no others, if it has no name: it can be given one, and nothing is copied.
    pub(super) fn unnamed_file(&self) -> Option<&File> {
        let Self::File(FileRange { file, offset: 0, length }) = self else { return None };
        let metadata = file.metadata().ok()?;
        (metadata.is_file() && metadata.nlink() == 0 && metadata.len() == *length).then_some(file)
    }

    /// Puts them into a file that is empty.
    pub(super) fn write_to(&self, file: &mut File) -> io::Result<()> {
        let buffer = match self {
            Self::File(range) => return copy(range, file),
            Self::Buffer(buffer) => buffer,
        };
        for memory in buffer.iter_memories() {
            let map = memory.map_readable().map_err(|error| io::Error::other(error.message.to_string()))?;
            file.write_all(&map)?;
        }
        Ok(())
    }
}

/// Copies a part of a file to the end of another: by the kernel, which shares the blocks where the file system can.
fn copy(source: &FileRange, target: &mut File) -> io::Result<()> {
    /// Bytes of one system call, so that none lasts for minutes.
    const STEP: u64 = 1 << 30;
    let end = source.offset + source.length;
    let mut offset = source.offset;
    let mut across_file_systems = false;
    while offset < end {
        let count = (end - offset).min(STEP) as usize;
        let copied = if across_file_systems {
            rustix::fs::sendfile(&*target, &source.file, Some(&mut offset), count)
        } else {
            rustix::fs::copy_file_range(&source.file, Some(&mut offset), &*target, None, count)
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

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
            copy(&source, &mut target).unwrap();
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
        let error = copy(&FileRange { file, offset: 1, length: 3 }, &mut target).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn files_that_can_be_given_a_name() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let bytes = |offset, length| ObjectBytes::File(FileRange { file: file.try_clone().unwrap(), offset, length });
        assert!(bytes(0, 10).unnamed_file().is_some());
        assert!(bytes(0, 9).unnamed_file().is_none() && bytes(1, 9).unnamed_file().is_none());
        let named = tempfile::NamedTempFile::new().unwrap();
        let file = named.reopen().unwrap();
        assert!(ObjectBytes::File(FileRange { file, offset: 0, length: 0 }).unnamed_file().is_none());
    }
}
