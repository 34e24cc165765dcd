// SPDX-License-Identifier: MPL-2.0

//! Where the bytes of an object come from: random access, so that nothing is read before it is put into a packet.

use std::fmt::Debug;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::SystemTime;

use bytes::Bytes;

/// The bytes of an object.
pub trait Source: Debug + Send {
    /// Length in bytes; constant.
    fn len(&self) -> u64;

    /// Whether there is no byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` from `offset`; `UnexpectedEof` where the bytes end before.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// The bytes as they lie in memory, where they do.
    fn as_slice(&self) -> Option<&[u8]> {
        None
    }

    /// How many bytes from the start are there already: all of them, except of a source that grows.
    fn available(&self) -> u64 {
        self.len()
    }

    /// Asks for a call of `waker`, once, when [`available`](Self::available) has grown. `false` from a source that does
    /// not do that: it is asked again every now and then.
    fn wake_on_growth(&self, _waker: &Waker) -> bool {
        false
    }

    /// Whether the bytes may be others than those that [`read_at`](Self::read_at) gave at first: asked when the source has
    /// been read to its end. An object of which this is so is no longer sent, because receivers would have parts of two
    /// versions.
    fn has_changed(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// The source anew, as it is now, where there is such a thing.
    fn reopen(&self) -> Option<io::Result<Box<dyn Source>>> {
        None
    }

    /// Nothing will be read for a while: time to let go of what is scarce, such as an open file.
    fn rest(&self) {}
}

impl Source for Vec<u8> {
    fn len(&self) -> u64 {
        Vec::len(self) as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_slice(self, offset, buffer)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self)
    }
}

impl Source for Bytes {
    fn len(&self) -> u64 {
        Bytes::len(self) as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_slice(self, offset, buffer)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self)
    }
}

impl Source for Arc<[u8]> {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_slice(self, offset, buffer)
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self)
    }
}

pub(super) fn read_slice(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
    let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
    buffer.copy_from_slice(bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
    Ok(())
}

/// A file, read at offsets.
#[derive(Debug)]
pub struct FileSource {
    version: Version,
    /// Where it is found again.
    path: Option<PathBuf>,
    file: Mutex<Option<Arc<File>>>,
}

/// Another version of a file is under its path than when it was announced.
#[derive(Debug, thiserror::Error)]
#[error("the file has changed since it was announced")]
pub(super) struct FileChanged;

/// Which content a path has: another file there, another length or another time of change makes it another one.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    length: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    device_and_inode: (u64, u64),
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            device_and_inode: {
                use std::os::unix::fs::MetadataExt;
                (metadata.dev(), metadata.ino())
            },
        }
    }
}

impl FileSource {
    /// A file that is open already, and stays so. Its length is that of this moment.
    ///
    /// # Errors
    /// Where its length cannot be asked for.
    pub fn new(file: File) -> io::Result<Self> {
        let version = Version::of(&file.metadata()?);
        Ok(Self { version, path: None, file: Mutex::new(Some(Arc::new(file))) })
    }

    /// The file at `path`, open only while it is being read: so there can be more of them than a process may have open.
    /// If there is another version of it when it is opened again, reading fails: those are not the bytes that were
    /// announced.
    ///
    /// # Errors
    /// Where it does not exist, cannot be opened, or is not a regular file.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let metadata = File::open(path)?.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Self { version: Version::of(&metadata), path: Some(path.to_owned()), file: Mutex::new(None) })
    }

    fn file(&self) -> io::Result<Arc<File>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*file, &self.path) {
            (Some(file), _) => Ok(Arc::clone(file)),
            (None, Some(path)) => {
                let opened = File::open(path)?;
                if Version::of(&opened.metadata()?) != self.version {
                    return Err(io::Error::other(FileChanged));
                }
                Ok(Arc::clone(file.insert(Arc::new(opened))))
            }
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Source for FileSource {
    fn len(&self) -> u64 {
        self.version.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_file(&*self.file()?, offset, buffer)
    }

    /// Whether identity, length or time of modification are others than at first: of the file that is open, since another
    /// one under the same path does not change what was read. A file that is not open is that of the path, if it is there.
    fn has_changed(&self) -> io::Result<bool> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let metadata = match (file, &self.path) {
            (Some(file), _) => file.metadata(),
            (None, Some(path)) => std::fs::metadata(path),
            (None, None) => return Ok(false),
        };
        match metadata {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            metadata => Ok(Version::of(&metadata?) != self.version),
        }
    }

    fn reopen(&self) -> Option<io::Result<Box<dyn Source>>> {
        let path = self.path.as_ref()?;
        Some(Self::open(path).map(|source| Box::new(source) as Box<dyn Source>))
    }

    fn rest(&self) {
        if self.path.is_some() {
            self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

#[cfg(unix)]
fn read_file(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_file(file: &File, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                offset += read as u64;
                buffer = &mut buffer[read..];
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_read_at_offsets() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"0123456789").unwrap();
        for source in [FileSource::open(file.path()).unwrap(), FileSource::new(file.reopen().unwrap()).unwrap()] {
            let mut bytes = [0; 3];
            source.read_at(4, &mut bytes).unwrap();
            assert_eq!((source.len(), &bytes), (10, b"456"));
            source.rest();
            source.read_at(7, &mut bytes).unwrap();
            assert_eq!(&bytes, b"789");
            assert_eq!(source.read_at(8, &mut bytes).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn another_version_is_not_what_was_announced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest");
        let newer = folder.path().join("manifest.tmp");
        std::fs::write(&path, b"version 1").unwrap();
        let source = FileSource::open(&path).unwrap();
        let mut bytes = [0; 9];
        source.read_at(0, &mut bytes).unwrap();
        std::fs::write(&newer, b"version 2").unwrap();
        std::fs::rename(&newer, &path).unwrap();
        source.read_at(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"version 1", "it was open");
        source.rest();
        let error = source.read_at(0, &mut bytes).unwrap_err();
        assert_eq!(error.to_string(), "the file has changed since it was announced");
    }

    #[test]
    fn what_is_not_a_file() {
        assert_eq!(FileSource::open("/nonexistent/file").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(FileSource::open(std::env::temp_dir()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
