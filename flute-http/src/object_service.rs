// SPDX-License-Identifier: MPL-2.0

//! Requests for the objects of one store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flute_proto::content_location::LocationPath;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::sync::Semaphore;

use crate::object_store::{Missing, ObjectStore};
use crate::response::{self, Response};

/// Methods that an object knows.
const METHODS: &str = "GET, HEAD, OPTIONS";

/// Fields of an answer that scripts of other origins may read, besides those that they may in any case (Fetch §3.3.3).
const EXPOSED: &str = "Accept-Ranges, Content-Length, Content-Range, Date, ETag";

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
            return response::empty(StatusCode::SERVICE_UNAVAILABLE);
        };
        match self.objects.wait_async(&path, self.timeout).await {
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
