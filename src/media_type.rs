// SPDX-License-Identifier: MPL-2.0

//! Content-Type, GStreamer's caps and the endings of file names: the same thing said three ways.

use std::path::Path;

/// One media type as FLUTE, GStreamer and file systems know it.
struct MediaType {
    content_type: &'static str,
    caps: &'static str,
    /// Endings of file names that mean this type, in lower case.
    endings: &'static [&'static str],
}

const fn media_type(content_type: &'static str, caps: &'static str, endings: &'static [&'static str]) -> MediaType {
    MediaType { content_type, caps, endings }
}

/// Types whose caps have another name than the media type has, or that a general list of endings gets wrong. Where
/// several rows have the same caps, the first one names them.
const TABLE: &[MediaType] = &[
    media_type("application/dash+xml", "application/dash+xml", &["mpd"]),
    media_type("application/vnd.apple.mpegurl", "application/x-hls", &["m3u8"]),
    media_type("application/x-mpegurl", "application/x-hls", &[]),
    media_type("audio/mpegurl", "application/x-hls", &[]),
    media_type("application/vnd.ms-sstr+xml", "application/vnd.ms-sstr+xml", &[]),
    media_type("video/mp4", "video/quicktime, variant=(string)iso", &["mp4", "m4v", "m4s", "cmfv"]),
    media_type("video/iso.segment", "video/quicktime, variant=(string)iso", &[]),
    media_type("audio/mp4", "audio/x-m4a", &["m4a", "cmfa"]),
    media_type("audio/iso.segment", "audio/x-m4a", &[]),
    media_type("application/mp4", "video/quicktime, variant=(string)iso", &["cmft"]),
    media_type("video/quicktime", "video/quicktime, variant=(string)apple", &["mov", "qt"]),
    media_type("video/3gpp", "application/x-3gp", &["3gp"]),
    media_type("video/mp2t", "video/mpegts, systemstream=(boolean)true", &["ts", "m2ts", "mts"]),
    media_type("video/mpeg", "video/mpeg, systemstream=(boolean)true", &["mpg", "mpeg"]),
    media_type("video/webm", "video/webm", &["webm"]),
    media_type("audio/webm", "audio/webm", &["weba"]),
    media_type("video/x-matroska", "video/x-matroska", &["mkv"]),
    media_type("audio/x-matroska", "audio/x-matroska", &["mka"]),
    media_type("audio/mpeg", "audio/mpeg, mpegversion=(int)1, layer=(int)3", &["mp3"]),
    media_type("audio/aac", "audio/mpeg, mpegversion=(int)4, stream-format=(string)adts", &["aac"]),
    media_type("audio/ac3", "audio/x-ac3", &["ac3"]),
    media_type("audio/eac3", "audio/x-eac3", &["ec3"]),
    media_type("application/ogg", "application/ogg", &["ogx"]),
    media_type("audio/ogg", "audio/ogg", &["ogg", "oga", "opus"]),
    media_type("video/ogg", "video/ogg", &["ogv"]),
    media_type("audio/flac", "audio/x-flac", &["flac"]),
    media_type("audio/wav", "audio/x-wav", &["wav"]),
    media_type("text/vtt", "application/x-subtitle-vtt", &["vtt"]),
    media_type("application/x-subrip", "application/x-subtitle", &["srt"]),
    media_type("application/ttml+xml", "application/ttml+xml", &["ttml", "imsc1"]),
    media_type("application/sdp", "application/sdp", &["sdp"]),
    media_type("image/jpeg", "image/jpeg", &["jpg", "jpeg"]),
    media_type("image/png", "image/png", &["png"]),
];

/// Types that say nothing of what is inside.
const GENERIC: &[&str] =
    &["", "application/octet-stream", "binary/octet-stream", "application/xml", "text/xml", "text/plain"];

/// The Content-Type of a stream with these caps: the table's, or the name of the caps, which is a media type by its
/// looks. `None` for what is not a file: any or empty caps, raw media.
pub fn content_type_of_caps(caps: &gst::CapsRef) -> Option<String> {
    let structure = caps.structure(0)?;
    let name = structure.name().as_str();
    let fixed = gst::Caps::from(structure.to_owned());
    let row = TABLE.iter().find(|row| {
        let known: gst::Caps = row.caps.parse().expect("the table has valid caps");
        fixed.can_intersect(&known)
    });
    // A variant that the table does not name, such as cmaf, is still ISO BMFF: only QuickTime's own is `apple`.
    match row {
        Some(row) => Some(row.content_type.to_owned()),
        None if name == "video/quicktime" => Some("video/mp4".to_owned()),
        None if name.ends_with("/x-raw") => None,
        None => Some(name.to_owned()),
    }
}

/// The caps of an object with this Content-Type: the table's, or caps of the same name. `None` where it is no name that
/// caps can have, and for `application/octet-stream`, which says nothing.
pub fn caps_of_content_type(content_type: &str) -> Option<gst::Caps> {
    let name = essence(content_type);
    if let Some(row) = TABLE.iter().find(|row| row.content_type == name) {
        return Some(row.caps.parse().expect("the table has valid caps"));
    }
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.contains('/')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.:+".contains(c));
    (valid && name != "application/octet-stream").then(|| gst::Caps::new_empty_simple(name))
}

/// The caps of an object with this Content-Type and this name. Where the type says little, or is none that is known here,
/// the ending of the name says what it is; `None` where that does not either.
pub fn caps_of_object(content_type: Option<&str>, name: &str) -> Option<gst::Caps> {
    let said = content_type.map(essence).unwrap_or_default();
    let known = |content_type: &str| TABLE.iter().any(|row| row.content_type == content_type);
    let meant = if known(&said) { Some(said.as_str()) } else { content_type_of_name(name).filter(|name| known(name)) };
    meant.or((!GENERIC.contains(&said.as_str())).then_some(&said)).and_then(caps_of_content_type)
}

