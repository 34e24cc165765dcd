// SPDX-License-Identifier: MPL-2.0

//! From what the receiver tells to what the application and the elements downstream get: messages, buffers, EOS.

use std::sync::Arc;
use std::time::Instant;

use flute_proto::receiver::{BlockLoss, Content, Event, Failure, Limit, ObjectInfo, SessionId};
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::enums::OnLoss;
use super::imp::FluteSrc;
use super::losses::{self, Losses};
use super::messages;
use super::progress::{Progress, Step};
use super::queue::{Notice, Popped, Queue};
use crate::debug::FLUTESRC as CAT;
use crate::object_removal::ObjectRemoval;
use crate::{fd_memory, media_type};

fn buffer_of(content: Content) -> std::io::Result<gst::Buffer> {
    match content {
        Content::Memory(bytes) if bytes.is_empty() => Ok(gst::Buffer::new()),
        Content::Memory(bytes) => Ok(gst::Buffer::from_slice(bytes)),
        Content::Delivered => Ok(gst::Buffer::new()),
        Content::File { length: 0, .. } => Ok(gst::Buffer::new()),
        Content::File { file, length } => {
            let length = usize::try_from(length).map_err(std::io::Error::other)?;
            let memory = fd_memory::memory_of_file(file, length)?;
            let mut buffer = gst::Buffer::new();
            buffer.make_mut().append_memory(memory);
            Ok(buffer)
        }
    }
}

/// Which limit is reached, in the words of the properties.
fn limit_text(limit: Limit) -> String {
    match limit {
        Limit::Memory => "max-memory is used up".to_owned(),
        Limit::Sessions => "there are max-sessions sessions".to_owned(),
        Limit::Objects => "there are max-objects objects".to_owned(),
        Limit::ObjectSize => "an object is longer than max-object-size".to_owned(),
        Limit::Expansion => "content decoding makes more than max-expansion times as much of something".to_owned(),
        Limit::FdtInstances => "there are too many FDT Instances".to_owned(),
        Limit::FdtSize => "an FDT Instance is too long".to_owned(),
        Limit::DecodingWork => "decoding takes too much work".to_owned(),
        limit => format!("the limit {limit:?} is reached"),
    }
}

impl FluteSrc {
    pub(super) fn post(&self, structure: gst::Structure) {
        let message = gst::message::Element::builder(structure).src(&*self.obj()).build();
        let _ = self.obj().post_message(message);
    }

    pub(super) fn post_progress(&self, type_: gst::ProgressType, object: &ObjectInfo, text: &str) {
        // Applications wait in PAUSED for what is in progress, and an object there may wait for PLAYING.
        let goes_on = matches!(type_, gst::ProgressType::Start | gst::ProgressType::Continue);
        if goes_on && self.obj().current_state() != gst::State::Playing {
            return;
        }
        let code = format!("object-{}-{}", object.session.tsi, object.toi());
        let text = format!("{}: {text}", object.location());
        let message = gst::message::Progress::builder(type_, &code, &text).src(&*self.obj()).build();
        let _ = self.obj().post_message(message);
    }

