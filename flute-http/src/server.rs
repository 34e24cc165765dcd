// SPDX-License-Identifier: MPL-2.0

//! The server: connections on the loopback interface, within bounds.
//!
//! The path of every URL begins with a number that cannot be guessed, so that neither another user of the machine nor a
//! page in a browser gets at the objects.

use std::convert::Infallible;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use url::Url;

use crate::object_store::{Missing, ObjectStore};
use crate::response::{self, Response};
use flute_proto::content_location::LocationPath;

/// Connections at a time. Further ones wait in the kernel until one of these ends.
const MAX_CONNECTIONS: usize = 128;

/// Requests at a time that wait for an object. Further ones are answered with 503.
const MAX_WAITING: usize = 64;

/// Bytes of the header of a request, and of what hyper buffers.
const MAX_HEADER_BYTES: usize = 16 << 10;

/// Fields of the header of a request.
const MAX_HEADER_FIELDS: usize = 64;

/// How long a client may take to send the header of its next request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take no byte of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves the objects of a store until it is dropped.
pub struct Server {
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    root: Url,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("root", &self.root.as_str()).finish_non_exhaustive()
    }
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1. A request for an object that is not there waits for it while
    /// something of it comes at least every `timeout`.
    ///
    /// # Errors
    ///
    /// No socket or no thread can be had.
    pub fn start(objects: Arc<ObjectStore>, timeout: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let secret = format!("{:016x}", RandomState::new().build_hasher().finish());
        let root = Url::parse(&format!("http://{}/{secret}/", listener.local_addr()?)).map_err(io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let service = Arc::new(Service {
            objects,
            timeout,
            prefix: root.path().to_owned(),
            waiting: Semaphore::new(MAX_WAITING),
        });
        let stop = Arc::new(Notify::new());
        let thread = thread::Builder::new().name("flute-http".to_owned()).spawn({
            let stop = stop.clone();
            move || {
                runtime.block_on(async {
                    // The end of the runtime ends the tasks.
                    tokio::spawn(accept(listener, service));
                    stop.notified().await;
                });
            }
        })?;
        Ok(Self { stop, thread: Some(thread), root })
    }

    /// The URL of the object that this path means.
    pub fn url(&self, path: &str) -> String {
        let mut url = self.root.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        url.into()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, its message has been printed.
            let _ = thread.join();
        }
    }
}

/// Takes connections for ever, or until that fails for good.
async fn accept(listener: TcpListener, service: Arc<Service>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, service.clone(), permit));
            }
            // The client has gone, or there are no descriptors at the moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve(stream: TcpStream, service: Arc<Service>, _permit: OwnedSemaphorePermit) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let mut stream = Box::pin(stream);
    let answer = service_fn(|request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    connection.max_buf_size(MAX_HEADER_BYTES).max_headers(MAX_HEADER_FIELDS).title_case_headers(true);
    // An error is the client's: it has gone, is too slow, or speaks no HTTP.
    let _ = connection.serve_connection(TokioIo::new(stream.as_mut()), answer).await;
}

/// What is served, and how.
struct Service {
    objects: Arc<ObjectStore>,
    timeout: Duration,
    prefix: String,
    waiting: Semaphore,
}

impl Service {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return response::method_not_allowed();
        }
        let Some(path) = request.uri().path().strip_prefix(&self.prefix) else {
            return response::empty(StatusCode::NOT_FOUND);
        };
        let name = LocationPath::of_location(path);
        let Ok(_permit) = self.waiting.try_acquire() else {
            return response::empty(StatusCode::SERVICE_UNAVAILABLE);
        };
        match self.objects.wait_async(&name, self.timeout).await {
            Ok(object) => response::of_object(&object, request.headers()),
            Err(Missing::Never) => response::empty(StatusCode::NOT_FOUND),
            Err(Missing::Late(_)) => response::empty(StatusCode::GATEWAY_TIMEOUT),
            Err(Missing::Interrupted | Missing::Failed(_)) => response::empty(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}
