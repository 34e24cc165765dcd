// SPDX-License-Identifier: MPL-2.0

//! `flutedirsink`: objects become files.

use gst::glib;
use gst::prelude::*;

mod imp;
mod location_pattern;
mod manifest_names;
mod object_bytes;
mod relative_path;
mod target_folder;
mod warnings;
mod writer;
mod written_files;

glib::wrapper! {
    /// The element `flutedirsink`.
    pub struct FluteDirSink(ObjectSubclass<imp::FluteDirSink>) @extends gst_base::BaseSink, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    #[cfg(feature = "doc")]
    relative_path::UrlMapping::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "flutedirsink", gst::Rank::NONE, FluteDirSink::static_type())
}
