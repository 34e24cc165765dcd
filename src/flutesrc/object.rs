// SPDX-License-Identifier: MPL-2.0

//! One object as a stream: where the URI has a path, the element is a source as of a file. It waits for the object in a
//! session of the process, pushes it in pieces, seeks in it, and ends.

use std::ops::ControlFlow;
use std::sync::Arc;

use gst::format::Bytes;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::imp::FluteSrc;
use super::messages;
use crate::debug::FLUTESRC as CAT;
use crate::media_type;
use crate::shared_sessions::{NoPresentation, OpenError, Request, SharedSessions, User};
use flute_http::{Missing, Piece, StoredObject};
use flute_proto::content_location::LocationPath;

/// Elements between this one and a demuxer, at most: a typefind, a queue.
const MAX_CHAIN: usize = 8;

/// Bytes of a buffer, at most.
const PIECE: usize = 256 << 10;

/// Moves a segment. `false` if that cannot be done.
fn seek_in(segment: &mut gst::FormattedSegment<Bytes>, seek: &gst::event::Seek) -> bool {
    let (rate, flags, start_type, start, stop_type, stop) = seek.get();
    let (gst::GenericFormattedValue::Bytes(start), gst::GenericFormattedValue::Bytes(stop)) = (start, stop) else {
        return false;
    };
    let needs_duration = [start_type, stop_type].contains(&gst::SeekType::End);
    if rate <= 0.0 || needs_duration && segment.duration().is_none() {
        return false;
    }
    segment.do_seek(rate, flags, start_type, start, stop_type, stop).is_some()
}

/// Whether the next element that is more than a link of a chain is an adaptive demuxer that fetches over HTTP by itself,
/// and by no element: those of the plugin adaptivedemux2.
fn leads_to_http_client(mut pad: gst::Pad) -> bool {
    for _ in 0..MAX_CHAIN {
        let Some(element) = pad.peer().and_then(|peer| peer.parent_element()) else { return false };
        if element.factory().and_then(|factory| factory.plugin_name()).is_some_and(|name| name == "adaptivedemux2") {
            return true;
        }
        let Some(next) = element.static_pad("src") else { return false };
        pad = next;
    }
    false
}

impl FluteSrc {
    /// Whether the URI names one object, which the element gets by itself, or a player made the element for a URI without
    /// a path, which means the presentation of the session.
    pub(super) fn is_for_one_object(&self) -> bool {
        let has_path = self.settings.lock().unwrap().path.is_some();
        self.pads.lock().unwrap().sink.is_none() && (has_path || self.is_made_by_player())
    }

    /// Whether the element is in a bin of GStreamer's playback, which makes sources for URIs and takes one stream of them.
    fn is_made_by_player(&self) -> bool {
        let parent = self.obj().parent().and_downcast::<gst::Element>();
        let plugin = parent.and_then(|parent| parent.factory()).and_then(|factory| factory.plugin_name());
        plugin.is_some_and(|name| name == "playback")
    }

    /// The path of the one object, as far as it is known.
    fn object_path(&self) -> Option<String> {
        let path = self.settings.lock().unwrap().path.clone();
        path.or_else(|| self.object.presentation.lock().unwrap().clone())
    }

    /// The URI of the one object.
    fn object_uri(&self) -> Option<String> {
        let path = self.object_path();
        self.settings.lock().unwrap().uri_of(path)
    }

    /// Finds the presentation of a session in whose URI there is no path. `None` if there is none, which has been told.
    fn find_presentation(&self, user: &User) -> Option<String> {
        gst::debug!(CAT, imp = self, "waiting for a manifest");
        match user.presentation() {
            Ok(path) => {
                gst::info!(CAT, imp = self, "the presentation is {path}");
                *self.object.presentation.lock().unwrap() = Some(path.clone());
                Some(path)
            }
            Err(NoPresentation::Interrupted) => None,
            Err(error) => {
                gst::element_imp_error!(self, gst::ResourceError::NotFound, ("{error}"));
                self.push_eos();
                None
            }
        }
    }

    /// Finds the session, or opens one.
    pub(super) fn open_object(&self, request: &Request, path: &str) -> Result<Arc<User>, gst::ErrorMessage> {
        let user =
            SharedSessions::global().open(request, &LocationPath::of_decoded(path)).map_err(|error| match error {
                OpenError::Socket(_) => gst::error_msg!(gst::ResourceError::OpenRead, ("{error}")),
                OpenError::Thread(_) => gst::error_msg!(gst::ResourceError::Failed, ("{error}")),
                OpenError::Full => gst::error_msg!(gst::ResourceError::Busy, ("{error}")),
            })?;
        let user = Arc::new(user);
        // The one before goes only now, so that a session is not without users in between.
        *self.object.user.lock().unwrap() = Some(user.clone());
        Ok(user)
    }

