// SPDX-License-Identifier: MPL-2.0

//! What happens on the pads.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flute_proto::sender::{GrowingSource, ObjectError, Removal};
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::FluteSinkPad;
use super::collector::{Collected, Collector, Kind, Origin};
use super::enums::FluteNextObject;
use super::imp::FluteSink;
use super::naming;
use super::output;
use super::session::{Producer, Refusal, SenderSession};
use super::shared_sessions;
use crate::debug::FLUTESINK as CAT;
use crate::object_meta::ObjectMeta;
use crate::object_removal::ObjectRemoval;

impl FluteSink {
    pub(super) fn sink_chain(
        &self,
        pad: &FluteSinkPad,
        buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let session = self.session().ok_or(gst::FlowError::Flushing)?;
        session.flow()?;
        let is_open = pad.imp().state.lock().unwrap().collector.is_some();
        let collector = if is_open { None } else { Some(self.collector(&session, pad, &buffer)?) };
        let is_growing;
        let collected = {
            let mut state = pad.imp().state.lock().unwrap();
            if state.is_eos {
                return Err(gst::FlowError::Eos);
            }
            if let Some(collector) = collector {
                state.collector = Some(collector);
            }
            is_growing = matches!(state.collector, Some(Collector::Growing(_)));
            state.collector.as_mut().map_or(Ok(Vec::new()), |collector| collector.push(buffer))
        };
        if is_growing {
            session.wake();
        }
        match collected {
            Ok(collected) => {
                collected.into_iter().try_for_each(|collected| self.add(&session, pad, collected))?;
                Ok(gst::FlowSuccess::Ok)
            }
            Err(error) => {
                gst::element_imp_error!(self, gst::ResourceError::Read, ("{}: {error}", pad.name()));
                Err(gst::FlowError::Error)
            }
        }
    }

