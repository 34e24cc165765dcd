// SPDX-License-Identifier: MPL-2.0

//! Answers about an object: its header, and all of its bytes or one range of them (RFC 9110 §8, §13, §14).

use std::ops::Range;
use std::time::{Duration, SystemTime};

use flute_proto::Time;
use flute_proto::fdt::CacheControl;
use flute_proto::receiver::ObjectInfo;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response as HttpResponse, StatusCode};

use crate::arriving_object::ArrivingObject;
use crate::body::ResponseBody;
use crate::object_store::Present;

/// An answer.
pub type Response = HttpResponse<ResponseBody>;

/// Seconds for which a manifest of a live presentation may be kept: less than a segment lasts.
const MANIFEST_AGE: u64 = 1;

/// Seconds for which a media segment may be kept. It does not change, but a restarted encoder counts from the start again.
const SEGMENT_AGE: u64 = 300;

/// An answer without content.
pub fn empty(status: StatusCode) -> Response {
    let mut response = HttpResponse::new(ResponseBody::empty());
    *response.status_mut() = status;
    response
}

/// An answer with a text of this Content-Type.
pub fn text(status: StatusCode, content_type: &'static str, text: impl Into<bytes::Bytes>) -> Response {
    let mut response = HttpResponse::new(ResponseBody::bytes(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// What a header says of an object, whether it is complete or arriving.
struct Entity<'a> {
    info: &'a ObjectInfo,
    /// It goes in gzip, as it came.
    is_gzip: bool,
    /// When it began to come.
    begun: SystemTime,
    /// Bytes, if they are known.
    length: Option<u64>,
}

/// The first byte of an object that a request asks for.
pub(crate) fn first_byte(object: &ArrivingObject, request: &HeaderMap) -> u64 {
    let range = request.get(header::RANGE).and_then(|value| value.to_str().ok()).zip(object.length());
    let range = range.and_then(|(value, length)| range_of(value, length).ok()?);
    range.map_or(0, |range| range.start)
}

/// An object, or a range of it, or that the client has it already. An arriving object is waited for while something of it
/// comes at least every `timeout`.
pub(crate) fn of_object(object: Present, request: &HeaderMap, timeout: Duration) -> Response {
    // A range may be one of what came before the object was complete, which had no other form.
    let gzip = match &object {
        Present::Complete(object) if !request.contains_key(header::RANGE) && takes_gzip(request) => object.gzip(),
        _ => None,
    };
    let is_gzip = gzip.is_some();
    let entity = match &object {
        Present::Complete(object) => {
            let length = gzip.map_or(object.len(), |gzip| gzip.len() as u64);
            Entity { info: object.info(), is_gzip, begun: object.received(), length: Some(length) }
        }
        Present::Arriving(object) => {
            Entity { info: object.info(), is_gzip, begun: object.begun(), length: object.length() }
        }
    };
    let (mut response, range) = match entity.answer(request) {
        Answer::Header(response) => return response,
        Answer::Content(response, range) => (response, range),
    };
    if let Some(gzip) = gzip {
        *response.body_mut() = ResponseBody::bytes(gzip.clone());
        return response;
    }
    *response.body_mut() = match object {
        Present::Complete(object) => {
            let all = 0..object.len();
            ResponseBody::stored(object, range.unwrap_or(all))
        }
        Present::Arriving(object) => {
            let start = range.as_ref().map_or(0, |range| range.start);
            let end = range.map(|range| range.end).or(object.length());
            ResponseBody::arriving(object, start, end, timeout)
        }
    };
    response
}

/// How a request is answered.
enum Answer {
    /// Without content.
    Header(Response),
    /// With all of the content, or this range of it.
    Content(Response, Option<Range<u64>>),
}

impl Entity<'_> {
    fn answer(&self, request: &HeaderMap) -> Answer {
        let etag = self.tag();
        let modified = self.begun.min(SystemTime::now());
        let mut response = empty(StatusCode::OK);
        insert(&mut response, header::ETAG, &etag);
        insert(&mut response, header::LAST_MODIFIED, &httpdate::fmt_http_date(modified));
        insert(&mut response, header::CACHE_CONTROL, &self.cache_control());
        if self.info.file.content_encoding.is_some() {
            insert(&mut response, header::VARY, "Accept-Encoding");
        }
        if self.is_gzip {
            insert(&mut response, header::CONTENT_ENCODING, "gzip");
        }
        if let Some(content_type) = &self.info.file.content_type {
            insert(&mut response, header::CONTENT_TYPE, content_type);
        }
        let text = |name| request.get(name).and_then(|value| value.to_str().ok());
        let is_known = match (text(header::IF_NONE_MATCH), text(header::IF_MODIFIED_SINCE)) {
            (Some(tags), _) => matches_any(tags, &etag),
            // In whole seconds, as HTTP has them.
            (None, Some(date)) => {
                httpdate::parse_http_date(date).is_ok_and(|date| modified < date + Duration::from_secs(1))
            }
            (None, None) => false,
        };
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Answer::Header(response);
        }
        let Some(length) = self.length else { return Answer::Content(response, None) };
        insert(&mut response, header::ACCEPT_RANGES, "bytes");
        // A range of another version is none of this one (RFC 9110 §13.1.5).
        let is_current = text(header::IF_RANGE).is_none_or(|tag| tag == etag);
        let range = match text(header::RANGE).filter(|_| is_current).map_or(Ok(None), |value| range_of(value, length)) {
            Ok(range) => range,
            Err(Unsatisfiable) => {
                let mut response = empty(StatusCode::RANGE_NOT_SATISFIABLE);
                insert(&mut response, header::CONTENT_RANGE, &format!("bytes */{length}"));
                return Answer::Header(response);
            }
        };
        if let Some(Range { start, end }) = &range {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            insert(&mut response, header::CONTENT_RANGE, &format!("bytes {start}-{}/{length}", end - 1));
        }
        let Range { start, end } = range.clone().unwrap_or(0..length);
        insert(&mut response, header::CONTENT_LENGTH, &(end - start).to_string());
        Answer::Content(response, range)
    }

    /// The tag of the object, and another one for its gzip (RFC 9110 §8.8.3.3).
    fn tag(&self) -> String {
        let tag = self.tag_of_content();
        match tag.strip_suffix('"') {
            Some(opened) if self.is_gzip => format!("{opened}-gzip\""),
            _ => tag,
        }
    }

    /// The `File-ETag` of the description (TS 26.346 §7.2.10), else the digest of the content, else one of this
    /// reception.
    fn tag_of_content(&self) -> String {
        let file = &self.info.file;
        let is_quoted = |tag: &&str| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"');
        match (file.etag.as_deref(), file.content_md5) {
            (Some(tag), _) if is_quoted(&tag.strip_prefix("W/").unwrap_or(tag)) => tag.to_owned(),
            (Some(tag), _) if !tag.is_empty() && !tag.contains('"') => format!("\"{tag}\""),
            (_, Some(md5)) => format!("\"{:032x}\"", u128::from_be_bytes(md5)),
            _ => {
                let begun = self.begun.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                format!("\"{}-{}-{:x}\"", self.info.session.tsi, self.info.toi(), begun.as_nanos())
            }
        }
    }

    /// How long the object may be kept: as its sender says (`Cache-Control` of TS 26.346 §7.2.10), else manifests shortly
    /// and media segments for long. Everything else the client has to ask for each time.
    fn cache_control(&self) -> String {
        let file = &self.info.file;
        let content_type = file.content_type.as_deref();
        let is_media = || content_type.is_some_and(|name| name.starts_with("video/") || name.starts_with("audio/"));
        let age = match file.cache_control {
            Some(CacheControl::Expires(seconds)) => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let now = Time::from_unix(now);
                let expires = Time::from_ntp_seconds(seconds, now);
                if expires > now { expires.since(now).as_secs() } else { 0 }
            }
            Some(CacheControl::NoCache | CacheControl::MaxStale) => return "no-cache".to_owned(),
            None if flute_media::is_manifest(content_type, self.info.location()) => MANIFEST_AGE,
            None if is_media() => SEGMENT_AGE,
            None => return "no-cache".to_owned(),
        };
        format!("max-age={age}")
    }
}

