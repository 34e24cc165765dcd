// SPDX-License-Identifier: MPL-2.0

//! The objects of one receiver: those that are complete, those that are arriving, and the waits for others.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

use flute_proto::Time;
use flute_proto::content_location::LocationPath;
use flute_proto::receiver::{Content, Destination, ObjectInfo, ObjectWriter};
use tokio::sync::Notify;

use crate::arrivals::Arrivals;
use crate::arriving_object::{ArrivingObject, Supplier};
use crate::object_cache::ObjectCache;
use crate::repair::Repair;
use crate::stored_object::{Retention, StoredObject};

/// Objects of more bytes than this arrive in a file, where there is a folder for it.
const MAX_IN_MEMORY: u64 = 16 << 20;

/// Objects that are looked at for manifests: the lock is held meanwhile.
const MAX_EXAMINED: usize = 1024;

/// Why there is no object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The wait was interrupted.
    #[error("the wait was interrupted")]
    Interrupted,
    /// Nothing of the object came for so long.
    #[error("nothing of it came for {} s", .0.as_secs_f64())]
    Late(Duration),
    /// It cannot come any more.
    #[error("the session is closed or complete, and does not have it")]
    Never,
    /// Receiving failed.
    #[error("receiving failed: {0}")]
    Failed(String),
}

/// A wait for an object.
#[derive(Debug)]
struct Waiter {
    number: u64,
    name: LocationPath,
    /// When something of the object came, or the wait began.
    last_news: Instant,
    /// The object will not come.
    is_hopeless: bool,
}

#[derive(Debug)]
struct State {
    cache: ObjectCache,
    arrivals: Arrivals,
    /// What had to make room for objects that arrived.
    evicted: Vec<Arc<StoredObject>>,
    waiters: Vec<Waiter>,
    next_waiter: u64,
    /// Whether the objects that are waited for can still come has to be decided.
    is_undecided: bool,
    /// Nothing more will come, and why if that is an error.
    end: Option<Option<String>>,
}

/// Completed objects within a bound, and the waits for others.
pub struct ObjectStore {
    max_weight: u64,
    spool_directory: Option<PathBuf>,
    repair: Option<Arc<Repair>>,
    state: Mutex<State>,
    /// Wakes threads.
    changed: Condvar,
    /// Wakes requests.
    changed_async: Notify,
    /// Told when a wait begins, so that the receiver decides whether there is hope.
    wait_begins: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStore").field("state", &self.state).finish_non_exhaustive()
    }
}

impl ObjectStore {
    /// A store for objects of `max_weight` bytes, and once more as many that are arriving; those that are longer than
    /// 16 MiB arrive in files without a name in `spool_directory`, if there is one. `wait_begins` is called when something
    /// has to be decided by [`decide`](Self::decide).
    pub fn new(
        max_weight: u64,
        spool_directory: Option<PathBuf>,
        wait_begins: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let state = State {
            cache: ObjectCache::new(max_weight),
            arrivals: Arrivals::new(max_weight),
            evicted: Vec::new(),
            waiters: Vec::new(),
            next_waiter: 0,
            is_undecided: false,
            end: None,
        };
        Self {
            max_weight,
            spool_directory,
            repair: None,
            state: Mutex::new(state),
            changed: Condvar::new(),
            changed_async: Notify::new(),
            wait_begins: Box::new(wait_begins),
        }
    }

    /// Objects that are lost are repaired.
    pub fn with_repair(self, repair: Arc<Repair>) -> Self {
        Self { repair: Some(repair), ..self }
    }

    /// Whether there is an object that `path` means.
    pub fn has(&self, path: &LocationPath) -> bool {
        self.state.lock().unwrap().cache.has(path)
    }

