// SPDX-License-Identifier: MPL-2.0

//! Objects whose bytes still arrive while they are sent.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::source::Source;

/// An object whose length is known but whose bytes still arrive; a [`GrowingWriter`] delivers them, from any thread.
///
/// The sender sends what is there, and goes on to other objects while there is nothing new. It does not notice new bytes
/// by itself: poll it after each write.
///
/// Where `Content-MD5` or a content encoding is wanted, all bytes are waited for: an FDT Instance must say both of them in
/// front of the object.
#[derive(Debug)]
pub struct GrowingSource {
    length: u64,
    shared: Arc<Mutex<Shared>>,
}

/// The end of a [`GrowingSource`] that takes the bytes. Dropped before the announced length has been written, it makes
/// the object fail.
#[derive(Debug)]
pub struct GrowingWriter {
    length: u64,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    bytes: Vec<u8>,
    writer_is_gone: bool,
    waker: Option<Waker>,
}

impl GrowingSource {
    /// An object of `length` bytes, and what delivers them.
    pub fn new(length: u64) -> (Self, GrowingWriter) {
        let shared = Arc::<Mutex<Shared>>::default();
        (Self { length, shared: Arc::clone(&shared) }, GrowingWriter { length, shared })
    }
}

impl GrowingWriter {
    /// How many bytes are still to be written.
    pub fn remaining(&self) -> u64 {
        self.length - lock(&self.shared).bytes.len() as u64
    }
}

impl Write for GrowingWriter {
    /// Delivers bytes: as many as fit into the announced length, none beyond it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (taken, waker) = {
            let mut shared = lock(&self.shared);
            let missing = usize::try_from(self.length - shared.bytes.len() as u64).unwrap_or(usize::MAX);
            let taken = bytes.len().min(missing);
            shared.bytes.extend_from_slice(&bytes[..taken]);
            (taken, if taken > 0 { shared.waker.take() } else { None })
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for GrowingWriter {
    fn drop(&mut self) {
        let waker = {
            let mut shared = lock(&self.shared);
            shared.writer_is_gone = true;
            shared.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Source for GrowingSource {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        super::source::read_slice(&lock(&self.shared).bytes, offset, buffer)
    }

    /// Without a writer nothing more will come: then everything counts as there, and reading what is missing fails.
    fn available(&self) -> u64 {
        let shared = lock(&self.shared);
        if shared.writer_is_gone { self.length } else { shared.bytes.len() as u64 }
    }

    fn wake_on_growth(&self, waker: &Waker) -> bool {
        lock(&self.shared).waker = Some(waker.clone());
        true
    }
}

/// The bytes are whole after every statement that changes them, so a thread that panicked has done no harm to them.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_up_to_its_length() {
        let (source, mut writer) = GrowingSource::new(5);
        assert_eq!((source.len(), source.available()), (5, 0));
        assert_eq!(writer.write(b"abc").unwrap(), 3);
        assert_eq!((source.available(), writer.remaining()), (3, 2));
        let mut bytes = [0; 2];
        source.read_at(1, &mut bytes).unwrap();
        assert_eq!(&bytes, b"bc");
        assert_eq!(source.read_at(2, &mut bytes).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(writer.write(b"defg").unwrap(), 2);
        assert_eq!(writer.write_all(b"h").unwrap_err().kind(), io::ErrorKind::WriteZero);
    }

    #[test]
    fn a_writer_that_leaves_early_ends_it() {
        let (source, mut writer) = GrowingSource::new(5);
        writer.write_all(b"abc").unwrap();
        drop(writer);
        assert_eq!(source.available(), 5);
        assert_eq!(source.read_at(0, &mut [0; 5]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
