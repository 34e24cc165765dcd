// SPDX-License-Identifier: MPL-2.0

//! Content-Types and GStreamer's caps: the same thing said two ways.

use flute_media::{content_type_of_name, essence};

/// A media type and GStreamer's caps for it.
type Row = (&'static str, &'static str);

/// Types whose caps have another name than the media type has. Where several rows have the same caps, the first one names
/// them.
const TABLE: &[Row] = &[
    ("application/dash+xml", "application/dash+xml"),
    ("application/vnd.apple.mpegurl", "application/x-hls"),
    ("application/x-mpegurl", "application/x-hls"),
    ("audio/mpegurl", "application/x-hls"),
    ("application/vnd.ms-sstr+xml", "application/vnd.ms-sstr+xml"),
    ("video/mp4", "video/quicktime, variant=(string)iso"),
    ("video/iso.segment", "video/quicktime, variant=(string)iso"),
    ("audio/mp4", "audio/x-m4a"),
    ("audio/iso.segment", "audio/x-m4a"),
    ("application/mp4", "video/quicktime, variant=(string)iso"),
    ("video/quicktime", "video/quicktime, variant=(string)apple"),
    ("video/3gpp", "application/x-3gp"),
    ("video/mp2t", "video/mpegts, systemstream=(boolean)true"),
    ("video/mpeg", "video/mpeg, systemstream=(boolean)true"),
    ("video/webm", "video/webm"),
    ("audio/webm", "audio/webm"),
    ("video/x-matroska", "video/x-matroska"),
    ("audio/x-matroska", "audio/x-matroska"),
    ("audio/mpeg", "audio/mpeg, mpegversion=(int)1, layer=(int)3"),
    ("audio/aac", "audio/mpeg, mpegversion=(int)4, stream-format=(string)adts"),
    ("audio/ac3", "audio/x-ac3"),
    ("audio/eac3", "audio/x-eac3"),
    ("application/ogg", "application/ogg"),
    ("audio/ogg", "audio/ogg"),
    ("video/ogg", "video/ogg"),
    ("audio/flac", "audio/x-flac"),
    ("audio/wav", "audio/x-wav"),
    ("text/vtt", "application/x-subtitle-vtt"),
    ("application/x-subrip", "application/x-subtitle"),
    ("application/ttml+xml", "application/ttml+xml"),
    ("application/sdp", "application/sdp"),
    ("image/jpeg", "image/jpeg"),
    ("image/png", "image/png"),
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
    let row = TABLE.iter().find(|(_, caps)| {
        let known: gst::Caps = caps.parse().expect("the table has valid caps");
        fixed.can_intersect(&known)
    });
    // A variant that the table does not name, such as cmaf, is still ISO BMFF: only QuickTime's own is `apple`.
    match row {
        Some((content_type, _)) => Some((*content_type).to_owned()),
        None if name == "video/quicktime" => Some("video/mp4".to_owned()),
        None if name.ends_with("/x-raw") => None,
        None => Some(name.to_owned()),
    }
}

/// The caps of an object with this Content-Type: the table's, or caps of the same name. `None` where it is no name that
/// caps can have, and for `application/octet-stream`, which says nothing.
pub fn caps_of_content_type(content_type: &str) -> Option<gst::Caps> {
    let name = essence(content_type);
    if let Some((_, caps)) = TABLE.iter().find(|(content_type, _)| *content_type == name) {
        return Some(caps.parse().expect("the table has valid caps"));
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
    let known = |content_type: &str| TABLE.iter().any(|(known, _)| *known == content_type);
    let meant = if known(&said) { Some(said.as_str()) } else { content_type_of_name(name).filter(|name| known(name)) };
    meant.or((!GENERIC.contains(&said.as_str())).then_some(&said)).and_then(caps_of_content_type)
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
        for (content_type, caps) in TABLE {
            let parsed = caps_of_content_type(content_type).unwrap();
            assert!(parsed.is_fixed(), "{caps}");
            assert!(content_type_of_caps(&parsed).is_some());
        }
    }
}