    /// The descriptions of the manifests that are there, `most` of them at most, those that were used last.
    pub fn manifests(&self, most: usize) -> Vec<Arc<ObjectInfo>> {
        let state = self.state.lock().unwrap();
        let infos = state.cache.lasting().take(MAX_EXAMINED).map(|object| object.info());
        let is_manifest =
            |info: &&Arc<ObjectInfo>| flute_media::is_manifest(info.file.content_type.as_deref(), info.location());
        infos.filter(is_manifest).take(most).cloned().collect()
    }

    /// Adds an object, in the place of its older version, and returns those that had to make room for it.
    pub fn insert(&self, object: StoredObject, now: Time) -> Vec<Arc<StoredObject>> {
        let removed = self.state.lock().unwrap().cache.put(Arc::new(object), now);
        self.wake();
        removed
    }

    /// Adds the content of an object that was received just now, and returns what had to make room for it.
    pub fn insert_received(&self, info: Arc<ObjectInfo>, content: Content) -> Vec<Arc<StoredObject>> {
        let received = SystemTime::now();
        let retention = Retention::of(&info, &content);
        self.insert(StoredObject::new(info, content, retention, received), protocol_time(received))
    }

    /// Where a receiver is to put the content of an object, so that requests get its bytes as they come. An object that
    /// has all of its bytes is in the store by itself.
    ///
    /// What comes before its turn waits in the memory of the receiver: an object that would take more than a quarter of
    /// that of this store arrives as the receiver likes best, and has to be [inserted](Self::insert) when it is complete.
    pub fn destination(self: &Arc<Self>, info: &Arc<ObjectInfo>) -> Destination {
        if info.transfer_length > self.max_weight / 4 {
            return Destination::automatic();
        }
        let object = self.begin_arrival(info, Supplier::Receiver);
        Destination::writer(Arrival { store: self.clone(), object }).in_order()
    }

    fn begin_arrival(&self, info: &Arc<ObjectInfo>, supplier: Supplier) -> Arc<ArrivingObject> {
        let spool_directory = self.spool_directory.as_ref().filter(|_| info.transfer_length > MAX_IN_MEMORY);
        // Without a file the object is in memory, as long as it fits.
        let file = spool_directory.and_then(|folder| tempfile::tempfile_in(folder).ok());
        let object = Arc::new(ArrivingObject::new(info.clone(), file, supplier));
        let replaced = self.state.lock().unwrap().arrivals.insert(object.clone());
        if let Some(replaced) = replaced.filter(|replaced| replaced.supplier() == Supplier::None) {
            self.give_up(&replaced);
        }
        self.wake();
        object
    }

    /// Has an object repaired of which the receiver has told that it is lost, if there is somewhere to repair it from: what
    /// has come of it is kept, and requests for it go on waiting. `is_kept` is false where that is known to be wrong.
    pub fn repair(self: &Arc<Self>, info: &Arc<ObjectInfo>, is_kept: bool) {
        let Some(repair) = self.repair.clone() else { return };
        let object = match self.lost_object(info) {
            Some(lost) if is_kept && lost.supplier() == Supplier::None => {
                lost.set_supplier(Supplier::Repair);
                lost
            }
            // It arrives again, or is being repaired.
            Some(known) if known.supplier() != Supplier::None => return,
            _ => self.begin_arrival(info, Supplier::Repair),
        };
        if !repair.ask(self, &object) {
            self.give_up(&object);
        }
    }

    /// Takes note that an object is lost for good, of which the receiver has told so.
    pub fn forget(&self, info: &ObjectInfo) {
        if let Some(lost) = self.lost_object(info).filter(|lost| lost.supplier() == Supplier::None) {
            self.give_up(&lost);
        }
    }

    /// What has come of an object that the receiver lost.
    fn lost_object(&self, info: &ObjectInfo) -> Option<Arc<ArrivingObject>> {
        let name = LocationPath::of_location(info.location());
        let known = self.state.lock().unwrap().arrivals.get(&name).cloned()?;
        (known.info().session == info.session && known.info().toi() == info.toi()).then_some(known)
    }

