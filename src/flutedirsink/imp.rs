// SPDX-License-Identifier: MPL-2.0

/**
 * SECTION:element-flutedirsink
 *
 * Turns objects into files: every buffer becomes one file below the folder `location`, under the Content-Location that
 * its object meta names. Buffers without one become `object-00000`, `object-00001` and so on.
 *
 * A Content-Location is written by the sender, so it is not trusted. A relative path, or the path of an absolute one
 * or of a `file:` URL, is taken below the folder; URLs with a host go into a folder of that name, or not, as
 * `url-mapping` says. What would leave the folder by `..` or by a symbolic link in it, begins with a drive letter, or
 * contains control characters is refused with a warning. A name that is too long for the file system is cut and ends in
 * a hash of the whole name, so that it is the same each time.
 *
 * In `location`, `%{tsi}` and `%{source}` stand for the Transport Session Identifier and the address of the sender, so
 * that sessions get folders of their own. An object that replaces the file of another session is a warning.
 *
 * Files appear complete or not at all: they are written under a temporary name (`.flute-….part`) and renamed, after
 * they were synced to the disk if `fsync` is set. An older file of the same name stays until then. An object that cannot
 * be written (the disk is full, the folder was removed) is a warning, and the pipeline goes on. The first three warnings
 * of a kind are posted one by one, the others are counted, and the count is posted once a minute and at the end.
 *
 * Long objects that `flutesrc` writes into a file as they come get their name when they are complete, and nothing is
 * copied: `flutedirsink` answers the custom query `flute-spool-directory` of elements before it with the field
 * `directory`, the folder in which such a file without a name has to be made. Other files are copied by the kernel.
 *
 * ## Deleting files
 *
 * The files of a receiver that runs for long are bounded by these properties; by default nothing is deleted:
 *
 * - `delete-withdrawn`: a file is deleted when its object has been withdrawn, that is, when the FDT does not list it any
 *   more, for `delete-delay`;
 * - `max-files` and `max-bytes`: in each folder the oldest files are deleted when there are more, or more bytes;
 * - `max-age`: a file is deleted so long after it was written.
 *
 * Only files that the element has written since it was started are counted and deleted, never one that the newest version
 * of a manifest (MPD or M3U8) names, nor that manifest. Segments that a manifest only counts (`$Number$`, `$Time$`) are
 * not named by it: choose the bounds longer than its time-shift buffer. Folders that become empty are deleted too.
 *
 * ## Messages
 *
 * For every file the element posts an element message `flute-file-written` with `path` (string), `size` (uint64, bytes),
 * `linked` (boolean: the object was in a file already, and nothing was copied) and the fields of the object meta; for
 * every object that it could not write, `flute-file-refused` with `reason` (string) in place of them; for every file that
 * it deleted, `flute-file-deleted` with `path` and `reason`, the name of the property that asked for it.
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
 * gst-launch-1.0 flutesrc address=239.1.1.1 port=3400 ! flutedirsink location="received/%{source}/%{tsi}" \
 *     delete-withdrawn=true max-age=86400000000000
 * ```
 *
 * Does the same with a folder for each session, and deletes what the sender has withdrawn, or after a day.
 *
 * ```bash
 * gst-launch-1.0 filesrc location=session.pcap ! pcapparse dst-port=3400 ! flutesrc ! flutedirsink location=received url-mapping=path
 * ```
 *
 * Takes the objects out of a capture, and leaves the host names of URLs away.
 *
 * Since: 0.1
 */
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::prelude::*;

use flute_folder::target::{
    Bounds, Deleted, FolderWriter, Kind, LocationPattern, NotWritten, ObjectDescription, Origin, Saying, TargetFolder,
    Written,
};

use super::object_bytes::ObjectBytes;
use super::url_mapping::FluteDirSinkUrlMapping;
use crate::debug::FLUTEDIRSINK as CAT;
use crate::object_meta::ObjectMeta;
use crate::object_removal::ObjectRemoval;

const DEFAULT_URL_MAPPING: FluteDirSinkUrlMapping = FluteDirSinkUrlMapping::HostPath;
const DEFAULT_FSYNC: bool = false;
const DEFAULT_DELETE_WITHDRAWN: bool = false;
const DEFAULT_DELETE_DELAY: u64 = 30_000_000_000;
const DEFAULT_MAX_FILES: u64 = 0;
const DEFAULT_MAX_BYTES: u64 = 0;
const DEFAULT_MAX_AGE: u64 = 0;

/// The custom query for the folder in which files without a name have to be made.
const SPOOL_DIRECTORY_QUERY: &str = "flute-spool-directory";

