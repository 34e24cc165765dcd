// SPDX-License-Identifier: MPL-2.0

//! What a receiver tells.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flute_proto::receiver::{Content, Event, ObjectInfo};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::record::{record, shown};
use crate::writer::{Placed, Writer};

/// What an FDT Instance says of an object.
#[pyclass(module = "flute.receiver", frozen)]
#[derive(Clone, Debug)]
pub(crate) struct ObjectDescription(Arc<ObjectInfo>);

#[pymethods]
impl ObjectDescription {
    /// Transport Session Identifier.
    #[getter]
    fn tsi(&self) -> u64 {
        self.0.session.tsi.get()
    }

    /// Address of the sender, where it is known.
    #[getter]
    fn source(&self) -> Option<String> {
        self.0.session.source.map(|source| source.to_string())
    }

    /// Transport Object Identifier.
    #[getter]
    fn toi(&self) -> u128 {
        self.0.toi().get()
    }

    /// Content-Location.
    #[getter]
    fn location(&self) -> &str {
        self.0.location()
    }

    /// Content-Type.
    #[getter]
    fn content_type(&self) -> Option<&str> {
        self.0.file.content_type.as_deref()
    }

    /// Content-Encoding, which a received object has no more.
    #[getter]
    fn content_encoding(&self) -> Option<&str> {
        self.0.file.content_encoding.as_deref()
    }

    /// Bytes of the content, where the FDT Instance says it.
    #[getter]
    fn content_length(&self) -> Option<u64> {
        self.0.file.content_length
    }

    /// Bytes of the object as it is transferred.
    #[getter]
    fn transfer_length(&self) -> u64 {
        self.0.transfer_length
    }

    /// Content-MD5.
    #[getter]
    fn md5<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.file.content_md5.map(|md5| PyBytes::new(py, &md5))
    }

    /// File-ETag.
    #[getter]
    fn etag(&self) -> Option<&str> {
        self.0.file.etag.as_deref()
    }

    /// Groups of the object.
    #[getter]
    fn groups(&self) -> Vec<String> {
        self.0.file.groups.clone()
    }

    /// FDT Instance that described it first.
    #[getter]
    fn fdt_instance_id(&self) -> u32 {
        self.0.fdt_instance_id
    }

    fn __repr__(object: &Bound<'_, Self>) -> PyResult<String> {
        shown(object.as_any(), "ObjectDescription", &["tsi", "toi", "location", "content_type", "transfer_length"])
    }
}

/// An object that is complete, decoded, and whose digest is right.
#[pyclass(module = "flute.receiver", frozen)]
#[derive(Debug)]
pub(crate) struct ReceivedObject {
    description: ObjectDescription,
    content: Received,
}

/// Where the bytes of a received object are.
#[derive(Debug)]
enum Received {
    Memory(Bytes),
    /// In a file without a name.
    Unnamed(Mutex<File>, u64),
    Named(PathBuf),
}

#[pymethods]
impl ReceivedObject {
    /// What the FDT Instance says of it.
    #[getter]
    fn description(&self) -> ObjectDescription {
        self.description.clone()
    }

    /// Transport Object Identifier.
    #[getter]
    fn toi(&self) -> u128 {
        self.description.toi()
    }

    /// Content-Location.
    #[getter]
    fn location(&self) -> &str {
        self.description.location()
    }

    /// Content-Type.
    #[getter]
    fn content_type(&self) -> Option<&str> {
        self.description.content_type()
    }

    /// The file that it is now, if it was to become one.
    #[getter]
    fn path(&self) -> Option<PathBuf> {
        match &self.content {
            Received::Named(path) => Some(path.clone()),
            Received::Memory(_) | Received::Unnamed(..) => None,
        }
    }

    /// All bytes of it, wherever they are.
    fn read<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = match &self.content {
            Received::Memory(bytes) => return Ok(PyBytes::new(py, bytes)),
            Received::Named(path) => py.detach(|| std::fs::read(path))?,
            Received::Unnamed(file, length) => py.detach(|| read_all(file, *length))?,
        };
        Ok(PyBytes::new(py, &bytes))
    }

    fn __repr__(object: &Bound<'_, Self>) -> PyResult<String> {
        shown(object.as_any(), "ReceivedObject", &["toi", "location", "content_type", "path"])
    }
}

fn read_all(file: &Mutex<File>, length: u64) -> io::Result<Vec<u8>> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.rewind()?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut *file).take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

record! {
    /// The first packet of a session arrived.
    "flute.receiver", SessionOpened {
        /// Transport Session Identifier.
        tsi: u64,
        /// Address of the sender, where it is known.
        source: Option<String>,
    }
}

record! {
    /// The session was closed by its sender, or was silent for too long.
    "flute.receiver", SessionClosed {
        /// Transport Session Identifier.
        tsi: u64,
        /// Address of the sender, where it is known.
        source: Option<String>,
        /// The sender closed it.
        by_sender: bool,
        /// The sender said that no file follows, and every object was received.
        complete: bool,
    }
}

