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
use crate::repair::{Repair, Task, Urgency};
use crate::stored_object::{Retention, StoredObject};

/// Objects of more bytes than this arrive in a file, where there is a folder for it.
const MAX_IN_MEMORY: u64 = 16 << 20;

/// How often it is looked for objects that do not come, at most and at least.
const FASTEST_LOOK: Duration = Duration::from_millis(20);
const SLOWEST_LOOK: Duration = Duration::from_millis(500);
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

/// What a sender has announced of an object.
#[derive(Clone, Debug)]
pub enum Announced {
    /// This.
    Object(Arc<ObjectInfo>),
    /// Only others.
    Others,
    /// There has been no FDT Instance.
    NothingYet,
}

/// A wait for an object.
#[derive(Debug)]
struct Waiter {
    number: u64,
    name: LocationPath,
    /// When something of the object came, or the wait began.
    last_news: Instant,
    /// The origin has been asked for the object.
    is_asked: bool,
    /// What the origin has, where nothing is announced.
    given: Option<Arc<StoredObject>>,
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
    /// An object that would take more than a quarter of the memory of this store arrives as the receiver likes best, and has
    /// to be [inserted](Self::insert) when it is complete.
    pub fn destination(self: &Arc<Self>, info: &Arc<ObjectInfo>) -> Destination {
        if info.transfer_length > self.max_weight / 4 {
            return Destination::automatic();
        }
        // What is being repaired, a fast start maybe, goes on with both.
        let joined =
            self.known_object(info).filter(|known| known.has_supplier(Supplier::Repair) && known.is_arriving());
        let object = match joined.filter(|known| !known.has_supplier(Supplier::Receiver)) {
            Some(known) => {
                known.set_supplier(Supplier::Receiver, true);
                known
            }
            None => self.begin_arrival(info, Supplier::Receiver),
        };
        Destination::readable_writer(Arrival { store: self.clone(), object })
    }

    fn begin_arrival(&self, info: &Arc<ObjectInfo>, supplier: Supplier) -> Arc<ArrivingObject> {
        let is_encoded = info.file.content_encoding.is_some();
        let length = info.file.content_length.or((!is_encoded).then_some(info.transfer_length));
        let object = self.new_arrival(info.clone(), length, supplier);
        let replaced = self.state.lock().unwrap().arrivals.insert(object.clone());
        if let Some(replaced) = replaced.filter(|replaced| replaced.is_orphaned()) {
            self.give_up(&replaced);
        }
        self.wake();
        object
    }

    fn new_arrival(&self, info: Arc<ObjectInfo>, length: Option<u64>, supplier: Supplier) -> Arc<ArrivingObject> {
        let longest = length.unwrap_or(info.transfer_length);
        let spool_directory = self.spool_directory.as_ref().filter(|_| longest > MAX_IN_MEMORY);
        // Without a file the object is in memory, as long as it fits.
        let file = spool_directory.and_then(|folder| tempfile::tempfile_in(folder).ok());
        Arc::new(ArrivingObject::new(info, length, file, supplier))
    }

    /// Begins to repair an object that no FDT Instance has described, and of which the origin says what it is.
    pub(crate) fn begin_undescribed(&self, info: ObjectInfo, length: Option<u64>) -> Arc<ArrivingObject> {
        let object = self.new_arrival(Arc::new(info), length, Supplier::Repair);
        self.state.lock().unwrap().arrivals.insert(object.clone());
        self.wake();
        object
    }

    /// Begins to repair an object anew of which some bytes are known to be wrong: who has read them has to begin anew, too.
    pub(crate) fn begin_repair_anew(&self, object: &Arc<ArrivingObject>) -> Arc<ArrivingObject> {
        self.state.lock().unwrap().arrivals.remove(object);
        let anew = self.begin_arrival(object.info(), Supplier::Repair);
        object.abandon();
        anew
    }