#[derive(Debug, Clone)]
struct Settings {
    location: Option<String>,
    url_mapping: FluteDirSinkUrlMapping,
    fsync: bool,
    delete_withdrawn: bool,
    delete_delay: u64,
    max_files: u64,
    max_bytes: u64,
    max_age: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            location: None,
            url_mapping: DEFAULT_URL_MAPPING,
            fsync: DEFAULT_FSYNC,
            delete_withdrawn: DEFAULT_DELETE_WITHDRAWN,
            delete_delay: DEFAULT_DELETE_DELAY,
            max_files: DEFAULT_MAX_FILES,
            max_bytes: DEFAULT_MAX_BYTES,
            max_age: DEFAULT_MAX_AGE,
        }
    }
}

impl Settings {
    fn bounds(&self) -> Bounds {
        let unless_zero = |value: u64| (value > 0).then_some(value);
        Bounds {
            max_files: unless_zero(self.max_files),
            max_bytes: unless_zero(self.max_bytes),
            max_age: unless_zero(self.max_age).map(Duration::from_nanos),
            withdrawn_age: self.delete_withdrawn.then(|| Duration::from_nanos(self.delete_delay)),
        }
    }
}

/// What `stats` tells.
#[derive(Debug, Default, Clone, Copy)]
struct Counters {
    files: u64,
    bytes: u64,
    refused: u64,
    deleted: u64,
}

/// The writer while the element runs, for the streaming thread and the one that deletes files when their time has come.
#[derive(Debug, Default)]
struct Shared {
    writer: Mutex<Option<FolderWriter>>,
    /// What is due has changed, or the element has stopped.
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<FolderWriter>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes files when their time has come, until the element stops.
    fn delete_in_time(&self, element: &glib::WeakRef<super::FluteDirSink>) {
        let mut guard = self.lock();
        while let Some(writer) = guard.as_mut() {
            let deleted = writer.delete_due(Instant::now());
            if !deleted.is_empty() {
                drop(guard);
                if let Some(element) = element.upgrade() {
                    element.imp().tell_deleted(deleted);
                }
                guard = self.lock();
                continue;
            }
            let wait = writer.next_deletion().map(|due| due.saturating_duration_since(Instant::now()));
            guard = match wait {
                Some(wait) => self.changed.wait_timeout(guard, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = super::FluteDirSink)]
pub struct FluteDirSink {
    #[property(name = "location", type = Option<String>, get, set, member = location, nick = "Location", mutable_ready,
        blurb = "Folder that the files are written into; it is made if it is not there, and %{tsi} and %{source} in it \
                 make a folder for each session")]
    #[property(name = "url-mapping", type = FluteDirSinkUrlMapping, get, set, member = url_mapping, nick = "URL mapping", mutable_ready,
        blurb = "What becomes of the host in a Content-Location that is a URL", builder(DEFAULT_URL_MAPPING))]
    #[property(name = "fsync", type = bool, get, set, member = fsync, nick = "Sync to disk",
        default_value = DEFAULT_FSYNC, mutable_ready,
        blurb = "Sync each file to the disk before it appears under its name")]
    #[property(name = "delete-withdrawn", type = bool, get, set, member = delete_withdrawn, nick = "Delete withdrawn",
        default_value = DEFAULT_DELETE_WITHDRAWN, mutable_ready,
        blurb = "Delete the files of objects that their sender has withdrawn, which the FDT does not list any more")]
    #[property(name = "delete-delay", type = u64, get, set, member = delete_delay, nick = "Delete delay",
        default_value = DEFAULT_DELETE_DELAY, mutable_ready,
        blurb = "Time from the withdrawal of an object to the deletion of its file (nanoseconds)")]
    #[property(name = "max-files", type = u64, get, set, member = max_files, nick = "Maximal files",
        default_value = DEFAULT_MAX_FILES, mutable_ready,
        blurb = "Files that stay in each folder, of which the oldest are deleted (0: any number)")]
    #[property(name = "max-bytes", type = u64, get, set, member = max_bytes, nick = "Maximal bytes",
        default_value = DEFAULT_MAX_BYTES, mutable_ready,
        blurb = "Bytes of the files that stay in each folder, of which the oldest are deleted (0: any number)")]
    #[property(name = "max-age", type = u64, get, set, member = max_age, nick = "Maximal age",
        default_value = DEFAULT_MAX_AGE, mutable_ready,
        blurb = "Time after which a file is deleted (nanoseconds, 0: never)")]
    settings: Mutex<Settings>,
    counters: Mutex<Counters>,
    shared: Arc<Shared>,
    deletion: Mutex<Option<JoinHandle<()>>>,
}

