// SPDX-License-Identifier: MPL-2.0

//! What the pads and the element answer when they are asked.

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::enums::FluteNextObject;
use super::imp::FluteSink;
use super::streaming::is_live;
use super::{FluteSinkPad, shared_sessions};

impl FluteSink {
    pub(super) fn sink_query(&self, pad: &FluteSinkPad, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Seeking(seeking) if seeking.format() == gst::Format::Bytes => {
                let end = gst::GenericFormattedValue::none_for_format(gst::Format::Bytes);
                seeking.set(self.takes_any_order(pad), gst::format::Bytes::ZERO, end);
                true
            }
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }

    /// Whether bytes can be written over those that came before.
    fn takes_any_order(&self, pad: &FluteSinkPad) -> bool {
        let (next_object, is_progressive) = {
            let settings = pad.imp().settings.lock().unwrap();
            (settings.next_object, settings.progressive)
        };
        let is_stream = match next_object {
            FluteNextObject::Stream => true,
            FluteNextObject::Auto => shared_sessions::is_in_splitmuxsink(&self.obj()),
            FluteNextObject::Buffer | FluteNextObject::Fragment => false,
        };
        is_stream && !is_progressive
    }

    pub(super) fn src_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Latency(latency) => {
                // Packets are stamped with the time at which they are made, so that nothing upstream adds to it.
                latency.set(self.sink_pads().iter().any(is_live), gst::ClockTime::ZERO, gst::ClockTime::NONE);
                true
            }
            _ => self.session_query(query).unwrap_or_else(|| gst::Pad::query_default(pad, Some(&*self.obj()), query)),
        }
    }

    /// What is asked of the session, on the src pad or, where packets go to the network, of the element; `None` for what
    /// is not asked of it.
    pub(super) fn session_query(&self, query: &mut gst::QueryRef) -> Option<bool> {
        let stats = || self.session().map(|session| session.with_sender(|sender, _| sender.stats()));
        let answered = match query.view_mut() {
            // Packets cannot be played from the middle.
            gst::QueryViewMut::Seeking(seeking) => {
                let none = gst::GenericFormattedValue::none_for_format(seeking.format());
                seeking.set(false, none, none);
                true
            }
            gst::QueryViewMut::Position(position) => match (position.format(), stats()) {
                (gst::Format::Bytes, Some(stats)) => {
                    position.set(gst::format::Bytes::from_u64(stats.bytes));
                    true
                }
                // A receiver has one buffer for each object.
                (gst::Format::Buffers, Some(stats)) => {
                    position.set(gst::format::Buffers::from_u64(stats.transfers));
                    true
                }
                _ => false,
            },
            gst::QueryViewMut::Duration(_) => false,
            gst::QueryViewMut::Uri(uri) => {
                let settings = self.settings.lock().unwrap().uri();
                uri.set_uri(settings.as_deref());
                settings.is_some()
            }
            _ => return None,
        };
        Some(answered)
    }
}
