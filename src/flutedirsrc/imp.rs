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
 * ## What is not sent
 *
 * Files and folders whose names begin with a dot are not sent unless `hidden` is set. Symbolic links are followed as
 * `follow-links` says: by default those to files and folders in the folder, and no others, so that a link cannot multicast
 * what is elsewhere on the machine. A link that is not followed is a warning. Both hold with `watch` and without it, and
 * neither for a `location` that names one file.
 *
 * ## A folder that is being written
 *
 * With `watch=true` the element is a live source, for a packager that writes a folder. What is there comes first. Then
 * every file comes when it is complete: when it is closed after writing, or renamed to its name. A file that is written or
 * replaced again comes again. For one that is deleted or renamed the event `flute-remove-object` goes downstream, and
 * flutesink withdraws the object. There is no EOS but the one that an application sends to the element.
 *
 * New folders in the folder are watched too. Files whose end of writing could not be seen, because they are older than the
 * watch, come when they have not changed for `settle-time`. Names that match `ignore` are temporary and never sent.
 *
 * The order is that in which files were completed, and a manifest comes after the segments that it names, even if the
 * packager closes them later, for which it waits up to `settle-time`. If a file changes again before it is its turn, only
 * its last version is sent, in the order of that version.
 *
 * A packager should replace a long file by renaming another one to its name. One that is written over while it is being
 * sent is no object any more: flutesink ends its transfer with a warning, and the new version follows.
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
 * |[
 * gst-launch-1.0 flutedirsrc location=live watch=true ! flutesink address=239.1.1.1 port=3400 bitrate=20000000 \
 *     sink_0::repeat-count=0 sink_0::repeat-delay=5000000000
 * ]| Send what a packager writes, such as `ffmpeg -re -i movie.mp4 -c copy -f dash -window_size 10 live/live.mpd`, every
 * file again five seconds after its last transfer until the packager deletes it.
 *
 * Since: 0.1
 */
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_src::CreateSuccess;
use gst_base::subclass::prelude::*;

use flute_folder::source::{self, FoundFile, Next, Rules, Selection, TEMPORARY_NAMES, Watcher, other_name};

use super::follow_links::FluteDirSrcFollowLinks;
use crate::debug::FLUTEDIRSRC as CAT;
use crate::fd_memory;
use crate::object_meta::ObjectMeta;
use crate::object_removal::ObjectRemoval;
use flute_net::Waker;

/// Bytes of a file that is read into memory at most.
const MAX_READ: u64 = 64 << 10;

const DEFAULT_SETTLE_TIME: u64 = 1_000_000_000;

#[derive(Clone, Debug)]
struct Settings {
    location: Option<String>,
    recursive: bool,
    manifests_last: bool,
    prefix: Option<String>,
    watch: bool,
    ignore: Option<String>,
    settle_time: u64,
    hidden: bool,
    follow_links: FluteDirSrcFollowLinks,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            location: None,
            recursive: true,
            manifests_last: true,
            prefix: None,
            watch: false,
            ignore: None,
            settle_time: DEFAULT_SETTLE_TIME,
            hidden: false,
            follow_links: FluteDirSrcFollowLinks::default(),
        }
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
    #[property(name = "watch", nick = "Watch", type = bool, get, set, member = watch,
        blurb = "Send files when they are written, again when they change, and withdraw them when they are deleted",
        mutable_ready)]
    #[property(name = "ignore", nick = "Ignore", type = Option<String>, get, set, nullable, member = ignore,
        blurb = "Names of files and folders that are not sent, as patterns separated by commas (unset: none, and with \
                 watch *~,*.tmp,*.part)",
        mutable_ready)]
    #[property(name = "settle-time", nick = "Settle time", type = u64, get, set, member = settle_time,
        default = DEFAULT_SETTLE_TIME,
        blurb = "Nanoseconds for which a file must not have changed that may have been closed before it was watched",
        mutable_ready)]
    #[property(name = "hidden", nick = "Hidden", type = bool, get, set, member = hidden,
        blurb = "Send files too whose names, or those of their folders, begin with a dot", mutable_ready)]
    #[property(name = "follow-links", nick = "Follow links", type = FluteDirSrcFollowLinks, get, set,
        member = follow_links, blurb = "Which symbolic links are followed; others are told in a warning", mutable_ready,
        builder(FluteDirSrcFollowLinks::default()))]
    settings: Mutex<Settings>,
    state: Mutex<State>,
    waker: Mutex<Option<Waker>>,
}