record! {
    /// An FDT Instance was read.
    "flute.receiver", FdtRead {
        /// Transport Session Identifier.
        tsi: u64,
        /// FDT Instance ID.
        instance_id: u32,
        /// Number of files that it describes.
        files: usize,
        /// No new file will be described after this.
        complete: bool,
    }
}

record! {
    /// An FDT Instance, or a file of one, cannot be used.
    "flute.receiver", FdtUnusable {
        /// Transport Session Identifier.
        tsi: u64,
        /// FDT Instance ID.
        instance_id: u32,
        /// Why.
        reason: String,
    }
}

record! {
    /// An object is described, and a symbol of it has arrived.
    "flute.receiver", ObjectStarted {
        /// The object.
        description: ObjectDescription,
    }
}

record! {
    /// About another hundredth of an object has arrived.
    "flute.receiver", ObjectProgress {
        /// The object.
        description: ObjectDescription,
        /// Bytes of source symbols that are there.
        received: u64,
    }
}

record! {
    /// An object is lost. If its sender takes it up again, it may be complete after all.
    "flute.receiver", LostObject {
        /// The object.
        description: ObjectDescription,
        /// Why.
        reason: String,
        /// Source symbols that are missing, by source block; the first of them, where there are many.
        missing: Vec<(u32, u32)>,
    }
}

record! {
    /// An object was received, but could not become a file.
    "flute.receiver", NotWrittenObject {
        /// The object.
        description: ObjectDescription,
        /// Why.
        reason: String,
    }
}

record! {
    /// No FDT Instance describes the object any more.
    "flute.receiver", WithdrawnObject {
        /// The object.
        description: ObjectDescription,
    }
}

record! {
    /// A bound was reached for the first time in a session, and something was dropped.
    "flute.receiver", LimitReached {
        /// Transport Session Identifier.
        tsi: u64,
        /// Which bound.
        limit: String,
    }
}

record! {
    /// The kernel has dropped datagrams, since the buffer of the socket was full.
    "flute.receiver", KernelDropped {
        /// How many by now.
        datagrams: u32,
    }
}

/// One of them, on its way to Python.
#[derive(Debug, IntoPyObject)]
pub(crate) enum ReceiverEvent {
    Opened(SessionOpened),
    Closed(SessionClosed),
    Fdt(FdtRead),
    FdtUnusable(FdtUnusable),
    Started(ObjectStarted),
    Progress(ObjectProgress),
    Received(ReceivedObject),
    Lost(LostObject),
    NotWritten(NotWrittenObject),
    Withdrawn(WithdrawnObject),
    Limit(LimitReached),
    KernelDropped(KernelDropped),
}

impl ReceiverEvent {
    /// The event, after an object that is complete has been put where it is to go; `None` for one that this module does not
    /// know. To be called without the GIL.
    pub(crate) fn settle(event: Event, writer: &Writer) -> Option<Self> {
        Some(match event {
            Event::SessionOpened(session) => Self::Opened(SessionOpened {
                tsi: session.tsi.get(),
                source: session.source.map(|source| source.to_string()),
            }),
            Event::SessionClosed { session, by_sender, complete } => Self::Closed(SessionClosed {
                tsi: session.tsi.get(),
                source: session.source.map(|source| source.to_string()),
                by_sender,
                complete,
            }),
            Event::Fdt { session, instance_id, files, complete, .. } => {
                Self::Fdt(FdtRead { tsi: session.tsi.get(), instance_id, files, complete })
            }
            Event::FdtUnusable { session, instance_id, reason } => {
                Self::FdtUnusable(FdtUnusable { tsi: session.tsi.get(), instance_id, reason })
            }
            Event::ObjectStarted(object) => Self::Started(ObjectStarted { description: ObjectDescription(object) }),
            Event::Progress { object, received } => {
                Self::Progress(ObjectProgress { description: ObjectDescription(object), received })
            }
            Event::Completed { object, content } => Self::placed(writer.place(&object, content), object),
            Event::Failed { object, reason, missing } => Self::Lost(LostObject {
                description: ObjectDescription(object),
                reason: reason.to_string(),
                missing: missing.iter().map(|loss| (loss.source_block, loss.missing)).collect(),
            }),
            Event::Withdrawn(object) => Self::Withdrawn(WithdrawnObject { description: ObjectDescription(object) }),
            Event::LimitReached { session, limit } => {
                Self::Limit(LimitReached { tsi: session.tsi.get(), limit: format!("{limit:?}") })
            }
            _ => return None,
        })
    }

    fn placed(placed: Placed, object: Arc<ObjectInfo>) -> Self {
        let description = ObjectDescription(object);
        let content = match placed {
            Placed::Refused(reason) => return Self::NotWritten(NotWrittenObject { description, reason }),
            Placed::File(path) => Received::Named(path),
            Placed::Content(Content::Memory(bytes)) => Received::Memory(bytes),
            Placed::Content(Content::File { file, length }) => Received::Unnamed(Mutex::new(file), length),
            // Nobody has asked for a destination of which this would be told.
            Placed::Content(Content::Delivered) => Received::Memory(Bytes::new()),
        };
        Self::Received(ReceivedObject { description, content })
    }
}
