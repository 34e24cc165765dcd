// SPDX-License-Identifier: MPL-2.0

//! Where the bytes of objects lie: in buffers, or in a file.

use std::io;
use std::mem;
use std::path::PathBuf;

use flute_proto::sender::Source;
use gst::buffer::{MappedBuffer, Readable};

use super::spool::{MAX_IN_MEMORY, Spool};

/// The buffers of one object: as they are, without a copy, or in a file when there are many bytes of them.
#[derive(Debug, Default)]
pub(super) struct BufferSpool {
    directory: Option<PathBuf>,
    buffers: Vec<MappedBuffer<Readable>>,
    length: u64,
    /// All of them, once they have been too long for memory.
    spool: Option<Spool>,
}

impl BufferSpool {
    /// A spool whose file, if it needs one, is in this folder, or in that of the system.
    pub(super) fn new(directory: Option<PathBuf>) -> Self {
        Self { directory, ..Self::default() }
    }

    /// What was collected, in exchange for an empty spool.
    pub(super) fn take(&mut self) -> Self {
        let empty = Self::new(self.directory.clone());
        mem::replace(self, empty)
    }

    /// Appends a buffer.
    pub(super) fn push(&mut self, buffer: gst::Buffer) -> io::Result<()> {
        let map = buffer.into_mapped_buffer_readable().map_err(|_| io::Error::other("the buffer cannot be mapped"))?;
        self.length += map.len() as u64;
        if self.length > MAX_IN_MEMORY && self.spool.is_none() {
            let mut spool = Spool::in_file(self.directory.clone())?;
            self.buffers.drain(..).try_for_each(|map| spool.append(&map))?;
            self.spool = Some(spool);
        }
        match &mut self.spool {
            Some(spool) => spool.append(&map)?,
            None => self.buffers.push(map),
        }
        Ok(())
    }

    /// The object that was collected.
    pub(super) fn into_source(mut self) -> io::Result<Box<dyn Source>> {
        Ok(match self.spool {
            Some(spool) => spool.into_source()?,
            None if self.buffers.len() == 1 => Box::new(BufferSource(self.buffers.remove(0))),
            None => Box::new(BuffersSource::new(self.buffers)),
        })
    }
}

/// One buffer.
#[derive(Debug)]
struct BufferSource(MappedBuffer<Readable>);

impl Source for BufferSource {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let bytes = self.0.get(start..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(&self.0)
    }
}

/// Buffers one after the other.
#[derive(Debug)]
struct BuffersSource {
    /// Where each buffer begins.
    starts: Vec<u64>,
    buffers: Vec<MappedBuffer<Readable>>,
    length: u64,
}

impl BuffersSource {
    fn new(buffers: Vec<MappedBuffer<Readable>>) -> Self {
        let mut length = 0;
        let mut starts = Vec::with_capacity(buffers.len());
        for buffer in &buffers {
            starts.push(length);
            length += buffer.len() as u64;
        }
        Self { starts, buffers, length }
    }
}

impl Source for BuffersSource {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|&end| end <= self.length);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let first = self.starts.partition_point(|&start| start <= offset).saturating_sub(1);
        let mut skip = (offset - self.starts.get(first).copied().unwrap_or(0)) as usize;
        let mut rest = buffer;
        for map in &self.buffers[first..] {
            let bytes = &map[skip.min(map.len())..];
            skip = 0;
            let length = bytes.len().min(rest.len());
            let (head, tail) = rest.split_at_mut(length);
            head.copy_from_slice(&bytes[..length]);
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &dyn Source, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        source.read_at(offset, &mut bytes).map(|()| bytes)
    }

    #[test]
    fn buffers_read_as_one() {
        gst::init().unwrap();
        let mut spool = BufferSpool::default();
        for bytes in [&b"abc"[..], b"", b"defg", b"h"] {
            spool.push(gst::Buffer::from_slice(bytes)).unwrap();
        }
        let source = spool.into_source().unwrap();
        assert_eq!(source.len(), 8);
        for start in 0..=8u64 {
            for end in start..=8 {
                let expected = &b"abcdefgh"[start as usize..end as usize];
                assert_eq!(read(&*source, start, (end - start) as usize).unwrap(), expected);
            }
        }
        assert_eq!(read(&*source, 7, 2).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read(&*source, u64::MAX, 2).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn long_objects_go_to_a_file() {
        gst::init().unwrap();
        let mut spool = BufferSpool::default();
        let megabyte: Vec<u8> = (0..1usize << 20).map(|i| (i % 253) as u8).collect();
        let buffers = (MAX_IN_MEMORY >> 20) + 2;
        for _ in 0..buffers {
            spool.push(gst::Buffer::from_slice(megabyte.clone())).unwrap();
        }
        assert!(spool.buffers.is_empty());
        let source = spool.into_source().unwrap();
        assert_eq!(source.len(), buffers << 20);
        assert!(source.as_slice().is_none());
        for buffer in [0, buffers - 1] {
            assert_eq!(read(&*source, buffer << 20, 1 << 20).unwrap(), megabyte);
        }
    }
}
