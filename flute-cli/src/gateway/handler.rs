// SPDX-License-Identifier: MPL-2.0

//! Requests: for objects of services, and for what the program tells of itself.

use std::net::SocketAddr;
use std::sync::Arc;

use flute_http::{Answering, Handler, Response, ResponseBody, response, share_with_all_origins};
use flute_proto::content_location::LocationPath;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use tokio::sync::{mpsc, watch};

use super::figures::Snapshot;
use super::hosts::AllowedHosts;
use super::metrics;
use super::page::Page;
use super::services::Services;

/// Sets of figures that wait for a client.
const FIGURES_AHEAD: usize = 1;

/// How long files of the page are kept: a reload soon has those of another version of the program.
const PAGE_FILE_CACHING: &str = "max-age=60";

/// What is answered to requests by other names.
const UNKNOWN_HOST: &str = "This server is not known by the name in the request. If it is to be, start it with \
                            --allow-host NAME.\n";

/// Where the program's own pages are, whatever services have.
const OWN: &str = "/_flute/";

/// Answers requests.
#[derive(Debug)]
pub(super) struct Gateway {
    services: Arc<Services>,
    hosts: AllowedHosts,
    page: Page,
    figures: watch::Receiver<Snapshot>,
}

impl Gateway {
    pub(super) fn new(
        services: Arc<Services>,
        hosts: AllowedHosts,
        page: Page,
        figures: watch::Receiver<Snapshot>,
    ) -> Self {
        Self { services, hosts, page, figures }
    }

    async fn route(&self, request: &Request<Incoming>) -> Response {
        let path = request.uri().path();
        if let Some(own) = path.strip_prefix(OWN) {
            let response = self.own(own, request.method()).or_else(|| self.page_file(own, request.method()));
            return response.unwrap_or_else(|| self.not_found());
        }
        // Where there is one service, its objects go first.
        let only = self.services.only();
        let is_object =
            only.as_ref().is_some_and(|service| service.objects().objects().has(&LocationPath::of_location(path)));
        if !is_object && let Some(response) = self.own(path.trim_start_matches('/'), request.method()) {
            return response;
        }
        let (name, rest) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
        // A client may encode what need not be, such as the colon of a port (RFC 3986 §6.2.2.2).
        let named =
            self.services.named(name).or_else(|| self.services.named(&LocationPath::of_location(name).to_path()));
        let (service, path) = match (named, only) {
            (Some(service), _) => (service, rest),
            (None, Some(service)) => (service, path),
            (None, None) => return self.not_found(),
        };
        let mut response = service.objects().answer(request.method(), path, request.headers()).await;
        share_with_all_origins(&mut response);
        response
    }

    /// What the program tells of itself, if this is one of its paths.
    fn own(&self, path: &str, method: &Method) -> Option<Response> {
        let is_known = matches!(path, "" | "healthz" | "metrics" | "api/v1/sessions" | "events");
        if is_known && !is_reading(method) {
            return Some(only_reading());
        }
        let mut response = match path {
            "" => self.page.html(),
            "healthz" => response::text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n"),
            "metrics" => match metrics::text(self.figures.borrow().clone()) {
                Ok(text) => response::text(StatusCode::OK, metrics::CONTENT_TYPE, text),
                Err(_) => response::empty(StatusCode::INTERNAL_SERVER_ERROR),
            },
            "api/v1/sessions" => {
                let text = self.figures.borrow().to_json().to_string();
                response::text(StatusCode::OK, "application/json", text)
            }
            "events" if *method == Method::GET => self.events(),
            _ => return None,
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Some(response)
    }

    /// A file that the page is made of, if this is the path of one.
    fn page_file(&self, path: &str, method: &Method) -> Option<Response> {
        let mut response = self.page.file(path)?;
        if !is_reading(method) {
            return Some(only_reading());
        }
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(PAGE_FILE_CACHING));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Some(response)
    }

    /// The figures as they change (server-sent events, HTML §9.2).
    fn events(&self) -> Response {
        let (pieces, receiver) = mpsc::channel(FIGURES_AHEAD);
        let mut figures = self.figures.clone();
        figures.mark_changed();
        tokio::spawn(async move {
            while figures.changed().await.is_ok() {
                let event = format!("data: {}\n\n", figures.borrow_and_update().to_json());
                if pieces.send(Ok(event.into())).await.is_err() {
                    return;
                }
            }
        });
        let mut response = Response::new(ResponseBody::stream(receiver));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        response
    }

    fn not_found(&self) -> Response {
        let names: Vec<String> = self.services.all().iter().map(|service| service.name()).collect();
        let text = format!("There is no such service. The services are: {}\n", names.join(", "));
        response::text(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", text)
    }
}

fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// The answer to a method that a page of the program does not know.
fn only_reading() -> Response {
    let mut response = response::empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

impl Handler for Gateway {
    fn answer(&self, request: Request<Incoming>, local: SocketAddr) -> Answering<'_> {
        Box::pin(async move {
            // A URI in the request line has a host of its own (RFC 9112 §3.2.2).
            let authority = request.uri().authority().map(|authority| authority.as_str());
            let host = authority.or_else(|| request.headers().get(header::HOST)?.to_str().ok()).unwrap_or_default();
            if !self.hosts.allow(host, local.ip()) {
                return response::text(StatusCode::MISDIRECTED_REQUEST, "text/plain; charset=utf-8", UNKNOWN_HOST);
            }
            self.route(&request).await
        })
    }
}
