// SPDX-License-Identifier: MPL-2.0

//! The pads: how they come and go.

use std::sync::atomic::Ordering;

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::FluteSinkPad;
use super::imp::FluteSink;
use crate::debug::FLUTESINK as CAT;

impl FluteSink {
    pub(super) fn sink_pads(&self) -> Vec<FluteSinkPad> {
        self.obj().sink_pads().into_iter().filter_map(|pad| pad.downcast().ok()).collect()
    }

    pub(super) fn request_src_pad(&self, template: &gst::PadTemplate) -> Option<gst::Pad> {
        let element = self.obj();
        if element.static_pad("src").is_some() {
            gst::error!(CAT, imp = self, "there is a src pad already");
            return None;
        }
        if self.session().is_some() {
            gst::error!(CAT, imp = self, "the src pad must be requested before the element is PAUSED");
            return None;
        }
        let pad = gst::Pad::builder_from_template(template)
            .name("src")
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |imp| imp.src_query(pad, query))
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |imp| imp.src_event(pad, event))
            })
            .build();
        element.unset_element_flags(gst::ElementFlags::SINK);
        self.add_pad(pad)
    }

    pub(super) fn request_sink_pad(&self, template: &gst::PadTemplate, name: Option<&str>) -> Option<gst::Pad> {
        let name = match name {
            Some(name) => {
                let number = name.strip_prefix("sink_").and_then(|number| number.parse::<u32>().ok());
                self.next_pad.fetch_max(number.map_or(0, |number| number.saturating_add(1)), Ordering::SeqCst);
                name.to_owned()
            }
            None => format!("sink_{}", self.next_pad.fetch_add(1, Ordering::SeqCst)),
        };
        let pad = gst::PadBuilder::<FluteSinkPad>::from_template(template)
            .name(name)
            .chain_function(|pad, parent, buffer| {
                Self::catch_panic_pad_function(parent, || Err(gst::FlowError::Error), |imp| imp.sink_chain(pad, buffer))
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |imp| imp.sink_event(pad, event))
            })
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |imp| imp.sink_query(pad, query))
            })
            .build();
        self.add_pad(pad.upcast())
    }

    fn add_pad(&self, pad: gst::Pad) -> Option<gst::Pad> {
        let element = self.obj();
        // An element that runs gets pads that do.
        if element.current_state() >= gst::State::Paused
            && let Err(error) = pad.set_active(true)
        {
            gst::error!(CAT, imp = self, "{error}");
            return None;
        }
        if let Err(error) = element.add_pad(&pad) {
            gst::error!(CAT, imp = self, "{error}");
            return None;
        }
        element.child_added(&pad, &pad.name());
        Some(pad)
    }
}
