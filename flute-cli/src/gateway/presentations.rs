// SPDX-License-Identifier: MPL-2.0

//! The presentations of a service: manifests that the page plays.

use std::path::Path;

use flute_http::ObjectStore;
use flute_media::ManifestFormat;
use flute_proto::content_location::{LocationPath, of_file_name, of_file_path};
use serde_json::{Value, json};

/// Presentations of a service that are shown.
const MAX_PRESENTATIONS: usize = 32;

/// A presentation: the path of its manifest on this server, and its format.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Presentation {
    path: String,
    format: &'static str,
}

impl Presentation {
    /// The presentations of a service of this name, in the order of their paths.
    pub(super) fn all_of(service: &str, objects: &ObjectStore) -> Vec<Self> {
        let manifests = objects.manifests(MAX_PRESENTATIONS);
        let presentations = manifests.iter().filter_map(|manifest| {
            Self::of_manifest(service, manifest.location(), manifest.file.content_type.as_deref())
        });
        let mut presentations: Vec<_> = presentations.collect();
        presentations.sort();
        presentations
    }

    fn of_manifest(service: &str, location: &str, content_type: Option<&str>) -> Option<Self> {
        let format = match flute_media::manifest_format(content_type, location)? {
            ManifestFormat::Dash => "dash",
            ManifestFormat::Hls => "hls",
            _ => return None,
        };
        let object = of_file_path(Path::new(&LocationPath::of_location(location).to_path()));
        Some(Self { path: format!("/{}/{object}", of_file_name(service.as_bytes())), format })
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "path": self.path, "format": self.format })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_formats() {
        let of = |service, location, content_type| {
            Presentation::of_manifest(service, location, content_type).map(|found| (found.path, found.format))
        };
        assert_eq!(of("tv", "live.mpd", None), Some(("/tv/live.mpd".to_owned(), "dash")));
        assert_eq!(of("tv", "a b/x%3Fy", Some("audio/mpegurl")), Some(("/tv/a%20b/x%3Fy".to_owned(), "hls")));
        assert_eq!(of("::1", "http://h/a.m3u8?t=1", None), Some(("/%3A%3A1/http%3A/h/a.m3u8".to_owned(), "hls")));
        assert_eq!(of("tv", "a.ism", Some("application/vnd.ms-sstr+xml")), None);
        assert_eq!(of("tv", "a.mp4", Some("video/mp4")), None);
    }
}
