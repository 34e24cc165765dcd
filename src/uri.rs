// SPDX-License-Identifier: MPL-2.0

//! URIs of sessions as GStreamer's URI handlers take them.

use flute_net::UriError;
use gst::glib;

/// The error that a URI handler answers with.
pub(crate) fn bad_uri(error: UriError) -> glib::Error {
    glib::Error::new(gst::URIError::BadUri, &error.to_string())
}
