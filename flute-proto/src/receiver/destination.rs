// SPDX-License-Identifier: MPL-2.0

//! Where the bytes of an object go: the application's choice, made when the object is described.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;

use super::event::ObjectInfo;

/// Where the content of one object goes.
///
/// ```
/// use flute_proto::receiver::{Destination, Receiver, ReceiverConfig};
///
/// // Manifests in memory, everything else is only counted.
/// let receiver = Receiver::with_destinations(ReceiverConfig::default(), |object| {
///     match object.location().ends_with(".mpd") {
///         true => Destination::memory(),
///         false => Destination::nothing(),
///     }
/// });
/// ```
#[derive(Debug, Default)]
pub struct Destination {
    pub(super) place: Place,
    pub(super) in_order: bool,
    pub(super) tells_data: bool,
}

/// The kinds of destinations.
#[derive(Debug, Default)]
pub(super) enum Place {
    #[default]
    Automatic,
    Memory,
    Spool,
    File(File),
    Writer(OpenWriter),
    ReadableWriter(OpenWriter),
    Nothing,
}

impl Destination {
    /// In memory, or in a spool file if the object is longer than [`Limits::spool_threshold`](super::Limits) and there is
    /// a [`spool_directory`](super::ReceiverConfig::spool_directory): the default.
    pub fn automatic() -> Self {
        Self::default()
    }

    /// In memory, whatever its length: [`Content::Memory`](super::Content::Memory).
    pub fn memory() -> Self {
        Place::Memory.into()
    }

    /// In a file without a name in the [`spool_directory`](super::ReceiverConfig::spool_directory):
    /// [`Content::File`](super::Content::File). In memory if there is no such directory.
    pub fn spool() -> Self {
        Place::Spool.into()
    }

    /// In this file, which is open for reading and writing, from its start: [`Content::File`](super::Content::File) when
    /// the object is complete, the file cut off at its length. The file of an object that is given up is closed with some
    /// of the content in it.
    pub fn file(file: File) -> Self {
        Place::File(file).into()
    }

    /// To a writer of the application: [`Content::Delivered`](super::Content::Delivered).
    ///
    /// It is written to as symbols arrive and blocks are decoded, in any order, unless the content is encoded, has a digest
    /// or is to come [in order](Self::in_order): none of it can be read back, so that what comes before its turn waits in
    /// the memory of the session then.
    pub fn writer(writer: impl ObjectWriter + 'static) -> Self {
        Place::Writer(OpenWriter::new(Box::new(writer))).into()
    }

    /// The same, to a writer that reads back what was written to it ([`ObjectWriter::read_at`]): it gets symbols as they
    /// arrive where there is a digest, too, and no copy of them is kept. In order are content that is encoded, and objects
    /// whose source symbols are cut into sub-symbols (RFC 6330 §4.4.1.2).
    pub fn readable_writer(writer: impl ObjectWriter + 'static) -> Self {
        Place::ReadableWriter(OpenWriter::new(Box::new(writer))).into()
    }

    /// Nowhere: the object is received, decoded and checked, and its content dropped:
    /// [`Content::Delivered`](super::Content::Delivered).
    pub fn nothing() -> Self {
        Place::Nothing.into()
    }

    /// The content comes strictly in order, to a [writer](Self::writer) and in [`Event::Data`](super::Event::Data).
    pub fn in_order(mut self) -> Self {
        self.in_order = true;
        self
    }

    /// [`Event::Data`](super::Event::Data) tells which content has become available.
    pub fn tell_data(mut self) -> Self {
        self.tells_data = true;
        self
    }
}

impl From<Place> for Destination {
    fn from(place: Place) -> Self {
        Self { place, ..Self::default() }
    }
}

/// Takes the content of one object.
///
/// An error gives the object up ([`Failure::Destination`](super::Failure::Destination)). Of [`complete`](Self::complete)
/// and [`abandon`](Self::abandon) one is called, once, and nothing after it; also when the receiver is dropped.
pub trait ObjectWriter: fmt::Debug + Send {
    /// Takes bytes of the content that begin at `offset`. No byte comes twice.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Reads bytes that were written, with anything in place of those that were not. A
    /// [readable writer](Destination::readable_writer) has to have this.
    fn read_at(&mut self, _offset: u64, _buffer: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Takes the next bytes of the transport object, where the content is encoded: after what they are decoded to, and in
    /// order. A writer that has no use for them need not have this.
    fn take_encoded(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    /// All bytes have come, and the digest is right if there is one. `length` is that of the content.
    fn complete(&mut self, length: u64) -> io::Result<()>;

    /// The object is given up: [`Event::Failed`](super::Event::Failed) tells why. Or its sender repeats it and it begins
    /// anew, with a new destination.
    fn abandon(&mut self);
}

/// A writer that has been told neither of completion nor of the opposite: if it is dropped, the object is given up.
#[derive(Debug)]
pub(super) struct OpenWriter(Option<Box<dyn ObjectWriter>>);

impl OpenWriter {
    pub(super) fn new(writer: Box<dyn ObjectWriter>) -> Self {
        Self(Some(writer))
    }

    pub(super) fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), |writer| writer.write_at(offset, bytes))
    }

    pub(super) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), |writer| writer.read_at(offset, buffer))
    }

    pub(super) fn take_encoded(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), |writer| writer.take_encoded(bytes))
    }

    pub(super) fn complete(mut self, length: u64) -> io::Result<()> {
        self.0.take().map_or(Ok(()), |mut writer| writer.complete(length))
    }
}

impl Drop for OpenWriter {
    fn drop(&mut self) {
        if let Some(mut writer) = self.0.take() {
            writer.abandon();
        }
    }
}

type Choose = dyn FnMut(&Arc<ObjectInfo>) -> Destination + Send;

/// Chooses destinations.
pub(super) struct Chooser(Box<Choose>);

impl Chooser {
    pub(super) fn new(choose: impl FnMut(&Arc<ObjectInfo>) -> Destination + Send + 'static) -> Self {
        Self(Box::new(choose))
    }

    pub(super) fn choose(&mut self, object: &Arc<ObjectInfo>) -> Destination {
        (self.0)(object)
    }
}

impl Default for Chooser {
    fn default() -> Self {
        Self::new(|_| Destination::automatic())
    }
}

impl fmt::Debug for Chooser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chooser")
    }
}
