// SPDX-License-Identifier: MPL-2.0

//! Media segments in front of demuxers: which pads deliver them in order, and when their turn has come.

use std::time::Duration;

use flute_proto::Time;
use flute_proto::receiver::ObjectInfo;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::FluteSrcPad;
use super::enums::SegmentOrder;
use super::imp::FluteSrc;
use super::messages;
use super::order::{Content, MediaObject, Order, Reason, Segment};
use super::pad_order::{PadOrder, Payload};
use crate::debug::FLUTESRC as CAT;
use crate::media_type;

/// How many elements are looked at downstream of a pad.
const MAX_ELEMENTS: u32 = 16;

/// Whether a pad leads to an element that takes media segments apart, as far as elements pass them on.
fn feeds_demuxer(pad: &gst::Pad, elements_left: u32) -> bool {
    let Some(mut peer) = pad.peer().filter(|_| elements_left > 0) else { return false };
    loop {
        let Some(element) = peer.parent_element() else { return false };
        let class = element.metadata(gst::ELEMENT_METADATA_KLASS).unwrap_or_default();
        let is_bin = element.is::<gst::Bin>();
        let is_typefind = element.factory().is_some_and(|factory| factory.name() == "typefind");
        let is_decoder = is_bin && ["Decoder", "Parser"].iter().any(|kind| class.contains(kind));
        if is_typefind || is_decoder || class.contains("Demuxer") {
            return true;
        }
        // Into a bin.
        match peer.downcast_ref::<gst::GhostPad>().and_then(|ghost| ghost.target()) {
            Some(target) => peer = target,
            None => return element.src_pads().into_iter().any(|pad| feeds_demuxer(&outermost(pad), elements_left - 1)),
        }
    }
}

/// The pad of a bin through which a pad inside of it leads out, or the pad itself.
fn outermost(pad: gst::Pad) -> gst::Pad {
    let inner = pad.peer().and_then(|peer| peer.downcast::<gst::ProxyPad>().ok());
    match inner.and_then(|inner| inner.internal()) {
        Some(ghost) if ghost.is::<gst::GhostPad>() && ghost.direction() == gst::PadDirection::Src => {
            outermost(ghost.upcast())
        }
        _ => pad,
    }
}

impl FluteSrc {
    /// Whether a pad delivers media in order.
    fn is_media_wanted(&self, pad: &FluteSrcPad) -> bool {
        let settings = self.settings.lock().unwrap();
        // A URI that names one object asks for that object, whatever it is.
        let (order, is_lone) = (settings.order, settings.path.is_some());
        drop(settings);
        match order {
            _ if is_lone => false,
            SegmentOrder::Arrival => false,
            SegmentOrder::Media => true,
            SegmentOrder::Auto => feeds_demuxer(pad.upcast_ref(), MAX_ELEMENTS),
        }
    }

    /// How long segments of a pad may have to wait for each other.
    pub(super) fn latency(&self, pad: &FluteSrcPad) -> gst::ClockTime {
        let is_media = pad.is_media().unwrap_or_else(|| self.is_media_wanted(pad));
        let deadline = self.settings.lock().unwrap().segment_deadline;
        if is_media { gst::ClockTime::from_nseconds(deadline) } else { gst::ClockTime::ZERO }
    }

    /// Whether a pad delivers media in order, which is decided now if it was not before.
    pub(super) fn delivers_media(&self, pad: &FluteSrcPad) -> bool {
        if let Some(is_media) = pad.is_media() {
            return is_media;
        }
        let is_media = self.is_media_wanted(pad);
        let order = if is_media {
            let settings = self.settings.lock().unwrap();
            gst::info!(CAT, obj = pad, "objects are delivered as media segments, in order");
            PadOrder::Media(Box::new(Order::new(Duration::from_nanos(settings.segment_deadline), settings.max_memory)))
        } else {
            PadOrder::Arrival
        };
        pad.set_order(order);
        is_media
    }

