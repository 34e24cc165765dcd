// SPDX-License-Identifier: MPL-2.0

//! The server: connections, within bounds, and a handler that answers their requests.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;

use crate::response::Response;

/// Bytes of the header of a request, and of what hyper buffers.
const MAX_HEADER_BYTES: usize = 16 << 10;

/// Fields of the header of a request.
const MAX_HEADER_FIELDS: usize = 64;

/// What clients may take.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Connections at a time; further ones wait in the kernel.
    pub max_connections: usize,
    /// How long a client may take to send the header of its next request.
    pub header_timeout: Duration,
    /// How long a client may take no byte of an answer.
    pub write_timeout: Duration,
}

impl ServerLimits {
    /// So many connections, each of which may do nothing for half a minute.
    pub fn new(max_connections: usize) -> Self {
        let patience = Duration::from_secs(30);
        Self { max_connections, header_timeout: patience, write_timeout: patience }
    }
}

/// An answer that is on its way.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// The answer to a request that came to this address.
    fn answer(&self, request: Request<Incoming>, local: SocketAddr) -> Answering<'_>;
}

/// Answers requests on a socket until it is dropped.
pub struct Server {
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    address: SocketAddr,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Starts a thread that takes connections within these limits.
    ///
    /// # Errors
    /// No thread can be had, or nothing can be done with the socket.
    pub fn start(listener: TcpListener, limits: ServerLimits, handler: Arc<dyn Handler>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let stop = Arc::new(Notify::new());
        let thread = thread::Builder::new().name("flute-http".to_owned()).spawn({
            let stop = stop.clone();
            move || {
                runtime.block_on(async {
                    // The end of the runtime ends the tasks.
                    tokio::spawn(accept(listener, limits, handler));
                    stop.notified().await;
                });
            }
        })?;
        Ok(Self { stop, thread: Some(thread), address })
    }

    /// The address and port that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
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
async fn accept(listener: TcpListener, limits: ServerLimits, handler: Arc<dyn Handler>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let connections = Arc::new(Semaphore::new(limits.max_connections));
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, limits, handler.clone(), permit));
            }
            // The client has gone, or there are no descriptors at the moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve(stream: TcpStream, limits: ServerLimits, handler: Arc<dyn Handler>, _permit: OwnedSemaphorePermit) {
    let Ok(local) = stream.local_addr() else { return };
    // Bytes of an object in flight are not to wait for more of them.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write_timeout));
    let mut stream = Box::pin(stream);
    let answer = service_fn(|request| {
        let handler = handler.clone();
        async move { Ok::<_, Infallible>(handler.answer(request, local).await) }
    });
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    connection.max_buf_size(MAX_HEADER_BYTES).max_headers(MAX_HEADER_FIELDS).title_case_headers(true);
    // An error is the client's: it has gone, is too slow, or speaks no HTTP.
    let _ = connection.serve_connection(TokioIo::new(stream.as_mut()), answer).await;
}