    /// Has an object repaired of which the receiver has told that it is lost, if there is somewhere to repair it from: what
    /// has come of it is kept, and requests for it go on waiting. `is_kept` is false where that is known to be wrong.
    pub fn repair(self: &Arc<Self>, info: &Arc<ObjectInfo>, is_kept: bool) {
        let Some(repair) = self.repair.clone() else { return };
        let object = match self.known_object(info) {
            // It arrives again.
            Some(known) if known.has_supplier(Supplier::Receiver) => return,
            // It is being repaired already, by a fast start maybe.
            Some(known) if is_kept && known.has_supplier(Supplier::Repair) => return,
            Some(lost) if is_kept => {
                lost.set_supplier(Supplier::Repair, true);
                lost
            }
            Some(wrong) => self.begin_repair_anew(&wrong),
            None => self.begin_arrival(info, Supplier::Repair),
        };
        if !repair.ask(self, Task::Object(object.clone()), Urgency::Patient) {
            self.end_repair(&object);
        }
    }

    /// Repair brings no more bytes of an object, which is lost if the receiver does not either.
    pub(crate) fn end_repair(&self, object: &Arc<ArrivingObject>) {
        object.set_supplier(Supplier::Repair, false);
        if object.is_orphaned() {
            self.give_up(object);
        }
    }

    /// Has the origin asked for what requests wait for and multicast has not brought within a time. `announced` is asked for
    /// each such object with a function that says whether a Content-Location is meant. Returns when there may be more to do.
    pub fn fast_start(
        self: &Arc<Self>,
        within: Duration,
        mut announced: impl FnMut(&dyn Fn(&str) -> bool) -> Announced,
    ) -> Option<Duration> {
        let repair = self.repair.clone()?;
        let (late, arriving) = self.state.lock().unwrap().late(within);
        for name in late {
            let task = match announced(&|location| LocationPath::of_location(location).is_meant_by(&name)) {
                Announced::Object(info) => Task::Object(self.begin_arrival(&info, Supplier::Repair)),
                Announced::NothingYet if repair.has_origins() => Task::Path(name),
                Announced::NothingYet | Announced::Others => continue,
            };
            self.ask_at_once(&repair, task);
        }
        for object in arriving.into_iter().filter(|object| object.is_stalled(within)) {
            object.set_supplier(Supplier::Repair, true);
            self.ask_at_once(&repair, Task::Object(object));
        }
        Some((within / 4).clamp(FASTEST_LOOK, SLOWEST_LOOK))
    }

    fn ask_at_once(self: &Arc<Self>, repair: &Repair, task: Task) {
        let object = match &task {
            Task::Object(object) => Some(object.clone()),
            Task::Path(_) => None,
        };
        if !repair.ask(self, task, Urgency::AtOnce)
            && let Some(object) = object
        {
            self.end_repair(&object);
        }
    }

    /// Takes note that an object is lost for good, of which the receiver has told so.
    pub fn forget(&self, info: &ObjectInfo) {
        if let Some(lost) = self.known_object(info).filter(|lost| lost.is_orphaned()) {
            self.give_up(&lost);
        }
    }

    /// What has come of an object.
    fn known_object(&self, info: &ObjectInfo) -> Option<Arc<ArrivingObject>> {
        let name = LocationPath::of_location(info.location());
        let known = self.state.lock().unwrap().arrivals.get(&name).cloned()?;
        (known.info().session == info.session && known.info().toi() == info.toi()).then_some(known)
    }

    /// Charges the memory that an object takes if bytes of it up to `end` have come.
    fn charge(&self, object: &ArrivingObject, end: u64) -> io::Result<()> {
        // Of the two locks that of the object is taken first, wherever both are.
        let growth = object.growth(end);
        if growth > 0 { self.state.lock().unwrap().arrivals.charge(object, growth) } else { Ok(()) }
    }

    /// Adds those of the bytes of an object that have not come yet, and returns how many they are.
    pub(crate) fn fill(&self, object: &ArrivingObject, offset: u64, bytes: &[u8]) -> io::Result<u64> {
        self.charge(object, offset.saturating_add(bytes.len() as u64))?;
        object.fill(offset, bytes)
    }