    /// One round of the task: waits for the object, or pushes the next piece of it.
    pub(super) fn push_piece(&self, user: &User) {
        let known = self.object.run.lock().unwrap().object.clone();
        let object = match known.map_or_else(|| self.begin_object(user), ControlFlow::Continue) {
            ControlFlow::Continue(object) => object,
            ControlFlow::Break(()) => {
                let _ = self.srcpad.pause_task();
                return;
            }
        };
        let flow = self.next_piece(&object);
        if let Err(error) = flow {
            self.stop_for(error);
        }
    }

    /// Waits for the object, and begins the stream.
    fn begin_object(&self, user: &User) -> ControlFlow<(), Arc<StoredObject>> {
        self.begin_streams();
        let Some(path) = self.object_path().or_else(|| self.find_presentation(user)) else {
            return ControlFlow::Break(());
        };
        gst::debug!(CAT, imp = self, "waiting for {path}");
        let object = match user.object(&LocationPath::of_decoded(&path)) {
            Ok(object) => object,
            Err(Missing::Interrupted) => return ControlFlow::Break(()),
            Err(missing) => {
                self.post_missing(&path, &missing);
                self.push_eos();
                return ControlFlow::Break(());
            }
        };
        let info = object.info();
        gst::info!(CAT, imp = self, "delivering {}, TOI {}, {} bytes", info.location(), info.toi(), object.len());
        self.post(messages::received(info, object.len()));
        {
            let mut run = self.object.run.lock().unwrap();
            run.segment.set_duration(Bytes::from_u64(object.len()));
            if let Some(event) = self.object.pending_seek.lock().unwrap().take()
                && let gst::EventView::Seek(seek) = event.view()
                && !seek_in(&mut run.segment, seek)
            {
                gst::warning!(CAT, imp = self, "not possible: {seek:?}");
            }
            run.object = Some(object.clone());
        }
        ControlFlow::Continue(object)
    }

    /// The details let adaptive demuxers see that there is no such object, as they would from an HTTP server.
    fn post_missing(&self, path: &str, missing: &Missing) {
        let element = self.obj();
        let error = match missing {
            Missing::Failed(_) => gst::ResourceError::Read,
            _ => gst::ResourceError::NotFound,
        };
        let text = format!("no object {path}: {missing}");
        let mut message = gst::message::Error::builder(error, &text).src(&*element);
        if error == gst::ResourceError::NotFound {
            message = message.details(gst::Structure::builder("details").field("http-status-code", 404u32).build());
        }
        gst::warning!(CAT, imp = self, "{text}");
        let _ = element.post_message(message.build());
    }

    fn next_piece(&self, object: &Arc<StoredObject>) -> Result<gst::FlowSuccess, gst::FlowError> {
        let (start, end, segment) = {
            let mut run = self.object.run.lock().unwrap();
            let start = run.segment.position().map_or(0, |position| *position);
            let end = run.segment.stop().map_or(object.len(), |stop| object.len().min(*stop));
            (start, end, std::mem::take(&mut run.is_segment_due).then(|| run.segment.clone()))
        };
        let is_discontinuous = segment.is_some();
        if let Some(segment) = segment {
            self.push_caps(object);
            self.srcpad.push_event(gst::event::Segment::new(&segment));
        }
        if start >= end {
            return self.end_segment(end);
        }
        let length = usize::try_from(end - start).unwrap_or(usize::MAX).min(PIECE);
        let piece = object.piece(start, length).map_err(|error| {
            gst::element_imp_error!(self, gst::ResourceError::Read, ("reading the spooled object failed: {error}"));
            self.push_eos();
            gst::FlowError::Flushing
        })?;
        let mut buffer = match piece {
            Piece::Shared(slice) => gst::Buffer::from_slice(slice),
            Piece::Read(bytes) => gst::Buffer::from_mut_slice(bytes),
        };
        let next = start + buffer.size() as u64;
        let writable = buffer.make_mut();
        writable.set_offset(start);
        writable.set_offset_end(next);
        if is_discontinuous {
            writable.set_flags(gst::BufferFlags::DISCONT);
        }
        // A buffer with the meta is an object, which a piece of one is not.
        if writable.size() as u64 == object.len() {
            messages::object_meta(object.info()).put_on(writable);
        }
        self.object.run.lock().unwrap().segment.set_position(Bytes::from_u64(next));
        self.srcpad.push(buffer)
    }