    /// Gives an object to the order of a pad.
    pub(super) fn put_in_order(&self, pad: &FluteSrcPad, object: &ObjectInfo, buffer: &gst::Buffer, now: Time) {
        let media_type = object
            .file
            .content_type
            .as_deref()
            .map(|content_type| content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let content = match buffer.map_readable() {
            Ok(bytes) => Content::of(&bytes, media_type.as_deref()),
            Err(_) => Content::Other,
        };
        let read = || content.caps().and_then(|caps| caps.parse().ok());
        let caps = media_type.as_deref().and_then(media_type::caps_of_content_type).or_else(read);
        let running = self.obj().current_running_time();
        let object = MediaObject {
            location: object.location().to_owned(),
            media_type,
            size: buffer.size() as u64,
            content,
            payload: Payload { buffer: buffer.clone(), caps, running },
        };
        pad.with_order(|order| order.push(object, now));
        self.tell_dropped(pad);
    }

    /// Pushes the segments whose turn has come, on every pad.
    pub(super) fn push_due_segments(&self) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut deadline: Option<Time> = None;
        let Some(session) = self.state.lock().unwrap().as_ref().map(|state| state.session.clone()) else {
            return Err(gst::FlowError::Flushing);
        };
        for pad in self.source_pads() {
            while let Some(segment) = pad.with_order(|order| order.pop(session.now())).flatten() {
                self.push_segment(&pad, segment)?;
            }
            self.tell_dropped(&pad);
            let next = pad.with_order(|order| order.deadline()).flatten();
            deadline = deadline.into_iter().chain(next).min();
        }
        session.set_other_deadline(deadline);
        Ok(gst::FlowSuccess::Ok)
    }

    /// Pushes what is held on every pad, with gaps where something is missing.
    pub(super) fn push_last_segments(&self) {
        for pad in self.source_pads() {
            pad.with_order(|order| order.finish());
        }
        let _ = self.push_due_segments();
    }

    /// How long until a segment is due on one of the pads.
    pub(super) fn wait_for_segments(&self) -> Option<Duration> {
        let session = self.state.lock().unwrap().as_ref()?.session.clone();
        let pads = self.source_pads();
        let deadline = pads.iter().filter_map(|pad| pad.with_order(|order| order.deadline()).flatten()).min()?;
        Some(deadline.since(session.now()))
    }

    fn push_segment(&self, pad: &FluteSrcPad, segment: Segment<Payload>) -> Result<gst::FlowSuccess, gst::FlowError> {
        gst::debug!(CAT, obj = pad, "{}: {:?}", segment.location, segment.times);
        if segment.missing > 0 {
            gst::info!(CAT, obj = pad, "{} segments are missing before {}", segment.missing, segment.location);
            self.post(messages::segments_missing(&pad.name(), &segment.location, segment.missing));
        }
        let start = {
            let mut state = self.state.lock().unwrap();
            let Some(state) = state.as_mut() else { return Err(gst::FlowError::Flushing) };
            if let Some((start, _)) = segment.times.filter(|_| segment.begins || !pad.is_placed()) {
                let arrived = segment.payload.running.map_or(Duration::ZERO, Duration::from);
                pad.place(state.timeline.place(start, arrived.max(pad.played())));
            }
            state.start.clone()
        };
        let pushed = pad.push_segment(&start, segment);
        gst::trace!(CAT, obj = pad, "pushed: {pushed:?}");
        match self.state.lock().unwrap().as_mut() {
            Some(state) => state.flows.update_pad_flow(pad, pushed),
            None => Err(gst::FlowError::Flushing),
        }
    }

    /// Tells which objects a pad does not deliver.
    fn tell_dropped(&self, pad: &FluteSrcPad) {
        while let Some((location, reason)) = pad.with_order(|order| order.poll_dropped()).flatten() {
            gst::debug!(CAT, obj = pad, "{location} is not delivered: {reason:?}");
            match reason {
                Reason::NoMedia | Reason::Repeated => (),
                Reason::Late => self.post(messages::segment_late(&pad.name(), &location)),
                Reason::OtherRepresentation if pad.is_first_of_another_representation() => gst::element_imp_warning!(
                    self,
                    gst::StreamError::Format,
                    (
                        "{location} is of another representation than the one that pad {} delivers: set location to a \
                         glob that matches one of them",
                        pad.name()
                    )
                ),
                Reason::OtherRepresentation => (),
                Reason::NoRoom => gst::element_imp_warning!(
                    self,
                    gst::ResourceError::NoSpaceLeft,
                    ("{location} is not delivered on pad {}: its initialisation has not come", pad.name())
                ),
            }
        }
    }
}
