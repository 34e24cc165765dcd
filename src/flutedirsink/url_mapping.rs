// SPDX-License-Identifier: MPL-2.0

//! The type of the property `url-mapping`.

use flute_folder::target::UrlMapping;
use gst::glib;

/// What becomes of the authority of a URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFluteDirSinkUrlMapping")]
#[repr(i32)]
pub enum FluteDirSinkUrlMapping {
    /// `http://host:8080/a/b.mp4` is `host:8080/a/b.mp4`.
    #[default]
    #[enum_value(name = "Host and path: http://host/a/b is host/a/b", nick = "host-path")]
    HostPath,
    /// `http://host:8080/a/b.mp4` is `a/b.mp4`.
    #[enum_value(name = "Path only: http://host/a/b is a/b", nick = "path")]
    Path,
}

impl From<FluteDirSinkUrlMapping> for UrlMapping {
    fn from(mapping: FluteDirSinkUrlMapping) -> Self {
        match mapping {
            FluteDirSinkUrlMapping::HostPath => Self::HostPath,
            FluteDirSinkUrlMapping::Path => Self::Path,
        }
    }
}