/// Whether an object with this Content-Type and this name is a manifest, an MPD, a playlist of HLS or one of Smooth Streaming, by either of them.
pub fn is_manifest(content_type: Option<&str>, name: &str) -> bool {
    is_one_of(&["application/dash+xml", "application/x-hls", "application/vnd.ms-sstr+xml"], content_type, name)
}

/// Whether an object with this Content-Type and this name is MP4, by either of them.
pub fn is_mp4(content_type: Option<&str>, name: &str) -> bool {
    is_one_of(&["video/quicktime", "audio/x-m4a"], content_type, name)
}

fn is_one_of(caps: &[&str], content_type: Option<&str>, name: &str) -> bool {
    let caps_are = |content_type: &str| {
        let row = TABLE.iter().find(|row| row.content_type == content_type);
        row.and_then(|row| row.caps.split(',').next()).is_some_and(|name| caps.contains(&name))
    };
    content_type.is_some_and(|said| caps_are(&essence(said))) || content_type_of_name(name).is_some_and(caps_are)
}

/// A media type without its parameters.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The Content-Type that the ending of a file name, path or URI reference means.
pub fn content_type_of_name(name: &str) -> Option<&'static str> {
    let path = name.split(['?', '#']).next()?;
    let ending = Path::new(path).extension()?.to_str()?.to_ascii_lowercase();
    TABLE
        .iter()
        .find(|row| row.endings.contains(&ending.as_str()))
        .map(|row| row.content_type)
        .or_else(|| mime_guess::from_ext(&ending).first_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_of_caps(caps: &str) -> Option<String> {
        gst::init().unwrap();
        content_type_of_caps(&caps.parse::<gst::Caps>().unwrap())
    }

    fn caps_of(content_type: &str) -> Option<String> {
        gst::init().unwrap();
        caps_of_content_type(content_type).map(|caps| caps.to_string())
    }

    #[test]
    fn caps_of_muxers() {
        assert_eq!(type_of_caps("video/quicktime, variant=iso").as_deref(), Some("video/mp4"));
        assert_eq!(type_of_caps("video/quicktime, variant=iso-fragmented").as_deref(), Some("video/mp4"));
        assert_eq!(type_of_caps("video/quicktime, variant=cmaf").as_deref(), Some("video/mp4"));
        assert_eq!(type_of_caps("video/mpegts, systemstream=true, packetsize=188").as_deref(), Some("video/mp2t"));
        assert_eq!(type_of_caps("application/x-hls").as_deref(), Some("application/vnd.apple.mpegurl"));
        assert_eq!(type_of_caps("audio/x-m4a").as_deref(), Some("audio/mp4"));
        assert_eq!(type_of_caps("application/dash+xml").as_deref(), Some("application/dash+xml"));
        assert_eq!(type_of_caps("application/x-whatever, a=1").as_deref(), Some("application/x-whatever"));
    }

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
    fn caps_of_no_file() {
        assert_eq!(type_of_caps("ANY"), None);
        assert_eq!(type_of_caps("EMPTY"), None);
        assert_eq!(type_of_caps("video/x-raw, format=I420"), None);
    }

    #[test]
    fn quicktime_without_variant() {
        assert_eq!(type_of_caps("video/quicktime, variant=apple").as_deref(), Some("video/quicktime"));
    }

    #[test]
    fn content_types_of_packagers() {
        assert_eq!(
            caps_of("video/mp4; codecs=\"avc1.64001f\"").as_deref(),
            Some("video/quicktime, variant=(string)iso")
        );
        assert_eq!(caps_of("Video/MP2T").as_deref(), Some("video/mpegts, systemstream=(boolean)true"));
        assert_eq!(caps_of("application/x-mpegURL").as_deref(), Some("application/x-hls"));
        assert_eq!(caps_of("text/plain;charset=utf-8").as_deref(), Some("text/plain"));
        assert_eq!(caps_of("application/octet-stream"), None);
        assert_eq!(caps_of("nonsense"), None);
        assert_eq!(caps_of("a/b c"), None);
        assert_eq!(caps_of(""), None);
    }

    #[test]
    fn caps_of_objects() {
        gst::init().unwrap();
        let caps =
            |content_type: &str, name: &str| caps_of_object(Some(content_type), name).map(|caps| caps.to_string());
        assert_eq!(caps("application/dash+xml", "a").as_deref(), Some("application/dash+xml"));
        assert_eq!(caps("text/xml; charset=utf-8", "a/live.mpd").as_deref(), Some("application/dash+xml"));
        assert_eq!(caps("text/plain", "live.m3u8?a=b").as_deref(), Some("application/x-hls"));
        assert_eq!(caps("video/mp2t", "strange.mpd").as_deref(), Some("video/mpegts, systemstream=(boolean)true"));
        assert_eq!(caps("audio/x-strange", "a.unknown").as_deref(), Some("audio/x-strange"));
        assert_eq!(caps("text/plain", "a.txt"), None);
        assert_eq!(caps_of_object(None, "a"), None);
    }

    #[test]
    fn every_row_has_valid_caps_that_lead_to_a_type() {
        gst::init().unwrap();
        for row in TABLE {
            let caps = caps_of_content_type(row.content_type).unwrap();
            assert!(caps.is_fixed(), "{}", row.caps);
            assert!(content_type_of_caps(&caps).is_some());
        }
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
