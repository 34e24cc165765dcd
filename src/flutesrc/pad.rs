// SPDX-License-Identifier: MPL-2.0

//! The source pads of `flutesrc`: which objects each of them delivers, and the stream of buffers that they become.

use std::sync::Mutex;
use std::time::Duration;

use flute_proto::content_location::LocationPath;
use flute_proto::receiver::ObjectInfo;
use globset::{GlobBuilder, GlobMatcher};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::order::{Counts, Order, Segment};
use super::pad_order::{PadOrder, Payload};
use super::settings;
use super::timeline::Offset;
use crate::debug::FLUTESRC as CAT;

/// A glob, as it was set and as it is used.
#[derive(Debug, Default)]
struct Pattern {
    text: Option<String>,
    matcher: Option<GlobMatcher>,
}

impl Pattern {
    fn new(text: Option<String>) -> Result<Self, globset::Error> {
        let matcher = match text.as_deref() {
            None | Some("") => None,
            Some(text) => Some(GlobBuilder::new(text).literal_separator(false).build()?.compile_matcher()),
        };
        Ok(Self { text, matcher })
    }

    fn matches(&self, text: &str) -> bool {
        self.matcher.as_ref().is_none_or(|matcher| matcher.is_match(text))
    }
}

/// Which objects a pad delivers.
#[derive(Debug)]
struct Filter {
    location: Pattern,
    content_type: Pattern,
    tsi: i64,
    /// The end of the one Content-Location that a URI names.
    path: Option<LocationPath>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { location: Pattern::default(), content_type: Pattern::default(), tsi: settings::DEFAULT_TSI, path: None }
    }
}

impl Filter {
    fn accepts(&self, object: &ObjectInfo) -> bool {
        let content_type = object.file.content_type.as_deref().unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        self.location.matches(object.location())
            && self.content_type.matches(&media_type)
            && u64::try_from(self.tsi).map_or(true, |tsi| tsi == object.session.tsi.get())
            && self.path.as_ref().is_none_or(|path| LocationPath::of_location(object.location()).is_meant_by(path))
    }
}

/// How the streams of an element begin.
#[derive(Clone, Debug)]
pub(super) struct StreamStart {
    /// Stream-id without the name of the pad.
    pub(super) stream_id: String,
    pub(super) group_id: gst::GroupId,
}

/// What was pushed so far.
#[derive(Debug)]
struct Stream {
    started: bool,
    segment_sent: bool,
    /// Where media is on the running time, if it is media that has a time.
    offset: Option<Offset>,
    /// Running time of the end of the media that was pushed.
    played: Duration,
    /// An object of another representation was told of.
    met_other_representation: bool,
    caps: Option<gst::Caps>,
    /// Bytes.
    position: u64,
    /// Objects.
    pushed: u64,
    discontinuous: bool,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            started: false,
            segment_sent: false,
            offset: None,
            played: Duration::ZERO,
            met_other_representation: false,
            caps: None,
            position: 0,
            pushed: 0,
            discontinuous: true,
        }
    }
}

/// The pad.
#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = super::FluteSrcPad)]
pub struct FluteSrcPad {
    #[property(name = "location", nick = "Location", type = Option<String>, get = Self::location,
        set = Self::set_location, nullable,
        blurb = "Glob on the Content-Location of the objects that this pad delivers (unset = all)", mutable_playing)]
    #[property(name = "content-type", nick = "Content type", type = Option<String>, get = Self::content_type,
        set = Self::set_content_type, nullable,
        blurb = "Glob on the Content-Type, without parameters and in lower case (unset = all)", mutable_playing)]
    #[property(name = "tsi", nick = "TSI", type = i64, get, set, member = tsi, minimum = -1,
        maximum = settings::MAX_TSI, default = settings::DEFAULT_TSI,
        blurb = "Deliver only objects of the session with this Transport Session Identifier (-1 = any)",
        mutable_playing)]
    filter: Mutex<Filter>,
    stream: Mutex<Stream>,
    order: Mutex<PadOrder>,
}

#[glib::object_subclass]
impl ObjectSubclass for FluteSrcPad {
    const NAME: &'static str = "GstFluteSrcPad";
    type Type = super::FluteSrcPad;
    type ParentType = gst::Pad;
}

#[glib::derived_properties]
impl ObjectImpl for FluteSrcPad {
    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        gst::info!(CAT, imp = self, "setting {} to {value:?}", pspec.name());
        self.derived_set_property(id, value, pspec);
    }
}

/// Properties that are more than a field.
impl FluteSrcPad {
    fn location(&self) -> Option<String> {
        self.filter.lock().unwrap().location.text.clone()
    }

    /// An unusable glob changes nothing.
    fn set_location(&self, glob: Option<String>) {
        match Pattern::new(glob) {
            Ok(pattern) => self.filter.lock().unwrap().location = pattern,
            Err(error) => gst::error!(CAT, imp = self, "location is not set: {error}"),
        }
    }

