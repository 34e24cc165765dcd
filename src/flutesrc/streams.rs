// SPDX-License-Identifier: MPL-2.0

//! What goes over the pads of the element: packets in, events and queries both ways.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flute_proto::Time;
use flute_proto::receiver::Endpoints;
use gio::prelude::*;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::FluteSrcPad;
use super::imp::FluteSrc;
use super::state::Input;
use crate::debug::FLUTESRC as CAT;
use flute_net::reception::SharedReceiver;

/// Timestamps of this many nanoseconds and more are wall-clock times: no stream has run since 2001-09-09.
const WALL_CLOCK_THRESHOLD: u64 = 1_000_000_000_000_000_000;

/// The caps of packets.
const PACKET_CAPS: &str = "application/x-flute";

/// Caps of elements that do not know what they pass on, such as typefind and srtsrc.
const UNTYPED_CAPS: &str = "application/octet-stream";

/// Whether these may be the caps of packets.
fn is_of_packets(caps: &gst::CapsRef) -> bool {
    caps.is_any() || caps.iter().any(|structure| [PACKET_CAPS, UNTYPED_CAPS].contains(&structure.name().as_str()))
}

/// The source address that elements of GStreamer note on a packet.
fn sender_of(packet: &gst::BufferRef) -> Option<SocketAddr> {
    let address = packet.meta::<gst_net::NetAddressMeta>()?.addr();
    let address = address.downcast_ref::<gio::InetSocketAddress>()?;
    Some(SocketAddr::new(address.address().into(), address.port()))
}

/// When a packet was captured, if its timestamp says that.
fn capture_time(packet: &gst::BufferRef) -> Option<Time> {
    let nanoseconds = packet.pts()?.nseconds();
    (nanoseconds >= WALL_CLOCK_THRESHOLD).then(|| Time::from_unix(Duration::from_nanos(nanoseconds)))
}

