// SPDX-License-Identifier: MPL-2.0

//! A request for ranges of an object, and what a server makes of it.

use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::header::{self, HeaderMap, HeaderName};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};
use url::Url;

use super::RepairConfig;
use super::byte_ranges::{self, ContentRange};
use super::fetch::RepairError;
use super::multipart::{self, Parts};

/// Redirections of one request, to the same server.
const MAX_REDIRECTS: usize = 3;

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// The longest time for which a server may send us away (`Retry-After`).
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// A client for any number of threads.
pub(super) fn agent(config: &RepairConfig) -> Agent {
    let timeout = Some(config.timeout);
    // What cannot be read certifies nobody.
    let certificates = rustls_native_certs::load_native_certs().certs;
    let certificates: Vec<_> =
        certificates.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let agent = Agent::config_builder()
        .tls_config(tls)
        .timeout_connect(timeout)
        .timeout_recv_response(timeout)
        .timeout_per_read(timeout)
        .max_redirects(0)
        .http_status_as_error(false)
        .build();
    agent.into()
}

/// Which version of an object a server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    url: Url,
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Version {
    fn of(url: &Url, headers: &HeaderMap) -> Self {
        Self {
            url: url.clone(),
            etag: text(headers, header::ETAG).map(str::to_owned),
            last_modified: text(headers, header::LAST_MODIFIED).map(str::to_owned),
        }
    }

    /// Whether another version would be noticed.
    pub(super) fn is_known(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }

    /// Whether it is that of this URL.
    pub(super) fn is_at(&self, url: &Url) -> bool {
        self.url == *url
    }

    /// What a range may depend on: weak tags are not enough (RFC 9110 §13.1.5).
    pub(super) fn strong_tag(&self) -> Option<&str> {
        self.etag.as_deref().filter(|tag| is_strong(tag))
    }
}

/// Whether an entity tag is a strong one.
pub(super) fn is_strong(tag: &str) -> bool {
    tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"')
}

/// What an answer has.
pub(super) struct Answer {
    pub(super) version: Version,
    pub(super) content_type: Option<String>,
    /// Bytes of the whole object, where that is said.
    pub(super) complete: Option<u64>,
    content: Content,
    body: BufReader<ureq::BodyReader<'static>>,
}

#[derive(Debug)]
enum Content {
    Whole,
    /// One range.
    Range(Range<u64>),
    /// Several, with this boundary between them.
    Parts(String),
}

/// Asks for ranges of what is at a URL; for all of it if there are none. If the version has changed that has `tag`, all of
/// the new one is to come.
pub(super) fn request(
    agent: &Agent,
    url: &Url,
    ranges: &[Range<u64>],
    tag: Option<&str>,
    longest: Duration,
) -> Result<Answer, RepairError> {
    let mut target = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        let request = agent.get(target.as_str()).config().timeout_recv_body(Some(longest)).build();
        let mut request = request.header(header::ACCEPT_ENCODING, "identity");
        if !ranges.is_empty() {
            request = request.header(header::RANGE, byte_ranges::to_field(ranges));
            if let Some(tag) = tag {
                request = request.header(header::IF_RANGE, tag);
            }
        }
        let response = request.call().map_err(Box::new)?;
        if response.status().is_redirection()
            && let Some(location) = text(response.headers(), header::LOCATION)
        {
            let next = target.join(location).ok().filter(|next| next.origin() == url.origin());
            target = next.ok_or_else(|| RepairError::Redirect(location.chars().take(200).collect()))?;
            continue;
        }
        return Answer::new(url, response, !ranges.is_empty());
    }
    Err(RepairError::Redirect(target.into()))
}