impl FluteDirSink {
    fn stats(&self) -> gst::Structure {
        let counters = *self.counters.lock().unwrap();
        gst::Structure::builder("flutedirsink-stats")
            .field("files", counters.files)
            .field("bytes", counters.bytes)
            .field("refused", counters.refused)
            .field("deleted", counters.deleted)
            .build()
    }

    /// Posts an element message with the fields of the object meta.
    fn post(&self, name: &str, meta: &ObjectMeta, fields: impl FnOnce(&mut gst::StructureRef)) {
        let mut structure = gst::Structure::new_empty(name);
        meta.write_to(&mut structure);
        fields(&mut structure);
        let message = gst::message::Element::builder(structure).src(&*self.obj()).build();
        let _ = self.obj().post_message(message);
    }

    /// Posts a warning, unless there were many of its kind.
    fn warn(&self, kind: Kind, text: &str) {
        let saying = match self.shared.lock().as_mut() {
            Some(writer) => writer.warnings().note(kind, Instant::now()),
            None => Saying::Warning,
        };
        gst::debug!(CAT, imp = self, "{text}");
        match saying {
            Saying::Warning => self.post_warning(kind, text),
            Saying::Summary(count) => self.post_summary(kind, count),
            Saying::Nothing => (),
        }
    }

    fn post_warning(&self, kind: Kind, text: &str) {
        let error = match kind {
            Kind::DiskFull => gst::ResourceError::NoSpaceLeft,
            _ => gst::ResourceError::Write,
        };
        gst::element_imp_warning!(self, error, ("{text}"), ["What to do: {}", kind.advice()]);
    }

    fn post_summary(&self, kind: Kind, count: u64) {
        self.post_warning(kind, &format!("{count} more objects {}", kind.summary()));
    }

    /// Posts the counts of warnings that were not posted.
    fn post_summaries(&self) {
        let counts = self.shared.lock().as_mut().map(|writer| writer.warnings().take_counts()).unwrap_or_default();
        for (kind, count) in counts {
            self.post_summary(kind, count);
        }
    }

    fn tell_written(&self, meta: &ObjectMeta, written: &Written) {
        let path = written.path.to_string_lossy();
        let how = if written.is_linked { "linked" } else { "wrote" };
        gst::info!(CAT, imp = self, "{how} {path}, {} bytes", written.size);
        {
            let mut counters = self.counters.lock().unwrap();
            counters.files += 1;
            counters.bytes += written.size;
        }
        self.post("flute-file-written", meta, |fields| {
            fields.set("path", path.as_ref());
            fields.set("size", written.size);
            fields.set("linked", written.is_linked);
        });
        if let Some(other) = &written.replaced {
            let of = |origin: &Origin| match (origin.tsi, origin.source) {
                (Some(tsi), Some(source)) => format!("TSI {tsi} of {source}"),
                (Some(tsi), None) => format!("TSI {tsi}"),
                (None, Some(source)) => source.to_string(),
                (None, None) => "an unknown session".to_owned(),
            };
            self.warn(Kind::Replaced, &format!("{path} of {} has replaced that of {}", of(&written.origin), of(other)));
        }
    }

    fn tell_not_written(&self, meta: &ObjectMeta, reason: &NotWritten) {
        self.counters.lock().unwrap().refused += 1;
        self.post("flute-file-refused", meta, |fields| fields.set("reason", reason.to_string()));
        let name = meta.content_location.as_deref().unwrap_or("an object without a name");
        self.warn(reason.kind(), &format!("{name} was not written: {reason}"));
    }

    fn tell_deleted(&self, deleted: Vec<Deleted>) {
        for Deleted { path, reason, error } in deleted {
            let path = path.to_string_lossy();
            if let Some(error) = error {
                self.warn(Kind::NotDeleted, &format!("{path} was not deleted: {error}"));
                continue;
            }
            gst::info!(CAT, imp = self, "deleted {path}: {}", reason.property());
            self.counters.lock().unwrap().deleted += 1;
            let structure = gst::Structure::builder("flute-file-deleted")
                .field("path", path.as_ref())
                .field("reason", reason.property())
                .build();
            let message = gst::message::Element::builder(structure).src(&*self.obj()).build();
            let _ = self.obj().post_message(message);
        }
    }
}

/// Makes a file of the object in a buffer.
fn write(writer: &mut FolderWriter, buffer: &gst::BufferRef, meta: &ObjectMeta) -> Result<Written, NotWritten> {
    let object = ObjectDescription {
        content_location: meta.content_location.as_deref(),
        content_type: meta.content_type.as_deref(),
        origin: Origin { tsi: meta.tsi, source: meta.source },
    };
    writer.write(object, &ObjectBytes::of(buffer, meta).map_err(NotWritten::Read)?)
}