    /// Does what an event asks for. An error ends the stream, and its cause was told.
    pub(super) fn handle(&self, event: Event) -> Result<gst::FlowSuccess, gst::FlowError> {
        match event {
            Event::SessionOpened(session) => {
                gst::info!(CAT, imp = self, "session opened: {session:?}");
                if let Some(state) = self.state.lock().unwrap().as_mut() {
                    state.open_sessions.insert(session);
                }
                self.post(messages::session_opened(&session));
            }
            Event::Fdt { session, instance_id, files, rejected, complete } => {
                gst::info!(CAT, imp = self, "TSI {}: FDT Instance {instance_id} of {files} files", session.tsi);
                self.post(messages::fdt(&session, instance_id, files, rejected, complete));
            }
            Event::ObjectStarted(object) => {
                gst::debug!(CAT, imp = self, "started: {}, TOI {}", object.location(), object.toi());
                for pad in self.source_pads().iter().filter(|pad| pad.accepts(&object)) {
                    pad.with_order(|order| order.expect(object.location()));
                }
                self.with_progress(|progress| progress.begin(&object, Instant::now()));
            }
            Event::Progress { object, received } => {
                gst::trace!(CAT, imp = self, "{}: {received} of {} bytes", object.location(), object.transfer_length);
                let type_ = match self.with_progress(|progress| progress.advance(&object, Instant::now())).flatten() {
                    None => return Ok(gst::FlowSuccess::Ok),
                    Some(Step::First) => gst::ProgressType::Start,
                    Some(Step::Further) => gst::ProgressType::Continue,
                };
                let percent = u128::from(received) * 100 / u128::from(object.transfer_length.max(1));
                self.post_progress(type_, &object, &format!("{percent} %"));
            }
            Event::Completed { object, content } => return self.deliver(&object, content),
            Event::Failed { object, reason, missing } => {
                gst::info!(CAT, imp = self, "lost: {}, TOI {}: {reason}", object.location(), object.toi());
                for pad in self.source_pads().iter().filter(|pad| pad.accepts(&object)) {
                    if pad.with_order(|order| order.lose(object.location())).is_none() {
                        pad.mark_discontinuous();
                    }
                }
                if self.with_progress(|progress| progress.end(&object)) == Some(true) {
                    self.post_progress(gst::ProgressType::Canceled, &object, &reason.to_string());
                }
                self.post(messages::lost(&object, &reason, &missing));
                return self.tell_loss(&object, &reason, &missing);
            }
            Event::SessionClosed { session, by_sender, complete } => {
                gst::info!(CAT, imp = self, "session closed: {session:?}, by its sender: {by_sender}");
                self.with_progress(|progress| progress.end_session(&session));
                self.post(messages::session_closed(&session, by_sender, complete));
                if self.note_closed(&session, by_sender || complete) && self.settings.lock().unwrap().eos_on_close {
                    return Err(gst::FlowError::Eos);
                }
            }
            Event::LimitReached { session, limit } => {
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::NoSpaceLeft,
                    ("session with TSI {}: {}, and something was dropped", session.tsi, limit_text(limit))
                );
            }
            Event::FdtUnusable { session, instance_id, reason } => {
                self.post(messages::fdt_unusable(&session, instance_id, &reason));
                let is_new = self.state.lock().unwrap().as_mut().is_some_and(|state| state.fdt_reasons.is_new(&reason));
                let tsi = session.tsi;
                if is_new {
                    gst::element_imp_warning!(
                        self,
                        gst::StreamError::Decode,
                        ("session with TSI {tsi}: FDT Instance {instance_id} cannot be used: {reason}"),
                        ["the objects that it describes may be lost; the sender has to mend it"]
                    );
                } else {
                    gst::debug!(CAT, imp = self, "TSI {tsi}: FDT Instance {instance_id} cannot be used: {reason}");
                }
            }
            Event::Withdrawn(object) => {
                gst::debug!(CAT, imp = self, "withdrawn: {}, TOI {}", object.location(), object.toi());
                let removal = ObjectRemoval {
                    content_location: object.location().to_owned(),
                    now: false,
                    tsi: Some(object.session.tsi.get()),
                    source: object.session.source,
                };
                // What no longer describes an object says nothing of a presentation that is being played.
                for pad in self.source_pads().iter().filter(|pad| pad.accepts(&object) && !self.delivers_media(pad)) {
                    pad.push_removal(removal.clone().into_event());
                }
            }
            event => gst::debug!(CAT, imp = self, "not handled: {event:?}"),
        }
        Ok(gst::FlowSuccess::Ok)
    }

    fn with_progress<R>(&self, act: impl FnOnce(&mut Progress) -> R) -> Option<R> {
        self.state.lock().unwrap().as_mut().map(|state| act(&mut state.progress))
    }

    /// Tells of a lost object as the property `on-loss` says. As an error it ends the stream.
    fn tell_loss(
        &self,
        object: &ObjectInfo,
        reason: &Failure,
        missing: &[BlockLoss],
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let on_loss = self.settings.lock().unwrap().on_loss;
        let text = match self.state.lock().unwrap().as_mut() {
            Some(state) => state.losses.count(object, reason, missing, Instant::now()),
            None => None,
        };
        match (on_loss, text) {
            (OnLoss::Ignore, _) | (_, None) => Ok(gst::FlowSuccess::Ok),
            (OnLoss::Warning, Some(text)) => {
                let advice = losses::advice(reason);
                gst::element_imp_warning!(self, gst::ResourceError::Read, ("{text}"), ["{advice}"]);
                Ok(gst::FlowSuccess::Ok)
            }
            (OnLoss::Error, Some(text)) => {
                let advice = losses::advice(reason);
                gst::element_imp_error!(self, gst::ResourceError::Read, ("{text}"), ["{advice}"]);
                // The error is posted. Another one must not follow it.
                Err(gst::FlowError::Eos)
            }
        }
    }

    /// Tells once how many objects were lost, at the end of the stream or of the run.
    pub(super) fn tell_losses(&self, losses: &mut Losses) {
        let summary = losses.take_summary();
        if let Some(summary) = summary.filter(|_| self.settings.lock().unwrap().on_loss == OnLoss::Warning) {
            gst::element_imp_warning!(self, gst::ResourceError::Read, ("{summary}"));
        }
    }

    /// Whether every session is closed by now, and at least one of them by its sender.
    pub(super) fn note_closed(&self, session: &SessionId, by_sender: bool) -> bool {
        let mut state = self.state.lock().unwrap();
        let Some(state) = state.as_mut() else { return false };
        state.open_sessions.remove(session);
        state.closed_by_sender |= by_sender;
        state.open_sessions.is_empty() && state.closed_by_sender
    }

    /// Pushes an object to every pad that wants it.
    pub(super) fn deliver(&self, object: &ObjectInfo, content: Content) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut buffer = match buffer_of(content) {
            Ok(buffer) => buffer,
            Err(error) => {
                let name = object.location();
                gst::element_imp_warning!(self, gst::ResourceError::Read, ("{name} cannot be delivered: {error}"));
                return Ok(gst::FlowSuccess::Ok);
            }
        };
        let size = buffer.size() as u64;
        gst::info!(CAT, imp = self, "received: {}, TOI {}, {size} bytes", object.location(), object.toi());
        messages::object_meta(object).put_on(buffer.make_mut());
        if self.with_progress(|progress| progress.end(object)) == Some(true) {
            self.post_progress(gst::ProgressType::Complete, object, "received");
        }
        self.post(messages::received(object, size));

        let running = self.state.lock().unwrap().as_ref().map(|state| (state.start.clone(), state.session.clone()));
        let Some((start, session)) = running else { return Err(gst::FlowError::Flushing) };
        let caps = object.file.content_type.as_deref().and_then(media_type::caps_of_content_type);
        let mut flow = Ok(gst::FlowSuccess::Ok);
        let mut wanted = false;
        for pad in self.source_pads().iter().filter(|pad| pad.accepts(object)) {
            wanted = true;
            if self.delivers_media(pad) {
                self.put_in_order(pad, object, &buffer, session.now());
                continue;
            }
            let pushed = pad.push_object(&start, buffer.clone(), caps.clone());
            gst::trace!(CAT, obj = pad, "pushed: {pushed:?}");
            flow = match self.state.lock().unwrap().as_mut() {
                Some(state) => state.flows.update_pad_flow(pad, pushed),
                None => Err(gst::FlowError::Flushing),
            };
        }
        if !wanted {
            gst::debug!(CAT, imp = self, "no pad wants {}", object.location());
        }
        // The one object that the URI names has been delivered.
        if wanted && flow.is_ok() && self.settings.lock().unwrap().path.is_some() {
            return Err(gst::FlowError::Eos);
        }
        flow
    }

    /// Handles events in order, and ends the stream if one of them asks for it.
    pub(super) fn handle_all(
        &self,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        for event in events {
            match self.handle(event).and_then(|_| self.push_due_segments()) {
                Ok(_) => (),
                Err(gst::FlowError::Eos) => {
                    self.push_eos();
                    return Err(gst::FlowError::Eos);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(gst::FlowSuccess::Ok)
    }

    /// Reports what is incomplete, and ends the stream.
    pub(super) fn finish(&self) {
        let session =
            self.state.lock().unwrap().as_ref().filter(|state| !state.ended).map(|state| state.session.clone());
        let Some(session) = session else { return };
        let mut events = Vec::new();
        session.finish(&mut events);
        if self.handle_all(events) != Err(gst::FlowError::Eos) {
            self.push_eos();
        }
    }

    /// Pushes EOS to every pad, once.
    pub(super) fn push_eos(&self) {
        let (start, mut losses) = match self.state.lock().unwrap().as_mut() {
            Some(state) if !state.ended => {
                state.ended = true;
                (state.start.clone(), std::mem::take(&mut state.losses))
            }
            _ => return,
        };
        self.tell_losses(&mut losses);
        gst::info!(CAT, imp = self, "end of the stream");
        self.push_last_segments();
        for pad in self.source_pads() {
            pad.push_eos(&start);
        }
    }

    /// One round of the task that pushes what the network brought.
    pub(super) fn push_next(&self, queue: &Queue) {
        let flow = match queue.pop(self.wait_for_segments()) {
            Popped::Flushing => Err(gst::FlowError::Flushing),
            Popped::Nothing => self.push_due_segments(),
            Popped::Notice(Notice::Event(event)) => self.handle_all([event]),
            Popped::Notice(Notice::Silence) => {
                let timeout = self.settings.lock().unwrap().timeout;
                self.post(gst::Structure::builder("flute-timeout").field("timeout", timeout).build());
                Ok(gst::FlowSuccess::Ok)
            }
            Popped::Notice(Notice::KernelDropped(datagrams)) => {
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::Read,
                    ("the kernel has dropped {datagrams} datagrams by now: the receive buffer was full"),
                    ["raise buffer-size and net.core.rmem_max, or lower the bitrate of the sender"]
                );
                Ok(gst::FlowSuccess::Ok)
            }
            Popped::Notice(Notice::Failed(error)) => {
                gst::element_imp_error!(self, gst::ResourceError::Read, ("receiving failed: {error}"));
                self.push_eos();
                Err(gst::FlowError::Error)
            }
            Popped::Notice(Notice::Eos) => {
                self.finish();
                Err(gst::FlowError::Eos)
            }
        };
        if let Err(error) = flow {
            self.stop_for(error);
            // What comes from now on has nowhere to go.
            queue.set_flushing(true);
        }
    }

    /// One round of the task that does what is due while no packets come over the pad.
    pub(super) fn meet_deadline(&self) {
        let Some(session) = self.state.lock().unwrap().as_ref().map(|state| state.session.clone()) else {
            let _ = self.srcpad.pause_task();
            return;
        };
        let is_due = session.wait_for_deadline();
        let sink = self.pads.lock().unwrap().sink.clone();
        // Nothing may come between the events of the chain function.
        let _serialized = sink.as_ref().map(|sink| sink.stream_lock());
        match self.state.lock().unwrap().as_ref() {
            // A flush has put another session in its place.
            Some(state) if !Arc::ptr_eq(&state.session, &session) => return,
            Some(state) if is_due && !state.ended => (),
            _ => {
                let _ = self.srcpad.pause_task();
                return;
            }
        }
        let mut events = Vec::new();
        session.feed(None, &mut events, |_, _| ());
        if let Err(error) = self.handle_all(events).and_then(|_| self.push_due_segments()) {
            self.stop_for(error);
        }
    }

    /// Ends the work of the task, and tells why.
    pub(super) fn stop_for(&self, error: gst::FlowError) {
        match error {
            gst::FlowError::Flushing => gst::debug!(CAT, imp = self, "flushing"),
            gst::FlowError::Eos => self.push_eos(),
            gst::FlowError::NotLinked => {
                gst::element_imp_error!(
                    self,
                    gst::StreamError::Failed,
                    ("not linked: link the pad src, for example to flutedirsink")
                );
                self.push_eos();
            }
            error => {
                gst::element_imp_error!(
                    self,
                    gst::StreamError::Failed,
                    ("the stream was stopped downstream"),
                    ["flow: {error:?}"]
                );
                self.push_eos();
            }
        }
        let _ = self.srcpad.pause_task();
    }
}