impl Answer {
    fn new(url: &Url, response: ureq::http::Response<Body>, has_ranges: bool) -> Result<Self, RepairError> {
        let (parts, body) = response.into_parts();
        let headers = &parts.headers;
        let content_type = text(headers, header::CONTENT_TYPE).map(str::to_owned);
        let range = text(headers, header::CONTENT_RANGE).and_then(ContentRange::parse);
        let boundary = content_type.as_deref().and_then(multipart::boundary);
        let (content, complete) = match (parts.status.as_u16(), boundary, range) {
            (200, ..) => {
                let length = text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
                (Content::Whole, length)
            }
            (206, Some(boundary), _) if has_ranges => (Content::Parts(boundary), None),
            (206, None, Some(found)) if has_ranges => (Content::Range(found.range), found.complete),
            (206, ..) => return Err(RepairError::Range),
            (status, ..) => return Err(RepairError::Status { status, retry_after: retry_after(headers) }),
        };
        if text(headers, header::CONTENT_ENCODING).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
            return Err(RepairError::Encoded);
        }
        let body = BufReader::with_capacity(PIECE, body.into_reader());
        Ok(Self { version: Version::of(url, headers), content_type, complete, content, body })
    }

    /// Whether it is all of the object.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.content, Content::Whole)
    }

    /// Hands the bytes over, with their place in the object; `length` is that of the whole, where it is known. `take` says
    /// whether it wants more.
    pub(super) fn read(
        mut self,
        length: Option<u64>,
        mut take: impl FnMut(u64, &[u8]) -> Result<bool, RepairError>,
    ) -> Result<(), RepairError> {
        let is_other = |complete: Option<u64>| {
            let both = complete.zip(length).filter(|(actual, announced)| actual != announced);
            both.map_or(Ok(()), |(actual, announced)| Err(RepairError::Length { actual, announced }))
        };
        is_other(self.complete)?;
        match self.content {
            Content::Whole => {
                let end = length.or(self.complete);
                let position = read_range(&mut self.body, 0..end.unwrap_or(u64::MAX), &mut take)?;
                match position.zip(end) {
                    // It broke off.
                    Some((actual, announced)) if actual < announced => Err(RepairError::Short { actual, announced }),
                    _ => Ok(()),
                }
            }
            Content::Range(range) => read_whole_range(&mut self.body, range, &mut take).map(|_| ()),
            Content::Parts(boundary) => {
                let mut parts = Parts::new(self.body, &boundary);
                while let Some(ContentRange { range, complete }) = parts.next_part()? {
                    is_other(complete)?;
                    if !read_whole_range(parts.body(), range, &mut take)? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Reads a range to its end; `false` if no more is wanted.
fn read_whole_range(
    body: &mut impl BufRead,
    range: Range<u64>,
    take: &mut impl FnMut(u64, &[u8]) -> Result<bool, RepairError>,
) -> Result<bool, RepairError> {
    match read_range(body, range.clone(), take)? {
        None => Ok(false),
        Some(end) if end == range.end => Ok(true),
        Some(actual) => Err(RepairError::Short { actual, announced: range.end }),
    }
}

/// Reads a range as far as it comes, and says how far that is; `None` if no more is wanted.
fn read_range(
    body: &mut impl BufRead,
    range: Range<u64>,
    take: &mut impl FnMut(u64, &[u8]) -> Result<bool, RepairError>,
) -> Result<Option<u64>, RepairError> {
    let mut position = range.start;
    let mut body = body.take(range.end - range.start);
    loop {
        let bytes = body.fill_buf()?;
        let length = bytes.len();
        if length == 0 {
            return Ok(Some(position));
        }
        if !take(position, bytes)? {
            return Ok(None);
        }
        body.consume(length);
        position += length as u64;
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// For how long the server does not want to be asked again (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Duration {
    let value = text(headers, header::RETRY_AFTER);
    let seconds = value.and_then(|value| value.parse().ok()).map(Duration::from_secs);
    let until = || httpdate::parse_http_date(value?).ok()?.duration_since(std::time::SystemTime::now()).ok();
    seconds.or_else(until).unwrap_or_default().min(LONGEST_RETRY)
}
