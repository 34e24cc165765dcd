// SPDX-License-Identifier: MPL-2.0

//! Answers about an object: its headers, and all of its bytes or one range of them (RFC 9110 §8, §13, §14).

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flute_proto::Time;
use flute_proto::fdt::CacheControl;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response as HttpResponse, StatusCode};

use crate::stored_object::{Piece, StoredObject};

/// Bytes that are read from a file at once. The page cache has them, so that no other request waits for a disk.
const PIECE: usize = 64 << 10;

/// An answer.
pub(crate) type Response = HttpResponse<ObjectBody>;

/// An answer without content.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = HttpResponse::new(ObjectBody { object: None, rest: 0..0 });
    *response.status_mut() = status;
    response
}

/// The answer to what is neither GET nor HEAD.
pub(crate) fn method_not_allowed() -> Response {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// An object, or a range of it, or that the client has it already.
pub(crate) fn of_object(object: &Arc<StoredObject>, request: &HeaderMap) -> Response {
    let length = object.len();
    let etag = entity_tag(object);
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let optional = [
        (header::ETAG, Some(etag.clone())),
        (header::LAST_MODIFIED, Some(httpdate::fmt_http_date(object.received().min(SystemTime::now())))),
        (header::CACHE_CONTROL, Some(cache_control(object))),
        (header::CONTENT_TYPE, object.info().file.content_type.clone()),
    ];
    for (name, value) in optional {
        // What a sender writes may be no header value.
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    let text = |name| request.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|tags| matches_any(tags, &etag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    // A range of another version is none of this one (RFC 9110 §13.1.5).
    let is_current = text(header::IF_RANGE).is_none_or(|tag| tag == etag);
    let range = match text(header::RANGE).filter(|_| is_current).map_or(Ok(None), |value| range_of(value, length)) {
        Ok(range) => range,
        Err(Unsatisfiable) => {
            let mut response = empty(StatusCode::RANGE_NOT_SATISFIABLE);
            insert(&mut response, header::CONTENT_RANGE, &format!("bytes */{length}"));
            return response;
        }
    };
    if let Some(Range { start, end }) = &range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        insert(&mut response, header::CONTENT_RANGE, &format!("bytes {start}-{}/{length}", end - 1));
    }
    let rest = range.unwrap_or(0..length);
    insert(&mut response, header::CONTENT_LENGTH, &(rest.end - rest.start).to_string());
    *response.body_mut() = ObjectBody { object: Some(object.clone()), rest };
    response
}

fn insert(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The `File-ETag` of the description (TS 26.346 §7.2.10), else one of this reception.
fn entity_tag(object: &StoredObject) -> String {
    let is_quoted = |tag: &&str| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"');
    match object.info().file.etag.as_deref() {
        Some(tag) if is_quoted(&tag.strip_prefix("W/").unwrap_or(tag)) => tag.to_owned(),
        Some(tag) if !tag.is_empty() && !tag.contains('"') => format!("\"{tag}\""),
        _ => {
            let received = object.received().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            format!("\"{}-{}-{:x}\"", object.info().session.tsi, object.info().toi(), received.as_nanos())
        }
    }
}

/// Whether one of the tags of If-None-Match is this one, by weak comparison (RFC 9110 §8.8.3.2).
fn matches_any(tags: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.trim() == "*" || tags.split(',').any(|tag| opaque(tag) == opaque(etag))
}

/// How long the object may be kept (`Cache-Control` of TS 26.346 §7.2.10). Without that the client has to ask whether there
/// is a newer version, as for the manifest of a live presentation.
fn cache_control(object: &StoredObject) -> String {
    let Some(CacheControl::Expires(seconds)) = object.info().file.cache_control else { return "no-cache".to_owned() };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = Time::from_unix(now);
    let expires = Time::from_ntp_seconds(seconds, now);
    let left = if expires > now { expires.since(now) } else { Duration::ZERO };
    format!("max-age={}", left.as_secs())
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

/// Bytes of an object that are still to be sent.
#[derive(Debug)]
pub(crate) struct ObjectBody {
    object: Option<Arc<StoredObject>>,
    rest: Range<u64>,
}

impl Body for ObjectBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let Some(object) = this.object.as_ref().filter(|_| !this.rest.is_empty()) else { return Poll::Ready(None) };
        let wanted = usize::try_from(this.rest.end - this.rest.start).unwrap_or(usize::MAX).min(PIECE);
        let bytes = object.piece(this.rest.start, wanted).map(|piece| match piece {
            Piece::Shared(slice) => Bytes::from_owner(slice),
            Piece::Read(bytes) => bytes.into(),
        });
        if let Ok(bytes) = &bytes {
            this.rest.start += bytes.len() as u64;
        }
        Poll::Ready(Some(bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.end - self.rest.start)
    }
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
    fn tags() {
        assert!(matches_any("\"a\", W/\"b\"", "\"b\""));
        assert!(matches_any("*", "\"b\""));
        assert!(!matches_any("\"a\"", "\"b\""));
    }
}
