// SPDX-License-Identifier: MPL-2.0

//! `flutedirsink`: objects become files.

use gst::glib;
use gst::prelude::*;

mod imp;
mod object_bytes;
mod url_mapping;

glib::wrapper! {
    /// The element `flutedirsink`.
    pub struct FluteDirSink(ObjectSubclass<imp::FluteDirSink>) @extends gst_base::BaseSink, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    #[cfg(feature = "doc")]
    url_mapping::FluteDirSinkUrlMapping::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "flutedirsink", gst::Rank::NONE, FluteDirSink::static_type())
}