    pub(super) fn sink_event(&self, pad: &FluteSinkPad, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "{event:?}");
        let pad_imp = pad.imp();
        match event.view() {
            gst::EventView::FlushStart(_) => {
                pad_imp.is_flushing.store(true, Ordering::SeqCst);
                if let Some(session) = self.session() {
                    session.wake_producers();
                }
            }
            gst::EventView::FlushStop(_) => {
                pad_imp.is_flushing.store(false, Ordering::SeqCst);
                let mut state = pad_imp.state.lock().unwrap();
                state.collector = None;
                state.segment_format = None;
                state.is_eos = false;
            }
            gst::EventView::StreamStart(stream_start) => {
                let stream_id = gst::glib::GString::from(stream_start.stream_id());
                let is_next = {
                    let state = pad_imp.state.lock().unwrap();
                    state.stream_id.as_ref().is_some_and(|before| *before != stream_id)
                };
                self.post_stream_start(stream_start);
                // One stream after another, as concat makes them.
                let taken = !is_next || self.finish_stream(pad);
                let mut state = pad_imp.state.lock().unwrap();
                state.stream_id = Some(stream_id);
                state.is_eos = false;
                return taken;
            }
            gst::EventView::Caps(caps) => pad_imp.state.lock().unwrap().caps = Some(caps.caps_owned()),
            gst::EventView::Segment(segment) => {
                let mut state = pad_imp.state.lock().unwrap();
                state.segment_format = Some(segment.segment().format());
                let start = segment.segment().downcast_ref::<gst::format::Bytes>().and_then(|bytes| bytes.start());
                // A stream that begins in the middle of something begins there.
                if let (Some(collector), Some(start)) = (&mut state.collector, start) {
                    collector.seek(*start);
                }
            }
            gst::EventView::Eos(_) => {
                let taken = self.finish_stream(pad);
                pad_imp.state.lock().unwrap().is_eos = true;
                if let Some(session) = self.session() {
                    self.finish_if_all_eos(&session, Some(event.seqnum()));
                }
                return taken;
            }
            gst::EventView::CustomDownstream(custom) => {
                if let Some(removal) = ObjectRemoval::of(custom) {
                    let when = if removal.now { Removal::Now } else { Removal::AfterTransfer };
                    if !self.remove_object(&removal.content_location, when) {
                        gst::debug!(CAT, obj = pad, "there is no {} to remove", removal.content_location);
                    }
                }
            }
            // What is said of streams is not said of objects.
            _ => (),
        }
        true
    }

    /// A sink says that a stream begins; an element with a src pad leaves it to the sinks.
    fn post_stream_start(&self, event: &gst::event::StreamStart) {
        let element = self.obj();
        if element.static_pad("src").is_some() {
            return;
        }
        let mut message = gst::message::StreamStart::builder().src(&*element);
        if let Some(group_id) = event.group_id() {
            message = message.group_id(group_id);
        }
        // An element without a bus cannot post it.
        let _ = element.post_message(message.build());
    }

    /// Sends what has been collected.
    fn finish_stream(&self, pad: &FluteSinkPad) -> bool {
        let collector = pad.imp().state.lock().unwrap().collector.take();
        let (Some(collector), Some(session)) = (collector, self.session()) else { return true };
        match collector.finish() {
            Ok(None) => {
                // A growing object ends here, whole or not.
                session.wake();
                true
            }
            Ok(Some(collected)) => self.add(&session, pad, collected).is_ok(),
            Err(error) => {
                gst::element_imp_error!(self, gst::ResourceError::Read, ("{}: {error}", pad.name()));
                false
            }
        }
    }

    /// Hands an object over; no lock is held while that waits.
    fn add(
        &self,
        session: &Arc<SenderSession>,
        pad: &FluteSinkPad,
        collected: Collected,
    ) -> Result<(), gst::FlowError> {
        let settings = self.settings.lock().unwrap().clone();
        let origin = Origin {
            name: naming::upstream_name(pad),
            caps: pad.imp().state.lock().unwrap().caps.clone(),
            is_live: (collected.duration.is_some() || collected.is_file) && is_live(pad),
        };
        let object = collected.into_object(&origin, &mut pad.imp().settings.lock().unwrap(), &settings);
        let object = object.map_err(|error| {
            gst::element_imp_error!(self, gst::ResourceError::Settings, ("{}: {error}", pad.name()));
            gst::FlowError::Error
        })?;
        let location = object.location.clone();
        let producer = Producer {
            queue: pad.name(),
            max_queued: settings.max_queued_bytes,
            waits_in_pause: true,
            is_flushing: &|| pad.imp().is_flushing.load(Ordering::SeqCst),
        };
        match session.add(object, &producer) {
            Ok(Some(toi)) => {
                gst::debug!(CAT, obj = pad, "{location} has TOI {toi}");
                Ok(())
            }
            Ok(None) => {
                gst::debug!(CAT, obj = pad, "{location} waits for what came before it");
                Ok(())
            }
            Err(Refusal::Flow(error)) => Err(error),
            Err(Refusal::Object(ObjectError::Finished)) => Err(gst::FlowError::Eos),
            // Something about this one: others can still be sent.
            Err(Refusal::Object(error @ (ObjectError::Read(_) | ObjectError::ToiInUse(_)))) => {
                gst::element_imp_warning!(self, gst::ResourceError::Read, ("{location} is not sent: {error}"));
                Ok(())
            }
            Err(Refusal::Object(error)) => {
                gst::element_imp_error!(self, gst::ResourceError::Settings, ("{location} cannot be sent: {error}"));
                Err(gst::FlowError::Error)
            }
        }
    }

    /// What takes the buffers of a pad whose first one has come.
    fn collector(
        &self,
        session: &Arc<SenderSession>,
        pad: &FluteSinkPad,
        buffer: &gst::BufferRef,
    ) -> Result<Collector, gst::FlowError> {
        let next_object = self.next_object(pad, buffer);
        let is_progressive = pad.imp().settings.lock().unwrap().progressive;
        if next_object == FluteNextObject::Stream
            && is_progressive
            && let Some(length) = announced_length(pad, buffer)
        {
            let (source, writer) = GrowingSource::new(length);
            let meta = ObjectMeta::of(buffer).map(Box::new);
            self.add(
                session,
                pad,
                Collected { source: Box::new(source), kind: Kind::Whole, is_file: false, duration: None, meta },
            )?;
            return Ok(Collector::Growing(writer));
        }
        let directory = self.settings.lock().unwrap().spool_directory.as_ref().map(PathBuf::from);
        Ok(Collector::new(next_object, directory))
    }

    /// What becomes an object on a pad whose first buffer has come.
    fn next_object(&self, pad: &FluteSinkPad, buffer: &gst::BufferRef) -> FluteNextObject {
        let wanted = pad.imp().settings.lock().unwrap().next_object;
        if wanted != FluteNextObject::Auto {
            return wanted;
        }
        let (caps, format) = {
            let state = pad.imp().state.lock().unwrap();
            (state.caps.clone(), state.segment_format)
        };
        let next_object = if ObjectMeta::of(buffer).is_some() {
            // The description is that of one buffer.
            FluteNextObject::Buffer
        } else if shared_sessions::is_in_splitmuxsink(&self.obj()) {
            FluteNextObject::Stream
        } else if caps.is_some_and(|caps| is_fragmented(&caps)) {
            FluteNextObject::Fragment
        } else if format == Some(gst::Format::Bytes) && is_seekable(pad) {
            FluteNextObject::Stream
        } else {
            FluteNextObject::Buffer
        };
        gst::info!(CAT, obj = pad, "every {next_object:?} becomes an object");
        next_object
    }

    /// Ends the session when no more objects will come from any pad. One that is kept goes on: EOS is told when
    /// all has been sent, or at once if this was one file of many.
    pub(super) fn finish_if_all_eos(&self, session: &SenderSession, seqnum: Option<gst::Seqnum>) {
        let pads = self.sink_pads();
        if pads.is_empty() || !pads.iter().all(|pad| pad.imp().state.lock().unwrap().is_eos) {
            return;
        }
        if !self.keeps_session() {
            self.finish(session, seqnum);
        } else if shared_sessions::is_fed(&self.obj()) {
            output::post_eos(&self.obj(), seqnum);
        } else {
            session.tell_eos_when_sent(seqnum);
        }
    }

    pub(super) fn finish(&self, session: &SenderSession, seqnum: Option<gst::Seqnum>) {
        let policy = self.settings.lock().unwrap().eos_policy;
        gst::info!(CAT, imp = self, "no more objects, {policy:?}");
        session.finish(policy.into(), seqnum);
    }

    pub(super) fn src_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        match event.view() {
            // Packets cannot be played from the middle, nor at another speed.
            gst::EventView::Seek(_) => false,
            _ => gst::Pad::event_default(pad, Some(&*self.obj()), event),
        }
    }
}

/// Whether caps mean fragmented MP4: only that can come without an end.
fn is_fragmented(caps: &gst::CapsRef) -> bool {
    let Some(structure) = caps.structure(0) else { return false };
    let is_mp4 = matches!(structure.name().as_str(), "video/quicktime" | "audio/x-m4a");
    is_mp4 && structure.get::<&str>("variant").is_ok_and(|variant| variant != "apple")
}

/// How long a stream will be.
fn announced_length(pad: &FluteSinkPad, buffer: &gst::BufferRef) -> Option<u64> {
    let described = ObjectMeta::of(buffer).and_then(|meta| meta.content_length);
    described.or_else(|| pad.peer_query_duration::<gst::format::Bytes>().map(u64::from))
}

/// Whether what comes in is captured, or made, as it is streamed.
pub(super) fn is_live(pad: &FluteSinkPad) -> bool {
    let mut query = gst::query::Latency::new();
    pad.peer_query(&mut query) && query.result().0
}

fn is_seekable(pad: &FluteSinkPad) -> bool {
    let mut query = gst::query::Seeking::new(gst::Format::Bytes);
    pad.peer_query(&mut query) && query.result().0
}
