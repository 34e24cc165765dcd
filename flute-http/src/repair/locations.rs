// SPDX-License-Identifier: MPL-2.0

//! Where an object can be fetched.

use flute_proto::fdt::AlternateContentLocation;
use flute_proto::receiver::ObjectInfo;
use url::Url;

use super::random_below;

/// Servers that are asked for one object.
const MAX_URLS: usize = 8;

/// A server that has the objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    url: Url,
    base_uri: Option<String>,
    weight: u32,
}

impl Origin {
    /// Objects are below this URL, under the path of their Content-Location, without its own host if it has one.
    pub fn new(url: Url) -> Self {
        Self { url, base_uri: None, weight: 1 }
    }

    /// The URL stands for this beginning of the Content-Locations that have it (`transportObjectBaseURI`, TS 103 769
    /// §10.2.3.12).
    pub fn in_place_of(self, base_uri: Option<String>) -> Self {
        Self { base_uri, ..self }
    }

    /// How often this one is asked first, relative to others (`relativeWeight`).
    pub fn weight(self, weight: u32) -> Self {
        Self { weight, ..self }
    }

    /// Where an object is; `None` if that is not below the URL.
    pub(super) fn locate(&self, location: &str) -> Option<Url> {
        match self.base_uri.as_deref().and_then(|base| location.strip_prefix(base)) {
            Some(rest) => below(&self.url, rest),
            None => below(&self.url, location),
        }
    }
}

/// Which servers a sender may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FdtHosts {
    /// None: a sender must not have this machine ask others.
    #[default]
    None,
    /// Those with these names or addresses.
    These(Vec<String>),
    /// Any, those of the own network included.
    Any,
}

impl FdtHosts {
    fn allow(&self, url: &Url) -> bool {
        if !matches!(url.scheme(), "http" | "https") {
            return false;
        }
        match (self, url.host_str()) {
            (Self::Any, Some(_)) => true,
            (Self::These(hosts), Some(host)) => hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)),
            (Self::None, _) | (_, None) => false,
        }
    }
}

/// Where an object is asked for, one after the other: at the origins, by their weight; without any, where its description
/// says, by chance in each of its two lists (TS 26.346 §9.3.5).
pub(super) fn urls(origins: &[Origin], hosts: &FdtHosts, object: &ObjectInfo) -> Vec<Url> {
    let mut urls: Vec<Url> = if origins.is_empty() {
        let (file, bases) = (&object.file, &object.base_urls);
        let mut first = alternates(&file.alternate_content_location_1, &bases.first, object.location());
        let mut second = alternates(&file.alternate_content_location_2, &bases.second, object.location());
        for list in [&mut first, &mut second] {
            list.retain(|url| hosts.allow(url));
            if !list.is_empty() {
                let start = random_below(list.len() as u64) as usize;
                list.rotate_left(start);
            }
        }
        first.into_iter().chain(second).collect()
    } else {
        by_weight(origins).into_iter().filter_map(|origin| origin.locate(object.location())).collect()
    };
    urls.truncate(MAX_URLS);
    urls
}

/// Origins in an order by chance, in which heavy ones tend to be first.
pub(super) fn by_weight(origins: &[Origin]) -> Vec<&Origin> {
    let mut left: Vec<&Origin> = origins.iter().collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let total: u64 = left.iter().map(|origin| u64::from(origin.weight)).sum();
        let mut chosen = random_below(total.max(1));
        let index = left.iter().position(|origin| {
            let is_it = chosen < u64::from(origin.weight);
            chosen = chosen.saturating_sub(origin.weight.into());
            is_it
        });
        ordered.push(left.remove(index.unwrap_or(0)));
    }
    ordered
}

/// The URLs of one list of a description; without a list its base URLs are origins.
fn alternates(list: &[AlternateContentLocation], bases: &[String], location: &str) -> Vec<Url> {
    let bases: Vec<Url> = bases.iter().filter_map(|base| Url::parse(base.trim()).ok()).collect();
    let mut locations = list.iter().flat_map(|alternate| &alternate.locations).peekable();
    if locations.peek().is_none() {
        return bases.iter().filter_map(|base| below(base, location)).collect();
    }
    let resolved = locations.take(MAX_URLS).flat_map(|location| match Url::parse(location.trim()) {
        Ok(absolute) => vec![absolute],
        Err(_) => bases.iter().filter_map(|base| base.join(location.trim()).ok()).collect(),
    });
    resolved.collect()
}

