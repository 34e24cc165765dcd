// SPDX-License-Identifier: MPL-2.0

/**
 * SECTION:element-flutedirsink
 *
 * Turns objects into files: every buffer becomes one file below the folder `location`, under the Content-Location that
 * its object meta names. Buffers without one become `object-00000`, `object-00001` and so on.
 *
 * A Content-Location is written by whoever sends, so it is not trusted. A relative path, or the path of an absolute one
 * or of a `file:` URL, is taken below the folder; URLs with a host go into a folder of that name, or not, as
 * `url-mapping` says. What would leave the folder by `..` or by a symbolic link in it, begins with a drive letter,
 * contains control characters, or is longer than a file system bears is refused with a warning.
 *
 * Files appear complete or not at all: they are written under a temporary name (`.flute-….part`) and renamed, after
 * they were synced to the disk if `fsync` is set. An older file of the same name stays until then. An object that cannot
 * be written (the disk is full, the folder was removed) is a warning, and the pipeline goes on.
 *
 * Large objects that `flutesrc` keeps in a file are copied from file to file by the kernel.
 *
 * For every file the element posts an element message `flute-file-written` with `path` and `size` and the fields of
 * the object meta; for every object that it could not write, `flute-file-refused` with `reason` in place of them.
 *
 * ## Example pipelines
 *
 * ```bash
 * gst-launch-1.0 flutesrc address=239.1.1.1 port=3400 ! flutedirsink location=received
 * ```
 *
 * Receives everything that is multicast there into the folder `received`.
 *
 * ```bash
 * gst-launch-1.0 filesrc location=session.pcap ! pcapparse dst-port=3400 ! flutesrc ! flutedirsink location=received url-mapping=path
 * ```
 *
 * Does the same with a capture, and leaves the host names of URLs away.
 *
 * Since: 0.1
 */
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::prelude::*;

use super::path::{RelativePath, UrlMapping};
use super::write::{TargetFolder, WriteError, copy};
use crate::debug::FLUTEDIRSINK as CAT;
use crate::fd_memory::{self, FileRange};
use crate::object_meta::ObjectMeta;

const DEFAULT_LOCATION: Option<&str> = None;
const DEFAULT_URL_MAPPING: UrlMapping = UrlMapping::HostPath;
const DEFAULT_FSYNC: bool = false;

#[derive(Debug, Clone)]
struct Settings {
    location: Option<PathBuf>,
    url_mapping: UrlMapping,
    fsync: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { location: DEFAULT_LOCATION.map(PathBuf::from), url_mapping: DEFAULT_URL_MAPPING, fsync: DEFAULT_FSYNC }
    }
}

#[derive(Debug)]
struct State {
    target: TargetFolder,
    url_mapping: UrlMapping,
    /// Objects without a name so far.
    unnamed: u64,
}

/// What `stats` tells.
#[derive(Debug, Default, Clone, Copy)]
struct Counters {
    files: u64,
    bytes: u64,
    refused: u64,
}

#[derive(Debug, Default)]
pub struct FluteDirSink {
    settings: Mutex<Settings>,
    state: Mutex<Option<State>>,
    counters: Mutex<Counters>,
}

