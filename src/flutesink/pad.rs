// SPDX-License-Identifier: MPL-2.0

//! The pads that take objects, and what is set on them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::collector::Collector;
use super::enums::{FluteCarousel, FluteContentEncoding, FluteFec, FluteNextObject};
use super::pad_settings::{DEFAULT_DEADLINE, PadSettings};

/// What exists only while the pad streams.
#[derive(Debug, Default)]
pub(super) struct PadState {
    pub(super) caps: Option<gst::Caps>,
    pub(super) segment_format: Option<gst::Format>,
    pub(super) stream_id: Option<glib::GString>,
    pub(super) collector: Option<Collector>,
    pub(super) is_eos: bool,
}

/// The pad.
#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = super::FluteSinkPad)]
pub struct FluteSinkPad {
    #[property(name = "location", nick = "Location", type = Option<String>, get, set, nullable, member = location,
        blurb = "Content-Location of objects whose buffers do not say it; a %d, %05d … in it becomes the index (unset: \
                 the name that the source of the stream tells, or object-%05d)",
        mutable_playing)]
    #[property(name = "init-location", nick = "Initialisation location", type = Option<String>, get, set, nullable,
        member = init_location,
        blurb = "Content-Location of the initialisation of fragmented MP4 (unset: location with init in place of the \
                 index)",
        mutable_playing)]
    #[property(name = "index", nick = "Index", type = u32, get, set, member = index,
        blurb = "Number of the next object whose name is counted", mutable_playing)]
    #[property(name = "content-type", nick = "Content-Type", type = Option<String>, get, set, nullable,
        member = content_type,
        blurb = "Content-Type of objects whose buffers do not say it (unset: by the caps, or the ending of the name)",
        mutable_playing)]
    #[property(name = "next-object", nick = "Next object", type = FluteNextObject, get, set, member = next_object, blurb = "What becomes an object", mutable_ready, builder(FluteNextObject::default()))]
    #[property(name = "progressive", nick = "Progressive", type = bool, get, set, member = progressive,
        blurb = "Send a stream while it arrives, where its length is known: by the content-length of the object meta, or \
                 from the source. Its bytes are in memory while it is sent",
        mutable_ready)]
    #[property(name = "priority", nick = "Priority", type = u32, get, set, member = priority,
        blurb = "Queue of the objects that come from now on: those of a higher one always go first", mutable_playing)]
    #[property(name = "carousel", nick = "Carousel", type = FluteCarousel, get, set, member = carousel,
        blurb = "Which objects are repeated for ever; a repeat-count that was set holds for all of them", mutable_playing, builder(FluteCarousel::default()))]
    #[property(name = "repeat-count", nick = "Repeat count", type = u32, get = Self::repeat_count,
        set = Self::set_repeat_count, default = 1,
        blurb = "How often each object is transferred (0: for ever), whatever carousel says", mutable_playing)]
    #[property(name = "repeat-delay", nick = "Repeat delay", type = u64, get, set, member = repeat_delay,
        blurb = "Nanoseconds from the end of a transfer to the start of the next", mutable_playing)]
    #[property(name = "repeat-interval", nick = "Repeat interval", type = u64, get, set, member = repeat_interval,
        blurb = "Nanoseconds from start to start of the transfers, instead of a delay (0: use repeat-delay; if that is 0 too, a second for carousel=auto)",
        mutable_playing)]
    #[property(name = "deadline", nick = "Deadline", type = i64, get, set, member = deadline, minimum = -1,
        default = DEFAULT_DEADLINE,
        blurb = "Nanoseconds over which each transfer is spread, repair symbols included (0: as fast as the session, -1: \
                 the duration of media of a live source, 0 for all else)",
        mutable_playing)]
    #[property(name = "group", nick = "Group", type = Option<String>, get, set, nullable, member = group,
        blurb = "Group that the objects belong to, in the FDT (3GPP)", mutable_playing)]
    #[property(name = "cache-control", nick = "Cache-Control", type = Option<String>, get, set, nullable,
        member = cache_control,
        blurb = "How long receivers may keep the objects, in the FDT (3GPP): no-cache, max-stale, or expires= and NTP \
                 seconds",
        mutable_playing)]
    #[property(name = "fec", nick = "FEC", type = FluteFec, get, set, member = fec,
        blurb = "FEC scheme of the objects", mutable_playing, builder(FluteFec::Inherit))]
    #[property(name = "repair-percent", nick = "Repair percent", type = f64, get, set, member = repair_percent,
        minimum = -1.0, maximum = 100_000.0, default = -1.0,
        blurb = "Repair symbols in percent of the source symbols (-1: as the element)", mutable_playing)]
    #[property(name = "repair-symbols", nick = "Repair symbols", type = i32, get, set, member = repair_symbols,
        minimum = -1, default = -1,
        blurb = "Repair symbols of each source block, instead of a percentage (-1: use repair-percent)",
        mutable_playing)]
    #[property(name = "symbol-size", nick = "Symbol size", type = u32, get, set, member = symbol_size, maximum = 65_535,
        blurb = "Bytes of an encoding symbol of the objects (0: as the element)", mutable_playing)]
    #[property(name = "source-block-length", nick = "Source block length", type = u32, get, set,
        member = source_block_length,
        blurb = "Source symbols of a block of the objects at most (0: as the element)", mutable_playing)]
    #[property(name = "content-encoding", nick = "Content-Encoding", type = FluteContentEncoding, get, set,
        member = content_encoding,
        blurb = "How the objects are encoded on their way", mutable_playing, builder(FluteContentEncoding::Inherit))]
    #[property(name = "md5", nick = "MD5", type = bool, get, set, member = md5,
        blurb = "Describe the objects with a Content-MD5 (TRUE on the element does it for all pads)", mutable_playing)]
    pub(super) settings: Mutex<PadSettings>,
    pub(super) state: Mutex<PadState>,
    /// Between FLUSH_START and FLUSH_STOP, and while the pad is not active: nothing may wait.
    pub(super) is_flushing: AtomicBool,
}

impl FluteSinkPad {
    fn repeat_count(&self) -> u32 {
        self.settings.lock().unwrap().repeat_count.unwrap_or(1)
    }

    fn set_repeat_count(&self, count: u32) {
        self.settings.lock().unwrap().repeat_count = Some(count);
    }

    /// Forgets what was streamed.
    pub(super) fn reset(&self) {
        *self.state.lock().unwrap() = PadState::default();
        self.is_flushing.store(false, Ordering::SeqCst);
    }
}

#[glib::object_subclass]
impl ObjectSubclass for FluteSinkPad {
    const NAME: &'static str = "GstFluteSinkPad";
    type Type = super::FluteSinkPad;
    type ParentType = gst::Pad;
}

#[glib::derived_properties]
impl ObjectImpl for FluteSinkPad {}

impl GstObjectImpl for FluteSinkPad {}

impl PadImpl for FluteSinkPad {}
