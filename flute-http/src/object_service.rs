// SPDX-License-Identifier: MPL-2.0

//! Requests for the objects of one store.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use flute_proto::content_location::LocationPath;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::sync::Semaphore;

use crate::object_store::{Missing, ObjectStore, Present};
use crate::response::{self, Response};

/// Methods that an object knows.
const METHODS: &str = "GET, HEAD, OPTIONS";

/// Fields of an answer that scripts of other origins may read, besides those that they may in any case (Fetch §3.3.3).
const EXPOSED: &str = "Accept-Ranges, Content-Length, Content-Range, Date, ETag";

/// How long the header of an answer waits for its first byte, once something of the object has come: until then the answer
/// can still become another one. Players give up when nothing comes for ten seconds (GStreamer's adaptivedemux2), so that a
/// header that goes out half way lets them wait for twice as long.
const HEADER_PATIENCE: Duration = Duration::from_secs(5);

/// For how many seconds a client is sent away if too many requests wait.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Answers requests for objects, each of which may wait for its object.
pub struct ObjectService {
    objects: Arc<ObjectStore>,
    timeout: Duration,
    waiting: Arc<Semaphore>,
}

impl fmt::Debug for ObjectService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectService").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl ObjectService {
    /// A request for an object that is not there waits for it while something of it comes at least every `timeout`. Of all
    /// services with the same semaphore as many requests wait as it has permits; further ones are answered with 503.
    pub fn new(objects: Arc<ObjectStore>, timeout: Duration, waiting: Arc<Semaphore>) -> Self {
        Self { objects, timeout, waiting }
    }

    /// What is served.
    pub fn objects(&self) -> &Arc<ObjectStore> {
        &self.objects
    }

    /// The answer to a request for the object that `path`, percent-encoded, means. 404 is the answer only where that
    /// cannot come any more.
    pub async fn answer(&self, method: &Method, path: &str, request: &HeaderMap) -> Response {
        match *method {
            Method::GET | Method::HEAD => (),
            Method::OPTIONS => return allowing(StatusCode::NO_CONTENT),
            _ => return allowing(StatusCode::METHOD_NOT_ALLOWED),
        }
        let path = LocationPath::of_location(path);
        let Ok(_permit) = self.waiting.try_acquire() else {
            let mut response = response::empty(StatusCode::SERVICE_UNAVAILABLE);
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
            return response;
        };
        let waiting = self.objects.begin_wait(&path);
        let present = loop {
            match self.objects.wait_async(&waiting, self.timeout).await {
                Ok(Present::Arriving(object)) if *method == Method::GET => {
                    let first = response::first_byte(&object, request);
                    let patience = HEADER_PATIENCE.min(self.timeout);
                    match object.read_async(first, 1, patience).await {
                        Err(error) if error.kind() != io::ErrorKind::TimedOut => continue,
                        _ => break Ok(Present::Arriving(object)),
                    }
                }
                outcome => break outcome,
            }
        };
        match present {
            Ok(object) => response::of_object(object, request, self.timeout),
            Err(Missing::Never) => response::empty(StatusCode::NOT_FOUND),
            Err(Missing::Late(_)) => response::empty(StatusCode::GATEWAY_TIMEOUT),
            Err(Missing::Interrupted | Missing::Failed(_)) => response::empty(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

/// An answer that says which methods there are.
fn allowing(status: StatusCode) -> Response {
    let mut response = response::empty(status);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(METHODS));
    response
}

/// Lets scripts of any origin read an answer (CORS): players are on pages of their own.
pub fn share_with_all_origins(response: &mut Response) {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Range, If-Match, If-None-Match, If-Range, Content-Type"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
