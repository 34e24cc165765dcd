// SPDX-License-Identifier: MPL-2.0

//! Content-Types and the endings of file names: the same thing said two ways.

use std::path::Path;

/// A media type, and endings of file names that mean it, in lower case.
type Row = (&'static str, &'static [&'static str]);

/// Types that a general list of endings does not have, or gets wrong.
const TABLE: &[Row] = &[
    ("application/dash+xml", &["mpd"]),
    ("application/vnd.apple.mpegurl", &["m3u8"]),
    ("video/mp4", &["mp4", "m4v", "m4s", "cmfv"]),
    ("audio/mp4", &["m4a", "cmfa"]),
    ("application/mp4", &["cmft"]),
    ("video/quicktime", &["mov", "qt"]),
    ("video/3gpp", &["3gp"]),
    ("video/mp2t", &["ts", "m2ts", "mts"]),
    ("video/mpeg", &["mpg", "mpeg"]),
    ("video/webm", &["webm"]),
    ("audio/webm", &["weba"]),
    ("video/x-matroska", &["mkv"]),
    ("audio/x-matroska", &["mka"]),
    ("audio/mpeg", &["mp3"]),
    ("audio/aac", &["aac"]),
    ("audio/ac3", &["ac3"]),
    ("audio/eac3", &["ec3"]),
    ("application/ogg", &["ogx"]),
    ("audio/ogg", &["ogg", "oga", "opus"]),
    ("video/ogg", &["ogv"]),
    ("audio/flac", &["flac"]),
    ("audio/wav", &["wav"]),
    ("text/vtt", &["vtt"]),
    ("application/x-subrip", &["srt"]),
    ("application/ttml+xml", &["ttml", "imsc1"]),
    ("application/sdp", &["sdp"]),
    ("image/jpeg", &["jpg", "jpeg"]),
    ("image/png", &["png"]),
];

/// Media types of manifests. HLS has several names.
const MANIFESTS: &[(&str, ManifestFormat)] = &[
    ("application/dash+xml", ManifestFormat::Dash),
    ("application/vnd.apple.mpegurl", ManifestFormat::Hls),
    ("application/x-mpegurl", ManifestFormat::Hls),
    ("audio/mpegurl", ManifestFormat::Hls),
    ("application/vnd.ms-sstr+xml", ManifestFormat::SmoothStreaming),
];

/// What kind of manifest an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestFormat {
    /// An MPD of DASH (ISO/IEC 23009-1).
    Dash,
    /// A playlist of HLS (RFC 8216).
    Hls,
    /// A manifest of Smooth Streaming.
    SmoothStreaming,
}

/// Files of ISO BMFF (ISO/IEC 14496-12), and of QuickTime, which has the same boxes.
const MP4: &[&str] =
    &["video/mp4", "video/iso.segment", "application/mp4", "video/quicktime", "audio/mp4", "audio/iso.segment"];

/// Whether an object with this Content-Type and this name is a manifest, by either of them.
///
/// ```
/// assert!(flute_media::is_manifest(Some("application/dash+xml"), "live"));
/// assert!(flute_media::is_manifest(None, "http://example.com/live.m3u8?session=1"));
/// assert!(!flute_media::is_manifest(Some("video/mp4"), "segment.m4s"));
/// ```
pub fn is_manifest(content_type: Option<&str>, name: &str) -> bool {
    manifest_format(content_type, name).is_some()
}

/// What kind of manifest an object with this Content-Type and this name is, if it is one. The Content-Type goes first.
pub fn manifest_format(content_type: Option<&str>, name: &str) -> Option<ManifestFormat> {
    let of_type = |wanted: &str| MANIFESTS.iter().find(|(known, _)| *known == wanted).map(|(_, format)| *format);
    let said = content_type.and_then(|said| of_type(&essence(said)));
    said.or_else(|| of_type(content_type_of_name(name)?))
}

/// Whether an object with this Content-Type and this name is MP4, by either of them.
pub fn is_mp4(content_type: Option<&str>, name: &str) -> bool {
    content_type.is_some_and(|said| MP4.contains(&essence(said).as_str()))
        || content_type_of_name(name).is_some_and(|meant| MP4.contains(&meant))
}

/// A media type without its parameters, in lower case.
pub fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The Content-Type that the ending of a file name, path or URI reference means.
pub fn content_type_of_name(name: &str) -> Option<&'static str> {
    let path = name.split(['?', '#']).next()?;
    let ending = Path::new(path).extension()?.to_str()?.to_ascii_lowercase();
    TABLE
        .iter()
        .find(|(_, endings)| endings.contains(&ending.as_str()))
        .map(|(content_type, _)| *content_type)
        .or_else(|| mime_guess::from_ext(&ending).first_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_and_mp4() {
        for manifest in
            ["application/dash+xml", "application/vnd.apple.mpegurl", "Application/X-MPEGURL; charset=utf-8"]
        {
            assert!(is_manifest(Some(manifest), "x") && !is_mp4(Some(manifest), "x"), "{manifest}");
        }
        for mp4 in ["video/mp4", "audio/mp4; codecs=\"mp4a.40.2\"", "video/iso.segment"] {
            assert!(is_mp4(Some(mp4), "x") && !is_manifest(Some(mp4), "x"), "{mp4}");
        }
        assert!(!is_manifest(Some("application/xml"), "a.xml") && !is_mp4(Some("video/mp2t"), "a.ts"));
        assert!(is_manifest(None, "hls/live.m3u8") && is_manifest(Some("text/xml"), "live.mpd"));
        assert!(is_mp4(None, "seg.m4s") && !is_mp4(None, "m4s"));
    }

    #[test]
    fn formats_of_manifests() {
        assert_eq!(manifest_format(Some("application/dash+xml"), "x"), Some(ManifestFormat::Dash));
        assert_eq!(manifest_format(Some("audio/mpegurl"), "live.mpd"), Some(ManifestFormat::Hls));
        assert_eq!(manifest_format(Some("text/plain"), "live.m3u8"), Some(ManifestFormat::Hls));
        assert_eq!(manifest_format(Some("text/plain"), "live.txt"), None);
    }

    #[test]
    fn endings() {
        assert_eq!(content_type_of_name("live.mpd"), Some("application/dash+xml"));
        assert_eq!(content_type_of_name("http://a.example/x/chunk-1.M4S?t=1.5#z.ts"), Some("video/mp4"));
        assert_eq!(content_type_of_name("a/b.ts"), Some("video/mp2t"));
        assert_eq!(content_type_of_name("notes.txt"), Some("text/plain"));
        assert_eq!(content_type_of_name("folder.mp4/file"), None);
        assert_eq!(content_type_of_name("file.zzz-none"), None);
    }
}
