// SPDX-License-Identifier: MPL-2.0

//! A server for players of this process: on the loopback interface, under a path that no other process knows.
//!
//! The path of every URL begins with a number that cannot be guessed, so that neither another user of the machine nor a
//! page in a browser gets at the objects.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::sync::Semaphore;
use url::Url;

use crate::object_service::ObjectService;
use crate::object_store::ObjectStore;
use crate::response;
use crate::server::{Answering, Handler, Server, ServerLimits};

/// Connections at a time. Further ones wait in the kernel until one of these ends.
const MAX_CONNECTIONS: usize = 128;

/// Requests at a time that wait for an object. Further ones are answered with 503.
const MAX_WAITING: usize = 64;

/// Serves the objects of a store until it is dropped.
#[derive(Debug)]
pub struct PrivateServer {
    root: Url,
    _server: Server,
}

impl PrivateServer {
    /// Starts a server on a free port of 127.0.0.1. A request for an object that is not there waits for it while
    /// something of it comes at least every `timeout`.
    ///
    /// # Errors
    ///
    /// No socket or no thread can be had.
    pub fn start(objects: Arc<ObjectStore>, timeout: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let secret = format!("{:016x}", RandomState::new().build_hasher().finish());
        let root = Url::parse(&format!("http://{}/{secret}/", listener.local_addr()?)).map_err(io::Error::other)?;
        let objects = ObjectService::new(objects, timeout, Arc::new(Semaphore::new(MAX_WAITING)));
        let handler = Arc::new(BehindPrefix { prefix: root.path().to_owned(), objects });
        Ok(Self { root, _server: Server::start(listener, ServerLimits::new(MAX_CONNECTIONS), handler)? })
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

struct BehindPrefix {
    prefix: String,
    objects: ObjectService,
}

impl Handler for BehindPrefix {
    fn answer(&self, request: Request<Incoming>, _local: SocketAddr) -> Answering<'_> {
        Box::pin(async move {
            match request.uri().path().strip_prefix(&self.prefix) {
                Some(path) => self.objects.answer(request.method(), path, request.headers()).await,
                None => response::empty(StatusCode::NOT_FOUND),
            }
        })
    }
}