/// Why an object did not become a file.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("its Content-Location is refused: {0}")]
    Location(#[from] super::path::Refusal),
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Puts the bytes of an object into a file.
fn fill(file: &mut File, buffer: &gst::BufferRef, meta: &ObjectMeta) -> io::Result<()> {
    if let Some(path) = meta.file.as_deref().filter(|_| buffer.size() == 0) {
        let source = File::open(path)?;
        let length = source.metadata()?.len();
        return copy(&FileRange { file: source, offset: 0, length }, file);
    }
    if let Some(range) = fd_memory::file_of_buffer(buffer) {
        return copy(&range?, file);
    }
    for memory in buffer.iter_memories() {
        let map = memory.map_readable().map_err(|error| io::Error::other(error.message.to_string()))?;
        file.write_all(&map)?;
    }
    Ok(())
}

impl FluteDirSink {
    /// Writes one object; what it returns is the path and the size of the file.
    fn write(&self, buffer: &gst::BufferRef, meta: &ObjectMeta) -> Result<Option<(PathBuf, u64)>, Refused> {
        // The lock is held while the file is written: nobody else wants it but the end of the element.
        let mut state = self.state.lock().unwrap();
        let Some(state) = state.as_mut() else { return Ok(None) };
        let path = match meta.content_location.as_deref() {
            None | Some("") => {
                let number = state.unnamed;
                state.unnamed += 1;
                RelativePath::of_unnamed(number)
            }
            Some(location) => RelativePath::of_location(location, state.url_mapping)?,
        };
        let mut size = 0;
        state.target.write(&path, |file| {
            fill(file, buffer, meta)?;
            size = file.stream_position()?;
            Ok(())
        })?;
        Ok(Some((state.target.full_path(&path), size)))
    }

    /// Posts an element message with the fields of the object meta.
    fn post(&self, name: &str, meta: &ObjectMeta, fields: impl FnOnce(&mut gst::StructureRef)) {
        let mut structure = gst::Structure::new_empty(name);
        meta.write_to(&mut structure);
        fields(&mut structure);
        let message = gst::message::Element::builder(structure).src(&*self.obj()).build();
        let _ = self.obj().post_message(message);
    }
}

#[glib::object_subclass]
impl ObjectSubclass for FluteDirSink {
    const NAME: &'static str = "GstFluteDirSink";
    type Type = super::FluteDirSink;
    type ParentType = gst_base::BaseSink;
}

impl ObjectImpl for FluteDirSink {
    fn constructed(&self) {
        self.parent_constructed();
        // Files are written as they come, and the last one is not kept in memory.
        self.obj().set_sync(false);
        self.obj().set_property("enable-last-sample", false);
    }

    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            vec![
                glib::ParamSpecString::builder("location")
                    .nick("Location")
                    .blurb("Folder that the files are written into; it is made if it is not there")
                    .default_value(DEFAULT_LOCATION)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecEnum::builder_with_default("url-mapping", DEFAULT_URL_MAPPING)
                    .nick("URL mapping")
                    .blurb("What becomes of the host in a Content-Location that is a URL")
                    .mutable_ready()
                    .build(),
                glib::ParamSpecBoolean::builder("fsync")
                    .nick("Sync to disk")
                    .blurb("Sync each file to the disk before it appears under its name")
                    .default_value(DEFAULT_FSYNC)
                    .mutable_ready()
                    .build(),
                glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                    .nick("Statistics")
                    .blurb("Files and bytes written, objects refused (uint64 each)")
                    .read_only()
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = self.settings.lock().unwrap();
        gst::info!(CAT, imp = self, "{} is now {value:?}", pspec.name());
        match pspec.name() {
            "location" => {
                let location: Option<String> = value.get().expect("type checked upstream");
                settings.location = location.map(PathBuf::from);
            }
            "url-mapping" => settings.url_mapping = value.get().expect("type checked upstream"),
            "fsync" => settings.fsync = value.get().expect("type checked upstream"),
            name => unreachable!("property {name}"),
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = self.settings.lock().unwrap();
        match pspec.name() {
            "location" => settings.location.as_ref().map(|folder| folder.to_string_lossy().into_owned()).to_value(),
            "url-mapping" => settings.url_mapping.to_value(),
            "fsync" => settings.fsync.to_value(),
            "stats" => {
                let counters = *self.counters.lock().unwrap();
                gst::Structure::builder("flutedirsink-stats")
                    .field("files", counters.files)
                    .field("bytes", counters.bytes)
                    .field("refused", counters.refused)
                    .build()
                    .to_value()
            }
            name => unreachable!("property {name}"),
        }
    }
}

impl GstObjectImpl for FluteDirSink {}

impl ElementImpl for FluteDirSink {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "FLUTE folder sink",
                "Sink/File",
                "Writes each FLUTE object to a file under its Content-Location",
                "gst-plugin-flute authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst::Caps::new_any();
            vec![
                gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &caps)
                    .expect("the template is valid"),
            ]
        });
        &TEMPLATES
    }
}

impl BaseSinkImpl for FluteDirSink {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings.lock().unwrap().clone();
        let location = settings.location.ok_or_else(|| {
            gst::error_msg!(gst::ResourceError::NotFound, ("no folder to write into: set the property location"))
        })?;
        let target = TargetFolder::open(&location, settings.fsync).map_err(|error| {
            gst::error_msg!(gst::ResourceError::OpenWrite, ("cannot write into {}: {error}", location.display()))
        })?;
        gst::info!(CAT, imp = self, "writing into {}", location.display());
        *self.counters.lock().unwrap() = Counters::default();
        *self.state.lock().unwrap() = Some(State { target, url_mapping: settings.url_mapping, unnamed: 0 });
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state.lock().unwrap() = None;
        gst::info!(CAT, imp = self, "stopped: {:?}", *self.counters.lock().unwrap());
        Ok(())
    }

    fn render(&self, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let meta = ObjectMeta::of(buffer).unwrap_or_default();
        let name = meta.content_location.as_deref().unwrap_or("an object without a name");
        match self.write(buffer, &meta) {
            Ok(Some((path, size))) => {
                gst::info!(CAT, imp = self, "wrote {}, {size} bytes", path.display());
                {
                    let mut counters = self.counters.lock().unwrap();
                    counters.files += 1;
                    counters.bytes += size;
                }
                self.post("flute-file-written", &meta, |fields| {
                    fields.set("path", path.to_string_lossy().as_ref());
                    fields.set("size", size);
                });
                Ok(gst::FlowSuccess::Ok)
            }
            Ok(None) => Err(gst::FlowError::Flushing),
            Err(refused) => {
                self.counters.lock().unwrap().refused += 1;
                self.post("flute-file-refused", &meta, |fields| fields.set("reason", refused.to_string()));
                gst::element_imp_warning!(self, gst::ResourceError::Write, ("{name} was not written: {refused}"));
                Ok(gst::FlowSuccess::Ok)
            }
        }
    }
}