#[glib::object_subclass]
impl ObjectSubclass for FluteDirSink {
    const NAME: &'static str = "GstFluteDirSink";
    type Type = super::FluteDirSink;
    type ParentType = gst_base::BaseSink;
}

#[glib::derived_properties]
impl ObjectImpl for FluteDirSink {
    fn constructed(&self) {
        self.parent_constructed();
        // Files are written as they come, and the last one is not kept in memory.
        self.obj().set_sync(false);
        self.obj().set_property("enable-last-sample", false);
    }

    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            // Derived properties go by their place, so what is not derived comes last.
            let mut properties = FluteDirSink::derived_properties().to_vec();
            properties.push(
                glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                    .nick("Statistics")
                    .blurb("Files and bytes written, objects refused, files deleted (uint64 each)")
                    .read_only()
                    .build(),
            );
            properties
        });
        &PROPERTIES
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        gst::info!(CAT, imp = self, "{} is now {value:?}", pspec.name());
        self.derived_set_property(id, value, pspec);
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.stats().to_value(),
            _ => self.derived_property(id, pspec),
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
        let location = settings.location.clone().ok_or_else(|| {
            gst::error_msg!(gst::ResourceError::NotFound, ("no folder to write into: set the property location"))
        })?;
        let pattern = LocationPattern::new(&location)
            .map_err(|error| gst::error_msg!(gst::ResourceError::Settings, ("location {location}: {error}")))?;
        let target = TargetFolder::open(pattern.folder(), settings.fsync).map_err(|error| {
            gst::error_msg!(gst::ResourceError::OpenWrite, ("cannot write into {location}: {error}"))
        })?;
        gst::info!(CAT, imp = self, "writing into {location}: {settings:?}");
        *self.counters.lock().unwrap() = Counters::default();
        let bounds = settings.bounds();
        *self.shared.lock() = Some(FolderWriter::new(target, pattern, settings.url_mapping.into(), bounds));
        if bounds.need_time() {
            let (shared, element) = (self.shared.clone(), self.obj().downgrade());
            let deletion = thread::Builder::new()
                .name("flutedirsink-deletion".to_owned())
                .spawn(move || shared.delete_in_time(&element))
                .map_err(|error| gst::error_msg!(gst::ResourceError::Failed, ("no thread to delete files: {error}")))?;
            *self.deletion.lock().unwrap() = Some(deletion);
        }
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.post_summaries();
        *self.shared.lock() = None;
        self.shared.changed.notify_all();
        let deletion = self.deletion.lock().unwrap().take();
        if deletion.is_some_and(|thread| thread.join().is_err()) {
            gst::error!(CAT, imp = self, "the thread that deletes files has panicked");
        }
        gst::info!(CAT, imp = self, "stopped: {:?}", *self.counters.lock().unwrap());
        Ok(())
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        let is_asked = query.structure().is_some_and(|structure| structure.name() == SPOOL_DIRECTORY_QUERY);
        if !is_asked {
            return BaseSinkImplExt::parent_query(self, query);
        }
        let folder = self.shared.lock().as_ref().map(|writer| writer.folder().to_owned());
        match (folder.as_deref().and_then(|folder| folder.to_str()), query.structure_mut()) {
            (Some(folder), structure) => {
                structure.set("directory", folder);
                true
            }
            (None, _) => false,
        }
    }

    fn event(&self, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Eos {
            self.post_summaries();
        } else if let Some(removal) = ObjectRemoval::of(&event) {
            if let Some(writer) = self.shared.lock().as_mut() {
                writer.withdraw(&removal.content_location, Origin { tsi: removal.tsi, source: removal.source });
            }
            self.shared.changed.notify_all();
        }
        self.parent_event(event)
    }

    fn render(&self, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let meta = ObjectMeta::of(buffer).unwrap_or_default();
        // The lock is held while the file is written: only the thread that deletes files waits for it, and the end.
        let (result, deleted) = match self.shared.lock().as_mut() {
            Some(writer) => (write(writer, buffer, &meta), writer.delete_due(Instant::now())),
            None => return Err(gst::FlowError::Flushing),
        };
        self.shared.changed.notify_all();
        match result {
            Ok(written) => self.tell_written(&meta, &written),
            Err(reason) => self.tell_not_written(&meta, &reason),
        }
        self.tell_deleted(deleted);
        Ok(gst::FlowSuccess::Ok)
    }
}