    /// Adds bytes to an object that arrives.
    pub(crate) fn append(&self, object: &ArrivingObject, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if object.is_in_memory() {
            self.state.lock().unwrap().arrivals.charge(object, bytes.len() as u64)?;
        }
        object.append(offset, bytes)
    }

    /// All bytes of an object have come.
    pub(crate) fn finish_arrival(&self, object: &Arc<ArrivingObject>) {
        object.complete(|content| {
            let retention = Retention::of(object.info(), &content);
            let stored = Arc::new(StoredObject::new(object.info().clone(), content, retention, object.begun()));
            let mut state = self.state.lock().unwrap();
            state.arrivals.remove(object);
            let evicted = state.cache.put(stored.clone(), protocol_time(SystemTime::now()));
            state.evicted.extend(evicted);
            stored
        });
        self.wake();
    }

    /// An object will not be complete.
    pub(crate) fn give_up(&self, object: &Arc<ArrivingObject>) {
        // A panic elsewhere must not become another one here.
        if let Ok(mut state) = self.state.lock() {
            state.arrivals.remove(object);
            state.is_undecided = true;
        }
        object.abandon();
        self.wake();
        (self.wait_begins)();
    }

    /// Takes out what had to make room for objects that arrived.
    pub fn take_evicted(&self) -> Vec<Arc<StoredObject>> {
        std::mem::take(&mut self.state.lock().unwrap().evicted)
    }

    /// Something of the object with this Content-Location came: waits for it begin anew.
    pub fn note_progress(&self, location: &str) {
        let mut state = self.state.lock().unwrap();
        if state.waiters.is_empty() {
            return;
        }
        let name = LocationPath::of_location(location);
        for waiter in state.waiters.iter_mut().filter(|waiter| name.is_meant_by(&waiter.name)) {
            waiter.last_news = Instant::now();
        }
    }

    /// Some object may have become one that cannot come any more.
    pub fn set_undecided(&self) {
        self.state.lock().unwrap().is_undecided = true;
    }

    /// Ends the waits for objects that cannot come any more, if that is undecided. `may_come` is asked for each with a
    /// function that says whether a Content-Location is meant.
    pub fn decide(&self, mut may_come: impl FnMut(&dyn Fn(&str) -> bool) -> bool) {
        let mut state = self.state.lock().unwrap();
        if !std::mem::take(&mut state.is_undecided) {
            return;
        }
        for waiter in &mut state.waiters {
            let name = &waiter.name;
            waiter.is_hopeless = !may_come(&|location| LocationPath::of_location(location).is_meant_by(name));
        }
        drop(state);
        self.wake();
    }

    /// Nothing more will come; `error` says why if that is an error.
    pub fn end(&self, error: Option<String>) {
        self.state.lock().unwrap().end.get_or_insert(error);
        self.wake();
    }

    /// Whether nothing more will come.
    pub fn has_ended(&self) -> bool {
        self.state.lock().unwrap().end.is_some()
    }

    /// Does something after which every wait looks again.
    pub fn wake_after(&self, change: impl FnOnce()) {
        let state = self.state.lock().unwrap();
        change();
        drop(state);
        self.wake();
    }

    /// The newest version of an object, which is waited for while something of it comes at least every `timeout`.
    ///
    /// # Errors
    ///
    /// It cannot come, nothing of it came in time, or `interrupted` was set and [`wake_after`](Self::wake_after) called.
    pub fn wait(
        &self,
        path: &LocationPath,
        timeout: Duration,
        interrupted: &AtomicBool,
    ) -> Result<Arc<StoredObject>, Missing> {
        let waiting = self.begin_wait(path);
        let mut state = self.state.lock().unwrap();
        loop {
            if interrupted.load(Ordering::Acquire) {
                return Err(Missing::Interrupted);
            }
            match state.outcome(waiting.number, path, timeout) {
                Outcome::Known(outcome) => return outcome,
                Outcome::Wait(left) => state = self.changed.wait_timeout(state, left).unwrap().0,
            }
        }
    }

