// SPDX-License-Identifier: MPL-2.0

//! Repair: what is missing of objects is fetched from an HTTP server that has them too.
//!
//! A receiver waits for a random time first, so that all those that lost the same do not ask at once (TS 26.346 §9.3.4),
//! and asks for the ranges that it lacks (RFC 9110 §14). What a request of a player waits for is asked for at once.
//!
//! What servers answer is taken only if the whole has the digest that was announced, or, without one, the announced length.
//! All that is taken from servers is of one version: that of one `ETag` or `Last-Modified` of one server. Bytes of another
//! version begin the object anew, and whoever has read some of the first one is broken off.

mod answer;
mod byte_ranges;
mod fetch;
mod locations;
mod multipart;
mod queue;
mod rate;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use flute_proto::content_location::LocationPath;

use crate::arriving_object::ArrivingObject;
use crate::object_store::ObjectStore;
use fetch::{Fetcher, Job, Step};
pub use locations::{FdtHosts, Origin};
use queue::Queue;

/// How repair asks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RepairConfig {
    /// Servers that have the objects.
    pub origins: Vec<Origin>,
    /// Servers that a sender may name in the FDT, for those who have no origin.
    pub fdt_hosts: FdtHosts,
    /// Objects that are fetched at the same time.
    pub parallel: usize,
    /// Objects that wait to be fetched; those that are lost beyond that are not repaired.
    pub max_waiting: usize,
    /// The time that is waited at least before a lost object is asked for.
    pub fixed_back_off: Duration,
    /// The longest time that is waited besides; half of that on average.
    pub back_off: Duration,
    /// Bits per second of all that is fetched; 0 for no bound.
    pub bitrate: u64,
    /// How long a server may take to answer, and to go on answering.
    pub timeout: Duration,
    /// Bits per second that an answer must have at least, once it has begun: a server that is too slow is given up.
    pub min_bitrate: u64,
}

impl Default for RepairConfig {
    /// Asks nobody, for four objects at a time, after up to a second.
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            fdt_hosts: FdtHosts::None,
            parallel: 4,
            max_waiting: 256,
            fixed_back_off: Duration::ZERO,
            back_off: Duration::from_secs(1),
            bitrate: 0,
            timeout: Duration::from_secs(10),
            min_bitrate: 100_000,
        }
    }
}

impl RepairConfig {
    /// Asks this server.
    pub fn new(origin: Origin) -> Self {
        Self { origins: vec![origin], ..Self::default() }
    }
}

/// What has become of an object that was to be repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepairOutcome {
    /// It is complete; so many bytes of it were fetched.
    Repaired {
        /// Its Content-Location, or the path that was asked for.
        location: String,
        /// Bytes that were fetched.
        fetched: u64,
    },
    /// It was not to be had.
    Failed {
        /// Its Content-Location, or the path that was asked for.
        location: String,
        /// Why.
        reason: String,
    },
}

/// What is to be fetched.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// What is missing of an object.
    Object(Arc<ArrivingObject>),
    /// The object that this path means, of which nothing is known.
    Path(LocationPath),
}

/// Whether someone waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    AtOnce,
    Patient,
}

type Tell = dyn Fn(RepairOutcome) + Send + Sync;

/// Fetches what is missing of objects, in threads of its own that end with it.
pub struct Repair {
    config: Arc<RepairConfig>,
    queue: Arc<Queue<(Weak<ObjectStore>, Job)>>,
}

impl fmt::Debug for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repair").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Repair {
    /// Starts the threads. `tell` is told what becomes of each object.
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn start(config: RepairConfig, tell: impl Fn(RepairOutcome) + Send + Sync + 'static) -> io::Result<Self> {
        let repair = Self { queue: Arc::new(Queue::new(config.max_waiting.max(1))), config: Arc::new(config) };
        let fetcher = Arc::new(Fetcher::new(repair.config.clone()));
        let tell: Arc<Tell> = Arc::new(tell);
        for _ in 0..repair.config.parallel.max(1) {
            let (queue, fetcher, tell) = (repair.queue.clone(), fetcher.clone(), tell.clone());
            thread::Builder::new().name("flute-repair".to_owned()).spawn(move || work(&queue, &fetcher, &*tell))?;
        }
        Ok(repair)
    }

    /// Whether there are servers that have objects of which nothing is known.
    pub(crate) fn has_origins(&self) -> bool {
        !self.config.origins.is_empty()
    }

    /// Asks for an object. `false` if too many wait already.
    pub(crate) fn ask(&self, store: &Arc<ObjectStore>, task: Task, urgency: Urgency) -> bool {
        let wait = match urgency {
            Urgency::AtOnce => Duration::ZERO,
            Urgency::Patient => self.config.fixed_back_off + random_part(self.config.back_off),
        };
        self.queue.push(Instant::now() + wait, (Arc::downgrade(store), Job::new(task))).is_ok()
    }
}

impl Drop for Repair {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Repairs one object after the other until the queue is closed.
fn work(queue: &Queue<(Weak<ObjectStore>, Job)>, fetcher: &Fetcher, tell: &Tell) {
    while let Some((weak, mut job)) = queue.pop() {
        let Some(store) = weak.upgrade() else { continue };
        let outcome = match fetcher.proceed(&store, &mut job) {
            Step::Again(wait) => {
                let Err((_, given_back)) = queue.push(Instant::now() + wait, (weak, job)) else { continue };
                job = given_back;
                Err("too many objects wait to be repaired".to_owned())
            }
            Step::Done => Ok(()),
            Step::Failed(error) => Err(error.to_string()),
        };
        let (location, fetched) = (job.location(), job.fetched());
        if let Some(object) = job.object() {
            match outcome {
                Ok(()) => store.finish_arrival(object),
                Err(_) => store.end_repair(object),
            }
        }
        tell(match outcome {
            Ok(()) => RepairOutcome::Repaired { location, fetched },
            Err(reason) => RepairOutcome::Failed { location, reason },
        });
    }
}

/// A random part of a time.
fn random_part(time: Duration) -> Duration {
    time.mul_f64(random() as f64 / u64::MAX as f64)
}

/// A random number below another one, which is not 0.
fn random_below(bound: u64) -> u64 {
    random() % bound
}

fn random() -> u64 {
    // The standard library's only source of randomness.
    RandomState::new().hash_one(())
}
