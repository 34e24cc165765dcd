// SPDX-License-Identifier: MPL-2.0

//! Repair: what is missing of lost objects is fetched from an HTTP server that has them too.
//!
//! A receiver waits for a random time first, so that all those that lost the same do not ask at once (TS 26.346 §9.3),
//! and asks for what follows the bytes that came (RFC 9110 §14). What the server answers is taken only if the whole has
//! the digest that was announced, or, without one, the announced length.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use flute_proto::content::{DigestAlgorithm, Digester};
use flute_proto::receiver::ObjectInfo;
use url::Url;

use crate::arriving_object::ArrivingObject;
use crate::object_store::ObjectStore;

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// Times that an object is asked for, if the server does not answer or breaks off.
const ATTEMPTS: u32 = 3;

/// How repair asks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RepairConfig {
    /// Where objects are: a Content-Location is resolved against it, without its own host if it has one.
    pub origin: Url,
    /// Objects that are fetched at the same time.
    pub parallel: usize,
    /// Objects that wait to be fetched; those that are lost beyond that are not repaired.
    pub max_waiting: usize,
    /// The longest time that is waited before an object is asked for; half of that on average.
    pub back_off: Duration,
    /// Bits per second of each that is fetched; 0 for no bound.
    pub bitrate: u64,
    /// How long the server may take to answer.
    pub timeout: Duration,
    /// Bits per second that an answer must have at least, once it has begun: a server that hangs is given up.
    pub min_bitrate: u64,
}

impl RepairConfig {
    /// Asks this server for four objects at a time after up to a second.
    pub fn new(origin: Url) -> Self {
        Self {
            origin,
            parallel: 4,
            max_waiting: 256,
            back_off: Duration::from_secs(1),
            bitrate: 0,
            timeout: Duration::from_secs(10),
            min_bitrate: 100_000,
        }
    }

    /// How long so many bytes may take.
    fn longest(&self, bytes: u64) -> Duration {
        // What the own bound delays is not the server's fault.
        let bitrate = if self.bitrate > 0 { self.min_bitrate.min(self.bitrate / 2) } else { self.min_bitrate };
        self.timeout + Duration::from_secs_f64(bytes as f64 * 8.0 / bitrate.max(1) as f64)
    }

    /// Where an object is fetched.
    fn url(&self, location: &str) -> Result<Url, RepairError> {
        // The path of an absolute URL, below the origin.
        let relative = match Url::parse(location) {
            Ok(absolute) if absolute.has_host() => {
                absolute[url::Position::BeforePath..].trim_start_matches('/').to_owned()
            }
            Ok(_) => return Err(RepairError::Location),
            Err(_) => location.trim_start_matches('/').to_owned(),
        };
        let mut base = self.origin.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let url = base.join(&relative).map_err(|_| RepairError::Location)?;
        // `..` must not lead out of what the user named.
        if url.origin() == base.origin() && url.path().starts_with(base.path()) {
            Ok(url)
        } else {
            Err(RepairError::Location)
        }
    }
}

/// What has become of an object that was to be repaired.
#[derive(Debug)]
#[non_exhaustive]
pub enum RepairOutcome {
    /// It is complete; so many bytes of it were fetched.
    Repaired {
        /// The object.
        object: Arc<ObjectInfo>,
        /// Bytes that were fetched.
        fetched: u64,
    },
    /// It is lost for good.
    Failed {
        /// The object.
        object: Arc<ObjectInfo>,
        /// Why.
        reason: String,
    },
}

