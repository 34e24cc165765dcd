// SPDX-License-Identifier: MPL-2.0

/*!
 * plugin-flute:
 *
 * FLUTE (RFC 6726, RFC 3926): delivery of files and media segments over multicast, to any number of receivers, without
 * a return channel.
 *
 * As a Rust library this crate offers what applications share with the elements: the [object meta](object_meta), the
 * [event that removes an object](object_removal) and the [media types](media_type). The elements are registered by `plugin_register_static()`, or by GStreamer when it
 * finds the plugin.
 *
 * Since: 0.1
 */

#![deny(unsafe_code)]

use gst::glib;

mod debug;
#[expect(unsafe_code, reason = "the bindings leave it to the caller that a file descriptor is one")]
mod fd_memory;
mod flutedirsink;
mod flutedirsrc;
mod flutesink;
mod flutesrc;
pub mod media_type;
pub mod object_meta;
pub mod object_removal;
mod shared_sessions;

mod uri;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    object_meta::register();
    flutedirsink::register(plugin)?;
    flutedirsrc::register(plugin)?;
    flutesink::register(plugin)?;
    flutesrc::register(plugin)?;
    Ok(())
}

#[expect(missing_docs, reason = "the macro documents nothing of what it makes")]
mod plugin {
    use super::plugin_init;

    gst::plugin_define!(
        flute,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        // GStreamer's name for the MPL-2.0, which it does not know by version.
        "MPL",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        // Where it comes from: it has no address yet.
        env!("CARGO_PKG_NAME"),
        env!("BUILD_REL_DATE")
    );
}

pub use plugin::plugin_desc::plugin_register_static;
