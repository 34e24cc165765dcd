// SPDX-License-Identifier: MPL-2.0

//! The files that manifests name, which must stay as long as players may ask for them.
//!
//! An MPD or a playlist is not parsed, but searched for words: whatever stands between quotes, tags and line ends and is
//! the name of a file protects the file. That takes every way of naming files, those of later editions too, and errs on
//! the side of keeping a file.

use std::collections::{HashMap, HashSet, VecDeque};

use globset::{Glob, GlobMatcher};

use super::relative_path::RelativePath;

/// Manifests that are remembered. A presentation of HLS has one playlist for each rendition.
const MAX_MANIFESTS: usize = 64;

/// Bytes of a manifest that are searched.
pub(super) const MAX_MANIFEST_SIZE: usize = 16 << 20;

/// Names of files that the newest version of each manifest refers to.
#[derive(Debug, Default)]
pub(super) struct ManifestNames {
    manifests: HashMap<RelativePath, Names>,
    /// From the one that was written longest ago.
    order: VecDeque<RelativePath>,
}

#[derive(Debug)]
struct Names {
    files: HashSet<String>,
    /// For those that differ in the representation: `init-$RepresentationID$.mp4`.
    templates: Vec<GlobMatcher>,
}

impl ManifestNames {
    /// Takes a manifest in place of its older version. `file_name` is what a reference to a file makes its name.
    pub(super) fn insert(&mut self, path: RelativePath, text: &str, file_name: impl Fn(&str) -> Option<String>) {
        self.remove(&path);
        if self.order.len() == MAX_MANIFESTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.manifests.remove(&oldest);
        }
        self.order.push_back(path.clone());
        self.manifests.insert(path, Names::of(text, file_name));
    }

    /// Forgets a manifest, and what it names.
    pub(super) fn remove(&mut self, path: &RelativePath) {
        if self.manifests.remove(path).is_some() {
            self.order.retain(|other| other != path);
        }
    }

    /// Whether a file is one of the manifests, or is named by one of them.
    pub(super) fn protect(&self, path: &RelativePath) -> bool {
        let (_, name) = path.split();
        self.manifests.contains_key(path) || self.manifests.values().any(|names| names.contain(name))
    }
}

impl Names {
    fn of(text: &str, file_name: impl Fn(&str) -> Option<String>) -> Self {
        let mut names = Self { files: HashSet::new(), templates: Vec::new() };
        let is_between = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>');
        for word in text.split(is_between).filter(|word| !word.is_empty()) {
            let word = word.replace("&amp;", "&");
            if word.contains('$') {
                names.templates.extend(template(&word));
            } else {
                names.files.extend(file_name(&word));
            }
        }
        names
    }

    fn contain(&self, name: &str) -> bool {
        self.files.contains(name) || self.templates.iter().any(|template| template.is_match(name))
    }
}

/// The file names that a template of DASH (ISO/IEC 23009-1 §5.3.9.4.4) stands for. `None` if it counts segments: which of
/// them are current is not said by their names.
fn template(word: &str) -> Option<GlobMatcher> {
    let file = word.rsplit('/').next()?;
    let mut pattern = String::new();
    for (at, part) in file.split('$').enumerate() {
        let is_identifier = at % 2 == 1;
        match part.split('%').next()? {
            _ if !is_identifier => pattern.push_str(&globset::escape(part)),
            "" => pattern.push('$'),
            "RepresentationID" | "Bandwidth" => pattern.push('*'),
            _ => return None,
        }
    }
    Glob::new(&pattern).ok().map(|glob| glob.compile_matcher())
}

#[cfg(test)]
mod tests {
    use super::super::relative_path::{MAX_NAME, UrlMapping};
    use super::*;

    fn path(location: &str) -> RelativePath {
        RelativePath::of_location(location, UrlMapping::HostPath, MAX_NAME).unwrap()
    }

    fn file_name(reference: &str) -> Option<String> {
        let path = RelativePath::of_location(reference, UrlMapping::HostPath, MAX_NAME).ok()?;
        Some(path.split().1.to_owned())
    }

    #[test]
    fn playlists() {
        let mut manifests = ManifestNames::default();
        let playlist =
            "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2,\nhttp://h/live/seg%207.m4s?t=1\r\n#EXTINF:2,\nseg8.m4s\n";
        manifests.insert(path("live/index.m3u8"), playlist, file_name);
        for named in ["live/init.mp4", "other/seg8.m4s", "live/seg%207.m4s?t=1", "live/index.m3u8"] {
            assert!(manifests.protect(&path(named)), "{named}");
        }
        assert!(!manifests.protect(&path("live/seg6.m4s")));
        manifests.insert(path("live/index.m3u8"), "#EXTM3U\nseg9.m4s\n", file_name);
        assert!(manifests.protect(&path("live/seg9.m4s")) && !manifests.protect(&path("live/seg8.m4s")));
        manifests.remove(&path("live/index.m3u8"));
        assert!(!manifests.protect(&path("live/seg9.m4s")) && !manifests.protect(&path("live/index.m3u8")));
    }

    #[test]
    fn templates_of_dash() {
        let mut manifests = ManifestNames::default();
        let mpd = r#"<MPD><BaseURL>a.mp4</BaseURL><SegmentTemplate initialization="v/init-$RepresentationID$[$$].mp4"
            media='v/seg-$RepresentationID$-$Number%05d$.m4s'/><SegmentURL media="b.m4s?x=1&amp;y=2"/></MPD>"#;
        manifests.insert(path("live.mpd"), mpd, file_name);
        for named in ["a.mp4", "v/init-video1[$].mp4", "b.m4s?x=1&y=2", "live.mpd"] {
            assert!(manifests.protect(&path(named)), "{named}");
        }
        for other in ["v/seg-video1-00001.m4s", "v/init-video1.mp4", "b.m4s"] {
            assert!(!manifests.protect(&path(other)), "{other}");
        }
    }

    #[test]
    fn the_number_of_manifests_is_bounded() {
        let mut manifests = ManifestNames::default();
        for number in 0..=MAX_MANIFESTS {
            manifests.insert(path(&format!("{number}.m3u8")), &format!("{number}.ts"), file_name);
        }
        assert!(!manifests.protect(&path("0.ts")) && manifests.protect(&path("1.ts")));
        assert_eq!(manifests.manifests.len(), MAX_MANIFESTS);
    }
}
