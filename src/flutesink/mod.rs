// SPDX-License-Identifier: MPL-2.0

//! `flutesink`: objects in, packets out.

use gst::glib;
use gst::prelude::*;

mod actions;
mod clock;
mod collector;
mod default_rate;
mod enums;
mod fragment;
mod held_manifests;
mod imp;
mod lifecycle;
mod messages;
mod naming;
mod output;
mod pad;
mod pad_requests;
mod pad_settings;
mod queries;
mod queue_limits;
mod session;
mod settings;
mod shared_sessions;
mod signals;
mod source;
mod spool;
mod state;
mod stream;
mod streaming;
mod timing;

/// Caps of FLUTE packets.
const PACKET_CAPS: &str = "application/x-flute";

glib::wrapper! {
    /// The element.
    pub struct FluteSink(ObjectSubclass<imp::FluteSink>) @extends gst::Element, gst::Object, @implements gst::ChildProxy, gst::URIHandler;
}

glib::wrapper! {
    /// A pad that takes objects.
    pub struct FluteSinkPad(ObjectSubclass<pad::FluteSinkPad>) @extends gst::Pad, gst::Object;
}

/// Registers the element and its types.
pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    FluteSinkPad::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    for choice in [
        enums::FluteProfile::static_type(),
        enums::FluteFec::static_type(),
        enums::FluteContentEncoding::static_type(),
        enums::FlutePacketOverhead::static_type(),
        enums::FluteEosPolicy::static_type(),
        enums::FluteNextObject::static_type(),
        enums::FluteCarousel::static_type(),
    ] {
        choice.mark_as_plugin_api(gst::PluginAPIFlags::empty());
    }
    gst::Element::register(Some(plugin), "flutesink", gst::Rank::NONE, FluteSink::static_type())
}