/// Why an object was not repaired.
#[derive(Debug, thiserror::Error)]
enum RepairError {
    #[error("its Content-Location is no path below the origin")]
    Location,
    #[error("the origin answers {0}")]
    Status(u16),
    #[error("the origin answers with another range than was asked for")]
    Range,
    #[error("the origin has another length, or broke off: {actual} of {announced} bytes")]
    Length { actual: u64, announced: u64 },
    #[error("what the origin has does not fit the announced digest")]
    Digest,
    #[error("a newer version arrives")]
    Superseded,
    #[error("asking the origin: {0}")]
    Request(#[from] Box<ureq::Error>),
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl RepairError {
    /// Whether asking once more may help.
    fn is_passing(&self) -> bool {
        match self {
            Self::Status(status) => *status >= 500 || *status == 429,
            Self::Length { .. } | Self::Request(_) | Self::Io(_) => true,
            Self::Location | Self::Range | Self::Digest | Self::Superseded => false,
        }
    }
}

/// An object to repair, as long as its store is there.
struct Job {
    store: Weak<ObjectStore>,
    object: Arc<ArrivingObject>,
}

type Tell = dyn Fn(RepairOutcome) + Send + Sync;

/// Fetches what is missing of lost objects, in threads of its own that end with it.
pub struct Repair {
    jobs: SyncSender<Job>,
}

impl fmt::Debug for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repair").finish_non_exhaustive()
    }
}

impl Repair {
    /// Starts the threads. `tell` is told what becomes of each object.
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn start(config: RepairConfig, tell: impl Fn(RepairOutcome) + Send + Sync + 'static) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::sync_channel(config.max_waiting.max(1));
        let (waiting, config) = (Arc::new(Mutex::new(waiting)), Arc::new(config));
        let tell: Arc<Tell> = Arc::new(tell);
        for _ in 0..config.parallel.max(1) {
            let (waiting, config, tell) = (waiting.clone(), config.clone(), tell.clone());
            thread::Builder::new().name("flute-repair".to_owned()).spawn(move || work(&waiting, &config, &*tell))?;
        }
        Ok(Self { jobs })
    }

    /// Asks for an object. `false` if too many wait already.
    pub(crate) fn ask(&self, store: &Arc<ObjectStore>, object: &Arc<ArrivingObject>) -> bool {
        self.jobs.try_send(Job { store: Arc::downgrade(store), object: object.clone() }).is_ok()
    }
}

/// Repairs one object after the other until the store is gone.
fn work(waiting: &Mutex<Receiver<Job>>, config: &RepairConfig, tell: &Tell) {
    let timeout = Some(config.timeout);
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(timeout)
        .timeout_recv_response(timeout)
        .max_redirects(0)
        .http_status_as_error(false)
        .build()
        .into();
    loop {
        let job = match waiting.lock() {
            Ok(waiting) => waiting.recv(),
            Err(_) => return,
        };
        let Ok(Job { store, object }) = job else { return };
        let Some(store) = store.upgrade() else { continue };
        let before = object.available();
        let info = object.info().clone();
        tell(match fetch_with_patience(&agent, config, &store, &object) {
            Ok(()) => {
                let fetched = object.available() - before;
                store.finish_arrival(&object);
                RepairOutcome::Repaired { object: info, fetched }
            }
            Err(error) => {
                store.give_up(&object);
                RepairOutcome::Failed { object: info, reason: error.to_string() }
            }
        });
    }
}

fn fetch_with_patience(
    agent: &ureq::Agent,
    config: &RepairConfig,
    store: &ObjectStore,
    object: &ArrivingObject,
) -> Result<(), RepairError> {
    let url = config.url(object.info().location())?;
    let mut attempt = 1;
    loop {
        thread::sleep(random_part(config.back_off) * attempt);
        let fetched = fetch(agent, config, &url, store, object).and_then(|()| check(object));
        match fetched {
            Err(error) if error.is_passing() && attempt < ATTEMPTS => attempt += 1,
            fetched => return fetched,
        }
    }
}