    /// Pushes the caps, if there are any and a flush did not leave them. Without caps a typefind element looks for itself.
    fn push_caps(&self, object: &StoredObject) {
        let info = object.info();
        let caps = media_type::caps_of_object(info.file.content_type.as_deref(), info.location());
        if let Some(caps) = caps.filter(|caps| self.srcpad.current_caps().as_ref() != Some(caps)) {
            self.srcpad.push_event(gst::event::Caps::new(&caps));
        }
    }

    /// The last byte of the segment has been pushed.
    fn end_segment(&self, end: u64) -> Result<gst::FlowSuccess, gst::FlowError> {
        if !self.object.run.lock().unwrap().segment.flags().contains(gst::SegmentFlags::SEGMENT) {
            return Err(gst::FlowError::Eos);
        }
        let (element, end) = (self.obj(), Bytes::from_u64(end));
        let _ = element.post_message(gst::message::SegmentDone::builder(end).src(&*element).build());
        self.srcpad.push_event(gst::event::SegmentDone::new(end));
        let _ = self.srcpad.pause_task();
        Ok(gst::FlowSuccess::Ok)
    }

    /// Goes to other bytes of the object: at once, or with the start if the element has not started.
    pub(super) fn seek(&self, event: &gst::Event) -> bool {
        let gst::EventView::Seek(seek) = event.view() else { return false };
        let (_, flags, _, start, _, _) = seek.get();
        if start.format() != gst::Format::Bytes {
            return false;
        }
        let Some(user) = self.user() else {
            *self.object.pending_seek.lock().unwrap() = Some(event.clone());
            return true;
        };
        let is_flushing = flags.contains(gst::SeekFlags::FLUSH);
        if is_flushing {
            self.push_event(&gst::event::FlushStart::builder().seqnum(seek.seqnum()).build());
        }
        user.set_interrupted(true);
        let _ = self.srcpad.pause_task();
        let stream_lock = self.srcpad.stream_lock();
        let moved = {
            let mut run = self.object.run.lock().unwrap();
            run.is_segment_due = true;
            seek_in(&mut run.segment, seek)
        };
        if is_flushing {
            self.push_event(&gst::event::FlushStop::builder(true).seqnum(seek.seqnum()).build());
        }
        if let Some(state) = self.state.lock().unwrap().as_mut() {
            state.ended = false;
        }
        user.set_interrupted(false);
        drop(stream_lock);
        gst::debug!(CAT, imp = self, "{seek:?}: {moved}");
        self.start_task(None).is_ok() && moved
    }

    /// Where the object is found over HTTP, if an element downstream takes manifests of no other kind.
    fn http_url(&self) -> Option<String> {
        if !leads_to_http_client(self.srcpad.clone().upcast()) {
            return None;
        }
        let (user, path) = (self.user()?, self.object_path()?);
        match user.http_url(&path) {
            Ok(url) => {
                gst::info!(CAT, imp = self, "for HTTP it is {url}");
                Some(url)
            }
            Err(error) => {
                gst::warning!(CAT, imp = self, "no HTTP server on the loopback interface: {error}");
                None
            }
        }
    }

    /// Answers a query about the object. `None` leaves it to others.
    pub(super) fn object_query(&self, query: &mut gst::QueryRef) -> Option<bool> {
        let length = || self.object.run.lock().unwrap().object.as_ref().map(|object| Bytes::from_u64(object.len()));
        match query.view_mut() {
            gst::QueryViewMut::Duration(duration) if duration.format() == gst::Format::Bytes => {
                let length = length();
                if let Some(length) = length {
                    duration.set(length);
                }
                Some(length.is_some())
            }
            gst::QueryViewMut::Position(position) if position.format() == gst::Format::Bytes => {
                let reached = self.object.run.lock().unwrap().segment.position();
                position.set(reached.unwrap_or(Bytes::ZERO));
                Some(true)
            }
            gst::QueryViewMut::Seeking(seeking) if seeking.format() == gst::Format::Bytes => {
                seeking.set(true, Bytes::ZERO, length());
                Some(true)
            }
            gst::QueryViewMut::Scheduling(scheduling) => {
                scheduling.set(gst::SchedulingFlags::SEEKABLE, 1, -1, 0);
                scheduling.add_scheduling_modes([gst::PadMode::Push]);
                Some(true)
            }
            gst::QueryViewMut::Latency(latency) => {
                latency.set(false, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                Some(true)
            }
            gst::QueryViewMut::Uri(uri) => {
                uri.set_uri(self.object_uri().as_deref());
                if let Some(url) = self.http_url() {
                    uri.set_redirection(Some(&url), true);
                }
                Some(true)
            }
            _ => None,
        }
    }
}
