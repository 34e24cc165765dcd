// SPDX-License-Identifier: MPL-2.0

//! Files as memory: how the bytes of a large object travel between elements without being read into RAM.
//!
//! Elements of others map the memory as any other, and the kernel reads the pages that are looked at. The elements of this
//! plugin take the file out again and read it at offsets, which also turns a file that shrinks into an error instead of
//! a SIGBUS.

use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, IntoRawFd};

use flute_folder::FileRange;
use gst_allocators::prelude::*;
use gst_allocators::{FdAllocator, FdMemory, FdMemoryFlags};

/// The first `length` bytes of a file as memory, which owns the file from now on.
pub(crate) fn memory_of_file(file: File, length: usize) -> io::Result<gst::Memory> {
    let fd = file.into_raw_fd();
    // SAFETY: the descriptor is open and has no other owner, so that the memory may close it; without
    // KEEP_MAPPED nothing is mapped before the memory is.
    let memory = unsafe { FdAllocator::new().alloc_fd(fd, length, FdMemoryFlags::NONE) };
    memory.map_err(|error| io::Error::other(error.message.to_string()))
}

/// The file behind a buffer of one memory, if that memory is one.
pub(crate) fn file_of_buffer(buffer: &gst::BufferRef) -> Option<io::Result<FileRange>> {
    if buffer.n_memory() != 1 {
        return None;
    }
    let memory = buffer.peek_memory(0);
    let fd_memory = memory.downcast_memory_ref::<FdMemory>()?;
    // SAFETY: the memory keeps its descriptor open, and outlives this borrow, which ends in this function.
    let fd = unsafe { BorrowedFd::borrow_raw(fd_memory.fd()) };
    Some(fd.try_clone_to_owned().map(|fd| FileRange {
        file: File::from(fd),
        offset: memory.offset() as u64,
        length: memory.size() as u64,
    }))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn a_file_goes_in_and_comes_out() {
        gst::init().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mut buffer = gst::Buffer::new();
        buffer.get_mut().unwrap().append_memory(memory_of_file(file, 10).unwrap());
        assert_eq!(buffer.map_readable().unwrap().as_slice(), b"0123456789");

        let region = buffer.copy_region(gst::BufferCopyFlags::MEMORY, 2..5).unwrap();
        let range = file_of_buffer(&region).unwrap().unwrap();
        assert_eq!((range.offset, range.length), (2, 3));
        drop((buffer, region));
        let mut bytes = [0; 3];
        range.file.read_exact_at(&mut bytes, range.offset).unwrap();
        assert_eq!(&bytes, b"234");
    }

    #[test]
    fn other_memory_has_no_file() {
        gst::init().unwrap();
        assert!(file_of_buffer(&gst::Buffer::from_slice([1u8, 2])).is_none());
        assert!(file_of_buffer(&gst::Buffer::new()).is_none());
    }
}