    fn content_type(&self) -> Option<String> {
        self.filter.lock().unwrap().content_type.text.clone()
    }

    /// An unusable glob changes nothing.
    fn set_content_type(&self, glob: Option<String>) {
        match Pattern::new(glob.map(|glob| glob.to_ascii_lowercase())) {
            Ok(pattern) => self.filter.lock().unwrap().content_type = pattern,
            Err(error) => gst::error!(CAT, imp = self, "content-type is not set: {error}"),
        }
    }
}

impl GstObjectImpl for FluteSrcPad {}
impl PadImpl for FluteSrcPad {}

impl super::FluteSrcPad {
    /// Restricts the pad to the object that a URI names.
    pub(super) fn set_path(&self, path: Option<String>) {
        self.imp().filter.lock().unwrap().path = path.map(|path| LocationPath::of_decoded(&path));
    }

    /// Whether the pad delivers this object.
    pub(super) fn accepts(&self, object: &ObjectInfo) -> bool {
        self.imp().filter.lock().unwrap().accepts(object)
    }

    /// Forgets the stream: the next buffer begins a new one.
    pub(super) fn reset(&self) {
        *self.imp().stream.lock().unwrap() = Stream::default();
        *self.imp().order.lock().unwrap() = PadOrder::default();
    }

    /// After a flush, which takes the segment away and leaves the rest of the stream.
    pub(super) fn flushed(&self) {
        let mut stream = self.imp().stream.lock().unwrap();
        stream.segment_sent = false;
        stream.offset = None;
        stream.played = Duration::ZERO;
        stream.position = 0;
        stream.discontinuous = true;
        drop(stream);
        *self.imp().order.lock().unwrap() = PadOrder::default();
    }

    /// Whether objects are delivered as media in order, if that is decided.
    pub(super) fn is_media(&self) -> Option<bool> {
        match &*self.imp().order.lock().unwrap() {
            PadOrder::Undecided => None,
            PadOrder::Arrival => Some(false),
            PadOrder::Media(_) => Some(true),
        }
    }

    /// Decides in which order objects are delivered.
    pub(super) fn set_order(&self, order: PadOrder) {
        *self.imp().order.lock().unwrap() = order;
    }

    /// Does something with the order, if objects are delivered as media.
    pub(super) fn with_order<R>(&self, act: impl FnOnce(&mut Order<Payload>) -> R) -> Option<R> {
        match &mut *self.imp().order.lock().unwrap() {
            PadOrder::Media(order) => Some(act(order)),
            PadOrder::Undecided | PadOrder::Arrival => None,
        }
    }

    /// What became of the objects, if they are delivered as media.
    pub(super) fn counts(&self) -> Option<Counts> {
        self.with_order(|order| order.counts())
    }

    /// Whether the place of media on the running time is known.
    pub(super) fn is_placed(&self) -> bool {
        self.imp().stream.lock().unwrap().offset.is_some()
    }

    /// Places media on the running time.
    pub(super) fn place(&self, offset: Offset) {
        let mut stream = self.imp().stream.lock().unwrap();
        if stream.offset != Some(offset) {
            stream.offset = Some(offset);
            stream.segment_sent = false;
        }
    }

    /// Running time of the end of the media that was pushed.
    pub(super) fn played(&self) -> Duration {
        self.imp().stream.lock().unwrap().played
    }

    /// Whether it is told for the first time that there is another representation.
    pub(super) fn is_first_of_another_representation(&self) -> bool {
        !std::mem::replace(&mut self.imp().stream.lock().unwrap().met_other_representation, true)
    }

    /// An object that the pad would have delivered was lost.
    pub(super) fn mark_discontinuous(&self) {
        self.imp().stream.lock().unwrap().discontinuous = true;
    }

    /// Bytes and objects pushed so far.
    pub(super) fn position(&self) -> (u64, u64) {
        let stream = self.imp().stream.lock().unwrap();
        (stream.position, stream.pushed)
    }

    /// Pushes one object, after the events that have to come first.
    pub(super) fn push_object(
        &self,
        start: &StreamStart,
        mut buffer: gst::Buffer,
        caps: Option<gst::Caps>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.begin(start, caps, None);
        {
            let mut stream = self.imp().stream.lock().unwrap();
            let buffer = buffer.make_mut();
            buffer.set_offset(stream.position);
            stream.position += buffer.size() as u64;
            stream.pushed += 1;
            buffer.set_offset_end(stream.position);
            if std::mem::take(&mut stream.discontinuous) {
                buffer.set_flags(gst::BufferFlags::DISCONT);
            }
        }
        self.push(buffer)
    }