/// Whether Accept-Encoding allows gzip (RFC 9110 §12.5.3).
fn takes_gzip(request: &HeaderMap) -> bool {
    let weight_of = |wanted: &[&str]| {
        let fields = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let mut codings = fields.flat_map(|field| field.split(','));
        codings.find_map(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let is_wanted = wanted.iter().any(|wanted| name.trim().eq_ignore_ascii_case(wanted));
            let weight = weight.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.trim().parse().ok());
            weight.filter(|_| is_wanted)
        })
    };
    weight_of(&["gzip", "x-gzip"]).or_else(|| weight_of(&["*"])).is_some_and(|weight: f32| weight > 0.0)
}

/// What a sender writes may be no header value: it is left out then.
pub(crate) fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Whether one of the tags of If-None-Match is this one, by weak comparison (RFC 9110 §8.8.3.2).
fn matches_any(tags: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.trim() == "*" || tags.split(',').any(|tag| opaque(tag) == opaque(etag))
}

/// There is no such range.
#[derive(Debug, PartialEq, Eq)]
struct Unsatisfiable;

/// The bytes that a Range header means (RFC 9110 §14.1.2). `None`, for all of them, where it is not understood.
fn range_of(value: &str, length: u64) -> Result<Option<Range<u64>>, Unsatisfiable> {
    let Some((first, last)) = value.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let range = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..length,
        (Err(_), Ok(count)) if first.trim().is_empty() => length.saturating_sub(count)..length,
        _ => return Ok(None),
    };
    if range.is_empty() { Err(Unsatisfiable) } else { Ok(Some(range)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(range_of("bytes=0-9", 100), Ok(Some(0..10)));
        assert_eq!(range_of("bytes=90-200", 100), Ok(Some(90..100)));
        assert_eq!(range_of("bytes=90-", 100), Ok(Some(90..100)));
        assert_eq!(range_of("bytes=-10", 100), Ok(Some(90..100)));
        assert_eq!(range_of("bytes=-200", 100), Ok(Some(0..100)));
        assert_eq!(range_of("bytes=100-", 100), Err(Unsatisfiable));
        assert_eq!(range_of("bytes=-0", 100), Err(Unsatisfiable));
        assert_eq!(range_of("bytes=0-18446744073709551615", 100), Ok(Some(0..100)));
        for unknown in ["bytes=9-0", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b", "bytes=-", ""] {
            assert_eq!(range_of(unknown, 100), Ok(None), "{unknown}");
        }
    }

    #[test]
    fn accepted_encodings() {
        let takes = |value: &'static str| {
            takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]))
        };
        assert!(["gzip", "deflate, GZIP;q=0.5", "x-gzip", "*", "br;q=1, *;q=0.1"].into_iter().all(takes));
        assert!(!["", "identity", "gzip;q=0", "gzip;q=0.0, *", "br", "*;q=0", "gzip;q=x"].into_iter().any(takes));
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn tags() {
        assert!(matches_any("\"a\", W/\"b\"", "\"b\""));
        assert!(matches_any("*", "\"b\""));
        assert!(!matches_any("\"a\"", "\"b\""));
    }
}