    /// All bytes of an object have come.
    pub(crate) fn finish_arrival(&self, object: &Arc<ArrivingObject>) {
        object.complete(|content, gzip| {
            let retention = Retention::of(object.info(), &content);
            let stored = StoredObject::new(object.info().clone(), content, retention, object.begun());
            let stored = Arc::new(stored.with_gzip(gzip));
            let mut state = self.state.lock().unwrap();
            state.arrivals.remove(object);
            // The origin may have a newer one of the same name later: nothing says when it is no longer the right one.
            // Those who wait for it get it all the same, who may not have seen it arrive.
            if !object.is_described() {
                let waiters = state.waiters.iter_mut().filter(|waiter| waiter.name == *object.name());
                waiters.for_each(|waiter| waiter.given = Some(stored.clone()));
                return stored;
            }
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

    /// The same for an asynchronous task of tokio, to which an object that is arriving is good enough, as part of a wait that
    /// has begun before: if what arrives is given up, the wait goes on and does not begin anew.
    ///
    /// # Errors
    ///
    /// It cannot come, or nothing of it came in time.
    pub(crate) async fn wait_async(&self, waiting: &Waiting<'_>, timeout: Duration) -> Result<Present, Missing> {
        let path = &waiting.path;
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

    /// Begins to wait for an object.
    pub(crate) fn begin_wait(&self, path: &LocationPath) -> Waiting<'_> {
        let mut state = self.state.lock().unwrap();
        let number = state.next_waiter;
        state.next_waiter += 1;
        state.waiters.push(Waiter {
            number,
            name: path.clone(),
            last_news: Instant::now(),
            is_asked: false,
            given: None,
            is_hopeless: false,
        });
        state.is_undecided = true;
        drop(state);
        (self.wait_begins)();
        Waiting { store: self, number, path: path.clone() }
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
        self.store.charge(&self.object, offset.saturating_add(bytes.len() as u64))?;
        self.object.receive(offset, bytes)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.object.read_unchecked(offset, buffer)
    }

    fn take_encoded(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.object.keeps_gzip() {
            self.store.state.lock().unwrap().arrivals.charge(&self.object, bytes.len() as u64)?;
            self.object.take_gzip(bytes);
        }
        Ok(())
    }

    fn complete(&mut self, _length: u64) -> io::Result<()> {
        self.store.finish_arrival(&self.object);
        Ok(())
    }

    fn abandon(&mut self) {
        self.object.set_supplier(Supplier::Receiver, false);
        // What the receiver tells next decides whether it is repaired.
        if self.store.repair.is_none() {
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
    /// Names of objects that requests have waited for so long, and of which nothing has come, each told once; and all
    /// objects that are arriving.
    fn late(&mut self, within: Duration) -> (Vec<LocationPath>, Vec<Arc<ArrivingObject>>) {
        let Self { waiters, arrivals, .. } = self;
        let mut names: Vec<LocationPath> = Vec::new();
        for waiter in waiters.iter_mut().filter(|waiter| !waiter.is_asked && waiter.last_news.elapsed() >= within) {
            waiter.is_asked = true;
            if !names.contains(&waiter.name) && arrivals.find(&waiter.name).is_none() {
                names.push(waiter.name.clone());
            }
        }
        (names, arrivals.all())
    }

    fn outcome(&mut self, number: u64, path: &LocationPath, timeout: Duration) -> Outcome {
        if let Some(object) = self.cache.take(path) {
            return Outcome::Known(Ok(object));
        }
        let waiter = self.waiters.iter_mut().find(|waiter| waiter.number == number);
        if let Some(given) = waiter.and_then(|waiter| waiter.given.take()) {
            return Outcome::Known(Ok(given));
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
pub(crate) struct Waiting<'a> {
    store: &'a ObjectStore,
    number: u64,
    path: LocationPath,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // A panic elsewhere must not become another one here.
        if let Ok(mut state) = self.store.state.lock() {
            state.waiters.retain(|waiter| waiter.number != self.number);
        }
    }
}
