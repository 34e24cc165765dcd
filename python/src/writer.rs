// SPDX-License-Identifier: MPL-2.0

//! Where received objects go.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use flute_folder::FileRange;
use flute_folder::target::{
    Bounds, FolderWriter, LocationPattern, ObjectDescription, Origin, TargetFolder, UrlMapping,
};
use flute_proto::receiver::{Content, ObjectInfo};
use pyo3::prelude::*;

use crate::errors::config_error;

/// Where received objects go: into files below a folder, under their Content-Location, complete or not at all; or, made by
/// `new_buffer`, to the program as bytes.
///
/// >>> from flute import receiver
/// >>> writer = receiver.ObjectWriterBuilder.new_buffer()
#[pyclass(module = "flute.receiver", frozen)]
#[derive(Debug)]
pub(crate) struct ObjectWriterBuilder(Writer);

/// The same for any number of receivers.
#[derive(Clone, Debug)]
pub(crate) enum Writer {
    Folder(Arc<Mutex<FolderWriter>>, PathBuf),
    Buffers,
}

impl ObjectWriterBuilder {
    /// The writer itself.
    pub(crate) fn writer(&self) -> Writer {
        self.0.clone()
    }
}

#[pymethods]
impl ObjectWriterBuilder {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let shown = path.display();
        let refused = |error: &dyn std::fmt::Display| config_error(format_args!("{shown}: {error}"));
        let target = py.detach(|| TargetFolder::open(&path, false)).map_err(|error| refused(&error))?;
        // Without a pattern: the folder is named whole, and all objects go into it.
        let pattern = LocationPattern::new("").map_err(|error| refused(&error))?;
        let writer = FolderWriter::new(target, pattern, UrlMapping::Path, Bounds::default());
        Ok(Self(Writer::Folder(Arc::new(Mutex::new(writer)), path)))
    }

    /// Objects go to the program as bytes.
    #[staticmethod]
    fn new_buffer() -> Self {
        Self(Writer::Buffers)
    }
}

/// What became of a received object.
#[derive(Debug)]
pub(crate) enum Placed {
    /// It is a file now.
    File(PathBuf),
    /// The program is to take it.
    Content(Content),
    /// It could not become a file.
    Refused(String),
}

impl Writer {
    /// The folder for what is too long for the memory: the one where it is to go, so that it only needs a name there.
    pub(crate) fn spool_directory(&self) -> Option<PathBuf> {
        match self {
            Self::Folder(_, path) => Some(path.clone()),
            Self::Buffers => None,
        }
    }

    /// Puts an object where it is to go. To be called without the GIL.
    pub(crate) fn place(&self, object: &ObjectInfo, content: Content) -> Placed {
        let Self::Folder(writer, _) = self else { return Placed::Content(content) };
        let description = ObjectDescription {
            content_location: Some(object.location()),
            content_type: object.file.content_type.as_deref(),
            origin: Origin { tsi: Some(object.session.tsi.get()), source: object.session.source },
        };
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match content {
            Content::Memory(bytes) => writer.write(description, &bytes),
            Content::File { file, length } => writer.write(description, &FileRange { file, offset: 0, length }),
            Content::Delivered => return Placed::Content(content),
        };
        match written {
            Ok(written) => Placed::File(written.path),
            Err(error) => Placed::Refused(error.to_string()),
        }
    }
}
