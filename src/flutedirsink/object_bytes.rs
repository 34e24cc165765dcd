// SPDX-License-Identifier: MPL-2.0

//! Where the bytes of an object are, and how they get into a file.

use std::fs::File;
use std::io::{self, Write};

use flute_folder::FileRange;
use flute_folder::target::ObjectContent;

use crate::fd_memory;
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
}

impl ObjectContent for ObjectBytes<'_> {
    fn length(&self) -> u64 {
        match self {
            Self::File(range) => range.length,
            Self::Buffer(buffer) => buffer.size() as u64,
        }
    }

    fn file(&self) -> Option<&FileRange> {
        match self {
            Self::File(range) => Some(range),
            Self::Buffer(_) => None,
        }
    }

    fn write_to(&self, file: &mut File) -> io::Result<()> {
        let buffer = match self {
            Self::File(range) => return range.copy_to(file),
            Self::Buffer(buffer) => buffer,
        };
        for memory in buffer.iter_memories() {
            let map = memory.map_readable().map_err(|error| io::Error::other(error.message.to_string()))?;
            file.write_all(&map)?;
        }
        Ok(())
    }
}
