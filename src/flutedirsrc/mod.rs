// SPDX-License-Identifier: MPL-2.0

//! `flutedirsrc`: the files of a folder as objects.

use gst::glib;
use gst::prelude::*;

mod follow_links;
mod imp;

glib::wrapper! {
    /// The element.
    pub struct FluteDirSrc(ObjectSubclass<imp::FluteDirSrc>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}

/// Registers the element and its type.
pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    follow_links::FluteDirSrcFollowLinks::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "flutedirsrc", gst::Rank::NONE, FluteDirSrc::static_type())
}
