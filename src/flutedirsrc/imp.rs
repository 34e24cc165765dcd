// SPDX-License-Identifier: MPL-2.0

/**
 * SECTION:element-flutedirsrc
 *
 * flutedirsrc turns files into objects for flutesink: those below a folder, those that match a pattern, or one.
 *
 * Every file is one buffer with a `FluteObjectMeta`: its Content-Location is its path relative to the folder, as a URI
 * reference, with `prefix` in front of it, and its Content-Type comes from its ending. Then comes EOS. A file that cannot
 * be read is a warning; the others are sent.
 *
 * Files come in the order of their names, manifests (MPD, M3U8) after all others unless `manifests-last=false`.
 *
 * A short file is read into its buffer. The memory of a long one is the file itself, which is mapped if an element looks
 * at it; flutesink does not, but reads it at offsets, by the path in the `file` field of the meta.
 *
 * ## Example pipelines
 * |[
 * gst-launch-1.0 flutedirsrc location=presentation ! flutesink address=239.1.1.1 port=3400 bitrate=20000000
 * ]| Send a folder and what is below it.
 * |[
 * gst-launch-1.0 flutedirsrc location="live/video/seg_*.m4s" prefix=video/ ! flutesink address=239.1.1.1 port=3400
 * ]| Send some files of a folder.
 *
 * Since: plugins-rs-0.1
 */
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::sync::{LazyLock, Mutex};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_src::CreateSuccess;
use gst_base::subclass::prelude::*;

use super::files::{self, FoundFile};
use crate::fd_memory;
use crate::media_type;
use crate::object_meta::ObjectMeta;

/// Bytes of a file that is read into memory at most.
const MAX_READ: u64 = 64 << 10;

static CAT: LazyLock<gst::DebugCategory> =
    LazyLock::new(|| gst::DebugCategory::new("flutedirsrc", gst::DebugColorFlags::empty(), Some("Files as objects")));

#[derive(Clone, Debug)]
struct Settings {
    location: Option<String>,
    recursive: bool,
    manifests_last: bool,
    prefix: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { location: None, recursive: true, manifests_last: true, prefix: None }
    }
}

/// The element.
#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = super::FluteDirSrc, ext_trait = FluteDirSrcProperties)]
pub struct FluteDirSrc {
    #[property(name = "location", nick = "Location", type = Option<String>, get, set, nullable, member = location,
        blurb = "A folder, a file, or a pattern such as video/*.m4s, in which ** stands for any folders",
        mutable_ready)]
    #[property(name = "recursive", nick = "Recursive", type = bool, get, set, member = recursive, default = true,
        blurb = "Send what is in the folders of the folder too", mutable_ready)]
    #[property(name = "manifests-last", nick = "Manifests last", type = bool, get, set, member = manifests_last,
        default = true, blurb = "Send MPD and M3U8 after all other files", mutable_ready)]
    #[property(name = "prefix", nick = "Prefix", type = Option<String>, get, set, nullable, member = prefix,
        blurb = "What is put in front of every Content-Location, for example http://example.com/live/",
        mutable_ready)]
    settings: Mutex<Settings>,
    /// The files that are still to come.
    state: Mutex<VecDeque<FoundFile>>,
}

#[glib::object_subclass]
impl ObjectSubclass for FluteDirSrc {
    const NAME: &'static str = "GstFluteDirSrc";
    type Type = super::FluteDirSrc;
    type ParentType = gst_base::PushSrc;
}

#[glib::derived_properties]
impl ObjectImpl for FluteDirSrc {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_format(gst::Format::Bytes);
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        gst::info!(CAT, imp = self, "Setting {} to {value:?}", pspec.name());
        self.derived_set_property(id, value, pspec);
    }
}

impl GstObjectImpl for FluteDirSrc {}

impl ElementImpl for FluteDirSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "FLUTE folder source",
                "Source/File",
                "Turns the files of a folder into objects for flutesink",
                "gst-plugin-flute developers",
            )
        });
        Some(&*METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let any = gst::Caps::new_any();
            vec![
                gst::PadTemplate::new("src", gst::PadDirection::Src, gst::PadPresence::Always, &any)
                    .expect("a valid template"),
            ]
        });
        &TEMPLATES
    }
}

impl BaseSrcImpl for FluteDirSrc {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings.lock().unwrap().clone();
        let location = settings.location.unwrap_or_default();
        let found = files::find(&location, settings.recursive, settings.manifests_last)
            .map_err(|error| gst::error_msg!(gst::ResourceError::NotFound, ("{error}")))?;
        gst::info!(CAT, imp = self, "{} files in {location}", found.files.len());
        for unreadable in found.unreadable {
            gst::element_imp_warning!(self, gst::ResourceError::OpenRead, ("Not sent: {unreadable}"));
        }
        *self.state.lock().unwrap() = found.files.into();
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        self.state.lock().unwrap().clear();
        Ok(())
    }

    fn is_seekable(&self) -> bool {
        false
    }
}

impl PushSrcImpl for FluteDirSrc {
    fn create(&self, _buffer: Option<&mut gst::BufferRef>) -> Result<CreateSuccess, gst::FlowError> {
        loop {
            let file = self.state.lock().unwrap().pop_front().ok_or(gst::FlowError::Eos)?;
            match self.read(&file) {
                Ok(buffer) => {
                    gst::debug!(CAT, imp = self, "{} is {}", file.path.display(), file.name);
                    return Ok(CreateSuccess::NewBuffer(buffer));
                }
                Err(error) => {
                    let path = file.path.display();
                    gst::element_imp_warning!(self, gst::ResourceError::OpenRead, ("Not sent: {path}: {error}"));
                }
            }
        }
    }
}

impl FluteDirSrc {
    fn read(&self, found: &FoundFile) -> io::Result<gst::Buffer> {
        let file = File::open(&found.path)?;
        let length = file.metadata()?.len();
        let mut buffer = gst::Buffer::new();
        let is_read = length <= MAX_READ;
        let memory = if is_read {
            let mut bytes = Vec::with_capacity(length as usize);
            file.take(MAX_READ).read_to_end(&mut bytes)?;
            gst::Memory::from_mut_slice(bytes)
        } else {
            let length = usize::try_from(length).map_err(|_| io::Error::other("it is too long for this machine"))?;
            fd_memory::memory_of_file(file, length)?
        };
        let prefix = self.settings.lock().unwrap().prefix.clone().unwrap_or_default();
        let meta = ObjectMeta {
            content_location: Some(format!("{prefix}{}", found.name)),
            content_type: media_type::content_type_of_name(&found.name).map(str::to_owned),
            file: found.path.to_str().filter(|_| !is_read).map(str::to_owned),
            ..Default::default()
        };
        {
            let buffer = buffer.get_mut().expect("a new buffer is ours alone");
            buffer.append_memory(memory);
            meta.put_on(buffer);
        }
        Ok(buffer)
    }
}