    /// Pushes a media segment, after its initialisation and the events that have to come first.
    pub(super) fn push_segment(
        &self,
        start: &StreamStart,
        segment: Segment<Payload>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let first = segment.initialisation.as_ref().unwrap_or(&segment.payload);
        self.begin(start, first.caps.clone(), segment.times.map(|(start, _)| start));
        let time = segment.times.and_then(|(start, _)| gst::ClockTime::try_from(start).ok());
        let mut is_discontinuous = segment.is_discontinuous;
        let mut flow = Ok(gst::FlowSuccess::Ok);
        let header = segment.initialisation.map(|payload| (payload.buffer, gst::BufferFlags::HEADER));
        for (mut buffer, flags) in header.into_iter().chain([(segment.payload.buffer, gst::BufferFlags::empty())]) {
            {
                let mut stream = self.imp().stream.lock().unwrap();
                let buffer = buffer.make_mut();
                stream.position += buffer.size() as u64;
                stream.pushed += 1;
                if let (Some(offset), Some((_, end))) = (stream.offset, segment.times) {
                    stream.played = Duration::from_nanos(u64::try_from(offset.running_time(end)).unwrap_or(0));
                }
                buffer.set_flags(flags);
                buffer.set_pts(time);
                if std::mem::take(&mut is_discontinuous) {
                    buffer.set_flags(gst::BufferFlags::DISCONT);
                }
            }
            flow = self.push(buffer);
            if flow.is_err() {
                break;
            }
        }
        flow
    }

    /// Ends the stream.
    pub(super) fn push_eos(&self, start: &StreamStart) {
        self.begin_without_object(start);
        self.push_event(gst::event::Eos::new());
    }

    /// Pushes the stream-start that has to come before the events of others. Caps and segment wait for the first object,
    /// since caps cannot follow the segment.
    pub(super) fn begin_without_object(&self, start: &StreamStart) {
        let begins = !std::mem::replace(&mut self.imp().stream.lock().unwrap().started, true);
        if begins {
            let stream_id = format!("{}/{}", start.stream_id, self.name());
            self.push_event(gst::event::StreamStart::builder(&stream_id).group_id(start.group_id).build());
        }
    }

    /// Pushes the event that an object is withdrawn, if anything has been pushed before.
    pub(super) fn push_removal(&self, event: gst::Event) {
        let has_started = self.imp().stream.lock().unwrap().started;
        if has_started {
            self.push_event(event);
        }
    }

    /// Pushes the events that have to come before an object with these caps and were not pushed yet. Media that has a
    /// `time`, and a place on the running time, is in a segment of time, else it is in one of bytes.
    fn begin(&self, start: &StreamStart, caps: Option<gst::Caps>, time: Option<Duration>) {
        self.begin_without_object(start);
        // Where the Content-Type says nothing a lone object has no caps, so that a typefind element looks for itself. In a
        // stream of many objects there are some from the start.
        let is_lone = self.imp().filter.lock().unwrap().path.is_some();
        let untyped = || (!is_lone).then(|| gst::Caps::new_empty_simple("application/octet-stream"));
        let mut events = Vec::new();
        {
            let mut stream = self.imp().stream.lock().unwrap();
            if let Some(caps) = caps.or_else(untyped).filter(|caps| stream.caps.as_ref() != Some(caps)) {
                events.push(gst::event::Caps::new(&caps));
                stream.caps = Some(caps);
            }
            if !std::mem::replace(&mut stream.segment_sent, true) {
                events.push(match stream.offset.zip(time) {
                    Some((offset, time)) => gst::event::Segment::new(&segment_of_media(offset, time)),
                    None => gst::event::Segment::new(&gst::FormattedSegment::<gst::format::Bytes>::new()),
                });
            }
        }
        for event in events {
            self.push_event(event);
        }
    }
}

/// The segment of media from a time on.
fn segment_of_media(offset: Offset, time: Duration) -> gst::FormattedSegment<gst::ClockTime> {
    let first = offset.first_played(time);
    let base = u64::try_from(offset.running_time(first)).unwrap_or(0);
    let first = gst::ClockTime::try_from(first).unwrap_or(gst::ClockTime::ZERO);
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_start(first);
    segment.set_time(first);
    segment.set_position(first);
    segment.set_base(gst::ClockTime::from_nseconds(base));
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_go_across_folders() {
        let matches = |glob: &str, text| Pattern::new(Some(glob.to_owned())).unwrap().matches(text);
        assert!(matches("*.m4s", "http://h/a/b/1.m4s"));
        assert!(matches("video_*.{m4s,mp4}", "video_init.mp4"));
        assert!(!matches("video_*.m4s", "audio_1.m4s"));
        assert!(!matches("*.m4s", "1.M4S"));
        assert!(Pattern::default().matches("anything"));
        assert!(Pattern::new(Some("{".to_owned())).is_err());
    }
}
