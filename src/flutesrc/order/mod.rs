// SPDX-License-Identifier: MPL-2.0

//! Media segments in the order in which a demuxer wants them, without a manifest that says it: the initialisation first,
//! one representation, one segment after the other, and a lost one left out when it has been waited for long enough.
//!
//! It knows neither GStreamer nor a clock: an object carries a payload of any type, and the time is an argument.

mod content;
mod isobmff;
mod mpegts;
mod name;
mod representation;
#[cfg(test)]
mod tests;

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use flute_proto::Time;

pub(super) use content::{Content, Timing};
use isobmff::Movie;
use name::{Name, kinship};
use representation::{Moment, Representation};

/// Segments that begin closer to each other than this begin at the same time: less than any segment lasts, and more than
/// audio and video of the same segment differ.
const SAME_TIME: Duration = Duration::from_millis(40);

/// The gap between segments that follow each other is below this, if they are long: the end of a segment of a transport
/// stream is known by its last clock reference only.
const LONGEST_GAP: Duration = Duration::from_millis(150);

/// Media that is further ahead than this has another time than what was before.
const LONGEST_JUMP: Duration = Duration::from_secs(30);

/// Segments, names and other initialisations that are kept, at most.
const MAX_HELD: usize = 4096;
const MAX_NAMES: usize = 256;

/// So many late segments in a row are a sender that began anew, if nothing else came for the time of some deadlines.
const LATE_UNTIL_RESTART: u32 = 3;
const DEADLINES_UNTIL_RESTART: u32 = 4;

/// An object that was received.
#[derive(Debug)]
pub(super) struct Object<T> {
    /// Content-Location.
    pub(super) location: String,
    /// Content-Type without parameters, in lower case.
    pub(super) media_type: Option<String>,
    pub(super) content: Content,
    /// Bytes.
    pub(super) size: u64,
    pub(super) payload: T,
}

/// A segment whose turn has come.
#[derive(Debug)]
pub(super) struct Segment<T> {
    /// Goes before the segment.
    pub(super) initialisation: Option<T>,
    pub(super) payload: T,
    pub(super) location: String,
    /// Decode times of its beginning and of its end, as far as they can be read.
    pub(super) times: Option<(Duration, Duration)>,
    /// Something is missing in front of it.
    pub(super) is_discontinuous: bool,
    /// How many segments are missing in front of it, if they can be counted.
    pub(super) missing: u64,
    /// Its time has nothing to do with what was before: there was nothing, or the time of the media has jumped.
    pub(super) begins: bool,
}

/// Why an object does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is a manifest, or something else.
    NoMedia,
    /// It was there before.
    Repeated,
    /// It belongs to another representation than the one that came first.
    OtherRepresentation,
    /// Its turn is over.
    Late,
    /// Too much is held already, or the initialisation did not come.
    NoRoom,
}

/// What became of the objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) initialisations: u64,
    pub(super) segments: u64,
    pub(super) missing: u64,
    pub(super) late: u64,
    pub(super) repeated: u64,
    pub(super) other_representations: u64,
    pub(super) no_media: u64,
    pub(super) no_room: u64,
    /// Segments that wait at present, and their bytes.
    pub(super) held: u64,
    pub(super) held_bytes: u64,
}

#[derive(Debug)]
struct Initialisation<T> {
    location: String,
    media_type: Option<String>,
    movie: Movie,
    bytes: Vec<u8>,
    payload: T,
    /// Counts the versions.
    version: u64,
}

#[derive(Debug)]
struct Held<T> {
    location: String,
    name: Name,
    media_type: Option<String>,
    timing: Timing,
    times: Option<(Duration, Duration)>,
    arrived: Time,
    /// Version of the initialisation that was there when it came.
    version: u64,
    size: u64,
    payload: T,
}

/// The segment that went last.
#[derive(Debug)]
struct Last {
    name: Name,
    times: Option<(Duration, Duration)>,
}