/// What is still to come.
#[derive(Debug, Default)]
enum State {
    #[default]
    Stopped,
    /// These files of a selection.
    Listed(Box<Selection>, VecDeque<FoundFile>),
    /// What is written.
    Watched(Box<Watcher>, Waker),
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
        gst::info!(CAT, imp = self, "setting {} to {value:?}", pspec.name());
        self.derived_set_property(id, value, pspec);
        if pspec.name() == "watch" {
            // What is written next may be long in coming: nothing waits for it.
            self.obj().set_live(self.settings.lock().unwrap().watch);
        }
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
        let not_found = |error| gst::error_msg!(gst::ResourceError::NotFound, ("{error}"));
        let settings = self.settings.lock().unwrap().clone();
        let location = settings.location.unwrap_or_default();
        let default_ignore = if settings.watch { TEMPORARY_NAMES } else { "" };
        let ignore = settings.ignore.as_deref().unwrap_or(default_ignore);
        let rules = Rules {
            recursive: settings.recursive,
            hidden: settings.hidden,
            follow_links: settings.follow_links.into(),
        };
        let selection = Selection::new(&location, rules, ignore).map_err(not_found)?;
        let state = if settings.watch {
            let cannot = |error| gst::error_msg!(gst::ResourceError::OpenRead, ("Cannot watch {location}: {error}"));
            let watcher = Watcher::new(selection, Duration::from_nanos(settings.settle_time)).map_err(cannot)?;
            let waker = watcher.waker();
            *self.waker.lock().unwrap() = Some(waker.clone());
            gst::info!(CAT, imp = self, "watching {location}");
            State::Watched(Box::new(watcher), waker)
        } else {
            let found = source::find(&selection, settings.manifests_last).map_err(not_found)?;
            gst::info!(CAT, imp = self, "{} files in {location}", found.files.len());
            for unreadable in found.unreadable {
                gst::element_imp_warning!(self, gst::ResourceError::OpenRead, ("Not sent: {unreadable}"));
            }
            State::Listed(Box::new(selection), found.files.into())
        };
        *self.state.lock().unwrap() = state;
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.state.lock().unwrap() = State::Stopped;
        *self.waker.lock().unwrap() = None;
        Ok(())
    }

    fn unlock(&self) -> Result<(), gst::ErrorMessage> {
        if let Some(waker) = &*self.waker.lock().unwrap() {
            waker.wake();
        }
        Ok(())
    }

    fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
        if let Some(waker) = &*self.waker.lock().unwrap() {
            waker.reset();
        }
        Ok(())
    }

    fn is_seekable(&self) -> bool {
        false
    }
}

impl PushSrcImpl for FluteDirSrc {
    fn create(&self, _buffer: Option<&mut gst::BufferRef>) -> Result<CreateSuccess, gst::FlowError> {
        loop {
            let step = match &mut *self.state.lock().unwrap() {
                State::Stopped => return Err(gst::FlowError::Flushing),
                State::Listed(selection, files) => {
                    self.next_listed(selection, files.pop_front().ok_or(gst::FlowError::Eos)?)
                }
                State::Watched(watcher, waker) if !waker.is_awake() => {
                    self.next_watched(watcher).unwrap_or_else(Step::Fail)
                }
                State::Watched(..) => return Err(gst::FlowError::Flushing),
            };
            match step {
                Step::Push(buffer, about_name) => {
                    if let Some(text) = about_name {
                        gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{text}"));
                    }
                    return Ok(CreateSuccess::NewBuffer(buffer));
                }
                Step::Remove(name) => {
                    gst::debug!(CAT, imp = self, "{name} is there no more");
                    let removal = ObjectRemoval {
                        content_location: self.content_location(&name),
                        now: true,
                        ..Default::default()
                    };
                    // An element that does not know of objects need not take it.
                    self.obj().src_pad().push_event(removal.into_event());
                }
                Step::Warn(text) => {
                    gst::element_imp_warning!(self, gst::ResourceError::OpenRead, ("Not sent: {text}"));
                }
                Step::Fail(error) => {
                    gst::element_imp_error!(self, gst::ResourceError::Read, ("Watching failed: {error}"));
                    return Err(gst::FlowError::Error);
                }
                Step::Again => (),
            }
        }
    }
}

/// What is to be done without a lock.
enum Step {
    /// The file, and what is to be told about its name.
    Push(gst::Buffer, Option<String>),
    /// The file of this name is there no more.
    Remove(String),
    Warn(String),
    Fail(io::Error),
    Again,
}

impl FluteDirSrc {
    fn next_listed(&self, selection: &Selection, found: FoundFile) -> Step {
        let path = selection.folder().join(&found.relative);
        let opened = selection.open(&found.relative);
        match opened.and_then(|(file, metadata)| self.read(&file, metadata.len(), &path, &found.name)) {
            Ok(buffer) => Step::Push(buffer, other_name(&path, &found.relative, &found.name)),
            Err(error) => Step::Warn(format!("{}: {error}", path.display())),
        }
    }

    /// Waits if there is nothing.
    fn next_watched(&self, watcher: &mut Watcher) -> io::Result<Step> {
        Ok(match watcher.next_change()? {
            Next::File(found) => {
                let buffer = self.read(&found.file, found.length, &found.path, &found.name);
                if !watcher.confirm(&found)? {
                    gst::debug!(CAT, imp = self, "{} changes again", found.path.display());
                    return Ok(Step::Again);
                }
                match buffer {
                    Ok(buffer) => Step::Push(buffer, other_name(&found.path, &found.relative, &found.name)),
                    Err(error) => Step::Warn(format!("{}: {error}", found.path.display())),
                }
            }
            Next::Gone(name) => Step::Remove(name),
            Next::Complaint(text) => Step::Warn(text),
            Next::Wait(time) => {
                watcher.wait(time)?;
                Step::Again
            }
        })
    }

    fn content_location(&self, name: &str) -> String {
        let prefix = self.settings.lock().unwrap().prefix.clone().unwrap_or_default();
        format!("{prefix}{name}")
    }

    fn read(&self, file: &File, length: u64, path: &Path, name: &str) -> io::Result<gst::Buffer> {
        let mut buffer = gst::Buffer::new();
        let is_read = length <= MAX_READ;
        let memory = if is_read {
            let mut bytes = Vec::with_capacity(length as usize);
            file.take(MAX_READ).read_to_end(&mut bytes)?;
            gst::Memory::from_mut_slice(bytes)
        } else {
            let length = usize::try_from(length).map_err(|_| io::Error::other("it is too long for this machine"))?;
            fd_memory::memory_of_file(file.try_clone()?, length)?
        };
        gst::debug!(CAT, imp = self, "{} is {name}", path.display());
        let meta = ObjectMeta {
            content_location: Some(self.content_location(name)),
            content_type: flute_media::content_type_of_name(name).map(str::to_owned),
            from_file: true,
            file: path.to_str().filter(|_| !is_read).map(str::to_owned),
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