    /// The same for an asynchronous task of tokio, to which an object that is arriving is good enough.
    ///
    /// # Errors
    ///
    /// It cannot come, or nothing of it came in time.
    pub(crate) async fn wait_async(&self, path: &LocationPath, timeout: Duration) -> Result<Present, Missing> {
        let waiting = self.begin_wait(path);
        loop {
            let mut changed = std::pin::pin!(self.changed_async.notified());
            // A change after the look at the state must not be missed.
            changed.as_mut().enable();
            let outcome = {
                let mut state = self.state.lock().unwrap();
                match state.outcome(waiting.number, path, timeout) {
                    Outcome::Known(Ok(object)) => return Ok(Present::Complete(object)),
                    outcome => match state.arrivals.find(path) {
                        Some(object) => return Ok(Present::Arriving(object)),
                        None => outcome,
                    },
                }
            };
            match outcome {
                Outcome::Known(outcome) => return outcome.map(Present::Complete),
                Outcome::Wait(left) => {
                    let _ = tokio::time::timeout(left, changed).await;
                }
            }
        }
    }

    fn begin_wait(&self, path: &LocationPath) -> Waiting<'_> {
        let mut state = self.state.lock().unwrap();
        let number = state.next_waiter;
        state.next_waiter += 1;
        state.waiters.push(Waiter { number, name: path.clone(), last_news: Instant::now(), is_hopeless: false });
        state.is_undecided = true;
        drop(state);
        (self.wait_begins)();
        Waiting { store: self, number }
    }

    fn wake(&self) {
        self.changed.notify_all();
        self.changed_async.notify_waiters();
    }
}

/// The wall clock as the protocol has it.
fn protocol_time(time: SystemTime) -> Time {
    Time::from_unix(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// An object that can be read.
#[derive(Debug)]
pub(crate) enum Present {
    Complete(Arc<StoredObject>),
    Arriving(Arc<ArrivingObject>),
}

/// Takes the bytes of one object from a receiver.
#[derive(Debug)]
struct Arrival {
    store: Arc<ObjectStore>,
    object: Arc<ArrivingObject>,
}

impl ObjectWriter for Arrival {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.store.append(&self.object, offset, bytes)
    }

    fn complete(&mut self, _length: u64) -> io::Result<()> {
        self.store.finish_arrival(&self.object);
        Ok(())
    }

    fn abandon(&mut self) {
        if self.store.repair.is_some() {
            // What the receiver tells next decides whether it is repaired.
            self.object.set_supplier(Supplier::None);
        } else {
            self.store.give_up(&self.object);
        }
    }
}

/// What a wait has come to.
enum Outcome {
    Known(Result<Arc<StoredObject>, Missing>),
    /// It goes on, for so long at most.
    Wait(Duration),
}

impl State {
    fn outcome(&mut self, number: u64, path: &LocationPath, timeout: Duration) -> Outcome {
        if let Some(object) = self.cache.take(path) {
            return Outcome::Known(Ok(object));
        }
        if let Some(end) = &self.end {
            return Outcome::Known(Err(end.clone().map_or(Missing::Never, Missing::Failed)));
        }
        let waiter = self.waiters.iter().find(|waiter| waiter.number == number);
        let Some(waiter) = waiter.filter(|waiter| !waiter.is_hopeless) else {
            return Outcome::Known(Err(Missing::Never));
        };
        match timeout.saturating_sub(waiter.last_news.elapsed()) {
            Duration::ZERO => Outcome::Known(Err(Missing::Late(timeout))),
            left => Outcome::Wait(left),
        }
    }
}

/// A wait that has begun, until this is dropped: a request may be given up at any time.
struct Waiting<'a> {
    store: &'a ObjectStore,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // A panic elsewhere must not become another one here.
        if let Ok(mut state) = self.store.state.lock() {
            state.waiters.retain(|waiter| waiter.number != self.number);
        }
    }
}
