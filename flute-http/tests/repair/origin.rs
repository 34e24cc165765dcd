// SPDX-License-Identifier: MPL-2.0

//! An HTTP server that has an object, and answers as a test wants it to.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use flute_http::{Answering, Handler, Response, ResponseBody, Server, ServerLimits};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use url::Url;

/// A request as the origin saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// The how many-th it is, from 0.
    pub(crate) number: u32,
    pub(crate) path: String,
    pub(crate) ranges: Vec<Range<usize>>,
    pub(crate) if_range: Option<String>,
}

/// What the origin does after the header of its answer.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Bytes(Vec<u8>),
    /// These bytes one by one, with so much time between them.
    Slowly(Vec<u8>, Duration),
    /// Nothing, for longer than anybody waits.
    Hang,
    /// The connection breaks.
    Break,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) parts: Vec<Part>,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, fields: vec![("content-length", "0".to_owned())], parts: Vec::new() }
    }

    /// All of an object.
    pub(crate) fn whole(content: &[u8]) -> Self {
        let fields = vec![("content-length", content.len().to_string())];
        Self { status: 200, fields, parts: vec![Part::Bytes(content.to_vec())] }
    }

    /// One range of it.
    pub(crate) fn range(content: &[u8], Range { start, end }: Range<usize>) -> Self {
        let fields = vec![
            ("content-range", format!("bytes {start}-{}/{}", end - 1, content.len())),
            ("content-length", (end - start).to_string()),
        ];
        Self { status: 206, fields, parts: vec![Part::Bytes(content[start..end].to_vec())] }
    }

    /// What was asked for, as a server does that knows ranges.
    pub(crate) fn right(content: &[u8], asked: &Asked) -> Self {
        match asked.ranges.as_slice() {
            [] => Self::whole(content),
            [one] => Self::range(content, one.clone()),
            several => {
                let mut body = Vec::new();
                for Range { start, end } in several {
                    let header = format!("bytes {start}-{}/{}", end - 1, content.len());
                    body.extend(format!("\r\n--THIS\r\nContent-Range: {header}\r\n\r\n").into_bytes());
                    body.extend(&content[*start..*end]);
                }
                body.extend(b"\r\n--THIS--\r\n");
                let fields = vec![
                    ("content-type", "multipart/byteranges; boundary=THIS".to_owned()),
                    ("content-length", body.len().to_string()),
                ];
                Self { status: 206, fields, parts: vec![Part::Bytes(body)] }
            }
        }
    }

    pub(crate) fn field(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    /// The same answer, of which only the first bytes come.
    pub(crate) fn cut(mut self, length: usize, then: Part) -> Self {
        if let Some(Part::Bytes(bytes)) = self.parts.first_mut() {
            bytes.truncate(length);
        }
        self.parts.push(then);
        self
    }

    fn into_response(self) -> Response {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            for part in self.parts {
                match part {
                    Part::Bytes(bytes) => {
                        let _ = sender.send(Ok(Bytes::from(bytes))).await;
                    }
                    Part::Slowly(bytes, pause) => {
                        for byte in bytes {
                            tokio::time::sleep(pause).await;
                            let _ = sender.send(Ok(Bytes::from(vec![byte]))).await;
                        }
                    }
                    Part::Hang => std::future::pending().await,
                    Part::Break => {
                        let _ = sender.send(Err(io::Error::other("the origin goes away"))).await;
                    }
                }
            }
        });
        let mut response = Response::new(ResponseBody::stream(receiver));
        *response.status_mut() = self.status.try_into().unwrap();
        for (name, value) in self.fields {
            response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
        }
        response
    }
}

type Answers = dyn Fn(&Asked) -> Answer + Send + Sync;

struct Answerer {
    answer: Box<Answers>,
    requests: AtomicU32,
    tell: mpsc::Sender<Asked>,
}

impl Handler for Answerer {
    fn answer(&self, request: Request<Incoming>, _local: SocketAddr) -> Answering<'_> {
        let field = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let range = |text: &str| {
            let (first, last) = text.split_once('-').unwrap();
            first.parse().unwrap()..last.parse::<usize>().unwrap() + 1
        };
        let ranges = field("range").map(|ranges| ranges.trim_start_matches("bytes=").split(',').map(range).collect());
        let asked = Asked {
            number: self.requests.fetch_add(1, Ordering::Relaxed),
            path: request.uri().path().to_owned(),
            ranges: ranges.unwrap_or_default(),
            if_range: field("if-range"),
        };
        let answer = (self.answer)(&asked);
        // The test may be over.
        let _ = self.tell.send(asked);
        Box::pin(async move { answer.into_response() })
    }
}

/// A server on a port of this machine, as long as this is there.
pub(crate) struct Origin {
    pub(crate) url: Url,
    pub(crate) asked: mpsc::Receiver<Asked>,
    _server: Server,
}

impl Origin {
    pub(crate) fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = Url::parse(&format!("http://{}/live/", listener.local_addr().unwrap())).unwrap();
        let (tell, asked) = mpsc::channel();
        let handler = Answerer { answer: Box::new(answer), requests: AtomicU32::new(0), tell };
        Self { url, asked, _server: Server::start(listener, ServerLimits::new(16), Arc::new(handler)).unwrap() }
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.asked.try_iter().collect()
    }
}
