// SPDX-License-Identifier: MPL-2.0

//! `flutesrc`: packets become objects.

use gst::glib;
use gst::prelude::*;

mod delivery;
mod enqueue;
mod enums;
mod imp;
mod lifecycle;
mod losses;
mod media;
mod messages;
mod object;
mod one_object;
mod order;
mod pad;
mod pad_order;
mod progress;
mod queue;
mod settings;
mod state;
mod streams;
mod timeline;

glib::wrapper! {
    /// The element `flutesrc`.
    pub struct FluteSrc(ObjectSubclass<imp::FluteSrc>)
        @extends gst::Element, gst::Object, @implements gst::ChildProxy, gst::URIHandler;
}

glib::wrapper! {
    /// A source pad of `flutesrc`.
    pub struct FluteSrcPad(ObjectSubclass<pad::FluteSrcPad>) @extends gst::Pad, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    #[cfg(feature = "doc")]
    {
        enums::OnLoss::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
        enums::ReceiveMode::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
        enums::SegmentOrder::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
        FluteSrcPad::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    }
    gst::Element::register(Some(plugin), "flutesrc", gst::Rank::PRIMARY, FluteSrc::static_type())
}