impl FluteSrc {
    pub(super) fn take_packets<'a>(
        &self,
        packets: impl IntoIterator<Item = &'a gst::BufferRef>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let session = match self.state.lock().unwrap().as_ref() {
            Some(state) if state.ended => return Err(gst::FlowError::Eos),
            Some(state) => state.session.clone(),
            None => return Err(gst::FlowError::Flushing),
        };
        let mut events = Vec::new();
        for packet in packets {
            let Ok(map) = packet.map_readable() else {
                gst::element_imp_error!(self, gst::ResourceError::Read, ("a packet cannot be read"));
                return Err(gst::FlowError::Error);
            };
            let endpoints = Endpoints { source: sender_of(packet), destination: None };
            session.feed(capture_time(packet), &mut events, |receiver, now| receiver.push(endpoints, &map, now));
        }
        let malformed = session.with_receiver(|receiver| receiver.malformed_datagrams());
        if malformed > 0 {
            self.tell_malformed();
        }
        self.handle_all(events)
    }

    /// Tells once that what comes over the pad is no ALC.
    fn tell_malformed(&self) {
        let told = match self.state.lock().unwrap().as_mut() {
            Some(state) => std::mem::replace(&mut state.told_malformed, true),
            None => true,
        };
        if !told {
            gst::element_imp_warning!(
                self,
                gst::StreamError::WrongType,
                ("some packets are no ALC (RFC 5775), and are left out"),
                [
                    "each buffer must be the payload of one UDP datagram of a FLUTE session; stats counts them as malformed"
                ]
            );
        }
    }

    pub(super) fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "{event:?}");
        match event.view() {
            gst::EventView::Caps(caps) if !is_of_packets(caps.caps()) => {
                gst::element_imp_error!(
                    self,
                    gst::StreamError::WrongType,
                    (
                        "{} are no packets of FLUTE: the pad sink takes {PACKET_CAPS}, or buffers without caps",
                        caps.caps()
                    )
                );
                false
            }
            // The streams of objects have their own.
            gst::EventView::StreamStart(_) | gst::EventView::Caps(_) | gst::EventView::Segment(_) => true,
            // A pause of the packets is none of the objects.
            gst::EventView::Gap(_) | gst::EventView::SegmentDone(_) => true,
            gst::EventView::Eos(_) => {
                self.finish();
                true
            }
            gst::EventView::FlushStop(_) => {
                self.restart();
                self.push_event(&event)
            }
            _ => {
                if event.is_serialized() && !matches!(event.type_(), gst::EventType::FlushStart) {
                    self.begin_streams();
                }
                gst::Pad::event_default(pad, Some(&*self.obj()), event)
            }
        }
    }

    /// Pushes an event to every source pad. Returns whether one of them took it.
    pub(super) fn push_event(&self, event: &gst::Event) -> bool {
        self.source_pads().iter().filter(|pad| pad.push_event(event.clone())).count() > 0
    }

    /// After a flush everything begins anew: what a seek repeats is delivered again.
    pub(super) fn restart(&self) {
        let mut over_pad = false;
        if let Some(state) = self.state.lock().unwrap().as_mut() {
            over_pad = matches!(state.input, Input::Pad);
            if over_pad {
                state.session.interrupt();
                state.session = Arc::new(SharedReceiver::new(state.config.clone()));
            }
            state.open_sessions.clear();
            state.closed_by_sender = false;
            state.ended = false;
            state.flows.reset();
        }
        for pad in self.source_pads() {
            pad.flushed();
        }
        if over_pad && self.start_task(None).is_err() {
            gst::warning!(CAT, imp = self, "deadlines are met only when packets come");
        }
    }

    /// So that events of others come after those with which every stream has to begin.
    pub(super) fn begin_streams(&self) {
        let Some(start) = self.state.lock().unwrap().as_ref().map(|state| state.start.clone()) else { return };
        for pad in self.source_pads() {
            pad.begin_without_object(&start);
        }
    }

    pub(super) fn src_event(&self, pad: &FluteSrcPad, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "{event:?}");
        match event.view() {
            gst::EventView::Seek(_) if self.is_for_one_object() => self.seek(&event),
            // Objects come when they come.
            gst::EventView::Seek(_) => false,
            _ if self.queue().is_some() => true,
            _ => gst::Pad::event_default(pad, Some(&*self.obj()), event),
        }
    }

    pub(super) fn src_query(&self, pad: &FluteSrcPad, query: &mut gst::QueryRef) -> bool {
        if self.is_for_one_object()
            && let Some(answered) = self.object_query(query)
        {
            return answered;
        }
        match query.view_mut() {
            gst::QueryViewMut::Latency(latency) if self.queue().is_some() => {
                // An object is pushed when its last packet is there, whenever that is; media waits for what is before it.
                latency.set(true, self.latency(pad), gst::ClockTime::NONE);
                true
            }
            gst::QueryViewMut::Latency(_) => {
                let answered = gst::Pad::query_default(pad, Some(&*self.obj()), query);
                let gst::QueryViewMut::Latency(latency) = query.view_mut() else { return answered };
                // What is not live has no time at which it has to be there.
                if let (true, (true, min, max)) = (answered, latency.result()) {
                    let own = self.latency(pad);
                    latency.set(true, min + own, max.map(|max| max + own));
                }
                answered
            }
            gst::QueryViewMut::Position(position) if position.format() == gst::Format::Bytes => {
                position.set(gst::format::Bytes::from_u64(pad.position().0));
                true
            }
            gst::QueryViewMut::Position(position) if position.format() == gst::Format::Buffers => {
                position.set(gst::format::Buffers::from_u64(pad.position().1));
                true
            }
            gst::QueryViewMut::Position(_) | gst::QueryViewMut::Duration(_) => false,
            gst::QueryViewMut::Seeking(seeking) => {
                let format = seeking.format();
                seeking.set(
                    false,
                    gst::GenericFormattedValue::none_for_format(format),
                    gst::GenericFormattedValue::none_for_format(format),
                );
                true
            }
            gst::QueryViewMut::Scheduling(scheduling) => {
                scheduling.set(gst::SchedulingFlags::SEQUENTIAL, 1, -1, 0);
                scheduling.add_scheduling_modes([gst::PadMode::Push]);
                true
            }
            gst::QueryViewMut::Uri(uri) if self.queue().is_some() => {
                uri.set_uri(self.settings.lock().unwrap().uri().as_deref());
                true
            }
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }

    pub(super) fn build_sink(&self, template: &gst::PadTemplate) -> gst::Pad {
        gst::Pad::builder_from_template(template)
            .name("sink")
            .chain_function(|_, parent, buffer| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |this| this.take_packets([buffer.as_ref()]),
                )
            })
            .chain_list_function(|_, parent, list| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |this| this.take_packets(list.iter()),
                )
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |this| this.sink_event(pad, event))
            })
            .build()
    }

    pub(super) fn build_source(template: &gst::PadTemplate, name: &str) -> FluteSrcPad {
        gst::PadBuilder::<FluteSrcPad>::from_template(template)
            .name(name)
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |this| this.src_event(pad, event))
            })
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |this| this.src_query(pad, query))
            })
            .build()
    }

    pub(super) fn request_sink(&self, template: &gst::PadTemplate) -> Option<gst::Pad> {
        if self.state.lock().unwrap().is_some() {
            gst::warning!(CAT, imp = self, "a sink pad comes too late: the element is running");
            return None;
        }
        let pad = self.build_sink(template);
        {
            let mut pads = self.pads.lock().unwrap();
            if pads.sink.is_some() {
                gst::warning!(CAT, imp = self, "there is a sink pad");
                return None;
            }
            pads.sink = Some(pad.clone());
        }
        self.obj().unset_element_flags(gst::ElementFlags::SOURCE);
        self.obj().add_pad(&pad).ok()?;
        Some(pad)
    }

    pub(super) fn request_source(&self, template: &gst::PadTemplate, name: Option<&str>) -> Option<gst::Pad> {
        let wanted = name.and_then(|name| name.strip_prefix("src_")?.parse::<u32>().ok());
        let (pad, name) = {
            let mut pads = self.pads.lock().unwrap();
            let number = wanted.unwrap_or(pads.next_number);
            let name = format!("src_{number}");
            if pads.requested.iter().any(|pad| pad.name() == name) {
                gst::warning!(CAT, imp = self, "there is a pad {name}");
                return None;
            }
            pads.next_number = pads.next_number.max(number.saturating_add(1));
            let pad = Self::build_source(template, &name);
            pads.requested.push(pad.clone());
            (pad, name)
        };
        if let Some(state) = self.state.lock().unwrap().as_mut() {
            state.flows.add_pad(&pad);
        }
        self.obj().add_pad(&pad).ok()?;
        self.obj().child_added(&pad, &name);
        Some(pad.upcast())
    }
}