/// Fetches what follows the bytes that are there.
fn fetch(
    agent: &ureq::Agent,
    config: &RepairConfig,
    url: &Url,
    store: &ObjectStore,
    object: &ArrivingObject,
) -> Result<(), RepairError> {
    let begin = object.available();
    if object.length() == Some(begin) {
        return Ok(());
    }
    let bytes = object.length().unwrap_or(object.info().transfer_length);
    let request = agent.get(url.as_str()).config().timeout_recv_body(Some(config.longest(bytes))).build();
    let mut request = request.header("Accept-Encoding", "identity");
    if begin > 0 {
        request = request.header("Range", format!("bytes={begin}-"));
    }
    let response = request.call().map_err(Box::new)?;
    // A server need not know ranges: what is there already is read past.
    let mut skip = match response.status().as_u16() {
        200 => begin,
        206 if begins_at(response.headers().get("content-range"), begin) => 0,
        206 => return Err(RepairError::Range),
        status => return Err(RepairError::Status(status)),
    };
    let mut body = response.into_body().into_reader();
    let (mut buffer, mut position, started) = (vec![0; PIECE], begin, Instant::now());
    loop {
        let length = body.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        let past = skip.min(length as u64);
        skip -= past;
        let bytes = &buffer[past as usize..length];
        if object.length().is_some_and(|announced| position + bytes.len() as u64 > announced) {
            return Err(RepairError::Digest);
        }
        store.append(object, position, bytes).map_err(|error| match object.available() {
            available if available == position => RepairError::Io(error),
            _ => RepairError::Superseded,
        })?;
        position += bytes.len() as u64;
        if config.bitrate > 0 {
            let due = Duration::from_secs_f64((position - begin) as f64 * 8.0 / config.bitrate as f64);
            thread::sleep(due.saturating_sub(started.elapsed()));
        }
    }
    match object.length() {
        Some(announced) if announced != position => Err(RepairError::Length { actual: position, announced }),
        _ => Ok(()),
    }
}

/// Whether a Content-Range (RFC 9110 §14.4) begins at this byte.
fn begins_at(range: Option<&ureq::http::HeaderValue>, begin: u64) -> bool {
    let range = range.and_then(|range| range.to_str().ok()?.trim().strip_prefix("bytes "));
    range.and_then(|range| range.split('-').next()?.parse().ok()) == Some(begin)
}

/// Whether the bytes have the announced digest, if there is one. That of an encoded object is of its encoded bytes, which
/// are not there: its length has to do.
fn check(object: &ArrivingObject) -> Result<(), RepairError> {
    let file = &object.info().file;
    let Some(md5) = file.content_md5.filter(|_| file.content_encoding.is_none()) else { return Ok(()) };
    let mut digester = Digester::new(DigestAlgorithm::Md5);
    let mut offset = 0;
    loop {
        let bytes = object.read_unchecked(offset, PIECE)?;
        if bytes.is_empty() {
            break;
        }
        digester.update(&bytes);
        offset += bytes.len() as u64;
    }
    if digester.finish() == md5 { Ok(()) } else { Err(RepairError::Digest) }
}

/// A random part of a time.
fn random_part(time: Duration) -> Duration {
    // The standard library's only source of randomness.
    let random = RandomState::new().build_hasher().finish();
    time.mul_f64(random as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_objects_are() {
        let url = |origin: &str, location: &str| {
            RepairConfig::new(Url::parse(origin).unwrap()).url(location).ok().map(String::from)
        };
        let expected = |text: &str| Some(text.to_owned());
        assert_eq!(url("http://o/live", "video/1.m4s"), expected("http://o/live/video/1.m4s"));
        assert_eq!(url("http://o/", "http://h/a/1.m4s?b=c"), expected("http://o/a/1.m4s?b=c"));
        assert_eq!(url("http://o/live/", "/1%202.m4s"), expected("http://o/live/1%202.m4s"));
        for outside in ["../secret", "a/../../secret", "%2e%2e/secret", "urn:a:b", "file:///etc/passwd"] {
            assert_eq!(url("http://o/live/", outside), None, "{outside}");
        }
    }

    #[test]
    fn ranges_of_answers() {
        let value = |text: &str| ureq::http::HeaderValue::from_str(text).unwrap();
        assert!(begins_at(Some(&value("bytes 10-99/100")), 10));
        assert!(!begins_at(Some(&value("bytes 0-99/100")), 10) && !begins_at(None, 0));
    }
}
