// SPDX-License-Identifier: MPL-2.0

//! One object that is fetched, request by request.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use flute_proto::content::{DigestAlgorithm, Digester};
use flute_proto::content_location::{self, LocationPath};
use flute_proto::fdt::File;
use flute_proto::receiver::ObjectInfo;
use ureq::Agent;
use url::Url;

use super::answer::{self, Answer, Version};
use super::rate::RateLimit;
use super::{RepairConfig, Task, byte_ranges, locations, random_part};
use crate::arriving_object::ArrivingObject;
use crate::object_store::ObjectStore;

/// Times that a server is asked for an object, if it does not answer or breaks off.
const ATTEMPTS: u32 = 3;

/// Requests for one object, whatever becomes of them: an answer may have but some of the ranges.
const MAX_REQUESTS: u32 = 200;

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// Why an object was not repaired.
#[derive(Debug, thiserror::Error)]
pub(super) enum RepairError {
    #[error("its Content-Location is no path below an origin, and its FDT Instance names no server that may be asked")]
    Location,
    #[error("the origin answers {status}")]
    Status { status: u16, retry_after: Duration },
    #[error("the origin redirects to {0}, which is another server, or too often")]
    Redirect(String),
    #[error("the origin answers with another range than was asked for")]
    Range,
    #[error("the origin answers with an encoding that was not asked for")]
    Encoded,
    #[error("what the origin has is of {actual} bytes, and not of {announced}")]
    Length { actual: u64, announced: u64 },
    #[error("the origin broke off at byte {actual} of {announced}")]
    Short { actual: u64, announced: u64 },
    #[error("what the origin has does not fit the announced digest")]
    Digest,
    #[error("the origin has another version by now")]
    Changed,
    #[error("it was given up meanwhile")]
    Abandoned,
    #[error("asking the origin: {0}")]
    Request(#[from] Box<ureq::Error>),
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl RepairError {
    /// Whether asking the same server once more may help.
    fn is_passing(&self) -> bool {
        match self {
            Self::Status { status, .. } => *status >= 500 || *status == 429,
            Self::Short { .. } | Self::Request(_) | Self::Io(_) | Self::Changed => true,
            _ => false,
        }
    }
}

/// What comes next of a job.
#[derive(Debug)]
pub(super) enum Step {
    /// Another request, after this time.
    Again(Duration),
    Done,
    Failed(RepairError),
}

/// An object to fetch, and how far that has come.
#[derive(Debug)]
pub(super) struct Job {
    task: Task,
    /// Where it is asked for; `None` before that is known.
    urls: Option<Vec<Url>>,
    /// The one that is asked.
    server: usize,
    attempt: u32,
    requests: u32,
    fetched: u64,
    /// What has been taken from servers so far is of this version.
    version: Option<Version>,
    /// All bytes are of servers.
    is_anew: bool,
}

impl Job {
    pub(super) fn new(task: Task) -> Self {
        Self { task, urls: None, server: 0, attempt: 1, requests: 0, fetched: 0, version: None, is_anew: false }
    }

    /// The Content-Location, or the path that was asked for.
    pub(super) fn location(&self) -> String {
        match &self.task {
            Task::Object(object) => object.info().location().to_owned(),
            Task::Path(path) => path.to_path(),
        }
    }

    /// Bytes that were fetched.
    pub(super) fn fetched(&self) -> u64 {
        self.fetched
    }

    /// The object, as soon as there is one.
    pub(super) fn object(&self) -> Option<&Arc<ArrivingObject>> {
        match &self.task {
            Task::Object(object) => Some(object),
            Task::Path(_) => None,
        }
    }

    /// Forgets what has come.
    fn begin_anew(&mut self, store: &ObjectStore) {
        if let Task::Object(object) = &self.task {
            self.task = Task::Object(store.begin_repair_anew(object));
        }
        (self.version, self.is_anew) = (None, true);
    }
}

/// Asks servers.
#[derive(Debug)]
pub(super) struct Fetcher {
    agent: Agent,
    config: Arc<RepairConfig>,
    rate: RateLimit,
}

impl Fetcher {
    pub(super) fn new(config: Arc<RepairConfig>) -> Self {
        Self { agent: answer::agent(&config), rate: RateLimit::new(config.bitrate), config }
    }

    /// Makes one request for what is missing, and takes what is answered.
    pub(super) fn proceed(&self, store: &ObjectStore, job: &mut Job) -> Step {
        let before = job.fetched;
        job.requests += 1;
        let error = match self.request(store, job) {
            Ok(()) => match self.conclude(job) {
                Ok(true) => return Step::Done,
                // Some of the ranges were answered.
                Ok(false) if job.fetched > before && job.requests < MAX_REQUESTS => return Step::Again(Duration::ZERO),
                Ok(false) => RepairError::Range,
                Err(error) => error,
            },
            Err(error) => error,
        };
        match error {
            // What came by multicast does not fit, or what is here is of two versions.
            RepairError::Digest if !job.is_anew => {
                job.begin_anew(store);
                return Step::Again(Duration::ZERO);
            }
            RepairError::Changed => job.begin_anew(store),
            _ => (),
        }
        let is_passing = error.is_passing();
        let wait = match &error {
            RepairError::Status { retry_after, .. } => *retry_after,
            _ => Duration::ZERO,
        };
        if is_passing && job.attempt < ATTEMPTS {
            job.attempt += 1;
            return Step::Again(wait + random_part(self.config.back_off) * job.attempt);
        }
        let servers = job.urls.as_ref().map_or(0, Vec::len);
        if job.server + 1 < servers && !matches!(error, RepairError::Abandoned) {
            (job.server, job.attempt) = (job.server + 1, 1);
            return Step::Again(Duration::ZERO);
        }
        Step::Failed(error)
    }

    fn request(&self, store: &ObjectStore, job: &mut Job) -> Result<(), RepairError> {
        let urls = job.urls.get_or_insert_with(|| self.urls(&job.task));
        let url = urls.get(job.server).ok_or(RepairError::Location)?.clone();
        let Task::Object(object) = &job.task else { return self.request_undescribed(store, job, &url) };
        if !object.is_arriving() {
            // Multicast has caught up, or nobody wants it.
            return Ok(());
        }
        let has_digest = announced_digest(object.info()).is_some();
        if let Some(version) = &job.version {
            // Where neither tells one version from the other, nothing that comes fits what is here.
            let is_the_same = version.is_at(&url) && version.is_known();
            if !is_the_same && has_digest {
                job.version = None;
            } else if !is_the_same {
                job.begin_anew(store);
            }
        }
        let Task::Object(object) = job.task.clone() else { return Ok(()) };
        let missing = object.missing();
        let ranges = if object.is_empty() { Vec::new() } else { byte_ranges::wanted(&missing) };
        if missing.is_empty() {
            return Ok(());
        }
        let described_tag = object.info().file.etag.as_deref().filter(|tag| answer::is_strong(tag));
        let tag = job.version.as_ref().and_then(Version::strong_tag).or(described_tag);
        let longest = self.longest(object.length().unwrap_or(object.info().transfer_length));
        let answer = answer::request(&self.agent, &url, &ranges, tag, longest)?;
        if job.version.as_ref().is_some_and(|version| *version != answer.version) {
            if !answer.is_whole() {
                return Err(RepairError::Changed);
            }
            job.begin_anew(store);
        }
        // The description names another version than the server has, and nothing else will show that they do not fit.
        let is_other = described_tag.zip(answer.version.strong_tag()).is_some_and(|(one, other)| one != other);
        if is_other && !has_digest && !object.is_empty() && !job.is_anew {
            if !answer.is_whole() {
                return Err(RepairError::Changed);
            }
            job.begin_anew(store);
        }
        self.take(store, job, answer)
    }

    /// Asks for what a path means. What the server says of it is its description.
    fn request_undescribed(&self, store: &ObjectStore, job: &mut Job, url: &Url) -> Result<(), RepairError> {
        let Task::Path(path) = &job.task else { return Ok(()) };
        let answer = answer::request(&self.agent, url, &[], None, self.longest(u64::from(u32::MAX)))?;
        let file = File {
            content_location: encoded(path),
            content_length: answer.complete,
            content_type: answer.content_type.clone(),
            etag: answer.version.strong_tag().map(str::to_owned),
            ..File::default()
        };
        let object = store.begin_undescribed(ObjectInfo::undescribed(file), answer.complete);
        (job.task, job.is_anew) = (Task::Object(object), true);
        self.take(store, job, answer)
    }

    /// Takes those bytes of an answer that have not come.
    fn take(&self, store: &ObjectStore, job: &mut Job, answer: Answer) -> Result<(), RepairError> {
        let Task::Object(object) = &job.task else { return Ok(()) };
        job.version = Some(answer.version.clone());
        let (fetched, mut last_look) = (&mut job.fetched, 0);
        answer.read(object.length(), |offset, bytes| {
            *fetched += store.fill(object, offset, bytes).map_err(|error| match object.is_arriving() {
                true => RepairError::Io(error),
                false => RepairError::Abandoned,
            })?;
            self.rate.pay(bytes.len() as u64);
            // Multicast may have caught up.
            last_look += bytes.len();
            let looks = last_look >= PIECE;
            if looks {
                last_look = 0;
            }
            Ok(!looks || !object.missing().is_empty())
        })
    }

    /// Whether the object is complete, and right.
    fn conclude(&self, job: &Job) -> Result<bool, RepairError> {
        let Task::Object(object) = &job.task else { return Ok(false) };
        if object.is_complete() {
            return Ok(true);
        }
        if !object.is_arriving() {
            return Err(RepairError::Abandoned);
        }
        // Of an unknown length all that came in one answer is all.
        if object.length().is_some() && !object.missing().is_empty() {
            return Ok(false);
        }
        check(object).map(|()| true)
    }

    fn urls(&self, task: &Task) -> Vec<Url> {
        match task {
            Task::Object(object) => locations::urls(&self.config.origins, &self.config.fdt_hosts, object.info()),
            Task::Path(path) => {
                let location = encoded(path);
                let origins = locations::by_weight(&self.config.origins);
                origins.into_iter().filter_map(|origin| origin.locate(&location)).collect()
            }
        }
    }

    /// How long an answer of so many bytes may take.
    fn longest(&self, bytes: u64) -> Duration {
        let RepairConfig { bitrate, min_bitrate, parallel, timeout, .. } = *self.config;
        // What the own bound delays is not the server's fault.
        let own = bitrate / (2 * parallel.max(1) as u64);
        let slowest = if bitrate > 0 { min_bitrate.min(own) } else { min_bitrate };
        timeout + Duration::from_secs_f64(bytes as f64 * 8.0 / slowest.max(1) as f64)
    }
}

/// A path as a Content-Location.
fn encoded(path: &LocationPath) -> String {
    let segments = path.to_path();
    let segments = segments.split('/').map(|segment| content_location::of_file_name(segment.as_bytes()));
    segments.collect::<Vec<_>>().join("/")
}

/// The digest that is announced. That of an encoded object is of its encoded bytes, which are not here: its length has to
/// do.
fn announced_digest(info: &ObjectInfo) -> Option<(DigestAlgorithm, Vec<u8>)> {
    let file = &info.file;
    if file.content_encoding.is_some() {
        return None;
    }
    let md5 = file.content_md5.map(|md5| (DigestAlgorithm::Md5, md5.to_vec()));
    md5.or_else(|| {
        let digest = file.content_digest.as_ref()?;
        Some((DigestAlgorithm::from_name(&digest.algorithm)?, digest.value.clone()))
    })
}

/// Whether the bytes have the announced digest, if there is one.
fn check(object: &ArrivingObject) -> Result<(), RepairError> {
    let Some((algorithm, expected)) = announced_digest(object.info()) else { return Ok(()) };
    let mut digester = Digester::new(algorithm);
    let (mut offset, length) = (0, object.length().unwrap_or(0));
    let mut buffer = vec![0; PIECE];
    while offset < length {
        let piece = &mut buffer[..(length - offset).min(PIECE as u64) as usize];
        object.read_unchecked(offset, piece)?;
        digester.update(piece);
        offset += piece.len() as u64;
    }
    if digester.finish() == expected { Ok(()) } else { Err(RepairError::Digest) }
}
