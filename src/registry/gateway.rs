// SPDX-License-Identifier: MPL-2.0

//! The objects of a channel over HTTP, on the loopback interface: the adaptive demuxers of playbin3 and urisourcebin take
//! nothing else.
//!
//! Only GET and HEAD, one range at most (RFC 9110 §14). The path begins with a number that cannot be guessed, so that
//! nobody else on this machine, nor a page in a browser, gets at the objects.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use flute_proto::content_location::LocationPath;
use tiny_http::{Header, Method, Request, Response, Server};
use url::Url;

use super::channel::{Channel, Missing};
use super::content::{Piece, Stored};

/// Requests that are worked at side by side, at most.
const MAX_REQUESTS: usize = 64;

/// A server, until this is dropped.
pub(super) struct Gateway {
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
    root: Url,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("root", &self.root.as_str()).finish_non_exhaustive()
    }
}

impl Gateway {
    pub(super) fn start(channel: &Arc<Channel>) -> io::Result<Self> {
        let server = Arc::new(Server::http((Ipv4Addr::LOCALHOST, 0)).map_err(io::Error::other)?);
        let secret = format!("{:016x}", RandomState::new().build_hasher().finish());
        let root = format!("http://{}/{secret}/", server.server_addr());
        let root = Url::parse(&root).map_err(io::Error::other)?;
        let prefix = root.path().to_owned();
        let thread = thread::Builder::new().name("flute-http".to_owned()).spawn({
            let (server, channel) = (server.clone(), Arc::downgrade(channel));
            move || serve(&server, &channel, &prefix)
        })?;
        Ok(Self { server, thread: Some(thread), root })
    }

    /// Where the object of this path is found.
    pub(super) fn url(&self, path: &str) -> String {
        let mut url = self.root.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        url.into()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.unblock();
        // The last to know the channel may be the thread itself.
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != thread::current().id()) {
            // A panic of the thread has told its story already.
            let _ = thread.join();
        }
    }
}

fn serve(server: &Server, channel: &Weak<Channel>, prefix: &str) {
    let running = Arc::new(());
    for request in server.incoming_requests() {
        let busy = Arc::strong_count(&running) > MAX_REQUESTS;
        let is_read = matches!(request.method(), Method::Get | Method::Head);
        let name = request.url().strip_prefix(prefix).map(LocationPath::of_location);
        // A client that has gone is none of ours.
        let _ = match (channel.upgrade(), name) {
            _ if !is_read => request.respond(Response::empty(405)),
            _ if busy => request.respond(Response::empty(503)),
            (Some(channel), Some(name)) => {
                let running = running.clone();
                let answer = move || {
                    let _ = answer(request, &channel, &name);
                    drop(running);
                };
                thread::Builder::new().name("flute-http".to_owned()).spawn(answer).map(drop)
            }
            _ => request.respond(Response::empty(404)),
        };
    }
}

/// Waits for the object and sends it.
fn answer(request: Request, channel: &Channel, name: &LocationPath) -> io::Result<()> {
    let object = match channel.wait(name, channel.patience(), &AtomicBool::new(false)) {
        Ok(object) => object,
        Err(Missing::Failed(_)) => return request.respond(Response::empty(503)),
        Err(_) => return request.respond(Response::empty(404)),
    };
    let length = object.len();
    let wanted = request.headers().iter().find(|header| header.field.equiv("Range"));
    let range = wanted.map_or(Ok(None), |header| range_of(header.value.as_str(), length));
    let Ok(range) = range else {
        let response = Response::empty(416);
        return request.respond(response.with_header(header("Content-Range", &format!("bytes */{length}"))?));
    };
    let status = if range.is_some() { 206 } else { 200 };
    let Range { start, end } = range.clone().unwrap_or(0..length);
    let mut headers = vec![header("Accept-Ranges", "bytes")?, header("Cache-Control", "no-store")?];
    headers.extend(object.info().file.content_type.as_deref().and_then(|value| header("Content-Type", value).ok()));
    if range.is_some() {
        headers.push(header("Content-Range", &format!("bytes {start}-{}/{length}", end - 1))?);
    }
    let size = usize::try_from(end - start).map_err(io::Error::other)?;
    let body = Body { object, rest: start..end };
    let response = Response::new(status.into(), headers, body, Some(size), None);
    request.respond(response.with_chunked_threshold(usize::MAX))
}

fn header(name: &str, value: &str) -> io::Result<Header> {
    Header::from_bytes(name, value).map_err(|()| io::ErrorKind::InvalidData.into())
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

/// Bytes of an object, to be read.
#[derive(Debug)]
struct Body {
    object: Arc<Stored>,
    rest: Range<u64>,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.rest.end - self.rest.start).unwrap_or(usize::MAX).min(buffer.len());
        let piece = self.object.piece(self.rest.start, wanted)?;
        let bytes = match &piece {
            Piece::Shared(slice) => slice.as_ref(),
            Piece::Read(bytes) => bytes,
        };
        buffer[..bytes.len()].copy_from_slice(bytes);
        self.rest.start += bytes.len() as u64;
        Ok(bytes.len())
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
}