/// Puts the segments of one representation in order.
#[derive(Debug)]
pub(super) struct Order<T> {
    deadline: Duration,
    max_bytes: u64,
    /// Versions of the initialisation that are still needed, the oldest first.
    initialisations: VecDeque<Initialisation<T>>,
    /// Version that went downstream.
    sent_version: Option<u64>,
    /// Locations of initialisations of other representations.
    strangers: Vec<String>,
    representation: Representation,
    /// The folder of the segments.
    folder: Option<String>,
    held: Vec<Held<T>>,
    last: Option<Last>,
    /// Segments that went, the latest last.
    gone: VecDeque<(String, Option<Duration>)>,
    /// Segments that are being received.
    expected: BTreeMap<String, Name>,
    /// Segments that will never come.
    lost: Vec<Name>,
    late_in_a_row: u32,
    last_progress: Time,
    dropped: VecDeque<(String, Reason)>,
    counts: Counts,
    is_ending: bool,
}

fn folder(location: &str) -> &str {
    location.rfind('/').map_or("", |slash| &location[..slash])
}

/// `audio` or `video` of a Content-Type.
fn kind(media_type: Option<&str>) -> Option<&str> {
    media_type?.split('/').next().filter(|kind| matches!(*kind, "audio" | "video"))
}

impl<T: Clone> Order<T> {
    /// An order that waits for so long for what is missing, and holds so many bytes.
    pub(super) fn new(deadline: Duration, max_bytes: u64) -> Self {
        Self {
            deadline,
            max_bytes,
            initialisations: VecDeque::new(),
            sent_version: None,
            strangers: Vec::new(),
            representation: Representation::default(),
            folder: None,
            held: Vec::new(),
            last: None,
            gone: VecDeque::new(),
            expected: BTreeMap::new(),
            lost: Vec::new(),
            late_in_a_row: 0,
            last_progress: Time::default(),
            dropped: VecDeque::new(),
            counts: Counts::default(),
            is_ending: false,
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { held: self.held.len() as u64, held_bytes: self.held_bytes(), ..self.counts }
    }

    /// Objects that did not go on, and why.
    pub(super) fn poll_dropped(&mut self) -> Option<(String, Reason)> {
        self.dropped.pop_front()
    }

    /// The first symbol of an object has arrived.
    pub(super) fn expect(&mut self, location: &str) {
        if self.expected.len() < MAX_NAMES {
            self.expected.insert(location.to_owned(), Name::new(location));
        }
    }

    /// An object will never come.
    pub(super) fn lose(&mut self, location: &str) {
        self.expected.remove(location);
        if self.lost.len() < MAX_NAMES {
            self.lost.push(Name::new(location));
        }
    }

    /// An object is there.
    pub(super) fn push(&mut self, object: Object<T>, now: Time) {
        self.expected.remove(&object.location);
        match object.content {
            Content::Other => self.drop_object(object.location, Reason::NoMedia),
            Content::Initialisation(movie, bytes) => {
                self.initialise(object.location, object.media_type, movie, bytes, object.payload);
            }
            Content::Media(timing) => {
                let name = Name::new(&object.location);
                let times = self.times_of(&timing);
                let version = self.initialisations.back().map_or(0, |initialisation| initialisation.version);
                let (location, media_type) = (object.location, object.media_type);
                let (size, payload) = (object.size, object.payload);
                self.hold(Held { location, name, media_type, timing, times, arrived: now, version, size, payload });
            }
        }
    }

    /// Nothing more will come: everything that is held goes.
    pub(super) fn finish(&mut self) {
        self.is_ending = true;
    }

    /// When [`pop`](Self::pop) has something that it did not have before, whether or not an object comes.
    pub(super) fn deadline(&self) -> Option<Time> {
        let is_waiting = self.candidate().is_some_and(|candidate| self.is_explained(&self.held[candidate]));
        let oldest = self.held.iter().map(|held| held.arrived).min()?;
        is_waiting.then(|| oldest + self.deadline)
    }

    /// The segment whose turn it is, if its turn has come.
    pub(super) fn pop(&mut self, now: Time) -> Option<Segment<T>> {
        let candidate = self.candidate()?;
        if !self.is_explained(&self.held[candidate]) {
            if self.is_ending {
                for held in std::mem::take(&mut self.held) {
                    self.drop_object(held.location, Reason::NoRoom);
                }
            }
            return None;
        }
        let is_due = self.deadline().is_some_and(|deadline| deadline <= now);
        if !(self.is_ending || is_due || self.is_full() || self.is_next(candidate)) {
            return None;
        }
        Some(self.take(candidate, now))
    }

    fn held_bytes(&self) -> u64 {
        self.held.iter().map(|held| held.size).fold(0, u64::saturating_add)
    }

    fn is_full(&self) -> bool {
        self.held.len() > MAX_HELD || (self.held.len() > 1 && self.held_bytes() > self.max_bytes)
    }

    fn times_of(&self, timing: &Timing) -> Option<(Duration, Duration)> {
        let movie = self.initialisations.back().map(|initialisation| &initialisation.movie);
        let near = self.last.as_ref().and_then(|last| last.times).or(self.held.first().and_then(|held| held.times));
        timing.times(movie, near.map(|(start, _)| start))
    }

    /// Whether the initialisation is there that a segment needs.
    fn is_explained(&self, held: &Held<T>) -> bool {
        !held.timing.needs_initialisation() || !self.initialisations.is_empty()
    }

    fn drop_object(&mut self, location: String, reason: Reason) {
        let count = match reason {
            Reason::NoMedia => &mut self.counts.no_media,
            Reason::Repeated => &mut self.counts.repeated,
            Reason::OtherRepresentation => &mut self.counts.other_representations,
            Reason::Late => &mut self.counts.late,
            Reason::NoRoom => &mut self.counts.no_room,
        };
        *count += 1;
        if self.dropped.len() < MAX_NAMES {
            self.dropped.push_back((location, reason));
        }
    }

    fn initialise(&mut self, location: String, media_type: Option<String>, movie: Movie, bytes: Vec<u8>, payload: T) {
        if self.initialisations.iter().any(|initialisation| initialisation.bytes == bytes) {
            return self.drop_object(location, Reason::Repeated);
        }
        let version = match self.initialisations.back() {
            Some(present) if present.location != location => {
                if !self.strangers.contains(&location) && self.strangers.len() < MAX_NAMES {
                    self.strangers.push(location.clone());
                }
                self.drop_object(location, Reason::OtherRepresentation);
                return self.sort_out();
            }
            Some(present) => present.version + 1,
            None => 1,
        };
        self.initialisations.push_back(Initialisation { location, media_type, movie, bytes, payload, version });
        if version == 1 {
            // What was held until now is explained by it.
            for held in &mut self.held {
                held.version = version;
            }
            self.sort_out();
        }
    }

    /// Drops what turns out not to be of the representation, now that more is known, and learns from the rest.
    fn sort_out(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        // Those come first that look the most like what the initialisation belongs to.
        held.sort_by_key(|held| {
            let present = self.initialisations.back();
            let near = present.map_or(0, |present| kinship(&present.location, &held.location));
            (Reverse(near), held.arrived)
        });
        if self.last.is_none() {
            self.representation = Representation::default();
            self.folder = None;
        }
        for mut held in held {
            held.times = self.times_of(&held.timing);
            self.hold(held);
        }
    }

    /// Whether a segment goes with the initialisation, as far as that is there.
    fn suits(&self, held: &Held<T>) -> bool {
        let Some(present) = self.initialisations.back().filter(|_| held.timing.needs_initialisation()) else {
            return true;
        };
        let kinds = (kind(present.media_type.as_deref()), kind(held.media_type.as_deref()));
        let is_other_kind = matches!(kinds, (Some(one), Some(other)) if one != other);
        let near = kinship(&present.location, &held.location);
        !is_other_kind
            && held.timing.suits(&present.movie)
            && !self.strangers.iter().any(|stranger| kinship(stranger, &held.location) > near)
    }

    fn hold(&mut self, held: Held<T>) {
        let start = held.times.map(|(start, _)| start);
        let known = self.held.iter().map(|held| (&held.location, held.times.map(|(start, _)| start)));
        let mut known = known.chain(self.gone.iter().map(|(location, start)| (location, *start)));
        let is_same_time = |other: Option<Duration>| match (start, other) {
            (Some(start), Some(other)) => start.abs_diff(other) < SAME_TIME,
            _ => false,
        };
        if let Some((_, other)) = known.clone().find(|(location, _)| **location == held.location) {
            if is_same_time(other) || start.is_none() || other.is_none() {
                return self.drop_object(held.location, Reason::Repeated);
            }
            // Names are used again, in turn.
            self.representation.ignore_order();
        }
        if !self.is_explained(&held) {
            // What it belongs to is seen when the initialisation comes. What is oldest is the most likely to be late.
            self.held.push(held);
            while self.is_full() {
                let held = self.held.remove(0);
                self.drop_object(held.location, Reason::NoRoom);
            }
            return;
        }
        let end = self.held.iter().filter_map(|held| held.times).chain(self.last.as_ref().and_then(|last| last.times));
        let end = end.map(|(_, end)| end).max();
        let moment = match (start, end) {
            _ if known.any(|(location, other)| *location != held.location && is_same_time(other)) => Moment::Known,
            (Some(start), Some(end)) if start + SAME_TIME >= end => Moment::Later,
            _ => Moment::Other,
        };
        let shares_folder = self.folder.as_deref().is_none_or(|known| known == folder(&held.location));
        if !self.suits(&held) || !self.representation.take(&held.name, shares_folder, moment) {
            return self.drop_object(held.location, Reason::OtherRepresentation);
        }
        self.folder.get_or_insert_with(|| folder(&held.location).to_owned());
        if self.last.as_ref().is_some_and(|last| self.is_before(&held, last)) {
            self.late_in_a_row += 1;
            let silence = held.arrived.since(self.last_progress);
            if self.late_in_a_row < LATE_UNTIL_RESTART || silence < self.deadline * DEADLINES_UNTIL_RESTART {
                return self.drop_object(held.location, Reason::Late);
            }
            self.restart(&held);
        }
        self.late_in_a_row = 0;
        self.last_progress = held.arrived;
        self.held.push(held);
    }

    /// The sender began anew, with this segment.
    fn restart(&mut self, held: &Held<T>) {
        self.last = None;
        self.gone.clear();
        self.lost.clear();
        self.representation = Representation::default();
        self.representation.take(&held.name, true, Moment::Other);
    }

    fn is_before(&self, held: &Held<T>, last: &Last) -> bool {
        self.compare((&held.name, held.times), (&last.name, last.times)) != Ordering::Greater
            && (self.representation.is_ordered() || (held.times.is_some() && last.times.is_some()))
    }

    fn compare(
        &self,
        (name, times): (&Name, Option<(Duration, Duration)>),
        (other_name, other_times): (&Name, Option<(Duration, Duration)>),
    ) -> Ordering {
        match (times, other_times) {
            _ if self.representation.is_ordered() => name.values().cmp(&other_name.values()),
            (Some((start, _)), Some((other, _))) => start.cmp(&other),
            // They stay as they came.
            _ => Ordering::Equal,
        }
    }

    /// Index of the earliest segment that is held.
    fn candidate(&self) -> Option<usize> {
        let earliest = self
            .held
            .iter()
            .enumerate()
            .min_by(|(_, one), (_, other)| self.compare((&one.name, one.times), (&other.name, other.times)));
        earliest.map(|(index, _)| index)
    }

    fn follows(&self, name: &Name, times: Option<(Duration, Duration)>, held: &Held<T>) -> bool {
        if self.representation.is_ordered() && self.representation.between(name, &held.name) == Some(0) {
            return true;
        }
        match (times, held.times) {
            (Some((start, end)), Some((next, _))) => {
                let length = end.saturating_sub(start);
                next >= start && next.abs_diff(end) <= LONGEST_GAP.max(length / 8).min(length / 2)
            }
            _ => !self.representation.is_ordered(),
        }
    }

    /// How many segments are missing between two that do not follow each other: at least one.
    fn missing(&self, last: &Last, held: &Held<T>) -> u64 {
        let by_time = || {
            let ((start, end), (next, _)) = (last.times?, held.times?);
            let length = end.checked_sub(start).filter(|length| !length.is_zero())?;
            Some((next.checked_sub(end)?.as_secs_f64() / length.as_secs_f64()).round() as u64)
        };
        by_time().or_else(|| self.representation.between(&last.name, &held.name)).unwrap_or(1).max(1)
    }

    /// Whether nothing is missing in front of the earliest segment, or nothing that will ever come.
    fn is_next(&self, candidate: usize) -> bool {
        let held = &self.held[candidate];
        let Some(last) = &self.last else { return self.is_first(candidate) };
        if self.follows(&last.name, last.times, held) {
            return true;
        }
        let is_between = |name: &Name| {
            name.is_like(&held.name) && name.values() > last.name.values() && name.values() < held.name.values()
        };
        let lost = self.lost.iter().filter(|name| is_between(name)).count() as u64;
        let expected = self.expected.values().any(|name| self.representation.could_have(name) && is_between(name));
        self.representation.is_ordered() && !expected && lost >= self.missing(last, held)
    }

    /// Whether a segment is the first of all: by its number or its time, or because two follow each other already.
    fn is_first(&self, candidate: usize) -> bool {
        let held = &self.held[candidate];
        let is_expected = self.representation.is_ordered()
            && self.expected.values().any(|name| {
                self.representation.could_have(name) && name.is_like(&held.name) && name.values() < held.name.values()
            });
        let count = self.representation.count(&held.name);
        let is_origin = match held.times {
            Some((start, _)) => start.is_zero() || count.is_some_and(|count| count <= 1),
            None => count.is_none_or(|count| count <= 1),
        };
        let is_followed = || {
            let mut others = self.held.iter().enumerate().filter(|(index, _)| *index != candidate);
            others.any(|(_, other)| self.follows(&held.name, held.times, other))
        };
        !is_expected && (is_origin || is_followed())
    }

    fn take(&mut self, candidate: usize, now: Time) -> Segment<T> {
        // A segment that came after a new initialisation can still be one of the old, if later ones are.
        let version = self.held.iter().map(|held| held.version).min().unwrap_or(0);
        let follows = match &self.last {
            Some(last) => self.follows(&last.name, last.times, &self.held[candidate]),
            None => false,
        };
        let held = self.held.remove(candidate);
        let begins = match (self.last.as_ref().map(|last| last.times), held.times) {
            (Some(Some((last, _))), Some((start, _))) => start < last || start - last > LONGEST_JUMP,
            (last, _) => last.is_none(),
        };
        let missing = match &self.last {
            Some(last) if !follows => self.missing(last, &held),
            _ => 0,
        };
        self.counts.missing += missing;
        self.counts.segments += 1;
        let initialisation = self.initialisation(version).filter(|_| held.timing.needs_initialisation());
        self.lost.retain(|name| name.is_like(&held.name) && name.values() > held.name.values());
        self.expected.retain(|_, name| !(name.is_like(&held.name) && name.values() <= held.name.values()));
        if self.gone.len() == MAX_NAMES {
            self.gone.pop_front();
        }
        self.gone.push_back((held.location.clone(), held.times.map(|(start, _)| start)));
        self.last_progress = now;
        self.last = Some(Last { name: held.name, times: held.times });
        Segment {
            initialisation,
            payload: held.payload,
            location: held.location,
            times: held.times,
            is_discontinuous: !follows,
            missing,
            begins,
        }
    }

    /// The initialisation of this version, if it is another one than went last. Older ones are no longer needed.
    fn initialisation(&mut self, version: u64) -> Option<T> {
        while self.initialisations.len() > 1 && self.initialisations[0].version < version {
            self.initialisations.pop_front();
        }
        let initialisation = self.initialisations.front()?;
        if self.sent_version == Some(initialisation.version) {
            return None;
        }
        self.sent_version = Some(initialisation.version);
        self.counts.initialisations += 1;
        Some(initialisation.payload.clone())
    }
}