/// A Content-Location below a URL, without its own host if it has one. `..` must not lead out of there.
fn below(base: &Url, location: &str) -> Option<Url> {
    let relative = match Url::parse(location) {
        Ok(absolute) if absolute.has_host() => absolute[url::Position::BeforePath..].trim_start_matches('/').to_owned(),
        Ok(_) => return None,
        Err(_) => location.trim_start_matches('/').to_owned(),
    };
    let mut base = base.clone();
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    let mut url = base.join(&relative).ok()?;
    url.set_fragment(None);
    (url.origin() == base.origin() && url.path().starts_with(base.path())).then_some(url)
}

#[cfg(test)]
mod tests {
    use flute_proto::fdt::File;

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn where_objects_are() {
        let locate = |origin: &str, location: &str| Origin::new(url(origin)).locate(location).map(String::from);
        let expected = |text: &str| Some(text.to_owned());
        assert_eq!(locate("http://o/live", "video/1.m4s"), expected("http://o/live/video/1.m4s"));
        assert_eq!(locate("http://o/", "http://h/a/1.m4s?b=c#d"), expected("http://o/a/1.m4s?b=c"));
        assert_eq!(locate("https://o/live/", "/1%202.m4s"), expected("https://o/live/1%202.m4s"));
        for outside in ["../secret", "a/../../secret", "%2e%2e/secret", "urn:a:b", "file:///etc/passwd"] {
            assert_eq!(locate("http://o/live/", outside), None, "{outside}");
        }
        let origin = Origin::new(url("http://o/cdn/")).in_place_of(Some("http://multicast.example/tv/".to_owned()));
        let located = |location: &str| origin.locate(location).map(String::from);
        assert_eq!(located("http://multicast.example/tv/1.m4s"), expected("http://o/cdn/1.m4s"));
        assert_eq!(located("http://multicast.example/tv/../../1.m4s"), None);
        assert_eq!(located("2.m4s"), expected("http://o/cdn/2.m4s"));
    }

    #[test]
    fn heavy_origins_are_first_more_often() {
        let origins = [Origin::new(url("http://a/")).weight(9), Origin::new(url("http://b/"))];
        let heavy = (0..1000).filter(|_| by_weight(&origins)[0] == &origins[0]).count();
        assert!((800..980).contains(&heavy), "{heavy}");
        assert_eq!(by_weight(&[Origin::new(url("http://a/")).weight(0)]).len(), 1);
    }

    #[test]
    fn what_the_fdt_names() {
        let alternate = |locations: &[&str]| AlternateContentLocation {
            locations: locations.iter().map(|location| (*location).to_owned()).collect(),
            ..AlternateContentLocation::default()
        };
        let file = File {
            content_location: "http://h/a.mp4".to_owned(),
            alternate_content_location_1: vec![alternate(&["x/a.mp4", "http://evil/a.mp4"])],
            ..File::default()
        };
        let mut object = ObjectInfo::undescribed(file);
        object.base_urls = std::sync::Arc::new(base_urls(&["http://one/b/"], &["http://two/c", "ftp://three/"]));
        let found = |hosts: &FdtHosts| -> Vec<String> {
            let mut found: Vec<String> = urls(&[], hosts, &object).into_iter().map(String::from).collect();
            found.sort();
            found
        };
        assert!(found(&FdtHosts::None).is_empty());
        let these = FdtHosts::These(vec!["ONE".to_owned(), "two".to_owned()]);
        assert_eq!(found(&these), ["http://one/b/x/a.mp4", "http://two/c/a.mp4"]);
        assert_eq!(found(&FdtHosts::Any), ["http://evil/a.mp4", "http://one/b/x/a.mp4", "http://two/c/a.mp4"]);
        let origin = [Origin::new(url("http://o/"))];
        assert_eq!(urls(&origin, &FdtHosts::Any, &object), [url("http://o/a.mp4")], "origins of the user go before");
    }

    fn base_urls(first: &[&str], second: &[&str]) -> flute_proto::receiver::BaseUrls {
        let owned = |urls: &[&str]| urls.iter().map(|url| (*url).to_owned()).collect();
        flute_proto::receiver::BaseUrls { first: owned(first), second: owned(second) }
    }
}
